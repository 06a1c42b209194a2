"""What the photo's own metadata says: asked only where the user names it (`--prior exif`)."""

from __future__ import annotations

from dataclasses import dataclass

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import from_components
from geoloc_cli.types import Belief, Component, Photo, PriorGuess


@dataclass(frozen=True, slots=True)
class ExifOptions:
    """`radius_m` stands in where the file states no accuracy (phones reach 5 m, under trees and between houses 50 m).

    `doubt` is the share kept for metadata that is false: copied, edited, or of the last place with reception.
    """

    radius_m: float = 50.0
    doubt: float = 0.1

    def check(self) -> None:
        if self.radius_m <= 0:
            raise UsageError(f"radius_m is {self.radius_m}; give a length above 0.")
        if not 0 < self.doubt < 1:
            raise UsageError(f"doubt is {self.doubt}; give a share between 0 and 1.")


class ExifPrior:
    """The position that the photo's file states."""

    name = "exif"

    def __init__(self, options: ExifOptions | None = None) -> None:
        self.options = options or ExifOptions()
        self.options.check()

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """None where the file states no (plausible) position."""
        position = photo.position
        if position is None:
            return None
        stated = position.radius_m is not None and position.radius_m > 0
        radius_m = float(position.radius_m) if stated and position.radius_m else self.options.radius_m
        component = Component(position.lat, position.lon, radius_m, 1.0 - self.options.doubt)
        rationale = f"{position.source} position" + (
            "" if stated else f", accuracy not stated, taken as {radius_m:g} m"
        )
        return (
            from_components([component], self.options.doubt),
            PriorGuess(self.name, position.lat, position.lon, radius_m, rationale),
        )
