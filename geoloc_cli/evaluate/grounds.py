"""What the queries of a run are looked for in: an index or a map of the references, given or made for the run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import MapMissing, UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.evaluate.posed import Frame
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, open_map, read_manifest
from geoloc_cli.maps.poses import PosedPhoto
from geoloc_cli.maps.similarity import umeyama
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.describer import spec_for
from geoloc_cli.pipeline.map import MapOptions, build_map
from geoloc_cli.pipeline.matching import build_matcher, key_of_matcher
from geoloc_cli.retrieval.verify import VerifyOptions
from geoloc_cli.types import Position

Tell = Callable[[str, int], None]
Floats = NDArray[np.float64]

# Cameras that lie over each other by a similarity.
_LEAST_FITTED = 3


@dataclass(frozen=True, slots=True)
class Made:
    """How an index or a map is to be made: the describer's parts and the matcher, as `geoloc index build` has them."""

    features: str | None = None
    descriptor: str | None = None
    matcher: str = "mutual-nn"
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What some of the queries, by their rows, are looked for in; neither where priors are all that is asked."""

    rows: tuple[int, ...]
    index: str | None
    map: str | None

    def identity(self, matcher: str) -> dict[str, Any] | None:
        """How its photographs are described and compared, with the hashes of the weights; None without an index."""
        if self.index is None:
            return None
        with Index.open(self.index) as opened:
            compared = key_of_matcher(build_matcher(opened, matcher, VerifyOptions().max_ratio))
            return {**opened.manifest.describer, "matcher": compared}


def given_ground(labelled: LabelledSet, index: str | None, map: str | None) -> Ground:
    """The index or the map that the user names, for all queries. Raises UsageError where both are, and MapMissing."""
    if index is not None and map is not None:
        raise UsageError("Give --index DIR or --map DIR, and not both: a map carries its own index.")
    if map is not None:
        read_manifest(Path(map))
    searched = str(index_of(Path(map))) if map is not None else index
    return Ground(tuple(range(len(labelled.queries))), searched, map)


def made_grounds(
    labelled: LabelledSet, out: Path, how: Made, mapped: bool, parallel_map: ParallelMap, tell: Tell
) -> Iterator[Ground]:
    """One for each group of the set, made of the references of the group in `out`, or found there finished.

    mapped: a map, for poses, and not an index alone; where the references' poses are known, in the set's own frame.
    """
    groups = labelled.queries.groups
    names = list(dict.fromkeys(groups)) if groups is not None else [None]
    for name in names:
        rows = _rows_of(labelled.queries, name)
        references = _rows_of(labelled.references, name)
        if not references:
            raise UsageError(f"{labelled.name} has no references for its queries in {name}; give --index or --map.")
        kind = "map" if mapped else "index"
        folder = out / kind if name is None or len(names) == 1 else out / kind / _slug(name)
        if mapped:
            _make_map(labelled, references, folder, how, parallel_map, tell)
            yield Ground(tuple(rows), str(index_of(folder)), str(folder))
        else:
            _make_index(labelled, references, folder, how, parallel_map, tell)
            yield Ground(tuple(rows), str(folder), None)


def _make_index(
    labelled: LabelledSet, rows: Sequence[int], folder: Path, how: Made, parallel_map: ParallelMap, tell: Tell
) -> None:
    references = labelled.references
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = build_index(
        folder,
        [str(references.path(row)) for row in rows],
        parallel_map=parallel_map,
        positions=Stated(references) if labelled.stated else None,
        describer=spec_for(folder, how.features, how.descriptor),
        cache=how.cache,
        placed=bool(np.isfinite(references.lat).any()),
        progress=tell,
    )
    if not report.added + report.replaced + report.unchanged:
        why = report.left_out[0][2] if report.left_out else "there are none"
        raise UsageError(f"No reference of {labelled.name} could be indexed: {why}")


def _make_map(
    labelled: LabelledSet, rows: Sequence[int], folder: Path, how: Made, parallel_map: ParallelMap, tell: Tell
) -> None:
    try:
        read_manifest(folder)
    except MapMissing:
        posed = _posed(labelled.references, rows)
        used = [row for row in rows if posed is None or str(labelled.references.path(row)) in posed]
        _make_index(labelled, used, index_of(folder), how, parallel_map, tell)
        build_map(folder, parallel_map, MapOptions(matcher=how.matcher), tell, posed)


class Stated:
    """The places that a set states, as `pipeline.build.Positions`."""

    def __init__(self, labelled: Labelled) -> None:
        places = zip(labelled.lat.tolist(), labelled.lon.tolist(), strict=True)
        self._places = {str(labelled.path(row)): place for row, place in enumerate(places)}

    def get(self, photo_path: str) -> Position | None:
        lat, lon = self._places[photo_path]
        return None if np.isnan(lat) or np.isnan(lon) else Position(lat, lon, source="file")


def _posed(references: Labelled, rows: Sequence[int]) -> dict[str, PosedPhoto] | None:
    """The references whose poses are known, by path; None where the set states none."""
    poses, cameras = references.poses, references.cameras
    if poses is None:
        return None
    known = [row for row in rows if np.isfinite(poses.translation[row]).all()]
    return {
        path: PosedPhoto(path, poses.rotation[row], poses.translation[row], cameras[row] if cameras else None)
        for row in known
        for path in [str(references.path(row))]
    }


def frames_of(labelled: LabelledSet, map: str, *, own: bool) -> dict[str, Frame]:
    """How each component of a map lies in the frame of the set's poses, by the name that poses in it carry.

    own: the map was made of the poses themselves. Else the centres of the references that it holds are laid over their
    true ones by a similarity (Umeyama 1991); a component that holds fewer than three has no frame.
    """
    poses = labelled.references.poses
    if poses is None:
        return {}
    known = np.flatnonzero(np.isfinite(poses.translation).all(axis=1)).tolist()
    true_centers = poses.centers_in_map
    centers = {os.path.realpath(labelled.references.path(row)): true_centers[row] for row in known}
    frames = {}
    for component in open_map(Path(map)):
        held = {os.path.realpath(path): image.center_in_map for path, image in component.model.images.items()}
        frame = Frame(1.0, np.eye(3), np.zeros(3)) if own else laid_over(held, centers)
        if frame is not None:
            frames[f"{Path(map)}#{component.name}"] = frame
    return frames


def laid_over(centers_in_map: Mapping[str, Floats], centers_in_set: Mapping[str, Floats]) -> Frame | None:
    """The similarity by which a map's cameras lie over the set's, by path; None where they share fewer than three."""
    shared = [path for path in centers_in_map if path in centers_in_set]
    if len(shared) < _LEAST_FITTED:
        return None
    here, there = (np.stack([side[path] for path in shared]) for side in (centers_in_map, centers_in_set))
    scale, rotation, shift = umeyama(here, there)
    left = scale * here @ rotation.T + shift - there
    rms = float(np.sqrt(np.mean(np.sum(left**2, axis=1))))
    return Frame(float(scale), rotation, shift, len(shared), rms)


def _rows_of(side: Labelled, group: str | None) -> list[int]:
    if group is None or side.groups is None:
        return list(range(len(side)))
    return [row for row, name in enumerate(side.groups) if name == group]


def _slug(name: str) -> str:
    """A group's name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "group"
