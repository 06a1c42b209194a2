"""The pool of sources: it weighs what each has earned, keeps to what was named, and says how far it is off."""

from __future__ import annotations

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import fuse, log_density
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.priors.calibrate import Scales, coverage
from geoloc_cli.priors.pool import THRESHOLDS_M, Judge, Pool, fit_pool

N = 600


def made(seed: int, *widths_m: float, wrong: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Sources that err independently by a width, and with a chance lie anywhere: places (N, S, 2), truth (N, 2)."""
    rng = np.random.default_rng(seed)
    truth = np.stack([rng.uniform(-50, 60, N), rng.uniform(-170, 170, N)], axis=1)
    columns = []
    for width in widths_m:
        arc = np.abs(rng.normal(0, width, N))
        arc = np.where(rng.random(N) < wrong, rng.uniform(3e6, 1.5e7, N), arc)
        columns.append(np.stack(destination(truth[:, 0], truth[:, 1], rng.uniform(0, 360, N), arc), axis=-1))
    return np.stack(columns, axis=1), truth


def errors_of(pool: Pool, places: np.ndarray, truth: np.ndarray) -> np.ndarray:
    chosen, _ = pool.choose(places)
    best = places[np.arange(len(places)), chosen]
    return np.asarray(haversine_m(best[:, 0], best[:, 1], truth[:, 0], truth[:, 1]))


def hits(errors: np.ndarray) -> float:
    return float(np.mean(errors[:, None] <= np.array(THRESHOLDS_M)))


def test_the_pool_is_right_more_often_than_the_best_of_its_sources() -> None:
    pool = fit_pool(*made(1, 20e3, 50e3, 200e3, 200e3))
    places, truth = made(2, 20e3, 50e3, 200e3, 200e3)
    alone = haversine_m(places[:, 0, 0], places[:, 0, 1], truth[:, 0], truth[:, 1])
    # The first is wrong of 600 in a fifth; where it is, the three others outvote it.
    assert hits(errors_of(pool, places, truth)) > hits(alone) + 0.05


def test_what_was_not_learned_from_lies_within_the_stated_radii_as_often_as_stated() -> None:
    pool = fit_pool(*made(3, 20e3, 50e3, 200e3))
    places, truth = made(4, 20e3, 50e3, 200e3)
    _, agreeing = pool.choose(places)
    held = coverage(errors_of(pool, places, truth), [pool.by_agreement[count] for count in agreeing])
    assert held == pytest.approx([0.5, 0.7, 0.9], abs=0.06)  # 600 and 600 photographs: a standard error of 0.029


def test_agreement_makes_a_sharper_belief() -> None:
    pool = fit_pool(*made(5, 20e3, 20e3, 20e3))
    together = pool.believe([[[48.0, 2.0], [48.05, 2.0], [48.0, 2.05]]])[0]
    apart = pool.believe([[[48.0, 2.0], [10.0, 100.0], [-30.0, -60.0]]])[0]
    assert sum(c.weight for c in together.components if c.radius_m < 1e5) > 0.9
    assert together.spread < 0.1 < apart.spread + sum(c.weight for c in apart.components if c.radius_m > 1e6)


def test_two_copies_of_a_liar_are_found_out() -> None:
    rng = np.random.default_rng(6)
    lies = np.stack([rng.uniform(-60, 60, N), rng.uniform(-180, 180, N)], axis=1)[:, None]

    def lied(places: np.ndarray) -> np.ndarray:
        return np.concatenate([places, lies, lies], axis=1)

    learn, test = made(7, 20e3, 50e3, 50e3), made(8, 20e3, 50e3, 50e3)
    honest = hits(errors_of(fit_pool(*learn), *test))
    attacked = hits(errors_of(fit_pool(lied(learn[0]), learn[1]), lied(test[0]), test[1]))
    assert attacked > honest - 0.01


def test_with_all_exponents_one_the_score_is_that_of_the_product_of_beliefs() -> None:
    scales = (Scales((8e4,), (0.8,), 0.2), Scales((9e4,), (0.7,), 0.3), Scales((1e5,), (0.9,), 0.1))
    judge = Judge(scales, (1.0, 1.0, 1.0))
    pool = Pool(judge, judge, scales)
    rng = np.random.default_rng(9)
    places = np.stack([rng.normal(45, 0.2, (50, 3)), rng.normal(5, 0.3, (50, 3))], axis=-1)
    chosen, _ = pool.choose(places)
    assert len(set(chosen)) > 1
    for row, best in zip(places, chosen, strict=True):
        joined = fuse(fuse(*(s.about(*p) for s, p in zip(scales[:2], row[:2], strict=True))), scales[2].about(*row[2]))
        assert int(np.argmax(log_density(joined, row[:, 0], row[:, 1]))) == best


def test_a_source_that_says_nothing_is_passed_over() -> None:
    places, truth = made(10, 20e3, 50e3)
    places[::2, 0] = np.nan
    pool = fit_pool(places, truth)
    chosen, _ = pool.choose(places)
    assert set(chosen[::2]) == {1}
    nothing = np.full((1, 2, 2), np.nan)
    assert pool.choose(nothing)[0].tolist() == [-1]
    assert pool.believe(nothing)[0].spread == 1.0


def test_a_source_without_a_labelled_answer_is_refused() -> None:
    places, truth = made(11, 20e3, 50e3)
    places[:, 1] = np.nan
    with pytest.raises(UsageError, match="leave it out"):
        fit_pool(places, truth)
