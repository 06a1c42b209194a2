"""Predictions matched with the truth by the photographs' names, and what is left over on either side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.opening import shown

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WAYS = ("name", "path", "file name", "stem", "case")
"""How names were matched, from the strictest on: letter by letter; as the end of the other's path; without folders;
without the suffix, too; without regard to letter case."""

_NO_ROW, _SEVERAL = -1, -2


@dataclass(frozen=True, slots=True)
class Joined:
    """T true places and what was predicted of each.

    `row` (T,) is the row of a truth's prediction, -1 where there is none, and `way` (T,) how it was found, in `WAYS`.
    `extra` are the rows of predictions of which the truth knows nothing, `repeated` those whose name came before (the
    first counts), and `ambiguous` those whose name would fit several truths, or shares the one it fits.
    """

    predictions: Predictions
    truth: Truth
    row: Ints
    way: Ints
    extra: Ints
    repeated: Ints
    ambiguous: Ints

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def missing(self) -> Ints:
        """The truths without a prediction, which count as wrong."""
        return np.flatnonzero(self.row == _NO_ROW)

    @property
    def matched(self) -> dict[str, int]:
        """How many were found in each way, those ways left out in which none was."""
        counts = {way: int(np.count_nonzero(self.way == number)) for number, way in enumerate(WAYS)}
        return {way: count for way, count in counts.items() if count}

    def of_truth(self, column: Floats) -> Floats:
        """A column of the predictions (N,) in the truth's order (T,), NaN where there is no prediction."""
        found = self.row != _NO_ROW
        return np.where(found, column[np.where(found, self.row, 0)], np.nan)

    def places(self) -> tuple[Floats, Floats]:
        """Predicted latitudes and longitudes (T,); both NaN where there is no answer, or none on the Earth."""
        lat, lon = self.of_truth(self.predictions.lat), self.of_truth(self.predictions.lon)
        on_earth = (np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0)
        return np.where(on_earth, lat, np.nan), np.where(on_earth, lon, np.nan)

    def errors_m(self) -> Floats:
        """Great-circle distances (T,) from answer to truth in metres; NaN where there is no answer on the Earth."""
        lat, lon = self.places()
        return haversine_m(lat, lon, self.truth.lat, self.truth.lon)


def join(predictions: Predictions, truth: Truth) -> Joined:
    """Each truth with the prediction of its name.

    Names that are the same letter by letter come first. What is left on both sides is compared in ever looser ways
    (`WAYS`), and counts only where it is one name on each side: what fits two fits none. Raises UsageError where
    nothing matches.
    """
    photos = predictions.photos
    first = dict(zip(reversed(photos), range(len(photos) - 1, -1, -1), strict=True))
    row = np.fromiter(map(first.get, truth.photos, repeat(_NO_ROW)), np.int64, len(truth))
    found_by = np.where(row != _NO_ROW, 0, _NO_ROW)
    repeated = _repeated(photos, first)
    used = np.zeros(len(photos), bool)
    used[row[row != _NO_ROW]] = True
    used[repeated] = True
    if "" in first:
        used[[index for index, name in enumerate(photos) if not name]] = True
    ambiguous: set[int] = set()
    for number, way in enumerate(WAYS[1:], 1):
        left, open_truths = np.flatnonzero(~used).tolist(), np.flatnonzero(row == _NO_ROW).tolist()
        if not left or not open_truths:
            break
        pairs, unsure = _loosely(way, photos, left, truth.photos, open_truths)
        for here, there in pairs:
            row[there], found_by[there] = here, number
            used[here] = True
        ambiguous |= unsure
    ambiguous -= set(row.tolist())
    if np.all(row == _NO_ROW):
        raise UsageError(
            f"No photograph of {shown(predictions.path)} ({_examples(photos)}) is named in {shown(truth.path)} "
            f"({_examples(truth.photos)}); name the columns that hold the same names, as in --columns photo=NAME "
            "--columns truth.photo=NAME."
        )
    used[list(ambiguous)] = True
    return Joined(
        predictions,
        truth,
        row,
        found_by,
        extra=np.flatnonzero(~used),
        repeated=repeated,
        ambiguous=np.array(sorted(ambiguous), np.int64),
    )


def _repeated(photos: Sequence[str], first: Mapping[str, int]) -> Ints:
    if len(first) == len(photos):
        return np.empty(0, np.int64)
    return np.array([index for index, name in enumerate(photos) if name and first[name] != index], np.int64)


def _loosely(
    way: str, photos: Sequence[str], left: Sequence[int], names: Sequence[str], open_truths: Sequence[int]
) -> tuple[list[tuple[int, int]], set[int]]:
    """Pairs of a prediction and a truth that fit one another alone, and the predictions that fit more or not alone."""
    if way == "path":
        return _by_path(photos, left, names, open_truths)
    key = _KEYS[way]
    truths = _rows_by(key, names, open_truths)
    pairs, unsure = [], set()
    for text, here in _rows_by(key, photos, left).items():
        there = truths.get(text, [])
        if len(here) == len(there) == 1:
            pairs.append((here[0], there[0]))
        elif there:
            unsure.update(here)
    return pairs, unsure


def _by_path(
    photos: Sequence[str], left: Sequence[int], names: Sequence[str], open_truths: Sequence[int]
) -> tuple[list[tuple[int, int]], set[int]]:
    """Names of which one is the end of the other, in whole folders; of several the longest counts."""
    whole: dict[str, int] = {}
    ends: dict[str, int] = {}
    for there in open_truths:
        name, *shorter = _ends(names[there])
        whole[name] = _SEVERAL if name in whole else there
        for end in shorter:
            ends[end] = _SEVERAL if end in ends else there
    best: dict[int, list[int]] = {}
    unsure = set()
    for here in left:
        name, *shorter = _ends(photos[here])
        fits = [whole.get(name), ends.get(name), *(whole.get(end) for end in shorter)]
        fit = next((row for row in fits if row is not None), None)
        if fit == _SEVERAL:
            unsure.add(here)
        elif fit is not None:
            best.setdefault(fit, []).append(here)
    pairs = [(rows[0], there) for there, rows in best.items() if len(rows) == 1]
    unsure.update(row for rows in best.values() if len(rows) > 1 for row in rows)
    return pairs, unsure


def _rows_by(key: Callable[[str], str], names: Sequence[str], rows: Iterable[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(key(names[row]), []).append(row)
    return found


def _parts(name: str) -> list[str]:
    """Folders and file name, by either kind of separator; `.` and doubled separators do not count."""
    return [part for part in re.split(r"[\\/]+", name.strip()) if part not in ("", ".")] or [""]


def _ends(name: str) -> list[str]:
    """The name itself, then without its outermost folder, and so on to the file name."""
    parts = _parts(name)
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _file_name(name: str) -> str:
    return _parts(name)[-1]


def _stem(name: str) -> str:
    """The file name without its suffix, which has a letter in it: `12.5` is no `12` with the suffix `5`."""
    return re.sub(r"\.(?=\w*[A-Za-z])\w{1,5}$", "", _file_name(name))


def _folded(name: str) -> str:
    return _stem(name).casefold()


_KEYS: dict[str, Callable[[str], str]] = {"file name": _file_name, "stem": _stem, "case": _folded}


def _examples(names: Sequence[str]) -> str:
    some = [name for name, _ in Counter(names[:1000]).most_common(2)]
    return ", ".join(shown(name) or "''" for name in some) + (", ..." if len(names) > len(some) else "")
