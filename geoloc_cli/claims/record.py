"""A checked claim as JSON, schema `geoloc.check/1`, and as sentences: both say only what ran."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from geoloc_cli.claims.check import Checked, CheckOptions, Claim, Unchecked
from geoloc_cli.claims.file_says import moment_of
from geoloc_cli.claims.region import Area, Disc, disc
from geoloc_cli.claims.verdict import as_times, in_words, threshold_of
from geoloc_cli.export.ground import length
from geoloc_cli.records import to_record
from geoloc_cli.types import Failure

SCHEMA = "geoloc.check/1"
_WHY = {
    "nothing_in_the_picture": "Nothing that was looked at tells where the picture was taken; what the file says alone "
    "decides nothing.",
    "too_little_evidence": "The evidence does not reach the threshold.",
    "on_the_rim": "The answer is not sharp enough to say on which side of the claim's rim it lies.",
    "the_file_says_otherwise": "The picture alone would decide, and what the file says points the other way.",
}
_ELSEWHERE = {
    "scales": "anywhere else, each power of ten of the distance from there being as likely",
    "world": "anywhere else on the Earth, each square metre being as likely",
    "index": "where one of the index's other photos was taken, each being as likely",
}


def to_json(one: Checked | Unchecked, options: CheckOptions) -> dict[str, Any]:
    """One record, its keys always the same and in the same order."""
    done = one if isinstance(one, Checked) else None
    failure = one.failure if isinstance(one, Unchecked) else None
    verdict = done.verdict if done else None
    return {
        "schema": SCHEMA,
        "photo": done.photo if done else failure.photo if failure else None,
        "sha256": done.sha256 if done else None,
        "status": "ok" if done else "error",
        "error": {"code": failure.code, "message": failure.message} if failure else None,
        "claim": one.claim.as_json() if one.claim else None,
        "verdict": verdict.answer if verdict else None,
        "reason": verdict.reason if verdict else None,
        "likelihood_ratio": _digits(10.0**verdict.log10_lr) if verdict else None,
        "log10_lr": round(verdict.log10_lr, 4) if verdict else None,
        "picture_log10_lr": round(verdict.picture, 4) if verdict else None,
        "elsewhere": options.elsewhere,
        "threshold": threshold_of(options.strictness),
        "evidence": _evidence(done) if done else [],
        "remarks": list(done.remarks) if done else [],
        "ran": ran(done) if done else [],
        "statement": list(statement(done, options)) if done else [],
        "matches": [sighting.as_json() for sighting in done.seen.sightings] if done else [],
        "fix": to_record(done.seen.fix) if done else None,
    }


def claim_to_json(one: Checked | Unchecked) -> dict[str, Any]:
    """What was asked, so that it can be asked again: `asked_of_json`."""
    said = {"photo": one.photo if isinstance(one, Checked) else one.failure.photo}
    if one.claim is None:
        return {**said, "error": asdict(one.failure) if isinstance(one, Unchecked) else None}
    region = one.claim.region
    drawn = {}
    if isinstance(region, Area):
        drawn["polygons"] = [[ring.tolist() for ring in rings] for rings in region.polygons]
    return {**said, "sha256": one.sha256 if isinstance(one, Checked) else None, **one.claim.as_json(), **drawn}


def asked_of_json(said: Mapping[str, Any]) -> tuple[str, Claim] | Unchecked:
    """A claim as it was asked. Raises UsageError, KeyError, TypeError or ValueError where it is none."""
    if "error" in said:
        return Unchecked(Failure(**said["error"]))
    moment = moment_of(said["time"]) if said["time"] else None
    if "polygons" in said:
        rings = tuple(tuple(np.array(ring, dtype=np.float64) for ring in rings) for rings in said["polygons"])
        return str(said["photo"]), Claim(Area(rings, str(said["region"])), moment)
    return str(said["photo"]), Claim(disc(float(said["lat"]), float(said["lon"]), float(said["radius_m"])), moment)


def _evidence(done: Checked) -> list[dict[str, Any]]:
    return [
        {
            "name": piece.name,
            "family": piece.family,
            "log10_lr": round(piece.log10_lr, 4),
            "counted": round(counted, 4),
            "inside": None if piece.inside is None else _digits(piece.inside),
            "said": piece.said,
            "details": dict(piece.details),
        }
        for piece, counted in zip(done.pieces, done.verdict.counted, strict=True)
    ]


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def ran(done: Checked) -> list[str]:
    """The stages that left their mark in the record, and whether the file was heard."""
    fix, searched, found = done.seen.fix, done.seen.searched, []
    if fix.priors:
        found.append(f"priors were asked ({', '.join(prior.name for prior in fix.priors)})")
    if searched is not None and "search" in fix.timing_ms:
        found.append(f"an index of {searched.photos} photos was searched")
    compared = sum(candidate.matches is not None for candidate in fix.candidates)
    if compared:
        found.append(f"{compared} candidate{'s' if compared > 1 else ''} compared")
    if "pose" in fix.timing_ms:
        found.append("a pose sought")
    if any(piece.family == "file" for piece in done.pieces):
        found.append("the file's own words were read")
    return found


def statement(done: Checked, options: CheckOptions) -> Iterator[str]:
    """What there is to say, a sentence or two each: the claim, the verdict, the evidence, and what is to be known."""
    verdict = done.verdict
    yield f"Claim: {claim_in_words(done.claim)}."
    alone = "" if verdict.picture == verdict.log10_lr else f", of the picture alone {verdict.picture:+.2f}"
    edge = math.log10(threshold_of(options.strictness))
    likely = f"{as_times(abs(verdict.log10_lr))} times {'as' if verdict.log10_lr >= 0.0 else 'less'} likely"
    yield (
        f"{verdict.answer.capitalize()}: what was found is {likely} if the claim is true "
        f"{'as' if verdict.log10_lr >= 0.0 else 'than'} if the photo was taken {_ELSEWHERE[options.elsewhere]} "
        f"(log10 of the likelihood ratio {verdict.log10_lr:+.2f}{alone}; from {edge:g} on, "
        f"either way, a claim is decided). This {in_words(verdict.log10_lr)}."
    )
    if verdict.reason is not None:
        yield _WHY[verdict.reason]
    yield from done.remarks
    for piece, counted in zip(done.pieces, verdict.counted, strict=True):
        weight = f"log10 {piece.log10_lr:+.2f}"
        weight += "" if counted == piece.log10_lr else f", of which {counted:+.2f} counts"
        yield f"{piece.said} [{weight}]"
    if done.claim.moment is not None:
        yield "The verdict is of the place: of the time nothing tells but the file, and the claim itself."
    several = sum(piece.family == "picture" for piece in done.pieces) > 1
    if several:
        yield "Pieces that come from the same picture are not independent: of each side only the strongest counts."
    if any(piece.family == "file" for piece in done.pieces):
        yield "What a file says is easily forged: it can withhold a verdict, and never makes one."


def claim_in_words(claim: Claim) -> str:
    """As in: taken within 200 m of 48.85840, 2.29450 on 2024-06-01T14:00+02:00."""
    region = claim.region
    where = f"in the region of {claim.region.as_json().get('region')}"
    if isinstance(region, Disc):
        where = f"within {length(region.radius_m)} of {region.lat:.5f}, {region.lon:.5f}"
    when = f" on {claim.moment.isoformat(timespec='minutes')}" if claim.moment else ""
    return f"taken {where}{when}"
