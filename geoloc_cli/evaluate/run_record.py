"""The record of a run, `run.json` of schema `geoloc.run/1`: what it takes to do it again, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import LabelledSet
from geoloc_cli.evaluate.leakage import Kind, Leakage
from geoloc_cli.evaluate.run import RunOptions
from geoloc_cli.evaluate.score import How
from geoloc_cli.evaluate.sources import Source, digest_of
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.provenance import made_by, platform_said, without_secrets

SCHEMA = "geoloc.run/1"
FILE = "run.json"

_KINDS: tuple[Kind, ...] = ("same_file", "copy", "same_place")
_EXAMPLES = 5


def begun(
    source: Source, options: RunOptions, how: How, command: Sequence[str], labelled: LabelledSet
) -> dict[str, Any]:
    """The record of a run that begins: everything but what comes of it."""
    return {
        "schema": SCHEMA,
        "status": "running",
        "command": [without_secrets(word) for word in command],
        "source": asdict(source),
        "set": {
            "name": labelled.name,
            "queries": len(labelled.queries),
            "references": len(labelled.references),
            "digest": digest_of(labelled),
            "notes": list(labelled.notes),
        },
        "options": _as_json(options),
        "seed": how.sure.seed,
        "scoring": how.as_json(),
        "made_by": made_by(),
        "platform": platform_said(),
    }


def leakage_record(leakage: Leakage | None) -> dict[str, Any]:
    """What was found of queries that lie in the references; `looked` is false where nobody looked."""
    if leakage is None:
        return {"looked": False}
    found = {kind: leakage.of_kind(kind) for kind in _KINDS}
    return {
        "looked": True,
        "leaking": len(leakage.leaking),
        "counts": {kind: len(pairs) for kind, pairs in found.items()},
        "examples": [asdict(pair) for pairs in found.values() for pair in pairs[:_EXAMPLES]],
        "unread": len(leakage.unread),
        "sentences": leakage.sentences(),
    }


def write_record(out: Path, record: Mapping[str, Any], file: str = FILE) -> None:
    """Writes the record whole, or leaves the one that is there. Raises UsageError where the folder takes no file."""
    path = out / file
    temporary = path.with_suffix(".tmp")
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{shown(str(path))} cannot be written ({error.strerror}); give another --out.") from error


def read_record(path: str) -> dict[str, Any]:
    """The record of a file, or of the folder of a run. Raises UsageError where it is none."""
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["schema"] != SCHEMA:
            raise UsageError(f"{shown(str(file))} says schema {record['schema']!r}; this version reads {SCHEMA!r}.")
        Source(**record["source"]).check()
        options_of(record)
        _ = record["set"]["digest"], record["set"]["name"], record["scoring"]["level"], record["status"]
        return dict(record)
    except OSError as error:
        raise UsageError(
            f"{shown(str(file))} cannot be read ({error.strerror}); give the run.json of a run."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{shown(str(file))} is no record of a run ({error!r}); give the run.json of one.") from error


def options_of(record: Mapping[str, Any]) -> RunOptions:
    """The options of a recorded run."""
    said = dict(record["options"])
    return RunOptions(**{**said, "priors": tuple(said["priors"])})


def same_run(out: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of the run that `out` holds, which this one goes on with; None where it holds none.

    Raises UsageError, which says what differs, where it is a run of another set or with other options.
    """
    if not (out / FILE).exists():
        return None
    there = read_record(str(out / FILE))
    other = [
        f"{key} {_said(there['options'].get(key))}, now {_said(v)}"
        for key, v in record["options"].items()
        if there["options"].get(key) != v
    ]
    if there["set"]["digest"] != record["set"]["digest"]:
        other.insert(0, f"another set, {shown(there['set']['name'])}, or other photographs of it")
    if other:
        raise UsageError(
            f"{shown(str(out))} holds a run with {'; '.join(other)}; give another --out, or remove that folder."
        )
    return there


def _said(value: Any) -> str:
    return "none" if value in (None, []) else shown(str(value))


def _as_json(options: RunOptions) -> dict[str, Any]:
    said = asdict(options)
    return {**said, "priors": [without_secrets(prior) for prior in options.priors]}
