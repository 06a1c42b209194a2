"""A query's pose in a map: pairs from its verified neighbours and those that see the same points, solved and gated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.contracts import Matcher, PoseSolver
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.maps.colmap import undistorted
from geoloc_cli.maps.folder import Component
from geoloc_cli.pose.pairs import Pairs, pairs_by_looks
from geoloc_cli.pose.priors import PosePrior
from geoloc_cli.pose.refine import RefinedPose, refine
from geoloc_cli.pose.rivals import rival
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
    deviation of its place below `max_std_share` of the points' median distance, and no other place in the map may
    gather `rival_share` of its inliers.
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


@dataclass(frozen=True, slots=True)
class PoseFound:
    """A pose in a component's map frame that passed the gate; distance: the median one to its points, in map."""

    component: Component
    refined: RefinedPose
    inliers: int
    pairs: int
    reprojection_px: float
    solver: str
    distance: float


@dataclass(frozen=True, slots=True)
class NoPose:
    """Why there is none: `not_in_map`, `few_inliers`, `no_spread`, `uncertain`, `unsolved`, `mirrored`, `focal_length`,
    or `ambiguous`.

    The pairs fit the mirrored picture, or another focal length than the stated one, clearly better; or two places of
    the map fit nearly as well.
    """

    reason: str


def estimate_pose(
    features: LocalFeatures,
    cameras: Sequence[Camera],
    verified: Sequence[str],
    component: Component,
    load: Callable[[str], LocalFeatures],
    solver: PoseSolver,
    matcher: Matcher,
    options: PoseOptions,
    priors: Sequence[PosePrior] = (),
) -> PoseFound | NoPose:
    """The pose in one component of a map, with the camera that explains most.

    cameras: what may have taken the query, the likeliest first: a later one must explain a tenth more. verified: paths
    of verified photographs, the best first; load(path): the features of a map's photograph. priors: what else is known
    of the pose, in the component's frame.
    """
    seen = [path for path in verified if path in component.model.images][: options.neighbours]
    if not seen:
        return NoPose("not_in_map")
    query = matcher.prepare(features.first(options.max_query))
    answers: list[PoseFound | NoPose] = []
    for group in component.model.clusters(seen):
        neighbours = group + component.model.covisible(group, options.covisible)
        pairs = pairs_by_looks(query, component.model, neighbours, load, matcher)
        tried = [_solved(features, camera, pairs, component, solver, options, priors) for camera in cameras]
        found = [answer for answer in tried if isinstance(answer, PoseFound)]
        if not found:
            answers += [answer for answer in tried if isinstance(answer, NoPose)]
            continue
        answers.append(next(a for a in found if 1.1 * a.inliers >= max(other.inliers for other in found)))
    posed = sorted((answer for answer in answers if isinstance(answer, PoseFound)), key=lambda a: -a.inliers)
    if not posed:
        return next(answer for answer in answers if isinstance(answer, NoPose))
    return NoPose("ambiguous") if any(_elsewhere(posed[0], other, options) for other in posed[1:]) else posed[0]


def _elsewhere(best: PoseFound, other: PoseFound, options: PoseOptions) -> bool:
    """Whether another part of the map speaks for another place nearly as loudly, as where a façade is built twice."""
    apart = float(np.linalg.norm(best.refined.center - other.refined.center))
    return other.inliers >= options.rival_share * best.inliers and apart > options.max_std_share * best.distance


def _solved(
    features: LocalFeatures,
    camera: Camera,
    pairs: Pairs,
    component: Component,
    solver: PoseSolver,
    options: PoseOptions,
    priors: Sequence[PosePrior],
) -> PoseFound | NoPose:
    rows, points = pairs
    if len(rows) < options.min_inliers:
        return NoPose("few_inliers")
    xy = features.keypoints[rows, :2].astype(np.float64)
    rays = undistorted(camera, xy)
    xyz = component.model.points[points]
    size = max(features.width, features.height)
    max_error_px = options.max_error_share * size
    focal_known = camera.focal_std < 0.15
    first = solver.solve(rays, xyz, camera.focal_px, max_error_px, focal_known)
    if first is None:
        return NoPose("unsolved")
    # The solver's focal length is the one about which the refinement looks further.
    focal_std = camera.focal_std if camera.source != "map" else 0.0
    refined = refine(
        rays / first.focal_scale,
        xyz,
        first.rotation,
        first.center,
        camera.focal_px * first.focal_scale,
        max_error_px,
        focal_std,
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
    cells = np.floor(8.0 * xy[inside] / (features.width, features.height)).astype(int)
    if len(np.unique(cells, axis=0)) < options.min_cells:
        return NoPose("no_spread")
    distance = float(np.median(np.linalg.norm(xyz[inside] - refined.center, axis=1)))
    worst = math.sqrt(float(np.linalg.eigvalsh(refined.covariance[3:, 3:])[-1]))
    if worst > options.max_std_share * distance:
        return NoPose("uncertain")
    focal_px = camera.focal_px * first.focal_scale
    better = rival(rays / first.focal_scale, xyz, first.inliers, inside, focal_px, max_error_px, focal_known, solver)
    if better == "focal_length" and camera.source != "user":
        unknown = replace(camera, source="default", focal_std=_UNKNOWN_FOCAL_STD)
        return _solved(features, unknown, pairs, component, solver, options, priors)
    if better is not None:
        return NoPose(better)
    error_px = float(np.sqrt(np.mean(refined.residuals_px[inside] ** 2)))
    return PoseFound(component, refined, distinct, asked, error_px, solver.name, distance)
