"""Which ground control points a map is adjusted to: all, less those that contradict the others.

One wrong point bends a map as well as the right ones straighten it. While the point that fits worst is further off than
its own deviation and that of its marks allow, the adjustment is done again without each of the worst, and the one
without which the others fit best is left out (data snooping; Baarda 1968). Where leaving out another would do as well,
nothing tells which of them is wrong, and the map stays as it was. A long strip of which the lens is free obeys five
points whatever they say of heights: from seven on, one that is metres off is found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.control import Triangulated
from geoloc_cli.maps.control_adjustment import Receivers, Survey, adjust_to_controls
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.maps.model import SparseModel

Floats = NDArray[np.float64]
# Three points that are not on a line hold a map; a fourth tells of a wrong one, and a fifth which it is.
LEAST_CONTROLS = 3
_LEAST_POSITIONS = 7
_LEAST_STD_M = 0.02
_WRONG_SIGMAS = 5.0
# What leaves one further off than this is no answer as good as one that leaves none.
_RIVAL_SIGMAS = 3.0
_SUSPECTS = 4
_TURNS = 3
# The median length of a vector of three standard normal numbers.
_CHI3_MEDIAN = 1.538


@dataclass(frozen=True, slots=True)
class Straightened:
    """Rows of the surveys that were left out, and where the marks of each are now; or in words why it stays bent."""

    wrong: tuple[int, ...]
    found: tuple[Triangulated | None, ...]
    reason: str | None = None


def straightened(
    source: Path,
    target: Path,
    model: SparseModel,
    georeference: Georeference,
    held: Collection[str],
    surveys: Mapping[str, Survey],
    before_m: Sequence[float],
) -> Straightened:
    """Adjusts the model in `source` to surveys by name; in `target` is then the model in enu, of use without a reason.

    before_m: metres that each survey is off now. held: paths of the photographs whose intrinsics stay.
    """
    names, rows = list(surveys), list(surveys.values())
    similarity = np.column_stack([georeference.scale * georeference.rotation, georeference.translation])
    receivers = _receivers(model, georeference)

    def adjust(used: Collection[int], turns: int) -> list[Triangulated | None]:
        return adjust_to_controls(source, target, similarity, receivers, held, rows, used, turns)

    used = list(range(len(rows)))
    while len(used) >= LEAST_CONTROLS:
        sigmas = _off_sigmas(rows, adjust(used, 0), used)
        if max(sigmas.values()) <= _WRONG_SIGMAS:
            wrong = tuple(row for row in range(len(rows)) if row not in used)
            return _judged(rows, tuple(adjust(used, _TURNS)), wrong, before_m)
        if len(used) == LEAST_CONTROLS:
            break
        tried = []
        for suspect in sorted(used, key=lambda row: -sigmas[row])[:_SUSPECTS]:
            others = [row for row in used if row != suspect]
            tried.append((max(_off_sigmas(rows, adjust(others, 0), others).values()), suspect))
        tried.sort()
        rivals = [names[row] for left, row in tried if left <= _RIVAL_SIGMAS]
        if len(rivals) > 1:
            listed = f"{', '.join(rivals[:-1])} and {rivals[-1]}"
            return Straightened((), (), f"which of its control points {listed} is wrong cannot be told; mark more")
        used.remove(tried[0][1])
    return Straightened((), (), "its control points contradict each other; look whether each is marked where it is")


def _judged(
    surveys: Sequence[Survey], found: tuple[Triangulated | None, ...], wrong: tuple[int, ...], before_m: Sequence[float]
) -> Straightened:
    """Refuses an adjustment that is no better than laying the map: its lens is held and wrong, or it is torn."""
    used = [row for row in range(len(surveys)) if row not in wrong]
    after_m = [_off_m(surveys[row], found[row]) for row in used]
    if float(np.median(after_m)) > float(np.median([before_m[row] for row in used])):
        return Straightened((), (), "adjusting it to its control points makes it fit them worse; look at its lens")
    return Straightened(wrong, found)


def _off_m(survey: Survey, found: Triangulated | None) -> float:
    if found is None:
        return float(np.inf)
    return float(np.linalg.norm((found.x_in_map - survey.in_enu)[np.isfinite(survey.std_m)]))


def _receivers(model: SparseModel, georeference: Georeference) -> Receivers:
    """The positions that are believed, with the noise that they show about what they err by together."""
    believed = {path: r for path, r in georeference.residuals_m.items() if path not in georeference.outliers}
    if len(believed) < _LEAST_POSITIONS:
        return Receivers({}, (1.0, 1.0))
    residuals = np.array(list(believed.values()))
    noise = 1.4826 * np.median(np.abs(residuals - np.median(residuals, axis=0)), axis=0)
    positions = {}
    for path, residual in believed.items():
        east, north, up = georeference.in_enu(model.images[path].center_in_map) + np.array(residual)
        positions[path] = float(east), float(north), float(up)
    return Receivers(positions, (max(_LEAST_STD_M, float(noise[:2].max())), max(_LEAST_STD_M, float(noise[2]))))


def _off_sigmas(
    surveys: Sequence[Survey], found: Sequence[Triangulated | None], used: Collection[int]
) -> dict[int, float]:
    """How far the marks of the used surveys are from their places, in standard deviations of both.

    In deviations that the most of them show, where these are larger: a map is not as good as every survey.
    """
    away = {}
    for row in used:
        at = found[row]
        if at is None:
            away[row] = np.inf
            continue
        known = np.isfinite(surveys[row].std_m)
        off = (at.x_in_map - surveys[row].in_enu)[known]
        covariance = at.covariance[np.ix_(known, known)] + np.diag(surveys[row].std_m[known] ** 2)
        away[row] = float(np.sqrt(off @ np.linalg.solve(covariance, off)))
    usual = max(1.0, float(np.median(list(away.values()))) / _CHI3_MEDIAN)
    return {row: value / usual for row, value in away.items()}
