"""Which column of a table holds what: by the names that tools give them, or as the user says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from geoloc_cli.errors import UsageError
from geoloc_cli.photos.opening import shown

Role = Literal["predictions", "truth"]

_LAT = ("lat", "latitude", "lat_deg", "latitude_deg", "gps_lat", "gps_latitude", "gpslatitude")
_LON = ("lon", "lng", "long", "longitude", "lon_deg", "longitude_deg", "gps_lon", "gps_longitude", "gpslongitude")

# Names in order of preference: of those that stand together, a header may hold one alone.
_NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "photo": (
        ("photo",),
        ("image", "image_name", "img", "img_name", "filename", "file_name", "file", "name", "path", "photo_path"),
        ("image_path", "img_path", "file_path", "filepath", "sourcefile", "photo_name", "image_file"),
        ("img_id", "image_id", "photo_id", "key", "uuid"),
        ("id",),
    ),
    "lat": (_LAT,),
    "lon": (_LON,),
    "radius_m": (("radius_m",), ("radius", "accuracy_m", "uncertainty_m", "error_radius_m")),
    "confidence": (("confidence",), ("conf", "probability", "prob")),
    "stage": (("stage",),),
    "rationale": (("rationale",), ("reasoning",), ("explanation",), ("model_response",), ("response",)),
    "alt_m": (("alt_m", "alt", "altitude", "altitude_m", "gpsaltitude", "elevation"),),
    "heading_deg": (("heading_deg", "heading", "compass_angle", "bearing", "yaw"),),
    "taken_at": (("taken_at", "time", "timestamp", "datetime", "captured_at", "date"),),
}
_OWN: dict[Role, tuple[str, ...]] = {
    "predictions": ("predicted", "pred", "prediction", "estimated", "estimate", "est", "guess", "guessed", "output"),
    "truth": ("label", "true", "truth", "gt", "target", "actual", "ground_truth", "real", "expected"),
}
KEYS = tuple(_NAMES)
_LISTED = 20


def parse_columns(texts: Sequence[str]) -> dict[Role, dict[str, str]]:
    """What `--columns` says: `lat=predicted_lat` of the predictions, `truth.lat=label_lat` of the truth.

    Raises UsageError where a text is no KEY=NAME, or names a key that there is not, or one twice.
    """
    found: dict[Role, dict[str, str]] = {"predictions": {}, "truth": {}}
    for text in texts:
        key, equals, name = text.partition("=")
        role: Role = "truth" if key.startswith("truth.") else "predictions"
        key = key.removeprefix("truth.").strip()
        if not equals or not name.strip():
            raise UsageError(f"--columns {shown(text)} is not KEY=NAME; write it as in lat=predicted_lat.")
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(f"--columns {shown(text)}: there is no key '{shown(key)}'{meant}; {', '.join(KEYS)}.")
        if key in found[role]:
            raise UsageError(f"--columns names {key} twice, '{found[role][key]}' and '{shown(name)}'; say one.")
        found[role][key] = name.strip()
    return found


def find_columns(
    path: str,
    header: Sequence[str],
    role: Role,
    named: Mapping[str, str],
    needed: Sequence[str],
    optional: Sequence[str],
) -> dict[str, int]:
    """The place in the header of each key of `needed` and, where it is there, of `optional`.

    A name of the file's own side wins over a plain one: in predictions `predicted_lat` over `lat`, in a truth
    `label_lat` over it; latitude and longitude are taken from one such family. Letter case, blanks, dots and hyphens
    do not count. Raises UsageError, which lists the header, where a needed column is absent, or where two could be it.
    """
    plain = [_plain(name) for name in header]
    found = {key: _named(path, header, plain, role, key, name) for key, name in named.items()}
    wanted = [*needed, *optional]
    if not found.keys() & {"lat", "lon"} and {"lat", "lon"} <= set(wanted):
        found |= _place(path, header, plain, role)
    for key in wanted:
        if key not in found:
            column = _first(path, header, plain, role, key, _families(key, role))
            if column is not None:
                found[key] = column
    missing = [key for key in needed if key not in found]
    if missing:
        flag = _flag(role, missing[0])
        raise UsageError(
            f"{shown(path)} has no column for {' and '.join(missing)}; its columns are {_listed(header)}: "
            f"name it, as in --columns {flag}=NAME."
        )
    return {key: column for key, column in found.items() if key in wanted}


def names_a_place(header: Sequence[str]) -> bool:
    """Whether a name that is known of latitudes or longitudes is among them."""
    known = {name for key in ("lat", "lon") for role in _OWN for names in _families(key, role) for name in names}
    return any(_plain(name) in known for name in header)


def _place(path: str, header: Sequence[str], plain: Sequence[str], role: Role) -> dict[str, int]:
    """Latitude and longitude of the first family that has both."""
    for lat_names, lon_names in zip(_families("lat", role), _families("lon", role), strict=True):
        lat = _first(path, header, plain, role, "lat", [lat_names])
        lon = _first(path, header, plain, role, "lon", [lon_names])
        if lat is not None and lon is not None:
            return {"lat": lat, "lon": lon}
    return {}


def _families(key: str, role: Role) -> list[tuple[str, ...]]:
    if key not in ("lat", "lon"):
        return list(_NAMES[key])
    (names,) = _NAMES[key]
    return [tuple(_affixed(names, _OWN[role])), names]


def _affixed(names: Sequence[str], affixes: Sequence[str]) -> Iterator[str]:
    for name in names:
        for affix in affixes:
            yield from (f"{affix}_{name}", f"{affix}{name}", f"{name}_{affix}")


def _first(
    path: str, header: Sequence[str], plain: Sequence[str], role: Role, key: str, families: Sequence[Sequence[str]]
) -> int | None:
    for names in families:
        columns = [column for column, name in enumerate(plain) if name in names]
        if len(columns) > 1:
            both = " and ".join(f"'{shown(header[column])}'" for column in columns)
            raise UsageError(
                f"{shown(path)} has {both}, and each could be {key}; its columns are {_listed(header)}: "
                f"say which, as in --columns {_flag(role, key)}={shown(header[columns[0]])}."
            )
        if columns:
            return columns[0]
    return None


def _named(path: str, header: Sequence[str], plain: Sequence[str], role: Role, key: str, name: str) -> int:
    exact = [column for column, there in enumerate(header) if there == name]
    columns = exact or [column for column, there in enumerate(plain) if there == _plain(name)]
    if len(columns) == 1:
        return columns[0]
    if columns:
        raise UsageError(
            f"{shown(path)} has {len(columns)} columns '{shown(name)}'; rename the others, so that {key} is one alone."
        )
    near = difflib.get_close_matches(name, list(header), 1)
    meant = f" (did you mean '{shown(near[0])}'?)" if near else ""
    raise UsageError(
        f"{shown(path)} has no column '{shown(name)}'{meant}, which --columns names as {_flag(role, key)}; "
        f"its columns are {_listed(header)}."
    )


def _flag(role: Role, key: str) -> str:
    return f"truth.{key}" if role == "truth" else key


def _plain(name: str) -> str:
    return re.sub(r"[\s.\-/]+", "_", name.strip().lower())


def _listed(header: Sequence[str]) -> str:
    more = f", and {len(header) - _LISTED} more" if len(header) > _LISTED else ""
    return ", ".join(shown(name) or "''" for name in header[:_LISTED]) + more
