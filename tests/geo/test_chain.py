"""The hidden Markov model of an album: held against all paths counted one by one, and against sums done by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.chain import Chain, Evidence
from geoloc_cli.geo.earth import EARTH_RADIUS_M, destination, unit_vectors
from geoloc_cli.geo.travel import MODES, SPEEDS_M_S, Travel, travel

HERE = (59.95, 24.5)
Said = list[tuple[float, float, float]]  # metres to the east, standard deviation in metres, share


def evidence(photos: list[Said], time: list[float], at: tuple[float, float] = HERE) -> Evidence:
    rows = np.array([row for photo in photos for row in photo]).reshape(-1, 3)
    lat, lon = destination(at[0], at[1], 90.0, rows[:, 0])
    doubt = [1.0 - sum(row[2] for row in photo) for photo in photos]
    first = np.cumsum([0, *map(len, photos)])
    with np.errstate(divide="ignore"):
        logs = np.log(rows[:, 2]), np.log(np.array(doubt))
    return Evidence(first, unit_vectors(lat, lon), rows[:, 1] ** 2, *logs, np.array(time))


def one_speed(speed: float, area_m2: float = 1e8, strange: float = 1e-3) -> Travel:
    return Travel(np.array([speed]), np.ones(1), area_m2, 1e9, strange)


def all_paths(one: Evidence, way: Travel) -> list[tuple[tuple[int, ...], float]]:
    """Every path and its weight: anchors and wide components as the module says."""
    chain, n = Chain(one, way), len(one.time)
    choices = [[*range(one.first[i], one.first[i + 1]), -1] for i in range(n)]
    found = []
    for path in itertools.product(*choices):
        log, anchor, since = 0.0, -1, 0.0
        for i, k in enumerate(path):
            log += one.log_doubt[i] if k < 0 else one.log_weight[k]
            if k < 0:
                continue
            wide = False
            if anchor >= 0:
                log += float(chain.links(np.array(anchor), np.array(k)))
                known = one.variance[anchor] + way.usual_variance(one.time[i] - since)
                wide = bool(one.variance[k] > known)
            if not wide:
                anchor, since = k, one.time[i]
        found.append((path, math.exp(log)))
    return found


def random_chain(seed: int, n: int) -> tuple[Evidence, Travel]:
    rng = np.random.default_rng(seed)
    photos = []
    for _ in range(n):
        k = int(rng.integers(0, 4))
        shares = rng.dirichlet(np.ones(k + 1))
        photos.append([(float(rng.normal(0, 300)), float(rng.uniform(3, 9)), float(s)) for s in shares[:k]])
    time = np.cumsum(rng.uniform(5.0, 200.0, n)).tolist()
    return evidence(photos, time), replace(travel("auto", 1e7, 3600.0), strange=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_both_passes_agree_with_all_paths_counted_one_by_one(seed: int) -> None:
    one, way = random_chain(seed, n=4)
    paths = all_paths(one, way)
    total = sum(weight for _, weight in paths)
    chain = Chain(one, way)
    for i, shares in enumerate(chain.shares()):
        k = [*range(one.first[i], one.first[i + 1]), -1]
        counted = [sum(weight for path, weight in paths if path[i] == each) / total for each in k]
        assert shares.own == pytest.approx(counted, rel=1e-9, abs=1e-15)
    best = max(paths, key=lambda pair: pair[1])[0]
    assert tuple(chain.best_path()) == best


def test_two_photographs_by_hand() -> None:
    # Two names for the first photograph, 0 and 1000 m, even; the second is sure of 0 m, 10 s later. At 10 m/s on an
    # axis, with 3 m of sway and 4 m for both places, s^2 = 100^2 + 9 + 32; area 1e8 m^2; one pair in 1000 strange.
    one = evidence([[(0.0, 4.0, 0.45), (1000.0, 4.0, 0.45)], [(0.0, 4.0, 0.9)]], [0.0, 10.0])
    s2 = 100.0**2 + 9.0 + 32.0
    near = 0.999 * 1e8 / (2.0 * math.pi * s2) + 0.001
    far = 0.999 * 1e8 / (2.0 * math.pi * s2) * math.exp(-(1000.0**2) / (2.0 * s2)) + 0.001
    # Paths: (0, 0), (1000, 0), (neither, 0), (0, no), (1000, no), (neither, no).
    weights = [0.45 * 0.9 * near, 0.45 * 0.9 * far, 0.1 * 0.9, 0.45 * 0.1, 0.45 * 0.1, 0.1 * 0.1]
    total = sum(weights)
    first, second = Chain(one, one_speed(10.0)).shares()
    expected = [(weights[0] + weights[3]) / total, (weights[1] + weights[4]) / total, (weights[2] + weights[5]) / total]
    assert first.own == pytest.approx(expected, rel=1e-5)
    assert second.own[0] == pytest.approx(sum(weights[:3]) / total, rel=1e-5)
    assert Chain(one, one_speed(10.0)).best_path().tolist() == [0, 2]


def test_a_gap_without_end_leaves_every_answer_as_it_was() -> None:
    one, way = random_chain(5, n=5)
    far = replace(one, time=np.arange(5) * 1e6)
    for i, shares in enumerate(Chain(far, way).shares()):
        own = np.exp(np.append(one.log_weight[one.first[i] : one.first[i + 1]], one.log_doubt[i]))
        assert shares.own == pytest.approx(own, abs=1e-12)


def test_ambiguity_is_resolved_across_the_antimeridian() -> None:
    # Places 30 m on either side of 180 degrees are neighbours; the other name of the second photograph is 40 km off.
    photos: list[Said] = [[(-30.0, 5.0, 0.98)], [(30.0, 5.0, 0.45), (40_000.0, 5.0, 0.53)], [(60.0, 5.0, 0.98)]]
    crossing = evidence(photos, [0.0, 40.0, 80.0], at=(-17.0, 180.0))
    elsewhere = evidence(photos, [0.0, 40.0, 80.0])
    shares = [list(Chain(one, travel("walk", 1e9)).shares())[1].own for one in (crossing, elsewhere)]
    assert shares[0][0] > 0.99
    assert shares[0] == pytest.approx(shares[1], rel=1e-4)


def test_one_that_is_sure_and_wrong_does_not_drag_the_others() -> None:
    walk: list[Said] = [[(12.0 * i, 6.0, 0.97)] for i in range(9)]
    walk[4] = [(5000.0, 6.0, 0.99)]
    ambiguous: Said = [(36.0, 6.0, 0.48), (4990.0, 6.0, 0.5)]
    walk[3] = ambiguous
    one = evidence(walk, [10.0 * i for i in range(9)])
    own = [shares.own for shares in Chain(one, travel("auto", 1e8)).shares()]
    assert own[4][0] < 0.01
    assert own[3][0] > 0.98
    assert min(own[i][0] for i in (0, 1, 2, 5, 6, 7, 8)) > 0.99


def test_a_country_does_not_make_a_street_forgotten() -> None:
    # Sharp, "this country" (100 km), then one of two look-alikes 3 km apart: the first decides across the second.
    photos: list[Said] = [[(0.0, 6.0, 0.99)], [(20_000.0, 1e5, 0.99)], [(50.0, 6.0, 0.45), (3000.0, 6.0, 0.54)]]
    one = evidence(photos, [0.0, 30.0, 60.0])
    _, wide, last = Chain(one, travel("walk", 1e12)).shares()
    assert last.own[0] > 0.99
    assert wide.own[0] > 0.9


@pytest.mark.parametrize(
    ("mode", "metres", "linked"), [("walk", 700, False), ("drive", 700, True), ("fly", 6000, True)]
)
def test_a_speed_is_a_limit(mode: str, metres: float, linked: bool) -> None:
    # 30 s: nobody walks 700 m, cars do, and jets 6 km.
    rise = np.array(1.0 - math.cos(metres / EARTH_RADIUS_M))
    ratio = travel(mode, 1e10).log_ratio(rise, np.array(200.0), np.array(30.0))
    assert (ratio > math.log(10.0)) == linked


def test_shares_of_every_mode_are_of_one_and_an_unknown_word_is_refused() -> None:
    for mode in MODES:
        assert travel(mode).share.sum() == pytest.approx(1.0)
        assert len(travel(mode).share) == len(SPEEDS_M_S)
    with pytest.raises(UsageError, match="give one of auto, walk"):
        travel("teleport")


def test_few_anchors_do_for_a_long_chain() -> None:
    # 150 photographs of 12 places each, one of them on the walk: 32 anchors find what 200 do.
    rng = np.random.default_rng(3)
    photos = []
    for i in range(150):
        shares = rng.dirichlet(np.ones(12)) * 0.95
        places = rng.uniform(-5000, 5000, 12)
        places[rng.integers(12)] = 12.0 * i
        photos.append([(float(x), 8.0, float(s)) for x, s in zip(places, shares, strict=True)])
    one, way = evidence(photos, [10.0 * i for i in range(150)]), travel("walk", 1e8)
    assert np.array_equal(Chain(one, way, keep=32).best_path(), Chain(one, way, keep=200).best_path())
