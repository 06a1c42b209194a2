"""What a photo has in common with the indexed ones that it was compared with: pixels that one geometry explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher
from geoloc_cli.errors import PhotoError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.geometry.colmap import estimate_fundamental, estimate_homography
from geoloc_cli.index.reader import Index
from geoloc_cli.pipeline.describer import Describer
from geoloc_cli.pipeline.matching import References
from geoloc_cli.retrieval.verify import Query, VerifyOptions, verify_pair
from geoloc_cli.types import Candidate, Fix

# Indexed photos within this of each other tell of one place, as in `retrieval/position.py`.
_ONE_PLACE_M = 1000.0
# The chance that all that stands is wrong, by how many photos of one place stand: the position of one in fifty is
# taken to be false; those of several are not independent, since a camera's clock or a whole import may be wrong.
_FALSE_POSITION = (0.02, 0.001, 0.0003)
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


class Witness:
    """Compares photos once more with the candidates of their fixes, and keeps what stands."""

    def __init__(self, index: Index, describer: Describer, matcher: Matcher, options: VerifyOptions) -> None:
        self._describer, self._matcher, self._options = describer, matcher, options
        self._photos = {photo.path: photo for photo in index.all_photos()}
        self._references = References(index, matcher)

    def sightings(self, fix: Fix) -> list[Sighting]:
        """The candidates of a fix that reach the threshold of evidence, the strongest first."""
        likely = [c for c in fix.candidates if c.inliers]
        if not likely:
            return []
        try:
            decoded = self._describer.decode(fix.photo)
            features = self._describer.describe(decoded)
        except PhotoError:
            return []  # it was there when it was located
        if self._matcher.needs_pictures:
            features = replace(features, picture=decoded.gray)
        found = [self._seen(features, candidate) for candidate in likely]
        return sorted((one for one in found if one), key=lambda one: -one.evidence)

    def _seen(self, features: LocalFeatures, candidate: Candidate) -> Sighting | None:
        photo = self._photos.get(candidate.photo)
        reference = self._references.load(photo) if photo else None
        if photo is None or reference is None:
            return None
        options = self._options
        for count in (options.quick_query, options.full_query):
            query = Query(features, self._matcher, count)
            result = verify_pair(query, reference, options)
            if result.inliers == candidate.inliers and result.evidence >= options.min_evidence:
                pixels = _agreeing(query, reference, options, result.inliers)
                if pixels is None:
                    return None
                sizes = (features.width, features.height), (reference.width, reference.height)
                place = (photo.position.lat, photo.position.lon) if photo.position else None
                return Sighting(
                    photo.path, photo.sha256, place, result.matches, result.inliers, result.evidence, pixels, *sizes
                )
        return None


def _agreeing(
    query: Query, reference: LocalFeatures, options: VerifyOptions, inliers: int
) -> NDArray[np.float64] | None:
    """(k, 4) the matches of the model that has so many inliers, each place of the photo once; None where none has."""
    pairs = query.matcher.match(query.prepared, query.matcher.prepare(reference))
    ours = query.features.keypoints[pairs[:, 0], :2].astype(np.float64)
    theirs = reference.keypoints[pairs[:, 1], :2].astype(np.float64)
    both = np.concatenate([ours, theirs], axis=1)
    for model in (
        estimate_homography(theirs, ours, max_error_px=options.homography_px),
        estimate_fundamental(theirs, ours, max_error_px=options.fundamental_px),
    ):
        kept = both[model.inliers] if model is not None else both[:0]
        _, first = np.unique(np.round(kept[:, :2]), axis=0, return_index=True)
        if len(first) == inliers:
            return np.asarray(kept[np.sort(first)])
    return None


def doubt_of(sightings: list[Sighting]) -> float:
    """The chance that the place that sightings speak for is wrong altogether; 1 where there are none with a place."""
    placed = [(one.evidence, one.place) for one in sightings if one.place is not None]
    if not placed:
        return 1.0
    evidence, best = max(placed)
    together = sum(float(haversine_m(*best, *place)) < _ONE_PLACE_M for _, place in placed)
    false_position = _FALSE_POSITION[min(together, len(_FALSE_POSITION)) - 1]
    margin = max(evidence - VerifyOptions().min_evidence, 0.0)
    return float(max(false_position, _DOUBT_AT_THRESHOLD * 10.0 ** (-margin / _EVIDENCE_PER_TENTH)))
