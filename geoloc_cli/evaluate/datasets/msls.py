"""Mapillary Street-Level Sequences: cities over the world, of which Copenhagen and San Francisco are the validation.

As published, `train_val/CITY/{query,database}/` with `images/KEY.jpg` and tables that go by rows: `raw.csv` (key, lon,
lat, ca, captured_at, pano), `postprocessed.csv` (key, easting, northing, ...) and `subtask_index.csv` (all, ...). Seen
in mapillary/mapillary_sls (README, mapillary_sls/datasets/msls.py, evaluate.py): panoramas are left out, and right is
what is at most 25 m away. Also read as VPR-datasets-downloader forms it, with places in file names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.cells import numbers, read_cells
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Reader, Rule
from geoloc_cli.evaluate.datasets.lookup import missing
from geoloc_cli.evaluate.datasets.vpr import Folders
from geoloc_cli.photos.opening import shown

HOME = "https://www.mapillary.com/dataset/places"
_VALIDATION = ("cph", "sf")


def read_msls(name: str, root: Path) -> LabelledSet:
    """The validation cities that are there; the truth of the test cities is not published."""
    if (root / "val").is_dir() or (root / "images" / "val").is_dir():
        return Folders(HOME, splits=("val/", "images/val/")).read(name, root)
    cities = [city for city in _VALIDATION if (root / "train_val" / city).is_dir()]
    if not cities:
        raise missing(name, root, ("train_val/cph", "train_val/sf"), HOME, "the tables and pictures of a city")
    absent = [city for city in _VALIDATION if city not in cities]
    notes = tuple(f"train_val/{city} is not there; the published validation has both cities." for city in absent)
    references, queries = (_photos(name, root, cities, side) for side in ("database", "query"))
    return LabelledSet(name, references, queries, Rule(25.0), notes)


def _photos(name: str, root: Path, cities: list[str], side: str) -> Labelled:
    names: list[str] = []
    groups: list[str] = []
    places = []
    for city in cities:
        folder = root / "train_val" / city / side
        for table in ("raw.csv", "postprocessed.csv"):
            if not (folder / table).is_file():
                raise missing(name, root, (f"train_val/{city}/{side}/{table}",), HOME, "where its photographs are")
        keys, lat, lon, pano = read_cells(folder / "raw.csv", "key", "lat", "lon", "pano")
        again, east, north = read_cells(folder / "postprocessed.csv", "key", "easting", "northing")
        if keys != again:
            raise UsageError(f"raw.csv and postprocessed.csv in {shown(str(folder))} have different keys; unpack both.")
        kept = np.array([cell != "True" for cell in pano])
        if (folder / "subtask_index.csv").is_file():
            (chosen,) = read_cells(folder / "subtask_index.csv", "all")
            if len(chosen) != len(keys):
                raise UsageError(f"subtask_index.csv in {shown(str(folder))} is not as long as raw.csv; unpack both.")
            kept &= np.array([cell == "True" for cell in chosen])
        rows = np.flatnonzero(kept).tolist()
        names += [f"{city}/{side}/images/{keys[row]}.jpg" for row in rows]
        groups += [city] * len(rows)
        places.append(np.stack([numbers(column) for column in (lat, lon, east, north)], axis=1)[kept])
    lat_, lon_, *plane = np.concatenate(places).T
    return Labelled(root / "train_val", names, lat_, lon_, plane=np.stack(plane, axis=1), groups=groups)


READERS = (
    Reader("msls", "Mapillary Street-Level Sequences, validation", HOME, "Mapillary's, after registration", read_msls),
)
