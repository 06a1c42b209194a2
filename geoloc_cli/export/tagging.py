"""Fixes written into their photographs, or into sidecars beside them: which, what, and why not.

A wrong geotag is worse than none, so that whatever is doubtful is left out: a photo that says a place already, an
answer less sure than asked for, a file that cannot be changed without harm.
"""

# Names stay the strings that the user gave.
# ruff: noqa: PTH110, PTH118

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geoloc_cli.errors import NotWritable, PhotoError, PhotoNotFound, UsageError
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.photos.opening import Kind, open_picture, shown
from geoloc_cli.photos.writing.gps_tags import Geotag, geotag
from geoloc_cli.photos.writing.in_exif import exif_splices
from geoloc_cli.photos.writing.replacing import Change, Journal, make, sweep
from geoloc_cli.photos.writing.sidecars import says_position, sidecar_of, sidecar_splices
from geoloc_cli.photos.writing.splices import Tangled
from geoloc_cli.types import Failure, Fix

Where = Literal["sidecar", "exif"]
# A file is taken into memory, and its change is made there.
_MAX_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TagOptions:
    """How photographs are tagged.

    Only answers of at least `min_confidence`, and of a radius (90 %) of at most `max_radius_m`, are written.
    Relative names count from `root`, and nothing outside of it is touched. `located_at` is when the answers were
    written, in seconds since 1970: a photo changed later may be another one. `undulation_m`: see `gps_tags.geotag`.
    """

    write: Where = "sidecar"
    min_confidence: float = 0.9
    max_radius_m: float | None = None
    overwrite: bool = False
    backup: bool = False
    keep_mtime: bool = False
    dry_run: bool = False
    root: str | None = None
    undulation_m: float | None = None
    located_at: float | None = None

    def check(self) -> None:
        """Raises UsageError where a value makes no sense."""
        if self.write not in ("sidecar", "exif"):
            raise UsageError(f"--write {self.write} is not known; give sidecar or exif.")
        if not 0.0 <= self.min_confidence <= 1.0:
            raise UsageError(f"--min-confidence {self.min_confidence:g} is no probability; give one from 0 to 1.")
        if self.max_radius_m is not None and not self.max_radius_m > 0.0:
            raise UsageError(f"--max-radius {self.max_radius_m:g} is no length; give metres above 0.")
        if self.undulation_m is not None and not abs(self.undulation_m) <= 120.0:
            raise UsageError(f"--undulation-m {self.undulation_m:g} is nowhere on the Earth; it is within 107 m.")
        if self.root is not None and not Path(self.root).is_dir():
            raise UsageError(f"--root {shown(self.root)} is no folder; name the one that holds the photos.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one answer: written to `target`, skipped or failed, and why; `notes` are doubts about it."""

    photo: str
    what: Literal["written", "skipped", "failed"]
    reason: str | None = None
    target: str | None = None
    tag: Geotag | None = None
    notes: tuple[str, ...] = ()


class Tagger:
    """Tags one photo after another; the photos and folders that it has met are what it remembers."""

    def __init__(self, options: TagOptions, journal: Journal | None = None) -> None:
        options.check()
        self._options, self._journal = options, journal
        self._seen: set[str] = set()
        self._swept: set[Path] = set()

    def tag_all(self, answers: Iterable[Fix | Failure]) -> Iterator[Outcome]:
        """An outcome for each answer, in their order."""
        return (self.tag(answer) for answer in answers)

    def tag(self, answer: Fix | Failure) -> Outcome:
        """Writes one answer, or says why not."""
        reason = self._unfit(answer)
        if reason or isinstance(answer, Failure):
            return Outcome(answer.photo, "skipped", reason)
        try:
            return self._tag(answer)
        except PhotoError as error:
            return Outcome(answer.photo, "failed", str(error))
        except OSError as error:
            sentence = f"{shown(answer.photo)} cannot be written ({error.strerror}); check the folder and its rights."
            return Outcome(answer.photo, "failed", sentence)

    def _unfit(self, answer: Fix | Failure) -> str | None:
        """Why an answer is not to be written, whatever the photo says."""
        options = self._options
        if isinstance(answer, Failure):
            return "not located: an error"
        if answer.status != "ok":
            return "not located"
        if answer.lat is None or answer.lon is None or answer.radius_m is None:
            return "its place is withheld" if answer.disclosed else "its place is nowhere on the Earth"
        if answer.confidence < options.min_confidence:
            return "less sure than --min-confidence"
        if options.max_radius_m is not None and answer.radius_m > options.max_radius_m:
            return "wider than --max-radius"
        return None

    def _tag(self, fix: Fix) -> Outcome:
        options = self._options
        path = self._inside(fix.photo)
        if path in self._seen:
            return Outcome(fix.photo, "skipped", "named before")
        self._seen.add(path)
        photo = read_photo(path)
        sidecar = self._inside(sidecar_of(path))
        packet = _read(sidecar) if os.path.exists(sidecar) else None
        try:
            beside = packet is not None and says_position(packet)
        except Tangled as error:
            raise NotWritable(f"{shown(sidecar)} is left as it is: {error}; repair or remove it.") from error
        if (photo.position or beside) and not options.overwrite:
            return Outcome(fix.photo, "skipped", "says a position already")
        if beside and options.write == "exif":
            raise NotWritable(f"{shown(sidecar)} says a position, which would win; use --write sidecar.")
        tag = geotag(fix, options.undulation_m)
        change = self._sidecar(fix, sidecar, packet, tag) if options.write == "sidecar" else self._exif(fix, path, tag)
        notes = self._doubts(path, fix, tag)
        if not options.dry_run:
            self._sweep(Path(change.path).parent)
            make(change, self._journal, backup=options.backup, keep_mtime=options.keep_mtime)
        return Outcome(fix.photo, "written", None, change.path, tag, notes)

    def _inside(self, name: str) -> str:
        """The real path of a photo or a sidecar. Raises NotWritable where it is outside of the root."""
        root = self._options.root
        try:
            path = os.path.realpath(name if root is None else os.path.join(root, name))
        except ValueError as error:  # a NUL in it
            raise PhotoNotFound(f"{shown(name)} is no name of a file; check the line.") from error
        if root is not None and not Path(path).is_relative_to(os.path.realpath(root)):
            raise NotWritable(f"{shown(name)} is outside of --root {shown(root)}, and is left alone.")
        return path

    def _sidecar(self, fix: Fix, path: str, packet: bytes | None, tag: Geotag) -> Change:
        try:
            return Change(fix.photo, path, packet, sidecar_splices(packet, tag))
        except Tangled as error:
            raise NotWritable(f"{shown(path)} is left as it is: {error}; repair or remove it.") from error

    def _exif(self, fix: Fix, path: str, tag: Geotag) -> Change:
        with open_picture(path) as picture:
            kind: Kind = picture.kind
        data = _read(path)
        try:
            return Change(fix.photo, path, data, exif_splices(path, kind, data, tag))
        except Tangled as error:
            raise NotWritable(f"{shown(path)} is left as it is: {error}; use --write sidecar.") from error

    def _doubts(self, path: str, fix: Fix, tag: Geotag) -> tuple[str, ...]:
        located_at, notes = self._options.located_at, []
        if located_at is not None and Path(path).stat().st_mtime > located_at:
            notes.append("it was changed after it was located")
        if fix.alt_m is not None and tag.alt_m is None:
            notes.append(f"its altitude is left out: no photo is taken {fix.alt_m:g} m above the ellipsoid")
        return tuple(notes)

    def _sweep(self, folder: Path) -> None:
        if folder not in self._swept:
            self._swept.add(folder)
            sweep(folder)


def _read(path: str) -> bytes:
    try:
        if Path(path).stat().st_size > _MAX_BYTES:
            raise NotWritable(f"{shown(path)} is over 1 GiB, and is left as it is; use --write sidecar.")
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise PhotoNotFound(f"{shown(path)} does not exist; check the name, or whether it was moved.") from error
