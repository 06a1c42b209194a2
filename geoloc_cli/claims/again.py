"""An evidence pack weighed again, and what differs: files, versions, photos, index, verdicts, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geoloc_cli.claims.check import Asked, Checked, CheckOptions, Unchecked, check_claims, options_of
from geoloc_cli.claims.pack import CHECKS, PHOTOS, RECORD, SCHEMA, SUMS, Done, pack_record
from geoloc_cli.claims.record import asked_of_json, to_json
from geoloc_cli.contracts import ParallelMap
from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.photos.opening import shown
from geoloc_cli.pipeline.asking import spec_of
from geoloc_cli.pipeline.extract import fingerprint
from geoloc_cli.pipeline.provenance import Difference, differences, settled, told

# What is text made of the numbers, and so differs with them.
_TEXTS = ("statement", "ran")
# Names under which the same files may lie elsewhere.
_PLACES = ("photo", "error")
# A kilometre of latitude in degrees, and of longitude at the equator.
_KM_DEG = 0.009


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack as it lies in its folder. `changed` are files that are no longer what `SHA256SUMS` says."""

    folder: Path
    record: Mapping[str, Any]
    checks: tuple[dict[str, Any], ...]
    options: CheckOptions
    asked: tuple[Asked | Unchecked, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repetition:
    """How claims weighed again compare with a pack. `verdicts` is whether all are the same; `numbers` tells what else
    of the records differs, by the number of the claim; `things` what it was made of and by.
    """

    claims: int
    changed: tuple[str, ...]
    verdicts: tuple[Difference, ...]
    numbers: tuple[Difference, ...]
    things: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether the pack is whole, and every verdict and number came out as it says."""
        return not (self.changed or self.verdicts or self.numbers)

    def sentences(self) -> list[str]:
        """What there is to say, the verdicts first."""
        same = "The verdict is" if self.claims == 1 else f"All {self.claims} verdicts are"
        said = [f"{same} the same." if not self.verdicts else f"Verdicts differ: {told(self.verdicts)}."]
        if self.numbers:
            said.append(f"{len(self.numbers)} numbers or names differ, such as {told(self.numbers)}.")
        else:
            said.append("Every likelihood ratio and every other number is the same within the tolerance.")
        if self.changed:
            said.append(f"Files of the pack were changed since it was written: {', '.join(map(shown, self.changed))}.")
        if self.things:
            said.append(f"It was made of or by something else: {told(self.things)}.")
        return said


def read_pack(folder: str) -> Pack:
    """Raises UsageError where a folder holds no pack, or not a whole one."""
    home = Path(folder)
    try:
        record = json.loads((home / RECORD).read_bytes())
        if record["schema"] != SCHEMA:
            raise UsageError(f"{shown(folder)} says schema {record['schema']!r}; this version reads {SCHEMA!r}.")
        checks = tuple(json.loads(line) for line in (home / CHECKS).read_text(encoding="utf-8").splitlines())
        asked = tuple(asked_of_json(said) for said in record["claims"])
        if len(checks) != len(asked):
            raise ValueError(f"{len(checks)} verdicts of {len(asked)} claims")
        return Pack(home, record, checks, options_of(record["options"]), asked, _changed(home))
    except OSError as error:
        raise UsageError(f"{shown(folder)} holds no evidence pack ({error.strerror}: {error.filename}).") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{shown(folder)} holds no whole evidence pack ({error!r}).") from error


def _changed(home: Path) -> tuple[str, ...]:
    found = []
    for line in (home / SUMS).read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError(f"{SUMS} names {name}")
        try:
            same = fingerprint(str(home / name))[0] == digest
        except PhotoError:
            same = False
        if not same:
            found.append(name)
    return tuple(found)


def repeat(
    pack: Pack,
    parallel_map: ParallelMap,
    photos: Sequence[str] = (),
    index: str | None = None,
    priors: Sequence[str] = (),
    cache: str | None = None,
    tolerance: float = 1e-3,
) -> Repetition:
    """Weighs a pack's claims again. photos: where its photos are now, known by their hash; index: a folder instead of
    the recorded one, of an index or, where the pack rests on one, of a map; priors: those to be asked again. A pack may
    come from anybody, and what a prior is asked may leave this machine: so none is asked that is not named here too.
    Raises UsageError where others are named than the pack rests on.

    tolerance: by how much numbers may differ, as a share of the greater, and by itself below one; places by that share
    of a kilometre.
    """
    options = replace(pack.options, priors=tuple(priors))
    if [spec_of(text).name for text in priors] != [spec_of(text).name for text in pack.options.priors]:
        named = " ".join(f"--prior {shown(text)}" for text in pack.options.priors) or "none"
        raise UsageError(f"The pack rests on these priors: {named}; name the same, which are asked only so.")
    if index is not None:
        options = replace(options, map=index) if options.map is not None else replace(options, index=index)
    found = _by_content(photos)
    for copy in sorted((pack.folder / PHOTOS).glob("*")) if (pack.folder / PHOTOS).is_dir() else ():
        found.setdefault(copy.stem, str(copy))
    asked = [
        one if isinstance(one, Unchecked) else (found.get(str(said.get("sha256")), one[0]), one[1])
        for one, said in zip(pack.asked, pack.record["claims"], strict=True)
    ]
    _all_there(pack, asked)
    done = list(check_claims(asked, options, parallel_map, cache))
    now = [json.loads(json.dumps(to_json(one, options))) for one in done]
    return Repetition(
        len(done),
        pack.changed,
        tuple(d for i, pair in enumerate(zip(pack.checks, now, strict=True)) for d in _verdicts(i, *pair)),
        tuple(
            d
            for i, (then, again) in enumerate(zip(pack.checks, now, strict=True))
            for d in differences(_numbers(then), _numbers(again), f"claim {i + 1}", as_good_as(tolerance))
        ),
        tuple(_things(pack.record, pack_record(done, options, ()), done)),
    )


def _all_there(pack: Pack, asked: Sequence[Asked | Unchecked]) -> None:
    """Raises UsageError where a photo that was weighed is neither at its place, nor given, nor in the pack."""
    for one, check in zip(asked, pack.checks, strict=True):
        if not isinstance(one, Unchecked) and check["status"] == "ok" and not Path(one[0]).is_file():
            raise UsageError(f"{shown(one[0])}, of which the pack tells, is not there; say where it is with --photo.")


def as_good_as(tolerance: float) -> Callable[[str, Any, Any], bool]:
    """For `differences`: whether two numbers are as good as equal, by the tolerance of `repeat`."""

    def same(name: str, then: Any, now: Any) -> bool:
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (then, now)):
            return False
        if name.rpartition(".")[2] in ("lat", "lon"):
            return bool(abs(then - now) <= tolerance * _KM_DEG)
        return bool(abs(then - now) <= tolerance * max(1.0, abs(then), abs(now)))

    return same


def _by_content(photos: Sequence[str]) -> dict[str, str]:
    """Paths by the SHA-256 of their files. Raises UsageError where one cannot be read."""
    try:
        return {fingerprint(path)[0]: path for path in photos}
    except PhotoError as error:
        raise UsageError(str(error)) from error


def _verdicts(number: int, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    return list(differences(then["verdict"], now["verdict"], f"claim {number + 1}"))


def _numbers(check: Mapping[str, Any]) -> dict[str, Any]:
    """A record without its texts, its times, and the names of where files lie."""
    kept = {key: value for key, value in check.items() if key not in (*_TEXTS, *_PLACES, "verdict", "fix")}
    kept["evidence"] = [{k: v for k, v in piece.items() if k != "said"} for piece in check["evidence"]]
    if check["fix"] is not None:
        kept["fix"] = {key: value for key, value in settled(check["fix"]).items() if key not in _PLACES}
    return kept


def _things(then: Mapping[str, Any], now: Mapping[str, Any], done: Done) -> list[Difference]:
    """Versions, the machine, the index and the map by what they hold, and photos that are other files."""
    found = list(differences(then["made_by"], now["made_by"])) + list(
        differences(then["platform"], now["platform"], "platform")
    )
    for kind in ("index", "map"):
        found += differences(_content(then[kind]), _content(now[kind]), kind)
    for number, (said, one) in enumerate(zip(then["claims"], done, strict=True), 1):
        if isinstance(one, Checked):
            found += differences(said.get("sha256"), one.sha256, f"photo of claim {number}")
    return found


def _content(said: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (said or {}).items() if key != "folder"}
