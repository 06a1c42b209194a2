"""A photograph beside its candidates, and the matches that were counted for them, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import PhotoError, PhotoNotFound
from geoloc_cli.export.ground import length
from geoloc_cli.export.scene import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    Area,
    Dots,
    Line,
    Picture,
    Scene,
    Words,
    box,
    fitted,
)
from geoloc_cli.export.thumbnails import pixels_of
from geoloc_cli.geo.earth import Floats, haversine_m
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.sightings import Compared
from geoloc_cli.types import Candidate, Fix

MOST_LINES = 200
MOST_CANDIDATES = 10
_WIDTH, _MARGIN, _GAP = 1600.0, 16.0, 24.0
_TALLEST = 640.0
_CAPTION = 44.0
_SIZE = 15.0
# Pixels of the longer side of a photograph that is drawn: 1.5 for one of the PNG.
_SIDE = 1200
# From the upper edge of the query to its lower one. Of all orders this is the one in which neighbours differ most to
# eyes that lack any one kind of receptor: by 38 in CIELAB at the least.
BANDS = (PURPLE, YELLOW, BLUE, VERMILION, SKY, ORANGE, GREEN)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A photograph's place on the picture, and how many units one of its described pixels is."""

    x: float
    y: float
    scale: float
    width: float
    height: float

    def at(self, points: Floats) -> Floats:
        placed: Floats = points * self.scale + (self.x, self.y)
        return placed


def match_scene(fix: Fix, compared: Mapping[str, Compared], *, candidates: int = 1, rejected: bool = False) -> Scene:
    """The photograph beside its best candidates, one below the other.

    Of at most MOST_LINES inliers each, evenly chosen, lines are drawn, and all of them are dots; `rejected` adds the
    other matches, thin and grey. Where a file is gone, or is another picture by now, its place says so.
    """
    rows = [candidate for candidate in fix.candidates if candidate.inliers is not None][:candidates]
    scene = Scene(_WIDTH, 0.0, f"{shown(fix.photo)} beside what it was compared with, and the matches between them")
    top = _MARGIN
    if not rows:
        scene.add(Words(_MARGIN, top + _SIZE, "No candidate was compared: there are no matches to be drawn.", _SIZE))
        scene.height = top + _CAPTION
        return scene
    for candidate in rows:
        top = _row(scene, top, fix, candidate, compared.get(candidate.photo), rejected)
    scene.height = top
    return scene


def _row(scene: Scene, top: float, fix: Fix, candidate: Candidate, compared: Compared | None, rejected: bool) -> float:
    """Adds one pair; the lower edge of what was added."""
    room = (_WIDTH - 2.0 * _MARGIN - _GAP) / 2.0
    right = _MARGIN + room + _GAP
    sizes = _sizes(compared)
    left = _put(scene, fix.photo, None, _MARGIN, top, sizes[0], room)
    beside = _put(scene, candidate.photo, compared.sha256 if compared else None, right, top, sizes[1], room)
    bottom = top + max(left.height, beside.height)
    if compared is not None:
        _draw(scene, compared, left, beside, rejected)
    _caption(scene, _MARGIN, bottom, room, fix.photo, _answer(fix))
    _caption(scene, right, bottom, room, candidate.photo, _evidence(fix, candidate, compared))
    return bottom + _CAPTION + _MARGIN


def _sizes(compared: Compared | None) -> tuple[tuple[int, int], tuple[int, int]]:
    """Those of the described pictures; without any matches there is nothing to be placed on them."""
    return (compared.matched.query_size, compared.matched.reference_size) if compared else ((4, 3), (4, 3))


def _put(scene: Scene, path: str, sha256: str | None, x: float, y: float, size: tuple[int, int], room: float) -> _Shown:
    scale = min(room / size[0], _TALLEST / size[1])
    width, height = size[0] * scale, size[1] * scale
    try:
        if sha256 is not None and fingerprint(path)[0] != sha256:
            raise PhotoNotFound(f"{shown(Path(path).name)} is no longer the picture that the index describes.")
        scene.add(Picture(x, y, width, height, pixels_of(path, max_size=_SIDE)))
    except PhotoError as error:
        scene.add(Area([box(x, y, width, height)], "#d9d9d9"))
        scene.add(Words(x + 12.0, y + height / 2.0, fitted(str(error), _SIZE, width - 24.0, keep_end=True), _SIZE))
    return _Shown(x, y, scale, width, height)


def _draw(scene: Scene, compared: Compared, left: _Shown, right: _Shown, rejected: bool) -> None:
    matched = compared.matched
    a, b = left.at(matched.in_query), right.at(matched.in_reference)
    if rejected:
        others = np.flatnonzero(~matched.stands)
        others = others[evenly(matched.in_query[others], MOST_LINES)]
        lines = [np.stack([a[i], b[i]]) for i in others.tolist()]
        if lines:
            scene.add(Line(lines, FAINT, 1.0, opacity=0.7, kind="rejected"))
    held = np.flatnonzero(matched.stands)
    band = bands(matched.in_query[held, 1])
    chosen = evenly(matched.in_query[held], MOST_LINES)
    for k in chosen.tolist():
        i = int(held[k])
        scene.add(Line([np.stack([a[i], b[i]])], BANDS[band[k]], 1.6, halo=INK, kind="inlier"))
    for number, colour in enumerate(BANDS):
        these = held[band == number]
        if len(these):
            scene.add(Dots(np.concatenate([a[these], b[these]]), 2.2, colour, edge=INK, kind="keypoint"))


def bands(height: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) numbers of colours, from the highest point to the lowest, each colour for as many."""
    rank = np.argsort(np.argsort(height, kind="stable"), kind="stable")
    numbers: NDArray[np.int64] = rank * len(BANDS) // max(1, len(height))
    return numbers


def evenly(points: Floats, most: int) -> NDArray[np.int64]:
    """Rows of at most so many points (n, 2), spread over the picture: each the farthest from those before it.

    The first is the one nearest to their mean (Gonzalez 1985).
    """
    if len(points) <= most:
        return np.arange(len(points))
    away = np.linalg.norm(points - points.mean(axis=0), axis=1)
    chosen = [int(away.argmin())]
    away = np.full(len(points), np.inf)
    while len(chosen) < most:
        away = np.minimum(away, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(away.argmax()))
    return np.sort(np.array(chosen, np.int64))


def _caption(scene: Scene, x: float, y: float, room: float, path: str, said: Sequence[str]) -> None:
    name = fitted(shown(path), _SIZE, room, keep_end=True)
    scene.add(Words(x, y + 19.0, name, _SIZE))
    scene.add(Words(x, y + 38.0, fitted(" · ".join(said), _SIZE, room), _SIZE, FAINT))


def _answer(fix: Fix) -> list[str]:
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        return [fix.status, str(fix.reason or "")]
    return [f"{fix.lat:.5f}, {fix.lon:.5f} ± {length(fix.radius_m)}", f"confidence {fix.confidence:.2f}"]


def _evidence(fix: Fix, candidate: Candidate, compared: Compared | None) -> list[str]:
    said = [f"{candidate.inliers} inliers of {candidate.matches} matches", f"similarity {candidate.similarity:.2f}"]
    if compared is None or not compared.stands:
        said.append("too few to count")
    elif (candidate.inliers or 0) > MOST_LINES:
        said.append(f"{MOST_LINES} drawn")
    if fix.lat is not None and fix.lon is not None and candidate.lat is not None and candidate.lon is not None:
        away_m = float(haversine_m(fix.lat, fix.lon, candidate.lat, candidate.lon))
        return [f"{length(away_m)} from the answer", *said]
    return said
