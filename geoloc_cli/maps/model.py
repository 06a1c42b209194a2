"""A sparse model as arrays: what a pose needs of a COLMAP reconstruction, and nothing of its library.

Frames: `map` is the model's own, of arbitrary place, rotation and scale; `x_in_cam = R x_in_map + t`, COLMAP's camera
axes and pixels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.types import Camera

Floats = NDArray[np.float64]
# Two photographs of one place share more points than this; twins share a handful that are wrong.
_SHARED_POINTS = 10


@dataclass(frozen=True, slots=True)
class MapImage:
    """A registered photograph; point_rows[i] is the row of the point that its keypoint i sees, -1 where it sees none.

    rotation: (3, 3), translation: (3,): cam_from_map.
    """

    path: str
    camera: Camera
    rotation: Floats
    translation: Floats
    point_rows: NDArray[np.int64]

    @property
    def center_in_map(self) -> Floats:
        center: Floats = -self.rotation.T @ self.translation
        return center


@dataclass(frozen=True, slots=True)
class SparseModel:
    """One component: images by path, points (P, 3) in the map frame, and how many images see each point (P,)."""

    images: dict[str, MapImage]
    points: Floats
    track_lengths: NDArray[np.int64]
    reprojection_px: float

    def clusters(self, paths: list[str]) -> list[list[str]]:
        """Images that see the same points, chained; the group of the first image first, each in the given order."""
        seen = [np.unique(self.images[path].point_rows) for path in paths]
        label = list(range(len(paths)))
        for i, j in itertools.combinations(range(len(paths)), 2):
            if len(np.intersect1d(seen[i], seen[j], assume_unique=True)) > _SHARED_POINTS and label[i] != label[j]:
                label = [label[i] if other == label[j] else other for other in label]
        groups = dict.fromkeys(label)
        return [[path for path, other in zip(paths, label, strict=True) if other == group] for group in groups]

    def covisible(self, paths: list[str], count: int) -> list[str]:
        """The `count` other images that share most points with these, most first."""
        seen = np.unique(np.concatenate([self.images[path].point_rows for path in paths]))
        seen = seen[seen >= 0]
        shared = {
            path: int(np.isin(image.point_rows, seen).sum()) for path, image in self.images.items() if path not in paths
        }
        best = sorted(shared, key=lambda path: (-shared[path], path))[:count]
        return [path for path in best if shared[path] > 0]
