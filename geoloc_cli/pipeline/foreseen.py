"""What a build would take into an index, said without writing a byte of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geoloc_cli.errors import IndexMissing, PhotoError
from geoloc_cli.index.reader import Index
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.build import Positions
from geoloc_cli.pipeline.extract import fingerprint, position_of


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Paths that would be added or replaced, those that are as they were, and those left out: (path, code, message).

    What only a look at the pixels tells, such as too few keypoints, is not foreseen.
    """

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    unchanged: tuple[str, ...]
    left_out: tuple[tuple[str, str, str], ...]


def foresee(folder: str | Path, paths: Iterable[str], positions: Positions | None) -> Foreseen:
    """As `build_index` of the same, photos that say nowhere where they were taken left out."""
    known = _known(folder)
    added, replaced, unchanged = list[str](), list[str](), list[str]()
    left_out: list[tuple[str, str, str]] = []
    for path in paths:
        try:
            if path in known and fingerprint(path)[0] == known[path]:
                unchanged.append(path)
                continue
            position_of(read_photo(path), positions.get(path) if positions else None, placed=True)
        except PhotoError as error:
            left_out.append((path, error.code, str(error)))
            continue
        (replaced if path in known else added).append(path)
    return Foreseen(tuple(added), tuple(replaced), tuple(unchanged), tuple(left_out))


def _known(folder: str | Path) -> dict[str, str]:
    """The SHA-256 of each photo of an index; none where there is no index yet."""
    try:
        with Index.open(folder) as index:
            return {photo.path: photo.sha256 for photo in index.all_photos()}
    except IndexMissing:
        return {}
