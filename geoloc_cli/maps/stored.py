"""A component of a map as plain arrays, for a store of such."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.folder import Component
from geoloc_cli.maps.georeference_json import from_json, to_json
from geoloc_cli.maps.model import MapImage, SparseModel
from geoloc_cli.types import Camera

Arrays = dict[str, NDArray[Any]]


def to_arrays(component: Component) -> Arrays:
    """Everything of a component; text as UTF-8 bytes of JSON, undecodable bytes of paths as surrogate escapes."""
    model = component.model
    images = [model.images[path] for path in sorted(model.images)]
    said = {
        "name": component.name,
        "paths": [image.path for image in images],
        "cameras": [asdict(image.camera) for image in images],
        "reprojection_px": model.reprojection_px,
        "georeference": to_json(component.georeference),
    }
    return {
        "said": np.frombuffer(json.dumps(said, allow_nan=False).encode(), np.uint8),
        "rotations": np.array([image.rotation for image in images]).reshape(-1, 3, 3),
        "translations": np.array([image.translation for image in images]).reshape(-1, 3),
        "counts": np.array([len(image.point_rows) for image in images], np.int64),
        "point_rows": np.concatenate([image.point_rows for image in images] or [np.zeros(0, np.int64)]),
        "points": model.points,
        "track_lengths": model.track_lengths,
    }


def from_arrays(arrays: Arrays) -> Component:
    """Raises ValueError, KeyError, TypeError or AttributeError where they are not those of a component."""
    said = json.loads(arrays["said"].tobytes())
    rows = np.split(arrays["point_rows"], np.cumsum(arrays["counts"])[:-1])
    images = {}
    for i, (path, camera) in enumerate(zip(said["paths"], said["cameras"], strict=True)):
        lens = Camera(**{**camera, "params": tuple(camera["params"])})
        images[path] = MapImage(path, lens, arrays["rotations"][i], arrays["translations"][i], rows[i])
    model = SparseModel(images, arrays["points"], arrays["track_lengths"], float(said["reprojection_px"]))
    return Component(said["name"], model, from_json(said["georeference"]))
