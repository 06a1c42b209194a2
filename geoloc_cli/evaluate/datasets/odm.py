"""Projects of OpenDroneMap, and of ours: `images/`, and what states where each was taken.

Seen in OpenDroneMap/ODM (stages/dataset.py, opendm/geo.py, opendm/photo.py): `geo.txt` wins over what the photographs
say of themselves, and `images.json` is the list that a run writes, of what it came to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Reader
from geoloc_cli.evaluate.datasets.lookup import first_of, pictures_in, read_lines
from geoloc_cli.maps.gcp import read_gcp, read_projection
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import shown

Places = Mapping[str, tuple[float, float]]

_HOME = "https://github.com/OpenDroneMap/ODM (any project folder of yours will do)"


def read_odm(name: str, root: Path) -> LabelledSet:
    """The photographs of a project as queries, where `geo.txt`, else `images.json`, else their own EXIF has them."""
    folder = first_of(name, root, ("images",), _HOME, "the project's photographs")
    names = [n for n in pictures_in(folder) if not Path(n).stem.endswith("_mask")]
    if not names:
        raise UsageError(f"{shown(str(folder))} holds no picture; give the folder of a project with --root.")
    stated: dict[str, tuple[float, float]] = {}
    notes = []
    for file, read in (("images.json", _database), ("geo.txt", _geo_file)):
        if (root / file).is_file():
            found = {n: place for n, place in read(root / file).items() if n in set(names)}
            notes.append(f"{file} states the places of {len(found)} of {len(names)} photographs.")
            stated |= found
    places = [stated.get(n) or _own(folder / n) for n in names]
    unknown = places.count(None)
    if unknown:
        notes.append(f"{unknown} of {len(names)} photographs have no place, in the project's files or in their own.")
    if (root / "gcp_list.txt").is_file():
        points = len(read_gcp(root / "gcp_list.txt"))
        notes.append(f"gcp_list.txt has {points} ground control points; they place a map, and no photograph.")
    lat, lon = np.array([place or (np.nan, np.nan) for place in places], np.float64).T
    return LabelledSet(name, Labelled.none(folder), Labelled(folder, names, lat, lon), None, tuple(notes))


def _database(path: Path) -> Places:
    """ODM's own list of photographs: JSON objects with `filename`, `latitude` and `longitude`, or null."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {
            row["filename"]: _on_earth(float(row["latitude"]), float(row["longitude"]))
            for row in rows
            if row.get("latitude") is not None and row.get("longitude") is not None
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{shown(str(path))} is not ODM's list of photographs ({error!r}); remove it.") from error


def _geo_file(path: Path) -> Places:
    """ODM's image geolocation file: a projection, then lines `name x y [z ...]`, x the longitude or the easting."""
    lines = read_lines(path)
    try:
        convert = read_projection(lines[0].strip())
    except (ValueError, IndexError) as error:
        raise UsageError(f"{shown(str(path))} line 1: {error}; name the projection there, as EPSG:4326.") from error
    found = {}
    for number, line in enumerate(lines[1:], 2):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            found[fields[0]] = _on_earth(*convert(*_numbers(fields[1:3])))
        except ValueError as error:
            said = f"{shown(str(path))} line {number}: {error}; give `name x y` in that projection."
            raise UsageError(said) from error
    return found


def _numbers(fields: Sequence[str]) -> tuple[float, float]:
    if len(fields) < 2:
        raise ValueError("no x and y")
    return float(fields[0]), float(fields[1])


def _on_earth(lat: float, lon: float) -> tuple[float, float]:
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
        raise ValueError(f"latitude {lat:g}, longitude {lon:g} is not on the Earth")
    return lat, lon


def _own(path: Path) -> tuple[float, float] | None:
    try:
        position = read_photo(str(path)).position
    except PhotoError:
        return None
    return (position.lat, position.lon) if position else None


READERS = (Reader("odm", "A project folder of OpenDroneMap, its photographs as queries", _HOME, "yours", read_odm),)
