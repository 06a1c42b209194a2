"""Photos -> map: an index of them, matches of likely pairs, mapping, and the map's place on the Earth.

Each step survives an interruption: the index by its own commits, the matches in files of a hundred pairs each; only the
mapping itself begins again, which takes less than the matching did.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher, ParallelMap
from geoloc_cli.errors import MapDamaged, UsageError
from geoloc_cli.index.files import write_durable
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.maps import colmap, mapping
from geoloc_cli.maps.folder import index_of, write_map
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.global_mapping import MAPPERS
from geoloc_cli.maps.model import SparseModel
from geoloc_cli.maps.pairs import apart_in_map, apart_on_earth, map_pairs
from geoloc_cli.maps.poses import PosedPhoto
from geoloc_cli.photos.intrinsics import guess_camera
from geoloc_cli.photos.lenses import SHARES, lens_keys
from geoloc_cli.pipeline.georeference import georeferenced
from geoloc_cli.pipeline.matching import References, build_matcher, key_of_matcher, pinned
from geoloc_cli.registry import BackendSpec, create
from geoloc_cli.types import Camera

Tell = Callable[[str, int], None]
# All keypoints of both, and a ratio looser than Lowe's: a walk straight ahead falls into pieces without them.
MAX_QUERY = 4096
RATIO = 0.85
_PAIRS_IN_FILE = 100
# Rounds of bundle adjustment with positions, for components of this many photographs, and the least noise believed.
ADJUSTMENTS = 3
_LEAST_ADJUSTED = 7
_LEAST_STD_M = 0.02


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How many pairs are compared: of each photograph the most `alike` and the `near`est; and how they are mapped.

    share: which photographs are one camera's, as `photos/lenses.py` says.
    """

    alike: int = 8
    near: int = 8
    matcher: str = "mutual-nn"
    mapper: str = "incremental"
    share: str = "auto"

    def check(self) -> None:
        if self.alike < 1 or self.near < 0:
            raise UsageError(f"--alike {self.alike} --near {self.near}: compare 1 at the least, and 0.")
        if self.mapper not in MAPPERS:
            raise UsageError(f"There is no mapper '{self.mapper}'; give one of {', '.join(MAPPERS)}.")
        if self.share not in SHARES:
            raise UsageError(f"--share-camera is '{self.share}'; give one of {', '.join(SHARES)}.")


@dataclass(frozen=True, slots=True)
class MapReport:
    """What a map holds: registered of all photographs by component, and those in none.

    lost: why some of these could not be compared, by path, where the matcher needs their pictures.
    """

    photos: int
    registered: tuple[int, ...]
    left_out: tuple[str, ...]
    georeferences: tuple[Georeference | None, ...]
    lost: Mapping[str, str]


def build_map(
    folder: Path,
    parallel_map: ParallelMap,
    options: MapOptions | None = None,
    tell: Tell | None = None,
    posed: Mapping[str, PosedPhoto] | None = None,
    expect: Tell | None = None,
) -> MapReport:
    """Maps the photographs of the index in `folder`; raises UsageError where there is nothing to be mapped.

    posed: poses of all of them, by path, where they are known: points are triangulated, and no pose is changed.
    tell, expect: progress: a stage and how many more are done of it, and before that of how many.
    """
    options, tell = options or MapOptions(), tell or (lambda stage, done: None)
    expect = expect or (lambda stage, total: None)
    options.check()
    work = folder / "work"
    work.mkdir(exist_ok=True)
    with Index.open(index_of(folder)) as index:
        photos = index.all_photos()
        if len(photos) < 2:
            raise UsageError(f"{folder} has {len(photos)} photos; a map needs two at the least, and better thirty.")
        ordered = index.gathered()
        place = {int(row): i for i, row in enumerate(ordered.row_ids)}
        vectors = ordered.vectors[[place[photo.row_id] for photo in photos]]
        poses = [posed[photo.path] for photo in photos] if posed else None
        away = _apart(poses) if poses else apart_on_earth([photo.position for photo in photos])
        pairs = map_pairs(vectors, away, options.alike, options.near)
        matcher = build_matcher(index, options.matcher, RATIO)
        references = References(index, matcher)
        at_hand = {photo.path for photo in references.at_hand(photos)}
        pairs = [(i, j) for i, j in pairs if photos[i].path in at_hand and photos[j].path in at_hand]
        lost = {path: str(error) for path, error in references.lost.items()}
        if lost and not pairs:
            raise UsageError(
                f"The matcher '{matcher.name}' compares pictures, and no two of those to be compared can be read: "
                f"{next(iter(lost.values())).rstrip('.')}; or take the matcher mutual-nn."
            )
        expect("matching", len(pairs))
        matches = _matched(folder, work, photos, pairs, matcher, parallel_map, tell)
        cameras = {photo.path: (posed[photo.path].camera if posed else None) or photo.camera for photo in photos}
        keys = lens_keys(cameras, options.share)
        mapped = [map_photo(index, photo, cameras[photo.path], keys[photo.path]) for photo in photos]
        expect("mapping", len(photos))
        tell("mapping", 0)
        database = work / "database.db"
        listed, held, guessed = colmap.write_database(database, mapped, matches)
    if poses:
        rigid = {f"{number:06d}": (pose.rotation, pose.translation) for number, pose in enumerate(poses)}
        models = mapping.triangulate(database, listed, rigid, work)
    else:
        models = mapping.reconstruct(
            database,
            listed,
            held,
            guessed,
            len(photos),
            work,
            lambda: tell("mapping", 1),
            misfit(photos),
            mapper=options.mapper,
        )
    names = {f"{number:06d}": photo.path for number, photo in enumerate(photos)}
    georeferences = []
    found: list[SparseModel] = []
    for path in models:
        colmap.rename_images(path, names)
        model, georeference = adjusted(path, photos, 0 if posed else ADJUSTMENTS, tell)
        found.append(model)
        georeferences.append(georeference)
    registered = {path for model in found for path in model.images}
    left_out = tuple(photo.path for photo in photos if photo.path not in registered)
    facts = {
        "photos": len(photos),
        "left_out": list(left_out),
        "matcher": pinned(matcher),
        "mapper": "import" if posed else options.mapper,
        "share_camera": options.share,
    }
    tell("writing", 0)
    write_map(folder, georeferences, facts, work / "sparse")
    shutil.rmtree(work)
    registered_in = tuple(len(model.images) for model in found)
    return MapReport(len(photos), registered_in, left_out, tuple(georeferences), lost)


def _apart(poses: Sequence[PosedPhoto]) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    return apart_in_map(np.stack([p.center_in_map for p in poses]), np.stack([p.rotation[2] for p in poses]))


def misfit(photos: Sequence[IndexedPhoto]) -> Callable[[SparseModel], float]:
    """How badly a component of numbered photos fits their positions, in metres; without any, how few points it has."""
    numbered = [replace(photo, path=f"{number:06d}") for number, photo in enumerate(photos)]

    def judge(model: SparseModel) -> float:
        georeference = georeferenced(model, numbered)
        if georeference is not None:
            return georeference.horizontal_m
        return 1e9 / (1 + len(model.points))

    return judge


def adjusted(
    folder: Path, photos: Sequence[IndexedPhoto], rounds: int, tell: Tell
) -> tuple[SparseModel, Georeference | None]:
    """The model after bundle adjustments with its photographs' positions, each with the noise that the last one left.

    A reconstruction bends: a street seen from its corner alone may lean by degrees, which one similarity cannot mend.
    """
    model = colmap.read_model(folder)
    held = {photo.path for photo in photos if photo.camera and photo.camera.focal_std == 0.0}
    georeference = georeferenced(model, photos)
    for _ in range(rounds):
        if georeference is None or len(georeference.residuals_m) < _LEAST_ADJUSTED:
            break
        tell("adjusting", 0)
        residuals = np.array(list(georeference.residuals_m.values()))
        noise = 1.4826 * np.median(np.abs(residuals), axis=0)
        std_m = max(_LEAST_STD_M, float(noise[:2].max())), max(_LEAST_STD_M, float(noise[2]))
        positions = {
            path: tuple(georeference.in_enu(model.images[path].center_in_map) + np.array(residual))
            for path, residual in georeference.residuals_m.items()
            if path not in georeference.outliers
        }
        similarity = np.column_stack([georeference.scale * georeference.rotation, georeference.translation])
        mapping.adjust(folder, similarity, positions, std_m, held)
        model = colmap.read_model(folder)
        georeference = georeferenced(model, photos)
    return model, georeference


def camera_of(photo_camera: Camera | None, width: int, height: int) -> Camera:
    """The camera at the described size, guessed where the photo says nothing of it."""
    return guess_camera(width, height) if photo_camera is None else colmap.scaled(photo_camera, width, height)


def map_photo(index: Index, photo: IndexedPhoto, camera: Camera | None, key: str) -> colmap.MapPhoto:
    """What mapping needs of a photo; camera: as it or its pose states it, key: of the lens that it shares."""
    local = index.local(photo.row_id)
    return colmap.MapPhoto(photo.path, local.keypoints, camera_of(camera, local.width, local.height), key)


def _matched(
    folder: Path,
    work: Path,
    photos: Sequence[IndexedPhoto],
    pairs: list[tuple[int, int]],
    matcher: Matcher,
    parallel_map: ParallelMap,
    tell: Tell,
) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
    """Matches of each pair, read back where an interrupted build has them already."""
    groups = [pairs[i : i + _PAIRS_IN_FILE] for i in range(0, len(pairs), _PAIRS_IN_FILE)]
    names, key = [], key_of_matcher(matcher)
    for group in groups:
        rows = [[photos[i].sha256, photos[j].sha256] for i, j in group]
        names.append(hashlib.sha256(json.dumps([rows, MAX_QUERY, key]).encode()).hexdigest()[:24] + ".npz")
    missing = [k for k, name in enumerate(names) if _read_matches(work / name) is None]
    spec = {"index": str(index_of(folder)), "matcher": pinned(matcher)}
    items = [[(photos[i].row_id, photos[j].row_id) for i, j in groups[k]] for k in missing]
    tell("matching", sum(len(group) for k, group in enumerate(groups) if k not in set(missing)))
    for k, found in zip(missing, parallel_map("geoloc_cli.pipeline.map:build_pair_matcher", spec, items), strict=True):
        _write_matches(work, names[k], found)
        tell("matching", len(groups[k]))
    for name, group in zip(names, groups, strict=True):
        matches = _read_matches(work / name)
        if matches is None:
            raise MapDamaged(
                f"{work / name} was written a moment ago and cannot be read; look at the disk, and try again."
            )
        for (i, j), pair in zip(group, matches, strict=True):
            yield i, j, pair


def build_pair_matcher(spec: dict[str, Any]) -> Callable[[list[tuple[int, int]]], list[NDArray[np.int32]]]:
    """In a worker: matches pairs of rows of an index."""
    index = Index.open(spec["index"])
    matcher: Matcher = create("matcher", BackendSpec(**spec["matcher"]))
    references = References(index, matcher)
    kept: dict[int, tuple[Any, Any] | None] = {}

    def prepared(row: int) -> tuple[Any, Any] | None:
        """As a query, and as a reference: mostly the same. None where its picture is needed, and has gone meanwhile."""
        if row not in kept:
            if len(kept) > 64:  # 2 MB each
                kept.clear()
            (photo,) = index.photos([row])
            local = references.load(photo)
            if local is None:
                kept[row] = None
                return None
            query, reference = local.first(MAX_QUERY), matcher.prepare(local)
            kept[row] = reference if query is local else matcher.prepare(query), reference
        return kept[row]

    def matched(i: int, j: int) -> NDArray[np.int32]:
        query, reference = prepared(i), prepared(j)
        if query is None or reference is None:
            return np.zeros((0, 2), np.int32)
        return matcher.match(query[0], reference[1])

    return lambda pairs: [matched(i, j) for i, j in pairs]


def _write_matches(work: Path, name: str, matches: Sequence[NDArray[np.int32]]) -> None:
    buffer = io.BytesIO()
    counts = np.array([len(rows) for rows in matches], np.int64)
    np.savez(buffer, allow_pickle=False, counts=counts, rows=np.concatenate(matches))
    write_durable(work, name, [buffer.getvalue()])


def _read_matches(path: Path) -> list[NDArray[np.int32]] | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["counts"])
            return np.split(arrays["rows"], ends[:-1])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
