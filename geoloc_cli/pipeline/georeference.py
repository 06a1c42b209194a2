"""A map's place on the Earth, from its photographs' positions and ground control points, and the signs of bad ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import enu_from_geodetic, wrap_lon
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import IndexedPhoto
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.maps.georeference import Georeference, fit
from geoloc_cli.maps.gps_signs import far_away, heights, two_datums, why_not
from geoloc_cli.maps.model import SparseModel
from geoloc_cli.types import Position

Floats = NDArray[np.float64]

# r90 of a circular Gaussian is 2.146 standard deviations of each axis.
_R90_PER_SIGMA = 2.146


@dataclass(frozen=True, slots=True)
class Placed:
    """A component's georeference, or the sentence that says why there is none."""

    georeference: Georeference | None
    reason: str | None = None


def in_order(photos: Sequence[IndexedPhoto]) -> dict[str, Position]:
    """Positions by path in the order in which the photographs were taken, as far as they say when."""
    ordered = sorted(photos, key=lambda photo: (photo.taken_at or "", photo.path))
    return {photo.path: photo.position for photo in ordered}


def georeferenced(model: SparseModel, photos: Sequence[IndexedPhoto]) -> Georeference | None:
    """Where a component lies, by the positions of its photographs; None where these do not tell."""
    return placed(model, in_order(photos)).georeference


def placed(model: SparseModel, positions: Mapping[str, Position]) -> Placed:
    """positions: by path, in the order in which the photographs were taken."""
    paths = [path for path in positions if path in model.images]
    used = [positions[path] for path in paths]
    images = [model.images[path] for path in paths]
    centers = np.array([image.center_in_map for image in images]).reshape(-1, 3)
    cam_from_map = np.array([image.rotation for image in images]).reshape(-1, 3, 3)
    lat, lon = np.array([p.lat for p in used]), np.array([p.lon for p in used])
    alt_m, mixed = heights(used)
    if len(used) < 3:
        return Placed(None, why_not(centers, cam_from_map, lat, lon, alt_m))
    origin = _origin(lat, lon, alt_m)
    in_enu = np.asarray(enu_from_geodetic(lat, lon, np.where(np.isfinite(alt_m), alt_m, origin[2]), origin), np.float64)
    in_enu[~np.isfinite(alt_m), 2] = np.nan
    stated = np.array([np.nan if p.radius_m is None else p.radius_m / _R90_PER_SIGMA for p in used])
    found = fit(paths, centers, in_enu, stated, cam_from_map, origin)
    if found is None:
        return Placed(None, why_not(centers, cam_from_map, lat, lon, alt_m))
    notes = [mixed, far_away(paths, lat, lon)]
    up_m = np.array([found.residuals_m[path][2] for path in paths])
    groups = two_datums(np.where(np.isfinite(alt_m), up_m, np.nan))
    if groups is not None:
        in_enu[groups[0], 2] = np.nan
        found = fit(paths, centers, in_enu, stated, cam_from_map, origin) or found
        notes.append(groups[1])
    return Placed(dataclasses.replace(found, notes=(*(note for note in notes if note), *found.notes)))


def _origin(lat: Floats, lon: Floats, alt_m: Floats) -> tuple[float, float, float]:
    """The medians, about the first longitude: a survey may lie on both sides of the 180th meridian."""
    known = alt_m[np.isfinite(alt_m)]
    middle = lon[0] + float(np.median(wrap_lon(lon - lon[0])))
    return float(np.median(lat)), float(wrap_lon(middle)), float(np.median(known)) if len(known) else 0.0


def reasons(folder: Path) -> list[str | None]:
    """For each component of a map, why its photographs' positions give no georeference; None where they do."""
    with Index.open(index_of(folder)) as index:
        positions = in_order(index.all_photos())
    return [placed(component.model, positions).reason for component in open_map(folder)]
