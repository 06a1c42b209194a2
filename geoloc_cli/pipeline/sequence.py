"""Photographs as one trajectory: each is the prior of the next, gaps are bridged, and what is off the track refused.

    first answers -> track -> a second search, near where the track says, for those without a place or off it -> track

The order is that of EXIF's times, or of the names where fewer than half of the photographs state one; then one
photograph is the unit of time. Where times count, a photograph without one keeps its first answer and takes no part:
nobody knows where in the order it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.errors import PhotoError
from geoloc_cli.geo.belief import credible_radius_m, from_components, mass_within
from geoloc_cli.geo.earth import bearing_deg, destination, haversine_m
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.geo.track import Point, Sighting, Track, track
from geoloc_cli.index.reader import Circle
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.moments import natural_order
from geoloc_cli.types import Belief, Component, Failure, Fix, PriorGuess

Floats = NDArray[np.float64]
Answer = Fix | Failure

NAME = "sequence"
OFF_THE_TRACK = "off_the_track"

# EXIF's times are whole seconds, cut off or rounded: an even error of one second has this standard deviation.
_WHOLE_SECOND_STD = 1.0 / math.sqrt(12.0)
# `confidence` speaks of one kilometre; what is wider than that is no place.
_WIDEST_BRIDGE_M = 1000.0
_WIDEST_SEARCH_M = 5000.0
# Photographs that show the same thing stand tens of metres from each other, from the air a hundred.
_SEARCH_RADII = 2.0
_LEAST_SEARCH_M = 100.0
# As for every verified answer; one that is bridged rests on two of them.
_LEAST_DOUBT = 0.01
_BRIDGE_DOUBT = 0.02
# An answer is moved where its radius loses a fifth at least; for less it is left as its own photograph says.
_SHARPER = 0.8
_MEDOID_SAMPLE = 300


def follow(
    answers: Sequence[Answer],
    again: Callable[[dict[str, Circle]], Iterable[Answer]],
    *,
    max_speed: float | None = None,
    taken_at: Callable[[str], str | None] | None = None,
) -> list[Answer]:
    """The answers of the first pass as one trajectory makes them, in their order; failures stay as they are.

    again(circles by path) searches those photos anew, each near its circle, and gives an answer each in that order.
    max_speed: metres a second that the camera never exceeded; learned where None, and where there are no times.
    taken_at(path) gives a photo's time, ISO 8601; by default its file's.
    """
    order = _order(answers, taken_at or _taken_at)
    fixes = dict(order.fixes)
    way = _Way(fixes, order, max_speed)
    circles = way.circles()
    if circles:
        for path, answer in zip(circles, again(circles), strict=True):
            if isinstance(answer, Fix) and answer.status == "ok" and answer.lat is not None:
                fixes[path] = replace(answer, priors=(*answer.priors, way.guess(path)))
        way = _Way(fixes, order, max_speed)
    final = {path: way.answer(path) for path in fixes}
    return [final.get(answer.photo, answer) if isinstance(answer, Fix) else answer for answer in answers]


@dataclass(frozen=True, slots=True)
class _Order:
    """Those that take part, in order; time_s (n,) counts from the first, None where only the order is known."""

    fixes: dict[str, Fix]
    time_s: Floats | None
    clock_std_s: float


def _order(answers: Sequence[Answer], taken_at: Callable[[str], str | None]) -> _Order:
    # A pose in a map that is nowhere on the Earth has no place in the track.
    part = {a.photo: a for a in answers if isinstance(a, Fix) and (a.status != "ok" or a.lat is not None)}
    stated = {path: text for path in part if (text := taken_at(path))}
    times = {path: datetime.fromisoformat(text) for path, text in stated.items()}
    if any(time.tzinfo is None for time in times.values()):  # the camera's own clock, whatever its zone
        times = {path: time.replace(tzinfo=None) for path, time in times.items()}
    seconds = {path: time.replace(tzinfo=time.tzinfo or UTC).timestamp() for path, time in times.items()}
    if 2 * len(seconds) < len(part) or len(set(seconds.values())) < 2:
        return _Order({path: part[path] for path in sorted(part, key=natural_order)}, None, 0.0)
    paths = sorted(seconds, key=lambda path: (seconds[path], natural_order(path)))
    whole = all(time.microsecond == 0 for time in times.values())
    time_s = np.array([seconds[path] for path in paths])
    return _Order({path: part[path] for path in paths}, time_s - time_s[0], _WHOLE_SECOND_STD if whole else 0.0)


def _taken_at(path: str) -> str | None:
    try:
        return read_photo(path).taken_at
    except PhotoError:
        return None


class _Way:
    """The track through the fixes, and what it says of each photo.

    It lies in the plane of the azimuthal equidistant projection about the place in the midst of the fixes: true to a
    millimetre in a metre within 500 km of it.
    """

    def __init__(self, fixes: dict[str, Fix], order: _Order, max_speed: float | None) -> None:
        self._fixes, self._time_s = fixes, order.time_s
        self._paths = list(fixes)
        self._number = {path: i for i, path in enumerate(self._paths)}
        self._middle = _middle([fix for fix in fixes.values() if fix.lat is not None])
        sightings = [self._sighting(fix) for fix in fixes.values()]
        limit = max_speed if order.time_s is not None else None
        found: Track = track(sightings, order.time_s, clock_std_s=order.clock_std_s, max_speed=limit)
        self._points = dict(zip(self._paths, found.points, strict=True))

    def circles(self) -> dict[str, Circle]:
        """Where to search again for the photos that have no place on the track of their own."""
        found = {}
        for path, point in self._points.items():
            if point.state in ("absent", "refused") and point.position is not None:
                place = self._place(point)
                if place.radius_m <= _WIDEST_SEARCH_M:
                    radius = max(_SEARCH_RADII * place.radius_m, _LEAST_SEARCH_M)
                    found[path] = Circle(place.lat, place.lon, radius)
        return found

    def guess(self, path: str) -> PriorGuess:
        """What the track says of a photo, as evidence for its record."""
        point = self._points[path]
        place = self._place(point)
        return PriorGuess(NAME, place.lat, place.lon, place.radius_m, self._rationale(path, point))

    def answer(self, path: str) -> Fix:
        """The photo's fix with what the track makes of it."""
        fix, point = self._fixes[path], self._points[path]
        if point.state == "used":
            return self._sharpened(path, fix, point)
        if point.state == "unsure":
            return fix
        refused = point.state == "refused"
        place = self._place(point) if point.position is not None else None
        if place is not None and place.radius_m <= _WIDEST_BRIDGE_M:
            reason = OFF_THE_TRACK if refused else fix.reason
            fix = replace(fix, status="ok", stage="prior", reason=reason, alt_m=None, pose=None)
            return self._placed(path, fix, place, max(point.doubt, _BRIDGE_DOUBT))
        if not refused:
            return fix
        nowhere = replace(fix, status="unlocated", stage=None, reason=OFF_THE_TRACK, lat=None, lon=None, alt_m=None)
        return replace(nowhere, radius_m=None, confidence=0.0, belief=Belief(), pose=None)

    def _sharpened(self, path: str, fix: Fix, point: Point) -> Fix:
        """A fix that its neighbours make sharper, or whose second place is the right one; a pose is never moved."""
        assert point.hypothesis is not None
        own = _components(fix)[point.hypothesis]
        place = self._place(point)
        first = point.hypothesis == 0
        if fix.pose is not None or (first and place.radius_m > _SHARPER * own.radius_m):
            return fix
        if point.before is None and point.after is None:
            return fix
        return self._placed(path, fix, place, max(point.doubt, _LEAST_DOUBT))

    def _placed(self, path: str, fix: Fix, place: Component, doubt: float) -> Fix:
        belief = from_components([replace(place, weight=1.0 - doubt)], doubt)
        radius = credible_radius_m(belief, place.lat, place.lon, 0.9)
        priors = (*(prior for prior in fix.priors if prior.name != NAME), self.guess(path))
        return replace(
            fix,
            lat=place.lat,
            lon=place.lon,
            radius_m=round(radius, 2),
            confidence=round(float(mass_within(belief, place.lat, place.lon, 1000.0)), 4),
            belief=belief,
            priors=priors,
        )

    def _sighting(self, fix: Fix) -> Sighting | None:
        if fix.status != "ok" or self._middle is None:
            return None
        said = _components(fix)
        lat, lon = np.array([c.lat for c in said]), np.array([c.lon for c in said])
        away = haversine_m(*self._middle, lat, lon)
        angle = np.radians(bearing_deg(*self._middle, lat, lon))
        position = np.stack([away * np.sin(angle), away * np.cos(angle)], axis=1)
        sigma = np.array([c.radius_m for c in said]) / R90_PER_SIGMA
        covariance = sigma[:, None, None] ** 2 * np.eye(2)
        return Sighting(position, covariance, np.array([c.weight for c in said]), 1.0 - sum(c.weight for c in said))

    def _place(self, point: Point) -> Component:
        assert point.position is not None
        assert point.covariance is not None
        assert self._middle is not None
        east, north = point.position
        bearing = math.degrees(math.atan2(east, north))
        lat, lon = destination(*self._middle, bearing, math.hypot(east, north))
        # The circle of an ellipse's 90 %: exact where it is round, and at most a third too wide where it is a line.
        radius = R90_PER_SIGMA * math.sqrt(float(np.linalg.eigvalsh(point.covariance)[-1]))
        return Component(round(float(lat), 8), round(float(lon), 8), round(radius, 2), 1.0)

    def _rationale(self, path: str, point: Point) -> str:
        at = self._number[path]
        ends = [i for i in (point.before, point.after) if i is not None]
        names = [f"'{Path(self._paths[i]).name}'" for i in ends]
        if len(ends) == 2:
            where, apart = f"between {names[0]} and {names[1]}", (ends[0], ends[1])
        else:
            where, apart = f"{'after' if point.before is not None else 'before'} {names[0]}", (at, ends[0])
        if self._time_s is None:
            steps = abs(apart[1] - apart[0])
            gap = f"{steps} photograph{'s' if steps > 1 else ''} apart"
        else:
            gap = f"{abs(self._time_s[apart[1]] - self._time_s[apart[0]]):.0f} s apart"
        fix = self._fixes[path]
        if point.state != "refused" or fix.lat is None or fix.lon is None:
            return f"{where}, {gap}"
        place = self._place(point)
        off_km = float(haversine_m(fix.lat, fix.lon, place.lat, place.lon)) / 1000.0
        return f"{where}, {gap}; its own answer, {off_km:.3g} km from here, was refused"


def _components(fix: Fix) -> tuple[Component, ...]:
    """The hypotheses of a located fix, its answer first."""
    assert fix.lat is not None
    assert fix.lon is not None
    assert fix.radius_m is not None
    said = [c for c in fix.belief.components if c.weight > 0.0]
    if not said:
        return (Component(fix.lat, fix.lon, fix.radius_m, fix.confidence),)
    lat, lon = fix.lat, fix.lon
    return tuple(sorted(said, key=lambda c: float(haversine_m(lat, lon, c.lat, c.lon))))


def _middle(located: Sequence[Fix]) -> tuple[float, float] | None:
    """The located fix nearest to the others by the median, of 300 at most; None where there is none."""
    if not located:
        return None
    some = located[:: 1 + len(located) // _MEDOID_SAMPLE]
    lat, lon = np.array([fix.lat for fix in some], np.float64), np.array([fix.lon for fix in some], np.float64)
    away = np.median(haversine_m(lat[:, None], lon[:, None], lat, lon), axis=1)
    k = int(away.argmin())
    return float(lat[k]), float(lon[k])
