"""The formats of `geoloc export`, by their names: located photos in, bytes of a file out."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.export import csv, geojson, gpx, kml
from geoloc_cli.index.files import room
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Failure, Fix

Writer = Callable[[Sequence[Fix], Counter[str]], bytes]

TEXTS: dict[str, Writer] = {
    "geojson": lambda fixes, left_out: _json(geojson.document(fixes)),
    "kml": lambda fixes, left_out: kml.document(fixes).encode(),
    "gpx": lambda fixes, left_out: gpx.document(fixes).encode(),
    "csv": lambda fixes, left_out: csv.document(fixes).encode(),
}


def located(
    answers: Iterable[Fix | Failure], min_confidence: float, stages: Sequence[str], left_out: Counter[str]
) -> Iterator[Fix]:
    """The fixes that have a place, are sure enough and rest on one of the stages; the others are counted by why."""
    for answer in answers:
        if isinstance(answer, Failure):
            left_out["failed"] += 1
        elif answer.status == "unlocated":
            left_out["unlocated"] += 1
        elif answer.lat is None:
            left_out["in a map that is nowhere on the Earth"] += 1
        elif answer.confidence < min_confidence:
            left_out["less sure"] += 1
        elif stages and answer.stage not in stages:
            left_out["of another stage"] += 1
        else:
            yield answer


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def put(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; what is no plain file, as a pipe, is written into."""
    try:
        with room(path.parent):
            if path.exists() and not path.is_file():
                path.write_bytes(content)
                return
            target = path.resolve()
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:50]}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).chmod(_mode(target))
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UsageError(f"--out {shown(str(path))} cannot be written ({error.strerror}); give another.") from error


def _mode(target: Path) -> int:
    """What a new file may be: that of the one it replaces, or by the user's mask."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
