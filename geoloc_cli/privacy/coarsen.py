"""Whole answers told less finely: the one place through which whatever leaves the program goes.

What is told is made anew from what is known to be harmless at a level, and nothing else of an answer is carried over:
a field that is added to `Fix` one day stays untold until it is allowed here.

Of an answer at `street` to `country` these are told: the photo's name (`names.py`), whether and by which stage it was
located, the confidence in the answer as it was before (two digits), the middle of its cell and a radius that holds
every place of the cell, the belief and the priors' places by their cells. Not told: altitude, pose, candidates, what
was searched, times, the file's hash, by which whoever has it would know the photo, priors' reasons and details, and
sentences of errors. At `none` its name and status are told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Literal

from geoloc_cli.builtin import BUILTIN
from geoloc_cli.geo.cells import beside
from geoloc_cli.privacy.levels import GRIDS, Grid, coarsest, step_of
from geoloc_cli.privacy.names import without_coordinates
from geoloc_cli.records import from_record, to_record
from geoloc_cli.types import Belief, Component, Context, Disclosed, Failure, Fix, Level, PriorGuess

REASONS = frozenset(
    ("not_in_index", "too_few_matches", "prior_disagrees", "not_georeferenced", "nothing_known", "off_the_track")
)
"""Why a photo has no place, or not its own; those of poses go with the poses."""
WITHHELD = "withheld"
"""The reason of an answer that was located, and of whose place nothing is told."""
_PRIORS = frozenset(backend.name for backend in BUILTIN if backend.kind == "prior")
_CODE = re.compile(r"[a-z_]{1,32}")
# Shares are told in billionths: whole numbers add up to the same whichever way round, and so however often coarsened.
_WHOLE = 1_000_000_000


def disclose(
    answer: Fix | Failure,
    level: Level,
    by: Literal["option", "policy"] = "option",
    contexts: tuple[Context, ...] | None = None,
) -> Fix | Failure:
    """The answer at a level, or at its own where that is coarser: what was coarsened once is never refined.

    by, contexts: as `Disclosed` has them. An answer at `exact` is returned as it is.
    """
    if isinstance(answer, Failure):
        return answer if level == "exact" else _failure(answer)
    had = answer.disclosed
    was: Level = had.level if had else "exact"
    wanted = coarsest(level, was)
    if wanted == "exact":
        return answer
    if had and wanted == was:
        note = had
    else:
        note = Disclosed(wanted, by, contexts if contexts is not None or had is None else had.contexts)
    grid = GRIDS.get(wanted)
    return _at_cells(answer, grid, was, note) if grid else _withheld(answer, note)


def disclosed_record(record: dict[str, Any], level: Level) -> dict[str, Any]:
    """The same of a record as `records.to_record` makes them. Raises UsageError where it is none."""
    return to_record(disclose(from_record(record), level))


def _failure(answer: Failure) -> Failure:
    code = answer.code if _CODE.fullmatch(answer.code) else "photo_error"
    return Failure(without_coordinates(answer.photo), code, f"{code.replace('_', ' ')} (more is withheld)")


def _withheld(fix: Fix, note: Disclosed) -> Fix:
    return Fix(
        photo=without_coordinates(fix.photo),
        status=fix.status,
        stage=None,
        lat=None,
        lon=None,
        alt_m=None,
        radius_m=None,
        confidence=0.0,
        belief=Belief(),
        reason=WITHHELD if fix.status == "ok" else None,
        disclosed=note,
    )


def _at_cells(fix: Fix, grid: Grid, was: Level, note: Disclosed) -> Fix:
    told = _Told(fix, grid, was)
    lat, lon = told.place(fix.lat, fix.lon)
    return Fix(
        photo=without_coordinates(fix.photo),
        status=fix.status,
        stage=fix.stage,
        lat=lat,
        lon=lon,
        alt_m=None,
        radius_m=None if lat is None else told.radius_m(fix.radius_m),
        confidence=round(fix.confidence, 2),
        belief=told.belief(fix),
        reason=fix.reason if fix.reason in REASONS else None,
        priors=tuple(map(told.guess, fix.priors)),
        disclosed=note,
    )


class _Told:
    """What is told of places beside an answer's own.

    Those in the answer's cell and in the cells about it are told as in the answer's: shares and priors on either side
    of an edge would say how near to it the place is.
    """

    def __init__(self, fix: Fix, grid: Grid, was: Level) -> None:
        self._grid, self._was = grid, was
        placed = fix.lat is not None and fix.lon is not None
        self._own = grid.cell_of(fix.lat, fix.lon) if placed else None  # type: ignore[arg-type]
        self._near = frozenset[int]() if self._own is None else beside(self._own)

    def cell(self, lat: float, lon: float) -> int:
        found = self._grid.cell_of(lat, lon)
        return self._own if self._own is not None and found in self._near else found

    def place(self, lat: float | None, lon: float | None) -> tuple[float | None, float | None]:
        if lat is None or lon is None:
            return None, None
        return self._grid.middle_of(self.cell(lat, lon))

    def radius_m(self, radius_m: float | None) -> float:
        return self._grid.radius_m(step_of(radius_m, self._was))

    def guess(self, guess: PriorGuess) -> PriorGuess:
        lat, lon = self.place(guess.lat, guess.lon)
        name = guess.name if guess.name in _PRIORS else "prior"
        return PriorGuess(name, lat, lon, None if lat is None else self.radius_m(guess.radius_m))

    def belief(self, fix: Fix) -> Belief:
        """The components of each cell as one, as wide as the widest; the heaviest first."""
        parts: dict[int, int] = defaultdict(int)
        radii: dict[int, float] = defaultdict(float)
        if self._own is not None:
            radii[self._own] = self.radius_m(fix.radius_m)
        for component, part in zip(fix.belief.components, _parts(fix.belief), strict=True):
            if part:
                cell = self.cell(component.lat, component.lon)
                parts[cell] += part
                radii[cell] = max(radii[cell], self.radius_m(component.radius_m))
        ranked = sorted(parts, key=lambda cell: (-parts[cell], cell))
        components = [Component(*self._grid.middle_of(cell), radii[cell], parts[cell] / _WHOLE) for cell in ranked]
        return Belief(tuple(components), (_WHOLE - sum(parts.values())) / _WHOLE)


def _parts(belief: Belief) -> list[int]:
    """The components' shares in billionths; where rounding has made them more than one, the heaviest gives way."""
    parts = [round(component.weight * _WHOLE) for component in belief.components]
    if parts:
        parts[parts.index(max(parts))] -= max(0, sum(parts) - _WHOLE)
    return parts
