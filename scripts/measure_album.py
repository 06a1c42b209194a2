"""What an album is worth beside single photographs, on trips of known truth made with seeds.

    python scripts/measure_album.py --trips 20 --seed 0

A trip: a walk among the streets of one town, a drive of 25 km with a stop, a walk in another town; a photograph each
ten to ninety seconds. What a photograph says alone is drawn so that its radii and weights are honest:

* half are sharp (8 to 25 m); three in a hundred of these, as they admit, are wrong, somewhere in the towns;
* a quarter cannot tell two to five look-alikes apart, of which one is right as often as its weight says;
* fifteen in a hundred know the town alone (2 to 15 km); ten nothing;
* and then `--outliers` of all are replaced by answers that are sure (0.99) of another place, which they do not admit.

It prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np

from geoloc_cli.geo.belief import credible_radius_m
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.photos.moments import Moment
from geoloc_cli.pipeline.album import AlbumOptions, Answer, smooth_album
from geoloc_cli.types import Belief, Component, Fix

TOWNS = ((48.2, 16.37), (48.2, 16.71))
TOWN_M = 3000.0
LIMITS_M = (25.0, 100.0, 1000.0)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    given.add_argument("--trips", type=int, default=20)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--photos", type=int, default=120, help="of each trip")
    given.add_argument("--outliers", type=float, default=0.05)
    given.add_argument("--speed", default="auto")
    asked = given.parse_args()
    truth, alone, album = [], [], []
    took = 0.0
    for trip in range(asked.trips):
        rng = np.random.default_rng((asked.seed, trip))
        places, seconds = a_trip(rng, asked.photos)
        fixes = [alone_says(rng, i, place, asked.outliers) for i, place in enumerate(places)]
        moments = {fix.photo: Moment("A camera", None, at, None) for fix, at in zip(fixes, seconds, strict=True)}
        began = time.perf_counter()
        smoothed, _ = smooth_album(fixes, moments, AlbumOptions(asked.speed))
        took += time.perf_counter() - began
        truth += places
        alone += fixes
        album += smoothed
    rows = {"alone": scores(alone, truth), "album": scores(album, truth)}
    print_table(rows)
    print(json.dumps({"script": "measure_album", **vars(asked), **rows, "s_per_trip": round(took / asked.trips, 3)}))


def a_trip(rng: np.random.Generator, count: int) -> tuple[list[tuple[float, float]], list[float]]:
    """Places and seconds of `count` photographs: two fifths on foot, one in the car, two fifths on foot."""
    seconds = np.cumsum(rng.uniform(10.0, 90.0, count))
    start, goal = (moved(*town, *rng.uniform(-500.0, 500.0, 2)) for town in TOWNS)
    first, second = 2 * count // 5, 3 * count // 5
    places = on_foot(rng, start, seconds[:first])
    # The road leads from where the walk ended to the other town, as fast as the photographs say, with one rest.
    share = np.cumsum(rng.uniform(0.2, 1.0, second - first))
    share[len(share) // 2 :] -= share[len(share) // 2] - share[len(share) // 2 - 1]
    share /= share[-1]
    (lat0, lon0), bow = places[-1], rng.uniform(-2000.0, 2000.0)
    whole = float(haversine_m(lat0, lon0, *goal))
    # At 18 m/s on the whole.
    seconds[first:second] = seconds[first - 1] + share * whole / 18.0 + 5.0 * np.arange(1, second - first + 1)
    seconds[second:] += seconds[second - 1] - seconds[second] + 60.0
    for t in share:
        middle = lat0 + t * (goal[0] - lat0), lon0 + t * (goal[1] - lon0)
        places.append(moved(*middle, 0.0, bow * float(np.sin(np.pi * t))))
    return places + on_foot(rng, goal, seconds[second:]), seconds.tolist()


def on_foot(rng: np.random.Generator, start: tuple[float, float], seconds: np.ndarray) -> list[tuple[float, float]]:
    """1.3 m/s along streets with a corner each 40 to 150 m, and a rest of up to two minutes at one in three."""
    knots, points, heading = [float(seconds[0])], [np.zeros(2)], float(rng.uniform(0.0, 2.0 * np.pi))
    while knots[-1] < seconds[-1]:
        length = rng.uniform(40.0, 150.0)
        points.append(points[-1] + length * np.array([np.sin(heading), np.cos(heading)]))
        knots.append(knots[-1] + length / 1.3)
        if rng.random() < 1.0 / 3.0:
            points.append(points[-1])
            knots.append(knots[-1] + rng.uniform(5.0, 120.0))
        heading += rng.choice([-0.5, 0.0, 0.5]) * np.pi
    table = np.array(points)
    east, north = (np.interp(seconds, knots, table[:, axis]) for axis in (0, 1))
    return [moved(*start, float(e), float(n)) for e, n in zip(east, north, strict=True)]


def alone_says(rng: np.random.Generator, number: int, place: tuple[float, float], outliers: float) -> Fix:
    """What a single photograph says of its place."""
    kind = rng.random()
    radius = float(rng.uniform(8.0, 25.0))
    if rng.random() < outliers:
        return a_fix(number, [(*in_towns(rng), radius, 0.99)])
    if kind < 0.5:
        right = rng.random() < 0.97
        return a_fix(number, [(*(off(rng, place, radius) if right else in_towns(rng)), radius, 0.97)])
    if kind < 0.75:
        weights = rng.dirichlet(np.ones(int(rng.integers(2, 6)))) * 0.95
        right = rng.choice(len(weights) + 1, p=[*weights, 0.05])
        spots = [off(rng, place, radius) if i == right else in_towns(rng) for i in range(len(weights))]
        return a_fix(number, [(*spot, radius, float(w)) for spot, w in zip(spots, weights, strict=True)])
    if kind < 0.9:
        wide = float(rng.uniform(2000.0, 15_000.0))
        return a_fix(number, [(*off(rng, place, wide), wide, 0.95)])
    return Fix(name_of(number), "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index")


def a_fix(number: int, parts: Sequence[tuple[float, float, float, float]]) -> Fix:
    belief = Belief(tuple(Component(*part) for part in parts), 1.0 - sum(part[3] for part in parts))
    lat, lon, _, weight = max(parts, key=lambda part: part[3])
    radius = credible_radius_m(belief, lat, lon)
    return Fix(name_of(number), "ok", "retrieval", lat, lon, None, radius, weight, belief)


def name_of(number: int) -> str:
    return f"trip/IMG_{number:05d}.jpg"


def off(rng: np.random.Generator, place: tuple[float, float], radius_m: float) -> tuple[float, float]:
    """A place as far off as the radius, which holds nine in ten, says."""
    return moved(*place, *(rng.normal(0.0, radius_m / 2.146, 2)))


def in_towns(rng: np.random.Generator) -> tuple[float, float]:
    return moved(*TOWNS[int(rng.integers(2))], *rng.uniform(-TOWN_M, TOWN_M, 2))


def moved(lat: float, lon: float, east_m: float, north_m: float) -> tuple[float, float]:
    bearing, away = np.degrees(np.arctan2(east_m, north_m)), np.hypot(east_m, north_m)
    at = destination(lat, lon, float(bearing), float(away))
    return float(at[0]), float(at[1])


def scores(answers: Sequence[Answer], truth: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Shares of all photographs within the limits, and of the located those inside their radius; its median."""
    pairs = [(a, t) for a, t in zip(answers, truth, strict=True) if isinstance(a, Fix) and a.lat is not None]
    error = np.array([haversine_m(a.lat, a.lon, *t) for a, t in pairs])
    radius = np.array([a.radius_m for a, _ in pairs], np.float64)
    found = {f"within_{limit:.0f}_m": round(float((error <= limit).sum()) / len(truth), 4) for limit in LIMITS_M}
    found["located"] = round(len(pairs) / len(truth), 4)
    if not pairs:
        return found
    found["coverage"] = round(float((error <= radius).mean()), 4)
    found["median_radius_m"] = round(float(np.median(radius)), 1)
    found["median_error_m"] = round(float(np.median(error)), 1)
    return found


def print_table(rows: dict[str, dict[str, float]]) -> None:
    names = list(max(rows.values(), key=len))
    print(" " * 14 + "".join(f"{name:>17}" for name in names))
    for row, values in rows.items():
        print(f"{row:<14}" + "".join(f"{values.get(name, '-'):>17}" for name in names))


if __name__ == "__main__":
    main()
