"""The intrinsics of a photo: what the user says, else what the file says, else a guess that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera, Photo

# Diagonal of 36 x 24 mm, to which CIPA DCG-001 refers the 35 mm equivalent.
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
# Relative standard deviations. Focal-plane resolution: the lens' nominal focal length, at infinity (seneca: 1.5 % off).
# 35 mm equivalent: rounded to whole millimetres, video crops, and makers who count along the width (4 % on 4:3).
_PLANE_STD, _FILM_STD = 0.03, 0.05
# The pixel size may be that of the picture as it is now or of the sensor: nothing in the file decides it.
_PLANE_UNCHECKED_STD = 0.08
_CROP_STD = 0.3
# 0.85 of the longer side (OpenSfM's default_focal_prior): between phones, 0.7 to 0.8, and compact cameras, about 1.
_DEFAULT_RATIO, _DEFAULT_STD = 0.85, 0.4
# The widest fisheye-free lens and the longest tele; outside, a tag is wrong.
_RATIO_RANGE = (0.2, 60.0)
_SENSOR_WIDTH_MM = (3.0, 65.0)
_SAME_ASPECT = 0.02
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
# COLMAP's models, their number of parameters, and how many of those are focal lengths.
_MODELS = {
    "SIMPLE_PINHOLE": (3, 1),
    "PINHOLE": (4, 2),
    "SIMPLE_RADIAL": (4, 1),
    "RADIAL": (5, 1),
    "OPENCV": (8, 2),
    "OPENCV_FISHEYE": (8, 2),
    "FULL_OPENCV": (12, 2),
    "FOV": (5, 2),
    "SIMPLE_RADIAL_FISHEYE": (4, 1),
    "RADIAL_FISHEYE": (5, 1),
    "THIN_PRISM_FISHEYE": (12, 2),
}
# Of each parameter of distortion, in their order, the power of the radius by which it counts.
_POWERS = {
    "SIMPLE_PINHOLE": (),
    "PINHOLE": (),
    "SIMPLE_RADIAL": (2,),
    "RADIAL": (2, 4),
    "OPENCV": (2, 4, 1, 1),
    "FULL_OPENCV": (2, 4, 1, 1, 6, 2, 4, 6),
}


@dataclass(frozen=True, slots=True)
class FocalTags:
    """What EXIF says of the lens and the sensor; `original_*` is the picture as it left the camera (PixelXDimension).

    `plane_resolution` counts pixels of that original per unit `plane_unit` (2 inch, 3 cm, 4 mm, 5 µm).
    """

    focal_mm: float | None = None
    focal_35mm: float | None = None
    plane_resolution: float | None = None
    plane_unit: int | None = None
    original_width: int | None = None
    original_height: int | None = None
    digital_zoom: float | None = None


def guess_camera(width: int, height: int, tags: FocalTags | None = None, notes: list[str] | None = None) -> Camera:
    """A SIMPLE_PINHOLE camera of an upright width x height picture; doubts are appended to `notes` as sentences.

    All lengths are compared along the longer side, so that the answer is the same for every orientation.
    Focal-plane resolution: f_px = focal_mm * pixels_per_mm, of the original; 35 mm equivalent: f_px = f35 * diagonal_px
    / 43.27; both then scaled by what has become of the original's longer side. Where the shape is not the
    original's, the picture was cropped: the scale is then the least that the crop allows, and the doubt large.
    """
    tags = tags or FocalTags()
    notes = notes if notes is not None else []
    long_side, short_side = max(width, height), min(width, height)
    original = _original(tags) or (long_side, short_side)
    cropped = abs(long_side / short_side * original[1] / original[0] - 1.0) > _SAME_ASPECT
    scale = max(long_side / original[0], short_side / original[1])

    by_plane = _usable(_focal_by_plane(tags, original), original[0])
    by_film = _usable(_focal_by_film(tags, original), original[0])
    if by_plane is None and by_film is None:
        return _pinhole(width, height, _DEFAULT_RATIO * long_side, "default", _DEFAULT_STD)
    if by_plane is None or by_film is None:
        focal = by_plane or by_film or 0.0
        source = "exif_focal_plane" if by_plane else "exif_35mm"
        std = _FILM_STD if by_film else _PLANE_STD if scale < 0.999 else _PLANE_UNCHECKED_STD
    else:
        gap = abs(by_plane / by_film - 1.0)
        agree = gap <= 0.15
        focal, source = (by_plane, "exif_focal_plane") if agree else (by_film, "exif_35mm")
        std = _PLANE_STD if agree else max(_FILM_STD, min(gap, 1.0) / 2.0)
        if not agree:
            notes.append(f"Its two focal lengths differ by {100 * gap:.0f} %; the 35 mm equivalent was taken.")
    if cropped:
        std = max(std, _CROP_STD)
        notes.append("It was cropped after it was taken, which leaves its focal length in doubt.")
    return _pinhole(width, height, focal * scale, source, std)


def parse_camera(text: str) -> Camera:
    """`MODEL,WIDTH,HEIGHT,PARAMS...` with COLMAP's names and order; raises UsageError that says what is expected."""
    parts = [part.strip() for part in text.split(",")]
    model = parts[0].upper()
    if model not in _MODELS:
        raise UsageError(f"--camera {text!r}: {parts[0]!r} is no model; take one of {', '.join(_MODELS)}.")
    count, focals = _MODELS[model]
    try:
        width, height = int(parts[1]), int(parts[2])
        params = tuple(float(part) for part in parts[3:])
    except (ValueError, IndexError):
        raise UsageError(f"--camera {text!r}: give {model},WIDTH,HEIGHT and {count} numbers after it.") from None
    if len(params) != count:
        raise UsageError(f"--camera {text!r}: {model} has {count} parameters, {len(params)} are given.")
    if width < 1 or height < 1 or not all(map(math.isfinite, params)) or min(params[:focals]) <= 0:
        raise UsageError(f"--camera {text!r}: width, height and focal lengths are finite and above 0.")
    return Camera(model, width, height, params, "user", 0.0)


@dataclass(frozen=True, slots=True)
class CameraOverride:
    """What the user says of the camera: at most one of the three. `fov_deg` is across the picture's longer side."""

    focal_px: float | None = None
    fov_deg: float | None = None
    camera: Camera | None = None

    def check(self) -> None:
        given = [value for value in (self.focal_px, self.fov_deg, self.camera) if value is not None]
        if len(given) > 1:
            raise UsageError("Give one of --focal-px, --fov-deg and --camera.")
        if self.focal_px is not None and not (math.isfinite(self.focal_px) and self.focal_px > 0):
            raise UsageError(f"--focal-px {self.focal_px:g}: give a length in pixels above 0.")
        if self.fov_deg is not None and not 0.0 < self.fov_deg < 180.0:
            raise UsageError(f"--fov-deg {self.fov_deg:g}: give an angle between 0 and 180.")

    def apply(self, photo: Photo) -> Photo:
        """The photo with this camera; `camera` is scaled to the photo, and a photo of another shape is a PhotoError."""
        self.check()
        width, height = photo.width, photo.height
        if self.focal_px is not None:
            return replace(photo, camera=_pinhole(width, height, self.focal_px, "user", 0.01))
        if self.fov_deg is not None:
            focal = 0.5 * max(width, height) / math.tan(math.radians(self.fov_deg) / 2.0)
            return replace(photo, camera=_pinhole(width, height, focal, "user", 0.02))
        if self.camera is not None:
            return replace(photo, camera=_scaled(self.camera, photo))
        return photo


def refocused(camera: Camera, scale: float) -> Camera | None:
    """The lens of which each pixel's ray (x / z, y / z) is this one's over `scale`: its focal lengths so many times.

    None where its model has none such, as those of fisheyes, unless the scale is 1.
    """
    if scale == 1.0:
        return camera
    powers = _POWERS.get(camera.model)
    if powers is None:
        return None
    focals, at = _MODELS[camera.model][1], len(camera.params) - len(powers)
    lengths = [p * scale if i < focals else p for i, p in enumerate(camera.params[:at])]
    bends = [p * scale**power for p, power in zip(camera.params[at:], powers, strict=True)]
    return replace(camera, params=(*lengths, *bends))


def _scaled(camera: Camera, photo: Photo) -> Camera:
    scale = photo.width / camera.width
    if abs(photo.height / (camera.height * scale) - 1.0) > _SAME_ASPECT:
        raise PhotoError(
            f"{shown(photo.path)} is {photo.width} x {photo.height} upright, which --camera for {camera.width} x "
            f"{camera.height} does not fit; locate it apart with a --camera of its own, or give --fov-deg."
        )
    lengths = _MODELS[camera.model][1] + 2
    params = tuple(p * scale if i < lengths else p for i, p in enumerate(camera.params))
    return replace(camera, width=photo.width, height=photo.height, params=params)


def _pinhole(width: int, height: int, focal_px: float, source: str, focal_std: float) -> Camera:
    return Camera("SIMPLE_PINHOLE", width, height, (focal_px, width / 2.0, height / 2.0), source, focal_std)


def _original(tags: FocalTags) -> tuple[int, int] | None:
    """Longer and shorter side of the picture as the camera wrote it, where the file says so plausibly."""
    if not tags.original_width or not tags.original_height:
        return None
    low, high = sorted((tags.original_width, tags.original_height))
    return (high, low) if low >= 16 and high <= 100_000 else None


def _focal_by_plane(tags: FocalTags, original: tuple[int, int]) -> float | None:
    unit_mm = _UNIT_MM.get(tags.plane_unit if tags.plane_unit is not None else 2)
    if not tags.focal_mm or not tags.plane_resolution or unit_mm is None:
        return None
    if tags.focal_mm <= 0 or tags.plane_resolution <= 0:
        return None
    pixels_per_mm = tags.plane_resolution / unit_mm
    if not _SENSOR_WIDTH_MM[0] <= original[0] / pixels_per_mm <= _SENSOR_WIDTH_MM[1]:
        return None
    zoom = tags.digital_zoom if tags.digital_zoom and 1.0 < tags.digital_zoom <= 20.0 else 1.0
    return tags.focal_mm * pixels_per_mm * zoom


def _focal_by_film(tags: FocalTags, original: tuple[int, int]) -> float | None:
    if not tags.focal_35mm or tags.focal_35mm <= 0:
        return None
    return tags.focal_35mm * math.hypot(*original) / FILM_DIAGONAL_MM


def _usable(focal_px: float | None, long_side: int) -> float | None:
    if focal_px is None or not math.isfinite(focal_px):
        return None
    return focal_px if _RATIO_RANGE[0] <= focal_px / long_side <= _RATIO_RANGE[1] else None
