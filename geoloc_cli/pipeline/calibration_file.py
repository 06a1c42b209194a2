"""A calibration on disk, schema `geoloc.calibration/1`: what was learned, of what, and whether it fits a run.

It lies in the folder of the index that it was learned with, beside what the index counts as its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoloc_cli.errors import UsageError
from geoloc_cli.index.files import write_durable
from geoloc_cli.index.reader import Index
from geoloc_cli.models.catalogue import spec_for_model
from geoloc_cli.pipeline.calibrated import Calibration, backend_key, calibration_of, prior_key
from geoloc_cli.pipeline.describer import identity_of
from geoloc_cli.registry import parse

SCHEMA = "geoloc.calibration/1"
NAME = "calibration.json"
# Instead of a file's name: nothing is calibrated.
NONE = "none"
# Ten million labelled photos take 30 bytes each.
_LONGEST_BYTES = 300_000_000
# An index that holds more than this many times the photos is another one: what is similar in it is no longer the same.
MOST_GROWTH = 2.0
# What people state for a run of theirs, and nobody can measure.
STATED = {"near", "exif"}


@dataclass(frozen=True, slots=True)
class Stored:
    """A calibration and where it comes from.

    `searched` is {"describer", "photos", "retriever", "matcher"} of the index, None where there was none; `provenance`
    what else the file says: when, by which command and versions, on how many photos, and the figures of before and
    after.
    """

    calibration: Calibration
    searched: dict[str, Any] | None
    provenance: dict[str, Any]

    @property
    def told(self) -> str:
        """In a few words, for a person."""
        return f"{self.provenance['photographs']} photographs, {self.provenance['created_at'][:10]}"


def searched_in(index: Index, retriever: str, matcher: str) -> dict[str, Any]:
    """What a calibration that is learned with an index depends on."""
    return {
        "describer": json.loads(json.dumps(identity_of(index.manifest.describer))),
        "photos": len(index),
        "retriever": backend_key("retriever", parse(retriever)),
        "matcher": backend_key("matcher", spec_for_model("matcher", matcher)),
    }


def write_calibration(path: Path, stored: Stored) -> None:
    """Writes the file whole or not at all. Raises UsageError where it cannot be written."""
    body = {
        "schema": SCHEMA,
        **stored.provenance,
        "searched": stored.searched,
        **stored.calibration.as_json(),
    }
    try:
        write_durable(path.parent, path.name, [json.dumps(body, indent=1, allow_nan=False).encode() + b"\n"])
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); name another file with --calibration."
        ) from error


def read_calibration(path: Path) -> Stored:
    """Raises UsageError where the file cannot be read, is none, or is of a newer version."""
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            raise ValueError("too long")
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA:
            raise UsageError(
                f"{path} says schema {body['schema']!r}, and this version reads {SCHEMA!r}; calibrate again."
            )
        learned = calibration_of(body)
        searched = body["searched"]
        if searched is not None:
            searched = {key: searched[key] for key in ("describer", "photos", "retriever", "matcher")}
            searched["photos"] = int(searched["photos"])
        own = {"schema", "searched", "priors", "stages", "dependence", "folds", "photos"}
        provenance = {key: value for key, value in body.items() if key not in own}
        provenance |= {"photographs": int(body["photographs"]), "created_at": str(body["created_at"])}
        return Stored(learned, searched, provenance)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a calibration, or none.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path} is no calibration of this program; make one with `geoloc evaluate --calibrate`, or give "
            "--calibration none."
        ) from error


def told_of(folder: str | Path) -> str | None:
    """What an index's own calibration was learned of; None where it has none that can be read."""
    try:
        return f"on {read_calibration(Path(folder) / NAME).told}"
    except UsageError:
        return None


def misfit(stored: Stored, now: dict[str, Any]) -> str | None:
    """Why a calibration is not for a run in an index (`searched_in`); None where it is."""
    then = stored.searched
    if then is None:
        return None
    if then["describer"] != now["describer"]:
        return "the index's photos are described otherwise than when it was learned"
    for part in ("retriever", "matcher"):
        if then[part] != now[part]:
            return f"it was learned with the {part} {then[part]}, and this is {now[part]}"
    if now["photos"] > MOST_GROWTH * then["photos"]:
        return f"the index has grown from {then['photos']} photos to {now['photos']}"
    return None


def unknown_priors(stored: Stored, keys: Sequence[str]) -> list[str]:
    """Of the priors of a run (`prior_key`), those of which a calibration knows nothing, and could."""
    known = stored.calibration.whole.priors
    return [key for key in keys if key not in known and parse(key).name not in STATED]


def file_of(chosen: str | None, index: str | None) -> Path | None:
    """The file that is meant: the one that is named, else the index's own, whether it is there or not."""
    if chosen == NONE:
        return None
    return Path(chosen) if chosen else Path(index) / NAME if index else None


def fitting(
    chosen: str | None,
    priors: Sequence[str],
    index: str | None,
    retriever: str,
    matcher: str,
    say: Callable[[str], None],
) -> Stored | None:
    """What is to be applied to a run; of what does not fit it, and is left out, `say` is told in one sentence.

    chosen: as of `file_of`. Raises UsageError where a named file is none.
    """
    path = file_of(chosen, index)
    if path is None or (chosen is None and not path.is_file()):
        return None
    try:
        stored = read_calibration(path)
    except UsageError as error:
        if chosen:
            raise
        say(f"Nothing is calibrated: {error}")
        return None
    if index is not None:
        with Index.open(index) as opened:
            why = misfit(stored, searched_in(opened, retriever, matcher))
        if why:
            say(f"{path} is not used: {why}; learn it anew with `geoloc evaluate --calibrate`.")
            return None
    strange = unknown_priors(stored, [prior_key(text) for text in priors])
    if strange:
        say(f"{path} knows nothing of {', '.join(strange)}: what that says is taken at its word.")
    return stored
