"""How photos were held, kept in an index; one from before they were kept is read, and grows the column when written."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from made import build, found, paths_in

from geoloc_cli.errors import IndexDamaged
from geoloc_cli.index.inspect import verify
from geoloc_cli.index.reader import Index
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.testing.fakes import made_photo, write_made
from geoloc_cli.types import Attitude

HELD = Attitude(-89.9, 179.5, 1.0, "dji", 12.5, "true")


def run(index: Path, statement: str) -> None:
    database = sqlite3.connect(index / "index.sqlite")
    database.execute(statement)
    database.commit()
    database.close()


def attitudes(index: Path) -> list[Attitude | None]:
    with Index.open(index) as reader:
        return [photo.attitude for photo in reader.all_photos()]


def test_an_attitude_comes_out_as_it_went_in_and_a_changed_digit_is_noticed(tmp_path: Path) -> None:
    index, paths = tmp_path / "index", write_made(tmp_path / "photos", 3)
    build(index, paths)
    with IndexWriter(index) as writer:
        writer.commit_photos([replace(made_photo(paths[1]), attitude=HELD)])
    assert attitudes(index) == [None, HELD, None]
    assert verify(index).faults == ()
    run(index, "UPDATE photos SET attitude = replace(attitude, '-89.9', '-79.9')")
    with pytest.raises(IndexDamaged):
        attitudes(index)


def test_an_index_from_before_attitudes_is_read_and_written(tmp_path: Path) -> None:
    index, paths = tmp_path / "index", write_made(tmp_path / "photos", 4)
    build(index, paths[:3])
    before = found(index)
    run(index, "ALTER TABLE photos DROP COLUMN attitude")
    assert found(index) == before
    assert attitudes(index) == [None] * 3
    build(index, paths)
    assert paths_in(index) == sorted(paths)
    assert verify(index).faults == ()
