"""One answer as a piece of HTML for a notebook: two maps, near and far, and its figures as text.

The piece is complete in itself: no script, nothing fetched, no name of an element that another piece might have, and
its style is for what is in it alone. By day and by night as the notebook is, else as the system is.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from geoloc_cli.export.ground import length
from geoloc_cli.export.located import alt_sea_m_of
from geoloc_cli.export.markup import Html, element, join, visible
from geoloc_cli.export.views import Place, View, around
from geoloc_cli.export.world import Kind, WorldMap, legend
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.types import Belief, Component, Failure, Fix

_CLASS = "geoloc-fix"
_TOLD = 6  # parts of the belief and candidates that are drawn
_LEAST_WEIGHT = 0.02
_FAR_M = 1_500_000.0  # from the answer to the edge of the far map
_NEAR_BELOW_M = 300_000.0  # an answer that is wider is a matter for the far map alone
_TEXT_CHARS = 240
_THIN = 3.5  # units: a map is some 350 pixels wide, and 960 units


def card(answer: Fix | Failure) -> Html:
    """The piece of HTML, below 60 kB whatever the answer holds."""
    if isinstance(answer, Failure):
        said = element("p", element("b", answer.code), f": {_cut(answer.message)}")
        return _framed(answer.photo, "error", None, said)
    place = (answer.lat, answer.lon) if answer.lat is not None and answer.lon is not None else None
    status = answer.status if answer.reason is None else f"{answer.status}, {answer.reason}"
    return _framed(answer.photo, status, _maps(answer, place), _figures(answer))


def _framed(photo: str, status: str, maps: Html | None, said: Html) -> Html:
    name = element("bdi", _cut(photo), class_="name")
    head = element("p", name, " ", element("span", status, class_="status"), class_="head")
    return element("div", element("style", Html(_style())), head, maps, said, class_=_CLASS)


def _maps(fix: Fix, place: Place | None) -> Html | None:
    """The region and the streets, whichever of them there is something to see on."""
    parts = sorted(fix.belief.components, key=lambda c: -c.weight)[:_TOLD]
    parts = [part for part in parts if part.weight >= _LEAST_WEIGHT]
    if place is None and not parts:
        return None
    middle = place or (parts[0].lat, parts[0].lon)
    radius = fix.radius_m or (parts[0].radius_m if parts else 0.0)
    told_of = [middle, *((part.lat, part.lon) for part in parts)]
    far = _drawn(fix, place, parts, around(told_of, room_m=max(_FAR_M, 1.6 * radius)), "The region", far=True)
    drawn = [far]
    if radius < _NEAR_BELOW_M:
        seen = [middle, *_near(middle, parts, radius)]
        drawn.append(_drawn(fix, place, parts, around(seen, room_m=1.5 * radius), "Nearby", far=False))
    kinds: list[tuple[Kind, str]] = [("guess", "answer")] if place else []
    kinds += [("disc", "90 %")] if place and fix.radius_m else []
    kinds += [("belief", "belief")] if parts else []
    if any(candidate.lat is not None for candidate in fix.candidates[:_TOLD]) and len(drawn) > 1:
        kinds.append(("candidate", "candidates"))
    return element("div", element("div", join(drawn), class_="maps"), legend(kinds))


def _near(middle: Place, parts: list[Component], radius: float) -> list[Place]:
    """The middles of the other parts of a belief that the near map takes in: those within ten of its radii."""
    places = [(part.lat, part.lon) for part in parts]
    return [at for at in places if float(haversine_m(*middle, *at)) <= 10.0 * max(radius, 30.0)]


def _drawn(fix: Fix, place: Place | None, parts: list[Component], view: View, title: str, *, far: bool) -> Html:
    world = WorldMap(view, _THIN)
    if parts:
        world.belief(Belief(tuple(parts), 1.0 - sum(part.weight for part in parts)))
    if place and fix.radius_m:
        world.circle(*place, fix.radius_m, title=f"nine in ten true positions lie within {length(fix.radius_m)}")
    for candidate in [] if far else fix.candidates[:_TOLD]:
        if candidate.lat is not None and candidate.lon is not None:
            world.point(candidate.lat, candidate.lon, title=f"candidate {_cut(candidate.photo)}", kind="candidate")
    heading = fix.pose.heading_deg if fix.pose else None
    if place and heading is not None and not far:
        world.wedge(*place, heading, title=f"the camera looked {heading:.0f}° clockwise from north")
    if place:
        world.point(*place, title=f"{place[0]:.5f}, {place[1]:.5f}")
    return world.svg(title)


def _figures(fix: Fix) -> Html:
    rows: list[tuple[str, str]] = []
    if fix.lat is not None and fix.lon is not None:
        rows.append(("place", f"{fix.lat}, {fix.lon}" if fix.disclosed else f"{fix.lat:.6f}, {fix.lon:.6f}"))
        rows.append(("radius", f"{length(fix.radius_m)} (90 %)" if fix.radius_m is not None else "not known"))
        if (sea_m := alt_sea_m_of(fix)) is not None:
            rows.append(("altitude", f"{sea_m:.1f} m above the sea"))
    if fix.stage:
        rows.append(("exact place, not told" if fix.disclosed else "within 1 km", f"{fix.confidence:.0%} sure"))
    rows += [("rests on", fix.stage)] if fix.stage else []
    if fix.pose and fix.pose.heading_deg is not None:
        pitch, roll = fix.pose.pitch_deg or 0.0, fix.pose.roll_deg or 0.0
        rows.append(("camera", f"heading {fix.pose.heading_deg:.1f}°, pitch {pitch:.1f}°, roll {roll:.1f}°"))
    count = len(fix.belief.components)
    if count > 1 or (count and fix.belief.spread > 0.05):
        parts = f"{count} place{'s' if count != 1 else ''}"
        rows.append(("belief", f"{parts}, and {fix.belief.spread:.0%} anywhere"))
    if fix.disclosed:
        rows.append(("told", f"no finer than by {fix.disclosed.level}"))
    best = fix.candidates[0] if fix.candidates else None
    if best:
        inliers = "not verified" if best.inliers is None else f"{best.inliers} inliers"
        rows.append(("best candidate", f"{_cut(best.photo)} ({inliers})"))
    rows += [(f"prior {_cut(prior.name)}", _cut(prior.rationale)) for prior in fix.priors[:_TOLD] if prior.rationale]
    lines = [join([element("dt", name), element("dd", element("bdi", value))]) for name, value in rows]
    return element("dl", join(lines))


def _cut(text: str) -> str:
    """Text of a bounded length, every character of it seen."""
    text = visible(text)
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"


@cache
def _style() -> str:
    """The style, its colours those of `data/page.css`; notebooks say on what ground they are in words of their own."""
    day, night = re.findall(r":root \{(.*?)\}", _file("page.css"), flags=re.DOTALL)[:2]
    here = f".{_CLASS}"
    rules = [
        f"{here} {{{day}}}",
        f"@media screen and (prefers-color-scheme: dark) {{ {here} {{{night}}} }}",
        f'[data-jp-theme-light="true"] {here}, .vscode-light {here} {{{day}}}',
        f'[data-jp-theme-light="false"] {here}, .vscode-dark {here} {{{night}}}',
        _file("card.css"),
    ]
    return "\n".join(" ".join(rule.split()) for rule in rules)


def _file(name: str) -> str:
    return files("geoloc_cli.export").joinpath(f"data/{name}").read_text(encoding="utf-8")
