"""Surveys with known truth: cameras in a map, where they are on the Earth, and how they are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.maps.georeference import Georeference, fit
from geoloc_cli.maps.model import MapImage, SparseModel
from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.types import Camera, Position

Floats = NDArray[np.float64]
ORIGIN = (47.0, 8.0, 400.0)
CAMERA = Camera("SIMPLE_RADIAL", 1280, 960, (1000.0, 640.0, 480.0, -0.05), "map", 0.01)


@dataclass(frozen=True)
class Survey:
    """in_enu: (N, 3) true camera centres; cam_from_enu: (N, 3, 3); the map is another frame of the same."""

    in_enu: Floats
    cam_from_enu: Floats
    scale: float = 7.5
    turn: tuple[float, float, float] = (0.7, -1.9, 1.1)
    shift: tuple[float, float, float] = (120.0, -40.0, 15.0)

    @property
    def rotation(self) -> Floats:
        return rotation_of(np.array(self.turn))

    @property
    def in_map(self) -> Floats:
        return (self.in_enu - np.array(self.shift)) @ self.rotation / self.scale

    @property
    def cam_from_map(self) -> Floats:
        return self.cam_from_enu @ self.rotation

    @property
    def names(self) -> list[str]:
        return [f"{i:03d}.jpg" for i in range(len(self.in_enu))]

    def fitted(self, positions: Floats, stated: Floats | None = None) -> Georeference | None:
        stated = np.full(len(positions), np.nan) if stated is None else stated
        return fit(self.names, self.in_map, positions, stated, self.cam_from_map, ORIGIN)

    def sure(self, positions: Floats, stated: Floats | None = None) -> Georeference:
        found = self.fitted(positions, stated)
        assert found is not None
        return found

    def errors(self, found: Georeference) -> Floats:
        """(N, 3) metres at the cameras."""
        return found.in_enu(self.in_map) - self.in_enu

    def turned_deg(self, found: Georeference) -> float:
        return float(np.degrees(np.linalg.norm(self.turn_error(found))))

    def turn_error(self, found: Georeference) -> Floats:
        """(3,) rotation vector in enu, radians, for small errors."""
        off = found.rotation @ self.rotation.T
        return np.array([off[2, 1] - off[1, 2], off[0, 2] - off[2, 0], off[1, 0] - off[0, 1]]) / 2.0


def held(headings: Floats, pitch: float, rng: np.random.Generator, roll_std: float = 3.0) -> Floats:
    """(N, 3, 3) cam_from_enu."""
    return np.stack(
        [
            CameraPose(
                (0, 0, 0), float(h), pitch + float(rng.normal(0, 2)), float(rng.normal(0, roll_std))
            ).rotation_cam_from_enu()
            for h in headings
        ]
    )


def walk(seed: int = 0, count: int = 60, across_m: float = 80.0) -> Survey:
    """A wandering walk with level cameras that look everywhere."""
    rng = np.random.default_rng([seed, 100])
    flat = rng.uniform(-across_m / 2, across_m / 2, (count, 2))
    order = np.argsort(flat[:, 0])
    centers = np.column_stack([flat, rng.normal(0.0, 3.0, count)])[order]
    return Survey(centers, held(rng.uniform(0, 360, count), 5.0, rng))


def strip(
    seed: int = 0, count: int = 40, length_m: float = 300.0, *, pitch: float = -88.0, turn_deg: float = 0.0
) -> Survey:
    """A straight flight north at 60 m, cameras turned `turn_deg` off the way."""
    rng = np.random.default_rng([seed, 200])
    centers = np.column_stack([np.zeros(count), np.linspace(0, length_m, count), np.full(count, 60.0)])
    centers += rng.normal(0.0, 0.3, centers.shape)
    return Survey(centers, held(np.full(count, turn_deg), pitch, rng, roll_std=1.0))


def grid(
    seed: int = 0, strips: int = 5, per_strip: int = 12, *, length_m: float = 220.0, gap_m: float = 40.0
) -> Survey:
    """A flight there and back over a field, looking down."""
    rng = np.random.default_rng([seed, 300])
    centers, headings = [], []
    for k in range(strips):
        along = np.linspace(0, length_m, per_strip)[:: 1 if k % 2 == 0 else -1]
        centers += [(k * gap_m, a, 60.0) for a in along]
        headings += [0.0 if k % 2 == 0 else 180.0] * per_strip
    placed = np.array(centers) + rng.normal(0.0, 0.5, (len(centers), 3))
    return Survey(placed, held(np.array(headings), -88.0, rng, roll_std=1.0))


def noisy(survey: Survey, rng: np.random.Generator, horizontal: float = 2.0, vertical: float = 6.0) -> Floats:
    return survey.in_enu + rng.normal(0.0, 1.0, survey.in_enu.shape) * np.array([horizontal, horizontal, vertical])


def model_of(survey: Survey) -> SparseModel:
    """The cameras as a component of a map; it has no points."""
    images = {
        name: MapImage(name, CAMERA, rotation, -rotation @ center, np.zeros(0, np.int64))
        for name, rotation, center in zip(survey.names, survey.cam_from_map, survey.in_map, strict=True)
    }
    return SparseModel(images, np.zeros((0, 3)), np.zeros(0, np.int64), 0.5)


def stated(
    survey: Survey, in_enu: Floats, datum: Literal["ellipsoid", "sea_level"] = "sea_level"
) -> dict[str, Position]:
    """What photographs at these places say, as degrees."""
    lat, lon, alt_m = geodetic_from_enu(in_enu, ORIGIN)
    return {
        name: Position(float(a), float(b), float(c), datum)
        for name, a, b, c in zip(survey.names, lat, lon, alt_m, strict=True)
    }
