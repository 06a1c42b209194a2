"""Sets of visual place recognition in the form that its benchmarks share: a database, queries, places in file names.

Seen in gmberton/VPR-datasets-downloader (README, format_*.py, download_*.py), gmberton/VPR-methods-evaluation
(test_dataset.py: right is what is at most 25 m away by easting and northing) and the README of SF-XL. What the authors
of Pittsburgh and Tokyo 24/7 hand out themselves (MATLAB files) is brought into this form by that downloader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Reader, Rule
from geoloc_cli.evaluate.datasets.lookup import first_of, missing, pictures_below, pictures_in, read_lines
from geoloc_cli.evaluate.datasets.utm_names import NamedPlaces, read_names
from geoloc_cli.photos.opening import shown

_SPLITS = ("images/test/", "test/", "")
_RULE = Rule(25.0)
_DOWNLOADER = "https://github.com/gmberton/VPR-datasets-downloader"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a set's database and queries lie, under each of the splits' folders, best first."""

    home: str
    queries: str = "queries"
    splits: tuple[str, ...] = _SPLITS

    def read(self, name: str, root: Path) -> LabelledSet:
        places = [f"{split}{folder}" for split in self.splits for folder in ("database", "gallery")]
        database = first_of(name, root, places, self.home, "the folder of references")
        wanted = [(database.relative_to(root).parent / self.queries).as_posix()]
        queries = first_of(name, root, wanted, self.home, "the folder of queries")
        return read_folders(name, database, queries, _RULE)


def read_folders(name: str, database: Path, queries: Path, rule: Rule) -> LabelledSet:
    """The set of two folders of pictures whose names carry their places."""
    sides = [(folder, pictures_below(folder)) for folder in (database, queries)]
    for folder, names in sides:
        if not names:
            raise UsageError(f"{shown(str(folder))} holds no picture; {name} needs its database and its queries.")
    read = [read_names(str(folder), names) for folder, names in sides]
    zones = {zone for side in read for zone in side.zones}
    notes = [note for side in read for note in side.notes]
    if len(zones) > 1:
        notes.append(f"Its places are in {len(zones)} zones of UTM; their distances were taken over the Earth.")
    references, asked = (
        _labelled(folder, names, side, in_plane=len(zones) == 1)
        for (folder, names), side in zip(sides, read, strict=True)
    )
    return LabelledSet(name, references, asked, rule, tuple(notes))


def _labelled(folder: Path, names: list[str], places: NamedPlaces, *, in_plane: bool) -> Labelled:
    return Labelled(folder, names, places.lat, places.lon, plane=places.plane if in_plane else None)


def read_nordland(name: str, root: Path) -> LabelledSet:
    """Nordland: summer to search in, winter as queries; right is what is at most ten frames away.

    Either as the downloader forms it, with eastings of 0 and northings of 2.38 m a frame, so that ten frames are less
    than 25 m, or as published: `summer/*.png`, `winter/*.png`, and `cleanImageNames.txt` with the frames to be used.
    """
    if (root / "images").is_dir() or (root / "test").is_dir():
        return Folders(_DOWNLOADER).read(name, root)
    raw = root / "raw_data" if (root / "raw_data").is_dir() else root
    if not (raw / "summer").is_dir() or not (raw / "winter").is_dir():
        raise missing(name, root, ("images/test/database", "summer and winter"), _DOWNLOADER, "its pictures")
    seasons = {season: pictures_in(raw / season) for season in ("summer", "winter")}
    both = set(seasons["summer"]) & set(seasons["winter"])
    listed = raw / "cleanImageNames.txt"
    if listed.is_file():
        both &= {line.strip() for line in read_lines(listed)}
    notes = () if listed.is_file() else ("It has no cleanImageNames.txt; all frames were taken, not the usual part.",)
    frames = sorted(both)
    if not frames:
        raise UsageError(f"{shown(str(raw))} has no frame of the same name in summer and in winter; fetch it again.")
    nowhere = np.full(len(frames), np.nan)
    plane = np.stack([np.zeros(len(frames)), np.arange(len(frames), dtype=np.float64)], axis=1)
    references, queries = (Labelled(raw / s, frames, nowhere, nowhere, plane=plane) for s in ("summer", "winter"))
    return LabelledSet(name, references, queries, Rule(10.0, "frames"), notes)


_ASKED = "handed out by its authors on request"
_UNSEEN = "its page states them; we saw none"
_SFXL = "https://github.com/gmberton/CosPlace (a form leads to it)"
_SFXL_SPLITS = ("processed/test/", "small/test/", *_SPLITS)


def _sfxl(name: str, what: str, queries: str) -> Reader:
    return Reader(name, f"San Francisco, SF-XL: {what}", _SFXL, _UNSEEN, Folders(_SFXL, queries, _SFXL_SPLITS).read)


READERS = (
    Reader("pitts30k", "Street views of Pittsburgh", _DOWNLOADER, _ASKED, Folders(_DOWNLOADER).read),
    Reader("pitts250k", "Street views of Pittsburgh, more of them", _DOWNLOADER, _ASKED, Folders(_DOWNLOADER).read),
    Reader("tokyo247", "Tokyo 24/7, street views by day and night", _DOWNLOADER, _ASKED, Folders(_DOWNLOADER).read),
    _sfxl("sfxl", "queries v1", "queries_v1"),
    _sfxl("sfxl-v2", "queries v2", "queries_v2"),
    _sfxl("sfxl-night", "queries by night", "queries_night"),
    _sfxl("sfxl-occlusion", "queries with things in the way", "queries_occlusion"),
    Reader("nordland", "A railway in summer and in winter, by frames", _DOWNLOADER, _UNSEEN, read_nordland),
    Reader("stlucia", "A suburb of Brisbane by car, twice", _DOWNLOADER, _UNSEEN, Folders(_DOWNLOADER).read),
    Reader("eynsham", "Roads about Oxford by car, twice, in grey", _DOWNLOADER, _UNSEEN, Folders(_DOWNLOADER).read),
)
