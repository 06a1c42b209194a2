"""What an index is: its version and the describer that its photos and every query are described by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import IndexDamaged, IndexMismatch, IndexMissing, UsageError
from geoloc_cli.index.augment import MOST
from geoloc_cli.index.codes import NONE, Codes, codes_named
from geoloc_cli.index.files import write_durable

SCHEMA = "geoloc.index/1"
NAME = "manifest.json"
_LONGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """`describer` is {"features": {"name", "options"}, "descriptor": {"name", "options"}}, each option written.

    codes: how vectors are kept for searching (`index/codes.py`); augment: towards how many others each is drawn for it
    (`index/augment.py`). Both may change in the life of an index.
    """

    describer: dict[str, Any]
    created_at: str
    codes: Codes = NONE
    augment: int = 0


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest of an index."""
    body = {
        "schema": SCHEMA,
        "describer": manifest.describer,
        "created_at": manifest.created_at,
        "codes": manifest.codes.name,
        "augment": manifest.augment,
    }
    write_durable(folder, NAME, [json.dumps(body, indent=2, sort_keys=True).encode() + b"\n"])


def read_manifest(folder: Path) -> Manifest:
    """Raises IndexMissing, IndexDamaged, or IndexMismatch where a newer version wrote it."""
    path = folder / NAME
    if not folder.is_dir():
        raise IndexMissing(
            f"There is no index at {folder}; make one with `geoloc index build PHOTOS --index {folder}`."
        )
    if not path.is_file() or path.is_symlink():
        raise IndexMissing(
            f"{folder} holds no index (no {NAME}); make one with `geoloc index build PHOTOS --index {folder}`."
        )
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            raise ValueError("too long")
        body = json.loads(path.read_bytes())
        schema = str(body["schema"])
        if schema == SCHEMA:
            describer = body["describer"]
            for part in ("features", "descriptor"):
                if not isinstance(describer[part]["name"], str) or not isinstance(describer[part]["options"], dict):
                    raise ValueError(part)
            augment = body.get("augment", 0)
            if not isinstance(augment, int) or not 0 <= augment <= MOST:
                raise ValueError("augment")
            codes = _codes(path, str(body.get("codes", NONE.name)))
            return Manifest(describer, str(body["created_at"]), codes, augment)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexDamaged(f"{path} is not the manifest of an index; build the index again from the photos.") from error
    raise IndexMismatch(
        f"{path} says version {schema!r}, and this program reads {SCHEMA!r}; use the program that built the index, or "
        "build it again."
    )


def _codes(path: Path, name: str) -> Codes:
    try:
        return codes_named(name)
    except UsageError as error:
        raise IndexMismatch(
            f"{path} asks for what this program does not know: {error} Use the program that wrote it."
        ) from error
