"""Ground control points straighten a long strip that is bent; a wrong one is told, and is not obeyed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from strips import WRONG, Strip, bent_strip
from surveys import ORIGIN, Floats, stated

from geoloc_cli.geo.earth import enu_from_geodetic, geodetic_from_enu
from geoloc_cli.maps.colmap import read_model
from geoloc_cli.maps.control import triangulate
from geoloc_cli.maps.gcp import GroundPoint
from geoloc_cli.pipeline.georeference import adjusted_part
from geoloc_cli.pipeline.placing import Placed, Seen, placed

# Along both sides of a strip of 420 m.
PLACES = np.array([[22.0 if k % 2 else -20.0, 5.0 + 58.0 * k, (k % 3) - 1.0] for k in range(8)])
STD_M = (0.02, 0.05)


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Strip:
    return bent_strip(tmp_path_factory.mktemp("strip") / "0")


def seen_in(strip: Strip, surveyed: Floats, seed: int = 0) -> list[Seen]:
    """PLACES as they are marked, and as they were said to be surveyed."""
    model, rng = read_model(strip.folder), np.random.default_rng(seed)
    seen = []
    for k, (marks, place) in enumerate(zip(strip.marks(PLACES), surveyed, strict=True)):
        found = triangulate([model.images[name] for name in marks], np.array(list(marks.values())))
        assert found is not None
        noisy = place + rng.normal(0, 1, 3) * np.array(STD_M)[[0, 0, 1]]
        lat, lon, alt_m = (float(v) for v in geodetic_from_enu(noisy, ORIGIN))
        seen.append(Seen(GroundPoint(f"P{k}", lat, lon, alt_m, ()), found, STD_M, marks))
    return seen


def adjusted(strip: Strip, target: Path, seen: list[Seen]) -> tuple[Placed, Placed]:
    """Before and after, positions having 2 m of noise, and 47 m more of height than there is."""
    survey, rng = strip.survey, np.random.default_rng(3)
    noisy = survey.in_enu + rng.normal(0, 1, survey.in_enu.shape) * (2.0, 2.0, 4.0) + np.array([3.0, -2.0, 47.0])
    model, given = read_model(strip.folder), stated(survey, noisy)
    before = placed(model, given, seen)
    return before, adjusted_part(strip.folder, target, model, before, given, seen, set())


def check_m(strip: Strip, folder: Path, answer: Placed) -> Floats:
    """(N, 3) metres of points that the adjustment did not know, marked as well as those that it did."""
    rng = np.random.default_rng(9)
    places = np.column_stack([rng.uniform(-25, 25, 12), np.linspace(30, 390, 12), rng.normal(0, 2, 12)])
    georeference, model = answer.georeference, read_model(folder)
    assert georeference is not None
    off = []
    for marks, place in zip(strip.marks(places), places, strict=True):
        found = triangulate([model.images[name] for name in marks], np.array(list(marks.values())))
        assert found is not None
        at = geodetic_from_enu(georeference.in_enu(found.x_in_map), georeference.origin)
        off.append(np.asarray(enu_from_geodetic(*at, ORIGIN)) - place)
    return np.array(off)


def test_a_strip_is_adjusted(strip: Strip, tmp_path: Path) -> None:
    before, after = adjusted(strip, tmp_path, seen_in(strip, PLACES))
    bent, straight = check_m(strip, strip.folder, before), check_m(strip, tmp_path, after)
    assert after.adjusted
    assert not before.adjusted
    # A lens of 6 px less at the rim than was thought bends 420 m by metres.
    assert np.sqrt((bent**2).sum(axis=1).mean()) > 1.0
    # 0.5 px of a mark at 60 m and 1000 px is 3 cm, some three times that upwards.
    assert np.sqrt((straight[:, :2] ** 2).mean()) < 0.05
    assert np.sqrt((straight[:, 2] ** 2).mean()) < 0.12
    assert np.sqrt((bent**2).mean()) > 20.0 * np.sqrt((straight**2).mean())
    assert [control.believed for control in after.controls] == [True] * 8
    assert max(abs(v) for control in after.controls for v in control.residual_m) < 0.2
    lens = next(iter(read_model(tmp_path).images.values())).camera.params
    assert lens == pytest.approx((1000.0, 640.0, 480.0, -0.05), abs=3.0)
    assert lens[3] == pytest.approx(-0.05, abs=0.002)


@pytest.mark.parametrize(("row", "off_m"), [(0, (4.0, 0.0, 0.0)), (3, (0.0, 0.0, 5.0)), (5, (0.0, -3.0, 0.0))])
def test_a_wrong_point_is_told_and_left_out(
    strip: Strip, tmp_path: Path, row: int, off_m: tuple[float, float, float]
) -> None:
    surveyed = PLACES.copy()
    surveyed[row] += off_m
    _, after = adjusted(strip, tmp_path, seen_in(strip, surveyed))
    assert after.adjusted
    assert [control.name for control in after.controls if not control.believed] == [f"P{row}"]
    (wrong,) = (control for control in after.controls if not control.believed)
    assert wrong.residual_m == pytest.approx(off_m, abs=0.4)
    assert np.sqrt((check_m(strip, tmp_path, after) ** 2).mean()) < 0.15


def test_where_it_cannot_be_told_which_point_is_wrong_the_map_stays(strip: Strip, tmp_path: Path) -> None:
    surveyed = PLACES.copy()
    surveyed[0] += (5.0, 0.0, 0.0)
    rows = [0, 1, 2, 6]
    seen = [point for k, point in enumerate(seen_in(strip, surveyed)) if k in rows]
    before, after = adjusted(strip, tmp_path, seen)
    assert not after.adjusted
    assert after.georeference is not None
    assert before.georeference is not None
    assert "not adjusted to its control points" in after.georeference.notes[-1]
    assert np.array_equal(after.georeference.rotation, before.georeference.rotation)
    kept = pycolmap.Reconstruction(tmp_path)
    assert tuple(kept.cameras[1].params) == WRONG


def test_the_images_keep_their_keypoints_and_the_points_their_tracks(strip: Strip, tmp_path: Path) -> None:
    adjusted(strip, tmp_path, seen_in(strip, PLACES))
    old, new = pycolmap.Reconstruction(strip.folder), pycolmap.Reconstruction(tmp_path)
    assert sorted(old.points3D) == sorted(new.points3D)
    for image_id, image in old.images.items():
        other = new.images[image_id]
        assert [p.point3D_id for p in image.points2D] == [p.point3D_id for p in other.points2D]
        assert np.array_equal([p.xy for p in image.points2D], [p.xy for p in other.points2D])
    assert new.compute_mean_reprojection_error() < old.compute_mean_reprojection_error()
