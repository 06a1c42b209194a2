"""Attitudes of XMP in three conventions, against rotations that are built from the conventions' own words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.photos.attitude import xmp_attitude
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.types import Attitude, Photo

DJI = "http://www.dji.com/drone-dji/1.0/"
PIX4D = "http://pix4d.com/camera/1.0/"
NED_FROM_ENU = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


def photo_of(folder: Path, description: str, orientation: int = 1) -> Photo:
    """Reads a JPEG with this inside of its rdf:Description's tag, and what follows."""
    packet = (
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        f"<rdf:Description xmlns:drone-dji='{DJI}' xmlns:Camera='{PIX4D}' "
        f"xmlns:GPano='http://ns.google.com/photos/1.0/panorama/' {description}</rdf:RDF></x:xmpmeta>"
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = folder / "photo.jpg"
    Image.new("RGB", (64, 48)).save(path, exif=exif, xmp=packet.encode())
    return read_photo(str(path))


def gimbal(yaw: str, pitch: str, roll: str) -> str:
    names = {"Yaw": yaw, "Pitch": pitch, "Roll": roll}
    return " ".join(f"drone-dji:Gimbal{name}Degree='{value}'" for name, value in names.items()) + "/>"


def turned_xyz(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(3, 3) ned_from_body = Rz(yaw) Ry(pitch) Rx(roll)."""
    cy, cp, cr = np.cos(np.radians([yaw, pitch, roll]))
    sy, sp, sr = np.sin(np.radians([yaw, pitch, roll]))
    z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return np.asarray(z @ y @ x)


def rotation_of(attitude: Attitude) -> np.ndarray:
    assert attitude.heading_deg is not None
    return CameraPose((0, 0, 0), attitude.heading_deg, attitude.pitch_deg, attitude.roll_deg).rotation_cam_from_enu()


def test_a_gimbal_in_attributes_and_in_elements_says_the_same(tmp_path: Path) -> None:
    elements = "".join(
        f"<drone-dji:Gimbal{name}Degree>{value}</drone-dji:Gimbal{name}Degree>"
        for name, value in (("Yaw", "-12.50"), ("Pitch", "-90.00"), ("Roll", "+3.10"))
    )
    for text in (gimbal("-12.50", "-90.00", "+3.10"), f">{elements}</rdf:Description>"):
        assert photo_of(tmp_path, text).attitude == Attitude(-90.0, 3.1, 1.0, "dji", 347.5, "true")


@pytest.mark.parametrize("seed", range(10))
def test_each_convention_is_the_rotation_that_its_words_make(seed: int) -> None:
    """A gimbal's x is the optical axis; Pix4D's is the top of the picture."""
    rng = np.random.default_rng(seed)
    yaw, pitch, roll = float(rng.uniform(-180, 180)), float(rng.uniform(-120, 40)), float(rng.uniform(-170, 170))
    ned_from_body = turned_xyz(yaw, pitch, roll)
    cam_from_gimbal = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    cam_from_nadir = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for namespace, names, cam_from_body in (
        (DJI, ("GimbalYawDegree", "GimbalPitchDegree", "GimbalRollDegree"), cam_from_gimbal),
        (PIX4D, ("Yaw", "Pitch", "Roll"), cam_from_nadir),
    ):
        said = {f"{namespace} {n}": f"{v:+.9f}" for n, v in zip(names, (yaw, pitch, roll), strict=True)}
        attitude, doubts = xmp_attitude(said, "maker", 1)
        assert attitude is not None, doubts
        assert np.abs(rotation_of(attitude) - cam_from_body @ ned_from_body.T @ NED_FROM_ENU).max() < 1e-7


def test_a_level_pix4d_body_looks_down_and_one_pitched_by_90_looks_ahead() -> None:
    down, _ = xmp_attitude({f"{PIX4D} Yaw": "30", f"{PIX4D} Pitch": "0", f"{PIX4D} Roll": "0"}, None, 1)
    ahead, _ = xmp_attitude({f"{PIX4D} Yaw": "30", f"{PIX4D} Pitch": "90", f"{PIX4D} Roll": "0"}, None, 1)
    assert down == Attitude(-90.0, 0.0, 2.0, "pix4d", 30.0, "true")
    assert ahead is not None
    assert (ahead.pitch_deg, ahead.roll_deg, ahead.heading_deg) == pytest.approx((0.0, 0.0, 30.0), abs=1e-9)


def test_makers_who_use_the_names_otherwise_are_known() -> None:
    said = {f"{PIX4D} Yaw": "10", f"{PIX4D} Pitch": "-60", f"{PIX4D} Roll": "5"}
    assert xmp_attitude(said, "DJI", 1)[0] == Attitude(-60.0, 5.0, 2.0, "pix4d", 10.0, "true")
    level = {f"{PIX4D} Yaw": "10", f"{PIX4D} Pitch": "0.5", f"{PIX4D} Roll": "5"}
    ours, theirs = xmp_attitude(level, "Parrot", 1)[0], xmp_attitude(level, "senseFly", 1)[0]
    assert ours is not None
    assert theirs is not None
    assert theirs.roll_deg == pytest.approx(-ours.roll_deg)


def test_a_photo_sphere_states_its_centre_and_may_have_no_heading(tmp_path: Path) -> None:
    photo = photo_of(tmp_path, "GPano:PosePitchDegrees='4.5' GPano:PoseRollDegrees='-2'/>")
    assert photo.attitude == Attitude(4.5, -2.0, 2.0, "gpano")
    assert photo.notes == ()


@pytest.mark.parametrize(("orientation", "stored_roll"), [(1, 0.0), (3, 180.0), (6, 90.0), (8, -90.0)])
def test_an_upright_picture_has_the_roll_it_is_shown_with(tmp_path: Path, orientation: int, stored_roll: float) -> None:
    """Orientation 6: the stored picture's left edge is the top, so its right axis pointed down: rolled clockwise."""
    attitude = photo_of(tmp_path, gimbal("40.0", "-10.0", f"{stored_roll:+.1f}"), orientation).attitude
    assert attitude is not None
    assert attitude.roll_deg == pytest.approx(0.0, abs=1e-9)
    assert (attitude.pitch_deg, attitude.heading_deg) == (-10.0, 40.0)


@pytest.mark.parametrize(
    ("angles", "orientation", "why"),
    [
        (("10", "NaN", "0"), 1, "pitch is not a number"),
        (("10", "-20", ""), 1, "roll is not a number"),
        (("inf", "-20", "0"), 1, "yaw is not a number"),
        (("10", "-170", "0"), 1, "pitch -170 is not within -135 to 135"),
        (("10", "-20", "181"), 1, "roll 181 is not within -180 to 180"),
        (("0.0", "0.00", "+0.00"), 1, "do not know"),
        (("10", "-20", "1"), 5, "stored mirrored"),
    ],
)
def test_what_cannot_be_is_left_out_with_a_note(
    tmp_path: Path, angles: tuple[str, str, str], orientation: int, why: str
) -> None:
    photo = photo_of(tmp_path, gimbal(*angles), orientation)
    assert photo.attitude is None
    assert len(photo.notes) == 1
    assert why in photo.notes[0]


def test_a_drone_without_exif_states_its_altitude_in_xmp_and_no_datum(tmp_path: Path) -> None:
    text = "drone-dji:GpsLatitude='41.0' drone-dji:GpsLongitude='8.0' drone-dji:AbsoluteAltitude='+123.45' "
    position = photo_of(tmp_path, text + "drone-dji:RelativeAltitude='+60.00'/>").position
    assert position is not None
    assert (position.alt_m, position.alt_datum) == (123.45, None)
