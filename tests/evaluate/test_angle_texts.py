"""Angles as people and tools write them."""

from __future__ import annotations

import pytest

from geoloc_cli.evaluate.texts import reading_of


@pytest.mark.parametrize(
    ("text", "degrees", "kind"),
    [
        ("48,8566", 48.8566, "comma_decimals"),
        ("-2,35", -2.35, "comma_decimals"),
        ("48°51'24.0\"N", 48.0 + 51.0 / 60.0 + 24.0 / 3600.0, "angles_as_text"),
        ("48 deg 51' 24.00\" S", -(48.0 + 51.0 / 60.0 + 24.0 / 3600.0), "angles_as_text"),  # ExifTool
        ("W 79 23.226", -(79.0 + 23.226 / 60.0), "angles_as_text"),
        ("48.85 N", 48.85, "angles_as_text"),
        ("2.35W", -2.35, "angles_as_text"),
        ("-33:51:35.9", -(33.0 + 51.0 / 60.0 + 35.9 / 3600.0), "angles_as_text"),
        ("48º51′24″", 48.0 + 51.0 / 60.0 + 24.0 / 3600.0, "angles_as_text"),
    ],
)
def test_an_angle_is_read(text: str, degrees: float, kind: str) -> None:
    reading = reading_of(text)
    assert reading is not None
    assert reading.degrees == pytest.approx(degrees, abs=1e-12)
    assert reading.kind == kind


@pytest.mark.parametrize("text", ["Paris", "", "48°71'N", "1 2 3 4", "N", "12-34", "north 48"])
def test_what_is_no_angle_is_not_read(text: str) -> None:
    assert reading_of(text) is None
