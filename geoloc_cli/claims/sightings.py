"""What a photo has in common with the indexed ones that it was compared with: pixels that one geometry explains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.pipeline.sightings import Compared
from geoloc_cli.retrieval.verify import VerifyOptions
from geoloc_cli.types import Fix

# Indexed photos within this of each other tell of one place, as in `retrieval/position.py`.
_ONE_PLACE_M = 1000.0
# The chance that all that stands is wrong, by how many photos of one place stand: the position of one in fifty is
# taken to be false; those of several are not independent, since a camera's clock or a whole import may be wrong.
_FALSE_POSITION = (0.02, 0.001, 0.0003)
# Of a picture that was scaled or compressed anew keypoints stay within a hundredth of its sides; two photos that one
# camera took from one spot may, too, so that it is only remarked.
_SURELY, _SAME_PLACE = 30, 0.01
# Keypoints of a photo that two indexed ones share, before they are taken for copies of each other.
_SHARED = 8
# As `locate` reckons the doubt that is left of a match by its evidence above the threshold.
_DOUBT_AT_THRESHOLD, _EVIDENCE_PER_TENTH = 0.5, 12.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """An indexed photo that shows the same scene; `evidence` is -log10 of the false alarms (`retrieval/verify.py`).

    pixels: (k, 4) x, y in the photo and x, y in the indexed one, both as they were described: `size` and `indexed_size`
    are width and height then, the origin at the corner of the top-left pixel.
    """

    photo: str
    sha256: str
    place: tuple[float, float] | None
    matches: int
    inliers: int
    evidence: float
    pixels: NDArray[np.float64]
    size: tuple[int, int]
    indexed_size: tuple[int, int]

    @property
    def same_picture(self) -> bool:
        """Whether it seems to be the photo itself in another file: all that agrees lies at the same place in both."""
        if self.inliers < _SURELY:
            return False
        ours, theirs = self.pixels[:, :2] / self.size, self.pixels[:, 2:] / self.indexed_size
        return bool(np.quantile(np.linalg.norm(ours - theirs, axis=1), 0.9) < _SAME_PLACE)

    def as_json(self) -> dict[str, Any]:
        """All but the pixels."""
        return {
            "photo": self.photo,
            "sha256": self.sha256,
            "lat": self.place[0] if self.place else None,
            "lon": self.place[1] if self.place else None,
            "matches": self.matches,
            "inliers": self.inliers,
            "evidence": round(self.evidence, 3),
            "size": list(self.size),
            "indexed_size": list(self.indexed_size),
        }


def sightings_of(fix: Fix, compared: Mapping[str, Compared]) -> list[Sighting]:
    """What stands of that which a photo was compared with when it was located, the strongest first."""
    found = []
    for candidate in fix.candidates:
        one = compared.get(candidate.photo)
        if one is None or not one.stands:
            continue
        matched = one.matched
        pixels = np.concatenate([matched.in_query, matched.in_reference], axis=1)[matched.stands]
        sizes = matched.query_size, matched.reference_size
        place = None if candidate.lat is None or candidate.lon is None else (candidate.lat, candidate.lon)
        counts = len(matched.stands), len(pixels)
        found.append(Sighting(one.photo, one.sha256, place, *counts, one.evidence, pixels, *sizes))
    return sorted(found, key=lambda one: -one.evidence)


def pictures_of(sightings: Sequence[Sighting]) -> list[Sighting]:
    """One sighting for each picture: copies of one, cropped a little or compressed anew, have one false position."""
    found: list[Sighting] = []
    for one in sightings:
        if not any(_one_picture(one, other) for other in found):
            found.append(one)
    return found


def _one_picture(one: Sighting, other: Sighting) -> bool:
    """Whether what both have in common with the photo lies at the same place in both."""
    in_one, in_other = ({tuple(row[:2]): row[2:] / each.indexed_size for row in each.pixels} for each in (one, other))
    shared = [place - in_other[ours] for ours, place in in_one.items() if ours in in_other]
    if len(shared) < _SHARED:
        return False
    return bool(np.quantile(np.linalg.norm(shared, axis=1), 0.9) < _SAME_PLACE)


def _apart_m(one: Sighting, other: Sighting) -> float:
    return float(haversine_m(*one.place, *other.place)) if one.place and other.place else math.inf


def doubt_of(sightings: Sequence[Sighting]) -> float:
    """The chance that the place that sightings speak for is wrong altogether; 1 where there are none with a place."""
    placed = sorted((one for one in sightings if one.place is not None), key=lambda one: -one.evidence)
    if not placed:
        return 1.0
    best = placed[0]
    together = len(pictures_of([one for one in placed if _apart_m(best, one) < _ONE_PLACE_M]))
    false_position = _FALSE_POSITION[min(together, len(_FALSE_POSITION)) - 1]
    margin = max(best.evidence - VerifyOptions().min_evidence, 0.0)
    return float(max(false_position, _DOUBT_AT_THRESHOLD * 10.0 ** (-margin / _EVIDENCE_PER_TENTH)))
