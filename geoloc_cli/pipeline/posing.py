"""The last stage of `locate`: from verified neighbours to a pose in a map, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from geoloc_cli.errors import MapDamaged
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.belief import credible_radius_m, mass_within
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import Component, index_of, open_map
from geoloc_cli.maps.georeference import Georeference
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.intrinsics import CameraOverride
from geoloc_cli.photos.lenses import lens_keys, stated_key
from geoloc_cli.pipeline.extract import camera_of_record, override_of
from geoloc_cli.pipeline.hiding import NOTHING_HIDDEN, Hiding
from geoloc_cli.pipeline.map import camera_of
from geoloc_cli.pipeline.matching import References, build_matcher, pictured
from geoloc_cli.pipeline.ondemand import LocalMaps
from geoloc_cli.pose.answer import altitude_of_pose, belief_of, place_of, pose_record
from geoloc_cli.pose.estimate import NoPose, PoseFound, PoseOptions, estimate_pose
from geoloc_cli.pose.priors import PosePrior, altitude_of, gravity_of
from geoloc_cli.pose.together import Asking, run_together
from geoloc_cli.registry import create, parse
from geoloc_cli.store import opened
from geoloc_cli.types import Camera, Fix, Photo, Pose

# Named maps to be tried, the likeliest first, for a photo that was verified against the first; none has the second.
Maps = Callable[[Sequence[str], frozenset[str]], Iterable[tuple[str, Component]]]

# A photo's fix without its pose, its features, and the paths of the photos that verified it, the best first.
Located = tuple[Fix, LocalFeatures, Sequence[str]]

# A pose farther from where retrieval places the photo than this many of its radii is not believed.
_FARTHEST_RADII = 5.0


class PoseStage:
    """Poses photos in maps of the photos of one index; keeps both open."""

    def __init__(
        self,
        index: Index,
        maps: Maps,
        override: CameraOverride | None = None,
        solver: str = "auto",
        matcher: str = "mutual-nn",
        hide: Hiding = NOTHING_HIDDEN,
        known: Mapping[str, Camera] | None = None,
    ) -> None:
        """solver, matcher: the names of backends of these kinds, with options if any.

        known: the intrinsics of some of the photos to be posed, by path, which win over `override`.
        """
        self._index, self._hide = index, hide
        self._maps, self._override, self._known = maps, override, known or {}
        self._photos = {photo.path: photo for photo in index.all_photos()}
        self._cameras = {photo.path: photo.camera for photo in self._photos.values()}
        self._solver, self._options = create("solver", parse(solver)), PoseOptions()
        self._matcher = build_matcher(index, matcher, self._options.max_ratio)
        self._references = References(index, self._matcher)

    def cameras(self, photo: Photo, width: int, height: int, component: Component) -> list[Camera]:
        """What the query's camera may be, at its described size.

        The map's own, refined one where the same lens took both; where that is a guess by its size, its own guess too.
        """
        if photo.path in self._known:
            return [camera_of(self._known[photo.path], width, height)]
        if self._override is not None:
            return [camera_of(self._override.apply(photo).camera, width, height)]
        own = camera_of(photo.camera, width, height)
        known = self._refined(photo.path, photo.camera, component)
        if known is None:
            return [own]
        refined = camera_of(known, width, height)
        return [refined, own] if own.source == "default" else [refined]

    def _refined(self, path: str, stated: Camera | None, component: Component) -> Camera | None:
        """The camera of the map that took the photo too, as far as its metadata, its size and its name say."""
        if stated is None:
            return None
        key = stated_key(stated)
        images = component.model.images
        alike = {at: camera for at in images if (camera := self._cameras[at]) and stated_key(camera) == key}
        cameras = {images[at].camera for at in alike}
        if len(cameras) > 1:
            keys = lens_keys({**alike, path: stated})
            cameras = {images[at].camera for at in alike if at != path and keys[at] == keys[path]}
        return cameras.pop() if len(cameras) == 1 else None

    def pose(self, fix: Fix, features: LocalFeatures, verified: Sequence[str]) -> Fix:
        """The fix with its pose, or as it was, with the reason why it has none."""
        return self.pose_all([(fix, features, verified)])[0]

    def pose_all(self, located: Sequence[Located]) -> list[Fix]:
        """The same for many photos; what they ask of the solver is asked together."""
        return run_together([self._posed(*photo) for photo in located], self._solver)

    def _posed(self, fix: Fix, features: LocalFeatures, verified: Sequence[str]) -> Asking[Fix]:
        reason, unplaced = "not_in_map", None
        photo = read_photo(fix.photo)
        size = photo.width, photo.height
        if self._matcher.needs_pictures:
            features = pictured(features, fix.photo)
        load, matcher, options = self._load, self._matcher, self._options
        hidden = frozenset(p.path for p in self._index.photos(sorted(self._hide.rows(self._index, fix.photo))))
        for name, component in self._maps(verified, hidden):
            cameras = self.cameras(photo, features.width, features.height, component)
            priors = _priors(photo, fix, verified, component)
            found = yield from estimate_pose(features, cameras, verified, component, load, matcher, options, priors)
            if isinstance(found, NoPose):
                reason = found.reason if reason == "not_in_map" else reason
            elif component.georeference is not None:
                return _placed(fix, found, component.georeference, name, size)
            elif found.others:
                reason = "ambiguous" if reason == "not_in_map" else reason
            else:
                unplaced = unplaced or _unplaced(fix, found, name, size)
        return unplaced or replace(fix, reason=f"no_pose_{reason}")

    def _load(self, path: str) -> LocalFeatures | None:
        return self._references.load(self._photos[path])


def _priors(photo: Photo, fix: Fix, verified: Sequence[str], component: Component) -> list[PosePrior]:
    """How the photo says it was held; and its altitude, which is its GPS's, only where its position was asked for."""
    georeference, priors = component.georeference, list[PosePrior]()
    if georeference is None:
        return priors
    if photo.attitude is not None:
        priors.append(gravity_of(photo.attitude, georeference))
    seen = next((path for path in verified if path in component.model.images), None)
    if (
        photo.position is not None
        and seen is not None
        and any(prior.name == "exif" and prior.lat is not None for prior in fix.priors)
    ):
        altitude = altitude_of(photo.position, georeference, component.model.images[seen].center_in_map)
        priors += [altitude] if altitude else []
    return priors


def _unplaced(fix: Fix, found: PoseFound, name: str, size: tuple[int, int]) -> Fix:
    """A pose in a map that is nowhere on the Earth: where its photos stood may be known, how it lies among them is not.

    Without any place by retrieval either, the pose is the answer.
    """
    nowhere = fix.stage != "rerank"
    return replace(
        fix,
        status="ok",
        stage="pose" if nowhere else fix.stage,
        reason=None if nowhere else "not_georeferenced",
        pose=pose_record(found, name, size),
    )


def _placed(fix: Fix, found: PoseFound, georeference: Georeference, name: str, size: tuple[int, int]) -> Fix:
    """The pose's own place, unless retrieval contradicts it, or knows better where the photo was taken.

    Where the pairs speak for several places, those that retrieval does not contradict are components of the belief.
    """
    answers = [(1.0, replace(found, others=())), *found.others]
    told = [(replace(place_of(pose, georeference), weight=weight), pose) for weight, pose in answers]
    told = [(place, pose) for place, pose in told if not _disagrees(fix, place.lat, place.lon)]
    if not told:
        return replace(fix, reason="no_pose_disagrees")
    place, best = max(told, key=lambda answer: answer[0].weight)
    belief = belief_of([place for place, _ in told])
    radius_m, confidence, reason = place.radius_m, 1.0 - belief.spread, None
    if best.refined.dropped:
        reason = f"pose_without_{'_and_'.join(best.refined.dropped)}"
    if len(told) > 1:
        radius_m = credible_radius_m(belief, place.lat, place.lon, 0.9)
        confidence = float(mass_within(belief, place.lat, place.lon, 1000.0))
        reason = "pose_ambiguous"
    record = pose_record(best, name, size)
    if fix.stage == "rerank" and fix.radius_m is not None and radius_m > fix.radius_m:
        return replace(fix, reason="pose_less_sure", pose=record)
    return replace(
        fix,
        status="ok",
        stage="pose",
        reason=reason,
        lat=place.lat,
        lon=place.lon,
        alt_m=altitude_of_pose(best, georeference),
        radius_m=round(max(radius_m, 0.001), 3),
        confidence=round(confidence, 4),
        belief=belief,
        pose=record,
    )


def _disagrees(fix: Fix, lat: float, lon: float) -> bool:
    """Whether a pose's place is out of reach of where retrieval, or a prior that was asked, places the photo."""
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        return False
    return float(haversine_m(lat, lon, fix.lat, fix.lon)) > _FARTHEST_RADII * fix.radius_m


def stage_spec(
    map: str | None,
    override: CameraOverride | None,
    solver: str = "auto",
    matcher: str = "mutual-nn",
    known: Mapping[str, Camera] | None = None,
) -> dict[str, Any]:
    """What a worker needs to build the stage, as plain JSON; without a map, maps are made on demand.

    known: intrinsics of photos by path. Raises UnknownBackend where there is no such solver.
    """
    create("solver", parse(solver))
    stated = asdict(override) if override else None
    cameras = {path: asdict(camera) for path, camera in (known or {}).items()}
    return {"map": map, "camera": stated, "solver": solver, "matcher": matcher, "known": cameras}


def build_stage(spec: dict[str, Any], index: Index, cache: str | None, hide: Hiding = NOTHING_HIDDEN) -> PoseStage:
    """The stage of a `stage_spec`, for the photos of an index."""
    override, solver, matcher = override_of(spec["camera"]), spec["solver"], spec["matcher"]
    known = {path: camera_of_record(said) for path, said in spec["known"].items()}
    if spec["map"] is None:
        maps = LocalMaps(index, opened(cache), matcher)
        return PoseStage(index, maps.around, override, solver, matcher, hide, known)
    folder = Path(spec["map"])
    parts = [(f"{folder}#{component.name}", component) for component in open_map(folder)]
    held = {photo.path for photo in index.all_photos()}
    gone = [path for _, part in parts for path in part.model.images if path not in held]
    if gone:
        raise MapDamaged(f"{index_of(folder)} no longer holds {gone[0]}, of which the map is; build the map again.")

    def without(verified: Sequence[str], hidden: frozenset[str]) -> list[tuple[str, Component]]:
        return [(name, part) for name, part in parts if hidden.isdisjoint(part.model.images)]

    return PoseStage(index, without, override, solver, matcher, hide, known)


def map_of(pose: Pose, map: str | None, index: str, cache: str | None, matcher: str) -> Component | None:
    """The map of a pose that a stage of this map, index, cache and matcher found; None where it is gone.

    Maps made on demand are taken from the cache, and else made again.
    """
    if map is not None:
        folder = Path(map)
        return next((part for part in open_map(folder) if pose.map == f"{folder}#{part.name}"), None)
    with Index.open(index) as opened_index:
        seed = pose.map.removeprefix(f"{opened_index.folder}#")
        found = LocalMaps(opened_index, opened(cache), matcher).around([seed])
        return next((component for _, component in found), None)
