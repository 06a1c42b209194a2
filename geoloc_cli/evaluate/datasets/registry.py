"""The data sets by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets import msls, planet, vpr
from geoloc_cli.evaluate.datasets.labelled import LabelledSet, Reader
from geoloc_cli.photos.opening import shown

READERS: dict[str, Reader] = {reader.name: reader for module in (planet, vpr, msls) for reader in module.READERS}


def read_dataset(name: str, root: str) -> LabelledSet:
    """The set of this name (letter case, blanks, dots and hyphens do not count) under `root`.

    Raises UsageError in one sentence: no such set, a file that is missing or is not the set's.
    """
    plain = {_plain(known): known for known in READERS}
    known = plain.get(_plain(name))
    if known is None:
        near = difflib.get_close_matches(_plain(name), plain, 1)
        meant = f" (did you mean {plain[near[0]]}?)" if near else ""
        raise UsageError(f"There is no data set '{shown(name)}'{meant}; there are {', '.join(READERS)}.")
    return READERS[known].read(known, Path(root))


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
