"""Photographs of the user's own as a data set: a folder, and which of its photographs are queries."""

# Names stay the strings that the user gave; pathlib would rewrite `./a.jpg` and `a//b.jpg`.
# ruff: noqa: PTH112, PTH118, PTH119, PTH120

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Poses, Rule
from geoloc_cli.evaluate.datasets.lookup import read_lines
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.maps.poses import PosedPhoto, read_poses
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import shown
from geoloc_cli.photos.scan import find_photos
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]

# What place recognition counts as the same place.
_WITHIN_M = 25.0
_LISTED = 3


def read_folder(photos: str, queries: str, truth: Truth | None = None, poses: str | None = None) -> LabelledSet:
    """The photographs of a folder as references, but those that `queries` names, or that lie in the folder `queries`.

    queries: such a folder; a text of names, one a line; a JSON list of names; or a JSON object of sets, each with
    `photos` and `queries`, of which that of the folder counts. truth: where the queries were taken, by default what
    they say of themselves. poses: as of `maps.poses.read_poses`, of all of them. Raises UsageError.
    """
    if not os.path.isdir(photos):
        raise UsageError(f"--photos {shown(photos)} is no folder; give the folder of the photographs.")
    everything = list(find_photos([photos]))
    home = photos
    if os.path.isdir(queries):
        asked, home = list(find_photos([queries])), queries
    else:
        asked = _named(everything, photos, queries, _names(photos, queries))
    if not asked:
        raise UsageError(f"--queries {shown(queries)} names no photograph; give a folder of them or a list of names.")
    chosen = {os.path.normpath(path) for path in asked}
    known = [path for path in everything if os.path.normpath(path) not in chosen]
    posed = {os.path.normpath(p.path): p for p in read_poses(poses, photos).photos} if poses else {}
    references, sides = _labelled(photos, known, posed), _labelled(home, asked, posed, truth)
    placed = bool(np.isfinite(references.lat).any() and np.isfinite(sides.lat).any())
    rule = Rule(_WITHIN_M) if placed and references.poses is None else None
    return LabelledSet(photos, references, sides, rule, _notes(sides), stated=False)


def _notes(queries: Labelled) -> tuple[str, ...]:
    unknown = int(np.count_nonzero(~np.isfinite(queries.lat)))
    if not unknown or queries.poses is not None:
        return ()
    return (f"{unknown} of {len(queries)} queries say nowhere where they were taken, and are not scored.",)


def _names(photos: str, queries: str) -> list[str]:
    """The names of the queries in a file."""
    if not queries.lower().endswith(".json"):
        return [line.strip() for line in read_lines(Path(queries)) if line.strip()]
    try:
        said: Any = json.loads(Path(queries).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--queries {shown(queries)} cannot be read as JSON ({error}); check the file.") from error
    if isinstance(said, dict) and "queries" not in said:
        said = _set_of(photos, queries, said)
    listed = said.get("queries") if isinstance(said, dict) else said
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise UsageError(f"--queries {shown(queries)} holds no list of names; write them as a JSON list of texts.")
    return listed


def _set_of(photos: str, queries: str, sets: Mapping[str, Any]) -> Any:
    """The set of a file of several whose `photos` are this folder, as counted from the file or by its end."""
    here = os.path.dirname(os.path.realpath(queries))
    folder = os.path.realpath(photos)
    for said in sets.values():
        stated = said.get("photos") if isinstance(said, dict) else None
        if isinstance(stated, str) and os.path.realpath(os.path.join(here, stated)) == folder:
            return said
    raise UsageError(
        f"--queries {shown(queries)} has no set whose photos are {shown(photos)} (it has {', '.join(sets)}); give the "
        "folder of one of them to --photos."
    )


def _named(paths: Sequence[str], photos: str, queries: str, names: Sequence[str]) -> list[str]:
    """The paths of names under the folder, in the order of the names: by their whole name in it, else by file name."""
    whole = {os.path.relpath(path, photos): path for path in paths}
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(os.path.basename(path), []).append(path)
    found, strange = [], []
    for name in dict.fromkeys(names):
        fits = [whole[os.path.normpath(name)]] if os.path.normpath(name) in whole else by_name.get(name, [])
        if len(fits) == 1:
            found.append(fits[0])
        else:
            strange.append(name)
    if strange:
        listed = ", ".join(shown(name) for name in strange[:_LISTED]) + (", ..." if len(strange) > _LISTED else "")
        raise UsageError(
            f"--queries {shown(queries)} names {len(strange)} of {len(names)} photographs that are not in "
            f"{shown(photos)}, or are there several times ({listed}); correct the names."
        )
    return found


def _labelled(
    folder: str, paths: Sequence[str], posed: Mapping[str, PosedPhoto], truth: Truth | None = None
) -> Labelled:
    lat, lon = _places(paths) if truth is None else _true_places(paths, truth)
    poses, cameras = _poses(paths, posed) if posed else (None, None)
    names = [os.path.relpath(path, folder) for path in paths]
    return Labelled(Path(folder), names, lat, lon, poses=poses, cameras=cameras)


def _places(paths: Sequence[str]) -> tuple[Floats, Floats]:
    places = np.full((len(paths), 2), np.nan)
    for row, path in enumerate(paths):
        try:
            position = read_photo(path).position
        except PhotoError:
            continue  # told when it is located, or left out of the index
        if position is not None:
            places[row] = position.lat, position.lon
    return places[:, 0], places[:, 1]


def _true_places(paths: Sequence[str], truth: Truth) -> tuple[Floats, Floats]:
    """By name, as predictions are matched with a truth. Raises UsageError where no photograph is in it."""
    nothing = np.full(len(paths), np.nan)
    joined = join(Predictions("--queries", list(paths), nothing, nothing, nothing, nothing), truth)
    places = np.full((len(paths), 2), np.nan)
    there = joined.row >= 0
    places[joined.row[there]] = np.stack([truth.lat[there], truth.lon[there]], axis=1)
    return places[:, 0], places[:, 1]


def _poses(paths: Sequence[str], posed: Mapping[str, PosedPhoto]) -> tuple[Poses, list[Camera | None]]:
    rotation, translation = np.full((len(paths), 3, 3), np.nan), np.full((len(paths), 3), np.nan)
    cameras: list[Camera | None] = []
    for row, path in enumerate(paths):
        own = posed.get(os.path.normpath(path))
        cameras.append(own.camera if own else None)
        if own is not None:
            rotation[row], translation[row] = own.rotation, own.translation
    return Poses(rotation, translation), cameras
