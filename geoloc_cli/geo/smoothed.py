"""Where a photograph of a chain was taken: its own components and its neighbours' places, each by its share.

A component that is chosen is joined with the places of its anchors, as far off as the ways of travel lead in the time
between: the product of three Gaussians. Where the photograph is elsewhere, or says less than its anchors do, its place
lies between these, or about the only one: a product for each way of travel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geoloc_cli.geo.chain import Chain, Shares
from geoloc_cli.geo.travel import Floats, name_of

# Neighbours are located by the same references, whose own errors they share: this share of a variance is not averaged.
_SHARED = 0.5
# Lighter parts are left to the even share: a thousand photographs would be needed to see them.
_LEAST_SHARE = 1e-3
_BRIDGES = 12


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The smoothed belief of one photograph: p Gaussians and an even share, and how it came about.

    unit (p, 3); variance (p,) m^2 on one axis; weight (p,); `spread` is what is left of one. own (K + 1,): the
    posterior of each of its own components, and of elsewhere. `sources`: the photographs, by number, that the
    weightiest path has beside this one and that are linked with it; `way` is the word for the travel between.
    """

    unit: Floats
    variance: Floats
    weight: Floats
    spread: float
    own: Floats
    sources: tuple[int, ...]
    way: str | None


def smoothed(chain: Chain, i: int, shares: Shares) -> Smoothed:
    """What the shares of photograph i make of its place."""
    joint, one = shares.joint, chain.evidence
    a, b = np.append(shares.before, -1), np.append(shares.after, -1)
    rows: list[tuple[Floats, float, float]] = []
    own = shares.own
    for k in np.flatnonzero(own[:-1] > _LEAST_SHARE):
        row, column = np.unravel_index(int(joint[:, k].argmax()), joint[:, k].shape)
        sides, mine, share = (int(a[row]), int(b[column])), int(one.first[i] + k), float(own[k])
        if any(chain.wide(np.array([side]), np.array([mine]))[0, 0] for side in sides if side >= 0):
            between = _bridge(chain, *sides, float(one.time[i]), share, mine)
            rows += between or [(one.unit[mine], float(one.variance[mine]), share)]
        else:
            rows.append((*_joined(chain, sides[0], mine, sides[1]), share))
    elsewhere = joint[:, -1]
    for cell in np.argsort(-elsewhere, axis=None)[:_BRIDGES]:
        row, column = np.unravel_index(int(cell), elsewhere.shape)
        if elsewhere[row, column] > _LEAST_SHARE:
            rows += _bridge(chain, int(a[row]), int(b[column]), float(one.time[i]), float(elsewhere[row, column]))
    best = [int(at) for at in np.unravel_index(int(joint.argmax()), joint.shape)]
    chosen = int(one.first[i] + best[1]) if best[1] < joint.shape[1] - 1 else -1
    sources, way = _links(chain, int(a[best[0]]), chosen, int(b[best[2]]))
    weight = np.array([part[2] for part in rows])
    unit = np.array([part[0] for part in rows]).reshape(-1, 3)
    spread = max(0.0, 1.0 - float(weight.sum()))
    return Smoothed(unit, np.array([part[1] for part in rows]), weight, spread, own, sources, way)


def _ways(chain: Chain, one: int, other: int) -> Floats:
    """The responsibility of each way of travel, and last of no link, for two components (M + 1,)."""
    return chain.travel.ways(*chain.between(np.array(one), np.array(other)))


def _joined(chain: Chain, before: int, k: int, after: int) -> tuple[Floats, float]:
    """The centre and the variance of component k with its anchors; -1 is none."""
    one = chain.evidence
    sides = [side for side in (before, after) if side >= 0]
    shared = _SHARED * float(one.variance[[k, *sides]].min())
    precision = 1.0 / (one.variance[k] - shared)
    toward = precision * one.unit[k]
    for side in sides:
        _, _, dt = chain.between(np.array(k), np.array(side))
        ways = _ways(chain, k, side)[:-1]
        certain = float(np.sum(ways / (one.variance[side] - shared + chain.travel.variance(dt))))
        precision += certain
        toward = toward + certain * one.unit[side]
    return toward / np.linalg.norm(toward), float(1.0 / precision + shared)


def _bridge(
    chain: Chain, before: int, after: int, time: float, share: float, own: int = -1
) -> list[tuple[Floats, float, float]]:
    """The places between two anchors, or about one, for each way of travel, with their shares of `share`.

    own: a component that says something of the place, too.
    """
    one, travel = chain.evidence, chain.travel
    sides = [side for side in (before, after) if side >= 0]
    if not sides:
        return []
    shared = _SHARED * float(one.variance[sides].min())
    apart = one.variance[sides] - shared
    gaps = np.array([abs(time - chain.time_of(side)) for side in sides])
    if len(sides) == 2:
        ways = _ways(chain, before, after)[:-1]
        weight = gaps[::-1] / gaps.sum() if gaps.any() else np.full(2, 0.5)
        variance = weight**2 @ apart + travel.bridged(*gaps)
    else:
        ways, weight = travel.share * (1.0 - float(travel.unlinked(gaps[0]))), np.ones(1)
        variance = apart + travel.variance(gaps[0])
    toward = weight @ one.unit[sides]
    toward /= np.linalg.norm(toward)
    known = 1.0 / float(one.variance[own]) if own >= 0 else 0.0
    found = []
    for m in np.flatnonzero(ways * share > _LEAST_SHARE):
        center, certain = toward, 1.0 / float(variance[m])
        if own >= 0:
            center = certain * toward + known * one.unit[own]
            center = center / np.linalg.norm(center)
        found.append((center, 1.0 / (certain + known) + shared, float(share * ways[m])))
    return found


def _links(chain: Chain, before: int, k: int, after: int) -> tuple[tuple[int, ...], str | None]:
    """The photographs of the anchors that are linked with the chosen component, or with each other; how."""
    sides = [side for side in (before, after) if side >= 0]
    if k < 0 and len(sides) == 1:
        return (chain.photo_of(sides[0]),), None
    pairs = [(side, k) for side in sides] if k >= 0 else [(before, after)] * (len(sides) // 2)
    told = [_ways(chain, *pair) for pair in pairs]
    linked = [ways[-1] < 0.5 for ways in told]
    if k < 0:
        sources = tuple(chain.photo_of(side) for side in sides) if any(linked) else ()
    else:
        sources = tuple(chain.photo_of(side) for side, holds in zip(sides, linked, strict=True) if holds)
    way = name_of(int(np.sum(told, axis=0).argmax())) if told else None
    return sources, way
