"""An index under several hands, and on disks that are full or cannot be written to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made import build, found, paths_in

from geoloc_cli.errors import DiskFull, IndexLocked, UsageError
from geoloc_cli.index.inspect import verify
from geoloc_cli.index.reader import Index
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.testing.fakes import write_made


def test_a_second_writer_is_refused_with_a_sentence(index: Path) -> None:
    hold = (
        "import sys; from geoloc_cli.index.writer import IndexWriter\n"
        "with IndexWriter(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", hold, str(index)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdin
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(IndexLocked, match=f"writing to the index in {index}"):
            IndexWriter(index)
        assert len(found(index)) == 40  # readers are not disturbed
    finally:
        process.stdin.close()
        process.wait(10)
    IndexWriter(index).close()


def test_readers_keep_their_state_while_it_is_written_and_compacted(pristine: Path, index: Path) -> None:
    before = found(index)
    readers = [Index.open(index), Index.open(index)]
    with IndexWriter(index) as writer:
        writer.remove([path for path, _ in before[:20]])
        writer.seal()
        writer.compact()
    assert len(found(index)) == 20
    for reader in readers:
        # Segments and derived files that they were opened with are unlinked by now.
        hits = reader.search(reader.gathered().vectors[0], 100)
        assert len(reader) == len(hits.row_ids) == 40
        for photo in reader.all_photos():
            assert len(reader.local(photo.row_id)) == 60
        reader.close()


def test_readers_that_open_during_compactions_always_see_a_whole_state(index: Path) -> None:
    faults: list[BaseException] = []
    opened = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal opened
        while not stop.is_set():
            try:
                with Index.open(index) as reader:
                    photos = reader.all_photos()
                    assert len(reader.search(np.ones(reader.gathered().vectors.shape[1], np.float32), 99).row_ids) == 40
                    assert len(reader.local(photos[opened % 40].row_id)) == 60
                opened += 1
            except BaseException as error:
                faults.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        with IndexWriter(index) as writer:
            writer.compact()
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert opened >= 10


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1.5 MB of our own; skipped, visibly, where none can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no small file system can be mounted here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_a_full_disk_costs_nothing_that_was_committed(small_disk: Path, tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 400)
    with pytest.raises(DiskFull, match=f"No room is left on the disk of {small_disk}"):
        build(small_disk / "index", paths)
    kept = paths_in(small_disk / "index")
    assert 32 <= len(kept) < 400
    assert verify(small_disk / "index").faults == ()
    assert not list(small_disk.rglob("*.tmp"))
    shutil.copytree(small_disk / "index", tmp_path / "roomy")
    report = build(tmp_path / "roomy", paths)
    assert (report.added, report.unchanged) == (400 - len(kept), len(kept))


def test_an_index_on_a_read_only_disk_can_be_searched_and_not_written(pristine: Path, small_disk: Path) -> None:
    shutil.copytree(pristine / "index", small_disk / "index")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert found(small_disk / "index") == found(pristine / "index")
    with pytest.raises(UsageError, match="cannot be written to"):
        IndexWriter(small_disk / "index")


@pytest.mark.parametrize("operation", ["seal", "compact", "remove"])
def test_a_disk_that_fills_later_leaves_the_old_state(
    index: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = found(index)
    writes = 0

    def full(handle: int) -> None:
        nonlocal writes
        writes += 1
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with IndexWriter(index) as writer:
        if operation == "remove":  # SQLite's own file grows without our fsync: removing needs next to no room
            writer.remove([before[0][0]])
        else:
            with pytest.raises(DiskFull, match="free some space"):
                getattr(writer, operation)()
            assert writes == 1
    assert found(index) == (before[1:] if operation == "remove" else before)
    assert verify(index).faults == ()
