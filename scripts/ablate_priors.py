"""What a prior is worth to a search, and what a wrong one costs, over a made index whose places are known.

    python scripts/ablate_priors.py [--photos 20000] [--queries 2000] [--seed 0]

Streets in 400 cities about the world; every fourth city looks much like one on another continent, and streets of one
city like each other. Priors of known error are asked: right to 25 km, off by 25 km and sure of 10, on a wrong continent
with confidence, and of three modes, one of them right. The answer is the place of the first candidate, before any is
verified, and after: a candidate within 100 m of the truth is then verified four times of five, any other once in 2000.
Printed are shares of answers within 1, 25 and 200 km: of the prior alone, of a search of everything, of one bounded
by the prior, a fifth of it outside, and everywhere where nothing was verified, and re-ranked by each formula; then
sweeps of the weights in `linear` and in `belief`. Goals: bounded and re-ranked beats both alone where the prior is
right, and loses a point at most to the search alone where it is wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.cells import cells_of
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.index.derived import Ordered
from geoloc_cli.index.search import search
from geoloc_cli.pipeline.asking import Asked
from geoloc_cli.retrieval import rerank
from geoloc_cli.retrieval.rerank import RERANKERS, best_first, first_scores, plausibility
from geoloc_cli.types import Belief, Component

CITIES, DIM, TOP = 400, 64, 15
OUTSIDE = 0.2
WITHIN_KM = (1, 25, 200)
Floats = NDArray[np.float64]
# A belief about where a query was taken, of its latitude, its longitude and chance.
Says = Callable[[float, float, np.random.Generator], Belief]


def world(photos: int, rng: np.random.Generator) -> Ordered:
    """Photos in streets of cities; a vector is its city's look, its street's and its own."""
    lat, lon = np.degrees(np.arcsin(rng.uniform(-0.6, 0.85, CITIES))), rng.uniform(-180, 180, CITIES)
    looks = rng.normal(size=(CITIES, DIM))
    twins = np.arange(0, CITIES, 4)
    looks[twins] = looks[rng.permutation(twins)] + 0.3 * rng.normal(size=(len(twins), DIM))
    city = np.sort(rng.integers(0, CITIES, photos))
    places = [destination(lat[c], lon[c], rng.uniform(0, 360), 8000 * np.sqrt(rng.uniform())) for c in city]
    at = np.array([(float(a), float(b)) for a, b in places])
    vectors = unit(0.8 * looks[city] + 0.8 * rng.normal(size=(photos, DIM)))
    cells = cells_of(at[:, 0], at[:, 1])
    order = np.argsort(cells, kind="stable")
    return Ordered(vectors[order], np.arange(photos), cells[order], at[order, 0], at[order, 1])


def unit(rows: Floats) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def about(lat: float, lon: float, radius_m: float, rng: np.random.Generator, off_m: float = 0.0) -> Component:
    """A component whose circle of 90 % holds the truth nine times of ten, or one that is off by so much."""
    away = off_m or radius_m * np.sqrt(-np.log(1.0 - rng.uniform()) / np.log(10.0))
    there = destination(lat, lon, rng.uniform(0, 360), away)
    return Component(float(there[0]), float(there[1]), radius_m, 1.0)


def elsewhere(lat: float, lon: float, rng: np.random.Generator) -> tuple[float, float]:
    there = destination(lat, lon, rng.uniform(0, 360), rng.uniform(5e6, 1.5e7))
    return float(there[0]), float(there[1])


def modes(lat: float, lon: float, rng: np.random.Generator) -> Belief:
    shares = np.array([0.45, 0.3, 0.15])
    right = rng.choice(4, p=[*shares, 1.0 - shares.sum()])  # as often as it says; one in ten it is none
    spots = [(lat, lon) if i == right else elsewhere(lat, lon, rng) for i in range(3)]
    parts = [about(*spot, 25_000, rng) for spot in spots]
    weighed = [Component(c.lat, c.lon, c.radius_m, float(w)) for c, w in zip(parts, shares, strict=True)]
    return from_components(weighed, float(1.0 - shares.sum()))


def one(component: Component, doubt: float = 0.1) -> Belief:
    return from_components([Component(component.lat, component.lon, component.radius_m, 1.0 - doubt)], doubt)


PRIORS: dict[str, Says] = {
    "right to 25 km": lambda lat, lon, rng: one(about(lat, lon, 25_000, rng)),
    "off by 25 km": lambda lat, lon, rng: one(about(lat, lon, 10_000, rng, off_m=25_000)),
    "wrong continent": lambda lat, lon, rng: one(about(*elsewhere(lat, lon, rng), 25_000, rng)),
    "three modes": modes,
}


def near_city(ordered: Ordered, belief: Belief, rng: np.random.Generator) -> Belief:
    """A wrong place is one of the index's, where there is something to be found: components far from all are moved."""
    moved = []
    for c in belief.components:
        away = haversine_m(c.lat, c.lon, ordered.lat, ordered.lon)
        i = int(np.argmin(away))
        lat, lon = (c.lat, c.lon) if away[i] < 50_000 else (float(ordered.lat[i]), float(ordered.lon[i]))
        moved.append(Component(lat, lon, c.radius_m, c.weight))
    return from_components(moved, belief.spread)


def answer(
    ordered: Ordered, vector: NDArray[np.float32], belief: Belief | None, formula: str, verified: Callable[[int], bool]
) -> tuple[int, int]:
    """Rows of the first candidate before verification and after."""
    regions = Asked(belief, ()).regions() if belief else []
    near = [region.circle for region in regions]
    outside = max(1, round(TOP * max(OUTSIDE, belief.spread))) if belief else 0
    hits = search(ordered, vector, TOP - outside, near or None, outside)
    rows = hits.row_ids.astype(int)
    plausible = None
    if near:
        away = np.stack([haversine_m(c.lat, c.lon, ordered.lat[rows], ordered.lon[rows]) - c.radius_m for c in near], 1)
        radius = np.array([c.radius_m for c in near])
        plausible = plausibility(np.maximum(away, 0.0), radius, np.array([region.weight for region in regions]))
    order = [int(rows[i]) for i in best_first(first_scores(hits.similarities, plausible, formula).tolist())]
    held = next((row for row in order if verified(row)), None)
    if held is None and near:
        everywhere = search(ordered, vector, TOP, None, 0).row_ids.astype(int).tolist()
        held = next((row for row in everywhere if verified(row)), None)
    return order[0], order[0] if held is None else held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    ordered = world(options.photos, rng)
    # `row_ids` are places in the order of the rows, so that a row found is its place.
    asked = rng.choice(options.photos, options.queries)
    queries = unit(ordered.vectors[asked] + 0.17 * rng.normal(size=(options.queries, DIM)))
    report: dict[str, dict[str, list[float]]] = {}

    def measured(name: str, says: Says | None, formula: str) -> list[float]:
        chance = np.random.default_rng(options.seed + 1)
        away = np.zeros((3, options.queries))
        for n, (true, vector) in enumerate(zip(asked, queries, strict=True)):
            lat, lon = float(ordered.lat[true]), float(ordered.lon[true])
            belief = near_city(ordered, says(lat, lon, chance), chance) if says else None
            luck = np.random.default_rng((options.seed, n)).uniform(size=options.photos)

            def verified(row: int, lat: float = lat, lon: float = lon, luck: Floats = luck) -> bool:
                near = haversine_m(lat, lon, ordered.lat[row], ordered.lon[row]) < 100.0
                return bool(luck[row] < (0.8 if near else 0.0005))

            rows = answer(ordered, vector, belief, formula, verified)
            for i, row in enumerate(rows):
                away[i, n] = haversine_m(lat, lon, ordered.lat[row], ordered.lon[row])
            if belief:
                best = max(belief.components, key=lambda c: c.weight)
                away[2, n] = haversine_m(lat, lon, best.lat, best.lon)
        shares = [[100.0 * float((part < km * 1000.0).mean()) for km in WITHIN_KM] for part in away]
        if formula == "none" and says:
            report[name]["prior alone"] = shares[2]
        return shares[0] + shares[1]

    print(f"{options.photos} photos in {CITIES} cities, {options.queries} queries; % within {WITHIN_KM} km")
    print(f"{'':36}{'before verification':^24}{'after':^24}")
    alone = measured("", None, "none")
    print(f"{'search alone':36}" + "".join(f"{share:8.1f}" for share in alone))
    for name, says in PRIORS.items():
        report[name] = {"search alone": alone}
        for formula in RERANKERS:
            report[name][f"bounded, {formula}"] = measured(name, says, formula)
        print(f"{name}: prior alone" + "".join(f"{share:8.1f}" for share in report[name]["prior alone"]))
        for formula in RERANKERS:
            print(f"{'  bounded, ' + formula:36}" + "".join(f"{s:8.1f}" for s in report[name][f"bounded, {formula}"]))
    print("sweep of a, the weight of likeness in `linear`: after verification within 1 km, and before")
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        rerank.SIMILARITY_SHARE = share
        found = [measured(name, says, "linear") for name, says in PRIORS.items()]
        print(
            f"  a = {share}: "
            + ", ".join(f"{name} {f[3]:.1f} ({f[0]:.1f})" for name, f in zip(PRIORS, found, strict=True))
        )
    print("sweep of b, the power of likeness in `belief`: the same")
    for power in (2.0, 4.0, 8.0, 16.0):
        rerank.LIKELIHOOD_POWER = power
        found = [measured(name, says, "belief") for name, says in PRIORS.items()]
        print(
            f"  b = {power:g}: "
            + ", ".join(f"{name} {f[3]:.1f} ({f[0]:.1f})" for name, f in zip(PRIORS, found, strict=True))
        )
    print(json.dumps({"ablate_priors": report}))


if __name__ == "__main__":
    main()
