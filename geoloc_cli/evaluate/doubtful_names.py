"""Names of predictions that are missing, unknown, repeated, or found in the truth in a loose way only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from geoloc_cli.evaluate.diagnosis import Diagnosis, counted
from geoloc_cli.evaluate.joined import WAYS, Joined
from geoloc_cli.photos.opening import shown

_LOOSELY = (
    "by the end of their paths",
    "without their folders",
    "without folder and suffix",
    "without regard to letter case",
)


def doubtful_names(joined: Joined) -> Iterator[Diagnosis]:
    """Names that are missing, extra, repeated, or matched in a loose way only."""
    photos, names = joined.predictions.photos, joined.truth.photos
    missing, extra, unsure = joined.missing, joined.extra, joined.ambiguous
    if len(missing):
        listed = _some([names[row] for row in missing[:2]], len(missing))
        sentence = f"No prediction for {len(missing)} of {len(names)} photographs, counted as wrong ({listed})."
        yield Diagnosis("missing", sentence, {"rows": len(missing), "of": len(names)})
    if len(extra):
        listed = _some([photos[row] for row in extra[:2]], len(extra))
        sentence = f"Not in the truth, and not counted: {len(extra)} of {len(photos)} predictions ({listed})."
        yield Diagnosis("extra", sentence, {"rows": len(extra), "of": len(photos)})
    if len(joined.repeated):
        yield _repeated(joined)
    if len(unsure):
        listed = _some([photos[row] for row in unsure[:2]], len(unsure))
        sentence = (
            "Names that fit several photographs, or share the one they fit, not counted: "
            f"{counted(len(unsure), 'prediction')} ({listed}); give names with their folders."
        )
        yield Diagnosis("ambiguous", sentence, {"rows": len(unsure)})
    unnamed = photos.count("")
    if unnamed:
        yield Diagnosis("unnamed", f"Without a name, not counted: {counted(unnamed, 'prediction')}.", {"rows": unnamed})
    for number, words in enumerate(_LOOSELY, 1):
        rows = np.flatnonzero(joined.way == number)
        if len(rows):
            ours, theirs = shown(photos[joined.row[rows[0]]]), shown(names[rows[0]])
            sentence = f"Matched only {words}: {len(rows)} of {len(names)} names ({ours} with {theirs})."
            yield Diagnosis(f"matched_by_{WAYS[number].replace(' ', '_')}", sentence, {"rows": len(rows)})


def _repeated(joined: Joined) -> Diagnosis:
    """Names that come more than once, of which the first counts; and whether the others say the same."""
    predictions, rows = joined.predictions, joined.repeated
    first: dict[str, int] = {}
    for row, name in enumerate(predictions.photos):
        first.setdefault(name, row)
    owners = np.array([first[predictions.photos[row]] for row in rows])
    same = np.ones(len(rows), bool)
    for column in (predictions.lat, predictions.lon):
        same &= (column[rows] == column[owners]) | (np.isnan(column[rows]) & np.isnan(column[owners]))
    other = int(np.count_nonzero(~same))
    listed = _some([predictions.photos[row] for row in rows[:2]], len(rows))
    tail = f"{other} of them say another place" if other else "they say the same places"
    sentence = f"Repeated names, of which the first counts: {counted(len(rows), 'row')} ({listed}); {tail}."
    return Diagnosis("duplicates", sentence, {"rows": len(rows), "other_place": other})


def _some(names: list[str], total: int) -> str:
    return ", ".join(shown(name) for name in names) + (", ..." if total > len(names) else "")
