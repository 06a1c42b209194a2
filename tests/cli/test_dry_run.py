"""`--dry-run`: what would be done is said, and not a byte of the user's is another one after it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geoloc_cli.cli.app import main, program
from geoloc_cli.cli.shared import walk
from geoloc_cli.index.inspect import spare_bytes
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Component, Fix

if TYPE_CHECKING:
    from conftest import SmallTown

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Arguments of `geoloc --dry-run`, run in an own folder -> exit status, stdout and stderr; nothing may change."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        before = snapshot(tmp_path)
        monkeypatch.setattr(sys, "argv", ["geoloc", *words, "--dry-run"])
        with pytest.raises(SystemExit) as done:
            main()
        assert snapshot(tmp_path) == before
        out, err = capsys.readouterr()
        return int(done.value.code or 0), out, err

    return run


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder; but for SQLite's notes of who reads an index."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith((".sqlite-shm", ".sqlite-wal"))
    }


@pytest.fixture
def index(town: SmallTown, tmp_path: Path) -> str:
    shutil.copytree(town.index, tmp_path / "index")
    return "index"


def test_add_and_build_say_what_is_new_changed_and_without_a_place(town: SmallTown, index: str, call: Call) -> None:
    changed, new, placeless, missing = Path("changed.jpg"), Path("new.jpg"), town.queries[0].path, "gone.jpg"
    shutil.copy(town.photos[0].path, new)
    status, out, err = call("index", "add", town.photos[1].path, str(new), placeless, missing, "--index", index)
    assert (status, out) == (1, "would add new.jpg\n")
    assert err.startswith("index: 1 would be added, 0 replaced, 1 unchanged.\n1 left out, no_position:\n")
    assert "1 left out, not_found:" in err
    shutil.copy(town.photos[0].path, changed)
    assert call("index", "build", str(changed), "--index", "fresh")[:2] == (0, "would add changed.jpg\n")
    assert not Path("fresh").exists()


def test_remove_counts_and_refuses_as_it_would(town: SmallTown, index: str, call: Call) -> None:
    paths = [photo.path for photo in town.photos[:3]]
    assert call("index", "remove", index, *paths) == (0, "", "index: 3 photos would be removed.\n")
    status, _, err = call("index", "remove", index, paths[0], "gone.jpg")
    assert status == 3
    assert "index: 1 photos would be removed." in err
    assert "holds no photo 'gone.jpg'" in err


def test_compact_says_how_much_it_would_free(town: SmallTown, index: str, call: Call) -> None:
    with IndexWriter(index) as writer:
        writer.remove([photo.path for photo in town.photos[:5]])
        writer.seal()
    told = call("index", "compact", index)[2]
    with IndexWriter(index) as writer:
        freed = writer.compact()
    assert freed > 100_000
    assert told == f"index: {freed / 1e6:.1f} MB would be freed.\n"
    assert spare_bytes(index) == 0


def test_merge_counts_and_refuses_as_it_would(town: SmallTown, index: str, call: Call, tmp_path: Path) -> None:
    shutil.copytree(town.index, tmp_path / "other")
    assert call("index", "merge", index, "other") == (0, "", "index: 14 photos would be copied.\n")
    assert call("index", "merge", index, index)[0] == 3


def test_scrub_names_the_copies(town: SmallTown, call: Call) -> None:
    status, out, err = call("scrub", town.photos[0].path, "gone.jpg", "--out", "clean")
    assert status == 1
    assert out.startswith("would write clean/")
    assert "1 would be copied without places; 1 failed." in err


@pytest.mark.parametrize("form", ["kml", "html", "csv"])
def test_export_counts(form: str, call: Call, tmp_path: Path) -> None:
    belief = Belief((Component(1.0, 2.0, 12.0, 1.0),), 0.0)
    (tmp_path / "fixes").write_text(dumps(Fix("a.jpg", "ok", "rerank", 1.0, 2.0, None, 12.0, 0.97, belief)) + "\n")
    told = "1 photos would be written to map.out.\n"
    assert call("export", "fixes", "--to", form, "--out", "map.out") == (0, "", told)
    assert call("export", "fixes", "--to", form)[1] == ""


def test_pull_says_whence_and_whither(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    status, out, _ = call("models", "pull", "megaloc", "aliked-n16")
    assert status == 0
    assert [line.split(": would fetch ")[0] for line in out.splitlines()] == ["megaloc", "aliked-n16"]
    assert str(tmp_path / "models") in out
    assert "its licence is" in out


def test_whatever_changes_what_is_there_can_be_tried_first() -> None:
    able = {path for path, command in walk(program()) if any("--dry-run" in p.opts for p in command.params)}
    assert able >= {
        *("geoloc index build", "geoloc index add", "geoloc index remove", "geoloc index merge", "geoloc tag"),
        *("geoloc scrub", "geoloc export", "geoloc evaluate", "geoloc models pull", "geoloc models add"),
        *("geoloc map georeference", "geoloc index compact"),
    }
