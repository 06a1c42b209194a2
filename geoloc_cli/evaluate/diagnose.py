"""What is wrong with a file of predictions, said plainly, with the guess at what happened and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from geoloc_cli.evaluate.diagnosis import Diagnosis, counted
from geoloc_cli.evaluate.doubtful_names import doubtful_names
from geoloc_cli.evaluate.doubtful_places import doubtful_places
from geoloc_cli.evaluate.joined import Joined
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.photos.opening import shown

_REASONS = 3
# Where a radius that holds 90 % is right, the median error is half of it; so it is 500 times it where km are meant.
_KM_RATIO = 150.0, 1500.0
_COVERED = 0.5
_RADII = 10


def diagnose(joined: Joined) -> tuple[Diagnosis, ...]:
    """Everything that is odd about the predictions, the gravest first; nothing of it was corrected."""
    doubts = [
        *doubtful_places(joined),
        *doubtful_names(joined),
        *_answers(joined),
        *_texts(joined.predictions),
        *_radii(joined),
        *_confidences(joined),
    ]
    return (*joined.predictions.notes, *joined.truth.notes, *doubts)


def _answers(joined: Joined) -> Iterator[Diagnosis]:
    """Predictions that hold no answer, with the reasons that our own records give."""
    predictions = joined.predictions
    found = joined.row[joined.row >= 0]
    no_place = np.isnan(predictions.lat) | np.isnan(predictions.lon)
    for key in {"lat", "lon"} & predictions.unread.keys():
        # Texts are told of already.
        no_place[list(predictions.unread[key].first)] = False
    without = found[no_place[found]]
    if not len(without):
        return
    reasons = ""
    if predictions.reasons is not None:
        said = Counter(predictions.reasons[row] or "no place on the Earth" for row in without)
        reasons = " (" + ", ".join(f"{count} {shown(why)}" for why, count in said.most_common(_REASONS)) + ")"
    sentence = f"No answer to {len(without)} of {len(joined)} photographs{reasons}, counted as wrong."
    yield Diagnosis("no_answer", sentence, {"rows": len(without), "of": len(joined)})


def _texts(predictions: Predictions) -> Iterator[Diagnosis]:
    """Radii and confidences that are texts, and so are as good as absent."""
    for key in ("radius_m", "confidence"):
        column = predictions.unread.get(key)
        if column is not None and column.texts:
            row, text = next(iter(column.first.items()))
            where = f"row {row + predictions.first_row}: {shown(text[:40])!r}"
            sentence = f"No number for {key}, counted as absent: {counted(column.texts, 'row')} ({where})."
            yield Diagnosis(f"{key}_no_number", sentence, {"rows": column.texts})


def _radii(joined: Joined) -> Iterator[Diagnosis]:
    """Radii that are no lengths, or a thousand times too small or too large for the errors."""
    radius, errors = joined.of_truth(joined.predictions.radius_m), joined.errors_m()
    wrong = int(np.count_nonzero(radius <= 0.0))
    if wrong:
        sentence = f"Zero or negative radius_m, which holds nothing: {counted(wrong, 'row')}."
        yield Diagnosis("radius_not_positive", sentence, {"rows": wrong})
    known = (radius > 0.0) & np.isfinite(radius) & np.isfinite(errors)
    if np.count_nonzero(known) < _RADII:
        return
    radius, errors = radius[known], errors[known]
    ratio = float(np.median(errors / radius))
    for factor, code, words in (
        (1e3, "radius_in_km", "if it is meant in kilometres."),
        (1e-3, "radius_too_large", "with a thousandth of it: was it multiplied once too often?"),
    ):
        low, high = (edge if factor > 1.0 else edge * factor**2 for edge in _KM_RATIO)
        held, meant = (float(np.mean(errors <= radius * by)) for by in (1.0, factor))
        if low <= ratio <= high and meant >= _COVERED:
            sentence = f"radius_m holds the truth in {held:.0%} of the answers, and in {meant:.0%} {words}"
            yield Diagnosis(code, sentence, {"holds": held, "would_hold": meant})


def _confidences(joined: Joined) -> Iterator[Diagnosis]:
    confidence = joined.predictions.confidence
    confidence = confidence[np.isfinite(confidence)]
    if not len(confidence):
        return
    low, high = float(np.min(confidence)), float(np.max(confidence))
    if low >= 0.0 and high <= 1.0:
        return
    figures = {"least": low, "most": high}
    if low >= 0.0 and 1.0 < high <= 100.0:
        sentence = f"confidence runs from {low:g} to {high:g}: is it in per cent? A probability is within 0 to 1."
        yield Diagnosis("confidence_in_percent", sentence, figures)
    else:
        sentence = f"confidence runs from {low:g} to {high:g} and is no probability, which is within 0 to 1."
        yield Diagnosis("confidence_no_probability", sentence, figures)
