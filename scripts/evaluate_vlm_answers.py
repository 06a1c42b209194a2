"""Reads the recorded answers of eight models, and measures the parser, the calibration and the fusion of their places.

    python scripts/evaluate_vlm_answers.py [--data ../shared/data] [--seed 0] [--differences] [--unread] [--scales FILE]

Prints what share of the answers is read and where that differs from the reading of the data's authors, accuracy at the
field's thresholds of each model and of their fusion (in ten parts, each measured by what the other nine taught),
how often the truth lies within the stated radii, and one JSON line. --scales writes the models' calibration, learned on
all photographs, as `vlm?calibration=FILE` reads it.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.metrics.area import point_areas_km2, report
from geoloc_cli.evaluate.metrics.distance import accuracy_within
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.priors.calibrate import Scales, coverage, fit_groups, fit_scales, folds
from geoloc_cli.priors.pool import THRESHOLDS_M, Judge, Pool, fit_pool
from geoloc_cli.priors.vlm_parse import Answer, Unread, parse
from real_sets import parser

PARTS = 10
SHARES = (0.5, 0.7, 0.9)
# Two readings of one answer nearer than this are the same.
SAME_M = 1000.0
LIAR = Scales((1e3,), (0.95,), 0.05)


@dataclass
class Model:
    """Answers of one model: what the parser made of them, what their authors did, and the truth, by photograph."""

    name: str
    texts: dict[str, str]
    read: dict[str, Answer | Unread]
    theirs: dict[str, tuple[float, float] | None]
    truth: dict[str, tuple[float, float]]

    def place(self, photo: str) -> tuple[float, float] | None:
        answer = self.read.get(photo)
        if isinstance(answer, Answer) and answer.lat is not None and answer.lon is not None:
            return answer.lat, answer.lon
        return None

    def level(self, photo: str) -> str | None:
        answer = self.read[photo]
        return answer.names.finest() if isinstance(answer, Answer) else None


def load(path: Path) -> Model:
    model = Model(path.stem, {}, {}, {}, {})
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            photo = row["image_name"]
            model.texts[photo] = row["model_response"]
            model.read[photo] = parse(row["model_response"])
            model.theirs[photo] = numbers(row["predicted_lat"], row["predicted_long"])
            model.truth[photo] = float(row["label_lat"]), float(row["label_long"])
    return model


def numbers(lat: str, lon: str) -> tuple[float, float] | None:
    try:
        place = float(lat), float(lon)
    except ValueError:
        return None
    return place if all(math.isfinite(value) for value in place) else None


def reading(model: Model) -> dict[str, Any]:
    """How often each side reads a place, and how often they are the same."""
    ours = {photo: model.place(photo) for photo in model.texts}
    both = [photo for photo in ours if ours[photo] and model.theirs[photo]]
    same = [photo for photo in both if on_earth(model.theirs[photo]) and away(model, photo) <= SAME_M]
    unread = Counter(answer.reason for answer in model.read.values() if isinstance(answer, Unread))
    names = sum(isinstance(answer, Answer) and answer.lat is None for answer in model.read.values())
    different = {p for p in both if p not in same} | {p for p in ours if model.theirs[p] and not ours[p]}
    return {
        "answers": len(ours),
        "numbers": sum(place is not None for place in ours.values()),
        "names": names,
        "unread": dict(unread),
        "theirs": sum(place is not None for place in model.theirs.values()),
        "same": len(same),
        "only_ours": sum(bool(ours[p]) and not model.theirs[p] for p in ours),
        "different": sorted(different),
        "different_why": dict(Counter(difference(model, photo) for photo in different)),
    }


def on_earth(place: tuple[float, float] | None) -> bool:
    return place is not None and abs(place[0]) <= 90.0 and abs(place[1]) <= 180.0


def away(model: Model, photo: str) -> float:
    ours, theirs = model.place(photo), model.theirs[photo]
    assert ours is not None
    assert theirs is not None
    return float(haversine_m(*ours, *theirs))


def difference(model: Model, photo: str) -> str:
    """Why the two readings of an answer are not the same place."""
    theirs = model.theirs[photo]
    assert theirs is not None
    if theirs == (0.0, 0.0):
        return "theirs is (0, 0), which stands for no answer"
    if not on_earth(theirs):
        return "theirs is not on the Earth" + (", ours is exchanged" if model.place(photo) else "")
    return "the answer gives several places" if model.place(photo) else "ours is none"


def accuracy(errors: NDArray[np.float64]) -> list[float]:
    """The share within each threshold, a missing answer (NaN) counted as wrong."""
    return accuracy_within(errors, THRESHOLDS_M).tolist()


def searched(errors: NDArray[np.float64]) -> float:
    """The mean share of the Earth that is looked through, outwards from each answer, until the truth is found."""
    return report(point_areas_km2(errors)).earth_searched


def calibrated(model: Model, photos: list[str], part: NDArray[np.intp]) -> list[float]:
    """Coverage of 50, 70 and 90 %, each part of the photographs by what the others taught."""
    held = []
    for number in range(int(part.max()) + 1):
        learn = part != number
        taught = [p for p, use in zip(photos, learn, strict=True) if use and model.read.get(p) and model.place(p)]
        asked = [p for p, use in zip(photos, learn, strict=True) if not use and model.read.get(p) and model.place(p)]
        errors = [error(model, photo) for photo in taught]
        scales, whole = fit_groups(errors, [model.level(p) for p in taught]), fit_scales(errors)
        told = [scales.get(model.level(p), whole) for p in asked]
        held.append((len(asked), coverage([error(model, p) for p in asked], told, SHARES)))
    total = sum(count for count, _ in held)
    return [sum(count * shares[i] for count, shares in held) / total for i in range(len(SHARES))]


def error(model: Model, photo: str) -> float:
    place = model.place(photo)
    return float(haversine_m(*place, *model.truth[photo])) if place else math.nan


def with_blind(judge: Judge, blind: tuple[Scales, ...]) -> Judge:
    mean = float(np.mean(judge.exponents))
    return Judge(judge.scales + blind, judge.exponents + (mean,) * len(blind))


def fused(
    places: NDArray[np.float64], truth: NDArray[np.float64], part: NDArray[np.intp], blind: tuple[Scales, ...] = ()
) -> tuple[NDArray[np.float64], list[float]]:
    """Errors of the pool and its coverage, each part by what the others taught.

    blind: scales of the last sources as they state them themselves; those are given the others' mean exponent.
    """
    errors, told = np.full(len(places), np.nan), [Scales((), (), 1.0)] * len(places)
    for number in range(int(part.max()) + 1):
        learn = part != number
        count = places.shape[1] - len(blind)
        pool = fit_pool(places[learn][:, :count], truth[learn])
        if blind:
            pool = Pool(with_blind(pool.area, blind), with_blind(pool.street, blind), pool.by_agreement * 2)
        chosen, agreeing = pool.choose(places)
        for row in np.flatnonzero(~learn & (chosen >= 0)):
            lat, lon = places[row, chosen[row]]
            errors[row] = haversine_m(lat, lon, *truth[row])
            told[row] = pool.by_agreement[agreeing[row]]
    known = np.flatnonzero(np.isfinite(errors))
    return errors, coverage(errors[known], [told[row] for row in known], SHARES)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--differences", action="store_true", help="list the answers that are read otherwise")
    arguments.add_argument("--unread", action="store_true", help="list the answers that hold no place for the parser")
    arguments.add_argument("--scales", type=Path)
    given = arguments.parse_args()
    models = [load(path) for path in sorted((given.data / "vlm_answers").glob("*.csv"))]
    readings = {model.name: reading(model) for model in models}
    print(
        f"{'model':24}{'answers':>8}{'numbers':>8}{'names':>7}{'unread':>7}{'theirs':>8}{'same':>7}{'differ':>7}{'more':>6}"
    )
    for name, row in readings.items():
        print(
            f"{name:24}{row['answers']:8}{row['numbers']:8}{row['names']:8}{sum(row['unread'].values()):8}"
            f"{row['theirs']:8}{row['same']:8}{len(row['different']):8}{row['only_ours']:8}"
        )
    for model in models:
        row = readings[model.name]
        for why, count in row["different_why"].items():
            print(f"  {model.name}: {count} where {why}")
        if given.differences:
            for photo in row["different"]:
                print(f"    {photo}: theirs {model.theirs[photo]}, ours {model.place(photo) or model.read[photo]}")
        if given.unread:
            for photo, answer in model.read.items():
                if isinstance(answer, Unread):
                    print(f"    {photo}: {answer.reason}: ...{model.texts[photo][-300:]!r}")

    photos = sorted(set().union(*(model.truth for model in models)))
    truth = np.array([next(m.truth[photo] for m in models if photo in m.truth) for photo in photos])
    places = np.full((len(photos), len(models), 2), np.nan)
    for row, photo in enumerate(photos):
        for column, model in enumerate(models):
            places[row, column] = model.place(photo) or (np.nan, np.nan)
    errors = haversine_m(places[..., 0], places[..., 1], truth[:, None, 0], truth[:, None, 1])
    part = folds(len(photos), PARTS, given.seed)
    table: dict[str, tuple[list[float], list[float], float]] = {
        model.name: (accuracy(errors[:, column]), calibrated(model, photos, part), searched(errors[:, column]))
        for column, model in enumerate(models)
    }
    best = np.max([hits for hits, _, _ in table.values()], axis=0)
    table["best single at each"] = best.tolist(), [math.nan] * 3, min(area for _, _, area in table.values())
    joined, held = fused(places, truth, part)
    table["fusion of all"] = accuracy(joined), held, searched(joined)
    rng = np.random.default_rng(given.seed)
    lies = np.stack(
        [np.degrees(np.arcsin(rng.uniform(-1, 1, len(photos)))), rng.uniform(-180, 180, len(photos))], axis=1
    )
    lied = np.concatenate([places, np.repeat(lies[:, None], 2, axis=1)], axis=1)
    for label, blind in (("with two liars, learned", ()), ("with two liars, believed", (LIAR, LIAR))):
        joined, held = fused(lied, truth, part, blind)
        table[label] = accuracy(joined), held, searched(joined)
    heads_km = "".join(f"{threshold / 1e3:>8.0f} km" for threshold in THRESHOLDS_M)
    print(f"\n{'share within':26}{heads_km}  Earth searched   truth within 50, 70, 90 %")
    for label, (hits, covered, area) in table.items():
        held_text = "" if math.isnan(covered[0]) else "".join(f"{100 * share:9.1f}" for share in covered)
        print(f"{label:26}" + "".join(f"{100 * hit:11.2f}" for hit in hits) + f"{100 * area:14.2f} %" + held_text)
    if given.scales:
        known = np.isfinite(errors)
        learned = {m.name: asdict(fit_scales(errors[known[:, c], c])) for c, m in enumerate(models)}
        given.scales.write_text(json.dumps(learned, indent=1) + "\n", encoding="utf-8")
    for row in readings.values():
        del row["different"]
    clean = {
        label: {"within": hits, "covered": covered, "searched": area} for label, (hits, covered, area) in table.items()
    }
    clean["best single at each"].pop("covered")
    print(json.dumps({"reading": readings, "places": clean}))


if __name__ == "__main__":
    main()
