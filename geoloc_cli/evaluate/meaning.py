"""Whether answers mean what they say: stated radii, confidences and beliefs against the true places."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.evaluate.distances import Sureness
from geoloc_cli.evaluate.joined import Joined
from geoloc_cli.evaluate.metrics import area, calibration
from geoloc_cli.evaluate.metrics.area import AreaReport
from geoloc_cli.evaluate.metrics.calibration import Coverage, Reliability
from geoloc_cli.evaluate.metrics.regions import denser_regions
from geoloc_cli.evaluate.metrics.resampling import Interval, bootstrap
from geoloc_cli.geo.earth import Floats
from geoloc_cli.types import Belief

RIGHT_M = 1000.0
"""What `confidence` is the probability of: that the answer is within this much of the truth."""

_ANSWERED = 0.8
# Regions that are computed of beliefs about several places: some milliseconds each.
_MOST_REGIONS = 1000


@dataclass(frozen=True, slots=True)
class Confidences:
    """Stated confidences against what came true, of `count` photographs that have one.

    `risk` is the share of wrong answers among the most confident 80 %; `aurc` is the area under the curve of that.
    """

    count: int
    right_within_m: float
    right: float
    ece: float
    ece_equal_mass: float
    brier: Interval
    aurc: float
    excess_aurc: float
    risk_at_80: float
    diagram: Reliability


@dataclass(frozen=True, slots=True)
class BeliefFigures:
    """Beliefs against the true places of all photographs: regions, density there in nats per km2, area searched.

    areas_km2: (N,) or of some by chance, where there are many beliefs of several places each.
    """

    count: int
    regions: list[Coverage]
    log_loss: Interval
    median_log_loss: float
    area: AreaReport
    areas_km2: Floats = field(repr=False, metadata={"told": False})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What was stated and can be judged; None where the predictions state nothing of the kind.

    `answers_area` takes single answers for what is searched outwards from: it is there for any tool.
    """

    radius: Coverage | None
    median_radius_m: float
    confidence: Confidences | None
    beliefs: BeliefFigures | None
    answers_area: AreaReport


def meaning(joined: Joined, errors_m: Floats, sure: Sureness) -> Meaning:
    """All of it for the matched predictions; errors_m: (T,) their distances from the truth."""
    radius = joined.of_truth(joined.predictions.radius_m)
    stated = radius[~np.isnan(radius) & ~np.isnan(errors_m)]
    return Meaning(
        radius=calibration.radius_coverage(errors_m, radius) if stated.size else None,
        median_radius_m=float(np.median(stated)) if stated.size else np.nan,
        confidence=_confidences(joined.of_truth(joined.predictions.confidence), errors_m, sure),
        beliefs=_beliefs(joined, sure),
        answers_area=area.report(area.point_areas_km2(errors_m)),
    )


def _confidences(confidence: Floats, errors_m: Floats, sure: Sureness) -> Confidences | None:
    """None where nobody states one, or where one is no probability (`diagnose` says so then)."""
    there = np.isfinite(confidence)
    stated, right = confidence[there], errors_m[there] <= RIGHT_M
    if not stated.size or stated.min() < 0.0 or stated.max() > 1.0:
        return None
    wrong = 1.0 - right
    diagram = calibration.reliability(stated, right)
    equal = calibration.reliability(stated, right, equal_mass=True)
    squares = (stated - right) ** 2
    return Confidences(
        count=stated.size,
        right_within_m=RIGHT_M,
        right=float(right.mean()),
        ece=calibration.expected_calibration_error(diagram),
        ece_equal_mass=calibration.expected_calibration_error(equal),
        brier=bootstrap(squares, np.mean, level=sure.level, replicates=sure.replicates, seed=sure.seed),
        aurc=calibration.area_under_risk(stated, wrong),
        excess_aurc=calibration.excess_area_under_risk(stated, wrong),
        risk_at_80=calibration.selective_risk(stated, wrong, _ANSWERED),
        diagram=diagram,
    )


def _beliefs(joined: Joined, sure: Sureness) -> BeliefFigures | None:
    said, true = joined.predictions.beliefs, joined.truth
    if said is None:
        return None
    beliefs = [said[row] if row >= 0 else Belief() for row in joined.row.tolist()]
    chosen = _some(len(beliefs), said.lat.size, sure)
    regions = denser_regions([beliefs[row] for row in chosen.tolist()], true.lat[chosen], true.lon[chosen])
    areas = area.areas_of(regions)
    losses = calibration.log_losses(beliefs, true.lat, true.lon)
    return BeliefFigures(
        count=len(beliefs),
        regions=calibration.region_coverage(regions),
        log_loss=bootstrap(losses, np.mean, level=sure.level, replicates=sure.replicates, seed=sure.seed),
        median_log_loss=float(np.median(losses)),
        area=area.report(areas),
        areas_km2=areas,
    )


def _some(count: int, components: int, sure: Sureness) -> NDArray[np.int64]:
    """All photographs, or a thousand by chance where there are more and a belief is about several places."""
    if count <= _MOST_REGIONS or components <= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(sure.seed).choice(count, _MOST_REGIONS, replace=False))
