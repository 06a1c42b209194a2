"""One photo -> one fix: describe, search inside the prior and a little outside, verify, re-rank, place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher, Search
from geoloc_cli.errors import PhotoError, TooFewFeatures, UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.belief import credible_radius_m, from_components, mass_within
from geoloc_cli.index.reader import Circle, Index
from geoloc_cli.pipeline.asking import NOTHING_HEARD, Asked, Heard, Region, placed_by, unlocated
from geoloc_cli.pipeline.describer import Describer
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.hiding import NOTHING_HIDDEN, Hiding
from geoloc_cli.pipeline.matching import References
from geoloc_cli.pipeline.searching import Bounds, Found, Searcher, Sight
from geoloc_cli.retrieval.position import Neighbour, Place, places
from geoloc_cli.retrieval.rerank import RERANKERS, best_first, final_score
from geoloc_cli.retrieval.verify import Verification, VerifyOptions
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix, Position

Reason = Literal["not_in_index", "too_few_matches", "prior_disagrees", "not_georeferenced"]

# Decimals of a degree: a millimetre.
_PLACES = 8
# A verified answer is never said with more than 99 % confidence: the reference's own position may be false.
_LEAST_DOUBT = 0.01
# Evidence at which the doubt of a verified answer has fallen to a tenth of what it is at the threshold.
_EVIDENCE_PER_TENTH = 12.0
_DOUBT_AT_THRESHOLD = 0.5
# An answer outside the prior needs this much evidence; photographs of one place reach several times as much.
_EVIDENCE_AGAINST_PRIOR = 30.0


@dataclass(frozen=True, slots=True)
class LocateOptions:
    """`near` bounds the search; `top_k` candidates are verified, of which `outside_share` come from elsewhere; `hide`
    is for answers that are to be scored.
    """

    near: tuple[Circle, ...] = ()
    top_k: int = 15
    outside_share: float = 0.2
    list_k: int = 5
    rerank: str = "linear"
    verify: VerifyOptions = field(default_factory=VerifyOptions)
    hide: Hiding = NOTHING_HIDDEN

    def check(self) -> None:
        self.verify.check()
        if self.rerank not in RERANKERS:
            raise UsageError(f"There is no rerank '{self.rerank}'; give one of {', '.join(RERANKERS)}.")
        if self.top_k < 1 or self.list_k < 0:
            raise UsageError("top_k is at least 1, and the number of listed candidates at least 0.")
        if not 0.0 <= self.outside_share < 1.0:
            raise UsageError(f"outside_share is {self.outside_share}; give a share from 0 to below 1.")


# An answer without a pose, the photo's features, and the paths of the photos that verified it, the best first.
Looked = tuple[Fix | Failure, LocalFeatures | None, tuple[str, ...]]


def asks_for_pose(fix: Fix) -> bool:
    """Whether a photo was found among the indexed ones, so that a map of these may hold it."""
    return fix.stage == "rerank" or fix.reason == "not_georeferenced"


class Stopwatch:
    """Milliseconds by stage; each reading starts the next, and a stage that comes again adds to its own."""

    def __init__(self, timing_ms: Mapping[str, float] | None = None) -> None:
        """timing_ms: of the stages before."""
        self.timing_ms: dict[str, float] = dict(timing_ms or {})
        self._last = time.perf_counter()

    def lap(self, stage: str, other_ms: float = 0.0) -> None:
        """other_ms: what the stage took outside of this watch."""
        now = time.perf_counter()
        spent = self.timing_ms.get(stage, 0.0) + 1000.0 * (now - self._last) + other_ms
        self.timing_ms[stage] = round(spent, 2)
        self._last = now


@dataclass(frozen=True, slots=True)
class Seen:
    """A photo that is described, and what its priors say, None where none was asked; timing_ms: of what that took.

    sha256: of its file.
    """

    path: str
    sha256: str
    sight: Sight
    asked: Asked | None
    timing_ms: Mapping[str, float]


class Locator:
    """Locates photos against one index; keeps the index open and the backends built."""

    def __init__(
        self,
        index: Index,
        describer: Describer,
        search: Search,
        matcher: Matcher,
        options: LocateOptions | None = None,
        ask_prior: Callable[[str, Heard], Asked] | None = None,
        pose: Callable[[Fix, LocalFeatures, Sequence[str]], Fix] | None = None,
        witness: Callable[[str, Found], None] | None = None,
    ) -> None:
        """ask_prior(path, heard) is called for each photo where the user named a prior; None looks at no metadata.

        pose(fix, features, verified paths) gives a located photo's fix its pose; witness(path, found) is shown what
        each photo was compared with.
        """
        self._index, self._describer, self._matcher = index, describer, matcher
        self._options = options or LocateOptions()
        self._options.check()
        self._retrieve, self.searcher = search, Searcher(self._options.top_k, self._options.rerank)
        self._ask_prior, self._pose, self._witness = ask_prior, pose, witness

    def close(self) -> None:
        """Closes the index."""
        self._index.close()

    def locate(
        self,
        path: str,
        near: Sequence[Circle] = (),
        look: NDArray[np.float32] | None = None,
        heard: Heard = NOTHING_HEARD,
    ) -> Fix | Failure:
        """The fix of one photo; whatever is wrong with the photo comes back as a Failure, never as an exception.

        near: where to search for this photo first, beside what the options say for all of them; look: of the photo,
        where it has been found; heard: what was said of it already.
        """
        return self.posed(self.look(path, near, look, heard))

    def posed(self, looked: Looked) -> Fix | Failure:
        """The answer with its pose, where poses are asked for."""
        answer, features, verified = looked
        if self._pose is None or isinstance(answer, Failure) or not asks_for_pose(answer) or features is None:
            return answer
        watch = Stopwatch()
        posed = self._pose(answer, features, verified)
        watch.lap("pose")
        return replace(posed, timing_ms=posed.timing_ms | watch.timing_ms)

    def look(
        self,
        path: str,
        near: Sequence[Circle] = (),
        look: NDArray[np.float32] | None = None,
        heard: Heard = NOTHING_HEARD,
    ) -> Looked:
        """The answer without a pose, and what a pose is made of."""
        seen = self.see(path, look, heard)
        return (seen, None, ()) if isinstance(seen, Failure) else self.answer(seen, near)

    def see(self, path: str, look: NDArray[np.float32] | None = None, heard: Heard = NOTHING_HEARD) -> Seen | Failure:
        """A photo decoded, asked about and described, before it is searched for."""
        watch = Stopwatch()
        try:
            decoded = self._describer.decode(path, look)
            sha256 = fingerprint(path)[0]
            watch.lap("decode")
            prior = self._ask_prior(path, heard) if self._ask_prior else None
            watch.lap("prior", heard.waited_ms)
            hidden = self._options.hide.rows(self._index, path)
            features = self._describer.describe(decoded, look)
            if self._matcher.needs_pictures:
                features = replace(features, picture=decoded.gray)
            watch.lap("describe")
        except PhotoError as error:
            return Failure(path, error.code, str(error))
        sight = Sight(self._index, self._retrieve, self._matcher, features, self._options.verify, hidden)
        return Seen(path, sha256, sight, prior, watch.timing_ms)

    def answer(self, seen: Seen, near: Sequence[Circle] = ()) -> Looked:
        """What `look` has for a photo that was seen; asked again, of the same sight, for other priors."""
        fix, verified = self._search(seen, self.bounds(seen.asked, near), Stopwatch(seen.timing_ms))
        if seen.sight.references.lost and fix.status == "unlocated":
            return self._not_compared(seen.path, seen.sight.references), None, ()
        return replace(fix, sha256=seen.sha256), seen.sight.features, verified

    def bounds(self, asked: Asked | None, near: Sequence[Circle] = ()) -> Bounds:
        """Where a photo of which the priors say this is searched for first."""
        regions = [Region(circle, 1.0) for circle in (*self._options.near, *near)] + (asked.regions() if asked else [])
        # What the priors admit that they might have got wrong is searched for elsewhere.
        admitted = asked.belief.spread if asked and asked.belief.components else 0.0
        return Bounds(tuple(regions), max(self._options.outside_share, admitted))

    def _not_compared(self, path: str, references: References) -> Failure:
        """Where nothing was found: it may be on one of the photos that could not be compared."""
        lost = list(references.lost.values())
        return Failure(
            path,
            lost[0].code,
            f"The matcher '{self._matcher.name}' compares pictures, and {len(lost)} of the likeliest indexed photos "
            f"cannot be read: {str(lost[0]).rstrip('.')}; or take the matcher mutual-nn.",
        )

    def _search(self, seen: Seen, bounds: Bounds, watch: Stopwatch) -> tuple[Fix, tuple[str, ...]]:
        path, prior, threshold = seen.path, seen.asked, self._options.verify.min_evidence
        try:
            found = self.searcher.search(seen.sight, bounds, threshold, watch.lap)
        except TooFewFeatures:
            return _unlocated(path, "too_few_matches", prior, (), watch), ()
        if self._witness:
            self._witness(path, found)
        if not found.photos:
            return _unlocated(path, "not_in_index", prior, (), watch), ()
        features = seen.sight.features
        fix = self._answer(path, max(features.width, features.height), found, self._candidates(found), prior, watch)
        fix = replace(fix, search=found.searched)
        evidence = {p.path: result.evidence for p, result in zip(found.photos, found.verified, strict=True) if result}
        held = [p for p, e in evidence.items() if e >= threshold]
        return fix, tuple(sorted(held, key=lambda p: -evidence[p]))

    def _candidates(self, seen: Found) -> tuple[Candidate, ...]:
        threshold = self._options.verify.min_evidence
        scores = [
            final_score(float(seen.first[i]), result.evidence if result else None, threshold)
            for i, result in enumerate(seen.verified)
        ]
        listed = []
        for i in best_first(scores)[: self._options.list_k]:
            result, position = seen.verified[i], seen.photos[i].position
            listed.append(
                Candidate(
                    photo=seen.photos[i].path,
                    lat=round(position.lat, _PLACES) if position else None,
                    lon=round(position.lon, _PLACES) if position else None,
                    similarity=round(float(seen.similarities[i]), 4),
                    prior_distance_km=None
                    if seen.away_m is None or position is None
                    else round(float(seen.away_m[i]) / 1000.0, 3),
                    score=round(scores[i], 4),
                    matches=result.matches if result else None,
                    inliers=result.inliers if result else None,
                )
            )
        return tuple(listed)

    def _answer(
        self,
        path: str,
        picture_px: int,
        seen: Found,
        candidates: tuple[Candidate, ...],
        prior: Asked | None,
        watch: Stopwatch,
    ) -> Fix:
        found, away_m = seen.verified, seen.away_m
        threshold = self._options.verify.min_evidence
        verified = [(seen.photos[i], r) for i, r in enumerate(found) if r is not None and r.evidence >= threshold]
        best = max((r.evidence for r in found if r is not None), default=0.0)
        if not verified:
            # Half the evidence that is asked for, or too plain a picture: more photos nearby may well locate it.
            reason: Reason = "too_few_matches" if best >= threshold / 2.0 else "not_in_index"
            return _unlocated(path, reason, prior, candidates, watch)
        if away_m is not None and best < _EVIDENCE_AGAINST_PRIOR:
            inside = [away_m[i] <= 0.0 for i, r in enumerate(found) if r is not None and r.evidence >= threshold]
            if not any(inside):
                return _unlocated(path, "prior_disagrees", prior, candidates, watch)
        placed = [_neighbour(photo.position, result) for photo, result in verified if photo.position]
        if not placed:
            return _unlocated(path, "not_georeferenced", prior, candidates, watch)
        answers = places(placed, picture_px)
        belief = _belief(answers, best - threshold)
        lat, lon = round(answers[0].lat, _PLACES), round(answers[0].lon, _PLACES)
        return Fix(
            photo=path,
            status="ok",
            stage="rerank",
            lat=lat,
            lon=lon,
            alt_m=None,
            radius_m=round(credible_radius_m(belief, lat, lon, 0.9), 2),
            confidence=round(float(mass_within(belief, lat, lon, 1000.0)), 4),
            belief=belief,
            candidates=candidates,
            priors=prior.guesses if prior else (),
            timing_ms=watch.timing_ms,
        )


def _neighbour(position: Position, result: Verification) -> Neighbour:
    center = result.center_in_query if result.planar else None
    return Neighbour(position.lat, position.lon, result.inliers, result.evidence, center, position.radius_m)


def _belief(answers: Sequence[Place], margin: float) -> Belief:
    """The places as components, and as spread the doubt left by `margin`, the evidence above the threshold."""
    doubt = max(_LEAST_DOUBT, _DOUBT_AT_THRESHOLD * 10.0 ** (-margin / _EVIDENCE_PER_TENTH))
    components = [
        Component(round(p.lat, _PLACES), round(p.lon, _PLACES), round(p.radius_m, 2), p.share * (1.0 - doubt))
        for p in answers
    ]
    return from_components(components, doubt)


def _unlocated(
    path: str, reason: Reason, prior: Asked | None, candidates: tuple[Candidate, ...], watch: Stopwatch
) -> Fix:
    """No answer by sight: nothing but the belief of the priors that the user asked for, else everywhere."""
    fix = replace(unlocated(path, reason, prior), candidates=candidates, timing_ms=watch.timing_ms)
    return fix if prior is None or reason == "prior_disagrees" else placed_by(fix, prior)
