"""SQLite as the single truth of an index: which photos it holds, and which files belong to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from geoloc_cli.errors import DiskFull, IndexDamaged, IndexMissing

NAME = "index.sqlite"

# `files` names every file of the index but this one, with its length and SHA-256; a row of `photos` has its checksum.
_TABLES = """
CREATE TABLE files (name TEXT PRIMARY KEY, kind TEXT NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE photos (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, position TEXT NOT NULL, camera TEXT,
    taken_at TEXT, cell INTEGER NOT NULL, segment TEXT NOT NULL, offset INTEGER NOT NULL, count INTEGER NOT NULL,
    descriptor_dim INTEGER NOT NULL, descriptor_type TEXT NOT NULL, feature_width INTEGER NOT NULL,
    feature_height INTEGER NOT NULL, crc32 INTEGER NOT NULL, row_crc32 INTEGER NOT NULL,
    vector_segment TEXT, vector_row INTEGER, attitude TEXT, look_dim INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX photos_path ON photos (path);
CREATE INDEX photos_sha256 ON photos (sha256);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('generation', '0');
"""
# Columns that indexes have come to have: an older one is read without them, and grows them when it is written to.
LATER_COLUMNS = {"attitude": "TEXT", "look_dim": "INTEGER NOT NULL DEFAULT 0"}


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turns what SQLite says of a broken file or a full disk into our own sentences."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise DiskFull(
                f"No room is left on the disk of {folder}; what was committed is kept: free some space and run the "
                "same command again."
            ) from error
        raise IndexDamaged(
            f"{folder / NAME} cannot be read as an index ({error}); build the index again into a new folder."
        ) from error
    except (sqlite3.DatabaseError, OverflowError) as error:
        raise IndexDamaged(f"{folder / NAME} is damaged ({error}); build the index again into a new folder.") from error


def create(folder: Path) -> None:
    """Makes the empty database of a new index."""
    with translated(folder):
        database = _connect(folder, "rwc")
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(f"BEGIN;{_TABLES}COMMIT;")
        finally:
            database.close()


def open_database(folder: Path, *, write: bool) -> sqlite3.Connection:
    """A connection in manual transactions; a reader's holds one read transaction, and so one state, until closed."""
    if not (folder / NAME).is_file():
        raise IndexMissing(f"{folder} has lost its {NAME}; build the index again into a new folder.")
    with translated(folder):
        database = _connect(folder, "rw" if write else "ro")
        try:
            if write:
                database.execute("PRAGMA synchronous = FULL")
                for name, kind in LATER_COLUMNS.items():
                    if not has_column(database, name):
                        database.execute(f"ALTER TABLE photos ADD COLUMN {name} {kind}")
            else:
                database.execute("BEGIN")
            database.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        except sqlite3.OperationalError:
            database.close()
            if write:
                raise
            # A folder that cannot be written to (a read-only disk) has no place for WAL's shared memory.
            database = _connect(folder, "ro&immutable=1")
            database.execute("BEGIN")
            database.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        return database


def _connect(folder: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str((folder / NAME).absolute()))}?mode={mode}"
    # SQLite itself takes one thread at a time; who shares an index among threads sees to it that they take turns.
    database = sqlite3.connect(address, uri=True, timeout=30.0, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    return database


def has_column(database: sqlite3.Connection, name: str) -> bool:
    """Whether photos have this one of the `LATER_COLUMNS`, as those of an index from before it have not."""
    return any(row[1] == name for row in database.execute("PRAGMA table_info(photos)"))


def generation(database: sqlite3.Connection) -> int:
    """A number that grows with every commit that changes what a search can find."""
    row = database.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    return int(row[0])


def next_generation(database: sqlite3.Connection) -> None:
    """Counts one commit on, inside its transaction."""
    database.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'")


def vector_dim(database: sqlite3.Connection) -> int:
    """The length of the index's vectors; 0 before the first."""
    row = database.execute("SELECT value FROM meta WHERE key = 'dim'").fetchone()
    return int(row[0]) if row else 0
