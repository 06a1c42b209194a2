"""What an index holds, whether it is still what was written, and its rows for other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from geoloc_cli.errors import IndexDamaged, IndexMismatch, IndexMissing
from geoloc_cli.index import derived
from geoloc_cli.index.files import inside, sha256_of
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import NewPhoto, PhotoFacts, packed
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.types import Position

# What a verification goes through.
_FILES, _PHOTOS = "files", "photos"
# Photos of another index that are copied in one transaction.
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found: how much was read, every fault as one sentence, and photos still without a vector.

    Such photos are no fault: the build was interrupted, and the same build finishes it.
    """

    photos: int
    files: int
    faults: tuple[str, ...]
    undescribed: int


def info(folder: str | Path) -> dict[str, Any]:
    """Counts, bounds, describer and bytes of an index, as plain JSON."""
    with Index.open(folder) as index:
        photos = index.all_photos()
        files = index.files()
        lat = [p.position.lat for p in photos if p.position]
        lon = [p.position.lon for p in photos if p.position]
        return {
            "index": str(folder),
            "photos": len(photos),
            "bounds": {"south": min(lat), "west": min(lon), "north": max(lat), "east": max(lon)} if lat else None,
            "describer": index.manifest.describer,
            "codes": index.manifest.codes.name,
            "augment": index.manifest.augment,
            "created_at": index.manifest.created_at,
            "snapshot": index.snapshot,
            "files": len(files),
            "bytes": sum(size for _, _, size, _ in files),
            "finished": any(kind == "state" for _, kind, _, _ in files),
        }


def rows(folder: str | Path) -> list[dict[str, Any]]:
    """Every photo of an index as a flat JSON object, in the order of the paths."""
    with Index.open(folder) as index:
        return [_flat(asdict(photo)) for photo in index.all_photos()]


def _flat(photo: dict[str, Any]) -> dict[str, Any]:
    position = photo.pop("position") or {field.name: None for field in fields(Position)}
    photo.pop("row_id")
    photo.pop("mtime_ns")
    return {"path": photo.pop("path"), **position, **photo}


def verify(
    folder: str | Path,
    expect: Callable[[str, int], None] = lambda stage, total: None,
    step: Callable[[str, int], None] = lambda stage, done: None,
) -> Verdict:
    """Reads every byte of an index and compares it with what was written; raises only where nothing can be opened.

    expect, step: told of how many files and photos there are, and of each that is done.
    """
    root = Path(folder)
    faults: list[str] = []
    with Index.open(root) as index:
        faults += index.check_database()
        files = index.files()
        expect(_FILES, len(files))
        for name, kind, size, sha256 in files:
            step(_FILES, 1)
            home = derived.folder_of(root) if kind == "derived" else root / ("state" if kind == "state" else "segments")
            fault = _file_fault(home, name, size, sha256)
            if fault and kind == "derived":
                fault += " (derived data: searches do without it, and `geoloc index compact` writes it again)"
            if fault:
                faults.append(fault)
        photos = index.all_photos()
        expect(_PHOTOS, len(photos))
        for photo in photos:
            step(_PHOTOS, 1)
            try:
                index.local(photo.row_id)
            except IndexDamaged as error:
                faults.append(f"The features of {photo.path!r} are lost: {error}")
        undescribed = index.undescribed()
    return Verdict(len(photos), len(files), tuple(faults), undescribed)


def _file_fault(home: Path, name: str, size_bytes: int, sha256: str) -> str | None:
    try:
        path = inside(home, name)
        found = path.stat().st_size
        if found != size_bytes:
            return f"{path} is {found} bytes long and was written with {size_bytes}"
        return None if sha256_of(path) == sha256 else f"{path} is not what was written"
    except IndexDamaged as error:
        return str(error)
    except OSError as error:
        return f"{home / name} cannot be read ({error.strerror})"


def spare_bytes(folder: str | Path) -> int:
    """What `IndexWriter.compact` would free: the bytes of removed and replaced photos in the segments."""
    with Index.open(folder) as index:
        held = sum(path.stat().st_size for path in (Path(folder) / "segments").iterdir())
        used = sum(len(packed(index.local(photo.row_id))) for photo in index.all_photos())
        return held - used - index.gathered().vectors.nbytes


def merge(folder: str | Path, others: list[str], *, dry_run: bool = False) -> int:
    """Copies the photos of other indexes into one; returns their number. All must share describer and vocabulary.

    dry_run: only counts them. Raises IndexMismatch otherwise: vectors of different vocabularies cannot be compared.
    """
    with Index.open(folder) as target:
        describer, state = target.manifest.describer, target.state_sha256()
    for other in others:
        if Path(other).resolve() == Path(folder).resolve():
            raise IndexMissing(f"{other} is the index to be merged into; name another one.")
        with Index.open(other) as source:
            if source.manifest.describer != describer or source.state_sha256() != state:
                raise IndexMismatch(
                    f"{other} was described by another vocabulary than {folder}, and their vectors cannot be compared; "
                    f"add its photos instead: `geoloc index add PHOTOS --index {folder}`."
                )
    copied = 0
    if dry_run:
        for other in others:
            with Index.open(other) as source:
                copied += len(source.all_photos())
        return copied
    with IndexWriter(folder) as writer:
        for other in others:
            with Index.open(other) as source:
                copied += _copy(source, writer)
        writer.seal()
    return copied


def _copy(source: Index, writer: IndexWriter) -> int:
    photos = source.all_photos()
    ordered = source.gathered()
    place = {int(row): i for i, row in enumerate(ordered.row_ids)}
    for start in range(0, len(photos), _BATCH):
        part = photos[start : start + _BATCH]
        new = []
        for photo in part:
            facts = {field.name: getattr(photo, field.name) for field in fields(PhotoFacts)}
            new.append(NewPhoto(**facts, features=source.local(photo.row_id)))
        writer.commit_photos(new)
        row_ids = writer.rows_of([photo.path for photo in part])
        vectors = ordered.vectors[[place[photo.row_id] for photo in part]]
        writer.commit_vectors(row_ids, vectors)
    return len(photos)
