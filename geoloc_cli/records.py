"""Answers as JSON, one object a line: schema `geoloc.fix/1`, generated from the nouns in `types.py`.

A file name is kept byte for byte: bytes that are not UTF-8 travel as lone surrogates, which JSON writes as `\\udcXX`
escapes and `os.fsencode` turns back into the bytes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

from geoloc_cli.errors import UsageError
from geoloc_cli.types import (
    Belief,
    Candidate,
    Component,
    Context,
    Disclosed,
    Failure,
    Fix,
    InAlbum,
    Lens,
    Level,
    Pose,
    PriorGuess,
    Searched,
    Stage,
    Status,
)

SCHEMA = "geoloc.fix/1"
"""The tag of every record; a reader refuses any other."""
_SHA256 = re.compile("[0-9a-f]{64}")


def to_record(answer: Fix | Failure) -> dict[str, Any]:
    """The JSON object of one answer, its keys always the same and in the same order, whatever the status."""
    fix = answer if isinstance(answer, Fix) else None
    failure = answer if isinstance(answer, Failure) else None
    return {
        "schema": SCHEMA,
        "photo": answer.photo,
        "status": fix.status if fix else "error",
        "error": {"code": failure.code, "message": failure.message} if failure else None,
        "reason": fix.reason if fix else None,
        "lat": fix.lat if fix else None,
        "lon": fix.lon if fix else None,
        "alt_m": fix.alt_m if fix else None,
        "radius_m": fix.radius_m if fix else None,
        "confidence": fix.confidence if fix else 0.0,
        "stage": fix.stage if fix else None,
        "belief": [_plain(component) for component in fix.belief.components] if fix else [],
        "spread": fix.belief.spread if fix else 1.0,
        "candidates": [_plain(candidate) for candidate in fix.candidates] if fix else [],
        "pose": _pose_record(fix.pose) if fix and fix.pose else None,
        "priors": [_prior_record(prior) for prior in fix.priors] if fix else [],
        "timing_ms": dict(fix.timing_ms) if fix else {},
        "search": _plain(fix.search) if fix and fix.search else None,
        "album": _album_record(fix.album) if fix and fix.album else None,
        "disclosed": _plain(fix.disclosed) if fix and fix.disclosed else None,
        "sha256": fix.sha256 if fix else None,
    }


def dumps(answer: Fix | Failure) -> str:
    """One line of JSON without its newline: pure ASCII, so that any terminal, pipe and file name survives it."""
    return json.dumps(to_record(answer), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def from_record(record: dict[str, Any]) -> Fix | Failure:
    """The answer that a record states. Raises UsageError where it is not a `geoloc.fix/1` record."""
    tag = record.get("schema") if isinstance(record, dict) else None
    if tag != SCHEMA:
        raise UsageError(f"A record says schema {tag!r}; this version reads {SCHEMA!r}.")
    try:
        if record["status"] == "error":
            return Failure(_text(record["photo"]), _text(record["error"]["code"]), _text(record["error"]["message"]))
        fix = Fix(
            photo=record["photo"],
            status=record["status"],
            stage=record["stage"],
            lat=record["lat"],
            lon=record["lon"],
            alt_m=record["alt_m"],
            radius_m=record["radius_m"],
            confidence=record["confidence"],
            belief=Belief(tuple(Component(**c) for c in record["belief"]), record["spread"]),
            reason=record["reason"],
            candidates=tuple(Candidate(**c) for c in record["candidates"]),
            pose=pose_from_record(record["pose"]) if record["pose"] else None,
            priors=tuple(PriorGuess(**p) for p in record["priors"]),
            search=Searched(**record["search"]) if record.get("search") else None,
            album=_in_album(record["album"]) if record.get("album") else None,
            timing_ms=dict(record["timing_ms"]),
            disclosed=_disclosed(record["disclosed"]) if record.get("disclosed") else None,
            sha256=record.get("sha256"),
        )
        _check(fix)
        return fix
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"A record is not a whole {SCHEMA} record ({type(error).__name__}: {error}).") from error


def loads(line: str | bytes) -> Fix | Failure:
    """The answer on one line. Raises UsageError where the line is not JSON or not a record of this schema."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"A line is not JSON: {error}.") from error
    return from_record(record)


def read_lines(lines: Iterable[bytes], name: str, wrong: Callable[[str], None]) -> Iterator[Fix | Failure]:
    """The answers of a file or a pipe, empty lines passed over; `wrong` is told of any other line, by its number."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield loads(line)
        except UsageError as error:
            wrong(f"{name}, line {number}, was passed over: {error}")


def _check(fix: Fix) -> None:
    """Raises ValueError or TypeError where what other programs are told of a fix is not what it should be."""
    _text(fix.photo)
    if fix.status not in get_args(Status) or fix.stage not in (None, *get_args(Stage)):
        raise ValueError(f"status {fix.status!r} and stage {fix.stage!r}")
    if (fix.lat is None) != (fix.lon is None):
        raise ValueError("one of lat and lon without the other")
    edges = {"lat": (-90, 90), "lon": (-180, 180), "alt_m": (-1e9, 1e9), "radius_m": (0, 1e9), "confidence": (0, 1)}
    for name, (low, high) in edges.items():
        value = getattr(fix, name)
        if value is not None and (isinstance(value, bool) or not low <= value <= high):
            raise ValueError(f"{name} is {value!r}")
    if fix.sha256 is not None and not _SHA256.fullmatch(fix.sha256):
        raise ValueError(f"sha256 is {fix.sha256!r}")
    if fix.pose:
        _check_pose(fix.pose)


def _check_pose(pose: Pose) -> None:
    _text(pose.map)
    vectors = {"center_in_map": 3, "center_in_enu": 3, "position_std_m": 3, "translation": 3, "rotation_wxyz": 4}
    for name, size in vectors.items():
        vector = getattr(pose, name)
        if vector is not None and not (len(vector) == size and all(math.isfinite(v) for v in vector)):
            raise ValueError(f"{name} is {vector!r}")
    for name, edge in (("heading_deg", 360), ("pitch_deg", 90), ("roll_deg", 180)):
        angle = getattr(pose, name)
        if angle is not None and not -edge <= angle <= edge:
            raise ValueError(f"{name} is {angle!r}")
    lens = pose.camera
    if lens and not (_text(lens.model) and lens.width > 0 < lens.height and all(map(math.isfinite, lens.params))):
        raise ValueError(f"camera is {lens!r}")


def _disclosed(record: dict[str, Any]) -> Disclosed:
    """Raises KeyError, TypeError or ValueError where a word of it is not known: what is unknown is not coarse."""
    level, by, contexts = record["level"], record["by"], record["contexts"]
    words = {level: get_args(Level)[1:], by: ("option", "policy"), **dict.fromkeys(contexts or (), get_args(Context))}
    if unknown := [word for word, known in words.items() if word not in known]:
        raise ValueError(f"disclosed is {unknown[0]!r}")
    return Disclosed(level, by, None if contexts is None else tuple(contexts))


def _text(value: Any) -> str:
    """The value where it is text that a file name can hold."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    os.fsencode(value)
    return value


def _plain(noun: Any) -> dict[str, Any]:
    values = dataclasses.asdict(noun)
    broken = [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]
    if broken:
        raise ValueError(f"{type(noun).__name__} holds no finite number in {', '.join(broken)}")
    return values


def _album_record(album: InAlbum) -> dict[str, Any]:
    return _plain(album) | {"borrowed_from": list(album.borrowed_from)}


def _prior_record(guess: PriorGuess) -> dict[str, Any]:
    values = _plain(guess)
    if values["details"] is None:
        del values["details"]
    return values


def _pose_record(pose: Pose) -> dict[str, Any]:
    values = _plain(pose)
    rigid = {"rotation_wxyz": values.pop("rotation_wxyz"), "translation": values.pop("translation")}
    head = {"map": values.pop("map"), "georeferenced": values.pop("georeferenced"), "cam_from_map": rigid}
    if values["camera"]:
        values["camera"] |= {"params": list(values["camera"]["params"])}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in (head | values).items()}


def pose_from_record(record: dict[str, Any]) -> Pose:
    values = dict(record)
    values |= values.pop("cam_from_map")
    if values.get("camera"):
        values["camera"] = Lens(**values["camera"] | {"params": tuple(values["camera"]["params"])})
    fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return Pose(**fields)


def _in_album(values: dict[str, Any]) -> InAlbum:
    return InAlbum(**(values | {"borrowed_from": tuple(_text(photo) for photo in values["borrowed_from"])}))


_PLAIN = {str: "string", float: "number", int: "integer", bool: "boolean"}


def _schema_of(hint: Any) -> dict[str, Any]:
    """JSON Schema of a type hint as `types.py` uses them."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [{"type": "null"} if a is type(None) else _schema_of(a) for a in arguments]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1])}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _schema_of(arguments[0])}
    if origin is tuple:
        size = len(arguments)
        return {"type": "array", "items": _schema_of(arguments[0]), "minItems": size, "maxItems": size}
    raise TypeError(f"no JSON Schema for {hint}")


def _object(noun: type) -> dict[str, Any]:
    hints = typing.get_type_hints(noun)
    return _closed({field.name: _schema_of(hints[field.name]) for field in dataclasses.fields(noun)})


def _prior_schema() -> dict[str, Any]:
    """That of a PriorGuess, whose `details` are any JSON, and may be absent."""
    hints = typing.get_type_hints(PriorGuess)
    schema = _closed({name: _schema_of(hint) for name, hint in hints.items() if name != "details"})
    return schema | {"properties": schema["properties"] | {"details": {"type": "object"}}}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one record."""
    fix = typing.get_type_hints(Fix)
    pose = _object(Pose)["properties"]
    rigid = _closed({name: pose.pop(name) for name in ("rotation_wxyz", "translation")})
    head = {name: pose.pop(name) for name in ("map", "georeferenced")}
    null = {"type": "null"}
    latitude, longitude = ({"type": "number", "minimum": -edge, "maximum": edge} for edge in (90, 180))
    properties = {
        "schema": {"const": SCHEMA},
        "photo": {"type": "string"},
        "status": {"enum": ["ok", "unlocated", "error"]},
        "error": {"anyOf": [null, _closed({"code": {"type": "string"}, "message": {"type": "string"}})]},
        "reason": _schema_of(fix["reason"]),
        "lat": {"anyOf": [latitude, null]},
        "lon": {"anyOf": [longitude, null]},
        "alt_m": _schema_of(fix["alt_m"]),
        "radius_m": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, null]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "stage": _schema_of(fix["stage"]),
        "belief": {"type": "array", "items": _object(Component)},
        "spread": {"type": "number", "minimum": 0, "maximum": 1},
        "candidates": _schema_of(fix["candidates"]),
        "pose": {"anyOf": [null, _closed({**head, "cam_from_map": rigid, **pose})]},
        "priors": {"type": "array", "items": _prior_schema()},
        "timing_ms": _schema_of(fix["timing_ms"]),
        "search": _schema_of(fix["search"]),
        "album": _schema_of(fix["album"]),
        "disclosed": _schema_of(fix["disclosed"]),
        "sha256": {"anyOf": [null, {"type": "string", "pattern": f"^{_SHA256.pattern}$"}]},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **_closed(properties)}
