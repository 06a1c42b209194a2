"""Predicted places that are no places as they stand, or others than were meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.diagnosis import Diagnosis, counted
from geoloc_cli.evaluate.joined import Joined
from geoloc_cli.evaluate.misread import Guess, errors_as_written, guess
from geoloc_cli.evaluate.numbers import Unread
from geoloc_cli.evaluate.texts import reading_of
from geoloc_cli.photos.opening import shown

Floats = NDArray[np.float64]

# So many answers, evenly picked, are enough to guess by.
_SAMPLE = 20_000
_ZERO_DEG, _ZERO_AWAY_M = 1e-6, 100e3
_SAME_SHARE, _SAME_ROWS = 0.5, 5
_KINDS = {"comma_decimals": "numbers with a comma for a point", "angles_as_text": "degrees, minutes and seconds"}


def doubtful_places(joined: Joined) -> Iterator[Diagnosis]:
    """What is odd about the latitudes and longitudes, the guess at a misreading first."""
    yield from _misread(joined)
    yield from _no_place(joined)
    yield from _same_place(joined)
    yield from _identical(joined)


def distance(metres: float) -> str:
    """A length as a person would say it."""
    if metres < 9_950.0:
        return f"{metres:.0f} m" if metres < 995.0 else f"{metres / 1e3:.1f} km"
    return f"{metres / 1e3:,.0f} km".replace(",", " ")


def _misread(joined: Joined) -> Iterator[Diagnosis]:
    """Places that are meant otherwise than they are read, and texts that are no numbers as they stand."""
    lat, lon = joined.of_truth(joined.predictions.lat), joined.of_truth(joined.predictions.lon)
    rows = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
    picked = rows[:: max(1, len(rows) // _SAMPLE)]
    if len(picked):
        found = guess(lat[picked], lon[picked], joined.truth.lat[picked], joined.truth.lon[picked])
        if found is not None:
            yield _said(found, "answers" if len(picked) == len(rows) else "evenly picked answers")
    unread = joined.predictions.unread
    texts = {key: unread[key] for key in ("lat", "lon") if key in unread and unread[key].texts}
    if texts:
        yield _texts(joined, texts)


def _said(found: Guess, answers: str) -> Diagnosis:
    figures: dict[str, float | int | str] = {"after_m": found.after_m, "rows": found.rows, "of": found.of}
    if np.isfinite(found.before_m):
        figures["before_m"] = found.before_m
    fall = f"from {distance(found.before_m)} to {distance(found.after_m)}"
    if found.rows < found.of:
        before = fall if np.isfinite(found.before_m) else f"to {distance(found.after_m)} from nowhere on the Earth"
        sentence = (
            f"In {found.rows} of {found.of} {answers} the median error drops {before} if {found.words}; "
            "in the others it does not."
        )
    elif np.isfinite(found.before_m):
        sentence = f"The median error drops {fall} if {found.words}."
    else:
        sentence = (
            f"Most answers are nowhere on the Earth; the median error is {distance(found.after_m)} if {found.words}."
        )
    return Diagnosis(found.code, sentence, figures)


def _texts(joined: Joined, texts: dict[str, Unread]) -> Diagnosis:
    """Latitudes and longitudes that are texts: with commas, in degrees and minutes, or anything else."""
    predictions = joined.predictions
    key, column = next(iter(texts.items()))
    row, example = next(iter(column.first.items()))
    count = max(column.texts for column in texts.values())
    where = f"row {row + predictions.first_row}: {key} {shown(example[:40])!r}"
    head = f"No number for {' or '.join(texts)}, counted as wrong: {count} of {len(predictions)} rows ({where})"
    kinds: Counter[str] = Counter()
    columns = {"lat": predictions.lat.copy(), "lon": predictions.lon.copy()}
    changed = np.zeros(len(predictions))
    for key, unread in texts.items():
        for row, text in unread.first.items():
            reading = reading_of(text)
            if reading is not None:
                kinds[reading.kind] += 1
                columns[key][row], changed[row] = reading.degrees, 1.0
    if not kinds:
        return Diagnosis("no_number", f"{head}.", {"rows": count})
    ((kind, _),) = kinds.most_common(1)
    rows = joined.of_truth(changed) == 1.0
    lat, lon = (joined.of_truth(columns[key])[rows] for key in ("lat", "lon"))
    errors = errors_as_written(lat, lon, joined.truth.lat[rows], joined.truth.lon[rows])
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return Diagnosis(kind, f"{head}; are they {_KINDS[kind]}?", {"rows": count})
    after = float(np.median(errors))
    sentence = f"{head}; read as {_KINDS[kind]}, their median error is {distance(after)}."
    return Diagnosis(kind, sentence, {"rows": count, "after_m": after})


def _no_place(joined: Joined) -> Iterator[Diagnosis]:
    """Rows that are no place: NaN, infinite, off the Earth, (0, 0); and one place said again and again."""
    predictions = joined.predictions
    lat, lon = predictions.lat, predictions.lon
    first = predictions.first_row
    unread = [predictions.unread[key].nan for key in ("lat", "lon") if key in predictions.unread]
    if any(unread):
        rows = max(unread)
        yield Diagnosis(
            "nan",
            f"Written nan where lat or lon is: {counted(rows, 'row')}; leave them empty where there is no answer.",
            {"rows": rows},
        )
    infinite = np.isinf(lat) | np.isinf(lon)
    if np.any(infinite):
        rows = int(np.count_nonzero(infinite))
        yield Diagnosis("infinite", f"inf for lat or lon, counted as wrong: {counted(rows, 'row')}.", {"rows": rows})
    off = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon) & ((np.abs(lat) > 90.0) | (np.abs(lon) > 180.0)))
    if len(off):
        row = off[0]
        where = f"row {row + first}: lat {lat[row]:.10g}, lon {lon[row]:.10g}"
        sentence = f"Nowhere on the Earth, counted as wrong: {len(off)} of {len(predictions)} places ({where})."
        yield Diagnosis("off_earth", sentence, {"rows": len(off)})
    zero = (np.abs(lat) < _ZERO_DEG) & (np.abs(lon) < _ZERO_DEG)
    far = joined.of_truth(zero.astype(np.float64)) == 1.0
    far &= joined.errors_m() > _ZERO_AWAY_M
    if np.any(far):
        rows = int(np.count_nonzero(far))
        said = counted(rows, "answer")
        sentence = f"(0, 0), in the sea off Ghana, counted as wrong: {said}; where none is meant, leave them empty."
        yield Diagnosis("null_island", sentence, {"rows": rows})


def _same_place(joined: Joined) -> Iterator[Diagnosis]:
    lat, lon = joined.places()
    rows = np.flatnonzero(np.isfinite(lat))
    if len(rows) < _SAME_ROWS:
        return
    places, counts = np.unique(lat[rows] + 1j * lon[rows], return_counts=True)
    place, most = places[np.argmax(counts)], int(np.max(counts))
    there = rows[(lat[rows] == place.real) & (lon[rows] == place.imag)]
    truths = len(np.unique(np.round(joined.truth.lat[there], 3) + 1j * np.round(joined.truth.lon[there], 3)))
    if most < _SAME_SHARE * len(rows) or truths < _SAME_ROWS:
        return
    share = "All" if most == len(rows) else f"{most} of {len(rows)}"
    sentence = f"{share} answers are the same place, {place.real:.10g}, {place.imag:.10g}, of {truths} true places."
    yield Diagnosis("same_place", sentence, {"rows": most, "of": len(rows), "true_places": truths})


def _identical(joined: Joined) -> Iterator[Diagnosis]:
    """Answers that are the truth itself, to the last digit, as no measurement is."""
    rows = np.flatnonzero(joined.row >= 0)
    same = joined.errors_m()[rows] == 0.0
    if len(rows) >= _SAME_ROWS and np.all(same):
        sentence = f"All {len(rows)} answers are the truth, digit for digit: is it the same table twice?"
        yield Diagnosis("identical", sentence, {"rows": len(rows)})
