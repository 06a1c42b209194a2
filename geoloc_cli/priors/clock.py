"""What the photo's clock says of its place: the time zones that have its offset, and where the sun shone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import credible_radius_m, from_components, mass_within, mix, simplify
from geoloc_cli.geo.earth import EARTH_RADIUS_M
from geoloc_cli.geo.sun import sun_altitude_deg
from geoloc_cli.priors.daylight import daylight_odds
from geoloc_cli.priors.zones import zones
from geoloc_cli.types import Belief, Clock, Component, Photo, PriorGuess

_MOST_COMPONENTS = 64
_HOUR_MIN = 60
# The guess is the centre about which most of the belief lies within this, the field's threshold of a country.
_COUNTRY_M = 750_000.0
_NAMED = 3  # zones in the rationale


@dataclass(frozen=True, slots=True)
class ClockOptions:
    """`doubt` is the share spread evenly for a clock that tells nothing of the place: one set before the journey.

    Phones set theirs by the network, cameras keep the time of home; a file does not say which it is. `doubt_utc` stands
    in where the offset is zero, which many cameras have until somebody sets it, and programs that know none write; and
    `doubt_xmp` for XMP, whose offset often is that of the computer the photo was edited on. `beside` is the share of
    the zones an hour to the east and the west: summer time not set, or the neighbouring zone's network.
    `most_odds` is the most by which the picture's brightness weighs day against night; 1 leaves it out.
    """

    doubt: float = 0.15
    doubt_utc: float = 0.5
    doubt_xmp: float = 0.3
    beside: float = 0.1
    most_odds: float = 10.0

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        for name in ("doubt", "doubt_utc", "doubt_xmp"):
            share = getattr(self, name)
            if not 0 < share < 1:
                raise UsageError(f"{name} is {share}; give a share between 0 and 1.")
        if not 0 <= self.beside < 1:
            raise UsageError(f"beside is {self.beside}; give a share from 0 to 1.")
        if not self.most_odds >= 1:
            raise UsageError(f"most_odds is {self.most_odds}; give 1 or more.")


class ClockPrior:
    """The offset of the photo's clock -> where people have it; its brightness against the sun there and then."""

    name = "clock"

    def __init__(self, options: ClockOptions | None = None) -> None:
        self.options = options or ClockOptions()
        self.options.check()

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """None where the file tells no offset, or one that no zone had at that time."""
        clock = photo.clock
        if clock is None:
            return None
        moment = datetime.fromisoformat(clock.utc)
        there = zones().having(clock.offset_min, moment)
        if not there:
            return None
        beside = [zones().having(clock.offset_min + hour, moment) for hour in (-_HOUR_MIN, _HOUR_MIN)]
        components = _people(there, beside[0] + beside[1], self.options.beside)
        said = _said(clock, there)
        if photo.ev100 is not None and self.options.most_odds > 1.0:
            components, day = _lit(components, photo.ev100, moment, self.options.most_odds)
            said += f"; by its exposure (EV {photo.ev100:.1f}) {100.0 * day:.0f} % where the sun was up"
        doubt = self._doubt(clock)
        belief = from_components([replace(c, weight=(1.0 - doubt) * c.weight) for c in components], doubt)
        lat, lon = _center(belief)
        return belief, PriorGuess(self.name, lat, lon, credible_radius_m(belief, lat, lon), said)

    def _doubt(self, clock: Clock) -> float:
        if clock.offset_min == 0:
            return self.options.doubt_utc
        return self.options.doubt_xmp if clock.source == "xmp" else self.options.doubt


@lru_cache(maxsize=256)
def _people(there: tuple[int, ...], beside: tuple[int, ...], share_beside: float) -> tuple[Component, ...]:
    """The people of some zones and, with their share, those of others; kept, since a folder's photos are of few."""
    parts = [(_of(there), 1.0 - share_beside)] + ([(_of(beside), share_beside)] if beside else [])
    return simplify(mix(parts), _MOST_COMPONENTS).components


def _of(numbers: tuple[int, ...]) -> Belief:
    world = zones()
    rows = np.flatnonzero(np.isin(world.zone, numbers))
    table = np.stack([world.lat[rows], world.lon[rows], world.radius_m[rows], world.weight[rows]], axis=1)
    return from_components(Component(*row) for row in table.tolist())


def _lit(
    components: tuple[Component, ...], ev100: float, moment: datetime, most_odds: float
) -> tuple[tuple[Component, ...], float]:
    """The components weighed by the sun, to one together, and the share of them where it was up."""
    lat, lon, radius_m, weight = np.array([(c.lat, c.lon, c.radius_m, c.weight) for c in components]).T
    sun_deg = sun_altitude_deg(moment, lat, lon)
    weight = weight * daylight_odds(ev100, sun_deg, np.degrees(radius_m / EARTH_RADIUS_M), most_odds)
    weight /= weight.sum()
    lit = tuple(replace(c, weight=float(w)) for c, w in zip(components, weight, strict=True))
    return lit, float(weight @ (sun_deg > 0.0))


def _center(belief: Belief) -> tuple[float, float]:
    held = [float(mass_within(belief, c.lat, c.lon, _COUNTRY_M)) for c in belief.components]
    best = belief.components[int(np.argmax(held))]
    return best.lat, best.lon


def _said(clock: Clock, there: tuple[int, ...]) -> str:
    """The offset, who states it, and the zones of the most people."""
    world = zones()
    people = np.bincount(world.zone, world.weight)
    order = sorted(there, key=lambda number: -people[number])
    named = ", ".join(world.names[number] for number in order[:_NAMED])
    rest = f" and {len(order) - _NAMED} more" if len(order) > _NAMED else ""
    hours, minutes = divmod(abs(clock.offset_min), 60)
    sign = "-" if clock.offset_min < 0 else "+"
    return f"clock at {sign}{hours:02d}:{minutes:02d} by {clock.source}: {named}{rest}"
