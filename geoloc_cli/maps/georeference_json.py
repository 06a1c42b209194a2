"""A georeference as JSON, and back: what a file says is checked before it places anything on the Earth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.maps.georeference import Georeference

Floats = NDArray[np.float64]
# Numbers are written in full: what is further from a rotation, or from a covariance, was not written by this program.
_EXACT = 1e-6


def strict_json(data: bytes) -> Any:
    """JSON without NaN and infinity. Raises ValueError, on nesting too deep as well."""
    try:
        return json.loads(data, parse_constant=_refused)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def to_json(georeference: Georeference | None) -> dict[str, Any] | None:
    """Plain JSON; null where a component has none."""
    if georeference is None:
        return None
    g = georeference
    return {
        "origin": list(g.origin),
        "scale": g.scale,
        "rotation": g.rotation.tolist(),
        "translation": g.translation.tolist(),
        "covariance": g.covariance.tolist(),
        "horizontal_m": g.horizontal_m,
        "vertical_m": g.vertical_m,
        "residuals_m": {path: list(r) for path, r in g.residuals_m.items()},
        "outliers": list(g.outliers),
        "notes": list(g.notes),
        "alt_datum": g.alt_datum,
    }


def from_json(values: dict[str, Any] | None) -> Georeference | None:
    """Raises ValueError, KeyError, TypeError or AttributeError where it is not what `to_json` writes."""
    if values is None:
        return None
    lat, lon, alt_m = (float(v) for v in _finite(values["origin"], 3))
    rotation, covariance = _finite(values["rotation"], 3, 3), _finite(values["covariance"], 7, 7)
    scale, horizontal_m, vertical_m = (float(values[key]) for key in ("scale", "horizontal_m", "vertical_m"))
    alt_datum = values.get("alt_datum")
    spread = float(np.abs(covariance).max())
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
        raise ValueError("its origin is nowhere on the Earth")
    if not (0.0 < scale < np.inf and 0.0 <= horizontal_m < np.inf and 0.0 <= vertical_m < np.inf):
        raise ValueError("its scale or its noise is no length")
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > _EXACT or np.linalg.det(rotation) < 0.0:
        raise ValueError("its rotation is none")
    if (
        np.abs(covariance - covariance.T).max() > _EXACT * spread
        or np.linalg.eigvalsh(covariance)[0] < -_EXACT * spread
    ):
        raise ValueError("its covariance is none")
    if alt_datum not in ("ellipsoid", "sea_level", None):
        raise ValueError("its heights count from nowhere")
    residuals = {str(path): tuple(float(v) for v in _finite(r, 3)) for path, r in values["residuals_m"].items()}
    return Georeference(
        (lat, lon, alt_m),
        scale,
        rotation,
        _finite(values["translation"], 3),
        covariance,
        horizontal_m,
        vertical_m,
        {path: (r[0], r[1], r[2]) for path, r in residuals.items()},
        tuple(str(path) for path in list(values["outliers"])),
        tuple(str(note) for note in list(values["notes"])),
        alt_datum,
    )


def _finite(values: Any, *shape: int) -> Floats:
    array = np.array(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{values!r} is not of {shape} finite numbers")
    return array
