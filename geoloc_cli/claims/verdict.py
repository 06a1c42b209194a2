"""From pieces of evidence to a verdict.

Pieces are of two families. What the *picture* shows (its belief, its verified matches, its pose, and that it was not
found where the index knows the place) comes from the same pixels and the same indexed photos, so that these pieces are
not independent: only the strongest counts, and where they point both ways the strongest of either side. What the *file*
says (its position, its clock, its exposure) can be written by anyone: all of it together counts no more than
`FILE_CAP`, and a verdict must be reached by the picture alone as well, so that a file can withhold one and never
make one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from geoloc_cli.errors import UsageError

Family = Literal["picture", "file"]
Answer = Literal["supported", "contradicted", "undecided"]

# log10: a factor of three, about what two honest clocks may differ by.
FILE_CAP = 0.5
# How many times as likely one side must make the evidence. 100 is where Jeffreys (Theory of Probability, 1961) calls
# evidence decisive, and no more than a few hundred labelled photos can show; 10 is for sifting, 1000 for what may harm.
STRICTNESS = {"lenient": 10.0, "usual": 100.0, "strict": 1000.0}
# Of what the picture's sharpest piece gives to the region, for a claim to be supported or contradicted: what lies
# between straddles the rim, and the answer is not sharp enough to say on which side it is.
_MOST_INSIDE, _LEAST_INSIDE = 0.75, 0.05
_WORDS = ((4.0, "very strongly"), (3.0, "strongly"), (2.0, "moderately strongly"), (1.0, "moderately"), (0.3, "weakly"))


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence that was looked at: `said` in a sentence, and how it weighs (log10 LR, above 0 for the
    claim). `inside` is the share that it gives to the claimed region, where it tells of places.
    """

    name: str
    family: Family
    log10_lr: float
    said: str
    inside: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`log10_lr` is the sum over the families, of which `picture` is the first; `counted` is what of each piece is in
    it, in their order. `reason` says in a word why a claim is undecided, None where it is not.
    """

    answer: Answer
    log10_lr: float
    picture: float
    counted: tuple[float, ...]
    reason: str | None = None


def threshold_of(strictness: str) -> float:
    """Raises UsageError where there is no such name."""
    if strictness not in STRICTNESS:
        raise UsageError(f"There is no strictness '{strictness}'; give one of {', '.join(STRICTNESS)}.")
    return STRICTNESS[strictness]


def verdict_of(pieces: Sequence[Piece], threshold: float) -> Verdict:
    """threshold: the likelihood ratio from which, or below whose inverse, a claim is decided."""
    counted = [0.0] * len(pieces)
    for i in _strongest(pieces):
        counted[i] = pieces[i].log10_lr
    picture = sum(counted)
    said = sum(piece.log10_lr for piece in pieces if piece.family == "file")
    kept = 1.0 if abs(said) <= FILE_CAP else FILE_CAP / abs(said)
    for i, piece in enumerate(pieces):
        if piece.family == "file":
            counted[i] = kept * piece.log10_lr
    total, edge = sum(counted), math.log10(threshold)
    inside = _inside(pieces)
    answer: Answer = "undecided"
    reason: str | None = "too_little_evidence"
    if not any(piece.family == "picture" for piece in pieces):
        reason = "nothing_in_the_picture"
    elif min(abs(total), abs(picture)) >= edge and total * picture > 0.0:
        if total > 0.0 and (inside is None or inside >= _MOST_INSIDE):
            answer, reason = "supported", None
        elif total < 0.0 and (inside is None or inside <= _LEAST_INSIDE):
            answer, reason = "contradicted", None
        else:
            reason = "on_the_rim"
    elif inside is not None and _LEAST_INSIDE < inside < _MOST_INSIDE:
        reason = "on_the_rim"
    elif abs(picture) >= edge:
        reason = "the_file_says_otherwise"
    return Verdict(answer, total, picture, tuple(counted), reason)


def _strongest(pieces: Sequence[Piece]) -> set[int]:
    """The strongest piece of the picture for the claim and the strongest against it."""
    of_picture = [i for i, piece in enumerate(pieces) if piece.family == "picture"]
    speaking = [i for i in of_picture if pieces[i].log10_lr != 0.0]
    sides = ([i for i in speaking if pieces[i].log10_lr > 0.0], [i for i in speaking if pieces[i].log10_lr < 0.0])
    return {max(side, key=lambda i: abs(pieces[i].log10_lr)) for side in sides if side}


def _inside(pieces: Sequence[Piece]) -> float | None:
    """By the belief, which is the sharpest and holds every place that the picture speaks for."""
    return next((piece.inside for piece in pieces if piece.name == "belief"), None)


def in_words(log10_lr: float) -> str:
    """The ratio in words of our own, one for each power of ten; the number always stands beside them.

    Two propositions, a ratio and a table of words are the framework of the ENFSI Guideline for Evaluative Reporting in
    Forensic Science (2015); the words here are not its own.
    """
    side = "supports the claim" if log10_lr > 0.0 else "speaks against the claim"
    for least, word in _WORDS:
        if abs(log10_lr) >= least:
            return f"{word} {side}"
    return "says next to nothing either way"


def as_times(log10_lr: float) -> str:
    """A likelihood ratio of two digits, as in 350, 2.5 or 1/40."""
    times = 10.0 ** abs(log10_lr)
    said = f"{times:.1f}".removesuffix(".0") if times < 9.95 else f"{float(f'{times:.1e}'):.0f}"
    return said if log10_lr >= 0.0 or said == "1" else f"1/{said}"
