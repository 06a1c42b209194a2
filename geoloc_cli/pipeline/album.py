"""One person's day as one trajectory: what each photograph's answer becomes by those of the same camera beside it.

    answers -> ways of the cameras (`timeline.py`) -> hidden Markov model (`geo/chain.py`) -> smoothed beliefs

Unlike `sequence.py`, which follows a camera that is always on, moves evenly and is searched for again near its track,
an album knows hours of nothing between two photographs, several ways to travel, and every place that a belief names; it
needs the answers alone, and no picture again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from geoloc_cli.geo.belief import credible_radius_m, from_components, mass_within, mode
from geoloc_cli.geo.chain import Chain, Evidence, Ints
from geoloc_cli.geo.earth import haversine_m, places_of_units, unit_vectors
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.geo.smoothed import Smoothed, smoothed
from geoloc_cli.geo.travel import DEFAULT_GAP_S, area_of_answers, by_steps, travel
from geoloc_cli.photos.moments import Moment
from geoloc_cli.pipeline.sequence import OFF_THE_TRACK
from geoloc_cli.pipeline.timeline import Way, ways
from geoloc_cli.types import Belief, Component, Failure, Fix, InAlbum, PriorGuess

Answer = Fix | Failure

NAME = "album"
# What these say is the user's word, the clock's or the altimeter's, and the same of many photographs.
_NOT_OF_THE_PICTURE = ("near", "clock", "terrain")
# Of one belief; lighter ones count as doubt.
_COMPONENTS = 64
# No answer is so sure that a hundred neighbours could not outweigh it.
_LEAST_OWN_DOUBT = 1e-4
# As for every verified answer; one that rests on its neighbours alone may be wrong where either of two is.
_LEAST_DOUBT = 0.01
_BRIDGE_DOUBT = 0.02
# What the neighbours say of a place is an answer where it tells one part of a city from another.
_WIDEST_BRIDGE_M = 25_000.0
# An answer that its neighbours change by less than this is left as its own photograph says.
_SHARPER = 0.8
_CHANGED = 0.05
_SAME_PLACE_M = 1.0


@dataclass(frozen=True, slots=True)
class AlbumOptions:
    """speed: one of `geo.travel.MODES`; max_gap_s: seconds without a photograph after which nothing is known."""

    speed: str = "auto"
    max_gap_s: float = DEFAULT_GAP_S

    def check(self) -> None:
        """Raises UsageError."""
        travel(self.speed)


@dataclass(slots=True)
class Told:
    """What an album says at its end: how many ways and photographs changed, and what is odd, a sentence each."""

    ways: int = 0
    sharper: int = 0
    placed: int = 0
    refused: int = 0
    odd: list[str] = field(default_factory=list)


def smooth_album(
    answers: Sequence[Answer],
    moments: Mapping[str, Moment],
    options: AlbumOptions,
    step: Callable[[], None] = lambda: None,
) -> tuple[list[Answer], Told]:
    """The answers as their albums make them, in their order, and what is to be told; failures stay as they are.

    moments: by photo, of all that have an answer. step() is called for each photo that is done.
    """
    told = Told()
    alone = {a.photo: a for a in answers if isinstance(a, Fix) and _takes_part(a)}
    fixes, copies = _told_once(alone)
    if copies:
        told.odd.append(f"{len(copies)} photographs are copies of others, such as '{_name(next(iter(copies)))}'")
    final: dict[str, Fix] = {}
    area = _area(list(fixes.values()))
    for number, way in enumerate(ways({path: moments[path] for path in fixes}, options.max_gap_s), 1):
        told.ways += 1
        here = _OneWay(number, way, [fixes[path] for path in way.paths], options, area)
        for fix in here.answers(told):
            unmoved = fix.belief is fixes[fix.photo].belief
            final[fix.photo] = replace(alone[fix.photo], album=fix.album) if unmoved else fix
            step()
        told.odd += [odd for odd in here.odd() if odd not in told.odd]
    for path, first in copies.items():
        final[path] = replace(final[first], photo=path, sha256=alone[path].sha256, timing_ms=alone[path].timing_ms)
        step()
    return [final.get(a.photo, a) if isinstance(a, Fix) else a for a in answers], told


def _away_m(fix: Fix, lat: float, lon: float) -> float:
    """How far a place is from a fix's own; without end where it has none."""
    return math.inf if fix.lat is None or fix.lon is None else float(haversine_m(fix.lat, fix.lon, lat, lon))


def _takes_part(fix: Fix) -> bool:
    """Not a pose in a map that is nowhere on the Earth, nor what was coarsened once, and must not be refined again."""
    return fix.disclosed is None and (fix.status != "ok" or fix.lat is not None)


def _told_once(alone: Mapping[str, Fix]) -> tuple[dict[str, Fix], dict[str, str]]:
    """The answers as evidence, which is heard once: and copies of a photograph, by what they are copies of.

    Copies of one photograph have its belief and its candidates to the last digit, and are no further witnesses. What
    several say alike of whom nothing was recognised is no word of theirs, but of a prior, as of a place that was given:
    heard from each, thirty photographs would be surer of it than whoever gave it. These only borrow, and so do those in
    whose belief such a word stands beside what the picture says, and cannot be told from it any more.
    """
    fixes: dict[str, Fix] = {}
    copies: dict[str, str] = {}
    first: dict[tuple[Any, ...], str] = {}
    unseen = [fix for fix in alone.values() if fix.stage in (None, "prior")]
    words = Counter(fix.belief.components for fix in unseen)
    stated = Counter(word for fix in unseen for word in _stated(fix))
    for path, fix in alone.items():
        said = fix.belief.components
        if fix.candidates and fix.stage not in (None, "prior"):
            known = first.setdefault((said, fix.candidates), path)
            if known != path:
                copies[path] = known
                continue
        repeated = words[said] > 1 or any(stated[word] > 1 for word in _stated(fix))
        given = fix.stage in (None, "prior") and said and repeated
        fixes[path] = replace(fix, status="unlocated", belief=Belief(), lat=None, lon=None) if given else fix
    return fixes, copies


def _stated(fix: Fix) -> set[tuple[Any, ...]]:
    """What was said in an answer's making that is no word of the picture."""
    return {
        (g.name, g.lat, g.lon, g.radius_m) for g in fix.priors if g.lat is not None and g.name in _NOT_OF_THE_PICTURE
    }


def _name(path: str) -> str:
    return Path(path).name


def _said(fix: Fix) -> list[Component]:
    """The places that a fix names, the weightiest first."""
    if not fix.belief.components and fix.lat is not None and fix.lon is not None and fix.radius_m is not None:
        return [Component(fix.lat, fix.lon, fix.radius_m, fix.confidence)]
    return sorted((c for c in fix.belief.components if c.weight > 0.0), key=lambda c: -c.weight)[:_COMPONENTS]


def _table(parts: Sequence[Component]) -> tuple[Any, Any, Any]:
    """Units (m, 3), variances (m,) and weights (m,)."""
    rows = np.array([(c.lat, c.lon, c.radius_m, c.weight) for c in parts], np.float64).reshape(-1, 4)
    return unit_vectors(rows[:, 0], rows[:, 1]), (rows[:, 2] / R90_PER_SIGMA) ** 2, rows[:, 3]


def _area(fixes: Sequence[Fix]) -> float | None:
    said = [c for fix in fixes for c in _said(fix)]
    return area_of_answers(*_table(said)) if said else None


def _evidence(fixes: Sequence[Fix], time_s: Any) -> Evidence:
    said = [_said(fix) for fix in fixes]
    unit, variance, weight = _table([c for parts in said for c in parts])
    doubt = np.array([1.0 - sum(c.weight for c in parts) for parts in said])
    first = np.cumsum([0, *map(len, said)])
    return Evidence(first, unit, variance, np.log(weight), np.log(np.maximum(doubt, _LEAST_OWN_DOUBT)), time_s)


class _OneWay:
    """The photographs of one way and the model over them."""

    def __init__(self, number: int, way: Way, fixes: Sequence[Fix], options: AlbumOptions, area: float | None) -> None:
        self._number, self._way, self._fixes = number, way, fixes
        self._timed = bool(way.stated.any())
        known = travel(options.speed, area, options.max_gap_s)
        motion = known if self._timed else by_steps(area, options.max_gap_s)
        self._chain = Chain(_evidence(fixes, way.time_s), motion).learned()

    def answers(self, told: Told) -> list[Fix]:
        found = []
        for i, shares in enumerate(self._chain.shares()):
            found.append(self._answer(i, smoothed(self._chain, i, shares), told))
        return found

    def odd(self) -> list[str]:
        """What clocks and places do that nobody can, a sentence each."""
        path = self._chain.best_path()
        notes = [f"{self._way.camera or 'a camera'}: {self._way.note}; times are doubted"] if self._way.note else []
        chosen = path[path >= 0]
        return notes + self._jumps(chosen) if len(chosen) > 1 else notes

    def _jumps(self, chosen: Ints) -> list[str]:
        rise, variance, dt = self._chain.between(chosen[:-1], chosen[1:])
        parts = self._chain.travel.log_parts(rise, variance, dt)
        lat, lon = places_of_units(self._chain.evidence.unit[chosen])
        away = haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
        jumps = []
        for j in np.flatnonzero(parts.argmax(axis=-1) == parts.shape[-1] - 1):
            # Where the gap itself says nothing, a far place is no surprise.
            if self._chain.travel.unlinked(dt[j]) < _CHANGED:
                names = [_name(self._way.paths[self._chain.photo_of(int(k))]) for k in chosen[j : j + 2]]
                gap = f"{dt[j]:.0f} s" if self._timed else "one step"
                jumps.append(
                    f"'{names[0]}' to '{names[1]}': {away[j] / 1000.0:.3g} km in {gap}; "
                    "is the place of one or the clock wrong?"
                )
        return jumps

    def _answer(self, i: int, made: Smoothed, told: Told) -> Fix:
        fix, own = self._fixes[i], float(made.own[:-1].sum())
        noted = self._noted(i, own, made, fix.radius_m)
        kept = replace(fix, album=replace(noted, radius_after_m=fix.radius_m))
        belief = _belief(made, _LEAST_DOUBT if own >= 0.5 else _BRIDGE_DOUBT)
        if not made.sources or not belief.components:
            return kept
        lat, lon = (round(x, 8) for x in mode(belief))
        radius = round(credible_radius_m(belief, lat, lon), 2)
        refused = fix.status == "ok" and own < 0.5
        was = np.exp(self._chain.evidence.log_weight[slice(*self._chain.evidence.first[i : i + 2])])
        changed = float(np.abs(made.own[:-1] - was).max(initial=0.0)) > _CHANGED
        sharper = fix.radius_m is None or radius <= _SHARPER * fix.radius_m
        # A pose is never moved; where another of its places is the right one it goes.
        held = fix.pose is not None and _away_m(fix, lat, lon) <= max(radius, _SAME_PLACE_M)
        if not refused and (held or not (changed or sharper)):
            return kept
        if radius > max(_WIDEST_BRIDGE_M, fix.radius_m or 0.0):
            told.refused += refused
            return _lost(fix, belief, noted) if refused else kept
        told.refused += refused
        told.placed += fix.status != "ok"
        told.sharper += fix.status == "ok" and not refused
        if refused:
            away = f"{_away_m(fix, lat, lon) / 1000.0:.3g} km from where its neighbours put it"
            told.odd.append(f"'{_name(fix.photo)}' is by its own answer {away}; that was refused")
        stage = "rerank" if fix.stage == "pose" else fix.stage
        return replace(
            fix,
            status="ok",
            stage=stage if own >= 0.5 and stage else "prior",
            reason=OFF_THE_TRACK if refused else fix.reason,
            lat=lat,
            lon=lon,
            alt_m=None if own < 0.5 or fix.pose else fix.alt_m,
            radius_m=radius,
            confidence=round(float(mass_within(belief, lat, lon, 1000.0)), 4),
            belief=belief,
            pose=None,
            priors=(*fix.priors, PriorGuess(NAME, lat, lon, radius, self._rationale(made, fix, lat, lon, refused))),
            album=replace(noted, radius_after_m=radius),
        )

    def _noted(self, i: int, own: float, made: Smoothed, radius_m: float | None) -> InAlbum:
        return InAlbum(
            chain=self._number,
            camera=self._way.camera,
            time="exif" if self._way.stated[i] else "order",
            own=round(own, 4),
            borrowed_from=tuple(self._way.paths[j] for j in made.sources),
            radius_before_m=radius_m,
            radius_after_m=None,
            travel=cast(Any, made.way if self._timed else None),
        )

    def _rationale(self, made: Smoothed, fix: Fix, lat: float, lon: float, refused: bool) -> str:
        names = " and ".join(f"'{_name(self._way.paths[j])}'" for j in made.sources)
        said = f"{'between' if len(made.sources) == 2 else 'beside'} {names}"
        if made.way and self._timed:
            said += f", {made.way}"
        if refused:
            said += f"; its own answer, {_away_m(fix, lat, lon) / 1000.0:.3g} km from here, was refused"
        return said


def _lost(fix: Fix, belief: Belief, noted: InAlbum) -> Fix:
    """A photo of which nobody can say where it was: its own answer fits nowhere, and nothing else says anything."""
    gone = replace(fix, status="unlocated", stage=None, reason=OFF_THE_TRACK, lat=None, lon=None, alt_m=None)
    return replace(gone, radius_m=None, confidence=0.0, belief=belief, pose=None, album=noted)


def _belief(made: Smoothed, least_doubt: float) -> Belief:
    lat, lon = places_of_units(made.unit)
    radius = R90_PER_SIGMA * np.sqrt(made.variance)
    doubt = max(made.spread, least_doubt)
    scale = (1.0 - doubt) / max(1e-12, float(made.weight.sum()))
    rows = zip(lat.tolist(), lon.tolist(), radius.tolist(), (made.weight * scale).tolist(), strict=True)
    return from_components([Component(round(a, 8), round(b, 8), round(r, 2), w) for a, b, r, w in rows], doubt)
