"""Charts: values where the axes say, well-formed, bounded, and no name that gets out of its text."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from geoloc_cli.export.axes import Axis, scale
from geoloc_cli.export.charts import WIDTH, Bar, Bin, Series, bars, curves, histogram, reliability
from geoloc_cli.export.markup import Html

NAME = "<script>alert('x')</script>"
TENS = ["10 m", "20 m", "50 m", "100 m"]
LEFT, RIGHT, TOP, BOTTOM = 58.0, WIDTH - 14.0, 12.0, 320.0 - 46.0


def of_class(html: Html, name: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(html).iter() if name in e.get("class", "").split()]


def walked(data: str) -> list[np.ndarray]:
    """The points of each part of a path of M, l and z."""
    parts = []
    for part in data.replace("z", "").split("M")[1:]:
        start, _, steps = part.partition("l")
        numbers = [float(v) for v in re.findall(r"-?\d*\.?\d+", f"{start} {steps}")]
        parts.append(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0))
    return parts


def words(html: Html) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(html).iter("text")]


@pytest.mark.parametrize(
    ("axis", "values", "low", "high", "names"),
    [
        (Axis("x"), [3.0, 97.0], 0.0, 100.0, ["0", "20", "40", "60", "80", "100"]),
        (Axis("x", unit="%", low=0.0, high=1.0), [], 0.0, 1.0, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (Axis("x", log=True, unit="m"), [12.0, 4e6], 10.0, 1e7, None),
        (
            Axis("x", log=True, unit="m"),
            [0.0, -3.0, math.nan, 20.0, 70.0],
            10.0,
            100.0,
            ["10 m", "20 m", "50 m", "100 m"],
        ),
        (Axis("x", log=True, low=1.0, high=5.0), [2.0], 1.0, 5.0, ["1", "2", "5"]),
        (Axis("x", log=True, low=10.0, high=1e8), [], 10.0, 1e8, ["10", "1000", "10⁵", "10⁷"]),
        (Axis("x", log=True, unit="s"), [1e11, 1e14], 1e11, 1e14, ["10¹¹ s", "10¹² s", "10¹³ s", "10¹⁴ s"]),
        (Axis("x"), [], 0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (Axis("x"), [math.nan, math.inf], 0.0, 1.0, None),
        (Axis("x", log=True), [], 1.0, 10.0, ["1", "2", "5", "10"]),
        (Axis("x"), [7.0, 7.0], 6.0, 14.0, None),
        (Axis("x", unit="s"), [-0.004, 0.004], -0.004, 0.004, ["-0.004 s", "-0.002 s", "0 s", "0.002 s", "0.004 s"]),
    ],
)
def test_axes_end_and_are_named_at_round_numbers(
    axis: Axis, values: list[float], low: float, high: float, names: list[str] | None
) -> None:
    found = scale(axis, [np.array(values)])
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert 2 <= len(found.ticks()) <= 8
    if names is not None:
        assert [name for _, name in found.ticks()] == names


def test_a_logarithmic_axis_puts_what_has_no_logarithm_at_its_lower_end() -> None:
    found = scale(Axis("error", log=True, low=1.0, high=1e4), [])
    np.testing.assert_allclose(found.share(np.array([1.0, 100.0, 1e4, 1e9, 0.0, -5.0, 0.5])), [0, 0.5, 1, 1, 0, 0, 0])
    assert np.isnan(found.share(np.array([np.nan]))).all()
    assert found.minor()[:9] == [*range(2, 10), 20]


def test_a_curve_runs_through_its_values_and_stops_where_there_are_none() -> None:
    series = Series("one", [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 10.0, math.nan, 5.0, 10.0], marks=True)
    chart = curves([series], Axis("x"), Axis("y"), title="t")
    (line,) = of_class(chart, "line")
    first, second = walked(line.get("d", ""))
    assert first == pytest.approx(np.array([[LEFT, BOTTOM], [LEFT + (RIGHT - LEFT) / 4.0, TOP]]), abs=0.06)
    assert second[-1] == pytest.approx([RIGHT, TOP], abs=0.06)
    (dots,) = of_class(chart, "dot")
    assert dots.get("d", "").count("M") == 4


def test_steps_hold_their_value_until_the_next_and_to_the_end() -> None:
    chart = curves(
        [Series("s", [1.0, 2.0], [0.25, 0.5], step=True)], Axis("x", low=0, high=4), Axis("y", low=0, high=1), title="t"
    )
    (part,) = walked(of_class(chart, "line")[0].get("d", ""))
    across, up = (part[:, 0] - LEFT) / (RIGHT - LEFT) * 4.0, (BOTTOM - part[:, 1]) / (BOTTOM - TOP)
    assert across == pytest.approx([1.0, 2.0, 2.0, 4.0], abs=2e-3)
    assert up == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=1e-3)


def test_a_band_is_between_its_edges_and_breaks_with_either() -> None:
    series = Series("s", range(5), [1.0] * 5, low=[0, 0, math.nan, 0, 0], high=[2, 2, 2, 2, math.nan])
    chart = curves([series], Axis("x"), Axis("y"), title="t")
    (band,) = of_class(chart, "band")
    (whole,) = walked(band.get("d", ""))  # of the second run one point is left, which is no area
    assert whole[:, 1].min() == pytest.approx(TOP, abs=0.06)
    assert whole[:, 1].max() == pytest.approx(BOTTOM, abs=0.06)


def test_a_million_values_are_drawn_by_what_can_be_seen_of_them() -> None:
    rng = np.random.default_rng(6)
    errors = np.sort(rng.lognormal(5.0, 2.0, 1_000_000))
    shares = np.arange(1, 1_000_001) / 1e6
    chart = curves(
        [Series("s", errors, shares, step=True)],
        Axis("e", log=True, low=1e-3, high=1e7),
        Axis("y", low=0, high=1),
        title="t",
    )
    assert len(chart) < 30_000
    (part,) = walked(of_class(chart, "line")[0].get("d", ""))
    x = 10.0 ** ((part[:, 0] - LEFT) / (RIGHT - LEFT) * math.log10(1e7 / 1e-3) - 3.0)
    found = (BOTTOM - part[:, 1]) / (BOTTOM - TOP)
    true = np.searchsorted(errors, x) / 1e6
    assert np.abs(found - true).max() < 0.01
    spike = np.zeros(100_000)
    spike[54_321] = 1.0
    chart = curves([Series("s", np.arange(100_000), spike)], Axis("x"), Axis("y"), title="t")
    assert walked(of_class(chart, "line")[0].get("d", ""))[0][:, 1].min() == pytest.approx(TOP, abs=0.06)


def test_twelve_series_look_different_and_are_named() -> None:
    chart = curves([Series(f"{NAME}{i}", [0, 1], [i, i]) for i in range(12)], Axis("x"), Axis("y"), title=NAME)
    lines = of_class(chart, "line")
    assert len(lines) == 24
    assert len({line.get("class") for line in lines}) == 12
    (legend,) = of_class(chart, "legend")
    assert ["".join(row.itertext()) for row in legend] == [f"{NAME}{i}" for i in range(12)]
    assert of_class(curves([Series("one", [0], [0])], Axis("x"), Axis("y"), title="t"), "legend") == []


def test_markers_stand_at_their_values() -> None:
    chart = curves([], Axis("e", log=True, low=1, high=1e4), Axis("y"), title="t", markers=[(100.0, "city")])
    (marker,) = of_class(chart, "marker")
    assert walked(marker.get("d", ""))[0][:, 0] == pytest.approx((LEFT + RIGHT) / 2.0, abs=0.06)
    assert "city" in words(chart)


def test_a_reliability_diagram_has_the_diagonal_dots_and_whiskers() -> None:
    bins = [Bin(0.25, 0.5, 100, 0.4, 0.6), Bin(0.75, 0.75, 25)]
    chart = reliability(bins, title="t")
    (diagonal,) = of_class(chart, "diagonal")
    assert walked(diagonal.get("d", ""))[0] == pytest.approx(np.array([[LEFT, 354.0], [RIGHT, TOP]]), abs=0.06)
    many, few = of_class(chart, "dot")
    assert float(many.get("stroke-width", "")) > float(few.get("stroke-width", ""))
    x, y = (float(v) for v in re.findall(r"[\d.]+", many.get("d", ""))[:2])
    assert (x, y) == (
        pytest.approx(LEFT + (RIGHT - LEFT) / 4.0, abs=0.06),
        pytest.approx((354.0 + TOP) / 2.0, abs=0.06),
    )
    assert many.findtext("{*}title") == "100 answers, 25% sure, 50% right"
    assert len(of_class(chart, "whisker")) == 1
    assert of_class(reliability([], title="t"), "dot") == []


def test_bars_are_as_long_as_their_values_and_long_names_are_cut() -> None:
    rows = [Bar("a", 50.0, 40.0, 60.0), Bar(NAME * 5, 100.0), Bar("none", math.nan)]
    chart = bars(rows, Axis("km"), title="t")
    one, two = of_class(chart, "bar-fill")
    assert float(two.get("width", "")) == pytest.approx(2.0 * float(one.get("width", "")))
    assert len(of_class(chart, "whisker")) == 1
    assert any(word.endswith("…") and len(word) < 30 for word in words(chart))
    titles = [e.text or "" for e in ElementTree.fromstring(chart).iter("title")]
    assert titles == ["a: 50", f"{NAME * 5}: 100", "none: no value"]
    marked = bars(rows, Axis("km"), title="t", markers=[75.0])
    (line,) = of_class(marked, "marker")
    start, width = float(one.get("x", "")), float(one.get("width", ""))
    assert float(line.get("d", "M0 ")[1:].split()[0]) == pytest.approx(start + 1.5 * width, abs=0.1)
    logs = bars([Bar("a", 1.0), Bar("b", 1e5)], Axis("m", log=True), title="t")
    assert len(of_class(logs, "dot")) == 2


def test_a_histogram_has_a_bar_for_each_count() -> None:
    chart = histogram([0.0, 1.0, 2.0, 4.0], [1, 0, 4], Axis("x"), title="t")
    first, empty, last = of_class(chart, "bar-fill")
    assert float(last.get("height", "")) == pytest.approx(4.0 * float(first.get("height", "")), abs=0.05)
    assert float(empty.get("height", "")) == 0.0
    assert float(last.get("width", "")) == pytest.approx(2.0 * float(first.get("width", "")) + 1.0, abs=0.05)


@pytest.mark.parametrize("high", [0.37, 12.0, 4321.0, 9.9e6])
def test_names_of_values_neither_touch_each_other_nor_leave_the_picture(high: float) -> None:
    for axis in (Axis("x", unit="m", high=high), Axis("x", unit="m", log=True, low=high / 3e4, high=high)):
        chart = bars([Bar("a name that takes much of the room", high / 2.0)], axis, title="t")
        texts = [e for e in ElementTree.fromstring(chart).iter("text") if e.get("text-anchor") == "middle"][:-1]
        assert len(texts) >= 2
        ends = [(float(e.get("x", "")), 4.0 * len(e.text or "")) for e in texts]  # half of a word, in a wide face
        assert all(x + half <= WIDTH for x, half in ends)
        assert all(a + wide <= b - thin for (a, wide), (b, thin) in itertools.pairwise(ends))
