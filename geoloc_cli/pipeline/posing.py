"""The last stage of `locate`: from verified neighbours to a pose in a map, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from geoloc_cli.errors import MapDamaged
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.intrinsics import CameraOverride
from geoloc_cli.pipeline.map import camera_key, camera_of
from geoloc_cli.pose.answer import place_of, pose_record
from geoloc_cli.pose.estimate import NoPose, PoseOptions, estimate_pose
from geoloc_cli.registry import create, parse
from geoloc_cli.types import Camera, Fix

# A pose farther from where retrieval places the photo than this many of its radii is not believed.
_FARTHEST_RADII = 5.0


class PoseStage:
    """Poses photos in one map; keeps the map and its index open."""

    def __init__(self, folder: Path, override: CameraOverride | None = None, solver: str = "poselib") -> None:
        """solver: the name of a backend of this kind, with its options if any."""
        self._folder, self._override = folder, override
        self._components = open_map(folder)
        self._index = Index.open(index_of(folder))
        photos = self._index.all_photos()
        self._rows = {photo.path: photo.row_id for photo in photos}
        gone = [path for part in self._components for path in part.model.images if path not in self._rows]
        if gone:
            raise MapDamaged(f"{index_of(folder)} no longer holds {gone[0]}, of which the map is; build the map again.")
        self._cameras: dict[str, Camera] = {}
        for photo in photos:
            for component in self._components:
                image = component.model.images.get(photo.path)
                if image is not None:
                    self._cameras.setdefault(camera_key(photo.camera, photo.path), image.camera)
        self._solver, self._options = create("solver", parse(solver)), PoseOptions()

    def cameras(self, path: str, width: int, height: int) -> list[Camera]:
        """What the query's camera may be, at its described size.

        The map's own, refined one where the same lens took both; where that is a guess by its size, its own guess too.
        """
        photo = read_photo(path)
        if self._override is not None:
            return [camera_of(self._override.apply(photo).camera, width, height)]
        known = self._cameras.get(camera_key(photo.camera, path)) if photo.camera else None
        own = camera_of(photo.camera, width, height)
        if known is None:
            return [own]
        refined = camera_of(known, width, height)
        return [refined, own] if own.source == "default" else [refined]

    def pose(self, fix: Fix, features: LocalFeatures, verified: Sequence[str]) -> Fix:
        """The fix with its pose, or as it was, with the reason why it has none."""
        cameras = self.cameras(fix.photo, features.width, features.height)
        found = estimate_pose(features, cameras, verified, self._components, self._load, self._solver, self._options)
        if isinstance(found, NoPose):
            return replace(fix, reason=f"no_pose_{found.reason}")
        record = pose_record(found, f"{self._folder}#{found.component.name}")
        if found.component.georeference is None:
            # Where its photos stood is known to tens of metres perhaps, how the map lies among them is not.
            nowhere = fix.stage != "rerank"
            return replace(
                fix,
                status="ok",
                stage="pose" if nowhere else fix.stage,
                reason=None if nowhere else "not_georeferenced",
                pose=record,
            )
        lat, lon, radius_m, belief = place_of(found, found.component.georeference)
        if _disagrees(fix, lat, lon):
            return replace(fix, reason="no_pose_disagrees")
        return replace(
            fix,
            status="ok",
            stage="pose",
            reason=None,
            lat=lat,
            lon=lon,
            radius_m=round(float(np.maximum(radius_m, 0.001)), 3),
            confidence=round(1.0 - belief.spread, 4),
            belief=belief,
            pose=record,
        )

    def _load(self, path: str) -> LocalFeatures:
        return self._index.local(self._rows[path])


def _disagrees(fix: Fix, lat: float, lon: float) -> bool:
    """Whether a pose's place is out of reach of where retrieval, or a prior that was asked, places the photo."""
    if fix.lat is None or fix.lon is None or fix.radius_m is None:
        return False
    return float(haversine_m(lat, lon, fix.lat, fix.lon)) > _FARTHEST_RADII * fix.radius_m


def stage_spec(folder: str, override: CameraOverride | None, solver: str = "poselib") -> dict[str, Any]:
    """What a worker needs to build the stage, as plain JSON. Raises UnknownBackend where there is no such solver."""
    create("solver", parse(solver))
    return {"map": folder, "camera": asdict(override) if override else None, "solver": solver}
