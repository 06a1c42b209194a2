"""A map's place on the Earth, from its photographs' positions and ground control points, and the signs of bad ones."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.maps.colmap import read_model
from geoloc_cli.maps.control import triangulate
from geoloc_cli.maps.control_adjustment import Survey
from geoloc_cli.maps.folder import index_of, model_of, open_map, read_manifest, write_map
from geoloc_cli.maps.gcp import GroundPoint, read_gcp
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.model import SparseModel
from geoloc_cli.photos.positions import Positions
from geoloc_cli.pipeline.control_adjustment import LEAST_CONTROLS, straightened
from geoloc_cli.pipeline.placing import Placed, Seen, controls_of, placed
from geoloc_cli.types import Attitude, Position

Floats = NDArray[np.float64]

# Control points further from the photographs than this are those of another survey, or in another order.
_ANOTHER_PLACE_M = 100_000.0
# Where new models are made, in the map's folder.
_ADJUSTING = "adjusting"
# What a manifest says of the map's files; the rest are facts that are kept.
_OF_THE_FILES = ("schema", "components", "files")


def in_order(photos: Sequence[IndexedPhoto]) -> dict[str, Position]:
    """Positions, where there are such, by path in the order in which the photographs were taken, as far as known."""
    ordered = sorted(photos, key=lambda photo: (photo.taken_at or "", photo.path))
    return {photo.path: photo.position for photo in ordered if photo.position}


def attitudes_of(photos: Sequence[IndexedPhoto]) -> dict[str, Attitude]:
    """How photographs were held, where they say so, by path."""
    return {photo.path: photo.attitude for photo in photos if photo.attitude}


def georeferenced(model: SparseModel, photos: Sequence[IndexedPhoto]) -> Georeference | None:
    """Where a component lies, by the positions and attitudes of its photographs; None where these do not tell."""
    return placed(model, in_order(photos), attitudes=attitudes_of(photos)).georeference


def reasons(folder: Path) -> list[str | None]:
    """For each component of a map, why its photographs' positions give no georeference; None where they do."""
    with Index.open(index_of(folder)) as index:
        photos = index.all_photos()
    given, held = in_order(photos), attitudes_of(photos)
    return [placed(component.model, given, attitudes=held).reason for component in open_map(folder)]


def georeference_map(
    folder: Path,
    positions: Positions | None,
    gcp: Path | None,
    gcp_std_m: tuple[float, float],
    *,
    adjust: bool = False,
    dry_run: bool = False,
) -> list[Placed]:
    """Fits every component of a map anew and writes it; positions win over those of its index.

    gcp: a file as `maps/gcp.py` reads it; gcp_std_m: the horizontal and the vertical standard deviation of its points.
    adjust: not only lays the map over its control points, but bends it to them, which is not to be undone.
    dry_run: the map stays as it is, and an adjusted one is made elsewhere and thrown away.
    Raises MapMissing, MapDamaged, or UsageError where the control points are of another place, or too few.
    """
    points = [] if gcp is None else read_gcp(gcp)
    components = open_map(folder)
    with Index.open(index_of(folder)) as index:
        photos = index.all_photos()
    if positions is not None:
        photos = [dataclasses.replace(p, position=positions.get(p.path) or p.position) for p in photos]
    given = in_order(photos)
    if positions is not None and len(positions) and not any(place.source == "file" for place in given.values()):
        raise UsageError(f"--positions names no photo of {folder}; its paths must end as those of the photos do.")
    sizes = {photo.path: (photo.width, photo.height) for photo in photos}
    _check_place(points, given, gcp)
    seen = [_seen(points, component.model, sizes, gcp_std_m) for component in components]
    if points and not any(seen):
        raise UsageError(
            f"--gcp {gcp}: no point is marked in two photos of {folder} that agree on it; its fields are geo_x "
            "geo_y geo_z im_x im_y photo name, with pixels of the upright photos."
        )
    if adjust and max((len(found) for found in seen), default=0) < LEAST_CONTROLS:
        raise UsageError(f"--adjust needs {LEAST_CONTROLS} control points in one part of {folder}; give more by --gcp.")
    attitudes = attitudes_of(photos)
    answers = [placed(part.model, given, found, attitudes) for part, found in zip(components, seen, strict=True)]
    sparse = None
    if adjust:
        held = {photo.path for photo in photos if photo.camera and photo.camera.focal_std == 0.0}
        sparse = Path(tempfile.mkdtemp(prefix="geoloc-")) if dry_run else _room_for(folder)
        for part, (component, found) in enumerate(zip(components, seen, strict=True)):
            source, target = model_of(folder, part), sparse / str(part)
            answers[part] = adjusted_part(source, target, component.model, answers[part], given, found, held, attitudes)
    if dry_run:
        if sparse is not None:
            shutil.rmtree(sparse)
        return answers
    facts = {key: value for key, value in read_manifest(folder).items() if key not in _OF_THE_FILES}
    facts["control_points"] = [
        {"component": i, **dataclasses.asdict(c)} for i, answer in enumerate(answers) for c in answer.controls
    ]
    if sparse is None:
        write_map(folder, [answer.georeference for answer in answers], facts)
    else:
        before = facts.get("adjusted", [False] * len(answers))
        facts["adjusted"] = [a.adjusted or was for a, was in zip(answers, before, strict=True)]
        write_map(folder, [answer.georeference for answer in answers], facts, sparse)
        sparse.parent.rmdir()
    return answers


def _room_for(folder: Path) -> Path:
    """An empty folder for new models, on the disk of the map; what an interrupted adjustment left there goes."""
    shutil.rmtree(folder / _ADJUSTING, ignore_errors=True)
    sparse = folder / _ADJUSTING / "sparse"
    sparse.mkdir(parents=True)
    return sparse


def adjusted_part(
    source: Path,
    target: Path,
    model: SparseModel,
    answer: Placed,
    given: Mapping[str, Position],
    seen: Sequence[Seen],
    held: Collection[str],
    attitudes: Mapping[str, Attitude] | None = None,
) -> Placed:
    """A component adjusted to its control points, its model written to target; as it was, and a note, where not."""
    found = answer.georeference
    controls = None if found is None else controls_of(seen, found.origin)
    target.mkdir(exist_ok=True)
    reason = "it has fewer than three control points"
    if found is not None and controls is not None and len(seen) >= LEAST_CONTROLS:
        std_m = np.where(np.isfinite(controls.in_enu), controls.std_m[:, [0, 0, 1]], np.inf)
        surveys = {
            s.point.name: Survey(place, std, s.marks)
            for s, place, std in zip(seen, controls.in_enu, std_m, strict=True)
        }
        before_m = [float(np.linalg.norm(control.residual_m)) for control in answer.controls]
        made = straightened(source, target, model, found, held, surveys, before_m)
        if made.reason is None:
            now = [dataclasses.replace(s, found=at) for s, at in zip(seen, made.found, strict=True) if at is not None]
            wrong = {seen[row].point.name for row in made.wrong}
            used = [s for s in now if s.point.name not in wrong]
            aside = [s for s in now if s.point.name in wrong]
            return dataclasses.replace(placed(read_model(target), given, used, attitudes, aside), adjusted=True)
        reason = made.reason
    for file in source.iterdir():
        shutil.copyfile(file, target / file.name)
    if found is None:
        return answer
    note = f"not adjusted to its control points: {reason}"
    return dataclasses.replace(answer, georeference=dataclasses.replace(found, notes=(*found.notes, note)))


def _check_place(points: Sequence[GroundPoint], given: Mapping[str, Position], gcp: Path | None) -> None:
    if not points or not given:
        return
    places = list(given.values())
    lat, lon = np.array([p.lat for p in places]), np.array([p.lon for p in places])
    away = min(float(np.median(haversine_m(point.lat, point.lon, lat, lon))) for point in points)
    if away > _ANOTHER_PLACE_M:
        raise UsageError(
            f"--gcp {gcp}: its points lie {away / 1000:.0f} km from the photos; geo_x is the longitude or easting, "
            "geo_y the latitude or northing, and line 1 names their projection."
        )


def _seen(
    points: Sequence[GroundPoint], model: SparseModel, sizes: Mapping[str, tuple[int, int]], std_m: tuple[float, float]
) -> list[Seen]:
    """The points that are marked in two photographs of a component at least, and where they are in it."""
    by_name: dict[str, list[str]] = {}
    for path in model.images:
        by_name.setdefault(Path(path).name, []).append(path)
    found = []
    for point in points:
        images, pixels = [], []
        for mark in point.marks:
            wanted = Path(mark.photo).parts
            paths = [p for p in by_name.get(Path(mark.photo).name, ()) if Path(p).parts[-len(wanted) :] == wanted]
            if len(paths) > 1:
                raise UsageError(f"--gcp: {mark.photo} is the name of {len(paths)} photos; give more of their paths.")
            if not paths:
                continue
            image = model.images[paths[0]]
            width, height = sizes.get(paths[0], (image.camera.width, image.camera.height))
            if not (0.0 <= mark.x_px <= width and 0.0 <= mark.y_px <= height):
                raise UsageError(
                    f"--gcp: {point.name} at {mark.x_px - 0.5:g}, {mark.y_px - 0.5:g} lies outside of {mark.photo}, "
                    f"which has {width} x {height} pixels; mark it in the photo of full size, upright."
                )
            images.append(image)
            pixels.append((mark.x_px * image.camera.width / width, mark.y_px * image.camera.height / height))
        triangulated = triangulate(images, np.array(pixels)) if len(images) >= 2 else None
        if triangulated is not None:
            marks = {i.path: xy for i, xy in zip(images, pixels, strict=True) if i.path not in triangulated.wrong}
            found.append(Seen(point, triangulated, std_m, marks))
    return found
