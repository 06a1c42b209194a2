"""Photographs from anywhere on Earth, each with a latitude and a longitude: IM2GPS and its kind, and MP-16.

Most were published as lists of Flickr photographs, and their tables are copied from one project to the next: the same
set goes by several names of files, all of which are looked for. Seen in TIBHannover/GeoEstimation (README and meta/),
gastruc/osv5m (data/data.py), VicenteVivan/geo-clip, lugiavn/revisiting-im2gps and projects that use them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.cells import numbers
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Reader
from geoloc_cli.evaluate.datasets.lookup import first_of, read_lines
from geoloc_cli.evaluate.numbers import NumberColumn
from geoloc_cli.evaluate.predictions import as_names
from geoloc_cli.evaluate.tables import columns_of, open_table
from geoloc_cli.photos.opening import shown

Floats = NDArray[np.float64]

# So many of a table's photographs, evenly spread, are looked for on disk: Flickr has lost some of all.
_PROBES = 200
# A third of the world's photographs are more than 90 degrees from Greenwich; a slip of the pen is one row.
_SWAPPED_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Places:
    """Where a set of places lies: its tables and its folders of pictures, best first.

    `parts`: the pictures are in folders within the folder. `gallery`: the set is searched in, and holds no queries.
    """

    tables: tuple[str, ...]
    pictures: tuple[str, ...]
    home: str
    parts: bool = False
    gallery: bool = False

    def read(self, name: str, root: Path) -> LabelledSet:
        table = first_of(name, root, self.tables, self.home, "the photographs' places")
        ids, lat, lon = _table(table)
        notes = []
        if np.mean(np.abs(lat) > 90.0) > _SWAPPED_SHARE and not (np.abs(lon) > 90.0).any():
            lat, lon = lon, lat
            notes.append(f"{table.name} calls its latitudes longitudes and the reverse; they were swapped back.")
        wrong = ~(np.abs(lat) <= 90.0) | ~(np.abs(lon) <= 180.0)
        if wrong.any():
            lat, lon = np.where(wrong, np.nan, lat), np.where(wrong, np.nan, lon)
            notes.append(f"{int(wrong.sum())} of {len(ids)} photographs in {table.name} have no place on the Earth.")
        folder, names = self._on_disk(root, ids)
        if names is None:
            notes.append(f"No picture of {table.name} was found under {shown(str(root))}; predictions can be scored.")
        photos = Labelled(folder, names or ids, lat, lon, ids if names and names != ids else None)
        nobody = Labelled.none(folder)
        references, queries = (photos, nobody) if self.gallery else (nobody, photos)
        return LabelledSet(name, references, queries, None, tuple(notes))

    def _on_disk(self, root: Path, ids: list[str]) -> tuple[Path, list[str] | None]:
        """The folder that holds the pictures, and their names in it; None where none of those looked for is there.

        A name may lack its suffix, and MP-16's `3f/a0/1.jpg` is `3f_a0_1.jpg` where GeoEstimation's script fetched it.
        """
        probes = ids[:: max(1, len(ids) // _PROBES)]
        for folder in (root / name for name in self.pictures if (root / name).is_dir()):
            if self.parts:
                parts = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
                part_of = {entry.name: part for part in parts for entry in os.scandir(folder / part)}
                names = [f"{i}.jpg" for i in ids]
                if any(name in part_of for name in names):
                    return folder, [f"{part_of[name]}/{name}" if name in part_of else name for name in names]
            for flat in (False, True):
                for suffix in ("", ".jpg"):
                    if any((folder / _file_name(i, flat, suffix)).is_file() for i in probes):
                        return folder, [_file_name(i, flat, suffix) for i in ids]
        return root, None


def _table(path: Path) -> tuple[list[str], Floats, Floats]:
    if path.suffix == ".json":
        return _flickr_comments(path)
    if path.suffix == ".txt":
        return _yfcc100m(path)
    ids: list[str] = []
    places = NumberColumn(), NumberColumn()
    with open_table(str(path)) as table:
        # GeoCLIP's tables call the photographs so.
        named = {"photo": "IMG_FILE"} if "IMG_FILE" in table.header else {}
        found = columns_of(str(path), table, "truth", named, ("photo", "lat", "lon"), ())
        for names, *cells in table.blocks([found["photo"], found["lat"], found["lon"]]):
            ids.extend(as_names(names))
            for column, block in zip(places, cells, strict=True):
                column.add(block)
    lat, lon = (column.done()[0] for column in places)
    return ids, lat, lon


def _flickr_comments(path: Path) -> tuple[list[str], Floats, Floats]:
    """`{"a.jpg": [..., "latitude: 1.5", "longitude: 2.5", ...]}`: the comments that IM2GPS wrote into its JPEGs."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        rows = [(name, _stated(lines, "latitude:"), _stated(lines, "longitude:")) for name, lines in said.items()]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{shown(str(path))} is not the list of comments of IM2GPS ({error}).") from error
    return _across([row for row in rows if row[1] and row[2]])


def _file_name(name: str, flat: bool, suffix: str) -> str:
    return f"{name.replace('/', '_') if flat else name}{suffix}"


def _stated(lines: Sequence[str], key: str) -> str:
    return next((line.partition(":")[2] for line in lines if line.startswith(key)), "")


def _yfcc100m(path: Path) -> tuple[list[str], Floats, Floats]:
    """Lines of YFCC100M's own table, tab-separated: column 2 is the photograph, 13 the longitude, 14 the latitude."""
    fields = [line.split("\t") for line in read_lines(path) if line]
    if not fields or min(map(len, fields)) < 14:
        raise UsageError(f"{shown(str(path))} is no table of YFCC100M, which has 14 columns and more; fetch it again.")
    return _across([(row[1], row[13], row[12]) for row in fields])


def _across(rows: Sequence[tuple[str, Any, Any]]) -> tuple[list[str], Floats, Floats]:
    return [row[0] for row in rows], numbers([row[1] for row in rows]), numbers([row[2] for row in rows])


_VO = "https://github.com/lugiavn/revisiting-im2gps"
_TIB = "https://github.com/TIBHannover/GeoEstimation"
_FLICKR = "its photographs are of Flickr's users, each under its own terms; we saw none stated for the set"

IM2GPS = Places(
    ("im2gps_places365.csv", "im2gps.csv", "info.json"),
    ("im2gps", "images", "gps_query_imgs", "."),
    f"http://graphics.cs.cmu.edu/projects/im2gps/ (its table at {_TIB}, meta/)",
)
IM2GPS3K = Places(
    ("im2gps3k_places365.csv", "im2gps3k.csv", "info.json"),
    ("im2gps3ktest", "im2gps3k", "images", "."),
    f"{_VO} (its table at {_TIB}, meta/)",
)
YFCC4K = Places(("yfcc4k_places365.csv", "yfcc4k.csv", "info.txt"), ("yfcc4k", "images", "."), _VO)
YFCC26K = Places(
    ("yfcc25600_places365.csv", "yfcc26k.csv"), ("yfcc25600", "images/yfcc25600", "images", "."), f"{_TIB}/releases"
)
GWS15K = Places(
    ("gws15k.csv", "meta.jsonl"),
    ("images", "gws15k", "."),
    "no address that we know (its authors have released no files; a copy of your own will do)",
)
OSV5M = Places(
    ("test.csv", "osv5m/test.csv"), ("images/test", "test"), "https://huggingface.co/datasets/osv5m/osv5m", parts=True
)
MP16 = Places(
    ("mp16_places365.csv", "MP16_Pro_places365.csv", "MP16_Pro_filtered.csv", "metadata/MP16_Pro_filtered.csv"),
    ("mp16", "images/mp16", "images", "."),
    f"{_TIB}/releases",
    gallery=True,
)

READERS = (
    Reader("im2gps", "237 photographs of Flickr, places known", IM2GPS.home, _FLICKR, IM2GPS.read),
    Reader("im2gps3k", "3000 photographs of Flickr (2997 in use), places known", IM2GPS3K.home, _FLICKR, IM2GPS3K.read),
    Reader("yfcc4k", "4536 photographs of YFCC100M, places known", YFCC4K.home, _FLICKR, YFCC4K.read),
    Reader("yfcc26k", "25600 photographs of YFCC100M, places known", YFCC26K.home, _FLICKR, YFCC26K.read),
    Reader("gws15k", "15000 street views over the whole Earth", GWS15K.home, "not released", GWS15K.read),
    Reader("osv5m", "210 thousand street views of OpenStreetView-5M's test", OSV5M.home, "CC BY-SA 4.0", OSV5M.read),
    Reader("mp16", "4.7 million photographs of Flickr, a gallery to search in", MP16.home, _FLICKR, MP16.read),
)
