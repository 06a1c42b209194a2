"""One file from its URL: continued where an earlier attempt stopped, and verified before it is given its name."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geoloc_cli import __version__
from geoloc_cli.errors import DiskFull, WeightsMismatch, WeightsMissing
from geoloc_cli.index.files import room, sha256_of, sync_folder

Step = Callable[[int, int | None], None]
"""Told the bytes that are there, and of how many, where that is known."""

_BLOCK = 1 << 20
_TIMEOUT_S = 60
# Attempts in a row that bring nothing before the fetch gives up, and the pause after each, in seconds times its number.
_PATIENCE = 3
_PAUSE_S = 1.0
# Of a server that may answer otherwise in a moment.
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Remote:
    """What is fetched: its URL, its size and SHA-256 where they are known, and whose it is, for messages.

    schemes: those that the URL and what it redirects to may have.
    """

    url: str
    owner: str
    size_bytes: int | None = None
    sha256: str = ""
    schemes: tuple[str, ...] = ("https",)

    @property
    def host(self) -> str:
        """All of the URL that a message may say: a user's own may hold credentials."""
        return urlsplit(self.url).hostname or "its URL"


class _Passing(Exception):
    """The server, or the way to it, failed in a way that may be over soon."""


def fetch(remote: Remote, target: Path, step: Step = lambda done, total: None) -> str:
    """Brings the file to `target`, and returns its SHA-256.

    Until it is whole and verified it is `<target>.part`, which a later call continues. What lay at `target` is replaced
    at once or not at all. Raises WeightsMissing where it cannot be had, WeightsMismatch where what is sent is another
    file, and DiskFull.
    """
    from filelock import FileLock

    folder = target.parent
    with room(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock")):
            if remote.sha256 and target.is_file() and sha256_of(target) == remote.sha256:
                return remote.sha256
            part = _Part(target.with_name(f"{target.name}.part"))
            _complete(remote, part, step)
            digest = _verified(remote, part)
            part.path.replace(target)
            part.forget()
            sync_folder(folder)
    return digest


class _Part:
    """The beginning of a file, and beside it the validator of the version that it is the beginning of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tag = path.with_name(f"{path.name}.tag")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str:
        """What `If-Range` takes: a strong ETag or a date; empty where the part cannot be continued."""
        return self._tag.read_text(encoding="latin-1") if self._tag.is_file() else ""

    def begin(self, headers: HTTPMessage) -> None:
        """Notes the version that is sent. A weak ETag says that another file may be as good: not to continue one."""
        tag = headers.get("ETag", "")
        validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
        self._tag.write_text(validator, encoding="latin-1")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def _complete(remote: Remote, part: _Part, step: Step) -> None:
    opener = urllib.request.build_opener(_Redirects(remote))
    idle = 0
    while True:
        before = part.size()
        try:
            if _transfer(remote, part, opener, step):
                return
            why = "the connection broke"
        except _Passing as error:
            why = str(error)
        idle = 0 if part.size() > before else idle + 1
        if idle >= _PATIENCE:
            raise WeightsMissing(
                f"{remote.owner} cannot be fetched from {remote.host} now ({why}); "
                + ("run the same command again, and it goes on." if part.size() else "try again later.")
            )
        time.sleep(idle * _PAUSE_S)


def _transfer(remote: Remote, part: _Part, opener: urllib.request.OpenerDirector, step: Step) -> bool:
    """One request for what is lacking; returns whether the part is the whole file now."""
    have = part.size() if part.validator() else 0
    if have and have == remote.size_bytes:
        return True
    headers = {"User-Agent": f"geoloc/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": part.validator()}
    try:
        with opener.open(urllib.request.Request(remote.url, headers=headers), timeout=_TIMEOUT_S) as answer:
            return _receive(remote, part, have, answer, step)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return True
            part.forget()
            return False
        if error.code in _PASSING:
            raise _Passing(f"status {error.code}") from None
        raise WeightsMissing(
            f"{remote.owner} cannot be fetched: {remote.host} answers with status {error.code}; see its page, and give "
            "the file by hand with `?weights=FILE`."
        ) from None
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        # A refused connection stands in `reason`; texts of other errors may repeat the URL.
        cause = getattr(error, "reason", error)
        raise _Passing((cause.strerror if isinstance(cause, OSError) else "") or type(cause).__name__) from None


def _receive(remote: Remote, part: _Part, have: int, answer: Any, step: Step) -> bool:
    if answer.status != 206:
        have = 0
    elif not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        part.forget()
        return False
    length = answer.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() else None
    if remote.size_bytes and total and total != remote.size_bytes:
        part.forget()
        raise _other(remote, f"it has {total} bytes, and should have {remote.size_bytes}")
    if total and shutil.disk_usage(part.path.parent).free < total - have:
        raise DiskFull(
            f"{remote.owner} needs {(total - have) / 1e6:.0f} MB, for which there is no room on the disk of "
            f"{part.path.parent}; free some space, or name another folder in GEOLOC_MODELS."
        )
    part.begin(answer.headers)
    with part.path.open("ab" if have else "wb") as out:
        step(have, total)
        while block := answer.read(_BLOCK):
            out.write(block)
            have += len(block)
            step(have, total)
        out.flush()
        os.fsync(out.fileno())
    return total is None or have == total


def _verified(remote: Remote, part: _Part) -> str:
    """The SHA-256 of a whole part; one that is another file is thrown away."""
    digest, size = hashlib.sha256(), 0
    with part.path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            size += len(block)
    if remote.size_bytes and size != remote.size_bytes:
        part.forget()
        raise _other(remote, f"it has {size} bytes, and should have {remote.size_bytes}")
    if remote.sha256 and digest.hexdigest() != remote.sha256:
        part.forget()
        raise _other(remote, f"its SHA-256 begins with {digest.hexdigest()[:12]}, and should with {remote.sha256[:12]}")
    return digest.hexdigest()


def _other(remote: Remote, why: str) -> WeightsMismatch:
    return WeightsMismatch(
        f"What {remote.host} sends is not the file of {remote.owner} ({why}); it was thrown away, and what was here "
        "before is untouched: try another network, or ask the authors whether they changed it."
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to addresses of the same security alone."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme not in self._remote.schemes:
            raise WeightsMissing(
                f"{self._remote.owner} cannot be fetched: {self._remote.host} redirects to an address that is not "
                "https; see its page, and give the file by hand with `?weights=FILE`."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
