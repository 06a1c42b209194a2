"""Indexes that are not what was written: every one ends in a sentence, or in the right answer, and never in a guess."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made import found

from geoloc_cli.errors import IndexDamaged, IndexMismatch, IndexMissing, RunError
from geoloc_cli.index.inspect import info, rows, verify
from geoloc_cli.index.reader import Index
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.pipeline.describer import build_descriptor, default_spec, describer_of


def use(index: Path) -> list[tuple[str, float]]:
    """All that `locate` does with an index, every photo's features included."""
    with Index.open(index) as reader:
        for photo in reader.all_photos():
            reader.local(photo.row_id)
    return found(index)


def the(index: Path, part: str, suffix: str) -> Path:
    """The one file of a part of the index whose name ends so."""
    return next(path for path in sorted((index / part).iterdir()) if path.name.endswith(suffix))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def execute(index: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(index / "index.sqlite")
    with database:
        database.execute(statement, values)
    database.close()


@pytest.mark.parametrize("made", [lambda folder: None, lambda folder: folder.mkdir()], ids=["missing", "empty"])
def test_no_index_there(tmp_path: Path, made: Callable[[Path], None]) -> None:
    made(tmp_path / "index")
    with pytest.raises(IndexMissing, match="make one with `geoloc index build PHOTOS --index"):
        Index.open(tmp_path / "index")


def test_newer_format(index: Path) -> None:
    manifest = json.loads((index / "manifest.json").read_text())
    (index / "manifest.json").write_text(json.dumps(manifest | {"schema": "geoloc.index/2", "describer": "unheard of"}))
    for attempt in (Index.open, IndexWriter, verify):
        with pytest.raises(IndexMismatch, match=r"'geoloc\.index/2', and this program reads 'geoloc\.index/1'"):
            attempt(index)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"schema": 3}', b'{"schema": "geoloc.index/1"}', b"[" * 100_000, b"\xff"]
)
def test_manifest_that_is_none(index: Path, content: bytes) -> None:
    (index / "manifest.json").write_bytes(content)
    with pytest.raises((IndexDamaged, IndexMismatch), match=r"manifest\.json"):
        Index.open(index)


def test_another_describer(index: Path) -> None:
    with pytest.raises(IndexMismatch, match="another describer or other options"):
        IndexWriter(index, default_spec())
    manifest = json.loads((index / "manifest.json").read_text())
    manifest["describer"]["descriptor"]["name"] = "unheard-of"
    (index / "manifest.json").write_text(json.dumps(manifest))
    with Index.open(index) as reader:
        with pytest.raises(IndexMismatch, match="not of a descriptor of pictures such as 'unheard-of'"):
            build_descriptor(reader)
        with pytest.raises(IndexMismatch, match=r"There is no descriptor 'unheard-of'.*build it again"):
            describer_of(reader)


@pytest.mark.parametrize("suffix", [".features", ".vectors"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: path.unlink(),
        lambda path: (path.rename(path.with_suffix(".x")), path.symlink_to(path.with_suffix(".x"))),
    ],
    ids=["truncated", "longer", "deleted", "symlink"],
)
def test_segment_that_is_not_whole(index: Path, suffix: str, harm: Callable[[Path], None]) -> None:
    segment = the(index, "segments", suffix)
    harm(segment)
    with pytest.raises(IndexDamaged, match=segment.name):
        Index.open(index)


def test_flipped_byte_of_a_segment_is_named_and_costs_its_photo_alone(index: Path) -> None:
    flip(the(index, "segments", ".features"), 5000)
    faults = verify(index).faults
    assert len(faults) == 2
    assert "is not what was written" in faults[0]
    sentences = []
    with Index.open(index) as reader:
        for photo in reader.all_photos():
            try:
                reader.local(photo.row_id)
            except IndexDamaged as error:
                sentences.append(str(error))
    assert len(sentences) == 1
    assert "geoloc index verify" in sentences[0]


def test_flipped_byte_of_the_vectors_is_seen_by_whoever_reads_them(index: Path) -> None:
    flip(the(index, "segments", ".vectors"), 100)
    assert any("is not what was written" in fault for fault in verify(index).faults)
    with pytest.raises(IndexDamaged, match="is not what was written"), IndexWriter(index) as writer:
        writer.compact()


@pytest.mark.parametrize("harm", ["delete", "flip", "folder"])
def test_derived_files_are_done_without(index: Path, harm: str) -> None:
    before = found(index)
    for path in (index / "derived").iterdir():
        if harm == "delete":
            path.unlink()
        elif harm == "flip":
            flip(path, path.stat().st_size // 2)
    if harm == "folder":
        shutil.rmtree(index / "derived")
    assert found(index) == before
    assert all("derived data: searches do without it" in fault for fault in verify(index).faults)
    expected, done = Counter[str](), Counter[str]()
    verdict = verify(
        index, lambda stage, total: expected.update({stage: total}), lambda stage, n: done.update({stage: n})
    )
    assert len(verdict.faults) == 5
    assert done == expected == {"files": verdict.files, "photos": verdict.photos}
    with IndexWriter(index) as writer:
        writer.compact()
    assert verify(index).faults == ()
    assert found(index) == before


def test_state_that_is_not_what_was_written(index: Path) -> None:
    flip(the(index, "state", "words.npy"), 200)
    with pytest.raises(IndexDamaged, match=r"words\.npy is not what was written"):
        found(index)


class _Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_a_pickle_in_the_place_of_an_array_is_never_opened(index: Path, tmp_path: Path) -> None:
    path = the(index, "state", "words.npy")
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Bomb(tmp_path / "boom")], dtype=object), allow_pickle=True)
    np.load(io.BytesIO(buffer.getvalue()), allow_pickle=True)
    assert (tmp_path / "boom").exists()  # the bomb is one
    (tmp_path / "boom").unlink()
    path.write_bytes(buffer.getvalue())
    # With the right hash, too: whoever can write the array can write the database beside it.

    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    execute(
        index, "UPDATE files SET size_bytes = ?, sha256 = ? WHERE name = ?", len(buffer.getvalue()), digest, path.name
    )
    with pytest.raises(IndexDamaged):
        found(index)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/b", "..", "", "sub\x00x", ".hidden"])
@pytest.mark.parametrize("kind", ["features", "state", "derived"])
def test_a_file_name_that_points_outside_is_refused(index: Path, tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "secret").write_text("mine")
    execute(index, "UPDATE files SET name = ? WHERE name = (SELECT MIN(name) FROM files WHERE kind = ?)", name, kind)
    sentence = "(plain file of its own folder|does not say what was written)"
    if kind == "derived":  # whose names of another generation are not looked at
        assert len(use(index)) == 40
        assert verify(index).faults != ()
    elif kind == "state":
        with pytest.raises(IndexDamaged, match=sentence):
            use(index)
        assert verify(index).faults != ()
    else:
        with pytest.raises(IndexDamaged, match=sentence):
            use(index)
        with pytest.raises(IndexDamaged, match=sentence):
            verify(index)
    assert (tmp_path / "secret").read_text() == "mine"


@pytest.mark.parametrize("harm", ["delete", "empty", "text", "truncate"])
def test_database_that_is_gone_or_garbage(index: Path, harm: str) -> None:
    path = index / "index.sqlite"
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "text": b"not a database " * 999, "truncate": path.read_bytes()[:5000]}[harm])
    for attempt in (use, verify, info, rows, IndexWriter):
        with pytest.raises((IndexDamaged, IndexMissing), match="build the index again"):
            attempt(index)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE photos SET offset = -4 WHERE row_id = 3",
        "UPDATE photos SET offset = 1 << 60 WHERE row_id = 3",
        "UPDATE photos SET count = 1 << 60 WHERE row_id = 3",
        "UPDATE photos SET count = 'many' WHERE row_id = 3",
        "UPDATE photos SET segment = 'elsewhere' WHERE row_id = 3",
        "UPDATE photos SET position = '{}' WHERE row_id = 3",
        'UPDATE photos SET position = \'{"lat": 91, "lon": 0}\' WHERE row_id = 3',
        "UPDATE photos SET position = 'null' WHERE row_id = 3",
        "UPDATE photos SET camera = '[]' WHERE row_id = 3",
        "UPDATE photos SET path = 7 WHERE row_id = 3",
        "UPDATE photos SET position = REPLACE(position, '50.00', '51.00') WHERE row_id = 3",
        "UPDATE photos SET sha256 = 'xx' || SUBSTR(sha256, 3) WHERE row_id = 3",
        "UPDATE files SET size_bytes = 'x' WHERE kind = 'features'",
        "UPDATE meta SET value = 'x' WHERE key = 'generation'",
        "DELETE FROM meta",
        "DROP TABLE photos",
        "DROP TABLE files",
    ],
)
def test_rows_that_do_not_add_up(index: Path, statement: str) -> None:
    execute(index, statement)
    with pytest.raises(IndexDamaged):
        use(index)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE photos SET vector_row = 5000 WHERE row_id = 3",
        "UPDATE photos SET vector_segment = 'elsewhere' WHERE row_id = 3",
        "UPDATE photos SET cell = 'x' WHERE row_id = 3",
        "UPDATE meta SET value = '17' WHERE key = 'dim'",
    ],
)
def test_rows_that_do_not_add_up_where_vectors_are_gathered(index: Path, statement: str) -> None:
    shutil.rmtree(index / "derived")
    execute(index, statement)
    with pytest.raises(IndexDamaged):
        use(index)


def test_two_hundred_flipped_bytes_give_a_sentence_or_the_same_answer(pristine: Path, tmp_path: Path) -> None:
    expected = found(pristine / "index")
    files = sorted(path.relative_to(pristine / "index") for path in (pristine / "index").rglob("*") if path.is_file())
    files = [path for path in files if path.stem != "write"]
    rng = random.Random(0)
    told = 0
    for trial in range(200):
        index = tmp_path / f"{trial}"
        shutil.copytree(pristine / "index", index)
        path = index / rng.choice(files)
        if not path.stat().st_size:
            continue
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            answer = use(index)
        except RunError:
            told += 1
        else:
            assert answer == expected, path.name
        shutil.rmtree(index)
    assert told > 40
