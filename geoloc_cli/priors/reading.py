"""Picture -> lines of text, by RapidOCR (Apache-2.0), whose models come in its wheel: no download, no network.

Its recogniser (PP-OCRv6 small) knows Latin letters with their accents, Chinese characters, kana and Greek; what is in
another script comes out as Latin letters of a like shape or not at all, and with a low score.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import MissingExtra
from geoloc_cli.models.weights import imported
from geoloc_cli.priors.names import cleaned, unmixed

OWNER, EXTRA = "prior 'ocr'", "ocr"
_LONGEST = 120  # letters of a line; no sign has more, and a page of a book is no place
_GAP = 1.0  # of a line's height: words of one line stand closer
_OVERLAP = 0.5  # of the lower line's height
_LIKE = 1.7  # in height, at most
_COLUMN = 1.5  # times as high as wide: two letters one above the other


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was read: `score` is the recogniser's own confidence; left, top, right, bottom in pixels."""

    text: str
    score: float
    box: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def upright(self) -> bool:
        """Whether it is written from the top down, as Chinese and Japanese may be: the recogniser reads that, too."""
        return len(self.text) > 1 and self.height > _COLUMN * (self.box[2] - self.box[0])


class Reader:
    """RapidOCR on the CPU with as many threads as `OMP_NUM_THREADS` allows; built once, some 0.3 s."""

    def __init__(self) -> None:
        """Raises MissingExtra where rapidocr, onnxruntime or the models of the wheel are missing."""
        imported("onnxruntime", OWNER, EXTRA)
        rapidocr = imported("rapidocr", OWNER, EXTRA)
        models = files("rapidocr").joinpath("models")
        paths: dict[str, Any] = {}
        for part, word in (("Det", "det"), ("Cls", "cls"), ("Rec", "rec")):
            found = (
                sorted(str(model) for model in models.iterdir() if f"_{word}_" in model.name) if models.is_dir() else []
            )
            if not found:
                # Without a path it would fetch one.
                raise MissingExtra(
                    f"{OWNER}: rapidocr {version('rapidocr')} is installed without its models; "
                    "run `pip install --force-reinstall 'geoloc[ocr]'`."
                )
            paths[f"{part}.model_path"] = found[0]
        threads = os.environ.get("OMP_NUM_THREADS", "")
        settings = {
            **paths,
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": int(threads) if threads.isdecimal() else -1,
        }
        self._engine = rapidocr.RapidOCR(params=settings)

    def read(self, rgb: NDArray[np.uint8], min_score: float) -> list[Line]:
        """The lines of an upright picture (H, W, 3), the topmost first; none on a picture without text."""
        found = self._engine(np.ascontiguousarray(rgb[..., ::-1]))
        if found.boxes is None or not found.txts:
            return []
        lines = []
        for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            shown = unmixed(cleaned(text, _LONGEST))
            if shown and score >= min_score:
                (left, top), (right, bottom) = np.min(box, axis=0), np.max(box, axis=0)
                lines.append(Line(shown, float(score), (float(left), float(top), float(right), float(bottom))))
        return joined(lines)


def joined(lines: Sequence[Line]) -> list[Line]:
    """Lines with those that stand beside each other, alike in height, made one: `St.` and `Gallen` are `St. Gallen`."""
    rest = sorted(lines, key=lambda line: line.box[0])
    whole: list[Line] = []
    while rest:
        line = rest.pop(0)
        while (after := next((other for other in rest if _continues(line, other)), None)) is not None:
            rest.remove(after)
            (left, top, right, bottom), other = line.box, after.box
            box = left, min(top, other[1]), max(right, other[2]), max(bottom, other[3])
            line = Line(f"{line.text} {after.text}", min(line.score, after.score), box)
        whole.append(line)
    return sorted(whole, key=lambda line: (line.box[1], line.box[0]))


def _continues(line: Line, other: Line) -> bool:
    if line.upright or other.upright:
        return False
    lower, higher = sorted((line.height, other.height))
    overlap = min(line.box[3], other.box[3]) - max(line.box[1], other.box[1])
    gap = other.box[0] - line.box[2]
    return higher <= _LIKE * lower and overlap >= _OVERLAP * lower and -lower <= gap <= _GAP * lower
