"""The data sets by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets import anything, indoor, mapfree, msls, odm, outdoor, planet, vpr
from geoloc_cli.evaluate.datasets.labelled import LabelledSet, Reader
from geoloc_cli.photos.opening import shown

_FAMILIES = (planet, vpr, msls, indoor, outdoor, mapfree, odm, anything)
READERS: dict[str, Reader] = {reader.name: reader for family in _FAMILIES for reader in family.READERS}


def read_dataset(name: str, root: str) -> LabelledSet:
    """The set of this name under `root`; UsageError in one sentence where there is none, or where a file is missing."""
    reader = find_reader(name)
    return reader.read(reader.name, Path(root))


def find_reader(name: str) -> Reader:
    """The reader of this name (letter case, blanks, dots, slashes and hyphens do not count), or a UsageError."""
    plain = {_plain(known): known for known in READERS}
    known = plain.get(_plain(name))
    if known is None:
        near = difflib.get_close_matches(_plain(name), plain, 1)
        meant = f" (did you mean {plain[near[0]]}?)" if near else ""
        raise UsageError(f"There is no data set '{shown(name)}'{meant}; there are {', '.join(READERS)}.")
    return READERS[known]


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
