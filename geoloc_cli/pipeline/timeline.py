"""The photographs of an album as the ways of its cameras, in the order of time; what clocks get wrong is noticed.

Two cameras are two ways. A gap longer than the longest that says anything, as of a night, ends a way, and the next
photograph begins another. What EXIF says is doubted where it cannot be:

* most photographs of a camera state one and the same second: a program wrote that, and none of them has a time;
* the clock goes back by more than an hour once or twice while the numbers in the names go on: it was set anew, or to
  another time zone, and the order of the names holds, with a long gap between;
* a photograph without a time stands between those whose names stand about its own; where no photograph of a camera has
  one the order of the names holds, and the gaps are nobody's knowledge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.travel import UNKNOWN_GAP_S
from geoloc_cli.photos.moments import Moment, natural_order

Floats = NDArray[np.float64]

_SET_ANEW_S = 3600.0
# So many photographs at least before a time that most of them share is held against it; a burst is shorter.
_FEW = 4
# Cameras begin again at 1 after 9999: then the later photographs have the lower numbers.
_WRAPS = (100, 9900)


@dataclass(frozen=True, slots=True)
class Way:
    """One outing of one camera: its photos in order; time_s (n,) counts from the first, and never falls.

    stated: (n,), whether a photo's own file says its time, or its place in the order does. `note` is one sentence about
    the clock where it was doubted.
    """

    camera: str | None
    paths: tuple[str, ...]
    time_s: Floats
    stated: NDArray[np.bool_]
    note: str | None = None


def ways(moments: Mapping[str, Moment], max_gap_s: float) -> list[Way]:
    """The ways of all cameras, in the order of their first photos' names; photos of no known camera go by folder."""
    cameras: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(moments, key=natural_order):
        one = moments[path]
        known = (one.camera or "", one.serial or "") if one.camera or one.serial else ("", "", str(Path(path).parent))
        cameras.setdefault(known, []).append(path)
    found = []
    for paths in cameras.values():
        camera = moments[paths[0]].camera
        ordered, time_s, stated, note = _in_time(paths, [moments[path] for path in paths], max_gap_s)
        edges = [0, *(np.flatnonzero(np.diff(time_s) > max_gap_s) + 1).tolist(), len(ordered)]
        for low, high in pairwise(edges):
            part = slice(low, high)
            found.append(Way(camera, tuple(ordered[part]), time_s[part] - time_s[low], stated[part], note))
    return found


def _in_time(
    paths: Sequence[str], moments: Sequence[Moment], max_gap_s: float
) -> tuple[list[str], Floats, NDArray[np.bool_], str | None]:
    """Photos of one camera, given in the order of their names: in that of time, their times, whether these are stated,
    and what is to be said of the clock."""
    seconds, note = _seconds(moments)
    known = [i for i, time in enumerate(seconds) if np.isfinite(time)]
    if not known:
        steps = np.arange(len(paths), dtype=np.float64) * min(UNKNOWN_GAP_S, max_gap_s)
        return list(paths), steps, np.zeros(len(paths), bool), note
    back = [j for j in range(1, len(known)) if seconds[known[j]] < seconds[known[j - 1]] - _SET_ANEW_S]
    if back and len(back) <= 1 + len(known) // 20 and not _wraps([paths[i] for i in known]):
        note = f"its clock goes back {len(back)} time{'s' if len(back) > 1 else ''} while the names go on"
        for j in back:
            ahead = seconds[known[j - 1]] + max_gap_s / 2.0 - seconds[known[j]]
            seconds[known[j:]] += ahead
    order = sorted(known, key=lambda i: (seconds[i], i))
    placed = _placed(seconds, order, max_gap_s)
    whole = sorted(range(len(paths)), key=lambda i: (placed[i], i))
    times = placed[whole]
    return [paths[i] for i in whole], times, np.isfinite(seconds[whole]), note


def _seconds(moments: Sequence[Moment]) -> tuple[Floats, str | None]:
    """Times (n,) on one clock, NaN where there is none: UTC where all say how far they are from it."""
    zoned = all(one.offset_s is not None for one in moments if one.local_s is not None)
    seconds = np.full(len(moments), np.nan)
    for i, one in enumerate(moments):
        if one.local_s is not None:
            seconds[i] = one.local_s - (one.offset_s or 0.0 if zoned else 0.0)
    stated = Counter(seconds[np.isfinite(seconds)].tolist())
    same = max(stated.values(), default=0)
    if same >= _FEW and 2 * same > len(moments):
        return np.full(len(moments), np.nan), f"{same} of its {len(moments)} photographs state the same second"
    return seconds, None


def _placed(seconds: Floats, order: Sequence[int], max_gap_s: float) -> Floats:
    """The times with those of the photographs between filled in, by the order of the names."""
    placed = seconds.copy()
    rank = {i: j for j, i in enumerate(order)}
    missing = np.flatnonzero(~np.isfinite(seconds))
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    for run in (run for run in runs if len(run)):
        before = int(run[0]) - 1
        if before < 0:
            step = min(UNKNOWN_GAP_S, max_gap_s)
            placed[run] = seconds[order[0]] - step * np.arange(len(run), 0, -1)
            continue
        after = rank[before] + 1
        step = min(UNKNOWN_GAP_S, max_gap_s)
        if after < len(order):
            step = min(step, (seconds[order[after]] - seconds[before]) / (len(run) + 1))
        placed[run] = seconds[before] + step * np.arange(1, len(run) + 1)
    return placed


def _wraps(paths: Sequence[str]) -> bool:
    numbers = [part for path in paths for part, _ in natural_order(path)[0] if part >= 0]
    return bool(numbers) and min(numbers) <= _WRAPS[0] and max(numbers) % 10000 >= _WRAPS[1]
