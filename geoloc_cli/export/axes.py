"""Axes of charts: where values lie between two ends, straight or by their logarithm, and which round ones are named."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from geoloc_cli.export.ground import length, round_step
from geoloc_cli.geo.earth import Floats

_TICKS = 5  # about, on a straight axis
_FROM_POWER = 4  # a logarithmic axis names powers of ten as such
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DECADES = 6  # beyond, only every second one is named


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis says and how; ends that are None are found from what is drawn.

    `unit` is `m` (lengths named in m and km), `%` (shares from 0 to 1, named in percent), or written after the numbers.
    On a logarithmic axis what is not above zero lies at the lower end.
    """

    label: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis whose ends are known."""

    axis: Axis
    low: float
    high: float

    def share(self, values: Floats) -> Floats:
        """Where values lie between the ends, 0 to 1; not a number stays so, what is beyond an end lies at it."""
        if not self.axis.log:
            return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        logs = np.log10(np.where(values > 0.0, values, np.where(np.isnan(values), np.nan, self.low)))
        return np.clip((logs - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low)), 0.0, 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """The values to be named, with their names."""
        return [(value, self._named(value)) for value in (self._decades() if self.axis.log else self._round())]

    def minor(self) -> list[float]:
        """The values between, on a logarithmic axis: 2 to 9 times a power of ten."""
        if not self.axis.log or self.high / self.low > 1e5:
            return []
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        return [n * 10.0**p for p in powers for n in range(2, 10) if self.low < n * 10.0**p < self.high]

    def _round(self) -> list[float]:
        step = round_step((self.high - self.low) / _TICKS)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]

    def _decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        every = 1 + max(0, last - first) // _MOST_DECADES
        powers = [10.0**p for p in range(first, last + 1, every)]
        if len(powers) > 2:
            return powers
        around = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        named = [n * 10.0**p for p in around for n in (1, 2, 5)]
        return [value for value in named if self.low * (1.0 - 1e-9) <= value <= self.high * (1.0 + 1e-9)]

    def _named(self, value: float) -> str:
        if self.axis.unit == "m":
            return length(value) if value else "0"
        if self.axis.unit == "%":
            return f"{value * 100.0:.3g} %"
        power = math.log10(value) if self.axis.log else 0.0
        if power >= _FROM_POWER and abs(power - round(power)) < 1e-9:
            return f"10{str(round(power)).translate(_RAISED)} {self.axis.unit}".rstrip()
        text = f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0e}"
        return f"{text}°" if self.axis.unit == "°" else f"{text} {self.axis.unit}".rstrip()


def scale(axis: Axis, values: Iterable[Floats]) -> Scale:
    """The axis with ends that hold all finite values, at round numbers where the axis does not state them."""
    known = np.concatenate([np.zeros(0), *(np.asarray(v, dtype=np.float64).ravel() for v in values)])
    known = known[np.isfinite(known) & ((known > 0.0) | (not axis.log))]
    low = axis.low if axis.low is not None else float(known.min(initial=math.inf))
    high = axis.high if axis.high is not None else float(known.max(initial=-math.inf))
    if not low <= high:  # nothing is to be drawn, or nothing between the ends that were stated
        low, high = (1.0, 10.0) if axis.log else (0.0, 1.0)
    if axis.log:
        low = axis.low or 10.0 ** math.floor(math.log10(low) + 1e-9)
        high = axis.high or 10.0 ** math.ceil(math.log10(high) - 1e-9)
        return Scale(axis, low, high if high > low else 10.0 * low)
    if high == low:
        high = low + (abs(low) or 1.0)
    step = round_step((high - low) / _TICKS)
    low = axis.low if axis.low is not None else step * math.floor(low / step + 1e-9)
    high = axis.high if axis.high is not None else step * math.ceil(high / step - 1e-9)
    return Scale(axis, low, high)
