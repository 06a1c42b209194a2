"""Photographs of the town: EXIF that says the truth unless noise is asked for, and noise that does something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.testing.demo import query_cameras, street_cameras
from geoloc_cli.testing.photos import Noise, TruePhoto, write_photos, write_truth
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.testing.town import Town

AT = (59.95, 24.5, 20.0)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town(0, *AT)


def tiny(number: int = 1) -> list[CameraPose]:
    """Poses whose pictures cost next to nothing."""
    return [CameraPose((36.0, 20.0 + i, 1.6), 10.0 * i, 3.0, focal_px=32.0, width=40, height=30) for i in range(number)]


def bytes_of(photos: list[TruePhoto]) -> list[bytes]:
    return [Path(photo.path).read_bytes() for photo in photos]


def test_exif_says_the_truth(town: Town, tmp_path: Path) -> None:
    for true in write_photos(town, tiny(4), tmp_path):
        photo = read_photo(true.path)
        place = photo.position
        assert place is not None
        assert float(haversine_m(place.lat, place.lon, true.lat, true.lon)) < 0.001
        assert (place.alt_m, place.alt_datum) == (pytest.approx(true.alt_m, abs=1e-3), "sea_level")
        assert (place.heading_deg, place.heading_ref) == (pytest.approx(true.pose.heading_deg, abs=1e-3), "true")
        assert place.radius_m == pytest.approx(5.0, rel=0.02)
        assert photo.camera is not None
        assert photo.camera.focal_px == pytest.approx(32.0, rel=0.02)
        assert photo.taken_at == f"2026-06-01T12:00:0{int(true.path[-5])}+02:00"
        assert photo.notes == ()


@pytest.mark.parametrize("place", [(-33.5, 161.0, 5.0), (12.0, -70.0, -3.0), (-45.0, -170.0, 0.0)])
def test_signs_of_every_quarter_of_the_earth(tmp_path: Path, place: tuple[float, float, float]) -> None:
    true = write_photos(Town(0, *place), tiny(), tmp_path)[0]
    found = read_photo(true.path).position
    assert found is not None
    assert float(haversine_m(found.lat, found.lon, true.lat, true.lon)) < 0.001
    assert found.alt_m == pytest.approx(place[2] + 1.6, abs=0.01)


def test_the_place_is_where_the_pose_is(town: Town, tmp_path: Path) -> None:
    origin, away = write_photos(
        town,
        [CameraPose((0.0, 0.0, 0.0), 0, width=8, height=8), CameraPose((30.0, 40.0, 0.0), 0, width=8, height=8)],
        tmp_path,
    )
    assert (origin.lat, origin.lon) == pytest.approx(AT[:2], abs=1e-9)
    # The haversine sphere differs from the ellipsoid by up to half a percent.
    assert float(haversine_m(origin.lat, origin.lon, away.lat, away.lon)) == pytest.approx(50.0, rel=0.006)
    assert away.lat > origin.lat
    assert away.lon > origin.lon


def test_without_a_position_there_is_none(town: Town, tmp_path: Path) -> None:
    photo = read_photo(write_photos(town, tiny(), tmp_path, with_position=False)[0].path)
    assert photo.position is None
    assert photo.camera is not None


def test_photo_i_depends_on_the_seed_and_on_i_alone(town: Town, tmp_path: Path) -> None:
    noise = Noise(gps_std_m=3.0, exposure_std=0.2, occluders=1, sensor_std=3.0)
    three = bytes_of(write_photos(town, tiny(3), tmp_path / "a", noise=noise, seed=5))
    assert bytes_of(write_photos(town, tiny(2), tmp_path / "b", noise=noise, seed=5)) == three[:2]
    assert bytes_of(write_photos(town, tiny(1), tmp_path / "c", noise=noise, seed=6)) != three[:1]


def stated(town: Town, folder: Path, noise: Noise, number: int) -> np.ndarray:
    """Metres north and east by which the stated positions are off: (number, 2)."""
    off = []
    for true in write_photos(town, tiny(number), folder, noise=noise, seed=1):
        place = read_photo(true.path).position
        assert place is not None
        metres = 111_320.0
        off.append(((place.lat - true.lat) * metres, (place.lon - true.lon) * metres * np.cos(np.radians(true.lat))))
    return np.array(off)


def test_gps_noise_is_what_was_asked_for(town: Town, tmp_path: Path) -> None:
    off = stated(town, tmp_path, Noise(gps_std_m=4.0), 150)
    assert off.std(axis=0) == pytest.approx([4.0, 4.0], rel=0.2)
    assert np.abs(off.mean(axis=0)).max() < 1.2
    photo = read_photo(str(tmp_path / "photo_000.jpg"))
    assert photo.position is not None
    # 90 % of a round Gaussian lie within 2.146 standard deviations.
    assert photo.position.radius_m == pytest.approx(2.146 * 4.0, rel=0.02)
    assert (np.hypot(*off.T) <= photo.position.radius_m).mean() == pytest.approx(0.9, abs=0.07)


def test_outliers_are_as_many_and_as_far_as_was_asked_for(town: Town, tmp_path: Path) -> None:
    far = np.hypot(*stated(town, tmp_path, Noise(gps_outlier_share=0.3), 150).T)
    wrong = far > 1.0
    assert wrong.mean() == pytest.approx(0.3, abs=0.12)
    assert far[wrong].min() > 195
    assert far[wrong].max() < 510


def test_each_kind_of_noise_does_something(town: Town, tmp_path: Path) -> None:
    pose = [CameraPose((36.0, 30.0, 1.6), 20.0, focal_px=128.0, width=160, height=120)]

    def picture(name: str, **noise: object) -> np.ndarray:
        path = write_photos(town, pose, tmp_path / name, noise=Noise(**noise), seed=2)[0].path  # type: ignore[arg-type]
        with Image.open(path) as image:
            return np.asarray(image).astype(float)

    plain = picture("plain")
    assert np.array_equal(plain, picture("plain again"))
    brightness = picture("exposure", exposure_std=0.5).mean() / plain.mean()
    assert abs(np.log(brightness)) > 0.05
    assert picture("night", light="night").mean() < 0.7 * plain.mean()
    changed = np.abs(picture("people", occluders=3) - plain).max(axis=2) > 40
    assert 0.01 < changed.mean() < 0.7
    assert np.nonzero(changed)[0].mean() > 55  # they stand on the ground
    grain = picture("grain", sensor_std=8.0) - plain
    assert grain.std() == pytest.approx(8.0, rel=0.4)
    coarse = picture("coarse", jpeg_quality=15)
    assert np.abs(coarse - plain).mean() > 2
    assert (
        Path(tmp_path / "coarse" / "photo_000.jpg").stat().st_size
        < 0.5 * (tmp_path / "plain" / "photo_000.jpg").stat().st_size
    )


def test_the_truth_is_written_beside(town: Town, tmp_path: Path) -> None:
    photos = write_photos(town, tiny(2), tmp_path / "photos")
    write_truth(photos, tmp_path / "truth.json")
    said = json.loads((tmp_path / "truth.json").read_text())
    assert [row["path"] for row in said] == [photo.path for photo in photos]
    assert said[1]["pose"]["center_in_enu"] == [36.0, 21.0, 1.6]
    assert (said[1]["lat"], said[1]["lon"]) == (photos[1].lat, photos[1].lon)


def test_cameras_of_the_demo_stand_in_the_streets(town: Town) -> None:
    rng = np.random.default_rng(0)
    walk, views = street_cameras(town, rng), query_cameras(town, 12, rng)
    assert len(walk) == 112
    for camera in (*walk, *views):
        east, north, up = camera.center_in_enu
        in_street = any(30.0 < x % 42.0 < 42.0 for x in (east, north))
        assert in_street
        assert 1.2 < up < 2.2
    # No view is one of the walk: the nearest photo differs in place or in direction.
    for view in views:
        gaps = [
            np.hypot(*np.subtract(view.center_in_enu[:2], camera.center_in_enu[:2]))
            + abs((view.heading_deg - camera.heading_deg + 180) % 360 - 180)
            for camera in walk
        ]
        assert min(gaps) > 0.5
