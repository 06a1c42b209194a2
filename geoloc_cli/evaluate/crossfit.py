"""What sources are worth, learned of labelled photographs in folds, and told of no photograph that it was learned of.

Folds are blocks of photographs that follow each other in time, or by name where most have no time. A random split would
put one frame of a walk into one fold and the next, which shows the same place by the same light, into another, and what
is learned of the one would be judged by its twin. A place that was visited twice may still be in two folds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.calibrate import PSEUDO, Spoken, fit, spoken
from geoloc_cli.evaluate.metrics.calibration import (
    Coverage,
    expected_calibration_error,
    log_losses,
    radius_coverage,
    reliability,
)
from geoloc_cli.evaluate.observed import Observed
from geoloc_cli.evaluate.radii import Around
from geoloc_cli.geo.belief import mode
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.moments import natural_order
from geoloc_cli.pipeline.asking import Asked, blended, fused
from geoloc_cli.pipeline.calibrated import Calibration, Reliabilities, Reliability, photo_key
from geoloc_cli.priors.calibrate import likeliest_share
from geoloc_cli.types import Belief, Fix

Ints = NDArray[np.intp]

FOLDS = 5
# Photographs of which it is learned, and shown, what priors are worth together: so many tell a radius to 3 %, and to
# join what eight of them say of one photograph takes half a second.
_MOST_JOINED = 250
# A right answer of `confidence` is within this.
_NEAR_M = 1000.0
PRIOR, STAGE, ANSWERS = "prior", "stage", "answers"
# One source's word about one photograph: its belief, and the place that it answers.
Word = tuple[Belief, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Figures:
    """How far the words of a source mean what they say; the mean loss in nats of the density per km2."""

    coverage: Coverage
    median_radius_m: float
    calibration_error: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Row:
    """A source before and after, the latter out of fold; `worth` is what all photographs taught, None of answers."""

    kind: str
    source: str
    photographs: int
    worth: Reliability | None
    before: Figures
    after: Figures


@dataclass(frozen=True, slots=True)
class Learned:
    """A calibration, and what it changes."""

    calibration: Calibration
    rows: tuple[Row, ...]


def blocks(photos: Sequence[str], taken_at: Sequence[str | None], parts: int) -> Ints:
    """The fold (N,) of each photograph, 0 to parts - 1: as many photographs in each, one after the other."""
    times = [datetime.fromisoformat(text).replace(tzinfo=None) if text else None for text in taken_at]
    stated = sum(time is not None for time in times)
    if 2 * stated >= len(times) and len(set(times)) > 2:
        order = sorted(range(len(photos)), key=lambda i: (times[i] or datetime.min, natural_order(photos[i])))
    else:
        order = sorted(range(len(photos)), key=lambda i: natural_order(photos[i]))
    fold = np.empty(len(photos), dtype=np.intp)
    fold[order] = np.arange(len(photos)) * parts // max(1, len(photos))
    return fold


def learn(seen: Observed, parts: int = FOLDS) -> Learned:
    """What each source is worth by all photographs and by all but each fold, and the figures of before and after.

    Raises UsageError where no source says anything of any photograph.
    """
    truth = seen.truth
    parts = max(2, min(parts, len(seen)))
    fold = blocks(truth.photos, truth.taken_at, parts)
    whole = _worth(seen, np.arange(len(seen)))
    folds = tuple(_worth(seen, np.flatnonzero(fold != part)) for part in range(parts))
    photos = {photo_key(path): int(part) for path, part in zip(truth.photos, fold, strict=True)}
    rows = tuple(_rows(seen, whole, [folds[part] for part in fold]))
    if not rows:
        raise UsageError("No source says anything of any labelled photograph, so that there is nothing to learn.")
    return Learned(Calibration(whole, folds, photos), rows)


def _worth(seen: Observed, rows: Ints) -> Reliabilities:
    """Of some of the photographs: priors first, since what they say together depends on what each is worth."""
    priors, stages = dict[str, Reliability](), dict[str, Reliability]()
    for column, key in enumerate(seen.keys):
        said = _spoken(seen, [_alone(seen, row, column, None) for row in rows], rows)
        if len(said):
            priors[key] = fit(said)
    dependence = 0.0
    if len(seen.keys) > 1:
        dependence, said = _joined(seen, Reliabilities(priors), _few(rows))
        if len(said):
            stages["prior"] = fit(said)
    for stage in _stages(seen):
        said = _spoken(seen, [_at_stage(seen, row, stage) for row in rows], rows)
        if len(said):
            stages[stage] = fit(said)
    return Reliabilities(priors, stages, dependence)


def _joined(seen: Observed, learned: Reliabilities, rows: Ints) -> tuple[float, Spoken]:
    """How far priors depend on each other, and what they say together with that.

    The share in which the mean of what they say makes the true places likelier than their product.
    """
    product, mean = (
        [_together(seen, row, replace(learned, dependence=share)) for row in rows.tolist()] for share in (0.0, 1.0)
    )
    logs = [-log_losses(s.beliefs, s.true_lat, s.true_lon) for s in (_spoken(seen, w, rows) for w in (product, mean))]
    share = likeliest_share(logs[0], logs[1], PSEUDO) if len(logs[0]) else 0.0
    return share, _spoken(seen, [_mixed(*pair, share) for pair in zip(product, mean, strict=True)], rows)


def _mixed(product: Word | None, mean: Word | None, share: float) -> Word | None:
    if product is None or mean is None or product == mean:  # one prior alone has spoken
        return product
    belief = blended(product[0], mean[0], share)
    return belief, mode(belief)


def _few(rows: Ints) -> Ints:
    """Some of many photographs, evenly chosen."""
    return rows[:: math.ceil(len(rows) / _MOST_JOINED)] if len(rows) else rows


def _stages(seen: Observed) -> list[str]:
    """Those by sight that any answer has; what rests on priors is learned of all that priors said."""
    answers = (*seen.located, *seen.posed)
    return sorted({a.stage for a in answers if isinstance(a, Fix) and a.stage and a.stage != "prior"})


def _alone(seen: Observed, row: int, column: int, worth: Reliability | None) -> Word | None:
    """What one prior says of one photograph."""
    if not seen.heard[row]:
        return None
    said, guess = seen.heard[row][column]
    return _word(Asked(worth.of(said) if worth else said, (guess,)))


def _together(seen: Observed, row: int, learned: Reliabilities) -> Word | None:
    """What all priors say at once, without the worth of that."""
    heard = seen.heard[row]
    return _word(fused(heard, learned.trust(seen.keys))) if heard else None


def _word(asked: Asked) -> Word | None:
    place = asked.place()
    return None if place is None else (asked.belief, place)


def _at_stage(seen: Observed, row: int, stage: str) -> Word | None:
    """Of the run without poses, but for poses: what verified neighbours say is learned of all that they locate."""
    answers = seen.posed if stage == "pose" else seen.located
    answer = answers[row]
    if not isinstance(answer, Fix) or answer.stage != stage or answer.lat is None or answer.lon is None:
        return None
    return answer.belief, (answer.lat, answer.lon)


def _spoken(seen: Observed, words: Sequence[Word | None], rows: Ints) -> Spoken:
    known = [(word, row) for word, row in zip(words, rows, strict=True) if word is not None]
    at = np.array([row for _, row in known], dtype=np.intp)
    lat, lon = np.array([word[1] for word, _ in known]).reshape(-1, 2).T
    return spoken([word[0] for word, _ in known], lat, lon, seen.truth.lat[at], seen.truth.lon[at])


def _rows(seen: Observed, whole: Reliabilities, by_photo: Sequence[Reliabilities]) -> Iterator[Row]:
    """by_photo (N,): what tempers the words about each photograph, learned without it."""
    everyone = np.arange(len(seen))
    as_said = [Reliabilities()] * len(seen)
    for kind, source, worth, telling in _sources(seen, whole):
        rows = _few(everyone) if source == "prior" else everyone
        before, after = (
            _spoken(seen, [telling(row, by[row]) for row in rows.tolist()], rows) for by in (as_said, by_photo)
        )
        if len(before):
            yield Row(kind, source, len(before), worth, figures(before), figures(after))


def _sources(
    seen: Observed, whole: Reliabilities
) -> Iterator[tuple[str, str, Reliability | None, Callable[[int, Reliabilities], Word | None]]]:
    """Kind, name, worth, and what it says of a photograph by what it is tempered by."""
    for column, key in enumerate(seen.keys):
        yield PRIOR, key, whole.priors.get(key), partial(_prior_alone, seen, column)
    if len(seen.keys) > 1:
        yield STAGE, "prior", whole.stages.get("prior"), partial(_prior_stage, seen)
    for stage in _stages(seen):
        yield STAGE, stage, whole.stages.get(stage), partial(_by_sight, seen, stage)
    if seen.answers:
        yield ANSWERS, "", None, partial(_answer, seen)


def _prior_alone(seen: Observed, column: int, row: int, by: Reliabilities) -> Word | None:
    return _alone(seen, row, column, by.priors.get(seen.keys[column]))


def _prior_stage(seen: Observed, row: int, by: Reliabilities) -> Word | None:
    return _tempered(_together(seen, row, by), by.stages.get("prior"))


def _by_sight(seen: Observed, stage: str, row: int, by: Reliabilities) -> Word | None:
    return _tempered(_at_stage(seen, row, stage), by.stages.get(stage))


def _answer(seen: Observed, row: int, by: Reliabilities) -> Word | None:
    """What `locate` would print of a photograph."""
    answer = seen.answers[row]
    if not isinstance(answer, Fix) or answer.lat is None or answer.lon is None:
        return None
    if answer.stage == "prior":
        return _prior_stage(seen, row, by)
    return _tempered((answer.belief, (answer.lat, answer.lon)), by.stages.get(str(answer.stage)))


def _tempered(word: Word | None, worth: Reliability | None) -> Word | None:
    return word if word is None or worth is None else (worth.of(word[0]), word[1])


def figures(said: Spoken) -> Figures:
    """Of beliefs, the places that they answer, and the true ones."""
    around = Around(said.beliefs, said.lat, said.lon)
    radius_m = around.radius_m()
    errors_m = np.asarray(haversine_m(said.lat, said.lon, said.true_lat, said.true_lon))
    diagram = reliability(around.mass_within(_NEAR_M), errors_m <= _NEAR_M)
    loss = log_losses(said.beliefs, said.true_lat, said.true_lon)
    return Figures(
        radius_coverage(errors_m, radius_m),
        float(np.median(radius_m)),
        expected_calibration_error(diagram),
        float(loss.mean()),
    )
