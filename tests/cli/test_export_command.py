"""`geoloc export` as its user calls it: what it takes, where it writes, what it leaves out and says of it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from program import called

from geoloc_cli.cli.app import main
from geoloc_cli.errors import UsageError
from geoloc_cli.export.target import put_file, put_folder
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Component, Failure, Fix

FIX = Fix("a.jpg", "ok", "rerank", 47.25, 8.5, None, 12.5, 0.9, Belief((Component(47.25, 8.5, 12.5, 0.9),), 0.1))
ANSWERS = [
    FIX,
    replace(FIX, photo="b.jpg", stage="prior", confidence=0.4),
    replace(FIX, photo="c.jpg", status="unlocated", stage=None, lat=None, lon=None, radius_m=None),
    Failure("d.jpg", "not_found", "d.jpg does not exist."),
]


def export(*arguments: str, given: bytes = b"", status: int = 0) -> tuple[bytes, str]:
    """Standard output and standard error of a call whose exit status must be the one named."""
    done = called("export", *arguments, given=given)
    assert done.returncode == status, done.stderr
    return done.stdout.encode(), done.stderr


def lines(*answers: Fix | Failure) -> bytes:
    return "".join(f"{dumps(answer)}\n" for answer in answers).encode()


def test_files_and_the_pipe_are_read_and_what_has_no_place_is_counted(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(lines(*ANSWERS))
    given = lines(replace(FIX, photo="piped.jpg", lat=1.0))
    out, said = export(str(tmp_path / "one.jsonl"), "-", "--to", "geojson", given=given)
    names = [feature["properties"]["photo"] for feature in json.loads(out)["features"]]
    assert names == ["a.jpg", "b.jpg", "piped.jpg"]
    assert said == "3 photos written; left out: 1 unlocated, 1 failed.\n"


def test_the_unsure_and_other_stages_stay_out_and_bad_lines_are_named(tmp_path: Path) -> None:
    wrong = [
        b"{torn",
        b"[]",
        b'{"schema": "geoloc.fix/9"}',
        b"\xff",
        b"9" * 5000,
        lines(FIX).replace(b"47.25", b'"=1"'),
    ]
    given = b"\n".join([*wrong, lines(*ANSWERS, replace(FIX, photo="e.jpg", stage="retrieval"))])
    target = tmp_path / "out.csv"
    options = ("--min-confidence", "0.5", "--stage", "rerank", "--stage", "prior", "--out", str(target))
    out, said = export("-", "--to", "csv", *options, given=given, status=1)
    assert out == b""
    assert [line.split(",")[0] for line in target.read_text().splitlines()] == ["photo", "a.jpg"]
    *sentences, summary = said.splitlines()
    assert len(sentences) == 6
    for number, sentence in enumerate(sentences, 1):
        assert sentence.startswith(f"geoloc: standard input, line {number}, was passed over: ")
    assert summary == "1 photos written; left out: 1 less sure, 1 unlocated, 1 failed, 1 of another stage."


def test_a_file_of_another_kind_is_told_of_in_twenty_lines_and_a_count(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\n" * 30 + lines(FIX))
    _, said = export(str(tmp_path / "photo.jpg"), str(tmp_path / "photo.jpg"), "--to", "csv", status=1)
    told = [line.partition("photo.jpg")[2] for line in said.splitlines()]
    assert told[19].startswith(", line 20, was passed over: ")
    assert told[20] == ": 10 more lines were passed over."
    assert len(told) == 2 * 21 + 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gone.jsonl", "--to", "kml"), "gone.jsonl cannot be read (No such file or directory)"),
        (("-", "--to", "shp"), "There is no form 'shp'; give one of geojson, kml"),
        (("-", "--to", "parquet"), "--to parquet needs --out PATH."),
        (("-", "--to", "kml", "--shapes"), "--to kml takes no --shapes; leave it out."),
        (("-", "--to", "gpx", "--stage", "guess"), "There is no stage 'guess'; give one of prior, retrieval"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["geoloc", "export", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    out, said = capfd.readouterr()
    assert out == ""
    assert sentence in said
    assert said.count("\n") == 1


def test_a_folder_takes_the_file_by_the_name_of_its_program(tmp_path: Path) -> None:
    export("-", "--to", "odm", "--out", str(tmp_path), "--quiet", given=lines(FIX))
    assert (tmp_path / "geo.txt").read_text() == "EPSG:4326\na.jpg 8.5 47.25\n"


def test_a_file_is_replaced_at_once_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, link = tmp_path / "a.csv", tmp_path / "link.csv"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    put_file(link, b"new")
    assert (target.read_bytes(), link.is_symlink(), target.stat().st_mode & 0o777) == (b"new", True, 0o640)

    def stopped(handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", stopped)
        with pytest.raises(KeyboardInterrupt):
            put_file(target, b"torn")
    assert target.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "link.csv"]
    with pytest.raises(UsageError, match="cannot be written"):
        put_file(tmp_path / "none" / "a.csv", b"")


def test_what_is_no_plain_file_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    put_file(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    put_folder(tmp_path / "model", {"a.txt": b"a"})
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["a.txt"]
    with pytest.raises(UsageError, match="is there already"):
        put_folder(tmp_path / "model", {"b.txt": b"b"})
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
