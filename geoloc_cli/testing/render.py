"""Pinhole pictures of a town: every pixel's colour, and the exact point that it shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.testing.town import TEXELS_PER_METRE, Surface, Town

_NEAR_M = 0.2


@dataclass(frozen=True, slots=True)
class CameraPose:
    """Where a camera is and how it is held: center_in_enu (east, north, up) in metres, angles in degrees.

    heading is clockwise from north, pitch up positive, roll clockwise positive as the photographer sees it.
    """

    center_in_enu: tuple[float, float, float]
    heading_deg: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    focal_px: float = 520.0
    width: int = 640
    height: int = 480

    def rotation_cam_from_enu(self) -> NDArray[np.float64]:
        """(3, 3): x_in_cam = R (x_in_enu - center), COLMAP's axes (x right, y down, z forward)."""
        heading, pitch, roll = (math.radians(a) for a in (self.heading_deg, self.pitch_deg, self.roll_deg))
        forward = np.array([math.sin(heading) * math.cos(pitch), math.cos(heading) * math.cos(pitch), math.sin(pitch)])
        level_right = np.array([math.cos(heading), -math.sin(heading), 0.0])
        level_down = np.cross(forward, level_right)
        right = math.cos(roll) * level_right + math.sin(roll) * level_down
        return np.stack([right, np.cross(forward, right), forward])

    def project(self, x_in_enu: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) metres -> (N, 2) pixels, the centre of the top-left pixel at (0.5, 0.5); NaN behind the camera."""
        x_in_cam = (np.asarray(x_in_enu) - self.center_in_enu) @ self.rotation_cam_from_enu().T
        depth = np.where(x_in_cam[:, 2] > 0, x_in_cam[:, 2], np.nan)
        return self.focal_px * x_in_cam[:, :2] / depth[:, None] + (self.width / 2, self.height / 2)

    def turned(self, heading_deg: float) -> CameraPose:
        return replace(self, heading_deg=heading_deg)


@dataclass(frozen=True, slots=True)
class Light:
    """How a scene is lit: the factor of each colour, and how much darker walls towards north are."""

    red: float = 1.0
    green: float = 1.0
    blue: float = 1.0
    contrast: float = 0.15


LIGHTS = {
    "noon": Light(),
    "evening": Light(1.0, 0.78, 0.58, 0.45),
    "night": Light(0.38, 0.38, 0.5, 0.05),
}


def render(town: Town, pose: CameraPose, light: Light | None = None) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture (H, W, 3) uint8, and the point that each pixel shows, (H, W, 3) metres in enu, NaN in the sky."""
    light = light or LIGHTS["noon"]
    seen = _Seen(pose)
    drawn = [number for number, surface in enumerate(town.surfaces) if _trace(number, surface, pose, seen)]
    picture = _sky(seen)
    for number in drawn:
        _paint(number, town.surfaces[number], pose, seen, picture, light)
    for plane, factor in zip(picture, (light.red, light.green, light.blue), strict=True):
        plane *= factor
    points = np.asarray(pose.center_in_enu) + seen.rays * seen.depth[..., None]
    points[~np.isfinite(seen.depth)] = np.nan
    return np.ascontiguousarray(np.moveaxis(np.clip(picture, 0, 255).astype(np.uint8), 0, -1)), points


class _Seen:
    """Of each pixel its ray, (H, W, 3) metres per metre of depth along the optical axis, and what it meets first.

    depth: metres along the axis; owner: the number of the surface, -1 in the sky; a, b: where on it, as shares of its
    sides; slope: the ray's way towards it per metre of depth.
    """

    def __init__(self, pose: CameraPose) -> None:
        rows, columns = np.indices((pose.height, pose.width))
        x = (columns + 0.5 - pose.width / 2) / pose.focal_px
        y = (rows + 0.5 - pose.height / 2) / pose.focal_px
        self.rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ pose.rotation_cam_from_enu()
        # One plane for each axis: a box of them is multiplied several times as fast as one of rows of three.
        self.planes = [np.ascontiguousarray(self.rays[..., axis]) for axis in range(3)]
        self.lengths = np.linalg.norm(self.rays, axis=-1)
        self.depth = np.full(x.shape, np.inf)
        self.owner = np.full(x.shape, -1)
        self.a, self.b, self.slope = np.empty(x.shape), np.empty(x.shape), np.empty(x.shape)


def _sky(seen: _Seen) -> NDArray[np.float64]:
    """(3, H, W): until it is finished, a picture is held colour by colour for the same reason."""
    share = np.clip(seen.planes[2] / seen.lengths, 0, 1)
    return np.stack(
        [(1 - share) * low + share * high for low, high in ((215.0, 120.0), (225.0, 165.0), (235.0, 225.0))]
    )


def _trace(number: int, surface: Surface, pose: CameraPose, seen: _Seen) -> bool:
    """Whether the surface is nearer somewhere than what was traced before; these pixels are its own."""
    normal = np.cross(surface.along, surface.up)
    normal /= np.linalg.norm(normal)
    center = np.asarray(pose.center_in_enu)
    distance = float(normal @ (surface.corner - center))
    if distance >= 0:
        return False  # seen from behind: houses have no inside
    box = _box(surface, pose)
    if box is None:
        return False
    slope = _dot([plane[box] for plane in seen.planes], normal)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(slope < 0, distance / slope, np.inf)
    at = np.nonzero((z > _NEAR_M) & (z < seen.depth[box]))
    near, rays = z[at], [plane[box][at] for plane in seen.planes]
    a, b = (
        (float((center - surface.corner) @ side) + near * _dot(rays, side)) / (side @ side)
        for side in (surface.along, surface.up)
    )
    hit = (a >= 0) & (a < 1) & (b >= 0) & (b < 1)
    pixels = at[0][hit] + box[0].start, at[1][hit] + box[1].start
    for kept, values in ((seen.depth, near), (seen.a, a), (seen.b, b), (seen.slope, slope[at])):
        kept[pixels] = values[hit]
    seen.owner[pixels] = number
    return bool(hit.any())


def _dot(planes: list[NDArray[np.float64]], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scalar products of vectors, given as one array for each axis, with one vector."""
    x, y, z = (plane * float(part) for plane, part in zip(planes, vector, strict=True))
    total: NDArray[np.float64] = x + y + z
    return total


def _paint(
    number: int, surface: Surface, pose: CameraPose, seen: _Seen, picture: NDArray[np.float64], light: Light
) -> None:
    """Draws the pixels that are the surface's own."""
    own = np.flatnonzero(seen.owner == number)
    depth, slope, length, a, b = (
        values.ravel()[own] for values in (seen.depth, seen.slope, seen.lengths, seen.a, seen.b)
    )
    # A pixel spans z / focal metres square to the axis, and more on a surface seen aslant.
    slant = np.abs(slope) / length
    texels = TEXELS_PER_METRE * depth / pose.focal_px / np.sqrt(np.maximum(slant, 0.05))
    level = np.clip(np.round(np.log2(np.maximum(texels, 1.0))), 0, len(surface.pyramid) - 1).astype(int)
    normal = np.cross(surface.along, surface.up)
    shade = 1.0 - light.contrast * max(0.0, float(normal[1] / np.linalg.norm(normal)))
    for plane, colours in zip(picture, _sampled(surface, a, 1.0 - b, level), strict=True):
        plane.ravel()[own] = shade * colours


def _box(surface: Surface, pose: CameraPose) -> tuple[slice, slice] | None:
    """Rows and columns that the surface may touch; all of them where a corner lies behind the camera."""
    corners = (
        surface.corner + np.array([[0], [0], [1], [1]]) * surface.along + np.array([[0], [1], [0], [1]]) * surface.up
    )
    x_in_cam = (corners - pose.center_in_enu) @ pose.rotation_cam_from_enu().T
    if (x_in_cam[:, 2] <= _NEAR_M).all():
        return None
    if (x_in_cam[:, 2] <= _NEAR_M).any():
        return slice(0, pose.height), slice(0, pose.width)
    pixels = pose.project(corners)
    low = np.floor(pixels.min(axis=0)).astype(int) - 1
    high = np.ceil(pixels.max(axis=0)).astype(int) + 1
    columns = slice(max(0, low[0]), min(pose.width, high[0]))
    rows = slice(max(0, low[1]), min(pose.height, high[1]))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _sampled(
    surface: Surface, a: NDArray[np.float64], b: NDArray[np.float64], level: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bilinear samples (3, N) at texture shares a (along) and b (down), each at its level of the pyramid."""
    colours = np.empty((3, len(a)))
    for k in np.flatnonzero(np.bincount(level)):
        chosen = np.flatnonzero(level == k)
        texture = surface.pyramid[k]
        height, width = texture.shape[:2]
        u = (a[chosen] * surface.repeats % 1.0) * width - 0.5
        v = (b[chosen] * surface.repeats % 1.0) * height - 0.5
        u0, v0 = np.floor(u).astype(int), np.floor(v).astype(int)
        du, dv = u - u0, v - v0
        if surface.repeats == 1:
            left, right = np.clip(u0, 0, width - 1), np.clip(u0 + 1, 0, width - 1)
            top, bottom = np.clip(v0, 0, height - 1), np.clip(v0 + 1, 0, height - 1)
        else:
            left, right, top, bottom = u0 % width, (u0 + 1) % width, v0 % height, (v0 + 1) % height
        corners = [row * width + column for row in (top, bottom) for column in (left, right)]
        for colour, plane in enumerate(np.moveaxis(texture, -1, 0).reshape(3, -1)):
            top_left, top_right, bottom_left, bottom_right = (plane[corner] for corner in corners)
            upper = (1 - du) * top_left + du * top_right
            lower = (1 - du) * bottom_left + du * bottom_right
            colours[colour, chosen] = (1 - dv) * upper + dv * lower
    return colours
