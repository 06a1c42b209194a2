"""Altitudes against made landscapes: regions hold what they say, the doubt is what is elsewhere, and options matter."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geoloc_cli.cli.app import app
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import from_components, log_density, mass_within, sample
from geoloc_cli.geo.geoid import undulation_m
from geoloc_cli.priors.blocks import components_of
from geoloc_cli.priors.dem import grid_of
from geoloc_cli.priors.terrain import TerrainOptions, TerrainPrior, is_flown, kernel_of, sea_level_m
from geoloc_cli.registry import BackendSpec, create
from geoloc_cli.types import Altitude, Attitude, Belief, Photo, PriorGuess

if TYPE_CHECKING:
    from pathlib import Path

STEP = 1.0 / 400.0  # a cell is 278 m by some 190 m


def landscape(side: int, seed: int = 0) -> np.ndarray:
    """Hills of all sizes, some 1 500 m from the lowest to the highest."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    height = np.zeros((side, side))
    for _ in range(60):
        waves, way, phase = 2.0 ** rng.uniform(0, 4), rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)
        height += 250.0 / waves * np.cos(2 * np.pi * waves * (np.cos(way) * x + np.sin(way) * y) + phase)
    return height - height.min() + 20.0


def written(folder: Path, height_m: np.ndarray, west: float = 8.0, name: str = "dem.asc") -> str:
    rows = "\n".join(" ".join(f"{value:.2f}" for value in row) for row in height_m)
    head = f"ncols {height_m.shape[1]}\nnrows {height_m.shape[0]}\nxllcorner {west}\nyllcorner 47\ncellsize {STEP}\n"
    (folder / name).write_text(head + rows)
    return str(folder / name)


def at(alt_m: float, datum: Any = "sea_level", **more: Any) -> Photo:
    return Photo("photo.jpg", 400, 300, altitude=Altitude(alt_m, datum, "exif", **more))


def asked(prior: TerrainPrior, photo: Photo) -> tuple[Belief, PriorGuess]:
    answer = prior.believe(photo)
    assert answer is not None
    return answer


def plateaus(folder: Path, *height_m: float, **options: Any) -> TerrainPrior:
    """Plateaus of 8 by 8 cells side by side from west to east."""
    ground = np.concatenate([np.full((8, 8), height) for height in height_m], axis=1)
    return TerrainPrior(TerrainOptions(written(folder, ground), **options))


def shares(belief: Belief, count: int) -> np.ndarray:
    """Of the belief that is told, what is on each of so many plateaus."""
    told = np.zeros(count)
    for c in belief.components:
        told[int((c.lon - 8.0) / (8 * STEP))] += c.weight
    return told / told.sum()


def test_regions_hold_the_places_where_photos_were_taken(tmp_path: Path) -> None:
    """200 places drawn on a landscape, with the errors that are assumed: of a GPS, of the datum, of where one stands.

    Two standard errors of a share of 200 are 7 points at a half and 4 at nine tenths.
    """
    rng = np.random.default_rng(1)
    ground = landscape(96)
    prior = TerrainPrior(TerrainOptions(written(tmp_path, ground), most=100))
    (grid,) = prior.grids
    rank, told = [], []
    for _ in range(200):
        row, column = rng.integers(0, 96, 2)
        up = 1.6 if rng.random() < 0.85 else rng.exponential(20.0)
        off = rng.normal(0.0, 15.0) + (0.0 if rng.random() < 0.7 else float(undulation_m(47.1, 8.1)))
        belief, _ = asked(prior, at(ground[row, column] + up + off))
        told.append(1.0 - belief.spread)
        if not belief.components:  # so high or low that next to no ground of the model is
            continue
        ground_alone = from_components(belief.components)
        place = grid.places(np.array(row + 0.5), np.array(column + 0.5))
        drawn = log_density(ground_alone, *sample(ground_alone, 300, rng))
        rank.append(float((drawn > log_density(ground_alone, *place)).mean()))
    assert len(rank) >= 196
    for share, tolerance in ((0.5, 0.07), (0.7, 0.07), (0.9, 0.045)):
        assert np.mean(np.array(rank) <= share) == pytest.approx(share, abs=tolerance)
    assert np.mean(told) > 0.7


def test_the_doubt_is_as_large_as_what_is_elsewhere(tmp_path: Path) -> None:
    """Half of the photos from the model, half from the heights that people live at: what is told adds up to a half."""
    rng = np.random.default_rng(2)
    ground = landscape(64)
    prior = TerrainPrior(TerrainOptions(written(tmp_path, ground), doubt=0.5, most=8, above=0.0, ellipsoidal=0.0))
    told = {True: [], False: []}
    for i in range(200):
        inside = i % 2 == 0
        lived = rng.exponential(280.0) if rng.random() < 0.95 else rng.uniform(0.0, 10_000.0)
        alt_m = rng.choice(ground.ravel()) + 1.6 + rng.normal(0.0, 15.0) if inside else lived
        told[inside].append(1.0 - asked(prior, at(float(alt_m)))[0].spread)
    assert np.mean(told[True] + told[False]) == pytest.approx(0.5, abs=0.05)
    assert np.mean(told[True]) > np.mean(told[False]) + 0.2


def test_a_camera_may_stand_above_the_ground_and_not_below(tmp_path: Path) -> None:
    """Between two plateaus, each 45 m away: the lower one, by three to one; without storeys, both alike."""
    lower, _ = shares(asked(plateaus(tmp_path, 400.0, 490.0, ellipsoidal=0.0), at(445.0))[0], 2)
    assert lower > 0.75
    level, _ = shares(asked(plateaus(tmp_path, 400.0, 490.0, ellipsoidal=0.0, above=0.0), at(446.6))[0], 2)
    assert level == pytest.approx(0.5, abs=0.01)
    storey, _ = shares(asked(plateaus(tmp_path, 400.0, 490.0, above_m=5.0, ellipsoidal=0.0), at(445.0))[0], 2)
    assert 0.4 < storey < lower - 0.1


def test_what_the_altitude_counts_from_matters(tmp_path: Path) -> None:
    """Of three plateaus, 48 m apart as the ellipsoid is from the sea in the Alps."""
    heights = (504.0, 552.0, 600.0)
    known = plateaus(tmp_path, *heights, undulation_m=48.0, above=0.0, sigma_m=5.0)
    assert shares(asked(known, at(601.6, "ellipsoid"))[0], 3) == pytest.approx([0.0, 1.0, 0.0], abs=1e-3)
    assert shares(asked(known, at(601.6))[0], 3) == pytest.approx([0.0, 0.3, 0.7], abs=0.02)
    # EGM96 says 48.4 m there.
    modelled = plateaus(tmp_path, *heights, above=0.0, sigma_m=5.0)
    assert shares(asked(modelled, at(601.6, "ellipsoid"))[0], 3) == pytest.approx([0.0, 1.0, 0.0], abs=1e-3)
    assert shares(asked(modelled, at(601.6))[0], 3) == pytest.approx([0.0, 0.3, 0.7], abs=0.02)
    certain = plateaus(tmp_path, *heights, above=0.0, sigma_m=5.0, ellipsoidal=0.0)
    assert shares(asked(certain, at(601.6))[0], 3)[2] > 0.999


def test_the_sea_level_is_that_of_each_place_of_a_model(tmp_path: Path) -> None:
    """On ground of 500 m all the way along the equator, 400 m above the ellipsoid are about the south of India."""
    ground = np.full((4, 360), 500.0)
    rows = "\n".join(" ".join(map(str, row)) for row in ground.tolist())
    (tmp_path / "equator.asc").write_text(f"ncols 360\nnrows 4\nxllcorner -180\nyllcorner 2\ncellsize 1\n{rows}\n")
    prior = TerrainPrior(TerrainOptions(str(tmp_path / "equator.asc"), above=0.0))
    belief, _ = asked(prior, at(401.6, "ellipsoid", std_m=1.0))
    assert sum(c.weight for c in belief.components if 70.0 < c.lon < 88.0) > 0.8


@pytest.mark.parametrize(
    ("corner", "side", "zone"),
    [((48.0, 6.0), 1 / 120, 0), ((60.0, -25.0), 0.5, 0), ((5_400_000.0, 300_000.0), 1_000.0, 32)],
)
def test_the_sea_level_of_a_cell_is_egm96s_to_a_metre(
    tmp_path: Path, corner: tuple[float, float], side: float, zone: int
) -> None:
    grid = grid_of(np.zeros((70, 113)), *corner, side, side, zone, tmp_path)
    row, column = np.meshgrid(np.arange(70) + 0.5, np.arange(113) + 0.5, indexing="ij")
    off = sea_level_m(grid, math.nan) - undulation_m(*grid.places(row, column))
    assert np.abs(off).max() < 1.5
    assert math.sqrt(np.mean(off**2)) < 0.5
    assert np.array_equal(sea_level_m(grid, 47.5), [[47.5]])


def test_an_accuracy_that_is_stated_wins(tmp_path: Path) -> None:
    prior = plateaus(tmp_path, 500.0, 530.0, above=0.0, ellipsoidal=0.0)
    rough, sharp = (shares(asked(prior, at(501.6, std_m=std))[0], 2)[0] for std in (None, 4.0))
    assert 0.8 < rough < 0.95 < 0.999 < sharp


def test_a_drone_is_over_where_it_took_off(tmp_path: Path) -> None:
    """At 620 m, 110 m above where it started: the ground of 500 m; not knowing that, somewhere below."""
    heights = (500.0, 560.0, 620.0, 800.0)
    prior = plateaus(tmp_path, *heights, flown_sigma_m=15.0, ellipsoidal=0.0)
    started = at(620.0, above_start_m=110.0)
    assert shares(asked(prior, started)[0], 4)[0] > 0.85
    unstated = replace(at(620.0), attitude=Attitude(0.0, 0.0, 2.0, "dji"))
    assert is_flown(started)
    assert is_flown(unstated)
    assert is_flown(replace(at(620.0), make="DJI"))
    assert not is_flown(replace(at(620.0), make="Apple"))
    survey = plateaus(tmp_path, *heights, flown_sigma_m=15.0, ellipsoidal=0.0, flown=True)
    assert asked(survey, at(620.0))[0] == asked(prior, unstated)[0]
    flown, held = shares(asked(prior, unstated)[0], 4), shares(asked(prior, at(620.0))[0], 4)
    assert held[2] > 0.95
    assert flown[:2].sum() > 0.3
    assert max(flown[3], held[3]) < 1e-6
    wide = kernel_of(started.altitude, True, TerrainOptions("x"))  # type: ignore[arg-type]
    assert min(sigma for _, _, sigma in wide) == pytest.approx(math.hypot(40.0, 20.0))


@pytest.mark.parametrize("height", [0.0, 3.0, 420.0])
def test_flat_ground_tells_nothing_and_says_so(tmp_path: Path, height: float) -> None:
    belief, guess = asked(plateaus(tmp_path, height), at(height + 2.0))
    assert belief == Belief()
    assert (guess.lat, guess.lon, guess.radius_m) == (None, None, None)
    assert "as high nearly everywhere" in guess.rationale


def test_without_an_altitude_or_far_above_all_ground_it_says_why(tmp_path: Path) -> None:
    prior = TerrainPrior(TerrainOptions(written(tmp_path, landscape(32))))
    for photo, why in ((Photo("a.jpg", 4, 3), "states no altitude"), (at(10_500.0), "next to no ground")):
        belief, guess = asked(prior, photo)
        assert belief == Belief()
        assert why in guess.rationale


def test_the_sea_is_hardly_where_photos_are_taken(tmp_path: Path) -> None:
    """As large as the shore, and a twentieth as likely; a plain of the same height that is not quite flat is land."""
    belief, _ = asked(plateaus(tmp_path, 0.0, 3.0, 300.0), at(3.0))
    sea, shore, hill = shares(belief, 3)
    assert 0.03 < sea / shore < 0.2
    assert hill < 1e-6


def test_a_few_components_stand_for_a_landscape(tmp_path: Path) -> None:
    """No more than are asked for, which hold all of it, and two hills are told apart, also over two tiles."""
    y, x = np.mgrid[0:64, 0:64]
    hill = 1000.0 * np.exp(-((x - 16.0) ** 2 + (y - 40.0) ** 2) / 200.0)
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    written(tiles, hill, 8.0, "a.asc")
    written(tiles, hill, 9.0, "b.asc")
    prior = TerrainPrior(TerrainOptions(str(tiles), doubt=0.01))
    belief, guess = asked(prior, at(990.0))
    assert belief.spread < 0.05
    for west in (8.0, 9.0):
        assert mass_within(belief, 47.0 + 23.5 * STEP, west + 16.5 * STEP, 2_000.0) == pytest.approx(0.5, abs=0.05)
    assert guess.lat == pytest.approx(47.0 + 23.5 * STEP, abs=0.01)
    for most in (4, 50):
        grids = prior.grids
        masses = [np.random.default_rng(0).random(grid.height_m.shape) ** 8 for grid in grids]
        found = components_of(grids, masses, [np.ones((64, 64))] * 2, most)
        assert 2 <= len(found) <= most
        assert sum(c.weight for c in found) == pytest.approx(sum(mass.sum() for mass in masses))


@pytest.mark.parametrize(
    "wrong",
    [{"dem": ""}, {"doubt": 1}, {"ellipsoidal": 2}, {"above": -1}, {"sigma_m": 0}, {"undulation_m": 200}, {"most": 3}],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="dem=FILE" if "dem" in wrong else next(iter(wrong))):
        create("prior", BackendSpec("terrain", {"dem": "x", **wrong}))


def test_the_program_asks_it_of_an_altitude_without_a_place(tmp_path: Path) -> None:
    """And the place where it is told is the hill's top; together with `near` the top of the nearer of two."""
    y, x = np.mgrid[0:64, 0:64]
    hills = [1000.0 * np.exp(-((x - column) ** 2 + (y - 32.0) ** 2) / 100.0) for column in (12.0, 52.0)]
    dem = written(tmp_path, hills[0] + hills[1])
    image = Image.new("RGB", (64, 48))
    exif = image.getexif()
    exif.get_ifd(0x8825).update({5: b"\0", 6: 985.0})
    image.save(tmp_path / "photo.jpg", exif=exif)
    near = f"near={47 + 32 * STEP},{8 + 52 * STEP},5km"
    arguments = ["prior", str(tmp_path / "photo.jpg"), "--prior", f"terrain?dem={dem}", "--prior", near]
    done = CliRunner().invoke(app, [*arguments, "--workers", "1", "--quiet"])
    assert (done.exit_code, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert (record["status"], record["stage"]) == ("ok", "prior")
    assert record["lat"] == pytest.approx(47 + 31.5 * STEP, abs=2 * STEP)
    assert record["lon"] == pytest.approx(8 + 52.5 * STEP, abs=2 * STEP)
    assert "985 m by exif, so its ground is at 981 m" in record["priors"][0]["rationale"]


def test_a_grid_of_one_row_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 by 2"):
        grid_of(np.zeros((1, 5)), 48.0, 8.0, 0.1, 0.1, 0, tmp_path)
