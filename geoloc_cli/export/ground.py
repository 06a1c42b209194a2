"""What lies under a map: sea, land, borders and the net of meridians and parallels, or a grid in metres.

Land and borders are those of `data/world.json`, good to some 20 km; a view narrower than 500 km shows the grid instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import numpy as np

from geoloc_cli.export.markup import Html, element, join, path_data
from geoloc_cli.export.views import WIDTH, View
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats
from geoloc_cli.geo.projections import Azimuthal, areas

Line = tuple[Floats, Floats]  # latitudes and longitudes

_GRID_BELOW_M = 500_000.0
_NET_STEPS_DEG = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
_NET_APART = 90.0  # units between meridians where they are named
_SQUARES = 12  # across a grid, at most
THIN = 0.6  # units: what lies nearer to the last point cannot be seen


def ground(view: View, least: float = THIN) -> Html:
    """The lowest layer of a map; least: how near to each other points of an outline are drawn."""
    if not view.whole and view.metres < _GRID_BELOW_M:
        return join([_sheet(view, "sheet"), _grid(view)])
    land, borders = outlines()
    polygons = [view.drawn(polygon) for ring in land for polygon in areas(view.projection, *ring)]
    lines = [part for line in borders for part in view.line(*line)]
    return join(
        [
            _earth(view) if view.whole else _sheet(view, "sea"),
            element("path", class_="land", fill_rule="evenodd", d=path_data(polygons, closed=True, least=least)),
            element("path", class_="border", d=path_data(lines, least=least)),
            _net(view, 5.0 * least),
        ]
    )


def scale_bar(view: View) -> Html | None:
    """A bar of a round length at the lower right; None for the whole Earth, which has no one scale."""
    if view.whole:
        return None
    metres = square_m(view)
    right, y = WIDTH - 14.0, view.height - 16.0
    left = right - metres / EARTH_RADIUS_M * view.scale
    bar = element("path", d=f"M{left:.1f} {y - 5.0:.1f}v5H{right:.1f}v-5", class_="bar")
    label = element("text", length(metres), x=right, y=y - 10.0, text_anchor="end", class_="mark")
    return element("g", bar, label)


def square_m(view: View) -> float:
    """The side of a grid's squares, and the length of the scale bar: 1, 2 or 5 times a power of ten."""
    return round_step(view.metres / _SQUARES)


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not less than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least * (1.0 - 1e-9))


def length(metres: float) -> str:
    """A length as people say it: 0.4 m, 25 m, 1.2 km, 2500 km."""
    value, unit = (metres, "m") if metres < 999.5 else (metres / 1000.0, "km")
    return f"{value:.2g} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


@cache
def outlines() -> tuple[list[Line], list[Line]]:
    """The rings of land, each with its inside on the right, and the borders between countries, in degrees."""
    data = json.loads(files("geoloc_cli.export").joinpath("data/world.json").read_bytes())
    unit = data["unit_deg"]

    def line(steps: list[int]) -> Line:
        lat, lon = np.cumsum(np.array(steps).reshape(-1, 2), axis=0).T * unit
        return lat, lon

    return [line(steps) for steps in data["land"]], [line(steps) for steps in data["borders"]]


def _sheet(view: View, kind: str) -> Html:
    return element("rect", class_=kind, width=WIDTH, height=view.height)


def _earth(view: View) -> Html:
    """The whole Earth's outline, filled as sea."""
    up = np.arange(-90.0, 91.0, 2.0)
    side = np.repeat([-180.0, 180.0], len(up))
    edge = view.projection.flat(np.stack([side, np.concatenate([up, up[::-1]])], axis=-1))
    return element("path", class_="sea", d=path_data([view.drawn(edge)], closed=True))


def _grid(view: View) -> Html:
    """Lines a round number of metres apart, counted from the middle."""
    step = square_m(view) / EARTH_RADIUS_M * view.scale
    middle_x, middle_y = WIDTH / 2.0, view.height / 2.0
    columns = middle_x + step * np.arange(-math.floor(middle_x / step), math.floor(middle_x / step) + 1)
    rows = middle_y + step * np.arange(-math.floor(middle_y / step), math.floor(middle_y / step) + 1)
    lines = [f"M{x:.1f} 0V{view.height:.1f}" for x in columns] + [f"M0 {y:.1f}H{WIDTH:g}" for y in rows]
    return element("path", class_="net", d="".join(lines))


def _net(view: View, least: float) -> Html:
    """Meridians and parallels; on a regional map they say their degrees at the upper and the left edge."""
    drawn, labels = [], []
    for kind, degrees, line in _net_lines(view):
        parts = view.line(*line)
        drawn += parts
        if isinstance(view.projection, Azimuthal):
            labels += [label for part in parts[:1] if (label := _net_label(view, kind, degrees, part))]
    return join([element("path", class_="net", d=path_data(drawn, least=least)), *labels])


def _net_lines(view: View) -> Iterator[tuple[str, float, Line]]:
    step = meridians = 30.0
    fine = 2.0
    if isinstance(view.projection, Azimuthal):
        half_deg = math.degrees(view.height / view.scale) / 2.0
        at_top = math.cos(math.radians(min(view.projection.lat0 + half_deg, 90.0)))
        if view.projection.lat0 - half_deg <= -90.0:
            at_top = 0.0
        degree = math.radians(view.scale) * at_top
        step = next((s for s in _NET_STEPS_DEG if half_deg / s <= 3.0), _NET_STEPS_DEG[-1])
        meridians = next((s for s in _NET_STEPS_DEG if s * degree >= _NET_APART), _NET_STEPS_DEG[-1])
        fine = 0.5
    for lat in np.arange(-90.0 + step, 90.0, step):
        # From the map's far side, so that no line begins in its middle.
        lons = view.projection.lon0 + np.arange(-180.0 + 1e-9, 180.0, fine)
        yield "parallel", float(lat), (np.full(len(lons), lat), lons)
    lats = np.arange(-80.0, 80.1, fine)
    for lon in np.arange(-180.0, 180.0, meridians):
        yield "meridian", float(lon), (lats, np.full(len(lats), lon))


def _net_label(view: View, kind: str, degrees: float, part: Floats) -> Html | None:
    """The degrees of a line, where it first meets the upper (meridians) or the left edge; None where it does not."""
    axis = 1 if kind == "meridian" else 0
    sides = part[:, axis] > 0.0
    for i in np.flatnonzero(sides[1:] != sides[:-1]):
        share = part[i, axis] / (part[i, axis] - part[i + 1, axis])
        along = float((part[i] + share * (part[i + 1] - part[i]))[1 - axis])
        if kind == "meridian" and 40.0 < along < WIDTH - 60.0:
            letter = "E" if degrees > 0.0 else "W"
            said = f"{abs(degrees):g}°{letter if degrees % 180.0 else ''}"
            return element("text", said, x=along + 4.0, y=3.0, dy="1em", class_="mark")
        if kind == "parallel" and 40.0 < along < view.height - 8.0:
            letter = "N" if degrees > 0.0 else "S"
            return element("text", f"{abs(degrees):g}°{letter if degrees else ''}", x=6.0, y=along - 4.0, class_="mark")
    return None
