"""Charts as SVG: curves with bands, steps, reliability diagrams, bars with whiskers, histograms.

A chart is a picture 480 units wide, readable from 360 pixels on, and a legend below it where it shows more than one
thing. Series are told apart by colour and by dashes, so that neither a printer nor colour-blind eyes lose them. The
numbers themselves belong in a table beside it: to a screen reader a chart is one picture with one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from geoloc_cli.export.axes import Axis, Scale, scale
from geoloc_cli.export.markup import Html, element, join, path_data
from geoloc_cli.geo.earth import Floats

WIDTH = 480.0
COLOURS, DASHES = 6, 4  # that the page's style has: twelve series differ in at least one
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 12.0, 46.0
_HEIGHT = 320.0
_COLUMNS = 800  # of a curve that are told apart: finer than the picture's tenths would show
_BAR_HEIGHT, _BAR_GAP = 16.0, 8.0
_CHAR = 8.0  # width of a letter of 13 units in a wide face


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: y over x, in the order of x; a band from `low` to `high` where these are given.

    `step`: y holds from its x to the next one, and the last to the end, as the share of errors below x does. `marks`:
    its points are shown.
    What is not a number interrupts the curve.
    """

    name: str
    x: Sequence[float] | Floats
    y: Sequence[float] | Floats
    low: Sequence[float] | Floats | None = None
    high: Sequence[float] | Floats | None = None
    step: bool = False
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One value with its name; a whisker from `low` to `high` where these are given."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about one confidence: how sure they were, what share was right, and how many they are."""

    confidence: float
    right: float
    count: int
    low: float | None = None
    high: float | None = None


@dataclass(slots=True)
class _Plot:
    """The frame of a chart; pixels of its inside are reached by shares of the axes."""

    x: Scale
    y: Scale
    height: float = _HEIGHT
    left: float = _LEFT
    parts: list[Html] = field(default_factory=list)

    def at(self, x: Floats, y: Floats) -> Floats:
        """(N, 2) of the picture."""
        right, bottom = WIDTH - _RIGHT, self.height - _BOTTOM
        across = self.left + self.x.share(np.asarray(x, dtype=np.float64)) * (right - self.left)
        down = bottom - self.y.share(np.asarray(y, dtype=np.float64)) * (bottom - _TOP)
        return np.stack([across, down], axis=-1)

    def frame(self, *, rows: bool = True) -> Html:
        """The net, the names of the values and of the axes; without `rows` the upright axis is left to the caller."""
        right, bottom = WIDTH - _RIGHT, self.height - _BOTTOM
        major, minor, words, free = [], [], [], 0.0
        for value, name in self.x.ticks():
            x = float(self.at(np.array([value]), np.array([self.y.low]))[0, 0])
            major.append(f"M{x:.1f} {_TOP:g}V{bottom:.1f}")
            half = _CHAR * len(name) / 2.0
            middle = min(x, WIDTH - 2.0 - half)
            if middle - half >= free:
                words.append(element("text", name, x=middle, y=bottom + 17.0, text_anchor="middle"))
                free = middle + half + _CHAR / 2.0
        for value in self.x.minor():
            x = float(self.at(np.array([value]), np.array([self.y.low]))[0, 0])
            minor.append(f"M{x:.1f} {bottom:.1f}v-4")
        for value, name in self.y.ticks() if rows else []:
            y = float(self.at(np.array([self.x.low]), np.array([value]))[0, 1])
            major.append(f"M{self.left:g} {y:.1f}H{right:.1f}")
            words.append(element("text", name, x=self.left - 6.0, y=y + 4.5, text_anchor="end"))
        middle = (self.left + right) / 2.0
        words.append(
            element("text", self.x.axis.label, x=middle, y=self.height - 8.0, text_anchor="middle", class_="axis")
        )
        if rows:
            upright = f"translate(13 {(_TOP + bottom) / 2.0:.1f}) rotate(-90)"
            words.append(element("text", self.y.axis.label, transform=upright, text_anchor="middle", class_="axis"))
        return join(
            [
                element("path", class_="net", d="".join(major)),
                element("path", class_="tick", d="".join(minor)) if minor else None,
                element("path", class_="edge", d=f"M{self.left:g} {_TOP:g}V{bottom:.1f}H{right:.1f}"),
                *words,
            ]
        )

    def svg(self, title: str, *, rows: bool = True) -> Html:
        return element(
            "svg",
            self.frame(rows=rows),
            join(self.parts),
            class_="chart",
            role="img",
            aria_label=title,
            viewBox=f"0 0 {WIDTH:g} {self.height:g}",
        )


def curves(
    series: Sequence[Series], x: Axis, y: Axis, *, title: str, markers: Sequence[tuple[float, str]] = ()
) -> Html:
    """Curves over one pair of axes; `markers` are upright lines at values of x, each with its name."""
    plot = _Plot(
        scale(x, [np.asarray(s.x) for s in series]),
        scale(y, [np.asarray(v) for s in series for v in (s.y, s.low, s.high) if v is not None]),
    )
    for value, name in markers:
        line, across = _upright(plot, value)
        turn = f"translate({across - 4.0:.1f} {_TOP + 4.0:g}) rotate(-90)"
        plot.parts += [line, element("text", name, transform=turn, text_anchor="end", class_="note")]
    for number, one in enumerate(series):
        plot.parts += _band(plot, one, number)
    for number, one in enumerate(series):
        lines = [_coarse(line) for line in _pieces(plot, one.x, one.y, one.step)]
        plot.parts.append(element("path", class_=f"line {_look(number)}", d=path_data(lines)) if lines else Html())
        if one.marks:
            points = [p[None] for p in plot.at(np.asarray(one.x), np.asarray(one.y)) if np.all(np.isfinite(p))]
            plot.parts.append(element("path", class_=f"dot {_look(number)}", d=path_data(points)))
    return _with_legend(plot.svg(title), [s.name for s in series])


def reliability(bins: Sequence[Bin], *, title: str, label: str = "stated confidence") -> Html:
    """How often answers were right over how sure they were, beside the diagonal on which the two agree.

    The more answers, the larger the dot; whiskers are from `low` to `high`.
    """
    plot = _Plot(
        scale(Axis(label, low=0.0, high=1.0, unit="%"), []),
        scale(Axis("share that was right", low=0.0, high=1.0, unit="%"), []),
        height=400.0,
    )
    plot.parts.append(
        element("path", class_="diagonal", d=path_data([plot.at(np.array([0.0, 1.0]), np.array([0.0, 1.0]))]))
    )
    most = max((b.count for b in bins), default=1) or 1
    for one in bins:
        at = plot.at(np.array([one.confidence] * 3), np.array([one.right, one.low or 0.0, one.high or 0.0]))
        if one.low is not None and one.high is not None:
            plot.parts.append(element("path", class_="whisker", d=path_data([at[1:]])))
        size = 4.0 + 8.0 * (one.count / most) ** 0.5
        said = f"{one.count} answers, {one.confidence:.0%} sure, {one.right:.0%} right"
        dot = element("path", element("title", said), class_="dot series-0", stroke_width=size, d=path_data([at[:1]]))
        plot.parts.append(dot)
    line = plot.at(np.array([b.confidence for b in bins]), np.array([b.right for b in bins]))
    if len(bins) > 1:
        plot.parts.append(element("path", class_="line series-0 thin", d=path_data([line])))
    return element("div", plot.svg(title), class_="plot")


def bars(rows: Sequence[Bar], x: Axis, *, title: str, markers: Sequence[float] = ()) -> Html:
    """Lying bars of values from zero on, one below the other, named at their left; dots on a logarithmic axis.

    `markers` are upright lines at values of x.
    """
    values = [np.array([v for row in rows for v in (row.value, row.low, row.high) if v is not None])]
    start = Axis(x.label, x.log, x.low if x.low is not None or x.log else 0.0, x.high, x.unit)
    left = min(190.0, 16.0 + _CHAR * max((len(row.name) for row in rows), default=0))
    height = _TOP + _BOTTOM + _BAR_GAP + len(rows) * (_BAR_HEIGHT + _BAR_GAP)
    plot = _Plot(scale(start, values), scale(Axis("", low=0.0, high=1.0), []), height=height, left=left)
    for number, row in enumerate(rows):
        top = _TOP + _BAR_GAP + number * (_BAR_HEIGHT + _BAR_GAP)
        plot.parts.append(_bar(plot, row, top))
    plot.parts += [_upright(plot, value)[0] for value in markers]
    return element("div", plot.svg(title, rows=False), class_="plot")


def histogram(edges: Sequence[float], counts: Sequence[float], x: Axis, *, title: str, label: str = "photos") -> Html:
    """Standing bars between the edges, of which there is one more than counts."""
    plot = _Plot(scale(x, [np.asarray(edges)]), scale(Axis(label, low=0.0), [np.asarray(counts)]))
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        (x0, y0), (x1, y1) = plot.at(np.array([low, high]), np.array([0.0, count])).tolist()
        said = element("title", f"{count:g} from {low:g} to {high:g}")
        width, tall = max(x1 - x0 - 1.0, 0.5), y0 - y1
        plot.parts.append(element("rect", said, class_="bar-fill", x=x0 + 0.5, y=y1, width=width, height=tall))
    return element("div", plot.svg(title), class_="plot")


def _bar(plot: _Plot, row: Bar, top: float) -> Html:
    middle = top + _BAR_HEIGHT / 2.0
    given = [row.value, row.value if row.low is None else row.low, row.value if row.high is None else row.high]
    value, low, high = plot.at(np.array(given), np.zeros(3))[:, 0].tolist()
    most = max(1, int((plot.left - 14.0) / _CHAR))
    name = row.name if len(row.name) <= most else row.name[: most - 1] + "…"
    parts: list[Html] = [element("text", name, x=plot.left - 8.0, y=middle + 4.5, text_anchor="end")]
    if not np.isfinite(row.value):
        return element("g", element("title", f"{row.name}: no value"), *parts)
    if plot.x.axis.log:
        parts.append(element("path", class_="dot series-0", d=f"M{value:.1f} {middle:g}h.1"))
    else:
        shape = {"x": plot.left, "y": top, "width": max(value - plot.left, 0.0), "height": _BAR_HEIGHT}
        parts.append(element("rect", class_="bar-fill", **shape))
    if np.isfinite(low + high) and row.low is not None and row.high is not None:
        whisker = f"M{low:.1f} {middle - 4:g}v8M{low:.1f} {middle:g}H{high:.1f}M{high:.1f} {middle - 4:g}v8"
        parts.append(element("path", class_="whisker", d=whisker))
    return element("g", element("title", f"{row.name}: {row.value:.4g}"), *parts)


def _upright(plot: _Plot, value: float) -> tuple[Html, float]:
    """A line at a value of x, from the lower to the upper edge, and where it is."""
    at = plot.at(np.full(2, value), np.array([plot.y.low, plot.y.high]))
    return element("path", class_="marker", d=path_data([at])), float(at[0, 0])


def _look(number: int) -> str:
    return f"series-{number % COLOURS} dash-{number % DASHES}"


def _band(plot: _Plot, one: Series, number: int) -> list[Html]:
    """The area between `low` and `high`."""
    if one.low is None or one.high is None:
        return []
    both = np.asarray(one.low, dtype=np.float64) + np.asarray(one.high, dtype=np.float64)
    edges = [np.where(np.isfinite(both), edge, np.nan) for edge in (one.low, one.high)]
    lows, highs = (_pieces(plot, one.x, edge, one.step) for edge in edges)
    areas = [np.concatenate([_coarse(a), _coarse(b)[::-1]]) for a, b in zip(lows, highs, strict=True)]
    return [element("path", class_=f"band series-{number % COLOURS}", d=path_data(areas, closed=True))] if areas else []


def _pieces(plot: _Plot, x: Sequence[float] | Floats, y: Sequence[float] | Floats, step: bool) -> list[Floats]:
    """The runs of a curve that are numbers throughout (N, 2), on the picture; steps with their corners."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    known = np.isfinite(xs) & np.isfinite(ys)
    breaks = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    pieces = []
    for start, stop in zip(breaks[::2], breaks[1::2], strict=True):
        at = plot.at(xs[start:stop], ys[start:stop])
        if step:
            if stop == len(xs):
                at = np.concatenate([at, [[WIDTH - _RIGHT, at[-1, 1]]]])
            at = np.repeat(at, 2, axis=0)
            at = np.stack([at[1:, 0], at[:-1, 1]], axis=-1)
        pieces.append(at)
    return pieces


def _coarse(line: Floats) -> Floats:
    """A curve with at most four points a column: its first, lowest, highest and last (M4, Jugel et al. 2014)."""
    if len(line) <= 4 * _COLUMNS:
        return line
    column = np.floor(line[:, 0] / WIDTH * _COLUMNS)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(column)) + 1])
    ends = np.append(starts[1:], len(line))
    kept = set()
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        y = line[start:end, 1]
        kept |= {start, start + int(y.argmin()), start + int(y.argmax()), end - 1}
    return line[sorted(kept)]


def _with_legend(svg: Html, names: Sequence[str]) -> Html:
    """A chart and, where it has several series, what their lines look like."""
    if len(names) < 2:
        return element("div", svg, class_="plot")
    rows = []
    for number, name in enumerate(names):
        line = element("path", class_=f"line {_look(number)}", d="M1 8h28")
        rows.append(
            element("li", element("svg", line, class_="swatch wide", viewBox="0 0 30 16", aria_hidden="true"), name)
        )
    return element("div", svg, element("ul", join(rows), class_="legend"), class_="plot")
