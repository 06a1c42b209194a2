"""What the picture says of a claim: pieces of evidence, each of a stage that ran and left its mark in the record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geoloc_cli.claims.region import Region
from geoloc_cli.claims.sightings import Sighting, doubt_of, pictures_of
from geoloc_cli.claims.verdict import Piece
from geoloc_cli.claims.weigh import Elsewhere, heavy_tailed, log10_ratio
from geoloc_cli.export.ground import length
from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.earth import Floats
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.pipeline.sightings import Compared
from geoloc_cli.types import Component, Fix

# `locate` keeps this share of a belief for a false position of a verified photo, which is reckoned here by how many
# agree; a larger one says that the matches are weak, or was learned on labelled photos, and stays.
_USUAL_SPREAD = 0.0101
# No prior is right in more than nine of ten cases, whatever it says of itself.
_PRIOR_DOUBT = 0.1
# 90 % of the photos of one scene were taken as near to each other: most within 100 m, those of a landmark from far.
_SAME_SCENE_M = 300.0
# A photo of a place that the index knows well is found in one of two cases at least; other seasons, nights and other
# directions make up the rest. It takes three photos of the place to say so.
_RECALL, _KNOWN_BY = 0.5, 3


@dataclass(frozen=True, slots=True)
class Searched:
    """An index that was searched: how many photos it holds, where those with a place were taken, (n, 2), and the
    SHA-256 of all their files.
    """

    photos: int
    places: Floats
    contents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a photo's picture: its fix, what it has in common with indexed photos, and which were searched.

    `searched` is None where no index was; `compared` holds what the sightings are made of, by path.
    """

    fix: Fix
    sightings: Sequence[Sighting] = ()
    searched: Searched | None = None
    compared: Mapping[str, Compared] = field(default_factory=dict)


def pieces_of(seen: Seen, region: Region, elsewhere: Elsewhere) -> list[Piece]:
    """The pieces of a photo's picture; none where nothing ran that could tell."""
    indexed = seen.searched.places if seen.searched else None
    doubt = doubt_of(seen.sightings)
    found = [
        _belief(seen, region, elsewhere, indexed, doubt),
        _matches(seen, region, elsewhere, indexed, doubt),
        _pose(seen, region, elsewhere, indexed, doubt),
        _silence(seen, region),
    ]
    return [piece for piece in found if piece is not None]


def _belief(seen: Seen, region: Region, elsewhere: Elsewhere, indexed: Floats | None, doubt: float) -> Piece | None:
    fix = seen.fix
    if not fix.belief.components:
        return None
    if fix.stage in ("rerank", "pose"):
        doubt = doubt if fix.belief.spread <= _USUAL_SPREAD else max(doubt, fix.belief.spread)
    else:
        doubt = max(fix.belief.spread, _PRIOR_DOUBT)
    inside = region.share_of(heavy_tailed(fix.belief))
    by = {"pose": "the pose", "rerank": "the verified photos"}.get(fix.stage or "", "the priors")
    said = f"The answer of {by}, with its error widened for what answers are off by, gives {_percent(inside)} to the"
    said += " claimed place"
    if fix.lat is not None and fix.lon is not None and fix.radius_m is not None:
        said += (
            f"; it lies at {fix.lat:.5f}, {fix.lon:.5f} ({length(fix.radius_m)}), {_where(region, fix.lat, fix.lon)}"
        )
    details = {"stage": fix.stage, "doubt": doubt, "components": len(fix.belief.components)}
    ratio = log10_ratio(fix.belief, region, doubt, elsewhere, indexed)
    return Piece("belief", "picture", ratio, f"{said}.", inside, details)


def _matches(seen: Seen, region: Region, elsewhere: Elsewhere, indexed: Floats | None, doubt: float) -> Piece | None:
    placed = [(one, one.place) for one in seen.sightings if one.place is not None]
    if not placed:
        return None
    belief = from_components(Component(*place, _SAME_SCENE_M, one.evidence) for one, place in placed)
    best = placed[0][0]
    away = [region.away_m(*place) for _, place in placed]
    many = "1 indexed photo shows" if len(placed) == 1 else f"{len(placed)} indexed photos show"
    said = f"{many} the same scene ({best.inliers} matches agree with the best of them); "
    if min(away) > 0.0:
        said += f"the nearest was taken {length(min(away))} outside of the claimed place"
    else:
        said += f"{sum(a <= 0.0 for a in away)} of them taken inside of the claimed place"
    pictures = len(pictures_of([one for one, _ in placed]))
    if pictures < len(placed):
        said += f"; copies of one picture are one witness, which leaves {pictures}"
    details = {"verified": len(placed), "pictures": pictures, "doubt": doubt, "nearest_m": round(min(away), 1)}
    ratio = log10_ratio(belief, region, doubt, elsewhere, indexed)
    return Piece("matches", "picture", ratio, f"{said}.", region.share_of(heavy_tailed(belief)), details)


def _pose(seen: Seen, region: Region, elsewhere: Elsewhere, indexed: Floats | None, doubt: float) -> Piece | None:
    fix = seen.fix
    if fix.stage != "pose" or fix.pose is None or fix.pose.position_std_m is None or fix.lat is None or fix.lon is None:
        return None
    std_m = max(fix.pose.position_std_m[:2])
    belief = from_components([Component(fix.lat, fix.lon, max(R90_PER_SIGMA * std_m, 0.01), 1.0)])
    share = region.share_of(heavy_tailed(belief))
    said = f"The pose in the map rests on {fix.pose.inliers} of its points and is sure to {length(std_m)} (one standard"
    said += f" deviation); the camera stood {_where(region, fix.lat, fix.lon)}"
    details = {"inliers": fix.pose.inliers, "std_m": round(std_m, 3), "doubt": doubt}
    return Piece("pose", "picture", log10_ratio(belief, region, doubt, elsewhere, indexed), f"{said}.", share, details)


def _silence(seen: Seen, region: Region) -> Piece | None:
    """Nothing was found although the index knows the claimed place."""
    if seen.searched is None or seen.sightings or seen.fix.stage in ("rerank", "pose"):
        return None
    known = known_inside(seen.searched, region)
    if known < _KNOWN_BY:
        return None
    said = f"The index holds {known} photos from inside of the claimed place, and none that was compared shows the same"
    said += " scene"
    details = {"known": known, "recall": _RECALL}
    return Piece("silence", "picture", math.log10(1.0 - _RECALL), f"{said}.", None, details)


def known_inside(searched: Searched, region: Region) -> int:
    """How many photos of the index were taken inside of a region."""
    return int(region.holds(*searched.places.T).sum()) if len(searched.places) else 0


def _where(region: Region, lat: float, lon: float) -> str:
    away = region.away_m(lat, lon)
    return "inside of the claimed place" if away <= 0.0 else f"{length(away)} outside of the claimed place"


def _percent(share: float) -> str:
    """Never more digits than a share deserves."""
    if share < 0.001:
        return "under 0.1 %"
    return f"{100.0 * share:.1f} %" if share < 0.999 else "over 99.9 %"
