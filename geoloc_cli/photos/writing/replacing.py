"""A file replaced whole or not at all, and the journal that is written before, by which it is put back.

At any moment the file is the old one or the new one: the new one is written beside it, synced, and renamed.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geoloc_cli.errors import NotWritable, UsageError
from geoloc_cli.index.files import room, sync_folder
from geoloc_cli.photos.opening import shown
from geoloc_cli.photos.writing.splices import Splice, Tangled, applied, inverse

SCHEMA = "geoloc.undo/1"
_TEMPORARY = re.compile(r"\.geoloc-(\d+)-\d+\.tmp")
_COUNT = itertools.count()
# Where exiftool keeps the original, too, and finds it again (-restore_original).
_BACKUP = "_original"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one file, `path` its real and absolute one; `before` is None where there is no file yet."""

    photo: str
    path: str
    before: bytes | None
    splices: Sequence[Splice]

    @property
    def after(self) -> bytes:
        return applied(self.before or b"", self.splices)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Journal:
    """Lines of JSON, one a change, each on the disk before its change begins."""

    def __init__(self, file: str) -> None:
        path = Path(file)
        try:
            # A line that an interruption tore was of a change that did not begin; the next one starts afresh.
            torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
            new = not path.exists()
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb")
        except OSError as error:
            raise UsageError(
                f"--undo {shown(file)} cannot be written ({error.strerror}); name another file."
            ) from error
        if torn:
            self._file.write(b"\n")
        if new:
            sync_folder(path.absolute().parent)

    def note(self, change: Change, after: bytes) -> None:
        """Keeps what is needed to undo a change."""
        before = change.before
        back = inverse(before or b"", change.splices)
        row = {
            "schema": SCHEMA,
            "photo": change.photo,
            "path": change.path,
            "before": None if before is None else sha256(before),
            "after": sha256(after),
            "mtime_ns": None if before is None else Path(change.path).stat().st_mtime_ns,
            "back": [[s.start, s.stop, base64.b64encode(s.data).decode()] for s in back],
        }
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def make(change: Change, journal: Journal | None, *, backup: bool = False, keep_mtime: bool = False) -> None:
    """Makes a change. Raises NotWritable where the file is another one by now, OSError as it comes."""
    after = change.after
    with room(Path(change.path).parent):
        if journal:
            journal.note(change, after)
        replace(Path(change.path), change.before, after, backup=backup, keep_mtime=keep_mtime)


def replace(path: Path, before: bytes | None, after: bytes, *, backup: bool = False, keep_mtime: bool = False) -> None:
    """Puts `after` in the place of a file that holds `before`, with its mode, owner and extended attributes."""
    temporary = path.with_name(f".geoloc-{os.getpid()}-{next(_COUNT)}.tmp")
    try:
        mode = 0o666 if before is None else 0o600
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(after)
            out.flush()
            if before is not None:
                _like(path, temporary, keep_mtime)
            os.fsync(out.fileno())
        if (path.read_bytes() if path.exists() else None) != before:
            raise NotWritable(f"{shown(str(path))} was changed by another program meanwhile; tag it again.")
        if backup and before is not None:
            _keep_original(path)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _like(path: Path, temporary: Path, keep_mtime: bool) -> None:
    status = path.stat()
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copystat(path, temporary)
    if not keep_mtime:
        os.utime(temporary)


def _keep_original(path: Path) -> None:
    """A second name of the file, or a copy where the disk knows no such thing; the first original stays."""
    original = path.with_name(f"{path.name}{_BACKUP}")
    if original.exists():
        return
    try:
        os.link(path, original)
    except OSError:
        shutil.copy2(path, original)


def sweep(folder: Path) -> None:
    """Takes away what runs that were killed in the midst of a write left in a folder."""
    for path in folder.iterdir():
        match = _TEMPORARY.fullmatch(path.name)
        if match and not _runs(int(match[1])):
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@dataclass(frozen=True, slots=True)
class Undo:
    """One line of a journal; `back` makes the file of before of the one of after."""

    photo: str
    path: str
    before: str | None
    after: str
    mtime_ns: int | None
    back: tuple[Splice, ...]


def read_journal(file: str) -> tuple[list[Undo], int]:
    """The changes of a journal, the last one first, and how many lines were torn. UsageError where it is none."""
    try:
        lines = Path(file).read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{shown(file)} cannot be read ({error.strerror}); give the file of --undo.") from error
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, binascii.Error):
            row = json.loads(line)
            if row["schema"] == SCHEMA:
                back = tuple(Splice(start, stop, base64.b64decode(data)) for start, stop, data in row["back"])
                found.append(Undo(row["photo"], row["path"], row["before"], row["after"], row["mtime_ns"], back))
    if lines and not found:
        raise UsageError(f"{shown(file)} is no journal of `geoloc tag`; give the file of --undo.")
    return found[::-1], len(lines) - len(found)


def restore(undo: Undo, *, dry_run: bool = False) -> bool:
    """Puts a file back as it was before a change; False where it is so already. NotWritable where it is neither."""
    path = Path(undo.path)
    now = path.read_bytes() if path.exists() else None
    if (None if now is None else sha256(now)) == undo.before:
        return False
    if now is None or sha256(now) != undo.after:
        what = "is gone" if now is None else "was changed after it was tagged"
        raise NotWritable(f"{shown(undo.path)} {what}, and is left as it is; put it back from a copy of your own.")
    try:
        old = applied(now, undo.back)
    except Tangled as error:
        raise NotWritable(f"{shown(undo.path)} is left as it is: the journal's line of it is damaged.") from error
    if undo.before is not None and sha256(old) != undo.before:
        raise NotWritable(f"{shown(undo.path)} is left as it is: the journal's line of it is damaged.")
    if dry_run:
        return True
    if undo.before is None:
        path.unlink()
        sync_folder(path.parent)
        return True
    with room(path.parent):
        replace(path, now, old)
    if undo.mtime_ns is not None:
        os.utime(path, ns=(path.stat().st_atime_ns, undo.mtime_ns))
    return True
