"""How far a photographer gets between two photographs: a mixture of ways to travel, each with its speed.

A way m of travel takes a place to a Gaussian about it whose variance on each axis grows as (v_m dt)^2: people keep
their direction, so that over twice the time they may be twice as far. The speeds are a geometric ladder and the fast
ones are rare, which gives the mixture the tail of a power law: no jump is ruled out by the choice of one speed. What is
asked of it is a likelihood ratio: how much likelier is it that two photographs were taken at these two places, than if
nothing linked them. Nothing links a gap of `max_gap_s` any more, nor a teleport, for which `strange` is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import EARTH_RADIUS_M

Floats = NDArray[np.float64]

# Standard deviations of a net speed on one axis, m/s: 1.4 of them is its root mean square. A walk of 1.4 m/s among
# corners nets 1, and with a look at every shop 0.3; a bicycle or a tram 4; a car in the country 15; a fast train or a
# small aircraft 60; a jet 170.
SPEEDS_M_S = {"stop": 0.02, "stroll": 0.3, "walk": 1.0, "ride": 4.0, "drive": 15.0, "rail": 60.0, "fly": 170.0}
# Shares of the gaps between two photographs of one day. Two thirds of them are a few steps or a walk; a jet is seldom
# taken, and fifty other photographs must be wrong before it is thought of in the midst of a walk.
_SHARES = {
    "auto": (0.2, 0.2, 0.3, 0.15, 0.11, 0.03, 0.01),
    "walk": (0.2, 0.25, 0.52, 0.03, 0.0, 0.0, 0.0),
    "drive": (0.15, 0.05, 0.1, 0.2, 0.5, 0.0, 0.0),
    "fly": (0.1, 0.1, 0.1, 0.1, 0.15, 0.1, 0.35),
    "unknown": (1 / 7,) * 7,
}
# Where there are no times: metres from one photograph to the next, from a turn on the spot to another country.
_STEPS_M = (3.0, 10.0, 30.0, 100.0, 300.0, 3000.0, 100_000.0)
_STEP_SHARES = (0.25, 0.25, 0.2, 0.15, 0.1, 0.04, 0.01)
# A gap of which nothing is known is that of sightseers, who stroll on for some minutes.
UNKNOWN_GAP_S = 300.0
MODES = tuple(_SHARES)
# A step to the side, the other side of a street, and the errors of two answers beyond what their radii say.
_SWAY_M = 3.0
# On a way whose ends are known the speed is no longer free: this share of its variance is left for walkers in streets.
# A drone over a field, whose ends lie side by side, bends by more; an album teaches its own, within these.
_BEND = 0.15
_BENDS = np.geomspace(0.02, 3.0, 32)
# Natural logarithm: a factor of three either way is usual.
_BEND_STD = 1.1
# A motion is never quite the one that was learned: so much wider, nine in ten bridged places lie inside.
_WIDER = 1.3
# What is less likely than this on a way (log density per m^2 over 2 pi) is no way at all, and says nothing of its bend.
_UNFIT = 25.0
# Clocks of cameras tell whole seconds.
_LEAST_S = 1.0
# One gap in ten thousand is a lie of the clock, or a way that no speed explains.
_STRANGE = 1e-4
DEFAULT_GAP_S = 6 * 3600.0
# What was learned from an album counts beside so many gaps of what is usual.
_USUAL_GAPS = 10.0
# Answers that are asked how far they are spread, and how far each reaches.
_AREA_SAMPLE = 512
_BLUR_M = 500.0


@dataclass(frozen=True, slots=True)
class Travel:
    """Speeds (M,) m/s on one axis and their shares (M,) of one; `area_m2` is where answers may fall by chance.

    The area stands for the Earth in the likelihood ratio: false answers fall where an index has photographs.
    """

    speed: Floats
    share: Floats
    area_m2: float = 4.0 * math.pi * EARTH_RADIUS_M**2
    max_gap_s: float = DEFAULT_GAP_S
    strange: float = _STRANGE
    bend: float = _BEND

    def variance(self, dt: ArrayLike) -> Floats:
        """Variance in m^2 on each axis after dt seconds, by each way of travel: the shape of dt and (M,)."""
        far = np.maximum(np.abs(np.asarray(dt, np.float64)), _LEAST_S)[..., None] * self.speed
        squared: Floats = far**2 + _SWAY_M**2
        return squared

    def bridged(self, before_s: float, after_s: float) -> Floats:
        """Variance (M,) about where an even motion leads, of one between two places before and after it: b v^2 t u."""
        product = max(before_s, _LEAST_S) * max(after_s, _LEAST_S)
        bridged: Floats = self.bend * self.speed**2 * product + _SWAY_M**2
        return bridged

    def usual_variance(self, dt: ArrayLike) -> Floats:
        """That of the way in the midst of all: half of the gaps are slower."""
        middle = int(np.searchsorted(np.cumsum(self.share), 0.5 * self.share.sum()))
        usual: Floats = self.variance(dt)[..., min(middle, len(self.speed) - 1)]
        return usual

    def unlinked(self, dt: ArrayLike) -> Floats:
        """The share of pairs dt apart that nothing links: of each gap the strange ones, and all beyond the longest."""
        old = np.clip(np.abs(np.asarray(dt, np.float64)) / self.max_gap_s, 0.0, 1.0) ** 2
        unlinked: Floats = self.strange + (1.0 - self.strange) * old
        return unlinked

    def log_parts(self, rise: Floats, variance: Floats, dt: Floats) -> Floats:
        """The logarithms of what each way of travel, and last no link at all, adds to the ratio: (..., M + 1).

        rise: 1 - cos of the angle between the places; variance: m^2, that of both places on one axis. The density is
        exp(-d^2 / (2 s^2)) / (2 pi s^2), over 1 / area; a way that may lead farther than the area is wide is not held
        against a place within it, so that the ratio goes to one for all places as speeds or gaps grow.
        """
        whole = variance[..., None] + self.variance(dt)
        peak = np.maximum(math.log(self.area_m2 / (2.0 * math.pi)) - np.log(whole), 0.0)
        unlinked = self.unlinked(dt)
        with np.errstate(divide="ignore"):
            linked = np.log(self.share) + np.log1p(-unlinked)[..., None]
            log = linked + peak - EARTH_RADIUS_M**2 * rise[..., None] / whole
            return np.concatenate([log, np.log(unlinked)[..., None]], axis=-1)

    def log_ratio(self, rise: Floats, variance: Floats, dt: Floats) -> Floats:
        """The logarithm of the ratio itself, of the shape to which the three broadcast.

        What nothing links keeps the sum of `log_parts` away from zero, so that it is made without logarithms.
        """
        unlinked = self.unlinked(dt)
        linked = 1.0 - unlinked
        far = np.maximum(np.abs(dt), _LEAST_S) ** 2
        square = EARTH_RADIUS_M**2 * rise
        peak_m2 = self.area_m2 / (2.0 * math.pi)
        ratio = np.zeros(np.broadcast_shapes(np.shape(rise), np.shape(variance), np.shape(dt)))
        for speed, share in zip(self.speed.tolist(), self.share.tolist(), strict=True):
            if share > 0.0:
                whole = variance + (speed**2 * far + _SWAY_M**2)
                ratio += share * np.maximum(peak_m2 / whole, 1.0) * np.exp(-square / whole)
        log: Floats = np.log(linked * ratio + unlinked)
        return log

    def ways(self, rise: Floats, variance: Floats, dt: Floats) -> Floats:
        """The responsibility of each part of `log_parts`: (..., M + 1), of one together."""
        log = self.log_parts(rise, variance, dt)
        part = np.exp(log - log.max(axis=-1, keepdims=True))
        ways: Floats = part / part.sum(axis=-1, keepdims=True)
        return ways

    def bent(self, rise: Floats, noise: Floats, ways: Floats, times: Floats) -> Travel:
        """The same with the bend that fits t photographs best that lie on the way between two others.

        rise: 1 - cos of their angles from an even motion; noise: (t,) m^2, that of the places; ways: (t, M + 1) between
        the two; times: (t,) s^2, the product of the times to either.
        """
        moved = self.speed**2 * np.maximum(times, _LEAST_S)[:, None]
        whole = _BENDS[:, None, None] * moved + (noise + _SWAY_M**2)[:, None]
        with np.errstate(divide="ignore"):
            log = np.log(ways[:, :-1]) - np.log(whole) - EARTH_RADIUS_M**2 * rise[:, None] / whole
        # Three photographs in a row share two: what they say counts half.
        fit = 0.5 * np.logaddexp(np.logaddexp.reduce(log, axis=-1), -_UNFIT).sum(axis=-1)
        fit -= 0.5 * (np.log(_BENDS / _BEND) / _BEND_STD) ** 2
        return replace(self, bend=_WIDER * float(_BENDS[int(fit.argmax())]))

    def learned(self, counts: Floats) -> Travel:
        """The same with the shares of gaps that were seen: counts (M,), not all of them whole."""
        share = self.share * _USUAL_GAPS + np.asarray(counts, np.float64)
        return replace(self, share=share / share.sum())


def travel(mode: str = "auto", area_m2: float | None = None, max_gap_s: float = DEFAULT_GAP_S) -> Travel:
    """The travel of one of MODES. UsageError names the modes, where there is none such."""
    if mode not in _SHARES:
        raise UsageError(f"There is no speed '{mode}'; give one of {', '.join(MODES)}.")
    area = 4.0 * math.pi * EARTH_RADIUS_M**2 if area_m2 is None else area_m2
    return Travel(np.array(list(SPEEDS_M_S.values())), np.array(_SHARES[mode]), area, max_gap_s)


def by_steps(area_m2: float | None, max_gap_s: float = DEFAULT_GAP_S) -> Travel:
    """The travel of photographs without times, one each UNKNOWN_GAP_S: how far they are apart is learned alone."""
    one = travel("unknown", area_m2, max_gap_s)
    return replace(one, speed=np.array(_STEPS_M) / UNKNOWN_GAP_S, share=np.array(_STEP_SHARES))


def name_of(part: int) -> str:
    """The word for a part of `log_parts` of the speeds above."""
    names = tuple(SPEEDS_M_S)
    return names[part] if part < len(names) else "jump"


def area_of_answers(unit: Floats, variance: Floats, weight: Floats) -> float:
    """The area in m^2 over which an index's answers are spread: 1 over the integral of their density squared.

    unit: (m, 3); variance: (m,) m^2; weight: (m,). Each is blurred by half a kilometre, since what is near an answer is
    in reach of the next one. No more than the Earth's.
    """
    chosen, share = np.arange(len(weight)), weight / weight.sum()
    if len(weight) > _AREA_SAMPLE:
        chosen = np.random.default_rng(0).choice(len(weight), _AREA_SAMPLE, p=share)
        share = np.full(_AREA_SAMPLE, 1.0 / _AREA_SAMPLE)
    both = variance[chosen][:, None] + variance[chosen] + 2.0 * _BLUR_M**2
    rise = 0.5 * np.sum((unit[chosen][:, None] - unit[chosen]) ** 2, axis=-1)
    density = np.exp(-(EARTH_RADIUS_M**2) * rise / both) / (2.0 * math.pi * both)
    return float(min(1.0 / (share @ density @ share), 4.0 * math.pi * EARTH_RADIUS_M**2))
