"""The focal length from tags, from the user, and guessed; each says how it was come by."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.maps.colmap import undistorted
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.intrinsics import CameraOverride, FocalTags, guess_camera, parse_camera, refocused
from geoloc_cli.types import Photo

# 4.3 mm on 4000 pixels at 16393.44 per inch: 2775 px, a sensor 6.2 mm wide.
COMPACT = FocalTags(focal_mm=4.3, plane_resolution=16393.44262, plane_unit=2, original_width=4000, original_height=3000)


@pytest.mark.realdata
def test_resized_photographs_of_seneca_get_the_focal_length_of_the_calibration(realdata: Path) -> None:
    camera = read_photo(str(realdata / "seneca" / "photos" / "IMG_0446.jpg")).camera
    assert camera is not None
    assert (camera.width, camera.height, camera.source) == (1280, 960, "exif_focal_plane")
    # Bundle adjustment gives 0.70 to 0.71 of the width: one to two of the stated standard deviations.
    ratio = camera.focal_px / camera.width
    assert ratio == pytest.approx(0.694, abs=0.001)
    assert abs(ratio / 0.705 - 1.0) < 2.0 * camera.focal_std
    assert camera.focal_std <= 0.05


@pytest.mark.parametrize(
    "text",
    [
        "SIMPLE_PINHOLE,640,480,500,320,240",
        "PINHOLE,640,480,500,510,320,240",
        "SIMPLE_RADIAL,640,480,500,320,240,-0.1",
        "RADIAL,640,480,500,320,240,-0.1,0.02",
        "OPENCV,640,480,500,510,320,240,-0.1,0.02,0.003,-0.002",
        "FULL_OPENCV,640,480,500,510,320,240,-0.1,0.02,0.003,-0.002,0.01,0.02,-0.01,0.004",
    ],
)
def test_a_refocused_lens_sees_along_rays_over_the_scale(text: str) -> None:
    camera, xy = parse_camera(text), np.array([[10.0, 20.0], [320.0, 240.0], [600.0, 100.0], [333.3, 470.0]])
    longer = refocused(camera, 1.25)
    assert longer is not None
    assert longer.focal_px == pytest.approx(1.25 * camera.focal_px)
    np.testing.assert_allclose(undistorted(longer, xy), undistorted(camera, xy) / 1.25, atol=1e-9)


def test_a_fisheye_is_not_refocused() -> None:
    camera = parse_camera("OPENCV_FISHEYE,640,480,500,510,320,240,-0.1,0.02,0.003,-0.002")
    assert refocused(camera, 1.25) is None
    assert refocused(camera, 1.0) == camera


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (1280, 960), (3000, 4000), (960, 1280)])
def test_focal_plane_resolution_speaks_of_the_original(width: int, height: int) -> None:
    camera = guess_camera(width, height, COMPACT)
    assert camera.focal_px == pytest.approx(4.3 * 16393.44262 / 25.4 * max(width, height) / 4000, rel=1e-9)
    assert camera.params[1:] == (width / 2, height / 2)


def test_units_of_the_focal_plane_give_one_answer() -> None:
    per_mm = 16393.44262 / 25.4
    for unit, per_unit in ((3, per_mm * 10), (4, per_mm), (5, per_mm / 1000), (None, per_mm * 25.4)):
        tags = FocalTags(4.3, None, per_unit, unit, 4000, 3000)
        assert guess_camera(1280, 960, tags).focal_px == pytest.approx(guess_camera(1280, 960, COMPACT).focal_px)


def test_film_equivalent_is_counted_along_the_diagonal() -> None:
    camera = guess_camera(4000, 3000, FocalTags(focal_35mm=28.0))
    assert camera.focal_px == pytest.approx(28.0 * 5000.0 / math.hypot(36, 24), rel=1e-12)
    assert (camera.source, camera.focal_std) == ("exif_35mm", 0.05)


def test_no_tags_give_a_guess_that_admits_it() -> None:
    for tags in (None, FocalTags(), FocalTags(focal_mm=4.3), FocalTags(focal_mm=0.0, plane_resolution=0.0)):
        camera = guess_camera(640, 480, tags)
        assert (camera.source, camera.focal_px) == ("default", pytest.approx(544.0))
        assert camera.focal_std >= 0.3


def test_senseless_sensor_falls_through_to_the_next_source() -> None:
    # Resized by software that rewrote PixelXDimension alone: a sensor of 0.15 mm.
    tags = FocalTags(4.3, None, 16393.44, 2, 100, 75)
    assert guess_camera(100, 75, tags).source == "default"
    tags = FocalTags(4.3, 25.0, 16393.44, 2, 100, 75)
    assert guess_camera(100, 75, tags).source == "exif_35mm"
    for bad in (math.inf, 1e300, -4.0):
        assert guess_camera(100, 75, FocalTags(focal_35mm=bad)).source == "default"


def test_crop_raises_the_doubt_and_keeps_the_pixels_of_the_original() -> None:
    notes: list[str] = []
    camera = guess_camera(3000, 3000, COMPACT, notes)
    assert camera.focal_px == pytest.approx(4.3 * 16393.44262 / 25.4, rel=1e-9)
    assert camera.focal_std >= 0.3
    assert "cropped" in notes[0]


def test_disagreeing_focal_lengths_raise_the_doubt() -> None:
    notes: list[str] = []
    tags = FocalTags(4.3, 50.0, 16393.44262, 2, 4000, 3000)
    camera = guess_camera(4000, 3000, tags, notes)
    # 50 mm are 5778 px, the focal plane says 2775: off by 52 %.
    assert (camera.source, camera.focal_std) == ("exif_35mm", pytest.approx(0.26, abs=0.01))
    assert "52 %" in notes[0]


def test_parse_camera_takes_colmaps_order_and_says_what_is_wrong() -> None:
    camera = parse_camera("PINHOLE,1280,960,963,964,640,480")
    assert (camera.model, camera.width, camera.height, camera.source) == ("PINHOLE", 1280, 960, "user")
    assert camera.params == (963.0, 964.0, 640.0, 480.0)
    for text, why in [
        ("PINHOL,1280,960,1,1,1,1", "is no model"),
        ("PINHOLE,1280,960,963,640,480", "has 4 parameters, 3 are given"),
        ("PINHOLE", "4 numbers"),
        ("PINHOLE,1280,960,x,963,640,480", "4 numbers"),
        ("PINHOLE,1280,960,0,963,640,480", "above 0"),
        ("PINHOLE,1280,960,nan,963,640,480", "finite"),
    ]:
        with pytest.raises(UsageError, match=why):
            parse_camera(text)


def test_override_by_focal_length_angle_and_camera() -> None:
    photo = Photo("a.jpg", 640, 480)
    by_focal = CameraOverride(focal_px=500.0).apply(photo).camera
    by_angle = CameraOverride(fov_deg=90.0).apply(photo).camera
    by_camera = (
        CameraOverride(camera=parse_camera("OPENCV,1280,960,963,964,640,480,0.1,0.2,0.3,0.4")).apply(photo).camera
    )
    assert by_focal is not None
    assert by_angle is not None
    assert by_camera is not None
    assert by_focal.params == (500.0, 320.0, 240.0)
    assert by_angle.focal_px == pytest.approx(320.0)
    # Lengths are halved with the picture; distortion has no unit.
    assert by_camera.params == (481.5, 482.0, 320.0, 240.0, 0.1, 0.2, 0.3, 0.4)
    assert CameraOverride().apply(photo) is photo


def test_override_that_does_not_fit_is_an_error_of_that_photo() -> None:
    override = CameraOverride(camera=parse_camera("SIMPLE_PINHOLE,1280,960,963,640,480"))
    with pytest.raises(PhotoError, match=r"a\.jpg is 480 x 640 upright"):
        override.apply(Photo("a.jpg", 480, 640))


def test_override_refuses_two_answers_and_senseless_ones() -> None:
    for override in (
        CameraOverride(focal_px=5.0, fov_deg=60.0),
        CameraOverride(focal_px=-1.0),
        CameraOverride(fov_deg=180.0),
    ):
        with pytest.raises(UsageError):
            override.check()
