"""A belief on a globe that is turned towards the answer, and beside it the surroundings of a small one."""

from __future__ import annotations

import math

import numpy as np

from geoloc_cli.export.ground import length, outlines, square_m
from geoloc_cli.export.scene import (
    BLUE,
    FAINT,
    INK,
    PURPLE,
    VERMILION,
    YELLOW,
    Area,
    Dots,
    Line,
    Panel,
    Scene,
    Words,
    box,
    fitted,
)
from geoloc_cli.export.views import WIDTH, Place, View, around
from geoloc_cli.export.world import ring
from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats
from geoloc_cli.geo.projections import Azimuthal, Orthographic, areas
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Belief, Fix

SHARES = (0.5, 0.9)  # of each component, inside of its two discs
GLOBE = 600.0  # across
_MARGIN, _SIZE, _LINE = 16.0, 15.0, 21.0
_WIDTH = 3.0 * _MARGIN + GLOBE + WIDTH
_SEA, _LAND, _BORDER, _NET, _SHEET = "#dce9f2", "#f3efe4", "#9d9688", "#b9c8d3", "#f7f6f2"
_MOST_COMPONENTS = 40
_LEAST_DISC = 3.0  # of the radius of a disc: what is smaller could not be seen
_ZOOM_BELOW_M = 3_000_000.0  # an answer of a larger radius is best seen on the globe
_ROOM = 1.6  # from the middle of the inset to its nearest edge, in radii of the answer
_GRID_BELOW_M = 500_000.0  # the outlines are good to some 20 km
_MOST_TOLD = 5


def belief_scene(fix: Fix) -> Scene:
    """The components as two discs each, that hold a half and nine tenths of it, darker the heavier; and the answer.

    What priors said is marked where they named a place, and told below. In the inset, which is there where the radius
    is below 3000 km, the candidates are dots.
    """
    view = _globe(_middle(fix))
    globe = Scene(GLOBE, GLOBE)
    _ground(globe, view)
    _belief(globe, view, fix.belief)
    _answer(globe, view, fix)
    edge = np.linspace(0.0, 2.0 * math.pi, 181)
    rim = GLOBE / 2.0 + view.scale * np.stack([np.cos(edge), np.sin(edge)], axis=-1)
    globe.add(Line([rim], FAINT, 1.5, kind="rim"))
    scene = Scene(_WIDTH, 0.0, f"Where {shown(fix.photo)} was taken, as far as is known: {_said(fix)}")
    scene.add(Panel(_MARGIN, _MARGIN, globe))
    right, low = 2.0 * _MARGIN + GLOBE, _MARGIN
    if fix.lat is not None and fix.lon is not None and fix.radius_m is not None and fix.radius_m < _ZOOM_BELOW_M:
        inset = _inset(fix, around([(fix.lat, fix.lon)], room_m=_ROOM * fix.radius_m))
        scene.add(Panel(right, low, inset), Line([box(right, low, WIDTH, inset.height)], FAINT, 1.0))
        low += inset.height
    bottom = _told(scene, fix, low + _MARGIN, right, zoomed=low > _MARGIN)
    scene.height = max(GLOBE + 2.0 * _MARGIN, bottom)
    return scene


def _middle(fix: Fix) -> Place:
    """The answer, else the heaviest component, else where most people live."""
    if fix.lat is not None and fix.lon is not None:
        return fix.lat, fix.lon
    heaviest = max(fix.belief.components, key=lambda c: c.weight, default=None)
    return (heaviest.lat, heaviest.lon) if heaviest else (30.0, 60.0)


def _globe(middle: Place) -> View:
    reach = 1.01  # of the Earth's radius, with the line about it
    return View(Orthographic(*middle), -reach, reach, GLOBE / 2.0 / reach, GLOBE)


def _inset(fix: Fix, view: View) -> Scene:
    inset = Scene(WIDTH, view.height)
    _ground(inset, view)
    _belief(inset, view, fix.belief)
    places = [(c.lat, c.lon) for c in fix.candidates if c.lat is not None and c.lon is not None and c.inliers]
    spots = [at for place in places if (at := view.point(*place)) is not None]
    if spots:
        inset.add(Dots(np.concatenate(spots), 4.0, YELLOW, edge=INK, kind="candidate"))
    _answer(inset, view, fix)
    bar = square_m(view) / EARTH_RADIUS_M * view.scale
    y = view.height - 14.0
    ends = np.array(
        [[WIDTH - 14.0 - bar, y - 5.0], [WIDTH - 14.0 - bar, y], [WIDTH - 14.0, y], [WIDTH - 14.0, y - 5.0]]
    )
    inset.add(Line([ends], INK, 1.5, kind="bar"))
    inset.add(Words(WIDTH - 14.0, y - 9.0, length(square_m(view)), 13.0, anchor="end", halo="#ffffff"))
    return inset


def _ground(scene: Scene, view: View) -> None:
    whole = isinstance(view.projection, Orthographic)
    if not whole and view.metres < _GRID_BELOW_M:
        scene.ground = _SHEET
        step = square_m(view) / EARTH_RADIUS_M * view.scale
        columns = np.arange(WIDTH / 2.0 % step, WIDTH, step)
        rows = np.arange(view.height / 2.0 % step, view.height, step)
        lines = [np.array([[x, 0.0], [x, view.height]]) for x in columns]
        lines += [np.array([[0.0, y], [WIDTH, y]]) for y in rows]
        scene.add(Line(lines, "#dddad0", 1.0, kind="grid"))
        return
    if whole:
        edge = np.radians(np.arange(0.0, 360.0, 2.0))
        disc = GLOBE / 2.0 + view.scale * np.stack([np.cos(edge), np.sin(edge)], axis=-1)
        scene.add(Area([disc], _SEA, kind="sea"))
    else:
        scene.ground = _SEA
    land, borders = outlines()
    scene.add(
        Area([view.drawn(part) for one in land for part in areas(view.projection, *one)], _LAND, kind="land"),
        Line([part for line in borders for part in view.line(*line)], _BORDER, 0.6, kind="border"),
        Line(_net(view), _NET, 0.6, kind="net"),
    )


def _net(view: View) -> list[Floats]:
    """Meridians and parallels, 15 degrees apart on the globe, and nearer on a part of it."""
    step = 15.0 if isinstance(view.projection, Orthographic) else 5.0
    lats, lons = np.arange(-90.0, 90.1, 1.0), np.arange(-180.0, 180.1, 1.0)
    if isinstance(view.projection, Azimuthal):
        lons = view.projection.lon0 + lons  # from the far side, so that no line begins in the middle
    lines = [(np.full(len(lons), lat), lons) for lat in np.arange(-90.0 + step, 90.0, step)]
    lines += [(lats[int(step) :][: -int(step)], np.full(len(lats) - 2 * int(step), lon)) for lon in _meridians(step)]
    return [part for line in lines for part in view.line(*line)]


def _meridians(step: float) -> Floats:
    return np.arange(-180.0, 180.0, step)


def _belief(scene: Scene, view: View, belief: Belief) -> None:
    components = sorted(belief.components, key=lambda c: -c.weight)[:_MOST_COMPONENTS]
    least = _LEAST_DISC / view.scale
    for component in components:
        shade = 0.12 + 0.38 * math.sqrt(component.weight / components[0].weight)
        for angle in fisher.angle_holding(np.array(SHARES), fisher.kappa_from_radius(component.radius_m)).tolist():
            round_it = ring(component.lat, component.lon, max(angle, least))
            parts = [view.drawn(part) for part in areas(view.projection, *round_it)]
            if parts:
                scene.add(Area(parts, BLUE, shade / len(SHARES), kind="belief"))


def _answer(scene: Scene, view: View, fix: Fix) -> None:
    for prior in fix.priors:
        if prior.lat is not None and prior.lon is not None:
            at = _on(view, prior.lat, prior.lon)
            if at is not None:
                scene.add(Dots(at, 4.0, PURPLE, edge=INK, kind="prior"))
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        return
    at = _on(view, fix.lat, fix.lon)
    lat, lon = ring(fix.lat, fix.lon, fix.radius_m / EARTH_RADIUS_M)
    rim = view.line(np.append(lat, lat[0]), np.append(lon, lon[0]))
    if rim:
        scene.add(Line(rim, VERMILION, 1.5, dashed=True, kind="radius"))
    if at is not None:
        scene.add(Dots(at, 4.5, VERMILION, edge=INK, kind="answer"))


def _on(view: View, lat: float, lon: float) -> Floats | None:
    """A place on the picture; None also on the globe's far side."""
    projection = view.projection
    if isinstance(projection, Orthographic) and projection.turned([lat], [lon])[0, 1] < 0.0:
        return None
    return view.point(lat, lon)


def _said(fix: Fix) -> str:
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        return f"{fix.status} ({fix.reason})" if fix.reason else fix.status
    if fix.disclosed:
        return f"{fix.lat}, {fix.lon} ± {length(fix.radius_m)}, told by {fix.disclosed.level}"
    return f"{fix.lat:.5f}, {fix.lon:.5f} ± {length(fix.radius_m)}, confidence {fix.confidence:.2f}"


def _told(scene: Scene, fix: Fix, top: float, x: float, *, zoomed: bool) -> float:
    """The answer in words, its components, and what priors said, each with the dot that it has; where they end."""
    scene.add(Words(x, top + _SIZE, fitted(shown(fix.photo), _SIZE, WIDTH, keep_end=True), _SIZE))
    lines = [(_said(fix), FAINT if fix.lat is None else VERMILION)]
    heaviest = sorted(fix.belief.components, key=lambda c: -c.weight)
    for c in heaviest[:_MOST_TOLD]:
        within = f"{length(c.radius_m)} of {c.lat:.4f}, {c.lon:.4f}"
        lines.append((f"{c.weight:.0%}, nine tenths of it within {within}", BLUE))
    if len(heaviest) > _MOST_TOLD:
        rest = sum(c.weight for c in heaviest[_MOST_TOLD:])
        lines.append((f"{rest:.0%} in {len(heaviest) - _MOST_TOLD} others", BLUE))
    lines.append((f"{fix.belief.spread:.1%} anywhere on the Earth", _SEA))
    compared = sum(bool(c.inliers) for c in fix.candidates)
    if compared and zoomed:
        lines.append((f"the {compared} likeliest indexed photos, as far as they lie near", YELLOW))
    for prior in fix.priors[:_MOST_TOLD]:
        place = "" if prior.lat is None or prior.lon is None else f" {prior.lat:.3f}, {prior.lon:.3f}"
        lines.append((f"{shown(prior.name)}{place}: {shown(prior.rationale)}", PURPLE))
    y = top + _SIZE
    for text, colour in lines:
        y += _LINE
        scene.add(Dots(np.array([[x + 5.0, y - 5.0]]), 4.0, colour, edge=INK))
        scene.add(Words(x + 18.0, y, fitted(text, _SIZE, WIDTH - 18.0), _SIZE))
    return y + _LINE
