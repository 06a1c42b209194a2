"""Does a candidate show the query's place? Matches, two-view geometry, and how surprising their agreement is.

The evidence of a pair is minus the base-10 logarithm of the expected number of models that would gather as many inliers
among as many matches by chance (the a-contrario number of false alarms: Moisan and Stival 2004, equation 5):

    NFA = (n - s) * C(n, k) * C(k, s) * alpha^(k - s)

with n matches, k inliers, s matches in a minimal sample (4 for a homography, 7 for a fundamental matrix) and alpha the
chance that a random match falls within the tolerance: a disc of the picture for a homography, a strip along the
epipolar line for a fundamental matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher
from geoloc_cli.errors import UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geometry.colmap import RobustModel, estimate_fundamental, estimate_homography
from geoloc_cli.retrieval.once import Once

# The features of a photo that is compared with; None where they cannot be had.
Load = Callable[[], LocalFeatures | None]


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of verification.

    Every candidate is first compared by `quick_query` keypoints of the query, of the largest scales, until `enough` are
    verified, or `patience` in a row are not after one that is. Where none is, the `retry` most promising are compared
    by `full_query` keypoints. Matches on repeated structure are not independent, so that evidence is no probability: of
    photographs of other places none was seen to reach 2, but houses of the same build in two rendered towns reach 15.
    Photographs of the same place reach 40 at the least, and hundreds as a rule; `min_evidence` lies between.
    `max_ratio` is for a matcher that tests ratios and is not told another.
    """

    quick_query: int = 640
    full_query: int = 4096
    enough: int = 6
    patience: int = 5
    retry: int = 4
    max_ratio: float = 0.8
    homography_px: float = 6.0
    fundamental_px: float = 4.0
    min_evidence: float = 20.0

    def check(self) -> None:
        if not 8 <= self.quick_query <= self.full_query:
            raise UsageError(f"quick_query is {self.quick_query}; give 8 to full_query ({self.full_query}) keypoints.")
        if self.enough < 1 or self.patience < 1 or self.retry < 0:
            raise UsageError("enough and patience are at least 1, and retry at least 0.")
        if self.homography_px <= 0 or self.fundamental_px <= 0:
            raise UsageError("homography_px and fundamental_px are lengths above 0.")


@dataclass(frozen=True, slots=True)
class Matched:
    """The matches that a verification counted, in pixels of the two described pictures.

    in_query, in_reference: (n, 2) float64; stands: (n,) bool, the inliers at distinct places of the query, as many as
    are counted. Sizes are (width, height).
    """

    in_query: NDArray[np.float64]
    in_reference: NDArray[np.float64]
    stands: NDArray[np.bool_]
    query_size: tuple[int, int]
    reference_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Verification:
    """What comparing the query with one candidate gave.

    `inliers` and `evidence` are those of the better of the two models; `planar` says that the homography alone
    explains the match. `center_in_query` is where the candidate's principal point falls in the query, in pixels from
    the query's own (x right, y down), where the homography is a usable one; None otherwise. `matched` is None where
    the matches were too few for any model.
    """

    matches: int
    inliers: int
    evidence: float
    planar: bool
    center_in_query: tuple[float, float] | None
    matched: Matched | None = field(default=None, compare=False, repr=False)


NOTHING = Verification(0, 0, 0.0, False, None)


def chance_evidence(matches: int, inliers: int, sample: int, alpha: float) -> float:
    """-log10 NFA of `inliers` among `matches` (see the module's formula), never below zero."""
    if inliers <= sample:
        return 0.0
    log_nfa = (
        math.log10(matches - sample)
        + _log10_binomial(matches, inliers)
        + _log10_binomial(inliers, sample)
        + (inliers - sample) * math.log10(min(1.0, alpha))
    )
    return max(0.0, -log_nfa)


def _log10_binomial(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10.0)


class Query:
    """The first `max_query` keypoints of a photo (the largest scales), prepared once for all candidates."""

    def __init__(self, features: LocalFeatures, matcher: Matcher, max_query: int) -> None:
        self.features, self.matcher = features, matcher
        self.prepared = matcher.prepare(features.first(max_query))


def verify_pair(query: Query, reference: LocalFeatures, options: VerifyOptions) -> Verification:
    """Compares the query with all keypoints of the reference."""
    pairs = query.matcher.match(query.prepared, query.matcher.prepare(reference))
    if len(pairs) < 5:
        return Verification(len(pairs), 0, 0.0, False, None)
    in_query = query.features.keypoints[pairs[:, 0], :2].astype(np.float64)
    in_reference = reference.keypoints[pairs[:, 1], :2].astype(np.float64)
    width, height = query.features.width, query.features.height
    area = float(width * height)
    plane = estimate_homography(in_reference, in_query, max_error_px=options.homography_px)
    epipolar = estimate_fundamental(in_reference, in_query, max_error_px=options.fundamental_px)
    in_plane, on_lines = _distinct(in_query, plane), _distinct(in_query, epipolar)
    plane_inliers, epipolar_inliers = int(in_plane.sum()), int(on_lines.sum())
    disc = math.pi * options.homography_px**2 / area
    strip = 2.0 * options.fundamental_px * math.hypot(width, height) / area
    plane_evidence = chance_evidence(len(pairs), plane_inliers, 4, disc)
    epipolar_evidence = chance_evidence(len(pairs), epipolar_inliers, 7, strip)
    planar = plane_evidence > 0 and plane_inliers >= 0.7 * epipolar_inliers
    center = None
    if planar and plane is not None:
        center = _center_in_query(plane.matrix, reference, query.features)
    by_plane = plane_evidence >= epipolar_evidence
    sizes = (width, height), (reference.width, reference.height)
    matched = Matched(in_query, in_reference, in_plane if by_plane else on_lines, *sizes)
    if by_plane:
        return Verification(len(pairs), plane_inliers, plane_evidence, planar, center, matched)
    return Verification(len(pairs), epipolar_inliers, epipolar_evidence, planar, center, matched)


def _distinct(points: NDArray[np.float64], model: RobustModel | None) -> NDArray[np.bool_]:
    """Inliers at distinct places: SIFT gives one place several orientations, which agree but are no new evidence."""
    distinct = np.zeros(len(points), bool)
    if model is not None:
        rows = np.flatnonzero(model.inliers)
        distinct[rows[np.unique(np.round(points[rows]), axis=0, return_index=True)[1]]] = True
    return distinct


def _center_in_query(
    query_from_reference: NDArray[np.float64], reference: LocalFeatures, query: LocalFeatures
) -> tuple[float, float] | None:
    center = np.array([reference.width / 2.0, reference.height / 2.0, 1.0])
    x, y, scale = query_from_reference @ center
    corners = np.array([[0, 0, 1], [reference.width, 0, 1], [0, reference.height, 1]], np.float64)
    depths = corners @ query_from_reference[2]
    if scale == 0 or (depths * scale <= 0).any():
        return None  # the picture crosses the horizon of the plane: its centre has no place in the query
    offset = (float(x / scale) - query.width / 2.0, float(y / scale) - query.height / 2.0)
    # Beyond three pictures away the extrapolation is worth nothing.
    return offset if math.hypot(*offset) < 3.0 * max(query.width, query.height) else None


class Comparisons:
    """One photo's comparisons with others, each made once however often it is asked for."""

    def __init__(self, query: LocalFeatures, options: VerifyOptions, matcher: Matcher) -> None:
        self.once = Once()
        self._query, self._options, self._matcher = query, options, matcher
        self._prepared: dict[int, Query] = {}

    def verify(self, references: Sequence[tuple[Hashable, Load]]) -> list[Verification | None]:
        """Verifies candidates in the order given, by their keys, each loaded when its turn comes.

        None for those that were not needed, or could not be loaded.
        """
        options = self._options
        # What comparing pictures takes does not depend on the keypoints.
        at_first = options.full_query if self._matcher.needs_pictures else options.quick_query
        found: list[Verification | None] = [None] * len(references)
        verified = missed = 0
        for i, (key, load) in enumerate(references):
            if verified >= options.enough or (verified and missed >= options.patience):
                break
            found[i] = result = self._compared(key, load, at_first)
            if result is None:
                continue
            held = result.evidence >= options.min_evidence
            verified, missed = verified + held, 0 if held else missed + 1
        if verified or len(self._query) <= at_first or at_first == options.full_query:
            return found
        promising = sorted(range(len(references)), key=lambda i: -(found[i] or NOTHING).inliers)[: options.retry]
        for i in promising:
            result = self._compared(*references[i], options.full_query)
            if result is not None and result.evidence > (found[i] or NOTHING).evidence:
                found[i] = result
        return found

    def _compared(self, key: Hashable, load: Load, max_query: int) -> Verification | None:
        return self.once((key, max_query), lambda: self._compare(load, max_query))

    def _compare(self, load: Load, max_query: int) -> Verification | None:
        reference = load()
        if reference is None:
            return None
        if max_query not in self._prepared:
            self._prepared[max_query] = Query(self._query, self._matcher, max_query)
        return verify_pair(self._prepared[max_query], reference, self._options)
