"""The one place that calls pycolmap for single photos: SIFT, robust two-view models, and absolute poses.

pycolmap holds the interpreter lock while it works, so only processes, never threads, run it in parallel.
"""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# pycolmap's sampling is seeded per call, so that the same pair of photos always gives the same inliers.
_SEED = 0


def _pycolmap() -> Any:
    # glog writes its notes on stderr unless told otherwise before the library is loaded; 2 keeps errors only.
    os.environ.setdefault("GLOG_minloglevel", "2")
    import pycolmap

    return pycolmap


def version() -> str:
    """The version of the library that computes."""
    return importlib.metadata.version("pycolmap")


class SiftExtractor:
    """COLMAP's SIFT on the CPU, one thread, RootSIFT descriptors (L1 root normalisation, Arandjelović 2012)."""

    def __init__(self, *, max_features: int, first_octave: int, peak_threshold: float) -> None:
        pycolmap = _pycolmap()
        options = pycolmap.FeatureExtractionOptions()
        options.use_gpu = False
        options.num_threads = 1
        options.sift.max_num_features = max_features
        options.sift.first_octave = first_octave
        options.sift.peak_threshold = peak_threshold
        self._options = options

    def extract(self, gray: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """gray: (H, W) uint8. Returns keypoints (N, 4) float32 (x, y, scale, orientation) and (N, 128) uint8.

        pycolmap keeps or drops whole scales, so that N may exceed `max_features`.
        """
        pycolmap = _pycolmap()
        # A new extractor for each picture: VLFeat's filter keeps the gradient of the last octave that had keypoints,
        # and takes it for the next picture's where that octave is the first. After a plain picture (keypoints in the
        # first octave alone) nine tenths of the next one's descriptors were seen to be wrong. Making one takes no time.
        extractor = pycolmap.FeatureExtractor.create(self._options, pycolmap.Device.cpu)
        keypoints, descriptors = extractor.extract_from_uint8_array(gray)
        if len(keypoints) == 0:
            return np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8)
        matrix = np.asarray(pycolmap.keypoints_to_matrix(keypoints), np.float32)
        return np.ascontiguousarray(matrix[:, :4]), np.array(descriptors.data, np.uint8)


@dataclass(frozen=True, slots=True)
class RobustModel:
    """A two-view model: `matrix` (3, 3) float64, `b` from `a` in pixels; `inliers` (M,) bool over the matches."""

    matrix: NDArray[np.float64]
    inliers: NDArray[np.bool_]


def _ransac(estimate: str, xy_a: NDArray[np.float64], xy_b: NDArray[np.float64], max_error_px: float) -> Any:
    pycolmap = _pycolmap()
    options = pycolmap.RANSACOptions()
    options.max_error = max_error_px
    options.confidence = 0.9999
    options.min_num_trials = 100
    options.max_num_trials = 2000
    options.random_seed = _SEED
    return getattr(pycolmap, estimate)(xy_a, xy_b, options)


def estimate_homography(
    xy_a: NDArray[np.float64], xy_b: NDArray[np.float64], *, max_error_px: float
) -> RobustModel | None:
    """xy_a, xy_b: (M, 2) float64 pixels. `b ~ H a` by LO-RANSAC; None with fewer than four matches or no model."""
    if len(xy_a) < 4:
        return None
    found = _ransac("estimate_homography_matrix", xy_a, xy_b, max_error_px)
    return None if found is None else RobustModel(np.asarray(found["H"]), np.asarray(found["inlier_mask"], bool))


def estimate_fundamental(
    xy_a: NDArray[np.float64], xy_b: NDArray[np.float64], *, max_error_px: float
) -> RobustModel | None:
    """xy_a, xy_b: (M, 2) float64 pixels. `b^T F a = 0` by LO-RANSAC; None with fewer than eight matches."""
    if len(xy_a) < 8:
        return None
    found = _ransac("estimate_fundamental_matrix", xy_a, xy_b, max_error_px)
    return None if found is None else RobustModel(np.asarray(found["F"]), np.asarray(found["inlier_mask"], bool))


def estimate_absolute_pose(
    pixels: NDArray[np.float64], points: NDArray[np.float64], focal_px: float, max_error_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
    """pixels: (N, 2) about the optical centre of a pinhole camera; points: (N, 3). None where there is no pose.

    Returns rotation (3, 3) and translation (3,), cam_from_map, by LO-RANSAC and refinement, and inliers (N,) bool.
    """
    pycolmap = _pycolmap()
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = max_error_px
    # As many trials as PoseLib is given: COLMAP would end a search of less than a tenth inliers long before.
    options.ransac.min_inlier_ratio = 0.01
    options.ransac.min_num_trials = 200
    options.ransac.max_num_trials = 20_000
    options.ransac.random_seed = _SEED
    size = int(2 * np.abs(pixels).max()) + 2
    camera = pycolmap.Camera(model="SIMPLE_PINHOLE", width=size, height=size, params=[focal_px, 0.0, 0.0])
    found = pycolmap.estimate_and_refine_absolute_pose(pixels, points, camera, options)
    if found is None:
        return None
    rigid = found["cam_from_world"]
    rotation = np.asarray(rigid.rotation.matrix(), np.float64)
    return rotation, np.asarray(rigid.translation, np.float64), np.asarray(found["inlier_mask"], bool)
