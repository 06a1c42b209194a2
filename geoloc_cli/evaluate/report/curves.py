"""The charts of a report: every run one curve in it, with a band where there is room for one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geoloc_cli.evaluate.meaning import RIGHT_M
from geoloc_cli.evaluate.metrics import area, calibration
from geoloc_cli.evaluate.metrics.resampling import wilson
from geoloc_cli.evaluate.report.entry import Entry, Placed
from geoloc_cli.export.axes import Axis
from geoloc_cli.export.charts import Bar, Bin, Series, bars, curves, reliability
from geoloc_cli.export.markup import Html
from geoloc_cli.geo.earth import Floats

_MOST_BANDS = 2  # bands of more runs hide one another
_FARTHEST_M = 2.0015e7
_EARTH_KM2, _SQUARE_M = 5.1e8, 1e-6
_LEAST_ANSWERS = 2
_HELD = 0.9


def error_curves(runs: Sequence[Placed]) -> Html:
    """The share of photographs within a distance, over its logarithm."""
    series = [_shares(run.name, run.errors_m, len(runs) <= _MOST_BANDS) for run in runs]
    found = np.concatenate([run.errors_m[run.errors_m > 0.0] for run in runs])
    low = 10.0 ** np.floor(np.log10(np.quantile(found, 0.01))) if found.size else 1.0
    high = min(10.0 ** np.ceil(np.log10(found.max())), _FARTHEST_M) if found.size else _FARTHEST_M
    axis = Axis("distance from the truth", log=True, low=float(low), high=float(max(high, 10.0 * low)), unit="m")
    markers = [(level, name) for name, level in runs[0].score.distances.levels_m.items() if low < level < high]
    share = Axis("share of photographs", low=0.0, high=1.0, unit="%")
    return curves(series, axis, share, title="The share of photographs within a distance", markers=markers)


def area_curves(runs: Sequence[Placed]) -> Html:
    """Recall versus Area: the share that is found in an area, over its logarithm."""
    found = [area.curve(_searched_km2(run)) for run in runs]
    least = min(float(areas[0]) for areas, _ in found)
    low = 1.0 if least >= 1.0 else max(10.0 ** np.floor(np.log10(max(least, _SQUARE_M))), _SQUARE_M)
    series = [Series(run.name, areas, recall, step=True) for run, (areas, recall) in zip(runs, found, strict=True)]
    axis = Axis("area that is searched in km²", log=True, low=float(low), high=_EARTH_KM2)
    share = Axis("share that is found", low=0.0, high=1.0, unit="%")
    return curves(series, axis, share, title="Recall versus Area")


def reliability_diagram(run: Placed) -> Html | None:
    """How often answers were within a kilometre over how sure they were of it; None where none says how sure it is."""
    sure, right = _confidences(run)
    if sure.size < _LEAST_ANSWERS:
        return None
    found = calibration.reliability(sure, right)
    bins = []
    for count, stated, share in zip(found.count, found.confidence, found.accuracy, strict=True):
        ends = wilson(round(float(count * share)), int(count))
        bins.append(Bin(float(stated), float(share), int(count), ends.low, ends.high))
    return reliability(bins, title=f"Confidence and what came true, {run.name}", label="stated confidence of 1 km")


def risk_curves(runs: Sequence[Placed]) -> Html | None:
    """The share of wrong answers among those that remain when the least sure abstain; None without confidences."""
    series = []
    for run in runs:
        sure, right = _confidences(run)
        if sure.size >= _LEAST_ANSWERS:
            kept, wrong = calibration.risk_coverage(sure, 1.0 - right)
            series.append(Series(run.name, kept, wrong))
    if not series:
        return None
    kept_axis = Axis("share of answers that are kept", low=0.0, high=1.0, unit="%")
    risk_axis = Axis("of them beyond 1 km", low=0.0, unit="%")
    return curves(series, kept_axis, risk_axis, title="Risk and coverage when the least sure abstain")


def held_bars(run: Placed) -> Html | None:
    """How often the truth lay inside the stated radius, by stage; None where no radius is stated."""
    rows = []
    parts = [("all", np.arange(len(run.photos))), *run.by_stage()]
    for name, chosen in parts if len(parts) != 2 else parts[1:]:
        held = calibration.radius_coverage(run.errors_m[chosen], run.radius_m[chosen])
        if held.count:
            rows.append(Bar(f"{name} ({held.count:,})", held.held.value, held.held.low, held.held.high))
    if not rows:
        return None
    axis = Axis("true places inside the stated radius", low=0.0, high=1.0, unit="%")
    return bars(rows, axis, title=f"Inside the stated radius, {run.name}", markers=[_HELD])


def pose_curves(entries: Sequence[Entry]) -> list[Html]:
    """The shares of photographs whose pose is within some metres, and within some degrees; empty without poses."""
    posed = [(entry.name, entry.run.poses) for entry in entries if entry.run.poses is not None]
    if not posed:
        return []
    share = Axis("share of photographs", low=0.0, high=1.0, unit="%")
    made = []
    for label, unit, columns in (
        ("position error, in the unit of the set", "", [poses.errors_m for _, poses in posed]),
        ("rotation error", "°", [poses.errors_deg for _, poses in posed]),
    ):
        named = zip([name for name, _ in posed], columns, strict=True)
        series = [_shares(name, column, len(posed) <= _MOST_BANDS) for name, column in named]
        made.append(
            curves(
                series, Axis(label, log=True, unit=unit), share, title=f"The share within a {label.partition(',')[0]}"
            )
        )
    return made


def _searched_km2(run: Placed) -> Floats:
    """The areas in km2 that are searched until the truth is found: by the beliefs, or about single answers."""
    beliefs = run.score.meaning.beliefs
    return beliefs.areas_km2 if beliefs is not None else area.point_areas_km2(run.errors_m)


def _confidences(run: Placed) -> tuple[Floats, Floats]:
    """What was stated, and whether it came true, of the photographs that state one."""
    stated = ~np.isnan(run.confidence)
    return run.confidence[stated], (run.errors_m[stated] <= RIGHT_M).astype(np.float64)


def _shares(name: str, errors: Floats, banded: bool) -> Series:
    """The share of all (N,) within each error, NaN being never reached; a band by Wilson where it is wanted."""
    ordered = np.sort(errors[~np.isnan(errors)])
    values, counts = np.unique(ordered, return_counts=True)
    within = np.cumsum(counts)
    x, y = np.append(0.0, values), np.append(0.0, within / errors.size)
    if not banded:
        return Series(name, x, y, step=True)
    ends = [wilson(int(hits), errors.size) for hits in np.append(0, within)]
    return Series(name, x, y, [end.low for end in ends], [end.high for end in ends], step=True)
