"""What was measured, in words: the files with their hashes, how names were matched, and the run's own record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geoloc_cli.evaluate.evaluated import Evaluated
from geoloc_cli.evaluate.joined import Joined
from geoloc_cli.evaluate.report.entry import Entry, short_names
from geoloc_cli.evaluate.run import FIXES
from geoloc_cli.evaluate.run_record import FILE
from geoloc_cli.photos.opening import shown

# What a record says of how a run was made, and not of what came of it.
_TOLD = ("command", "source", "set", "options", "seed", "scoring", "made_by", "platform", "described_by", "counts")
_MOST_BYTES, _MOST_FACTS, _MOST_LISTED = 5_000_000, 80, 50


def entries(runs: Sequence[Evaluated], folders: Sequence[str] = (), home: Path | None = None) -> list[Entry]:
    """An entry a run. Pictures are looked for in `folders`, and beside the predictions and the truth.

    `home` is the folder of a run that was made just now, where its record lies; else it is looked for beside a file.
    """
    names = short_names([run.name for run in runs])
    made = []
    for name, run in zip(names, runs, strict=True):
        beside: list[str] = []
        facts: list[tuple[str, str]] = []
        if run.score is not None:
            joined = run.score.joined
            truth = Path(joined.truth.path)
            beside = [str(Path(joined.predictions.path).parent), str(truth if truth.is_dir() else truth.parent)]
            facts += measured_facts(joined)
        folder = home if home is not None else Path(run.name).parent
        record = read_run(folder / FILE, None if home is not None else Path(run.name).name)
        facts += [("leakage", sentence) for sentence in _sentences(record)]
        kept = tuple(recorded_facts(record))
        made.append(Entry(name, run, tuple(facts), kept, tuple(dict.fromkeys([*folders, *beside]))))
    return made


def measured_facts(joined: Joined) -> list[tuple[str, str]]:
    """The files, and how many photographs were matched in which way or not at all."""
    left = {
        "without a prediction": joined.missing,
        "predictions of other photographs": joined.extra,
        "repeated": joined.repeated,
        "ambiguous": joined.ambiguous,
    }
    found = [("predictions", _file(joined.predictions.path)), ("truth", _file(joined.truth.path))]
    found.append(("matched", ", ".join(f"{count:,} by {way}" for way, count in joined.matched.items())))
    return [*found, *((name, f"{len(rows):,}") for name, rows in left.items() if len(rows))]


def read_run(path: Path, answers: str | None) -> dict[str, Any]:
    """A `run.json`; empty where it is none, or of another file of answers than this one."""
    try:
        if answers not in (None, FIXES) or path.stat().st_size > _MOST_BYTES:
            return {}
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def recorded_facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run's record says of how its answers were made, line by line."""
    found: list[tuple[str, str]] = []
    for key in _TOLD:
        _flatten(key, record.get(key), found)
    return found[:_MOST_FACTS]


def _sentences(record: Mapping[str, Any]) -> list[str]:
    """What was found of queries that lie in the references."""
    leakage = record.get("leakage")
    said = leakage.get("sentences") if isinstance(leakage, dict) else None
    return [str(sentence) for sentence in said] if isinstance(said, list) else []


def _file(path: str) -> str:
    if not Path(path).is_file():
        return shown(path)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{shown(path)} (SHA-256 {digest[:16]}...)"


def _flatten(name: str, value: Any, found: list[tuple[str, str]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(f"{name}: {key}", inner, found)
    elif isinstance(value, list):
        if value:
            listed = [one if isinstance(one, str) else json.dumps(one) for one in value[:_MOST_LISTED]]
            found.append((name, " ".join(listed)))
    elif value is not None:
        found.append((name, str(value)))
