"""What an HTML map is told: answers in columns of plain JSON, bounded in size, that `data/map-main.js` reads.

Texts are as `markup.visible` shows them. Where much is told of many photographs, less is told of each, and `kept` says
how much.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from geoloc_cli.export.ground import outlines
from geoloc_cli.export.located import alt_sea_m_of
from geoloc_cli.export.markup import visible
from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.projections import EqualEarth, areas, strands
from geoloc_cli.photos.scan import common_folder
from geoloc_cli.types import Candidate, Failure, Fix, Pose

Place = tuple[float, float]

_MAX_BYTES = 8_000_000
_MAX_NAME = 300  # characters; of a longer one the end is shown
_DEGREES = 7  # decimals: a centimetre
_UNIT_DEG = 0.01


@dataclass(frozen=True, slots=True)
class Kept:
    """What is told of each photograph at most: candidates and components by their weight, letters of a rationale."""

    candidates: int
    components: int
    letters: int


_LEVELS = (Kept(15, 40, 2000), Kept(5, 10, 400), Kept(3, 3, 80))


def told(answers: Sequence[Fix | Failure], truth: Sequence[Place | None] | None) -> tuple[dict[str, Any], Kept]:
    """The columns of the answers and how much was kept: the most that 8 MB hold, or the least there is."""
    for kept in _LEVELS:
        columns = _columns(answers, truth, kept)
        if len(script_json(columns)) <= _MAX_BYTES:
            break
    return columns, kept


def script_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element, or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def ground() -> dict[str, list[list[int]]]:
    """Land as polygons between -180 and 180 degrees, and borders as lines: latitude, longitude, then steps."""
    land, borders = outlines()
    flat = _Degrees()
    return {
        "land": [_steps(polygon) for ring in land for polygon in areas(flat, *ring)],
        "borders": [_steps(part) for line in borders for part in strands(flat, *line)],
    }


class _Degrees(EqualEarth):
    """A sheet of longitude and latitude as they are."""

    __slots__ = ()

    def flat(self, turned: Floats) -> Floats:
        return turned


def _steps(points: Floats) -> list[int]:
    units = np.rint(points[:, ::-1] / _UNIT_DEG).astype(np.int64)
    return [int(v) for v in np.vstack([units[:1], np.diff(units, axis=0)]).ravel()]


def _columns(answers: Sequence[Fix | Failure], truth: Sequence[Place | None] | None, kept: Kept) -> dict[str, Any]:
    folder = common_folder(answer.photo for answer in answers)
    known: dict[tuple[str, float | None, float | None], int] = {}
    rows = [_row(answer, len(folder), known, kept) for answer in answers]
    columns = {name: [row[name] for row in rows] for name in _NAMES}
    if truth is not None:
        columns["truth"] = [place and [_degrees(v) for v in place] for place in truth]
    indexed_in = common_folder(name for name, _, _ in known)
    indexed = [[_name(name[len(indexed_in) :]), _degrees(lat), _degrees(lon)] for name, lat, lon in known]
    folders = {"folder": _name(folder), "indexed_folder": _name(indexed_in)}
    return folders | {"indexed": indexed, "photos": columns}


_NAMES = (
    *("name", "status", "reason", "lat", "lon", "alt_sea_m", "radius_m", "confidence", "disclosed", "stage"),
    *("belief", "candidates", "pose", "priors"),
)


def _row(answer: Fix | Failure, skipped: int, known: dict[Any, int], kept: Kept) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_NAMES) | {"name": _name(answer.photo[skipped:])}
    if isinstance(answer, Failure):
        return row | {"status": "error", "reason": _text(answer.message, kept)}
    components = sorted(answer.belief.components, key=lambda c: -c.weight)[: kept.components]
    return row | {
        # What is withheld rests on no stage that is told, and is listed with what has no place.
        "status": answer.status if answer.stage else "unlocated",
        "reason": answer.reason and answer.reason.replace("_", " "),
        "lat": _degrees(answer.lat),
        "lon": _degrees(answer.lon),
        "alt_sea_m": _short(alt_sea_m_of(answer), 7),
        "radius_m": _short(answer.radius_m),
        "confidence": round(answer.confidence, 4),
        "disclosed": answer.disclosed.level if answer.disclosed else None,
        "stage": answer.stage,
        "belief": [[_degrees(c.lat), _degrees(c.lon), _short(c.radius_m), _short(c.weight)] for c in components],
        "candidates": [_candidate(one, known) for one in answer.candidates[: kept.candidates]],
        "pose": _pose(answer.pose) if answer.pose else None,
        "priors": [
            [_name(p.name), _degrees(p.lat), _degrees(p.lon), _short(p.radius_m), _text(p.rationale, kept)]
            for p in answer.priors
        ],
    }


def _candidate(one: Candidate, known: dict[Any, int]) -> list[float | None]:
    number = known.setdefault((one.photo, one.lat, one.lon), len(known))
    return [number, _short(one.similarity), one.matches, one.inliers]


def _pose(pose: Pose) -> list[Any]:
    angles = [_short(angle) for angle in (pose.heading_deg, pose.pitch_deg, pose.roll_deg)]
    spread = [_short(v) for v in pose.position_std_m] if pose.position_std_m else None
    return [_name(pose.map), *angles, pose.inliers, _short(pose.reprojection_px), spread]


def _name(text: str) -> str:
    return visible(text if len(text) <= _MAX_NAME else f"…{text[1 - _MAX_NAME :]}")


def _text(text: str, kept: Kept) -> str:
    return visible(text if len(text) <= kept.letters else f"{text[: kept.letters - 1]}…")


def _degrees(value: float | None) -> float | None:
    return None if value is None else round(value, _DEGREES)


def _short(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
