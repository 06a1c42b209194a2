"""Names that a sign breaks over two lines: `San` above `Francisco` is one place, not some San and some Francisco."""

from __future__ import annotations

from collections.abc import Sequence

from geoloc_cli.priors.gazetteer import Gazetteer
from geoloc_cli.priors.reading import Line

_GAP = 0.9  # of the lower line's height: lines of one name stand closer
_LIKE = 1.5  # in height, at most: a town's name is not continued by the small print
_OFF = 0.75  # of the lower line's height: left edges or middles stand this well below each other


def stacked(lines: Sequence[Line], gazetteer: Gazetteer) -> list[str]:
    """The texts of lines, topmost first, with those made one over whose break a name of the gazetteer runs.

    The name must be spelled as it is known, and be the whole of one of the two lines or more: `Bad` above `Paris Road`
    is none.
    """
    whole = list(lines)
    first = 0
    while first < len(whole):
        upper = whole[first]
        below = next((line for line in whole if _below(upper, line) and _runs_over(upper, line, gazetteer)), None)
        if below is None:
            first += 1
            continue
        whole.remove(below)
        box = [pick(a, b) for pick, a, b in zip((min, min, max, max), upper.box, below.box, strict=True)]
        text, score = f"{upper.text} {below.text}", min(upper.score, below.score)
        # As high as its last line: what follows stands below that.
        whole[first] = Line(text, score, (box[0], below.box[1], box[2], box[3]))
    return [line.text for line in whole]


def _below(upper: Line, lower: Line) -> bool:
    if upper is lower or upper.upright or lower.upright:
        return False
    small, large = sorted((upper.height, lower.height))
    gap = lower.box[1] - upper.box[3]
    left = abs(upper.box[0] - lower.box[0])
    middle = abs(upper.box[0] + upper.box[2] - lower.box[0] - lower.box[2]) / 2.0
    return large <= _LIKE * small and -0.5 * small <= gap <= _GAP * small and min(left, middle) <= _OFF * large


def _runs_over(upper: Line, lower: Line, gazetteer: Gazetteer) -> bool:
    end = len(upper.text)
    text = f"{upper.text} {lower.text}"
    return any(
        hit.exact and hit.start < end < hit.end and (hit.start == 0 or hit.end == len(text))
        for hit in gazetteer.find(text)
    )
