"""The formats of `geoloc export`, by their names: answers in, the bytes of a file or of a folder's files out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from geoloc_cli.export import colmap, csv, geojson, gpx, kml, mapillary, odm, parquet, xmp
from geoloc_cli.export.located import Located
from geoloc_cli.photos.intrinsics import CameraOverride
from geoloc_cli.types import Failure, Fix

LeftOut = Counter[str]
"""How many photos are not in an export, by why, as in `3 unlocated`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks for beside the format; each is of some formats alone."""

    shapes: bool = False
    map: str | None = None
    camera: CameraOverride = field(default_factory=CameraOverride)


@dataclass(frozen=True, slots=True)
class Format:
    """How one is written. `file` is what its program calls the file, in whatever folder; `asks` are names in Asked.

    One that is not `text` is never for a terminal. `placed`: photos in maps that are nowhere on the Earth have no part.
    """

    write: Callable[[Sequence[Located], LeftOut, Asked], bytes | dict[str, bytes]]
    asks: frozenset[str] = frozenset()
    file: str | None = None
    text: bool = True
    placed: bool = True


FORMATS = {
    "geojson": Format(
        lambda photos, _, asked: _json(geojson.document(photos, shapes=asked.shapes)), frozenset({"shapes"})
    ),
    "kml": Format(lambda photos, *_: kml.document(photos).encode()),
    "gpx": Format(lambda photos, *_: gpx.document(photos).encode()),
    "csv": Format(lambda photos, *_: csv.document(photos).encode()),
    "parquet": Format(lambda photos, *_: parquet.document(photos), text=False),
    "colmap": Format(
        lambda photos, left_out, asked: colmap.files(photos, left_out, asked.map, asked.camera),
        frozenset({"map", "camera"}),
        text=False,
        placed=False,
    ),
    "odm": Format(lambda photos, left_out, _: odm.document(photos, left_out).encode(), file=odm.FILE),
    "mapillary": Format(lambda photos, left_out, _: _json(mapillary.document(photos, left_out)), file=mapillary.FILE),
    "xmp": Format(lambda photos, left_out, _: xmp.files(photos, left_out), text=False),
}


def chosen(
    answers: Iterable[Fix | Failure], left_out: LeftOut, *, min_confidence: float, stages: Sequence[str], placed: bool
) -> list[Located]:
    """Those that are sure enough and rest on one of the stages, with `placed` those alone that have a place."""
    kept: list[Located] = []
    for answer in sure_enough(answers, left_out, min_confidence=min_confidence, stages=stages):
        if isinstance(answer, Failure):
            left_out["failed"] += 1
        elif answer.status == "unlocated":
            left_out["unlocated"] += 1
        elif placed and answer.lat is None:
            left_out["withheld" if answer.disclosed else "in a map that is nowhere on the Earth"] += 1
        else:
            kept.append(Located(answer))
    return kept


def sure_enough(
    answers: Iterable[Fix | Failure], left_out: LeftOut, *, min_confidence: float, stages: Sequence[str]
) -> Iterator[Fix | Failure]:
    """The answers but those that are less sure, or rest on another stage; all that are no place are among them."""
    for answer in answers:
        if isinstance(answer, Failure) or answer.status == "unlocated":
            yield answer
        elif answer.confidence < min_confidence:
            left_out["less sure"] += 1
        elif stages and answer.stage not in stages:
            left_out["of another stage"] += 1
        else:
            yield answer


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=True, allow_nan=False).encode() + b"\n"
