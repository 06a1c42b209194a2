"""Ground control points: read, found in the map from their marks, and fitted to; the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
from surveys import CAMERA, ORIGIN, Floats, Survey, grid, model_of, noisy, stated

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.maps.control import triangulate
from geoloc_cli.maps.gcp import GroundPoint, Mark, read_gcp
from geoloc_cli.maps.model import MapImage
from geoloc_cli.pipeline.placing import Seen, placed

TO_UTM = pyproj.Transformer.from_crs(4979, 32632, always_xy=True)


def written(folder: Path, text: str) -> Path:
    path = folder / "gcp_list.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("head", "x", "y"),
    [
        *(
            (head, *TO_UTM.transform(9.2, 48.7, 0.0)[:2])
            for head in (
                "WGS84 UTM 32N",
                "EPSG:32632",
                "EPSG:25832",
                "+proj=utm +zone=32 +ellps=WGS84 +datum=WGS84 +units=m +no_defs",
                "+proj=utm +zone=32 +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m +no_defs",
            )
        ),
        ("WGS84", 9.2, 48.7),
        ("epsg:4326", 9.2, 48.7),
        ("+proj=longlat +datum=WGS84 +no_defs", 9.2, 48.7),
    ],
)
def test_every_projection_of_the_format_means_the_same_place(tmp_path: Path, head: str, x: float, y: float) -> None:
    file = written(
        tmp_path, f"{head}\n# a comment\n\n{x} {y} 312.5 10 20.5 a.jpg P1 and more\n{x} {y} 312.5 7 8 b.jpg\n"
    )
    (point,) = read_gcp(file)
    assert (point.lat, point.lon) == pytest.approx((48.7, 9.2), abs=1e-9)
    assert (point.name, point.alt_m) == ("P1", 312.5)
    assert point.marks == (Mark("a.jpg", 10.5, 21.0), Mark("b.jpg", 7.5, 8.5))


def test_the_southern_half_and_an_unknown_height(tmp_path: Path) -> None:
    easting, northing = pyproj.Transformer.from_crs(4326, 32756, always_xy=True).transform(151.2, -33.9)
    for head in ("WGS84 UTM 56S", "EPSG:32756", "+proj=utm +zone=56 +south +datum=WGS84"):
        (point,) = read_gcp(written(tmp_path, f"{head}\n{easting} {northing} NaN 1 2 a.jpg\n"))
        assert (point.lat, point.lon) == pytest.approx((-33.9, 151.2), abs=1e-9)
        assert np.isnan(point.alt_m)
        assert point.name == "line 2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: no projection"),
        ("481367 5782936 100 1 2 a.jpg\n", "line 1: '481367 .* names no projection"),
        ("EPSG:2056\n", "line 1: EPSG:2056 is not among the projections"),
        ("WGS84 UTM 61N\n", "line 1: there is no UTM zone 61"),
        ("+proj=lcc +lat_1=49\n", "line 1: .*not among the projections"),
        ("+proj=utm +zone=32 +units=us-ft\n", "line 1: .*not among the projections"),
        ("+proj=utm +zone=32 +towgs84=1,2,3\n", "line 1: .*not among the projections"),
        ("EPSG:4326\n8 47 400 1 2\n", "line 2: 5 fields"),
        ("EPSG:4326\n8 x 400 1 2 a.jpg\n", "line 2: geo_y 'x' is not a number"),
        ("EPSG:4326\n8 47 400 1 inf a.jpg\n", "line 2: im_y 'inf' is not a number"),
        ("EPSG:4326\n481367 5782936 400 1 2 a.jpg\n", "line 2: .* look like UTM, and line 1 says degrees"),
        ("EPSG:4326\n8 97 400 1 2 a.jpg\n", "line 2: geo_y 97 is no latitude"),
        ("EPSG:32632\n8 47 400 1 2 a.jpg\n", "line 2: .* look like degrees, and line 1 says UTM"),
        ("EPSG:32632\n5782936 481367 400 1 2 a.jpg\n", "line 2: .*swapped"),
        ("EPSG:4326\n8 47 400 1 2 a.jpg\n8 47 400 3 4 a.jpg\n", "line 3: .*was seen in a.jpg before"),
        ("EPSG:4326\n8 47 400 1 2 a.jpg P\n8 47.1 400 3 4 b.jpg P\n", "line 3: point P was at another place in line 2"),
        ("EPSG:4326\n8 47 40000 1 2 a.jpg\n", "line 2: geo_z 40000"),
        ("EPSG:4326\n", "has no point"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_gcp(written(tmp_path, text))
    assert "gcp_list.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.txt cannot be read"):
        read_gcp(tmp_path / "none.txt")


def pixels(image: MapImage, x_in_map: Floats) -> Floats:
    """(2,) SIMPLE_RADIAL."""
    f, cx, cy, k = image.camera.params
    x, y, z = image.rotation @ x_in_map + image.translation
    r2 = (x * x + y * y) / (z * z)
    if r2 > 1.0:  # far outside of the picture, where the model of the lens folds back
        return np.array([-1.0, -1.0])
    return np.array([f * x / z * (1 + k * r2) + cx, f * y / z * (1 + k * r2) + cy])


def views(survey: Survey, x_in_enu: Floats, most: int = 6) -> tuple[list[MapImage], Floats, Floats]:
    """The photographs nearest to a point on the ground that show it, their pixels, and its place in the map."""
    x_in_map = (x_in_enu - np.array(survey.shift)) @ survey.rotation / survey.scale
    images = sorted(
        model_of(survey).images.values(), key=lambda image: float(np.linalg.norm(image.center_in_map - x_in_map))
    )
    seen = [(image, pixels(image, x_in_map)) for image in images]
    inside = [(i, xy) for i, xy in seen if (xy > 0).all() and xy[0] < CAMERA.width and xy[1] < CAMERA.height][:most]
    return [i for i, _ in inside], np.array([xy for _, xy in inside]), x_in_map


def test_a_point_is_found_from_its_marks_and_its_uncertainty_is_true() -> None:
    """Half a pixel of noise at 60 m and 1000 px: 3 cm a ray. The lens bends marks at the rim by 20 px."""
    survey, rng = grid(1), np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        images, xy, true = views(survey, np.array([rng.uniform(20, 140), rng.uniform(30, 190), rng.normal(0, 2)]))
        assert len(images) >= 2
        found = triangulate(images, xy + rng.normal(0, 0.5, xy.shape))
        assert found is not None
        assert (found.used, found.wrong) == (len(images), ())
        ratios.append(np.linalg.norm(found.x_in_map - true) / found.std)
    # Three axes of one standard deviation each: the root of 2.366 in the median were they alike.
    assert 1.0 < np.median(ratios) < 2.0


def test_a_wrong_mark_is_put_aside_and_named() -> None:
    survey, rng = grid(2), np.random.default_rng(1)
    for count in (3, 4, 6):
        images, xy, true = views(survey, np.array([60.0, 90.0, 1.0]), count)
        xy = xy + rng.normal(0, 0.3, xy.shape)
        xy[1] += np.array([60.0, -45.0])
        found = triangulate(images, xy)
        assert found is not None
        assert found.wrong == (images[1].path,)
        assert np.linalg.norm(found.x_in_map - true) * survey.scale < 0.1
    images, xy, _ = views(survey, np.array([60.0, 90.0, 1.0]), 2)
    assert triangulate(images, xy + np.array([[0.0, 0.0], [80.0, 300.0]])) is None
    assert triangulate([images[0], images[0]], np.stack([xy[0], xy[0]])) is None


def seen_points(survey: Survey, places: Floats, rng: np.random.Generator) -> list[Seen]:
    found = []
    for k, place in enumerate(places):
        images, xy, _ = views(survey, place)
        at = triangulate(images, xy + rng.normal(0, 0.3, xy.shape))
        assert at is not None
        lat, lon, alt_m = (
            float(v) for v in geodetic_from_enu(place + rng.normal(0, 1, 3) * (0.02, 0.02, 0.05), ORIGIN)
        )
        found.append(Seen(GroundPoint(f"P{k}", lat, lon, alt_m, ()), at, (0.02, 0.05)))
    return found


PLACES = np.array([[10.0, 15.0, 0.0], [150.0, 20.0, 1.0], [145.0, 200.0, 2.0], [15.0, 195.0, 0.5], [80.0, 110.0, -1.0]])


def test_control_points_set_a_map_right_that_receivers_set_wrong_together() -> None:
    """GPS off by 3 m to the east and by the geoid upwards: the map is right to 5 cm, and says that it is."""
    survey, distances = grid(3), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        positions = noisy(survey, rng, 2.0, 3.0) + np.array([3.0, 0.0, 47.0])
        answer = placed(model_of(survey), stated(survey, positions), seen_points(survey, PLACES, rng))
        found = answer.georeference
        assert found is not None
        off = (
            found.in_enu(survey.in_map)
            + np.array([0, 0, found.origin[2]])
            - survey.in_enu
            - np.array([0, 0, ORIGIN[2]])
        )
        off -= off.mean(axis=0) * np.array([1, 1, 0])  # the frame's origin is the median of the positions
        assert np.abs(off).max() < 0.25
        assert any("off the control points'" in note for note in found.notes)
        assert all(control.believed for control in answer.controls)
        assert max(abs(v) for control in answer.controls for v in control.residual_m) < 0.25
        turn = survey.turn_error(found)
        distances.append(float(turn @ np.linalg.solve(found.covariance[1:4, 1:4], turn)))
        assert found.horizontal_m < 0.1
    # Chi-square of three has the median 2.366.
    assert 0.3 < np.median(distances) / 2.366 < 1.5


def test_one_wrong_control_point_is_named() -> None:
    survey, rng = grid(4), np.random.default_rng(0)
    seen = seen_points(survey, PLACES, rng)
    wrong = seen[2].point
    moved = GroundPoint(wrong.name, wrong.lat + 5e-5, wrong.lon, wrong.alt_m, ())
    seen[2] = Seen(moved, seen[2].found, seen[2].std_m)
    answer = placed(model_of(survey), stated(survey, noisy(survey, rng)), seen)
    assert [control.name for control in answer.controls if not control.believed] == ["P2"]
    assert survey.turned_deg(answer.georeference) < 0.2  # type: ignore[arg-type]


def test_control_points_suffice_where_all_positions_are_one() -> None:
    survey, rng = grid(5), np.random.default_rng(0)
    spot = np.tile(survey.in_enu.mean(axis=0), (60, 1))
    answer = placed(model_of(survey), stated(survey, spot), seen_points(survey, PLACES, rng))
    assert answer.georeference is not None
    assert survey.turned_deg(answer.georeference) < 0.1


def test_two_control_points_help_and_points_on_a_line_leave_the_roll_to_the_photographs() -> None:
    survey, rng = grid(6), np.random.default_rng(0)
    positions = noisy(survey, rng, 1.0, 2.0) + np.array([5.0, -4.0, 0.0])
    line = np.array([[75.0, y, 0.0] for y in (20.0, 80.0, 140.0, 200.0)])
    for places in (PLACES[:2], line):
        answer = placed(model_of(survey), stated(survey, positions), seen_points(survey, places, rng))
        assert answer.georeference is not None
        assert survey.turned_deg(answer.georeference) < 1.5
        assert max(abs(v) for control in answer.controls for v in control.residual_m) < 0.25


def test_exchanged_easting_and_northing_are_refused() -> None:
    survey, rng = grid(7), np.random.default_rng(0)
    seen = [
        Seen(GroundPoint(s.point.name, *_exchanged(s.point), s.point.alt_m, ()), s.found, s.std_m)
        for s in seen_points(survey, PLACES, rng)
    ]
    answer = placed(model_of(survey), stated(survey, noisy(survey, rng)), seen)
    assert answer.georeference is None
    assert "easting and northing" in str(answer.reason)


def _exchanged(point: GroundPoint) -> tuple[float, float]:
    east, north = (point.lon - ORIGIN[1]) * np.cos(np.radians(ORIGIN[0])), point.lat - ORIGIN[0]
    return float(ORIGIN[0] + east), float(ORIGIN[1] + north / np.cos(np.radians(ORIGIN[0])))
