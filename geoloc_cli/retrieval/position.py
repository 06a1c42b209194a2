"""The place of a query from the places of its verified neighbours.

Two estimates, both robust to neighbours whose own positions are wrong:

* *plane*: where one plane explains the matches (photographs from the air, of ground or of one façade), a neighbour's
  optical centre falls at a known pixel of the query. Place = a * conj(pixel) + b, one similarity for all neighbours
  (two unknowns of rotation and scale, two of translation; the conjugate turns y down into north up), fitted by
  iteratively re-weighted least squares with Cauchy weights. The query is where its
  own centre falls: b. Needs two neighbours.
* *surround*: elsewhere, the mean of the neighbours' places, weighted by inliers^1.5: who shares more, stands nearer.

The radius is 90 % of a two-dimensional Gaussian whose spread is that of the residuals, pooled with a prior, since few
neighbours say little of their own scatter. The prior's figures were set on photographs left out one by one of an aerial
and of a street set, so that nine in ten true places lay inside; the held-out queries of the same sets were not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import bearing_deg, destination, haversine_m
from geoloc_cli.geo.fisher import R90_PER_SIGMA

# Neighbours farther apart than this are different answers, not one: a reference with a false position, or twins.
_CLUSTER_M = 1000.0
_ROUNDS = 15

_SURROUND_PRIOR_M = 30.0
_SURROUND_PRIOR_COUNT = 1.0
_SURROUND_R90_PER_SPREAD = 1.15
# Tilt moves a picture's centre by a share of its footprint: 0.12 is 7 degrees at a focal length equal to the width.
_PLANE_PRIOR_SHARE = 0.12
_PLANE_PRIOR_COUNT = 4.0
# What a receiver that says nothing of its accuracy is taken for (90 %): neighbours less far apart stood at one spot.
_USUAL_RADIUS_M = 5.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A verified candidate: its place, its inliers and evidence, and the pixel of the query its centre falls on."""

    lat: float
    lon: float
    inliers: int
    evidence: float
    center_in_query: tuple[float, float] | None = None
    radius_m: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One possible place of the query; `share` of the evidence speaks for it, `neighbours` took part."""

    lat: float
    lon: float
    radius_m: float
    share: float
    method: Literal["plane", "surround"]
    neighbours: int


def places(neighbours: Sequence[Neighbour], picture_px: int) -> list[Place]:
    """The places that verified neighbours speak for, best first; picture_px is the query's longer side.

    Neighbours within 1 km of each other (single linkage) are one place, with a share by their summed evidence.
    """
    total = sum(n.evidence for n in neighbours)
    found = []
    for group in _clusters(neighbours):
        members = [neighbours[i] for i in group]
        share = sum(n.evidence for n in members) / total
        found.append(_place(members, picture_px, share))
    return sorted(found, key=lambda place: -place.share)


def _clusters(neighbours: Sequence[Neighbour]) -> list[list[int]]:
    lat = np.array([n.lat for n in neighbours])
    lon = np.array([n.lon for n in neighbours])
    near = haversine_m(lat[:, None], lon[:, None], lat[None, :], lon[None, :]) < _CLUSTER_M
    label = np.arange(len(neighbours))
    for _ in neighbours:
        label = np.where(near, label[None, :], len(label)).min(axis=1)
    return [list(np.flatnonzero(label == k)) for k in np.unique(label)]


def _place(members: Sequence[Neighbour], picture_px: int, share: float) -> Place:
    anchor = max(members, key=lambda n: n.evidence)
    lat = np.array([n.lat for n in members])
    lon = np.array([n.lon for n in members])
    # Azimuthal equidistant about the best neighbour: east + i north, metres; exact from the centre, and the cluster is
    # a few kilometres at most.
    distance = haversine_m(anchor.lat, anchor.lon, lat, lon)
    angle = np.radians(90.0 - bearing_deg(anchor.lat, anchor.lon, lat, lon))
    at = distance * np.cos(angle) + 1j * (distance * np.sin(angle))
    inliers = np.array([float(n.inliers) for n in members])
    seen = np.array([n.center_in_query is not None for n in members])
    pixels = np.array([complex(*(n.center_in_query or (0.0, 0.0))) for n in members])
    # The error that the neighbours' own positions admit falls with their number, as that of a mean.
    admitted = math.sqrt(float(np.mean([(n.radius_m or 0.0) ** 2 for n in members])) / len(members))
    # Pictures from one spot fit a plane as well, whose scale and place are then those of the receivers' noise.
    said = [_USUAL_RADIUS_M if n.radius_m is None else n.radius_m for n in members]
    apart = seen.sum() >= 0.6 * len(members) and float(at[seen].std()) > float(np.median(said))
    planar = _plane(at[seen], pixels[seen], inliers[seen], picture_px) if apart else None
    where, radius, method = (*planar, "plane") if planar is not None else (*_surround(at, inliers), "surround")
    radius = math.hypot(radius, admitted)
    # numpy's angle is anticlockwise from east, a bearing clockwise from north.
    place_lat, place_lon = destination(anchor.lat, anchor.lon, 90.0 - math.degrees(np.angle(where)), abs(where))
    return Place(
        float(place_lat), float(place_lon), radius, share, "plane" if method == "plane" else "surround", len(members)
    )


def _surround(at: NDArray[np.complex128], inliers: NDArray[np.float64]) -> tuple[complex, float]:
    """Weighted mean of the neighbours' places (metres, east + i north) and its 90 % radius."""
    base = inliers**1.5
    weight = base
    mean, away = 0j, np.zeros(len(at))
    for _ in range(_ROUNDS):
        mean = complex((weight * at).sum() / weight.sum())
        away = np.abs(at - mean)
        weight = base / (1.0 + (away / max(20.0, 2.0 * float(np.median(away)))) ** 2)
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    scatter = float((weight * away**2).sum() / weight.sum())
    prior = _SURROUND_PRIOR_COUNT
    variance = (effective * scatter + prior * _SURROUND_PRIOR_M**2) / (effective - 1.0 + prior)
    return mean, _SURROUND_R90_PER_SPREAD * math.sqrt(variance)


def _plane(
    at: NDArray[np.complex128], pixels: NDArray[np.complex128], inliers: NDArray[np.float64], picture_px: int
) -> tuple[complex, float] | None:
    """Place of the query's centre by one similarity over all neighbours, and its 90 % radius; None if undetermined."""
    if len(at) < 2:
        return None
    upright = np.conj(pixels)
    base = np.sqrt(inliers)
    weight = base * _consensus(at, upright)
    slope, where, away, lever = 0j, 0j, np.zeros(len(at)), 0.0
    for _ in range(_ROUNDS):
        total = weight.sum()
        pixel_mean = complex((weight * upright).sum() / total)
        place_mean = complex((weight * at).sum() / total)
        extent = float((weight * np.abs(upright - pixel_mean) ** 2).sum())
        if extent < 1e-6 * total:
            return None  # all neighbours stood at one spot: neither scale nor rotation can be told
        slope = complex((weight * np.conj(upright - pixel_mean) * (at - place_mean)).sum() / extent)
        where = place_mean - slope * pixel_mean
        away = np.abs(at - slope * upright - where)
        lever = 1.0 + float((weight**2).sum() / total**2) + abs(pixel_mean) ** 2 * float(weight.max()) / extent
        weight = base / (1.0 + (away / max(2.0 * float(np.median(away)), 0.03 * abs(slope) * picture_px, 0.5)) ** 2)
    footprint_m = abs(slope) * picture_px
    freedom = 2 * len(at) - 4
    trusted = float((weight / base * away**2).sum())
    prior = _PLANE_PRIOR_COUNT * (_PLANE_PRIOR_SHARE * footprint_m) ** 2
    sigma = math.sqrt((trusted + prior) / (freedom + _PLANE_PRIOR_COUNT) * lever)
    return where, R90_PER_SIGMA * sigma


def _consensus(at: NDArray[np.complex128], upright: NDArray[np.complex128]) -> NDArray[np.float64]:
    """First weights in 0..1: how well each neighbour agrees with the best pair of them (least median of residuals).

    Without it one false position among five draws the first fit to itself, and re-weighting starts from there.
    """
    if len(at) < 5:
        return np.ones(len(at))
    i, j = np.triu_indices(len(at), 1)
    apart = upright[j] - upright[i]
    usable = np.abs(apart) > 1.0
    i, j, apart = i[usable], j[usable], apart[usable]
    if len(i) == 0:
        return np.ones(len(at))
    slope = (at[j] - at[i]) / apart
    residual = np.abs(at[None, :] - at[i][:, None] - slope[:, None] * (upright[None, :] - upright[i][:, None]))
    best = residual[np.median(residual, axis=1).argmin()]
    weights: NDArray[np.float64] = 1.0 / (1.0 + (best / max(3.0 * float(np.median(best)), 0.5)) ** 2)
    return weights
