"""Where one component of a map lies: positions, attitudes and control points -> its georeference, or why none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import enu_from_geodetic, wrap_lon
from geoloc_cli.geo.fisher import R90_PER_SIGMA
from geoloc_cli.maps.control import Triangulated
from geoloc_cli.maps.gcp import GroundPoint
from geoloc_cli.maps.georeference import Controls, Georeference, fit
from geoloc_cli.maps.gps_signs import far_away, heights, two_datums, why_not
from geoloc_cli.maps.model import SparseModel
from geoloc_cli.maps.plumb import plumb
from geoloc_cli.types import Attitude, Position

Floats = NDArray[np.float64]

_NOT_BELIEVED_SIGMAS = 5.0


@dataclass(frozen=True, slots=True)
class ControlFit:
    """A control point of one component: its residual east, north, up [m], and how well its marks agree."""

    name: str
    residual_m: tuple[float, float, float]
    believed: bool
    marks: int
    error_px: float
    wrong_marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A component's georeference, or the sentence that says why there is none; middle_std_m, edge_std_m: (3,) standard
    deviations of the frame itself, east, north, up, at the middle of the cameras and at the farthest of them. adjusted:
    whether its model was bent to its control points.
    """

    georeference: Georeference | None
    reason: str | None = None
    controls: tuple[ControlFit, ...] = ()
    middle_std_m: tuple[float, float, float] | None = None
    edge_std_m: tuple[float, float, float] | None = None
    adjusted: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A surveyed point and where it was found in the map; std_m: its horizontal and vertical standard deviation.

    marks: pixels of the map's cameras by path, those that agree on it.
    """

    point: GroundPoint
    found: Triangulated
    std_m: tuple[float, float]
    marks: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


def placed(
    model: SparseModel,
    positions: Mapping[str, Position],
    seen: Sequence[Seen] = (),
    attitudes: Mapping[str, Attitude] | None = None,
    aside: Sequence[Seen] = (),
) -> Placed:
    """Where a component lies. positions: by path, in the order in which the photographs were taken.

    aside: control points that are known to be wrong, and only compared.
    """
    paths = [path for path in positions if path in model.images]
    used = [positions[path] for path in paths]
    images = [model.images[path] for path in paths]
    centers = np.array([image.center_in_map for image in images]).reshape(-1, 3)
    cam_from_map = np.array([image.rotation for image in images]).reshape(-1, 3, 3)
    lat, lon = np.array([p.lat for p in used]), np.array([p.lon for p in used])
    alt_m, mixed = heights(used)
    if not used or (len(used) < 2 and len(seen) < 3):
        return Placed(None, why_not(centers, cam_from_map, lat, lon, alt_m))
    origin = _origin(lat, lon, alt_m)
    in_enu = np.asarray(enu_from_geodetic(lat, lon, np.where(np.isfinite(alt_m), alt_m, origin[2]), origin), np.float64)
    in_enu[~np.isfinite(alt_m), 2] = np.nan
    stated = np.array([np.nan if p.radius_m is None else p.radius_m / R90_PER_SIGMA for p in used])
    controls = controls_of(seen, origin)
    said = {path: attitude for path, attitude in (attitudes or {}).items() if path in model.images}
    upright = plumb(model.images, said)
    found = fit(paths, centers, in_enu, stated, cam_from_map, origin, controls, upright)
    if found is None and controls is not None:
        return Placed(
            None,
            "its control points contradict its photographs: the cameras would stand on their heads, or the points fit "
            "nowhere; look whether easting and northing are exchanged, and whether each point is marked where it is",
        )
    if found is None:
        return Placed(None, why_not(centers, cam_from_map, lat, lon, alt_m))
    notes = [mixed, far_away(paths, lat, lon)]
    if upright is None and len(said) > 1:
        notes.append("the photographs' attitudes contradict one another, and are not used")
    up_m = np.array([found.residuals_m[path][2] for path in paths])
    groups = two_datums(np.where(np.isfinite(alt_m), up_m, np.nan))
    if groups is not None:
        in_enu[groups[0], 2] = np.nan
        found = fit(paths, centers, in_enu, stated, cam_from_map, origin, controls, upright) or found
        notes.append(groups[1])
    datums = {place.alt_datum for place, known in zip(used, np.isfinite(alt_m), strict=True) if known}
    found = dataclasses.replace(
        found,
        notes=(*(note for note in notes if note), *found.notes),
        # Control points, and heights that fall apart in two groups, do not say which one it is.
        alt_datum=datums.pop() if len(datums) == 1 and groups is None and controls is None else None,
    )
    middle = centers.mean(axis=0)
    far = centers[np.linalg.norm(centers - middle, axis=1).argmax()]
    control_fits = () if controls is None else _control_fits(found, seen, controls)
    if aside_controls := controls_of(aside, origin):
        wrong = _control_fits(found, aside, aside_controls)
        control_fits = (*control_fits, *(dataclasses.replace(control, believed=False) for control in wrong))
    return Placed(found, None, control_fits, _std_m(found, middle), _std_m(found, far))


def controls_of(seen: Sequence[Seen], origin: tuple[float, float, float]) -> Controls | None:
    if not seen:
        return None
    lat, lon, alt_m = (np.array([getattr(s.point, name) for s in seen]) for name in ("lat", "lon", "alt_m"))
    known = np.isfinite(alt_m)
    in_enu = np.asarray(enu_from_geodetic(lat, lon, np.where(known, alt_m, origin[2]), origin), np.float64)
    in_enu[~known, 2] = np.nan
    return Controls(
        np.stack([s.found.x_in_map for s in seen]),
        in_enu,
        np.array([s.std_m for s in seen], np.float64),
        np.array([s.found.std for s in seen]),
    )


def _control_fits(found: Georeference, seen: Sequence[Seen], controls: Controls) -> tuple[ControlFit, ...]:
    residual = np.nan_to_num(controls.in_enu - found.in_enu(controls.in_map))
    sigma = np.array([found.horizontal_m, found.horizontal_m, found.vertical_m])
    away = np.linalg.norm(residual / np.hypot(sigma, found.scale * controls.map_std[:, None]), axis=1)
    return tuple(
        ControlFit(
            s.point.name, _three(r), bool(a < _NOT_BELIEVED_SIGMAS), s.found.used, s.found.error_px, s.found.wrong
        )
        for s, r, a in zip(seen, residual, away, strict=True)
    )


def _std_m(found: Georeference, x_in_map: Floats) -> tuple[float, float, float]:
    return _three(np.sqrt(np.diag(found.frame_covariance(x_in_map))))


def _three(values: Floats) -> tuple[float, float, float]:
    a, b, c = (float(v) for v in values)
    return a, b, c


def _origin(lat: Floats, lon: Floats, alt_m: Floats) -> tuple[float, float, float]:
    """The medians, about the first longitude: a survey may lie on both sides of the 180th meridian."""
    known = alt_m[np.isfinite(alt_m)]
    middle = lon[0] + float(np.median(wrap_lon(lon - lon[0])))
    return float(np.median(lat)), float(wrap_lon(middle)), float(np.median(known)) if len(known) else 0.0
