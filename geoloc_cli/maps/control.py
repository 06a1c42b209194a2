"""Ground control points in the map: triangulated from where they were marked, one wrong mark at least put aside."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.colmap import undistorted
from geoloc_cli.maps.model import MapImage

Floats = NDArray[np.float64]

# A person marks a point to a pixel or two; a mark further away than this share of the picture's longer side is wrong.
_WRONG_SHARE = 0.005
_LEAST_WRONG_PX = 4.0
# The standard deviation of a good mark: half a pixel in a picture of 1280.
_MARK_SHARE = 0.0004
_MIN_ANGLE = math.radians(1.0)
_ROUNDS = 10
_PAIRS = 300


@dataclass(frozen=True, slots=True)
class Triangulated:
    """x_in_map: (3,); covariance: (3, 3) of it; error_px: of the `used` marks; wrong: paths of others."""

    x_in_map: Floats
    covariance: Floats
    error_px: float
    used: int
    wrong: tuple[str, ...]

    @property
    def std(self) -> float:
        """Per axis, in units of the map."""
        return math.sqrt(float(np.trace(self.covariance)) / 3.0)


def triangulate(images: Sequence[MapImage], xy: Floats) -> Triangulated | None:
    """A point from its marks: images and (N, 2) pixels of their cameras, N >= 2; None where no two agree on a place.

    The pair of rays whose point the most marks agree with, then Gauss-Newton on the reprojection errors of these
    (Hartley and Zisserman 2004, chapter 12), the lens's distortion taken out of the marks beforehand.
    """
    rays = np.array([undistorted(image.camera, row[None])[0] for image, row in zip(images, xy, strict=True)])
    rotations = np.stack([image.rotation for image in images])
    translations = np.stack([image.translation for image in images])
    focal = np.array([image.camera.focal_px for image in images])
    side = np.array([max(image.camera.width, image.camera.height) for image in images], np.float64)
    wrong_px = np.maximum(_LEAST_WRONG_PX, _WRONG_SHARE * side)
    best: tuple[int, float, Floats] | None = None
    for i, j in itertools.islice(itertools.combinations(range(len(images)), 2), _PAIRS):
        point = _linear(rotations[[i, j]], translations[[i, j]], rays[[i, j]])
        if point is None or _angle(rotations[[i, j]], translations[[i, j]], point) < _MIN_ANGLE:
            continue
        errors = _errors_px(rotations, translations, rays, focal, point)
        good = errors < wrong_px
        if not good[[i, j]].all():
            continue
        key = int(good.sum()), -float(errors[good].sum())
        if best is None or key > best[:2]:
            best = *key, point
    if best is None:
        return None
    good = _errors_px(rotations, translations, rays, focal, best[2]) < wrong_px
    point, covariance = _refined(rotations[good], translations[good], rays[good], focal[good], best[2])
    errors = _errors_px(rotations[good], translations[good], rays[good], focal[good], point)
    if not np.isfinite(errors).all():
        return None
    mark_px = max(float(np.median(_MARK_SHARE * side[good])), float(np.sqrt(np.mean(errors**2) / 2.0)))
    return Triangulated(
        point,
        mark_px**2 * covariance,
        float(np.median(errors)),
        int(good.sum()),
        tuple(image.path for image, fits in zip(images, good, strict=True) if not fits),
    )


def _linear(rotations: Floats, translations: Floats, rays: Floats) -> Floats | None:
    """The point nearest to two rays, by least squares of their cross products."""
    rows, right = [], []
    for rotation, translation, (x, y) in zip(rotations, translations, rays, strict=True):
        for axis, value in ((0, x), (1, y)):
            rows.append(rotation[axis] - value * rotation[2])
            right.append(value * translation[2] - translation[axis])
    point, _, rank, _ = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)
    return np.asarray(point, np.float64) if rank == 3 else None


def _angle(rotations: Floats, translations: Floats, point: Floats) -> float:
    """The angle in radians at which two cameras see a point."""
    away = point + np.einsum("nji,nj->ni", rotations, translations)
    cosine = away[0] @ away[1] / max(1e-300, float(np.linalg.norm(away[0]) * np.linalg.norm(away[1])))
    return math.acos(float(np.clip(cosine, -1.0, 1.0)))


def _errors_px(rotations: Floats, translations: Floats, rays: Floats, focal: Floats, point: Floats) -> Floats:
    """(N,) reprojection errors, infinite behind a camera."""
    in_cam = rotations @ point + translations
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.linalg.norm(in_cam[:, :2] / in_cam[:, 2:] - rays, axis=1) * focal
    return np.where(in_cam[:, 2] > 0.0, errors, np.inf)


def _refined(
    rotations: Floats, translations: Floats, rays: Floats, focal: Floats, point: Floats
) -> tuple[Floats, Floats]:
    """The point of least squares of pixels, and its (3, 3) covariance for one pixel of noise."""
    covariance: Floats = np.eye(3)
    for _ in range(_ROUNDS):
        in_cam = rotations @ point + translations
        seen = in_cam[:, :2] / in_cam[:, 2:]
        rows = (rotations[:, :2] - seen[:, :, None] * rotations[:, 2:]) / in_cam[:, 2, None, None]
        jacobian = (rows * focal[:, None, None]).reshape(-1, 3)
        covariance = np.asarray(np.linalg.pinv(jacobian.T @ jacobian, hermitian=True), np.float64)
        step = covariance @ (jacobian.T @ ((rays - seen) * focal[:, None]).ravel())
        point = point + step
        if float(np.linalg.norm(step)) < 1e-12 * (1.0 + float(np.linalg.norm(point))):
            break
    return point, covariance
