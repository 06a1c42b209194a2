"""The way through what photographs say of their places: ways of known truth, made with seeds, are recovered."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.geo.motion import Motion, learn
from geoloc_cli.geo.smoother import smooth, without
from geoloc_cli.geo.track import Point, Sighting, Track, track

R90 = math.sqrt(-2.0 * math.log(0.1))


def wandering(rng: np.random.Generator, time_s: np.ndarray, motion: Motion) -> np.ndarray:
    """A way drawn from the motion itself, (n, 2) metres."""
    place, velocity = np.zeros(2), rng.normal(0.0, motion.speed, 2)
    out = [place]
    for dt in np.diff(time_s):
        transition, extra = motion.step(float(dt))
        noise = np.linalg.cholesky(extra + 1e-12 * np.eye(2)) @ rng.normal(size=(2, 2))
        place = place + transition[0, 1] * velocity + noise[0]
        velocity = transition[1, 1] * velocity + noise[1]
        out.append(place)
    return np.array(out)


def streets(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    """A walker on a grid of streets: straight at 1.4 m/s for 40 to 120 m, a stop of 0 to 20 s, a turn or none."""
    place, heading = np.zeros(2), rng.integers(4) * np.pi / 2
    knots, places = [0.0], [place]
    while knots[-1] < time_s[-1]:
        length = rng.uniform(40.0, 120.0)
        place = place + length * np.array([np.cos(heading), np.sin(heading)])
        knots += [knots[-1] + length / 1.4]
        places.append(place)
        knots.append(knots[-1] + rng.uniform(0.1, 20.0))
        places.append(place)
        heading += rng.choice([-1, 0, 1]) * np.pi / 2
    table = np.array(places)
    return np.stack([np.interp(time_s, knots, table[:, axis]) for axis in (0, 1)], axis=1)


def furrows(time_s: np.ndarray) -> np.ndarray:
    """A drone over a field at 6 m/s: furrows of 200 m, 30 m apart."""
    along = 6.0 * time_s
    row, rest = np.divmod(along, 230.0)
    up = row % 2 == 0
    east = np.where(rest < 200.0, rest, 200.0)
    return np.stack([np.where(up, east, 200.0 - east), 30.0 * row + np.maximum(rest - 200.0, 0.0)], axis=1)


def said(place: np.ndarray, sigma_m: float, weight: float = 0.98) -> Sighting:
    dims = len(place)
    return Sighting(place[None], sigma_m**2 * np.eye(dims)[None], np.array([weight]), 1.0 - weight)


def radius_m(point: Point) -> float:
    assert point.covariance is not None
    return R90 * math.sqrt(float(np.linalg.eigvalsh(point.covariance)[-1]))


def errors_m(found: Track, true: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.norm(p.position - x) for p, x in zip(found.points, true, strict=True)])


def world(kind: str, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    if kind == "furrows":
        time_s = np.cumsum(rng.uniform(4.0, 9.0, n))
        return time_s, furrows(time_s)
    time_s = np.cumsum(rng.uniform(3.0, 15.0, n))
    if kind == "streets":
        return time_s, streets(rng, time_s)
    return time_s, wandering(rng, time_s, Motion(rng.uniform(0.5, 3.0), rng.uniform(10.0, 100.0), 0.0))


@pytest.mark.parametrize("kind", ["wandering", "streets", "furrows"])
@pytest.mark.parametrize("timed", [True, False])
def test_nine_in_ten_true_places_lie_inside_the_radius(kind: str, timed: bool) -> None:
    """With the motion learned from the same noisy places, whether or not it moves as the model does."""
    used, bridged, sharper, refused = [], [], [], 0
    for seed in range(12):
        rng = np.random.default_rng([7, seed])
        time_s, true = world(kind, rng, 60)
        sigma = rng.uniform(3.0, 12.0, len(true))
        noisy = true + rng.normal(size=true.shape) * sigma[:, None]
        gap = {3, 10, 11, *range(20, 25), *range(40, 43)}
        sightings = [None if i in gap else said(noisy[i], sigma[i]) for i in range(len(true))]
        found = track(sightings, time_s if timed else None)
        error = errors_m(found, true)
        refused += sum(point.state == "refused" for point in found.points)
        for i, point in enumerate(found.points):
            (bridged if i in gap else used).append(error[i] <= radius_m(point))
            if i not in gap:
                sharper.append((error[i], np.linalg.norm(noisy[i] - true[i])))
    # 132 bridged places, in runs that are not independent: a share of 0.9 comes out between 0.84 and 0.96.
    assert np.mean(bridged) >= 0.86
    assert np.mean(used) >= 0.9
    assert refused <= 3  # of 588 places, none of which is worse than its own radius says
    # A drone makes 40 m between two photographs that are each known to 8 m: little can be won there.
    after, before = np.array(sharper).T
    assert np.median(after) < (0.95 if kind == "furrows" else 0.8) * np.median(before)


def test_errors_that_neighbours_share_are_not_averaged_away() -> None:
    """Half of each variance is an error that drifts over a minute, as a receiver's does."""
    inside = []
    for seed in range(12):
        rng = np.random.default_rng([8, seed])
        time_s = np.arange(60) * 5.0
        true = streets(rng, time_s)
        drift = np.zeros((60, 2))
        for k in range(60):
            fresh = rng.normal(size=2) * 8.0 * math.sqrt(0.5)
            drift[k] = fresh if k == 0 else 0.92 * drift[k - 1] + math.sqrt(1 - 0.92**2) * fresh
        noisy = true + drift + rng.normal(size=true.shape) * 8.0 * math.sqrt(0.5)
        found = track([said(place, 8.0) for place in noisy], time_s)
        inside += list(errors_m(found, true) <= [radius_m(point) for point in found.points])
    assert np.mean(inside) >= 0.88


def test_wrong_places_are_refused_and_do_not_drag_the_way() -> None:
    """Another street, another town, another continent, and two wrong ones in a row, each as sure as the others."""
    rng = np.random.default_rng(1)
    time_s = np.arange(60) * 5.0
    true = streets(rng, time_s)
    noisy = true + rng.normal(0.0, 8.0, true.shape)
    clean = track([said(place, 8.0) for place in noisy], time_s)
    off = {8: (0.0, 150.0), 20: (4e4, -2e4), 30: (9e6, 1e6), 45: (300.0, 300.0), 46: (-900.0, 100.0)}
    sightings = [said(noisy[i] + np.array(off.get(i, (0.0, 0.0))), 8.0) for i in range(60)]
    for times in (time_s, None):
        found = track(sightings, times)
        assert {i for i, point in enumerate(found.points) if point.state == "refused"} == set(off)
        error = errors_m(found, true)
        for i in off:
            assert error[i] <= radius_m(found.points[i])
            assert radius_m(found.points[i]) < 40.0
        # A neighbour loses the help of the refused one, and no more.
        assert np.abs(error - errors_m(clean, true)).max() < 15.0
        assert all(point.doubt < 0.05 for point in found.points)


def test_the_right_one_of_several_hypotheses_is_chosen() -> None:
    """Twins of each place stand 80 m or 3 km away; at a third of the photographs the twin weighs more."""
    rng = np.random.default_rng(2)
    time_s = np.arange(45) * 6.0
    true = streets(rng, time_s)
    sightings = []
    for i, place in enumerate(true + rng.normal(0.0, 5.0, true.shape)):
        turned = rng.uniform(0.0, 2.0 * np.pi)
        twin = place + (80.0 if i % 2 else 3000.0) * np.array([np.cos(turned), np.sin(turned)])
        weight = np.array([0.3, 0.6]) if i % 3 == 0 else np.array([0.6, 0.3])
        sightings.append(Sighting(np.array([place, twin]), np.stack([25.0 * np.eye(2)] * 2), weight, 0.1))
    found = track(sightings, time_s)
    assert [point.hypothesis for point in found.points] == [0] * 45
    assert [point.state for point in found.points] == ["used"] * 45


def test_the_radius_grows_with_the_gap_until_nothing_is_said() -> None:
    rng = np.random.default_rng(3)
    start = np.arange(20) * 5.0
    radii = []
    for gap_s in (10.0, 30.0, 60.0, 100.0, 1000.0):
        time_s = np.concatenate([start, [start[-1] + gap_s / 2], start[-1] + gap_s + start])
        true = wandering(np.random.default_rng(3), time_s, Motion(1.4, 30.0, 0.0))
        sightings: list[Sighting | None] = [said(x, 5.0) for x in true + rng.normal(0.0, 5.0, true.shape)]
        sightings[20] = None
        point = track(sightings, time_s).points[20]
        assert (point.before, point.after) == (19, 21)
        radii.append(None if point.position is None else radius_m(point))
    known = [radius for radius in radii[:4] if radius is not None]
    assert len(known) == 4
    assert np.all(np.diff(known) > 0.0)
    # The motion was seen to hold for 40 s, that is eight photographs: a quarter of an hour is beyond what it tells.
    assert radii[4] is None


def test_a_journey_begins_a_new_leg_and_nobody_is_placed_between() -> None:
    """A walk, three hours on a train, and a walk in a town 300 km away: all is right, and the train is not walked."""
    rng = np.random.default_rng(4)
    first, second = np.arange(15) * 5.0, 3 * 3600.0 + np.arange(15) * 5.0
    time_s = np.concatenate([first, [5400.0], second])
    true = np.concatenate(
        [streets(rng, first), [[1.5e5, 0.0]], streets(rng, second - second[0]) + np.array([3e5, 0.0])]
    )
    sightings: list[Sighting | None] = [said(x, 6.0) for x in true + rng.normal(0.0, 6.0, true.shape)]
    sightings[15] = None
    found = track(sightings, time_s)
    assert [p.state for p in found.points] == ["used"] * 15 + ["absent"] + ["used"] * 15
    assert found.points[15].position is None
    assert (found.points[14].after, found.points[16].before) == (None, None)
    assert found.motion is not None
    assert found.motion.speed < 4.0


def test_a_stated_speed_refuses_what_a_learned_one_allows() -> None:
    """Four photographs, one of them 50 m on in 20 s: a run, or wrong for somebody who walks at 1 m/s at most."""
    places = [np.array([0.0, 0.0]), np.array([15.0, 0.0]), np.array([65.0, 0.0]), np.array([45.0, 0.0])]
    sightings = [said(place, 3.0) for place in places]
    time_s = np.arange(4) * 20.0
    assert [point.state for point in track(sightings, time_s).points] == ["used"] * 4
    states = [point.state for point in track(sightings, time_s, max_speed=1.0).points]
    assert states == ["used", "used", "refused", "used"]


def test_where_two_contradict_each_other_neither_is_refused() -> None:
    one, other = said(np.zeros(2), 5.0), said(np.array([5e5, 0.0]), 5.0)
    assert [p.state for p in track([one, other], np.array([0.0, 10.0])).points] == ["unsure", "unsure"]
    assert [p.state for p in track([one, other, one], np.array([0.0, 10.0, 20.0])).points] == [
        "used",
        "refused",
        "used",
    ]


def test_a_precise_place_is_not_moved_by_vague_neighbours() -> None:
    rng = np.random.default_rng(5)
    time_s = np.arange(30) * 5.0
    true = streets(rng, time_s)
    sigma = np.where(np.arange(30) % 5 == 0, 0.1, 8.0)
    noisy = true + rng.normal(size=true.shape) * sigma[:, None]
    found = track([said(place, s) for place, s in zip(noisy, sigma, strict=True)], time_s)
    moved = [np.linalg.norm(p.position - place) for p, place in zip(found.points, noisy, strict=True)]
    assert max(moved[::5]) < 0.05
    assert max(radius_m(point) for point in found.points[::5]) < 0.25


def test_odd_sequences_work() -> None:
    here = said(np.zeros(2), 5.0)
    assert track([]).points == ()
    assert [p.state for p in track([None, None]).points] == ["absent", "absent"]
    alone = track([None, here, None], np.array([0.0, 5.0, 10.0]))
    assert [p.state for p in alone.points] == ["absent", "used", "absent"]
    assert alone.points[0].position is None  # one place tells of no motion
    assert radius_m(alone.points[1]) == pytest.approx(R90 * 5.0)
    # With a speed stated, one place bounds the others: 1 m/s on each axis for 5 s, and its own noise.
    stated = track([None, here, None], np.array([0.0, 5.0, 10.0]), max_speed=2.0)
    assert radius_m(stated.points[0]) == pytest.approx(radius_m(stated.points[2]))
    assert radius_m(stated.points[0]) == pytest.approx(R90 * math.sqrt(1.3 * (25.0 + 12.5) + 12.5), rel=0.03)
    # The same instant, and the same photograph twice.
    twice = track([here, here, said(np.array([7.0, 0.0]), 5.0)], np.array([0.0, 0.0, 5.0]), clock_std_s=0.3)
    assert [p.state for p in twice.points] == ["used"] * 3
    together = track([here, None, here], np.zeros(3))
    assert [p.state for p in together.points] == ["used", "absent", "used"]
    with pytest.raises(ValueError, match="order of time"):
        track([here, here], np.array([1.0, 0.0]))


def test_three_dimensions_work_alike() -> None:
    rng = np.random.default_rng(6)
    true = np.column_stack([furrows(np.arange(20) * 5.0), 70.0 + rng.normal(0.0, 1.0, 20)])
    sightings: list[Sighting | None] = [said(x, 4.0) for x in true + rng.normal(0.0, 4.0, true.shape)]
    sightings[7], sightings[12] = None, said(true[12] + [0.0, 0.0, 500.0], 4.0)
    found = track(sightings, np.arange(20) * 5.0)
    assert found.points[12].state == "refused"
    assert errors_m(found, true).max() < 25.0


def test_the_motion_is_learned_although_a_fifth_of_the_places_is_wrong() -> None:
    rng = np.random.default_rng(9)
    time_s = np.arange(200) * 4.0
    true = Motion(1.2, 40.0, 0.0)
    places = wandering(rng, time_s, true)
    places[rng.random(200) < 0.2] += rng.uniform(-5e4, 5e4, 2)
    found = learn(places, np.full(200, 1.0), time_s, in_seconds=True)
    # What counts is how far it thinks that the camera gets.
    for dt in (4.0, 30.0):
        assert 0.6 < math.sqrt(float(found.variance(dt) / true.variance(dt))) < 1.6


def test_a_step_is_consistent_with_many_small_ones() -> None:
    """F and Q of one step are those of a thousand, from far below the persistence (the series) to far beyond it."""
    for dt in (1e-3, 0.05, 10.0, 3000.0):
        motion = Motion(1.3, 50.0, 0.0)
        transition, extra = motion.step(dt)
        small, noise = motion.step(dt / 1000.0)
        f, q = np.eye(2), np.zeros((2, 2))
        for _ in range(1000):
            f, q = small @ f, small @ q @ small.T + noise
        np.testing.assert_allclose(transition, f, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(extra, q, rtol=1e-5)
        # The way of a camera of unknown velocity: what its velocity adds, and what is added on the way.
        assert float(motion.variance(dt)) == pytest.approx(transition[0, 1] ** 2 * 1.3**2 + extra[0, 0], rel=1e-5)


def test_the_smoother_is_the_gaussian_posterior() -> None:
    """Compared with one dense solve over all states of a short way, and without each measurement in turn."""
    rng = np.random.default_rng(10)
    motion = Motion(1.5, 20.0, 0.0)
    time = np.array([0.0, 4.0, 4.0, 9.0, 30.0])
    known = np.array([False, True, True, False, True])
    place, noise = rng.normal(0.0, 10.0, (5, 2)), np.stack([s * np.eye(2) for s in (1.0, 4.0, 9.0, 1.0, 16.0)])

    def dense(use: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Covariance of the positions on one axis, by the way of the velocity, and a flat prior of 1e6 m on the first.
        lag = np.abs(time[:, None] - time[None])
        cov = 1e12 + 0.5 * (
            motion.variance(time - time[0])[:, None] + motion.variance(time - time[0])[None] - motion.variance(lag)
        )
        s = cov[np.ix_(use, use)] + np.diag(noise[use, 0, 0])
        gain = np.linalg.solve(s, cov[use]).T
        return gain @ place[use], cov - gain @ cov[use]

    mean, cov = smooth(motion, time, place, noise, known)
    want, spread = dense(np.flatnonzero(known))
    np.testing.assert_allclose(mean, want, atol=1e-3)
    np.testing.assert_allclose(cov[:, 0, 0], np.diag(spread), atol=5e-3)
    for i in np.flatnonzero(known):
        others = without(mean[i], cov[i], place[i], noise[i])
        assert others is not None
        want, spread = dense(np.array([k for k in np.flatnonzero(known) if k != i]))
        np.testing.assert_allclose(others[0], want[i], atol=1e-2)
        assert others[1][0, 0] == pytest.approx(spread[i, i], rel=1e-3)
