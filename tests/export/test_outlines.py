"""Circles, lines and boxes: what is inside on the sphere is inside in longitude and latitude, wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from geoloc_cli.export.outlines import MOST_RADIUS_M, box, circle, degrees, line
from geoloc_cli.geo.earth import destination, haversine_m

if TYPE_CHECKING:
    from geoloc_cli.export.outlines import Ring

CASES = [
    (47.0, 8.0, 50.0, 1),
    (-16.9, 179.99, 20_000.0, 2),  # across the antimeridian, in Fiji
    (10.0, -180.0, 5_000.0, 2),
    (10.0, 180.0, 5_000.0, 2),
    (89.9, 20.0, 50_000.0, 1),  # round a pole, which is inside
    (-85.0, 170.0, 800_000.0, 1),
    (90.0, 0.0, 1_000.0, 1),
    (-90.0, 45.0, 1_000.0, 1),
    (70.0, -175.0, 2_000_000.0, 2),
    (30.0, 100.0, 6_000_000.0, 1),
    (0.0, 179.0, 6_500_000.0, 2),
]


def signed_area(ring: Ring) -> float:
    x, y = np.array(ring).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def inside(ring: Ring, lat: float, lon: float) -> bool:
    """By the crossings of a ray to the north."""
    (x0, y0), (x1, y1) = np.array(ring[:-1]).T, np.array(ring[1:]).T
    spans = (x0 > lon) != (x1 > lon)
    at = y0[spans] + (lon - x0[spans]) / (x1[spans] - x0[spans]) * (y1[spans] - y0[spans])
    return int((at > lat).sum()) % 2 == 1


@pytest.mark.parametrize(("lat", "lon", "radius_m", "parts"), CASES)
def test_a_circle_holds_what_is_nearer_and_nothing_else(lat: float, lon: float, radius_m: float, parts: int) -> None:
    rings = circle(lat, lon, radius_m)
    assert len(rings) == parts
    for ring in rings:
        assert ring[0] == ring[-1]
        assert signed_area(ring) > 0.0  # against the clock: the right-hand rule
        assert all(-180.0 <= x <= 180.0 and -90.0 <= y <= 90.0 for x, y in ring)
    rng = np.random.default_rng(3)
    # 64 corners cut 0.12 % of the radius off; degrees that are bent on the sphere up to 4 % of the largest circles.
    for share, wanted in ((0.95, True), (0.4, True), (1.05, False), (1.5, False)):
        at = destination(lat, lon, rng.uniform(0.0, 360.0, 40), share * radius_m)
        found = [any(inside(ring, *place) for ring in rings) for place in zip(*at, strict=True)]
        assert found == [wanted] * 40


def test_corners_lie_on_the_circle() -> None:
    (ring,) = circle(47.0, 8.0, 50.0, corners=36)
    away = haversine_m(47.0, 8.0, [y for _, y in ring], [x for x, _ in ring])
    assert len(ring) == 37
    assert away == pytest.approx(50.0, abs=0.02)  # seven digits of a degree are a centimetre


def test_what_is_no_region_has_no_outline() -> None:
    assert circle(0.0, 0.0, MOST_RADIUS_M * 1.001) == []
    assert circle(0.0, 0.0, 1e-4) == []  # its corners are one, when they are written


def test_a_line_is_cut_at_the_antimeridian() -> None:
    assert line([(1.0, 8.0), (2.0, 9.0)]) == [[(8.0, 1.0), (9.0, 2.0)]]
    assert line([(0.0, 179.0), (2.0, -179.0), (2.0, -178.0)]) == [
        [(179.0, 0.0), (180.0, 1.0)],
        [(-180.0, 1.0), (-179.0, 2.0), (-178.0, 2.0)],
    ]
    assert line([(1.0, 8.0), (1.0, 8.0)]) == [[(8.0, 1.0), (8.0, 1.0)]]


def test_a_box_crosses_the_antimeridian_where_that_is_shorter() -> None:
    assert box([(1.0, 8.0), (-2.0, 9.0)]) == (8.0, -2.0, 9.0, 1.0)
    assert box([(1.0, 179.0), (-2.0, -178.0), (0.0, 178.0)]) == (178.0, -2.0, -178.0, 1.0)
    assert box([(1.0, 8.0)]) == (8.0, 1.0, 8.0, 1.0)
    assert box([]) is None
    assert box([(0.0, -180.0), (0.0, 180.0)]) in ((180.0, 0.0, -180.0, 0.0), (-180.0, 0.0, 180.0, 0.0))


def test_a_coordinate_is_written_without_exponent_or_needless_digits() -> None:
    assert [degrees(v) for v in (1e-7, 8.5, -180.0, 0.0, -0.0)] == ["0.0000001", "8.5", "-180", "0", "-0"]
