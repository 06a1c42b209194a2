"""Opening a picture's file safely: what it is by its first bytes, how large it says it is, nothing decoded.

Only five formats are ever handed to a decoder, whatever the file's name ends in. Every way in which a file can be
wrong becomes a PhotoError, and what Pillow would print on the terminal becomes a note.
"""

from __future__ import annotations

import io
import logging
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from geoloc_cli.errors import MissingExtra, NotAPhoto, PhotoError, PhotoNotFound, PhotoTooLarge
from geoloc_cli.photos.heic import open_heif

Kind = Literal["JPEG", "PNG", "WEBP", "TIFF", "HEIF"]

# The largest phone pictures have 200 million pixels; 250 million in grey need 250 MB.
MAX_PIXELS = 250_000_000
# From 50 million pixels on, a picture that packs over 2000 of them in a byte is a trap or blank: JPEG's flattest
# possible block still takes a byte for 57 pixels, and PNG's deflate a byte for 1032 bytes.
_SUSPECT_PIXELS, _SUSPECT_PIXELS_PER_BYTE = 50_000_000, 2000
# WebP and HEIF decoders take the whole file into memory.
_MAX_WHOLE_BYTES = 512 * 1024 * 1024
# A sane header takes some hundred reads and a TIFF one a strip; junk that is searched byte by byte takes millions.
_MAX_READS = 500_000
_MAX_NOTES, _MAX_NOTE_CHARS = 3, 160
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"))
_OTHER_KINDS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL"),
)


def shown(path: str) -> str:
    """A file name fit for one line of a message: line ends, control characters and undecodable bytes escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path)


class _CountedReader(io.BufferedReader):
    """Gives up on a file that makes its parser read without end, some bytes at a time."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise ValueError(f"its parts are so small that {_MAX_READS} reads did not reach the end")
        return super().read(size)


@dataclass(slots=True)
class Picture:
    """A picture whose header was read. `size` is as the header of the decoder gives it, `notes` grow as it is read."""

    path: str
    kind: Kind
    image: Image.Image
    file: BinaryIO
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size


@contextmanager
def open_picture(path: str) -> Iterator[Picture]:
    """The header of a picture; pixels are decoded only when the caller loads `image`.

    Whatever goes wrong here or in the `with` block leaves as a PhotoError with one sentence. Warnings and log lines of
    Pillow are kept as notes. Warning filters belong to the process: threads that read pictures side by side may
    mix up notes of theirs, nothing else.
    """
    notes: list[str] = []
    with _file(path) as file, _quiet(notes):
        try:
            picture = Picture(path, *_open(path, file), file, notes)
            _check_size(picture)
            yield picture
        except PhotoError:
            raise
        except Exception as error:
            raise _as_photo_error(path, error) from error


def _file(path: str) -> BinaryIO:
    name = shown(path)
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise PhotoNotFound(f"{name} is a folder, not a photo; name the photos in it, or the folder without glob.")
        if not stat.S_ISREG(status.st_mode):
            raise PhotoNotFound(f"{name} is not a regular file; give a photo's file.")
        if status.st_size == 0:
            raise NotAPhoto(f"{name} is empty; copy it again from where it came from.")
        return _CountedReader(io.FileIO(path))
    except FileNotFoundError as error:
        raise PhotoNotFound(f"{name} does not exist; check the name, or whether it was moved.") from error
    except PermissionError as error:
        raise PhotoNotFound(f"{name} may not be read; allow reading it (chmod +r).") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PhotoNotFound(f"{name} cannot be opened ({reason}); check the name.") from error


def _open(path: str, file: BinaryIO) -> tuple[Kind, Image.Image]:
    start = file.read(16)
    file.seek(0)
    kind = _kind(start)
    if kind is None:
        looks = next((f" ({words})" for magic, words in _OTHER_KINDS if start.startswith(magic)), "")
        raise NotAPhoto(
            f"{shown(path)} is not a picture that is read{looks}; convert it to JPEG, PNG, WebP, TIFF or HEIC."
        )
    if kind in ("WEBP", "HEIF") and os.fstat(file.fileno()).st_size > _MAX_WHOLE_BYTES:
        raise PhotoTooLarge(f"{shown(path)} is over {_MAX_WHOLE_BYTES // 2**20} MiB; save it smaller.")
    openers: dict[Kind, Callable[[BinaryIO], Image.Image]] = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "HEIF": open_heif,
    }
    try:
        return kind, openers[kind](file)
    except MissingExtra as error:
        raise NotAPhoto(f"{shown(path)} is a HEIC picture; pip install 'geoloc[heic]' to read it.") from error


def _kind(start: bytes) -> Kind | None:
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith((b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")):
        return "TIFF"
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
        return "HEIF"
    return None


def _check_size(picture: Picture) -> None:
    width, height = picture.size
    name = shown(picture.path)
    if width < 1 or height < 1:
        raise NotAPhoto(f"{name} says that it is {width} x {height} pixels; save it again from its original.")
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise PhotoTooLarge(
            f"{name} is {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million; save it smaller."
        )
    size_bytes = os.fstat(picture.file.fileno()).st_size
    if pixels > _SUSPECT_PIXELS and pixels > _SUSPECT_PIXELS_PER_BYTE * size_bytes:
        raise PhotoTooLarge(
            f"{name} claims {width} x {height} pixels in {size_bytes} bytes, as no photo does; leave it out."
        )


def _as_photo_error(path: str, error: Exception) -> PhotoError:
    name = shown(path)
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return PhotoTooLarge(f"{name} has too many pixels to be decoded; save it smaller.")
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return PhotoNotFound(f"{name} could not be read ({error.strerror}); check the disk and the name.")
    reason = _sentence(str(error)) or type(error).__name__
    return NotAPhoto(f"{name} is damaged ({reason}); copy it again from where it came from.")


def _sentence(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
    return line if len(line) <= _MAX_NOTE_CHARS else line[: _MAX_NOTE_CHARS - 3] + "..."


class _NoteHandler(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _quiet(notes: list[str]) -> Iterator[None]:
    """Collects what Pillow warns of and logs into notes, and keeps it from the terminal."""
    messages: list[str] = []
    handler, logger = _NoteHandler(messages), logging.getLogger("PIL")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        messages.extend(str(warning.message) for warning in caught)
        said = dict.fromkeys(_sentence(message) for message in messages)
        notes.extend(f"The file is odd: {sentence}." for sentence in list(said)[:_MAX_NOTES] if sentence)
