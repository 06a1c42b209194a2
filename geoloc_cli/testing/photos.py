"""Photographs of a town as a camera would have left them: JPEG with EXIF, under named noise, and the truth beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw
from PIL.TiffImagePlugin import IFDRational

from geoloc_cli.geo.earth import geodetic_from_enu
from geoloc_cli.testing.render import LIGHTS, CameraPose, render
from geoloc_cli.testing.town import Town

# The sensor of the camera, and the diagonal of 36 x 24 mm film, to which the 35 mm equivalent refers (CIPA DCG-001).
_SENSOR_WIDTH_MM = 36.0
_FILM_DIAGONAL_MM = 43.267


@dataclass(frozen=True, slots=True)
class Noise:
    """What spoils a photograph; the default spoils nothing but what JPEG does.

    gps_std_m: standard deviation of each horizontal axis of the stated position. gps_outlier_share: share of photos
    whose position is wrong by 200 to 500 m. exposure_std: of the logarithm of the brightness. occluders: people and
    cars, as blobs, in front of each photo. light: a key of `render.LIGHTS`. sensor_std: grey levels.
    attitude_std_deg: of each axis of what the camera says of how it was held, in XMP as a gimbal does; None: nothing.
    """

    gps_std_m: float = 0.0
    gps_outlier_share: float = 0.0
    exposure_std: float = 0.0
    occluders: int = 0
    light: str = "noon"
    sensor_std: float = 0.0
    jpeg_quality: int = 90
    attitude_std_deg: float | None = None


@dataclass(frozen=True, slots=True)
class TruePhoto:
    """A photograph and the truth about it: its place, and the pose that it was rendered from."""

    path: str
    lat: float
    lon: float
    alt_m: float
    pose: CameraPose


def write_photos(
    town: Town,
    poses: Sequence[CameraPose],
    folder: Path,
    *,
    noise: Noise | None = None,
    seed: int = 0,
    with_position: bool = True,
    prefix: str = "photo",
) -> list[TruePhoto]:
    """Renders poses into `folder`, one JPEG each; photo i depends on the seed and on i alone."""
    noise = noise or Noise()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for i, pose in enumerate(poses):
        rng = np.random.default_rng([seed, i])
        picture, _ = render(town, pose, LIGHTS[noise.light])
        lat, lon, alt_m = (float(v) for v in geodetic_from_enu(np.array(pose.center_in_enu), town.origin))
        path = folder / f"{prefix}_{i:03d}.jpg"
        spoiled = _spoiled(picture, noise, rng)
        stated = _stated(town, pose, noise, rng) if with_position else None
        exif = _exif(pose, stated, max(5.0, 2.146 * noise.gps_std_m), i)
        xmp = b""
        if noise.attitude_std_deg is not None:
            # Numbers of their own, so that the picture is the one without.
            xmp = _gimbal(pose, noise.attitude_std_deg, np.random.default_rng([seed, i, 1]))
        spoiled.save(path, quality=noise.jpeg_quality, exif=exif, xmp=xmp)
        written.append(TruePhoto(str(path), lat, lon, alt_m, pose))
    return written


def write_truth(photos: Sequence[TruePhoto], path: Path) -> None:
    """Every pose exactly, as JSON."""
    path.write_text(json.dumps([asdict(photo) for photo in photos], indent=1) + "\n")


def _spoiled(picture: np.ndarray, noise: Noise, rng: np.random.Generator) -> Image.Image:
    values = picture.astype(np.float64) * np.exp(rng.normal(0.0, noise.exposure_std))
    if noise.sensor_std:
        values += rng.normal(0.0, noise.sensor_std, values.shape)
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(noise.occluders):
        x = int(rng.integers(0, image.width))
        top, half = int(rng.integers(image.height // 2, image.height * 3 // 4)), int(rng.integers(8, 40))
        tone = tuple(int(v) for v in rng.integers(10, 200, 3))
        draw.ellipse((x - half // 2, top - half, x + half // 2, top), fill=tone)
        draw.rectangle((x - half, top, x + half, image.height), fill=tone)
    return image


def _stated(town: Town, pose: CameraPose, noise: Noise, rng: np.random.Generator) -> tuple[float, float, float]:
    east, north, up = pose.center_in_enu
    off = rng.normal(0.0, 1.0, 2) * noise.gps_std_m
    if rng.random() < noise.gps_outlier_share:
        angle = rng.uniform(0, 2 * np.pi)
        off = off + rng.uniform(200.0, 500.0) * np.array([np.cos(angle), np.sin(angle)])
    lat, lon, alt_m = geodetic_from_enu(np.array([east + off[0], north + off[1], up]), town.origin)
    return float(lat), float(lon), float(alt_m)


def _exif(pose: CameraPose, stated: tuple[float, float, float] | None, radius_m: float, number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "geoloc"
    exif[ExifTags.Base.Model] = "town camera"
    exif[ExifTags.Base.Orientation] = 1
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.FocalLength] = _rational(pose.focal_px / pose.width * _SENSOR_WIDTH_MM)
    diagonal_px = float(np.hypot(pose.width, pose.height))
    detail[ExifTags.Base.FocalLengthIn35mmFilm] = round(pose.focal_px / diagonal_px * _FILM_DIAGONAL_MM)
    detail[ExifTags.Base.DateTimeOriginal] = f"2026:06:01 12:{number // 60 % 60:02d}:{number % 60:02d}"
    detail[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    if stated is not None:
        lat, lon, alt_m = stated
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSVersionID] = b"\x02\x03\x00\x00"
        gps[ExifTags.GPS.GPSLatitudeRef] = "N" if lat >= 0 else "S"
        gps[ExifTags.GPS.GPSLatitude] = _sexagesimal(abs(lat))
        gps[ExifTags.GPS.GPSLongitudeRef] = "E" if lon >= 0 else "W"
        gps[ExifTags.GPS.GPSLongitude] = _sexagesimal(abs(lon))
        gps[ExifTags.GPS.GPSAltitudeRef] = b"\x00" if alt_m >= 0 else b"\x01"
        gps[ExifTags.GPS.GPSAltitude] = _rational(abs(alt_m))
        gps[ExifTags.GPS.GPSImgDirectionRef] = "T"
        gps[ExifTags.GPS.GPSImgDirection] = _rational(pose.heading_deg % 360.0)
        # The tag holds 68 % of the probability; the radius here holds 90 % (Rayleigh: a factor of 1.4215).
        gps[ExifTags.GPS.GPSHPositioningError] = _rational(radius_m / 1.4215)
    return exif


def _gimbal(pose: CameraPose, std_deg: float, rng: np.random.Generator) -> bytes:
    """The packet of a gimbal whose yaw, pitch and roll are each off by this much."""
    angles = np.array([pose.heading_deg, pose.pitch_deg, pose.roll_deg]) + rng.normal(0.0, std_deg, 3)
    angles[0] = (angles[0] + 180.0) % 360.0 - 180.0
    said = zip(("Yaw", "Pitch", "Roll"), angles, strict=True)
    properties = " ".join(f'drone-dji:Gimbal{name}Degree="{value:+.2f}"' for name, value in said)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" {properties}/>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def _rational(value: float) -> IFDRational:
    return IFDRational(round(value * 10_000), 10_000)


def _sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes and seconds; a hundred-thousandth of a second is a third of a millimetre."""
    hundred_thousandths = round(degrees * 3600 * 100_000)
    seconds, fraction = divmod(hundred_thousandths, 100_000)
    return (
        IFDRational(seconds // 3600),
        IFDRational(seconds // 60 % 60),
        IFDRational(seconds % 60 * 100_000 + fraction, 100_000),
    )
