"""The photographs that a run got most wrong, and what its file says of how it came to that."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH113, PTH118, PTH119

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoloc_cli.evaluate.report.entry import Placed
from geoloc_cli.evaluate.sheets import Cell, Sheet, length
from geoloc_cli.geo.earth import haversine_m

MOST = 20
_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A photograph, how far off it is, and why as far as the file tells; `file` is its picture where it was found."""

    photo: str
    error: str
    why: tuple[tuple[str, str], ...]
    file: str | None


def worst(run: Placed, folders: Sequence[str] = (), most: int = MOST) -> list[Case]:
    """The answered photographs with the largest errors, the worst first."""
    answered = np.flatnonzero(~np.isnan(run.errors_m))
    order = answered[np.argsort(-run.errors_m[answered], kind="stable")][:most]
    return [_case(run, row, folders) for row in order.tolist()]


def _case(run: Placed, row: int, folders: Sequence[str]) -> Case:
    joined, own = run.joined, int(run.joined.row[row])
    lat, lon = joined.predictions.lat[own], joined.predictions.lon[own]
    why = [("truth", _place(joined.truth.lat[row], joined.truth.lon[row])), ("guess", _place(lat, lon))]
    for name, texts in (("stage", run.stages), ("reason", run.reasons)):
        if texts and texts[row]:
            why.append((name, str(texts[row])))
    if not np.isnan(run.confidence[row]):
        why.append(("confidence", f"{run.confidence[row]:.2f}"))
    if not np.isnan(run.radius_m[row]):
        why.append(("radius", length(float(run.radius_m[row]))))
    why += _candidates(run, row, own)
    if run.rationales and run.rationales[row]:
        why.append(("rationale", " ".join(str(run.rationales[row]).split())))
    error = length(float(run.errors_m[row]))
    return Case(run.photos[row], error, tuple(why), find(joined.predictions.photos[own], run.photos[row], folders))


def _candidates(run: Placed, row: int, own: int) -> list[tuple[str, str]]:
    """The best candidates with their distances from the truth, and the rank of the nearest."""
    found = run.joined.predictions.candidates
    if found is None or found.start[own] == found.start[own + 1]:
        return []
    start, end = int(found.start[own]), int(found.start[own + 1])
    truth = run.joined.truth
    away = haversine_m(found.lat[start:end], found.lon[start:end], truth.lat[row], truth.lon[row])
    listed = [
        f"{os.path.basename(found.photos[start + nth])} ({length(float(away[nth]))} from the truth)"
        for nth in range(min(_CANDIDATES, end - start))
    ]
    more = f" of {end - start}" if end - start > len(listed) else ""
    said = [(f"first {len(listed)}{more} candidates" if len(listed) > 1 else "candidate", ", ".join(listed))]
    if not np.all(np.isnan(away)):
        nearest = int(np.nanargmin(away))
        said.append(("nearest candidate", f"rank {nearest + 1}, {length(float(away[nearest]))} from the truth"))
    return said


def find(name: str, other: str, folders: Sequence[str]) -> str | None:
    """The picture of a photograph, as either file names it: from here, or from one of the folders. Files alone."""
    for folder in ("", *folders):
        for one in (name, other):
            path = os.path.join(folder, one)
            if os.path.isfile(path):
                return path
    return None


def _place(lat: float, lon: float) -> str:
    return f"{lat:.5f}, {lon:.5f}"


def listed(cases: Sequence[Case]) -> Sheet:
    """The worst as a table, for formats without pictures."""
    rows = []
    for case in cases:
        why = "; ".join(f"{name}: {text}" for name, text in case.why)
        rows.append(((case.photo,), (Cell(case.error), Cell(why))))
    return Sheet("The worst", ("photo",), ("error", "why"), tuple(rows))
