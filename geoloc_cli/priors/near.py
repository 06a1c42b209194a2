"""A place that the user states: `--prior near=48.85,2.35,5km`."""

from __future__ import annotations

from dataclasses import dataclass

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.stated import circle_of
from geoloc_cli.types import Belief, Component, Photo, PriorGuess


@dataclass(frozen=True, slots=True)
class NearOptions:
    """`at` is LAT,LON,RADIUS (metres, or with the unit m or km); `doubt` the share kept for a user who errs."""

    at: str = ""
    doubt: float = 0.1

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        if self.at:
            circle_of(self.at, "--prior near")
        if not 0 < self.doubt < 1:
            raise UsageError(f"doubt is {self.doubt}; give a share between 0 and 1.")


class NearPrior:
    """The same place for every photo."""

    name = "near"

    def __init__(self, options: NearOptions | None = None) -> None:
        """Raises UsageError where no place is stated."""
        self.options = options or NearOptions()
        self.options.check()
        self._lat, self._lon, self._radius_m = circle_of(self.options.at, "--prior near")

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        component = Component(self._lat, self._lon, self._radius_m, 1.0 - self.options.doubt)
        guess = PriorGuess(self.name, self._lat, self._lon, self._radius_m, "as stated")
        return from_components([component], self.options.doubt), guess
