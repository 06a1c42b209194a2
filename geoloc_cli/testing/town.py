"""A small procedural town whose every surface is known: streets of façades, ground and sky, the same for the same seed.

Frames: `enu` is east, north, up in metres about the town's origin; a surface is a parallelogram `corner + a * along +
b * up`, its texture's columns running along `along` and its rows from the top down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

TEXELS_PER_METRE = 40
_BLOCK_M = 30.0
_STREET_M = 12.0
_BLOCKS = 3
_PLOTS = 3


@dataclass(frozen=True, slots=True)
class Surface:
    """One textured parallelogram; `pyramid` holds its texture at 1, 1/2, 1/4 ... of TEXELS_PER_METRE.

    corner, along, up: (3,) float64, metres in enu. A texture repeats `repeats` times in each direction.
    """

    corner: NDArray[np.float64]
    along: NDArray[np.float64]
    up: NDArray[np.float64]
    pyramid: tuple[Picture, ...]
    repeats: int = 1


class Town:
    """Three by three blocks of houses between streets of 12 m, and its place on the Earth."""

    def __init__(self, seed: int, lat: float, lon: float, alt_m: float = 0.0) -> None:
        self.origin = (lat, lon, alt_m)
        self.extent_m = _BLOCKS * (_BLOCK_M + _STREET_M) - _STREET_M
        self.surfaces: Sequence[Surface] = surfaces_of(seed, self.extent_m)

    @property
    def streets(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """The middle lines of the streets between the blocks: their beginnings and ends, (2,) metres east, north."""
        pitch = _BLOCK_M + _STREET_M
        middles = [k * pitch - _STREET_M / 2 for k in range(1, _BLOCKS)]
        to_north = [(np.array([m, 0.0]), np.array([m, self.extent_m])) for m in middles]
        to_east = [(np.array([0.0, m]), np.array([self.extent_m, m])) for m in middles]
        return to_north + to_east


@lru_cache(maxsize=2)
def surfaces_of(seed: int, extent_m: float) -> tuple[Surface, ...]:
    """Everything there is to see; painting it takes a second, and the same town is rendered many times over."""
    rng = np.random.default_rng(seed)
    pitch = _BLOCK_M + _STREET_M
    surfaces = [_ground(rng, extent_m)]
    for column in range(_BLOCKS):
        for row in range(_BLOCKS):
            surfaces += _block(rng, column * pitch, row * pitch)
    return tuple(surfaces)


def _ground(rng: np.random.Generator, extent_m: float) -> Surface:
    size = extent_m + 160.0
    corner = np.array([-80.0, -80.0, 0.0])
    tile = _pyramid(_cobbles(rng, 800))
    return Surface(corner, np.array([size, 0.0, 0.0]), np.array([0.0, size, 0.0]), tile, round(size / 20.0))


def _block(rng: np.random.Generator, east: float, north: float) -> list[Surface]:
    """Four sides of three façades each, of different heights."""
    corners = np.array([[0, 0], [_BLOCK_M, 0], [_BLOCK_M, _BLOCK_M], [0, _BLOCK_M]]) + np.array([east, north])
    surfaces = []
    for side in range(4):
        start, end = corners[side], corners[(side + 1) % 4]
        step = (end - start) / _PLOTS
        for plot in range(_PLOTS):
            height = float(rng.choice([8.0, 10.0, 12.0]))
            corner = np.array([*(start + plot * step), 0.0])
            along, up = np.array([*step, 0.0]), np.array([0.0, 0.0, height])
            surfaces.append(Surface(corner, along, up, _pyramid(_facade(rng, float(np.linalg.norm(step)), height))))
    return surfaces


def _pyramid(texture: Picture) -> tuple[Picture, ...]:
    levels = [texture]
    while min(levels[-1].shape[:2]) >= 8:
        image = Image.fromarray(levels[-1])
        levels.append(np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)))
    return tuple(levels)


def _grain(
    rng: np.random.Generator, height: int, width: int, levels: tuple[int, ...], strength: float
) -> NDArray[np.float64]:
    """Noise of several grain sizes, (height, width), of standard deviation `strength`."""
    total = np.zeros((height, width))
    for size in levels:
        coarse = rng.normal(size=(height // size + 2, width // size + 2)).astype(np.float32)
        grown = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
        total += np.asarray(grown)
    scaled: NDArray[np.float64] = strength * total / total.std()
    return scaled


def _cobbles(rng: np.random.Generator, size: int) -> Picture:
    base = 105 + _grain(rng, size, size, (2, 6, 20, 80), 16.0)
    image = Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(150):  # patches, stains and lids, so that one square metre differs from the next
        x, y = rng.integers(0, size, 2)
        w, h = rng.integers(4, 40, 2)
        tone = int(rng.integers(50, 170))
        (draw.ellipse if rng.random() < 0.4 else draw.rectangle)((x, y, x + w, y + h), fill=(tone, tone, tone - 8))
    return np.asarray(image)


def _facade(rng: np.random.Generator, width_m: float, height_m: float) -> Picture:
    """A house: plaster or brick, rows of windows no two alike, a door, a shop sign, posters and pipes."""
    width, height = round(width_m * TEXELS_PER_METRE), round(height_m * TEXELS_PER_METRE)
    wall = rng.uniform((110, 90, 75), (230, 210, 190))
    grain = _grain(rng, height, width, (2, 5, 13, 60), 9.0)
    if rng.random() < 0.5:
        rows, columns = np.indices((height, width))
        joint = (rows % 10 < 1) | ((columns + 11 * (rows // 10 % 2)) % 22 < 1)
        grain = grain - 26.0 * joint
    image = Image.fromarray(np.clip(wall + grain[..., None], 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    _windows(rng, draw, width, height)
    _ground_floor(rng, draw, width, height)
    for _ in range(int(rng.integers(1, 4))):
        x = int(rng.integers(0, width))
        draw.line((x, 0, x, height), fill=_tone(rng, 40, 90), width=int(rng.integers(2, 5)))
    draw.rectangle((0, 0, width, int(rng.integers(6, 18))), fill=_tone(rng, 60, 200))
    return np.asarray(image)


def _tone(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    r, g, b = rng.integers(low, high, 3)
    return int(r), int(g), int(b)


def _windows(rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    columns = int(rng.integers(3, 6))
    storey = 3 * TEXELS_PER_METRE
    w = int(width / columns * rng.uniform(0.45, 0.65))
    frame = _tone(rng, 150, 250)
    for top in range(round(0.5 * TEXELS_PER_METRE), height - round(1.6 * storey), storey):
        for column in range(columns):
            x = int((column + 0.5) * width / columns - w / 2)
            h = int(storey * 0.6)
            draw.rectangle((x, top, x + w, top + h), fill=_tone(rng, 25, 110), outline=frame, width=4)
            for bar in range(int(rng.integers(0, 3))):
                at = x + int((bar + 1) * w / 3)
                draw.line((at, top, at, top + h), fill=frame, width=3)
            if rng.random() < 0.7:  # a curtain, a plant, a cat: what tells one window from the next
                side = int(rng.integers(0, max(1, w // 2)))
                drop = int(rng.integers(h // 4, h))
                draw.rectangle((x + side, top + 4, x + side + w // 3, top + drop), fill=_tone(rng, 80, 240))
            if rng.random() < 0.5:
                cx, cy, r = x + int(rng.integers(5, w)), top + h - 8, int(rng.integers(4, 12))
                draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=_tone(rng, 30, 200))
            if rng.random() < 0.3:
                draw.rectangle((x - 6, top + h, x + w + 6, top + h + 8), fill=_tone(rng, 60, 220))


def _ground_floor(rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    top = height - round(3.2 * TEXELS_PER_METRE)
    sign = round(0.7 * TEXELS_PER_METRE)
    draw.rectangle((8, top, width - 8, top + sign), fill=_tone(rng, 10, 230), outline=_tone(rng, 0, 80), width=2)
    letters = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVWXYZ"), int(rng.integers(5, 11))))
    draw.text((16, top + 1), letters, fill=_tone(rng, 120, 255), font=ImageFont.load_default(size=sign - 4))
    x = int(rng.integers(10, width // 3))
    draw.rectangle((x, height - 90, x + 44, height), fill=_tone(rng, 20, 160), outline=_tone(rng, 100, 250), width=3)
    draw.ellipse((x + 34, height - 48, x + 40, height - 42), fill=_tone(rng, 180, 255))
    for _ in range(int(rng.integers(6, 12))):  # posters and goods in the shop window
        px, py = int(rng.integers(x + 50, width - 20)), int(rng.integers(top + sign + 6, height - 30))
        w, h = rng.integers(10, 40, 2)
        draw.rectangle((px, py, px + int(w), py + int(h)), fill=_tone(rng, 20, 250), outline=_tone(rng, 0, 255))
        if rng.random() < 0.6:
            draw.text(
                (px + 2, py + 2), str(rng.integers(10, 999)), fill=_tone(rng, 0, 255), font=ImageFont.load_default(12)
            )
