"""How bright the scene was, by the exposure that the camera chose."""

from __future__ import annotations

import math

from geoloc_cli.photos.tags import Tags

_TIME, _F_NUMBER, _ISO, _BRIGHTNESS, _FLASH = 0x829A, 0x829D, 0x8827, 0x9203, 0x9209
# Bright snow in the sun asks for 16; below -6 there is starlight. What lies outside was not metered.
_RANGE_EV = (-8.0, 20.0)


def ev100(exif: Tags) -> float | None:
    """The exposure value at ISO 100; None where the tags do not say it, or a flash lit the scene.

    EV100 = log2(N^2 / t) - log2(S / 100) (ISO 2720), or by APEX its brightness plus five, the speed value of ISO 100.
    """
    flash = exif.integer(_FLASH)
    if flash is not None and flash & 1:
        return None
    time_s, f_number, iso = exif.number(_TIME), exif.number(_F_NUMBER), exif.number(_ISO)
    value = None
    if time_s and f_number and iso and min(time_s, f_number, iso) > 0:
        # Term by term, since the numbers of a damaged file are of any size.
        value = 2.0 * math.log2(f_number) - math.log2(time_s) - math.log2(iso) + math.log2(100.0)
    elif (brightness := exif.number(_BRIGHTNESS)) is not None:
        value = brightness + 5.0
    return value if value is not None and _RANGE_EV[0] <= value <= _RANGE_EV[1] else None
