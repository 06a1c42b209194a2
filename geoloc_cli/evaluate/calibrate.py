"""What a source's beliefs are worth: the factor on its radii and the doubt under which the true places are likeliest.

Two numbers, as `geo/tempered.py` applies them, because a few dozen labelled photographs do not tell more. They maximise
the sum of log f'(truth) over the photographs, f' the tempered belief's density; what a source says of itself counts for
`PSEUDO` photographs beside them. A Gaussian's likelihood is moved by the farthest errors: where these are too many for
it, so that the radius which is to hold 90 % holds visibly more or fewer, `inflate` is the split-conformal quantile of
the factors that each photograph would have needed (Vovk, Gammerman and Shafer 2005; Romano, Patterson and Candes 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.metrics.mixtures import log_sums
from geoloc_cli.geo import fisher
from geoloc_cli.geo.earth import EARTH_RADIUS_M, HALF_EARTH_M, Floats, haversine_m, unit_vectors
from geoloc_cli.geo.tempered import LEAST_SPREAD
from geoloc_cli.pipeline.asking import LEAST_DOUBT
from geoloc_cli.pipeline.calibrated import Reliability
from geoloc_cli.types import Belief

# Photographs that a source's own word counts for: those would leave a radius uncertain by 1 / (2 sqrt(10)) = 16 %, and
# that is about what the radii built in were right to on the photographs that they were made with.
PSEUDO = 10.0
# Of photographs, the share that `radius_m` is to hold; and what 33 of them, of which 30 were to be held, leave open.
HELD = 0.9
ENOUGH, TOO_FEW, TOO_MANY = 30, 0.85, 0.95
# Factors on radii that are tried: 32 times smaller to 32 times larger.
_MOST_OCTAVES = 5.0
# The least doubt: no source is believed more than twice as far as it says.
_LEAST_DOUBT = -1.0
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Spoken:
    """Beliefs of one source (N,), the places that it answers and the true ones (N,), in degrees.

    The arrays are of the components (M,): `owner` is the belief of each.
    """

    beliefs: tuple[Belief, ...]
    lat: Floats
    lon: Floats
    true_lat: Floats
    true_lon: Floats

    def __post_init__(self) -> None:
        lengths = {len(self.beliefs), *(len(a) for a in (self.lat, self.lon, self.true_lat, self.true_lon))}
        if len(lengths) != 1:
            raise ValueError(f"beliefs and places of lengths {sorted(lengths)} are no pairs")

    def __len__(self) -> int:
        return len(self.beliefs)


def spoken(
    beliefs: Sequence[Belief], lat: ArrayLike, lon: ArrayLike, true_lat: ArrayLike, true_lon: ArrayLike
) -> Spoken:
    """Of those beliefs (N,) that say anything; the places as lists or arrays (N,)."""
    says = np.array([bool(belief.components) for belief in beliefs], dtype=bool)
    places = (np.asarray(column, dtype=np.float64)[says] for column in (lat, lon, true_lat, true_lon))
    return Spoken(tuple(belief for belief in beliefs if belief.components), *places)


def fit(said: Spoken) -> Reliability:
    """What a source is worth by its beliefs about photographs whose places are known. UsageError where there are none.

    The likelihood's answer. From `ENOUGH` photographs on, where under it the radius would hold less than 85 or more
    than 95 % of them, the likeliest of those others that do hold so many: the source at its word, and the conformal
    factor with either of two doubts. One is the likelihood's; where it alone decides the radius, whatever the factor,
    near misses were taken for errors anywhere on the Earth, and the other counts those alone that no factor reaches.
    """
    if not len(said):
        raise UsageError("No labelled photograph has a belief of this source; label others, or leave it out.")
    table = _Table(said)
    likeliest = table.likeliest()
    if len(said) < ENOUGH or _fits(table, likeliest):
        return likeliest
    others = [Reliability()]
    for doubt in (likeliest.doubt, table.gross()):
        factor = conformal_factor(table.needed(doubt))
        if 0.0 < factor < math.inf:
            others.append(Reliability(factor, doubt))
    return max((worth for worth in others if _fits(table, worth)), key=table.likelihood, default=likeliest)


def _fits(table: _Table, worth: Reliability) -> bool:
    return TOO_FEW <= table.held(worth) <= TOO_MANY


def conformal_factor(needed: ArrayLike, share: float = HELD) -> float:
    """The ceil((n + 1) share)-th smallest of the factors (n,) that would just have held each: a new one is held with at
    least this probability where all are exchangeable. The largest where n is too small for that.
    """
    factors = np.sort(np.asarray(needed, dtype=np.float64))
    return float(factors[min(math.ceil((factors.size + 1) * share), factors.size) - 1])


class _Table:
    """The components of all beliefs as flat arrays, and the density and the mass that factors on their radii leave."""

    def __init__(self, said: Spoken) -> None:
        rows = [(c.lat, c.lon, c.radius_m, c.weight) for belief in said.beliefs for c in belief.components]
        lat, lon, self.radius_m, weight = np.array(rows, dtype=np.float64).T
        counts = [len(belief.components) for belief in said.beliefs]
        self.first = np.concatenate([[0], np.cumsum(counts)])
        self.owner = np.repeat(np.arange(len(counts)), counts)
        self.spread = np.array([belief.spread for belief in said.beliefs])
        # Of what is not even: tempering scales all of it together.
        self.share = weight / np.maximum(1.0 - self.spread[self.owner], 1e-12)
        truth = unit_vectors(said.true_lat, said.true_lon)
        self.rise = 0.5 * np.sum((truth[self.owner] - unit_vectors(lat, lon)) ** 2, axis=-1)
        self.error = haversine_m(said.lat, said.lon, said.true_lat, said.true_lon) / EARTH_RADIUS_M
        self.away = haversine_m(said.lat[self.owner], said.lon[self.owner], lat, lon) / EARTH_RADIUS_M
        surest = 1.0 - float(self.spread.max())
        self.least_doubt = min(0.0, max((LEAST_SPREAD - 1.0 + surest) / max(surest, 1e-6), _LEAST_DOUBT))
        # What pseudo-photographs find wrong: as much as the source admits, and as every source is granted.
        self.admitted = max(float(self.spread.mean()), LEAST_DOUBT)

    def spreads(self, doubt: Floats) -> Floats:
        """The even shares (D, N) that doubts (D,) leave, as `tempered_spread`."""
        return np.maximum(self.spread + doubt[:, None] * (1.0 - self.spread), LEAST_SPREAD)

    def _kappa(self, factor: float) -> Floats:
        return fisher.kappa_from_radius(np.minimum(self.radius_m * factor, HALF_EARTH_M))

    def _log_peaked(self, factor: float) -> Floats:
        """Log density per steradian (N,) at the truth of what is not even, taken as a whole."""
        kappa = self._kappa(factor)
        return log_sums(np.log(self.share) + fisher.log_peak(kappa) - kappa * self.rise, self.first)

    def _likelihood(self, factor: float, doubt: Floats) -> Floats:
        """(D,) for doubts (D,), the pseudo-photographs counted.

        Of one component whose error is as its radius says, the expected log density under a factor t is
        -2 log t - 1 / t^2 and a constant: greatest at 1.
        """
        spread = self.spreads(doubt)
        each = np.logaddexp(np.log1p(-spread) + self._log_peaked(factor), np.log(spread) - math.log(4.0 * math.pi))
        wrong = np.maximum(self.admitted + doubt * (1.0 - self.admitted), LEAST_SPREAD)
        as_said = -2.0 * math.log(factor) - factor**-2.0
        as_said = as_said + self.admitted * np.log(wrong) + (1.0 - self.admitted) * np.log1p(-wrong)
        total: Floats = each.sum(axis=1) + PSEUDO * as_said
        return total

    def likelihood(self, worth: Reliability) -> float:
        return float(self._likelihood(worth.inflate, np.array([worth.doubt]))[0])

    def _best_doubt(self, factor: float) -> tuple[float, float]:
        """The greatest likelihood over doubts, and its doubt: by grids that grow finer about the best."""
        low, high = self.least_doubt, 0.99
        best = (-math.inf, 0.0)
        for _ in range(4):
            doubts = np.linspace(low, high, 33)
            likelihood = self._likelihood(factor, doubts)
            at = int(np.argmax(likelihood))
            best = max(best, (float(likelihood[at]), float(doubts[at])))
            low, high = float(doubts[max(at - 1, 0)]), float(doubts[min(at + 1, 32)])
        return best

    def gross(self) -> float:
        """The doubt that stands for the truths beyond every factor, the pseudo-photographs counted."""
        beyond = float(np.isinf(self.needed(self.least_doubt)).sum())
        wrong = (beyond + PSEUDO * self.admitted) / (self.spread.size + PSEUDO)
        mean = float(self.spread.mean())
        return max((wrong - mean) / max(1.0 - mean, 1e-6), self.least_doubt)

    def likeliest(self) -> Reliability:
        """By grids over octaves of the factor, each with its best doubt."""
        low, high, best = -_MOST_OCTAVES, _MOST_OCTAVES, (-math.inf, 0.0, 0.0)
        for count in (41, 9, 9, 9):
            octaves = np.linspace(low, high, count)
            tried = [(*self._best_doubt(float(2.0**octave)), float(octave)) for octave in octaves]
            best = max(best, max(tried))
            step = (high - low) / (count - 1)
            low, high = max(best[2] - step, -_MOST_OCTAVES), min(best[2] + step, _MOST_OCTAVES)
        return Reliability(float(2.0 ** best[2]), best[1])

    def _mass(self, factor: Floats, spread: Floats) -> Floats:
        """The mass (N,) of each tempered belief within its own error of its own place; factor: of each (N,)."""
        kappa = fisher.kappa_from_radius(np.minimum(self.radius_m * factor[self.owner], HALF_EARTH_M))
        held = self.share * fisher.share_in_circle(self.away, self.error[self.owner], kappa)
        peaked = np.bincount(self.owner, held, minlength=self.spread.size)
        mass: Floats = (1.0 - spread) * peaked + spread * fisher.rise_of_angle(self.error) / 2.0
        return mass

    def held(self, worth: Reliability) -> float:
        """The share of the truths within the radius that is to hold 90 %."""
        spread = self.spreads(np.array([worth.doubt]))[0]
        return float(np.mean(self._mass(np.full(self.spread.size, worth.inflate), spread) <= HELD))

    def needed(self, doubt: float) -> Floats:
        """The factors (N,) on each belief's radii at which its 90 % radius reaches the truth, by bisection.

        0 where the even share reaches it whatever the radii are, infinite where nothing does.
        """
        spread = self.spreads(np.array([doubt]))[0]
        low, high = np.full(self.spread.size, -_MOST_OCTAVES), np.full(self.spread.size, _MOST_OCTAVES)
        always, never = (self._mass(2.0**edge, spread) for edge in (low, high))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            short = self._mass(2.0**middle, spread) > HELD
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.where(always <= HELD, 0.0, np.where(never > HELD, np.inf, 2.0**high))
