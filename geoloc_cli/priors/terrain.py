"""The photo's altitude against an elevation model of yours: the ground that is as high as it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import credible_radius_m, from_components, mix
from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.geoid import undulation_m
from geoloc_cli.priors.blocks import components_of
from geoloc_cli.priors.dem import METRES_PER_DEG, Grid, Heights
from geoloc_cli.priors.dem_files import read_dem
from geoloc_cli.types import Altitude, Belief, Photo, PriorGuess

# The geoid is asked at one place for so many degrees of the model's cells: it rises by some 5 cm a kilometre.
_GEOID_DEG = 0.25
_EYES_M = 1.6
# The error of an elevation model itself: 90 % of SRTM's heights are within 9 m (Rodriguez et al. 2006).
_MODEL_M = 5.5
# Exponential heights, as so many of equal share.
_STEPS = 8
# Relief within a cell, in classes: heights are looked up in one table for each.
_RELIEF_M = np.array([0.0, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0, 400.0])
# A cell at 0 m without any relief is the sea in every model; a few photos are taken on it.
_SEA_SHARE = 0.05
# How high other places are from which photos come: half of mankind lives under 194 m (Cohen and Small 1998), the number
# falls exponentially, and a twentieth of all photos is from any height up to 10 km, mountains and aeroplanes.
_LIVED_M, _ANYWHERE, _HIGHEST_M = 280.0, 0.05, 10_000.0
# Under a tenth of the belief, or where the ground is told apart by less than a tenth of a nat, it says nothing.
_LEAST_TOLD = 0.1
# What is so much less likely than the likeliest adds nothing to any sum.
_NEGLIGIBLE = 1e-12
# How far the ground under a drone differs from where it took off.
_START_M = 20.0
_MAKERS = ("dji", "parrot", "autel", "skydio", "yuneec", "sensefly")
Kernel = list[tuple[float, float, float]]
"""Shares, and the mean and the standard deviation in metres of what is above the ground or beside the truth."""


@dataclass(frozen=True, slots=True)
class TerrainOptions:
    """Options of `terrain`.

    `dem` is the elevation model: a file (.hgt, .asc, .tif), or a folder of tiles. `doubt` is the share of photos from
    elsewhere, before the altitude is looked at. `sigma_m` is the standard deviation of the altitude where the file does
    not state an accuracy: 15 m, of a phone's GPS (7.7 m by satellites in the open, 95 % within 15 m by the GPS Standard
    Positioning Service of 2008; twice that between houses and hills), and of the model's own 5.5 m.

    `undulation_m` is how high the sea level lies above the ellipsoid there (48 in the Alps, -30 in New York); NaN is
    what EGM96 says of each place. Altitudes from the ellipsoid need it, and some that are said to count from the sea
    level do: phones write what their GPS gives, and `ellipsoidal` is the share of them.

    A camera stands `above_m` over the ground with the share `above`: on a storey, a tower, a bridge; exponentially, so
    that some tens of metres are not excluded. `flown_m` is the same of a drone that does not state its height above
    where it took off, and `flown_sigma_m` the deviation of its altitude, a barometer's that nobody set; `flown` says so
    of all photos, as of a survey's, whose camera does not know.
    """

    dem: str = ""
    doubt: float = 0.2
    sigma_m: float = 15.0
    undulation_m: float = math.nan
    ellipsoidal: float = 0.3
    above: float = 0.15
    above_m: float = 20.0
    flown: bool = False
    flown_m: float = 60.0
    flown_sigma_m: float = 40.0
    most: int = 200

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if not 0.0 < self.doubt < 1.0:
            raise UsageError(f"doubt is {self.doubt}; give a share between 0 and 1.")
        for name in ("ellipsoidal", "above"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name} is {getattr(self, name)}; give a share from 0 to 1.")
        for name in ("sigma_m", "above_m", "flown_m", "flown_sigma_m"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name)}; give a length above 0.")
        if abs(self.undulation_m) > 120.0:
            raise UsageError(f"undulation_m is {self.undulation_m}; the sea level is within 110 m of the ellipsoid.")
        if not 4 <= self.most <= 512:
            raise UsageError(f"most is {self.most}; give from 4 to 512 components.")


class TerrainPrior:
    """Where the ground of an elevation model is as high as the photo was taken."""

    name = "terrain"

    def __init__(self, options: TerrainOptions | None = None) -> None:
        """Raises UsageError where no model is named, or it cannot be read."""
        self.options = options or TerrainOptions()
        self.options.check()
        if not self.options.dem:
            raise UsageError("prior 'terrain' needs an elevation model; give terrain?dem=FILE or a folder of tiles.")
        self.grids = read_dem(Path(self.options.dem))
        self._areas = [_area(grid) for grid in self.grids]
        self._whole = sum(float(area.sum()) for area in self._areas)
        self._seas_m = [sea_level_m(grid, self.options.undulation_m) for grid in self.grids]
        every = np.concatenate([sea.ravel() for sea in self._seas_m]).astype(np.float64)
        self._sea_m, self._sea_std_m = float(every.mean()), float(every.std())

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """An even belief, and the reason why, where the photo has no altitude or the ground does not tell."""
        altitude = photo.altitude
        if altitude is None:
            return self._nothing("the photo states no altitude")
        kernel = kernel_of(altitude, self.options.flown or is_flown(photo), self.options)
        wrong = 1.0 if altitude.datum == "ellipsoid" else self.options.ellipsoidal
        sea_m, sea_std_m = (self._sea_m, self._sea_std_m) if wrong == 1.0 else (0.0, 0.0)
        ground_m, std_m = altitude.alt_m - _mean(kernel) - sea_m, math.hypot(_std(kernel), sea_std_m)
        said = f"{altitude.alt_m:.0f} m by {altitude.source}, so its ground is at {ground_m:.0f} m +- {std_m:.0f} m"
        if 0.0 < wrong < 1.0:
            said += f", or at {ground_m - self._sea_m:.0f} m if that is from the ellipsoid"
        likely = []
        for grid, sea, area in zip(self.grids, self._seas_m, self._areas, strict=True):
            counted = ((1.0 - wrong, grid.height_m), (wrong, grid.height_m + sea))
            parts = [share * _likelihood(grid, up, altitude.alt_m, kernel) for share, up in counted if share]
            likely.append(sum(parts[1:], parts[0]) * area)
        inside = sum(float(part.sum()) for part in likely) / self._whole
        here = (1.0 - self.options.doubt) * inside
        here /= here + self.options.doubt * _elsewhere(altitude.alt_m)
        if here < _LEAST_TOLD:
            return self._nothing(f"{said}: next to no ground of the model is so high")
        masses = [part / (inside * self._whole) for part in likely]
        if _told(masses, self._areas, self._whole) < _LEAST_TOLD:
            return self._nothing(f"{said}: the ground of the model is as high nearly everywhere")
        ground = from_components(components_of(self.grids, masses, self._areas, self.options.most))
        best = max(ground.components, key=lambda c: c.weight)
        radius_m = credible_radius_m(ground, best.lat, best.lon)
        belief = mix([(ground, here), (Belief(), 1.0 - here)])
        said += f": {_likelier(masses, self._areas, self._whole):.0%} of the model's ground is so high"
        return belief, PriorGuess(self.name, best.lat, best.lon, radius_m, said)

    def _nothing(self, why: str) -> tuple[Belief, PriorGuess]:
        return Belief(), PriorGuess(self.name, None, None, None, why)


def is_flown(photo: Photo) -> bool:
    """Whether a drone took it, by what it writes of itself or by its maker."""
    written = photo.attitude is not None and photo.attitude.source == "dji"
    started = photo.altitude is not None and photo.altitude.above_start_m is not None
    return written or started or (photo.make or "").lower().startswith(_MAKERS)


def kernel_of(altitude: Altitude, flown: bool, options: TerrainOptions) -> Kernel:
    """What a stated altitude is above the ground under the camera: by its error, and the camera's stand."""
    sigma = math.hypot(altitude.std_m, _MODEL_M) if altitude.std_m else options.sigma_m
    if flown:
        sigma = max(sigma, options.flown_sigma_m)
    if altitude.above_start_m is not None:
        place = [(1.0, altitude.above_start_m, _START_M)]
    elif flown:
        place = _exponential(1.0, options.flown_m)
    else:
        place = [(1.0 - options.above, _EYES_M, 0.0), *_exponential(options.above, options.above_m)]
    return [(share, up, math.hypot(sigma, wide)) for share, up, wide in place if share > 0.0]


def sea_level_m(grid: Grid, stated_m: float) -> Heights:
    """How far the sea is above the ellipsoid, of a shape that broadcasts to the cells': as stated, or by EGM96."""
    if not math.isnan(stated_m):
        return np.full((1, 1), stated_m, np.float32)
    degree = METRES_PER_DEG if grid.zone else 1.0
    rows, columns = grid.height_m.shape
    down, right = (max(1, int(_GEOID_DEG * degree / side)) for side in (grid.down, grid.right))
    row = np.minimum(np.arange(0, rows, down) + down / 2.0, float(rows))
    column = np.minimum(np.arange(0, columns, right) + right / 2.0, float(columns))
    lat, lon = grid.places(*np.meshgrid(row, column, indexing="ij"))
    sea = undulation_m(np.clip(lat, -90.0, 90.0), lon).astype(np.float32)
    return sea.repeat(down, axis=0).repeat(right, axis=1)[:rows, :columns]


def _exponential(share: float, mean_m: float) -> Kernel:
    """Heights at the middle of as many equal shares; the longest is 2.8 times the mean."""
    return [(share / _STEPS, -mean_m * math.log1p(-(i + 0.5) / _STEPS), 0.0) for i in range(_STEPS)]


def _mean(kernel: Kernel) -> float:
    return sum(share * shift for share, shift, _ in kernel)


def _std(kernel: Kernel) -> float:
    return math.sqrt(sum(share * (shift**2 + sigma**2) for share, shift, sigma in kernel) - _mean(kernel) ** 2)


def _likelihood(grid: Grid, height_m: Heights, alt_m: float, kernel: Kernel) -> Floats:
    """The density of the altitude, per metre, of each cell (rows, columns); 0 where its height is unknown.

    height_m: of each cell, from what the altitude counts from.
    """
    known = np.isfinite(height_m)
    height = np.where(known, height_m, 0.0).astype(np.float64)
    low = math.floor(float(height.min()))
    at = low + np.arange(math.ceil(float(height.max())) - low + 2.0)
    which = np.searchsorted((_RELIEF_M[1:] + _RELIEF_M[:-1]) / 2.0, grid.relief_m)
    tables = np.zeros((len(_RELIEF_M), len(at)))
    for table, relief in zip(tables, _RELIEF_M.tolist(), strict=True):
        for share, shift, sigma in kernel:
            table += share * _normal(alt_m - at - shift, math.hypot(sigma, relief))
    tables[tables < _NEGLIGIBLE * tables.max()] = 0.0
    likely: Floats = np.where(known, tables[which, np.rint(height - low).astype(np.int64)], 0.0)
    return likely


def _normal(off: Floats, sigma: float) -> Floats:
    density: Floats = np.exp(-0.5 * (off / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
    return density


def _elsewhere(alt_m: float) -> float:
    """The density, per metre, of a photo's altitude anywhere on the Earth."""
    lived = math.exp(-max(alt_m, 0.0) / _LIVED_M) / _LIVED_M
    return (1.0 - _ANYWHERE) * lived + _ANYWHERE / _HIGHEST_M


def _area(grid: Grid) -> Floats:
    """What share of photos is from each cell before anything is known: its square metres, less on the sea."""
    down_m, across_m = grid.cell_m(np.arange(0.5, len(grid.height_m)))
    ground = np.where((grid.height_m == 0.0) & (grid.relief_m == 0.0), _SEA_SHARE, 1.0) * np.isfinite(grid.height_m)
    area: Floats = ground * (down_m * across_m)[:, None]
    return area


def _told(masses: list[Floats], areas: list[Floats], whole: float) -> float:
    """The relative entropy of the cells in nats, against all of the ground alike."""
    told = 0.0
    for mass, area in zip(masses, areas, strict=True):
        some = mass > 0.0
        told += float(mass[some] @ np.log(mass[some] / area[some] * whole))
    return told


def _likelier(masses: list[Floats], areas: list[Floats], whole: float) -> float:
    """The share of the ground that is likelier than before."""
    return sum(float(area[mass * whole > area].sum()) for mass, area in zip(masses, areas, strict=True)) / whole
