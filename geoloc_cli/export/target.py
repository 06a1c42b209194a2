"""Writing an export's file or folder: whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.index.files import room, sync_folder
from geoloc_cli.photos.opening import shown


def put_file(path: Path, content: bytes) -> None:
    """Writes a file, or replaces it at once; what is no plain file, as a pipe, is written into.

    Raises UsageError where it cannot be written, and DiskFull.
    """
    with _told(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()  # a link stays one
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".geoloc-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            temporary.replace(target)
            sync_folder(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def put_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Makes a folder of files; one that holds anything is refused, as by `geoloc map export`."""
    with _told(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"--out {shown(str(path))} is there already; give another, new name.")
        temporary = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=".geoloc-"))
        try:
            for name, content in files.items():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                put_file(temporary / name, content)
            temporary.chmod(0o777 & ~_umask())
            temporary.replace(path)
            sync_folder(path.absolute().parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        with room(path.parent):
            yield
    except OSError as error:
        where = shown(str(path))
        raise UsageError(f"{where} cannot be written ({error.strerror}); give another, new name.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
