"""Distances, directions and frames against geopy, geographiclib and PROJ."""

from __future__ import annotations

import itertools

import numpy as np
import pyproj
import pytest
from geographiclib.geodesic import Geodesic
from geopy.distance import great_circle
from hypothesis import assume, given
from hypothesis import strategies as st

from geoloc_cli.geo.earth import (
    EARTH_RADIUS_M,
    HALF_EARTH_M,
    bearing_deg,
    destination,
    ecef_from_geodetic,
    enu_axes,
    enu_from_geodetic,
    geodetic_from_ecef,
    geodetic_from_enu,
    haversine_m,
    places_of_units,
    unit_vectors,
    wrap_lon,
)

LATS = st.floats(-90.0, 90.0)
LONS = st.floats(-180.0, 180.0)
PLACES = st.tuples(LATS, LONS)
CORNERS = [(90.0, 0.0), (-90.0, 37.0), (0.0, 180.0), (0.0, -180.0), (0.0, 0.0), (89.999999, -180.0), (-45.0, 179.9999)]


def places(n: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))
    return np.append(lat, [c[0] for c in CORNERS]), np.append(rng.uniform(-180.0, 180.0, n), [c[1] for c in CORNERS])


def test_haversine_agrees_with_geopy_great_circle() -> None:
    lat, lon = places(300)
    ours = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    theirs = [
        great_circle(a, b, radius=EARTH_RADIUS_M / 1000.0).m for a, b in itertools.pairwise(zip(lat, lon, strict=True))
    ]
    assert np.max(np.abs(ours - theirs)) < 1e-6


def test_haversine_is_within_0_56_percent_of_the_geodesic() -> None:
    """The worst is a short way north at the equator, where the ellipsoid bends as a sphere of 6 335 439 m does."""
    lat, lon = places(400)
    lat, lon = np.append(lat, [0.0, 0.01]), np.append(lon, [20.0, 20.0])
    ours = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    pairs = zip(lat[:-1], lon[:-1], lat[1:], lon[1:], strict=True)
    exact = np.array([Geodesic.WGS84.Inverse(*pair, Geodesic.DISTANCE)["s12"] for pair in pairs])
    assert np.all(np.abs(ours - exact) <= 0.0056 * ours + 1e-6)
    assert abs(ours[-1] - exact[-1]) > 0.0055 * ours[-1]


def test_haversine_measures_a_millimetre_anywhere_and_the_antipode() -> None:
    for lat, lon in CORNERS:
        there = destination(lat, lon, 33.0, 1e-3)
        assert haversine_m(lat, lon, *there) == pytest.approx(1e-3, abs=5e-9)
    assert haversine_m(12.0, 34.0, -12.0, -146.0) == pytest.approx(HALF_EARTH_M, abs=0.2)
    assert haversine_m(0.0, 179.9995, 0.0, -179.9995) == pytest.approx(EARTH_RADIUS_M * np.radians(0.001), abs=1e-6)


@pytest.mark.parametrize("shapes", [((), (50_000,)), ((400, 1), (1, 300)), ((1, 70_000), (2, 1)), ((1_200_000,), ())])
def test_haversine_in_blocks_gives_what_single_pairs_give(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(5)
    lat1, lat2 = (rng.uniform(-90.0, 90.0, shape) for shape in shapes)
    lon1, lon2 = (rng.uniform(-180.0, 180.0, shape) for shape in shapes)
    whole = haversine_m(lat1, lon1, lat2, lon2)
    assert whole.shape == np.broadcast_shapes(*shapes)
    wide = np.broadcast_arrays(lat1, lon1, lat2, lon2)
    for at in rng.integers(0, whole.size, 40):
        assert whole.flat[at] == haversine_m(*(x.flat[at] for x in wide))


def test_haversine_of_nothing_is_nothing() -> None:
    assert haversine_m(1.0, 2.0, np.zeros(0), np.zeros(0)).shape == (0,)


@given(PLACES, PLACES)
def test_haversine_is_symmetric_and_zero_at_home(a: tuple[float, float], b: tuple[float, float]) -> None:
    assert haversine_m(*a, *b) == pytest.approx(float(haversine_m(*b, *a)), abs=1e-8)
    assert haversine_m(*a, *a) == 0.0
    assert 0.0 <= haversine_m(*a, *b) <= HALF_EARTH_M


@given(PLACES, PLACES, PLACES)
def test_haversine_keeps_the_triangle_inequality(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]
) -> None:
    around = haversine_m(*a, *b) + haversine_m(*b, *c)
    assert haversine_m(*a, *c) <= around + 0.3  # the digits that asin loses at the antipode


@given(PLACES, st.floats(0.0, 359.999), st.floats(1e-2, 0.98 * HALF_EARTH_M))
def test_destination_is_undone_by_distance_and_bearing(
    start: tuple[float, float], bearing: float, distance: float
) -> None:
    assume(abs(start[0]) < 89.999)
    end = destination(*start, bearing, distance)
    assert -90.0 <= end[0] <= 90.0
    assert -180.0 <= end[1] <= 180.0
    assert haversine_m(*start, *end) == pytest.approx(distance, abs=1e-6)
    turn = (float(bearing_deg(*start, *end)) - bearing + 180.0) % 360.0 - 180.0
    aside = abs(np.radians(turn)) * EARTH_RADIUS_M * np.sin(distance / EARTH_RADIUS_M)
    assert aside < 1e-5  # as metres at the far end: near places have coarse bearings


def test_bearing_points_north_east_south_west_and_is_below_360() -> None:
    assert bearing_deg(10.0, 20.0, [11.0, 10.0, 9.0, 10.0], [20.0, 20.0001, 20.0, 19.9999]) == pytest.approx(
        [0.0, 90.0, 180.0, 270.0], abs=1e-4
    )
    assert bearing_deg(0.0, 179.9, 0.0, -179.9) == pytest.approx(90.0)
    assert bearing_deg(0.0, 0.0, 1.0, -1e-300) < 360.0
    assert bearing_deg(5.0, 5.0, 5.0, 5.0) == 0.0


def test_bearing_and_destination_agree_with_geographiclib_on_a_sphere() -> None:
    sphere = Geodesic(EARTH_RADIUS_M, 0.0)
    rng = np.random.default_rng(2)
    lat, lon = places(200)
    for la, lo, bearing, distance in zip(
        lat, lon, rng.uniform(0.0, 360.0, lat.size), rng.uniform(1.0, 1.9e7, lat.size), strict=True
    ):
        theirs = sphere.Direct(la, lo, bearing, distance)
        end = destination(la, lo, bearing, distance)
        assert haversine_m(*end, theirs["lat2"], theirs["lon2"]) < 1e-6
        if abs(la) < 89.9:
            back = sphere.Inverse(la, lo, theirs["lat2"], theirs["lon2"])["azi1"]
            off = (float(bearing_deg(la, lo, *end)) - back + 180.0) % 360.0 - 180.0
            assert abs(off) * np.sin(distance / EARTH_RADIUS_M) < 1e-6


def test_destination_walks_over_the_pole_and_over_the_seam() -> None:
    degree = EARTH_RADIUS_M * np.pi / 180.0
    assert destination(89.5, 10.0, 0.0, degree) == pytest.approx((89.5, -170.0))
    assert destination(0.0, 179.5, 90.0, degree) == pytest.approx((0.0, -179.5))
    assert destination(90.0, 0.0, 180.0, degree) == pytest.approx((89.0, 0.0))
    assert destination(90.0, 25.0, 90.0, degree) == pytest.approx((89.0, 115.0))


def test_wrapped_longitudes_keep_their_bits_within_180() -> None:
    kept = np.array([-180.0, -0.1, 0.0, 179.99999999999997, 180.0])
    assert np.array_equal(wrap_lon(kept), kept)
    assert wrap_lon([190.0, -190.0, 540.0, 360.0]) == pytest.approx([-170.0, 170.0, -180.0, 0.0])


@given(PLACES)
def test_unit_vectors_round_trip(place: tuple[float, float]) -> None:
    assert haversine_m(*place, *places_of_units(unit_vectors(*place))) < 1e-8


def test_ecef_agrees_with_proj_to_a_micrometre_both_ways() -> None:
    proj = pyproj.Transformer.from_crs(4979, 4978, always_xy=True)
    lat, lon = places(500)
    alt = np.random.default_rng(4).uniform(-11_000.0, 400_000.0, lat.size)
    xyz = np.stack(proj.transform(lon, lat, alt), axis=-1)
    assert np.max(np.abs(ecef_from_geodetic(lat, lon, alt) - xyz)) < 1e-6
    back_lat, back_lon, back_alt = geodetic_from_ecef(xyz)
    assert np.max(np.abs(back_alt - alt)) < 1e-6
    assert np.max(np.abs(back_lat - lat)) * 111_000 < 1e-6
    assert np.max(haversine_m(back_lat, back_lon, lat, lon)) < 1e-6


@given(LATS, LONS, st.floats(-5e6, 4e8))
def test_ecef_round_trip_from_the_mantle_to_the_moon(lat: float, lon: float, alt: float) -> None:
    back = geodetic_from_ecef(ecef_from_geodetic(lat, lon, alt))
    assert np.max(np.abs(ecef_from_geodetic(*back) - ecef_from_geodetic(lat, lon, alt))) < 1e-6
    assert back[2] == pytest.approx(alt, abs=1e-6)


@pytest.mark.parametrize(
    "origin", [(42.45, -76.48, 120.0), (89.9999, 12.0, 0.0), (-17.0, 179.9999, -3.0), (90.0, 0.0, 5.0)]
)
def test_enu_agrees_with_the_topocentric_conversion_of_proj(origin: tuple[float, float, float]) -> None:
    lat0, lon0, alt0 = origin
    pipeline = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=cart +ellps=WGS84 "
        f"+step +proj=topocentric +ellps=WGS84 +lon_0={lon0} +lat_0={lat0} +h_0={alt0}"
    )
    rng = np.random.default_rng(6)
    lat, lon = destination(lat0, lon0, rng.uniform(0.0, 360.0, 100), rng.uniform(0.0, 20_000.0, 100))
    alt = rng.uniform(-100.0, 900.0, 100)
    theirs = np.stack(pipeline.transform(np.radians(lon), np.radians(lat), alt, radians=True), axis=-1)
    ours = enu_from_geodetic(lat, lon, alt, origin)
    assert np.max(np.abs(ours - theirs)) < 1e-6
    back = geodetic_from_enu(ours, origin)
    assert np.max(np.abs(ecef_from_geodetic(*back) - ecef_from_geodetic(lat, lon, alt))) < 1e-6


def test_enu_axes_are_a_right_handed_rotation_with_up_away_from_the_ground() -> None:
    for lat, lon in CORNERS:
        axes = enu_axes(lat, lon)
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-15)
        assert np.linalg.det(axes) == pytest.approx(1.0)
        assert enu_from_geodetic(lat, lon, 10.0, (lat, lon, 0.0)) == pytest.approx([0.0, 0.0, 10.0], abs=1e-8)
