"""Signs of bad positions, each a sentence that names the mistake which a fit that fails or looks odd is due to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.geo.earth import enu_from_geodetic, haversine_m
from geoloc_cli.maps.level import held, upside_down
from geoloc_cli.maps.similarity import robust_start
from geoloc_cli.types import Position

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Nobody walks from one photograph of a map to the next over this distance.
_FAR_M = 100_000.0
_NAMED = 3
_CANDIDATES = 50
_SAME_SPOT_M = 0.001
# The geoid lies between 106 m below and 85 m above the ellipsoid (EGM2008); below 5 m it is lost in the noise.
_GEOID_M = (5.0, 107.0)
# Two groups of heights: at least so many photographs, each less wide than this share of the step between them. Of one
# Gaussian cut in the middle the halves are 0.38 of the step wide.
_GROUP = 3
_GROUP_WIDTH = 0.2
# A fit whose median residual is below this share of the positions' scatter says that they belong to the map.
_BELONGS = 0.25


def heights(positions: Sequence[Position]) -> tuple[Floats, str | None]:
    """(N,) altitudes of one datum, NaN where none is known or another is named, and the note that says so."""
    alt_m = np.array([np.nan if p.alt_m is None else p.alt_m for p in positions], np.float64)
    named = Counter(p.alt_datum for p in positions if p.alt_m is not None and p.alt_datum is not None)
    if len(named) < 2:
        return alt_m, None
    kept, count = named.most_common(1)[0]
    other = np.array([p.alt_m is not None and p.alt_datum not in (None, kept) for p in positions])
    alt_m[other] = np.nan
    words = {"ellipsoid": "the ellipsoid", "sea_level": "the sea level"}
    (left,) = (datum for datum in named if datum != kept)
    return alt_m, (
        f"{count} altitudes count from {words[str(kept)]} and {int(other.sum())} from {words[str(left)]}, which differ "
        "by up to 105 m: the latter are not used"
    )


def two_datums(up_m: Floats) -> tuple[Bools, str] | None:
    """(N,) vertical residuals, NaN where there is none -> the smaller of two groups a geoid apart, and the note.

    None where there is one group. The groups are those with the least variance within (Otsu 1979).
    """
    if int(np.isfinite(up_m).sum()) < 2 * _GROUP:
        return None
    near = np.abs(up_m - np.nanmedian(up_m)) < 2.0 * _GEOID_M[1]
    values = np.sort(up_m[near])
    if len(values) < 2 * _GROUP:
        return None
    below = np.arange(_GROUP, len(values) - _GROUP + 1)
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    within = squares[-1] - sums[below - 1] ** 2 / below - (sums[-1] - sums[below - 1]) ** 2 / (len(values) - below)
    cut = int(below[within.argmin()])
    low, high = values[:cut], values[cut:]
    step = float(np.median(high) - np.median(low))
    widths = [1.4826 * float(np.median(np.abs(part - np.median(part)))) for part in (low, high)]
    if not (_GEOID_M[0] <= step <= _GEOID_M[1] and max(widths) < _GROUP_WIDTH * step):
        return None
    middle = (low[-1] + high[0]) / 2.0
    smaller = near & ((up_m > middle) if len(high) <= len(low) else (up_m < middle))
    return smaller, (
        f"the altitudes of {int(smaller.sum())} photographs differ from those of the others by a constant {step:.0f} "
        "m, as heights above the ellipsoid and above the sea level do: they are not used"
    )


def far_away(paths: Sequence[str], lat: Floats, lon: Floats) -> str | None:
    """The sentence on positions that are further than 100 km from the middle one."""
    some = np.linspace(0, len(lat) - 1, min(len(lat), _CANDIDATES)).astype(int)
    distances = haversine_m(lat[some, None], lon[some, None], lat, lon)
    away = distances[int(np.median(distances, axis=1).argmin())]
    far = np.flatnonzero(away > _FAR_M)
    if not len(far):
        return None
    shown = ", ".join(f"{paths[i]} ({away[i] / 1000:.0f} km)" for i in far[:_NAMED])
    more = f" and {len(far) - _NAMED} more" if len(far) > _NAMED else ""
    return f"positions far from all others: {shown}{more}; they are not believed"


def why_not(
    centers: Floats,
    cam_from_map: Floats,
    lat: Floats,
    lon: Floats,
    alt_m: Floats,
) -> str:
    """The likeliest reason for which positions give no georeference, as one sentence with the remedy.

    centers: (N, 3) and cam_from_map: (N, 3, 3) in map; lat, lon, alt_m: (N,), NaN where no altitude is known.
    """
    if len(lat) < 2:
        return f"{len(lat)} of its photographs has a position, and two are needed; give more by --positions"
    if float(haversine_m(lat[0], lon[0], lat, lon).max()) < _SAME_SPOT_M:
        return (
            f"all its photographs state the same position ({lat[0]:.6f}, {lon[0]:.6f}); give true ones by --positions"
        )
    known = np.isfinite(alt_m)
    alt_m = np.where(known, alt_m, np.median(alt_m[known]) if known.any() else 0.0)
    plain = _enu(lat, lon, alt_m)
    cases = {"mirrored": plain * np.array([-1.0, 1.0, 1.0])}
    if (np.abs(lon) <= 90.0).all():
        cases["swapped"] = _enu(lon, lat, alt_m)
    residuals = {name: _belongs(centers, cam_from_map, target) for name, target in cases.items()}
    found = {name: residual for name, residual in residuals.items() if residual is not None}
    if found:
        best = min(found, key=lambda name: found[name])
        if best == "swapped":
            return (
                f"latitude and longitude look swapped: exchanged, the positions fit the map to {found[best]:.1f} m; "
                "exchange them, and give them by --positions"
            )
        return (
            f"its positions are mirrored, and with east and west exchanged fit the map to {found[best]:.1f} m: a sign "
            "of longitude or latitude is lost, or the photographs are mirrored or stand on their heads; correct that"
        )
    return (
        "its positions do not belong to it: they contradict it by as much as they differ; give true ones by --positions"
    )


def _enu(lat: Floats, lon: Floats, alt_m: Floats) -> Floats:
    origin = float(np.median(lat)), float(np.median(lon)), float(np.median(alt_m))
    return np.asarray(enu_from_geodetic(lat, lon, alt_m, origin), np.float64)


def _belongs(centers: Floats, cam_from_map: Floats, target: Floats) -> float | None:
    """The median residual in metres of positions that fit a map with its cameras upright; None where they do not."""
    start = robust_start(centers, target, np.ones(len(centers)))
    scatter = float(np.median(np.linalg.norm(target - np.median(target, axis=0), axis=1)))
    if start is None or start[3] > _BELONGS * scatter or upside_down(held(cam_from_map), start[1]):
        return None
    return start[3]
