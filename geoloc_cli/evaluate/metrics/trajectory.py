"""How far a camera's path is from the true one: absolute errors with and without alignment, and relative ones.

Lengths are in the unit of the true path, metres where it is on the Earth (east, north, up about one origin). Rows
of NaN in the path that was found, where a photograph has no pose, are left out, and counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.evaluate.metrics.pose import Poses, rotation_errors_deg
from geoloc_cli.geo.earth import Floats
from geoloc_cli.maps.similarity import umeyama


@dataclass(frozen=True, slots=True)
class TrajectoryReport:
    """Absolute trajectory errors (ATE): root mean squares as the path lies, and after the best alignment of each kind.

    `hidden_se3` and `hidden_sim3` are the shares of the first that alignment takes away, 0 to 1: what a user of
    absolute positions suffers, and an aligned figure does not show (Zhang et al. 2026, RTK-SLAM). `scale` is that of
    the similarity. Alignments of fewer than three places, which fit anything, are NaN.
    """

    photos: int
    posed: int
    direct: float
    se3: float
    sim3: float
    hidden_se3: float
    hidden_sim3: float
    scale: float


@dataclass(frozen=True, slots=True)
class RelativeReport:
    """Relative pose errors (RPE) over `pairs` of photographs: root mean squares of length and angle, and medians."""

    pairs: int
    rmse: float
    rmse_deg: float
    median: float
    median_deg: float


def absolute_errors(found: ArrayLike, true: ArrayLike) -> TrajectoryReport:
    """ATE of camera centres (N, 3), three ways side by side (Sturm et al. 2012; alignment by Umeyama 1991).

    The rigid motion (SE(3)) and the similarity (Sim(3)) are those that leave the least squares. ValueError where
    nothing was found.
    """
    path, truth = np.asarray(found, dtype=np.float64), np.asarray(true, dtype=np.float64)
    there = np.isfinite(path).all(axis=1)
    if not there.any():
        raise ValueError("there are no poses to score")
    a, b = path[there], truth[there]
    direct = _rms(a - b)
    se3 = sim3 = scale = math.nan
    if len(a) >= 3:
        factor, rotation, shift = umeyama(a, b)
        scale = float(factor)
        sim3 = _rms(scale * a @ rotation.T + shift - b)
        turned = a @ rotation.T
        se3 = _rms(turned - turned.mean(axis=0) - (b - b.mean(axis=0)))
    return TrajectoryReport(
        photos=len(path),
        posed=len(a),
        direct=direct,
        se3=se3,
        sim3=sim3,
        hidden_se3=_hidden(direct, se3),
        hidden_sim3=_hidden(direct, sim3),
        scale=scale,
    )


def relative_errors(found: Poses, true: Poses, step: int = 1) -> RelativeReport:
    """RPE between each photograph and the one `step` later (Sturm et al. 2012): drift, whatever the frames.

    E = (Q_i^-1 Q_j)^-1 (P_i^-1 P_j) of the poses in the map, P found and Q true; the length of its translation and its
    angle. Pairs of which a pose is missing are left out; ValueError where none is left.
    """
    if step < 1:
        raise ValueError(f"a photograph is no {step} photographs later than itself")
    there = np.all(np.isfinite(found.translation), axis=1)
    first = np.flatnonzero(there[:-step] & there[step:])
    if not first.size:
        raise ValueError(f"no two poses are {step} photographs apart")
    turn, shift = _moved(found, first, first + step)
    true_turn, true_shift = _moved(true, first, first + step)
    metres = np.linalg.norm(shift - true_shift, axis=1)
    degrees = rotation_errors_deg(turn, true_turn)
    return RelativeReport(
        pairs=first.size,
        rmse=float(np.sqrt(np.mean(metres**2))),
        rmse_deg=float(np.sqrt(np.mean(degrees**2))),
        median=float(np.median(metres)),
        median_deg=float(np.median(degrees)),
    )


def _moved(poses: Poses, i: NDArray[np.intp], j: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """The pose (M, 3, 3), (M, 3) of camera j in the frame of camera i."""
    turn = poses.rotation[i] @ np.swapaxes(poses.rotation[j], -1, -2)
    return turn, poses.translation[i] - np.einsum("nij,nj->ni", turn, poses.translation[j])


def _rms(apart: Floats) -> float:
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))


def _hidden(direct: float, aligned: float) -> float:
    """The share of an error that alignment takes away; none where there is no error."""
    return 1.0 - min(aligned / direct, 1.0) if direct > 0.0 else 0.0
