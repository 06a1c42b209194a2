"""Maps as SVG: the world, a region or a few streets, with places, errors, circles and beliefs on it.

Nothing is fetched. Colours are classes, to which the style of `export/page.py` gives a meaning by day and by night.
Points and lines keep their width on the screen whatever the size of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from geoloc_cli.export.ground import THIN, ground, length, scale_bar
from geoloc_cli.export.markup import Html, element, join, path_data
from geoloc_cli.export.views import WIDTH, Place, View, whole_earth
from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats, destination
from geoloc_cli.geo.projections import areas, great_circle, placed
from geoloc_cli.types import Belief

# What a point stands for; the grades run from the smallest error to the largest.
Point = Literal["truth", "guess", "candidate", "grade-0", "grade-1", "grade-2", "grade-3", "grade-4", "grade-5"]
Kind = Point | Literal["error", "disc", "belief"]
_POINTS = frozenset(get_args(Point))

_MOST_COMPONENTS = 40
_SHADES = (0.3, 0.6, 0.9)  # shares of a component that its discs hold
_LEAST_DISC = 4.0  # units; a smaller disc could not be seen
_MANY = 300  # points, from which on they and the lines are drawn smaller
_WEDGE_UNITS, _WEDGE_DEG = 110.0, 40.0
_ROUND = "M3 8a7 7 0 1 0 14 0a7 7 0 1 0-14 0z"  # a disc of a legend


class WorldMap:
    """A map that is drawn on; from the ground up lie beliefs and circles, lines, points, in whatever order they come.

    What is outside of the view is not drawn; `left_out` counts the points.
    """

    def __init__(self, view: View | None = None, least: float = THIN) -> None:
        """least: units that a point of an outline is away from the last; more of them make a smaller picture."""
        self.view, self._least = view or whole_earth(), least
        self.left_out = 0
        self._areas: list[Html] = []
        self._lines: list[Floats] = []
        self._points: list[Html] = []

    def point(self, lat: float, lon: float, *, title: str, kind: Point = "guess") -> None:
        """A place, whose title is shown under the pointer and read out by screen readers."""
        at = self.view.point(lat, lon)
        if at is None:
            self.left_out += 1
            return
        name = element("title", title)
        self._points.append(element("path", name, class_=f"point {kind}", role="img", d=path_data([at])))

    def error(self, truth: Place, guess: Place) -> None:
        """The shortest way between two places, along the great circle."""
        self._lines += self.view.line(*great_circle(truth, guess))

    def circle(self, lat: float, lon: float, radius_m: float, *, title: str) -> None:
        """A circle on the sphere, such as that of a fix's `radius_m`."""
        ring_lat, ring_lon = round_it = ring(lat, lon, radius_m / EARTH_RADIUS_M)
        rim = self.view.line(np.append(ring_lat, ring_lat[0]), np.append(ring_lon, ring_lon[0]))
        parts = [
            element("path", class_="disc", fill_rule="evenodd", d=self._filled(round_it)),
            element("path", class_="rim", d=path_data(rim, least=self._least)),
        ]
        self._areas.append(element("g", element("title", title), join(parts), role="img"))

    def belief(self, belief: Belief) -> None:
        """The forty heaviest components, each as three discs that hold 30, 60 and 90 % of it, darker the heavier."""
        components = sorted(belief.components, key=lambda c: -c.weight)[:_MOST_COMPONENTS]
        least = _LEAST_DISC / self.view.scale
        for component in components:
            shade = 0.06 + 0.2 * math.sqrt(component.weight / components[0].weight)
            angles = fisher.angle_holding(np.array(_SHADES), fisher.kappa_from_radius(component.radius_m))
            rings = [ring(component.lat, component.lon, max(float(angle), least)) for angle in angles]
            discs = [
                element("path", class_="belief", fill_opacity=shade, fill_rule="evenodd", d=self._filled(ring))
                for ring in rings
            ]
            where = f"{length(component.radius_m)} of {component.lat:.2f}, {component.lon:.2f}"
            said = f"{component.weight:.0%}, nine tenths of it within {where}"
            self._areas.append(element("g", element("title", said), join(discs), role="img"))

    def wedge(self, lat: float, lon: float, heading_deg: float, *, title: str) -> None:
        """Where a camera at a place looked, clockwise from true north; its size says nothing of the angle of view."""
        at = self.view.point(lat, lon)
        if at is None:
            self.left_out += 1
            return
        # On the picture north is not always up: the way there is that of a short step on the Earth.
        step_m = 1e-4 * EARTH_RADIUS_M / max(self.view.scale, 1.0)
        x, y = (self.view.drawn(placed(self.view.projection, *destination(lat, lon, heading_deg, step_m))) - at)[0]
        middle = math.atan2(y, x)
        turns = middle + np.radians(np.linspace(-_WEDGE_DEG / 2.0, _WEDGE_DEG / 2.0, 9))
        rim = at + _WEDGE_UNITS * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
        d = path_data([np.concatenate([at, rim])], closed=True)
        self._areas.append(element("path", element("title", title), class_="wedge", role="img", d=d))

    def svg(self, title: str) -> Html:
        """The picture; its title says what it shows, to those also who do not see it."""
        lines = element("path", class_="error", d=path_data(self._lines)) if self._lines else None
        many = "many" if len(self._points) > _MANY else None
        return element(
            "svg",
            element("g", ground(self.view, self._least), aria_hidden="true"),
            join(self._areas),
            element("g", lines, class_=many, aria_hidden="true"),
            element("g", join(self._points), class_=many),
            scale_bar(self.view),
            class_="map",
            role="group",
            aria_label=title,
            viewBox=f"0 0 {WIDTH:g} {self.view.height:.1f}",
        )

    def _filled(self, ring: tuple[Floats, Floats]) -> str:
        polygons = areas(self.view.projection, *ring)
        return path_data([self.view.drawn(polygon) for polygon in polygons], closed=True, least=self._least)


def legend(kinds: Iterable[tuple[Kind, str]]) -> Html:
    """What the points, lines and areas of a map stand for, as a list to stand below it."""
    rows = []
    for kind, said in kinds:
        if kind in _POINTS:
            mark = element("path", class_=f"point {kind}", d="M10 8h.1")
        elif kind == "error":
            mark = element("path", class_="error", d="M1 8h18")
        elif kind == "disc":
            mark = join([element("path", class_="disc", d=_ROUND), element("path", class_="rim", d=_ROUND)])
        else:
            mark = element("path", class_="belief", fill_opacity=0.4, d=_ROUND)
        swatch = element("svg", mark, class_="swatch", viewBox="0 0 20 16", aria_hidden="true")
        rows.append(element("li", swatch, said))
    return element("ul", join(rows), class_="legend")


def ring(lat: float, lon: float, angle: float) -> tuple[Floats, Floats]:
    """Places of a circle, walked with the clock, every 5 degrees, or every 2 where it is large."""
    angle = min(angle, math.pi - 1e-3)
    bearings = np.linspace(0.0, 360.0, 72 if angle < 0.2 else 180, endpoint=False)
    return destination(lat, lon, bearings, angle * EARTH_RADIUS_M)
