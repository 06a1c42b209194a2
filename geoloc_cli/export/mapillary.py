"""Located photos as the `mapillary_image_description.json` that mapillary_tools uploads by (its image schema, 0.14)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geoloc_cli.export.located import Located

FILE = "mapillary_image_description.json"


def document(photos: Sequence[Located], left_out: Counter[str]) -> list[dict[str, Any]]:
    """One object a photo; those without a time, which the schema asks for, are counted in `left_out`.

    Times are of UTC where the photo says how far its clock was from it, and its clock's own where it does not, as
    mapillary_tools takes them. The accuracy is `radius_m`, and `MAPAltitude` is above the sea (EGM96), as that of EXIF
    is which they read. The schema wants a magnetic heading beside the true one; its own tools write the same for both.
    """
    described = []
    for photo in photos:
        fix, stated, time = photo.fix, photo.photo, photo.utc or photo.time
        if stated is None or time is None:
            left_out["without a time, or not where the record says"] += 1
            continue
        lat, lon = photo.place
        path = Path(fix.photo).absolute()
        values: dict[str, Any] = {
            "filename": str(path),
            "filetype": "image",
            "MAPFilename": path.name,
            "MAPLatitude": lat,
            "MAPLongitude": lon,
            "MAPAltitude": photo.alt_sea_m,
            "MAPCaptureTime": f"{time:%Y_%m_%d_%H_%M_%S}_{time.microsecond // 1000:03d}",
            "MAPOrientation": stated.orientation,
            "MAPDeviceMake": stated.make,
            "MAPDeviceModel": stated.model,
            "MAPGPSAccuracyMeters": fix.radius_m,
        }
        if fix.pose is not None and fix.pose.heading_deg is not None:
            heading = fix.pose.heading_deg
            values["MAPCompassHeading"] = {"TrueHeading": heading, "MagneticHeading": heading}
        described.append({name: value for name, value in values.items() if value is not None})
    return described
