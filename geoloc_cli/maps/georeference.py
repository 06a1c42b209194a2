"""Where a map lies on the Earth: a robust similarity from camera centres to their GPS, and how sure it is.

`x_in_enu = scale * R x_in_map + t`. Seven unknowns, fitted by iteratively re-weighted Gauss-Newton from a start by
least median of squares, with Cauchy weights on the Mahalanobis length of each residual: horizontal and vertical noise
differ, and some positions are wrong by hundreds of metres. Altitudes drift, which is fitted beside it
(`maps/adjustment.py`). What the photographs say of how they were held is fitted with it (`maps/plumb.py`). Where they
say nothing, and the positions leave the rotation open, level cameras decide (`maps/level.py`), and a note says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.maps.adjustment import Observed, Solution, converged
from geoloc_cli.maps.level import Held, held, rolled, upside_down
from geoloc_cli.maps.plumb import Plumb
from geoloc_cli.maps.similarity import derivatives, robust_start

Floats = NDArray[np.float64]

_R90_PER_SIGMA_1D = 1.645
# What a receiver that says nothing of its accuracy is taken for, and the best that one is believed to be.
_USUAL_M = 3.0
_BEST_M = 0.3
# Residuals beyond this many standard deviations are called wrong positions.
_OUTLIER_SIGMAS = 5.0
# Cameras this much less wide than long lie on a line; a reconstruction bends by this share of its length.
_SLIM = 0.05
_BEND_SHARE = 0.005
# How well level cameras set a map upright: a rotation that positions leave looser than this is not determined by them.
_UNDETERMINED_RAD = math.radians(5.0)
# Above this a roll is searched for, and not only corrected.
_OPEN_RAD = math.radians(20.0)
# Residuals of this share of the positions' own scatter mean that positions and map do not agree: of unrelated ones the
# share is near 1, and receivers of 3 m noise on a site 10 m wide leave 0.6.
_UNRELATED = 0.75
_JUDGED = 7
_JUDGED_CONTROLS = 4
# An offset of the receivers' heights that no receiver's noise explains; the geoid's is up to 106 m.
_GEOID_M = 10.0
# A drift that stands out of its own uncertainty this much is worth a note.
_DRIFT_SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Georeference:
    """enu_from_map: scale, rotation (3, 3), translation (3,) metres; origin: lat, lon, alt_m of enu's own.

    covariance: (7, 7) of (log scale, rotation vector in enu [rad], translation [m]). horizontal_m, vertical_m:
    standard deviations per axis of what it was fitted to, which all its positions may share: of one photograph's
    position, or of one ground control point where there are such. outliers: paths of positions that were not believed.
    alt_datum: what its heights count from, where its photographs agree on it.
    """

    origin: tuple[float, float, float]
    scale: float
    rotation: Floats
    translation: Floats
    covariance: Floats
    horizontal_m: float
    vertical_m: float
    residuals_m: dict[str, tuple[float, float, float]]
    outliers: tuple[str, ...]
    notes: tuple[str, ...]
    alt_datum: Literal["ellipsoid", "sea_level"] | None = None

    def in_enu(self, x_in_map: Floats) -> Floats:
        """(..., 3) map -> (..., 3) metres east, north, up."""
        moved: Floats = self.scale * np.asarray(x_in_map) @ self.rotation.T + self.translation
        return moved

    def frame_covariance(self, x_in_map: Floats) -> Floats:
        """(3, 3) m^2: what the frame's own uncertainty does to a point's place in enu."""
        jacobian = derivatives(self.scale * self.rotation @ np.asarray(x_in_map))
        moved: Floats = jacobian @ self.covariance @ jacobian.T
        return moved


@dataclass(frozen=True, slots=True)
class Controls:
    """Ground control points: (M, 3) in map, (M, 3) in enu, and (M, 2) horizontal and vertical standard deviations [m].

    map_std: (M,) standard deviations per axis of their places in the map, in units of the map.
    """

    in_map: Floats
    in_enu: Floats
    std_m: Floats
    map_std: Floats


def fit(
    paths: list[str],
    centers: Floats,
    positions: Floats,
    stated_m: Floats,
    cam_from_map: Floats,
    origin: tuple[float, float, float],
    controls: Controls | None = None,
    plumb: Plumb | None = None,
) -> Georeference | None:
    """None where there are fewer than two positions, all are at one spot, or they contradict the map.

    Two are a line, and as good as their distance is to their noise.

    They contradict it where the residuals are as large as the positions' own scatter, or where the cameras would
    stand on their heads, which is what mirrored positions do to a flat map; `maps/gps_signs.py` says which.

    paths, centers (N, 3) in map, positions (N, 3) in enu, stated_m (N,) and cam_from_map (N, 3, 3): in the order in
    which the photographs were taken. The third of a position is NaN where no altitude is known; stated_m are the
    horizontal standard deviations that the receivers admit, NaN where none. Control points are weighted by their own,
    and what the receivers err by together is then estimated. plumb: which way is up, by the photographs' attitudes.
    """
    observed = _observed(centers, positions, stated_m, controls)
    start = None if observed is None else _start(observed)
    if observed is None or start is None:
        return None
    notes: list[str] = []
    cameras = held(cam_from_map)
    solution = _settled(observed, start[:3], cameras, plumb, notes)
    residual = observed.residual(solution)
    away = np.sqrt(((residual / solution.sigma) ** 2).sum(axis=1))
    if upside_down(cameras, solution.rotation) or _unrelated(observed, residual, away):
        return None
    noise = _shared_noise(observed, solution, residual, away)
    residual = residual[: len(paths)]
    # Where positions are better than the map is straight, those that its bend leaves aside are not wrong.
    bend_m = _BEND_SHARE * solution.scale * float(_extents(observed.source)[0])
    wrong = np.linalg.norm(residual / np.hypot(solution.sigma[: len(paths)], bend_m), axis=1) > _OUTLIER_SIGMAS
    outliers = tuple(path for path, w in zip(paths, wrong, strict=True) if w)
    _tell(notes, observed, solution)
    shown = residual + solution.common  # what the file says against the map, drift and all
    shown[:, 2] = np.where(observed.known[: len(paths)], shown[:, 2] + observed.waves @ solution.drift, 0.0)
    return Georeference(
        origin,
        solution.scale,
        solution.rotation,
        solution.translation,
        solution.covariance,
        *noise,
        {path: (float(e), float(n), float(u)) for path, (e, n, u) in zip(paths, shown, strict=True)},
        outliers,
        tuple(notes),
    )


def _observed(centers: Floats, positions: Floats, stated_m: Floats, controls: Controls | None) -> Observed | None:
    count = len(centers)
    if count < 2 and (controls is None or len(controls.in_map) < 3):
        return None
    base = np.where(np.isfinite(stated_m), np.maximum(stated_m, _BEST_M), _USUAL_M)
    base = np.repeat(base[:, None], 2, axis=1)
    source, target, map_std = centers, positions, np.zeros(count)
    if controls is not None:
        source = np.concatenate([source, controls.in_map])
        target = np.concatenate([target, controls.in_enu])
        base = np.concatenate([base, controls.std_m])
        map_std = np.concatenate([map_std, controls.map_std])
    known = np.isfinite(target[:, 2])
    target = target.copy()
    target[~known, 2] = float(np.median(target[known, 2])) if known.any() else 0.0
    return Observed(source, target, base, map_std, known, count)


def _start(observed: Observed) -> tuple[float, Floats, Floats, float] | None:
    """From the control points where they suffice, for they are right; from the photographs otherwise."""
    spread = observed.base[:, 0]
    count = observed.photos
    by_photos = robust_start(observed.source[:count], observed.target[:count], spread[:count])
    extents = _extents(observed.target[count:])
    if len(spread) - count >= 3 and (by_photos is None or extents[1] > _SLIM * extents[0]):
        return robust_start(observed.source[count:], observed.target[count:], spread[count:])
    return by_photos


def _extents(points: Floats) -> Floats:
    """(3,) standard deviations along the principal axes."""
    if len(points) < 3:
        return np.zeros(3)
    return np.asarray(np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / math.sqrt(len(points)))


def _settled(
    observed: Observed, start: tuple[float, Floats, Floats], cameras: Held, plumb: Plumb | None, notes: list[str]
) -> Solution:
    """The solution, with cameras' attitudes, or level cameras where positions alone leave the rotation open."""
    solution = converged(observed, start, None, 0.0)
    extents = _extents(observed.source)
    slim = bool(extents[1] < _SLIM * extents[0])
    values, vectors = np.linalg.eigh(solution.covariance[1:4, 1:4])
    loose, axis = math.sqrt(values[-1]), vectors[:, -1]
    if slim:
        along = np.linalg.svd(observed.source - observed.source.mean(axis=0), full_matrices=False)[2][0]
        axis = solution.rotation @ along
    shape = "lie almost on a line" if slim else "lie too close together for their noise"
    if plumb is not None:
        held_so = _plumbed(observed, solution, plumb, axis, slim=slim)
        if held_so is not None:
            loose_deg = math.degrees(math.sqrt(float(np.linalg.eigvalsh(held_so.covariance[1:4, 1:4])[-1])))
            if loose_deg > math.degrees(_UNDETERMINED_RAD):
                notes.append(
                    f"the positions {shape}, and the photographs' attitudes say no more than which way is up: how the "
                    f"map is turned is known within {loose_deg:.0f} degrees"
                )
            return held_so
        notes.append("the photographs' attitudes contradict their positions, and are not used")
    if not slim and loose < _UNDETERMINED_RAD:
        return solution
    # What leaves the line by less than the map bends is no evidence against how cameras are held.
    bend_m = _BEND_SHARE * solution.scale * float(extents[0]) if slim else 0.0
    level: Held | None = cameras
    rotation = solution.rotation
    if slim or loose > _OPEN_RAD:
        turned = rolled(cameras, rotation, axis)
        rotation, level = (rotation, None) if turned is None else turned
    middle = np.median(observed.source, axis=0)
    translation = solution.translation + solution.scale * (solution.rotation - rotation) @ middle
    solution = converged(observed, (solution.scale, rotation, translation), level, bend_m)
    std_deg = math.degrees(math.sqrt(float(axis @ solution.covariance[1:4, 1:4] @ axis)))
    if level is None:
        notes.append(
            f"the positions {shape} and do not say well how the map is rolled, and neither do its cameras, which are "
            f"not held level: its roll is known within {std_deg:.0f} degrees only"
        )
    else:
        trusted = "optical axes taken for level" if level.use_pitch else "cameras held level"
        notes.append(
            f"the positions {shape}, and do not say well how the map is rolled; {trusted} say so, "
            f"within {std_deg:.0f} degrees"
        )
    return solution


def _plumbed(observed: Observed, free: Solution, plumb: Plumb, axis: Floats, *, slim: bool) -> Solution | None:
    """The solution with attitudes; free: by the positions alone. None where the two contradict each other.

    axis: (3,) in enu, the one that positions say least about. Where they leave it open, attitudes say how the map is
    turned but for the heading.
    """
    covariance = free.covariance[1:4, 1:4]
    open_rotation = slim or math.sqrt(float(axis @ covariance @ axis)) > _OPEN_RAD
    judged = plumb.rolled(free.rotation, axis) if open_rotation else free.rotation
    if plumb.contradicts(judged, covariance):
        return None
    if not open_rotation:
        return converged(observed, (free.scale, free.rotation, free.translation), plumb, 0.0)
    bend_m = _BEND_SHARE * free.scale * float(_extents(observed.source)[0]) if slim else 0.0
    away = ((observed.residual(free) / free.sigma) ** 2).sum(axis=1)
    rotation = plumb.upright(observed.source, observed.target, 1.0 / (1.0 + away / _OUTLIER_SIGMAS**2))
    middle = np.median(observed.source, axis=0)
    translation = free.translation + free.scale * (free.rotation - rotation) @ middle
    return converged(observed, (free.scale, rotation, translation), plumb, bend_m)


def _unrelated(observed: Observed, residual: Floats, away: Floats) -> bool:
    """Whether the residuals are as large as the scatter of the targets, as far as these are believed.

    Of the control points where there are such, of the photographs' positions otherwise.
    """
    believed = away <= _OUTLIER_SIGMAS
    controls = np.arange(len(away)) >= observed.photos
    near = believed & (controls if controls.any() else ~controls)
    if int(near.sum()) < (_JUDGED_CONTROLS if controls.any() else _JUDGED):
        return False
    weight = 1.0 / observed.base[near, 0] ** 2
    target = observed.target[near, :2]
    scatter = weight @ (target - np.average(target, axis=0, weights=weight)) ** 2
    left = weight @ residual[near, :2] ** 2
    return bool(left.sum() > _UNRELATED**2 * scatter.sum())


def _tell(notes: list[str], observed: Observed, solution: Solution) -> None:
    if not observed.known.any():
        notes.append("no photograph states an altitude: heights count from the cameras' own mean")
    if not observed.photos:
        return
    if abs(solution.common[2]) > max(_GEOID_M, 3.0 * solution.sigma_shared[1]):
        notes.append(
            f"the photographs' altitudes lie {solution.common[2]:+.1f} m off the control points', as heights above the "
            "sea level and above the ellipsoid do; the control points' are used"
        )
    change = observed.waves[-1] - observed.waves[0]
    drift_m = float(change @ solution.drift)
    std_m = math.sqrt(float(change @ solution.drift_covariance @ change))
    if abs(drift_m) > max(_DRIFT_SIGMAS * std_m, solution.sigma_shared[1]):
        notes.append(f"the altitudes drift by {drift_m:+.1f} m from the first photograph to the last")


def _shared_noise(observed: Observed, solution: Solution, residual: Floats, away: Floats) -> tuple[float, float]:
    """Standard deviations per axis, horizontal and vertical, of one position, or of one control point.

    Receivers err by more than their robust deviation more often than a Gaussian does: what nine in ten residuals stay
    within sets the measure. Positions count by their stated accuracy, as they do in the fit.
    """
    controls = observed.photos < len(observed.source)
    rows = slice(observed.photos, None) if controls else slice(None)
    weight = 1.0 / observed.base[rows]
    typical = weight.sum(axis=0) / (weight**2).sum(axis=0)
    believed = away[rows] <= 2.0 * _OUTLIER_SIGMAS
    if not believed.any():
        return solution.sigma_shared
    rank = _tolerance_rank(int(believed.sum())) - 1
    across = np.sort(np.linalg.norm(residual[rows, :2], axis=1)[believed] * weight[believed, 0])[rank]
    horizontal = max(solution.sigma_shared[0], float(across * typical[0]) / R90_PER_SIGMA)
    if not controls:
        return horizontal, solution.sigma_shared[1]
    # Receivers' heights are believed by their robust deviation; surveyed ones that fit badly are a map that is bent.
    upwards = np.sort(np.abs(residual[rows, 2])[believed] * weight[believed, 1])[rank]
    return horizontal, max(solution.sigma_shared[1], float(upwards * typical[1]) / _R90_PER_SIGMA_1D)


def _tolerance_rank(count: int) -> int:
    """The rank among sorted values below which nine in ten of all lie, with nine in ten certainty (Wilks 1941).

    The largest value where there are too few for that certainty.
    """
    ranks = np.arange(1, count)
    # In logarithms, for binomials of more than a thousand leave the range of a float.
    terms = count * math.log(0.1) + np.concatenate([[0.0], np.cumsum(np.log(9.0 * (count - ranks + 1) / ranks))])
    enough = np.flatnonzero(np.cumsum(np.exp(terms)) >= 0.9)
    return int(enough[0]) + 1 if len(enough) else count
