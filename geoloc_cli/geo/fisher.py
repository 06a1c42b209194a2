"""One von Mises-Fisher distribution on the sphere: density, quantiles, masses, moments.

f(x) = C(kappa) exp(-kappa h), with h = 1 - cos t = 2 sin^2(t / 2) of the angle t from its centre, per steradian, and
C(kappa) = kappa / (2 pi (1 - exp(-2 kappa))) (Fisher 1953). The share within the angle t is
(1 - exp(-kappa h)) / (1 - exp(-2 kappa)). kappa runs from 0 (evenly over the sphere) to 1e20 (a millimetre); all is
written in h and in chords, never in cosines, which cannot tell angles below 1e-8 apart.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.geo.earth import EARTH_RADIUS_M, Floats

RADIUS_SHARE = 0.9  # what a component's radius_m holds of it (types.Component)
# On a plane: the radius that holds as much of a circular Gaussian, over the standard deviation of an axis.
R90_PER_SIGMA = math.sqrt(-2.0 * math.log(1.0 - RADIUS_SHARE))

_SMALL = 0.1  # below it 1 / kappa and coth kappa cancel, and their series is good to 1e-13
_SHARP = 40.0  # above it exp(-2 kappa) is below the last bit of one
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(48)


def kappa_from_radius(radius_m: ArrayLike) -> Floats:
    """The kappa whose circle of `radius_m` holds 90 %; zero from 15 915 km on, which hold 90 % of the whole sphere.

    The root of kappa h + log(1 - 0.9 (1 - exp(-2 kappa))), which is convex in kappa and positive at log(10) / h: from
    there Newton's steps fall to it without overshooting.
    """
    angle = np.divide(radius_m, EARTH_RADIUS_M)
    if np.any(~(angle > 0.0)):
        raise ValueError("a radius that holds 90 % is a positive length")
    h = rise_of_angle(np.minimum(angle, np.pi))
    kappa = -np.log1p(-RADIUS_SHARE) / h
    for _ in range(60):  # quadratic, but halving only where the root nears zero: 53 halvings are all there can be
        off = np.exp(-2.0 * kappa)
        value = kappa * h + np.log1p(RADIUS_SHARE * np.expm1(-2.0 * kappa))
        slope = h - 2.0 * RADIUS_SHARE * off / (1.0 - RADIUS_SHARE + RADIUS_SHARE * off)
        step = np.where(slope > 0.0, value / np.where(slope > 0.0, slope, 1.0), kappa)
        kappa = np.maximum(kappa - np.maximum(step, 0.0), 0.0)
        if np.all(step <= 1e-15 * kappa):
            break
    flat: Floats = np.where(h >= 2.0 * RADIUS_SHARE, 0.0, kappa)[()]
    return flat


def radius_from_kappa(kappa: ArrayLike) -> Floats:
    """The radius in metres of the circle that holds 90 % of a component; the inverse of `kappa_from_radius`."""
    return angle_holding(RADIUS_SHARE, kappa) * EARTH_RADIUS_M


def rise_of_angle(angle: ArrayLike) -> Floats:
    """h = 1 - cos(angle), without loss for small angles."""
    rise: Floats = 2.0 * np.sin(np.divide(angle, 2.0)) ** 2
    return rise


def angle_holding(share: ArrayLike, kappa: ArrayLike) -> Floats:
    """The angle in radians from the centre within which the share lies (the quantile; broadcasts)."""
    kappa = np.asarray(kappa, dtype=np.float64)
    held = np.asarray(share, dtype=np.float64)
    safe = np.where(kappa > 0.0, kappa, 1.0)
    left = held * np.expm1(-2.0 * kappa)  # from 0 to -1; exactly -1 would be the antipode
    rise = np.where(kappa > 1e-12, -np.log1p(np.maximum(left, np.nextafter(-1.0, 0.0))) / safe, 2.0 * held)
    angle: Floats = 2.0 * np.arcsin(np.sqrt(np.clip(rise / 2.0, 0.0, 1.0)))
    return angle


def share_within(angle: ArrayLike, kappa: ArrayLike) -> Floats:
    """The share within an angle in radians from the centre (broadcasts)."""
    kappa = np.asarray(kappa, dtype=np.float64)
    rise = rise_of_angle(angle)
    safe = np.where(kappa > 1e-12, kappa, 1.0)
    share: Floats = np.where(kappa > 1e-12, np.expm1(-safe * rise) / np.expm1(-2.0 * safe), rise / 2.0)
    return share


def log_peak(kappa: ArrayLike) -> Floats:
    """log C(kappa): the natural logarithm of the density at the centre, per steradian."""
    kappa = np.asarray(kappa, dtype=np.float64)
    safe = np.where(kappa > 1e-8, kappa, 1.0)
    log_ratio = np.where(kappa > 1e-8, np.log(safe) - np.log(-np.expm1(-2.0 * safe)), kappa - np.log(2.0))
    peak: Floats = log_ratio - np.log(2.0 * np.pi)
    return peak


def share_in_circle(away: Floats, radius: Floats, kappa: Floats) -> Floats:
    """The share inside the circle of angle `radius` about a place at the angle `away` from the centre (broadcasts).

    Rings about the centre lie in the circle wholly, not at all, or with the share phi / pi of the spherical triangle
    (away, ring, radius). The first are exact; the last are summed by Gauss-Legendre over the ring's share q, with
    q = q1 + (q2 - q1) sin^2(u), which takes the square roots out of both ends: the error stays below 1e-5.
    """
    away, radius, kappa = np.broadcast_arrays(away, radius, kappa)
    inner, outer = np.abs(radius - away), np.minimum(radius + away, 2.0 * np.pi - radius - away)
    q1, q2 = share_within(inner, kappa), share_within(outer, kappa)
    whole = np.where(radius > away, q1, 0.0) + np.where(radius + away > np.pi, 1.0 - q2, 0.0)
    cut = np.flatnonzero((q2 - q1 > 1e-12).ravel())
    share = np.array(whole, dtype=np.float64)
    if cut.size:
        a, r, k = (x.ravel()[cut, None] for x in (away, radius, kappa))
        low, width = q1.ravel()[cut, None], (q2 - q1).ravel()[cut, None]
        u = (np.pi / 4.0) * (_NODES + 1.0)
        ring = angle_holding(low + width * np.sin(u) ** 2, k)
        near = np.maximum(np.sin((ring + (r - a)) / 2.0) * np.sin(((a + r) - ring) / 2.0), 0.0)
        far = np.maximum(np.sin((a + r + ring) / 2.0) * np.sin((ring - (r - a)) / 2.0), 0.0)
        inside = (2.0 / np.pi) * np.arctan2(np.sqrt(near), np.sqrt(far))
        part = (np.pi / 4.0) * (inside * np.sin(2.0 * u)) @ _NODE_WEIGHTS
        share.reshape(-1)[cut] += part * width[:, 0]
    return np.clip(share, 0.0, 1.0)


def dispersion(kappa: ArrayLike) -> Floats:
    """1 - A(kappa), where A = coth kappa - 1 / kappa is the length of the mean vector (1 where even).

    1 / kappa - 2 / (exp(2 kappa) - 1), and for small kappa the series of A = kappa / 3 - kappa^3 / 45 + ...
    """
    kappa = np.asarray(kappa, dtype=np.float64)
    large = np.where(kappa > _SMALL, kappa, 1.0)
    exact = 1.0 / large + 2.0 * np.exp(-2.0 * large) / np.expm1(-2.0 * large)
    square = np.minimum(kappa, _SMALL) ** 2
    series = 1.0 - kappa / 3.0 * (1.0 - square / 15.0 * (1.0 - square * (2.0 / 21.0) * (1.0 - square * 0.1)))
    spread: Floats = np.where(kappa > _SMALL, exact, series)
    return spread


def kappa_from_dispersion(spread: ArrayLike) -> Floats:
    """The kappa of a dispersion from 0 to 1; the inverse of `dispersion` (1 / spread where sharp).

    Elsewhere Newton's steps from the guess of Banerjee et al. (2005), 0 to 5 % too high: A is concave, so that a step
    from above the root falls below it, and those from below rise to it; four are good to the last digits.
    """
    spread = np.asarray(spread, dtype=np.float64)
    kappa = np.asarray(1.0 / np.maximum(spread, 1e-300))
    wide = kappa < _SHARP
    if wide.any():
        target = spread[wide]
        length = 1.0 - target
        root = length * (3.0 - length**2) / (1.0 - length**2)
        for _ in range(4):
            root = np.maximum(root + (dispersion(root) - target) / _slope(root), 0.0)
        kappa[wide] = root
    return kappa


def _slope(kappa: Floats) -> Floats:
    """dA / d kappa = 1 / kappa^2 - 1 / sinh^2 kappa, for kappa up to some hundreds; for small ones its series."""
    large = np.maximum(kappa, _SMALL)
    square = np.minimum(kappa, _SMALL) ** 2
    slope: Floats = np.where(
        kappa > _SMALL, 1.0 / large**2 - 1.0 / np.sinh(large) ** 2, 1.0 / 3.0 - square / 15.0 * (1.0 - square / 6.3)
    )
    return slope


def entropy(kappa: ArrayLike) -> Floats:
    """The differential entropy in nats of a component: -log C + kappa (1 - A)."""
    value: Floats = np.asarray(kappa) * dispersion(kappa) - log_peak(kappa)
    return value
