"""Pose problems with known truth: named scenes, noise and wrong pairs, for comparing solvers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOCAL_PX = 1000.0
HALF = (640.0, 480.0)
SCENES = ("general", "planar", "near_planar", "far", "near", "wide", "distorted", "repeated")

# Radial distortion k1 of the `distorted` scene (COLMAP's SIMPLE_RADIAL): its corners move by a fifth.
_K1 = -0.3


@dataclass(frozen=True, slots=True)
class KnownPairs:
    """rays (N, 2), points (N, 3), focal_px; the true pose cam_from_map; pixel_from_ray (N, 2, 2) where it is no unit.

    right: (N,) bool of the pairs that are. other: the second true pose (rotation, center) of a repeated scene, whose
    pairs are `right` for neither more nor less reason; None elsewhere.
    """

    rays: Floats
    points: Floats
    focal_px: float
    rotation: Floats
    center: Floats
    right: NDArray[np.bool_]
    pixel_from_ray: Floats | None = None
    other: tuple[Floats, Floats] | None = None


def known_pairs(scene: str, seed: int, count: int, wrong_share: float, noise_px: float) -> KnownPairs:
    """A camera anywhere, held anyhow, before `count` points of which the observations of a share are anywhere.

    `far` looks down from 100 m on ground of 5 m relief, `near` at points from half a metre, `wide` has a focal length
    of 500 px (104 degrees), `repeated` shows a wall that was built twice: a third of the right pairs are of the twin.
    """
    if scene not in SCENES:
        raise ValueError(f"there is no scene '{scene}'; there is {', '.join(SCENES)}")
    rng = np.random.default_rng([SCENES.index(scene), seed])
    focal = 500.0 if scene == "wide" else FOCAL_PX
    rotation, center = random_rotation(rng), rng.normal(0, 5, 3)
    pixels = rng.uniform((-HALF[0], -HALF[1]), HALF, (count, 2))
    ideal = _undistorted(pixels / focal) if scene == "distorted" else pixels / focal
    depth = _depths(scene, rng, ideal)
    points = np.column_stack([ideal * depth[:, None], depth]) @ rotation + center
    pixels = pixels + rng.normal(0, noise_px, pixels.shape)
    wrong = round(wrong_share * count)
    pixels[:wrong] = rng.uniform((-HALF[0], -HALF[1]), HALF, (wrong, 2))
    right = np.arange(count) >= wrong
    rays, jacobian, other = pixels / focal, None, None
    if scene == "distorted":
        rays = _undistorted(rays)
        jacobian = _pixel_from_ray(rays)
    if scene == "repeated":
        twin_rotation, twin_center = rotation, center + rotation.T @ np.array([4.0, 0.0, 0.0])
        moved = right & (rng.random(count) < 1 / 3)
        points[moved] += twin_center - center
        other = twin_rotation, twin_center
    order = rng.permutation(count)
    kept = None if jacobian is None else jacobian[order]
    return KnownPairs(rays[order], points[order], focal, rotation, center, right[order], kept, other)


def random_rotation(rng: np.random.Generator) -> Floats:
    """(3, 3), uniform over all rotations (the Q of a Gaussian matrix, its signs made definite)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)), np.float64)


def _depths(scene: str, rng: np.random.Generator, rays: Floats) -> Floats:
    if scene in ("planar", "near_planar"):
        slope = rng.uniform(-0.4, 0.4, 2)
        depth = 10.0 / (1.0 + rays @ slope)
        return np.asarray(depth + (rng.normal(0, 0.05, len(rays)) if scene == "near_planar" else 0.0))
    low, high = {"far": (97.5, 102.5), "near": (0.5, 3.0)}.get(scene, (5.0, 25.0))
    return rng.uniform(low, high, len(rays))


def _undistorted(distorted: Floats) -> Floats:
    """Of SIMPLE_RADIAL, x_d = x (1 + k1 r^2), by Newton's method on the radius."""
    far = np.linalg.norm(distorted, axis=1)
    radius = far.copy()
    for _ in range(20):
        radius -= (radius * (1 + _K1 * radius**2) - far) / (1 + 3 * _K1 * radius**2)
    return np.asarray(distorted * (radius / np.maximum(far, 1e-12))[:, None])


def _pixel_from_ray(rays: Floats) -> Floats:
    """(N, 2, 2): the derivative of x (1 + k1 |x|^2) by x."""
    square = (rays**2).sum(axis=1)[:, None, None]
    return np.asarray((1 + _K1 * square) * np.eye(2) + 2 * _K1 * rays[:, :, None] * rays[:, None, :])
