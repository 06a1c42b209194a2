"""A query's pose in a map: pairs from its verified neighbours and those that see the same points, solved and gated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.maps.colmap import undistorted
from geoloc_cli.maps.folder import Component
from geoloc_cli.photos.intrinsics import refocused
from geoloc_cli.pose.pairs import Pairs, pairs_by_looks
from geoloc_cli.pose.priors import Gravity, PosePrior
from geoloc_cli.pose.refine import RefinedPose, refine
from geoloc_cli.pose.rivals import rival
from geoloc_cli.pose.solve import UNKNOWN_FOCAL_STD, PoseProblem, Solved
from geoloc_cli.pose.together import Asking
from geoloc_cli.retrieval.verify import chance_evidence
from geoloc_cli.types import Camera

Floats = NDArray[np.float64]
# Of a focal length that its own picture contradicts; as of one that is guessed from nothing.
_UNKNOWN_FOCAL_STD = 0.4


@dataclass(frozen=True, slots=True)
class PoseOptions:
    """`neighbours` verified photographs and `covisible` others give the pairs; the rest is the gate.

    `max_error_share` of the longer side is the tolerance of an inlier (6 px of 1280). A pose needs `min_inliers`,
    `min_evidence` (as in `retrieval/verify.py`), inliers in `min_cells` of the 64 cells of the picture, and a standard
    deviation of its place below `max_std_share` of the points' median distance. Another place of the map that gathers
    `rival_share` of its inliers is another answer, of as much weight as `support_power` says: a façade that was built
    twice is one decision, and its inliers no independent votes.
    """

    neighbours: int = 6
    covisible: int = 4
    max_query: int = 2048
    max_ratio: float = 0.85
    max_error_share: float = 0.0047
    min_inliers: int = 15
    min_evidence: float = 20.0
    min_cells: int = 6
    max_std_share: float = 0.1
    rival_share: float = 0.7
    support_power: float = 4.0


@dataclass(frozen=True, slots=True)
class PoseFound:
    """A pose in a component's map frame that passed the gate; distance: the median one to its points, in map.

    camera: at the described size, as it was refined; None where that has no model. others: answers elsewhere in the map
    that passed the gate too, each with its weight over this one's.
    """

    component: Component
    refined: RefinedPose
    inliers: int
    pairs: int
    reprojection_px: float
    solver: str
    distance: float
    camera: Camera | None = None
    others: tuple[tuple[float, PoseFound], ...] = ()


@dataclass(frozen=True, slots=True)
class NoPose:
    """Why there is none: `not_in_map`, `few_inliers`, `no_spread`, `uncertain`, `unsolved`, `mirrored`, `focal_length`.

    The last two: the pairs fit the mirrored picture, or another focal length than the stated one, clearly better.
    """

    reason: str


def estimate_pose(
    features: LocalFeatures,
    cameras: Sequence[Camera],
    verified: Sequence[str],
    component: Component,
    load: Callable[[str], LocalFeatures | None],
    matcher: Matcher,
    options: PoseOptions,
    priors: Sequence[PosePrior] = (),
) -> Asking[PoseFound | NoPose]:
    """The pose in one component of a map, with the camera that explains most; to be run by `pose/together.py`.

    cameras: what may have taken the query, the likeliest first: a later one must explain a tenth more. verified: paths
    of verified photographs, the best first; load(path): the features of a map's photograph, if any. priors: what
    else is known of the pose, in the component's frame.
    """
    seen = [path for path in verified if path in component.model.images][: options.neighbours]
    if not seen:
        return NoPose("not_in_map")
    query = matcher.prepare(features.first(options.max_query))
    answers: list[PoseFound | NoPose] = []
    for group in component.model.clusters(seen):
        neighbours = group + component.model.covisible(group, options.covisible)
        pairs = pairs_by_looks(query, component.model, neighbours, load, matcher)
        tried = []
        for camera in cameras:
            tried.append((yield from _solved(features, camera, pairs, component, options, priors)))
        found = [answer for answer in tried if isinstance(answer, PoseFound)]
        if not found:
            answers += [answer for answer in tried if isinstance(answer, NoPose)]
            continue
        answers.append(next(a for a in found if 1.1 * a.inliers >= max(other.inliers for other in found)))
    posed = sorted((answer for answer in answers if isinstance(answer, PoseFound)), key=lambda a: -a.inliers)
    if not posed:
        return next(answer for answer in answers if isinstance(answer, NoPose))
    best = posed[0]
    others = list(best.others)
    for other in posed[1:]:
        share = other.inliers / best.inliers
        if share >= options.rival_share and all(_elsewhere(kept, other, options) for kept in [best, *_each(others)]):
            others.append((share**options.support_power, other))
    return replace(best, others=tuple(others))


def _each(others: Sequence[tuple[float, PoseFound]]) -> list[PoseFound]:
    return [found for _, found in others]


def _elsewhere(best: PoseFound, other: PoseFound, options: PoseOptions) -> bool:
    """Whether another answer is another place, as where a façade is built twice."""
    apart = float(np.linalg.norm(best.refined.center - other.refined.center))
    return apart > options.max_std_share * best.distance


def _solved(
    features: LocalFeatures,
    camera: Camera,
    pairs: Pairs,
    component: Component,
    options: PoseOptions,
    priors: Sequence[PosePrior],
) -> Asking[PoseFound | NoPose]:
    rows, points = pairs
    if len(rows) < options.min_inliers:
        return NoPose("few_inliers")
    rays = undistorted(camera, features.keypoints[rows, :2].astype(np.float64))
    xyz = component.model.points[points]
    max_error_px = options.max_error_share * max(features.width, features.height)
    # A length that is known is held until the refinement, so that what is known of it is weighed once.
    focal_std = camera.focal_std if camera.focal_std >= UNKNOWN_FOCAL_STD else 0.0
    upright = _upright(priors, camera, max_error_px)
    problem = PoseProblem(rays, xyz, camera.focal_px, max_error_px, focal_std, **upright)
    (first,) = yield [problem]
    if first is None:
        return NoPose("unsolved")
    found = _gated(features, camera, rows, problem, first, component, options, priors)
    if isinstance(found, NoPose):
        return found
    scaled = replace(problem, rays=rays / first.focal_scale, focal_px=camera.focal_px * first.focal_scale)
    inside = found.refined.residuals_px < max_error_px
    better = yield from rival(scaled, first.inliers, inside)
    if better == "focal_length" and camera.source != "user":
        unknown = replace(camera, source="default", focal_std=_UNKNOWN_FOCAL_STD)
        return (yield from _solved(features, unknown, pairs, component, options, priors))
    if better is not None:
        return NoPose(better)
    others: list[tuple[float, PoseFound]] = []
    for weight, other in first.others:
        answer = _gated(features, camera, rows, problem, other, component, options, priors)
        if isinstance(answer, PoseFound) and all(_elsewhere(a, answer, options) for a in [found, *_each(others)]):
            others.append((weight, answer))
    return replace(found, others=tuple(others))


def _upright(priors: Sequence[PosePrior], camera: Camera, max_error_px: float) -> dict[str, Floats]:
    """Gravity for a solver, where it is known better than an inlier's tolerance tells."""
    for prior in priors:
        if isinstance(prior, Gravity) and prior.std_rad * camera.focal_px < max_error_px:
            return {"up_in_cam": prior.up_in_cam, "up_in_map": prior.up_in_map}
    return {}


def _gated(
    features: LocalFeatures,
    camera: Camera,
    rows: NDArray[np.int64],
    problem: PoseProblem,
    first: Solved,
    component: Component,
    options: PoseOptions,
    priors: Sequence[PosePrior],
) -> PoseFound | NoPose:
    """A solver's answer, refined, if it passes; rows: of the query's keypoints, one for each pair."""
    xyz = problem.points
    max_error_px = options.max_error_share * max(features.width, features.height)
    # The solver's focal length is the one about which the refinement looks further.
    refined = refine(
        problem.rays / first.focal_scale,
        xyz,
        first.rotation,
        first.center,
        camera.focal_px * first.focal_scale,
        max_error_px,
        camera.focal_std if camera.source != "map" else 0.0,
        priors,
    )
    if refined is None:
        return NoPose("unsolved")
    inside = refined.residuals_px < max_error_px
    distinct = len(np.unique(rows[inside]))
    asked = len(np.unique(rows))
    alpha = math.pi * max_error_px**2 / (features.width * features.height) * len(rows) / asked
    evidence = chance_evidence(asked, distinct, 3, alpha)
    if distinct < options.min_inliers or evidence < options.min_evidence:
        return NoPose("few_inliers")
    xy = features.keypoints[rows[inside], :2].astype(np.float64)
    cells = np.floor(8.0 * xy / (features.width, features.height)).astype(int)
    if len(np.unique(cells, axis=0)) < options.min_cells:
        return NoPose("no_spread")
    distance = float(np.median(np.linalg.norm(xyz[inside] - refined.center, axis=1)))
    worst = math.sqrt(float(np.linalg.eigvalsh(refined.covariance[3:, 3:])[-1]))
    if worst > options.max_std_share * distance:
        return NoPose("uncertain")
    error_px = float(np.sqrt(np.mean(refined.residuals_px[inside] ** 2)))
    lens = refocused(camera, first.focal_scale * refined.focal_scale)
    return PoseFound(component, refined, distinct, asked, error_px, first.solver, distance, lens)
