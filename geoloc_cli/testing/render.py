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
    rotation = pose.rotation_cam_from_enu()
    rows, columns = np.indices((pose.height, pose.width))
    x = (columns + 0.5 - pose.width / 2) / pose.focal_px
    y = (rows + 0.5 - pose.height / 2) / pose.focal_px
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ rotation  # per metre of depth along the optical axis
    depth = np.full((pose.height, pose.width), np.inf)
    picture = _sky(rays)
    for surface in town.surfaces:
        _paint(surface, pose, rays, depth, picture, light)
    picture *= (light.red, light.green, light.blue)
    points = np.asarray(pose.center_in_enu) + rays * depth[..., None]
    points[~np.isfinite(depth)] = np.nan
    return np.clip(picture, 0, 255).astype(np.uint8), points


def _sky(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    up = rays[..., 2] / np.linalg.norm(rays, axis=-1)
    share = np.clip(up, 0, 1)[..., None]
    sky: NDArray[np.float64] = (1 - share) * np.array([215.0, 225.0, 235.0]) + share * np.array([120.0, 165.0, 225.0])
    return sky


def _paint(
    surface: Surface,
    pose: CameraPose,
    rays: NDArray[np.float64],
    depth: NDArray[np.float64],
    picture: NDArray[np.float64],
    light: Light,
) -> None:
    """Draws one surface into picture and depth, where it is nearer than what is there."""
    normal = np.cross(surface.along, surface.up)
    normal /= np.linalg.norm(normal)
    center = np.asarray(pose.center_in_enu)
    distance = float(normal @ (surface.corner - center))
    if distance >= 0:
        return  # seen from behind: houses have no inside
    box = _box(surface, pose)
    if box is None:
        return
    part = rays[box]
    slope = part @ normal
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(slope < 0, distance / slope, np.inf)
        at = center - surface.corner + part * z[..., None]
        a = at @ surface.along / (surface.along @ surface.along)
        b = at @ surface.up / (surface.up @ surface.up)
        hit = (z > _NEAR_M) & (z < depth[box]) & (a >= 0) & (a < 1) & (b >= 0) & (b < 1)
    if not hit.any():
        return
    depth[box][hit] = z[hit]
    # A pixel spans z / focal metres square to the axis, and more on a surface seen aslant.
    slant = np.abs(slope[hit]) / np.linalg.norm(part[hit], axis=-1)
    texels = TEXELS_PER_METRE * z[hit] / pose.focal_px / np.sqrt(np.maximum(slant, 0.05))
    level = np.clip(np.round(np.log2(np.maximum(texels, 1.0))), 0, len(surface.pyramid) - 1).astype(int)
    shade = 1.0 - light.contrast * max(0.0, float(normal[1]))
    picture[box][hit] = shade * _sampled(surface, a[hit], 1.0 - b[hit], level)


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
    """Bilinear samples (N, 3) at texture shares a (along) and b (down), each at its level of the pyramid."""
    colours = np.empty((len(a), 3))
    for k in np.unique(level):
        chosen = level == k
        texture = surface.pyramid[k]
        height, width = texture.shape[:2]
        u = (a[chosen] * surface.repeats % 1.0) * width - 0.5
        v = (b[chosen] * surface.repeats % 1.0) * height - 0.5
        u0, v0 = np.floor(u).astype(int), np.floor(v).astype(int)
        du, dv = (u - u0)[:, None], (v - v0)[:, None]
        if surface.repeats == 1:
            left, right = np.clip(u0, 0, width - 1), np.clip(u0 + 1, 0, width - 1)
            top, bottom = np.clip(v0, 0, height - 1), np.clip(v0 + 1, 0, height - 1)
        else:
            left, right, top, bottom = u0 % width, (u0 + 1) % width, v0 % height, (v0 + 1) % height
        upper = (1 - du) * texture[top, left] + du * texture[top, right]
        lower = (1 - du) * texture[bottom, left] + du * texture[bottom, right]
        colours[chosen] = (1 - dv) * upper + dv * lower
    return colours
