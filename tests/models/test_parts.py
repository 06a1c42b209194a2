"""Models that are folders: every file pinned, all brought or none, continued, and verified before they are used."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from served import Server, serving

from geoloc_cli.errors import ConfigError, DiskFull, RunError, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.models import fetch as fetching
from geoloc_cli.models.catalogue import Model, entry
from geoloc_cli.models.folders import find_folder
from geoloc_cli.models.listing import listed
from geoloc_cli.models.own import add
from geoloc_cli.models.pull import check, pull

FILES = {
    "config.json": b'{"model_type": "llava"}',
    "tokenizer.json": b"{}" * 50,
    "chat_template.jinja": b"{{ messages }}",
    "model-00001-of-00002.safetensors": b"first" * 3000,
    "model-00002-of-00002.safetensors": b"second" * 2000,
    "model.safetensors.index.json": b'{"weight_map": {}}',
}
PARTS = [
    {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for name, data in FILES.items()
]
TABLE: dict[str, Any] = {
    "kind": "prior",
    "backend": "vlm-local",
    "summary": "a test",
    "file": "tiny-vl",
    "licence": "MIT",
    "commercial": "yes",
    "url": "https://example.org/tiny/",
    "files": PARTS,
}
WHOLE = sum(map(len, FILES.values()))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models; no file of this machine is found."""
    monkeypatch.setattr(fetching, "_PAUSE_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for variable in ("HF_HUB_OFFLINE", "GEOLOC_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "models"


def at(server: Server) -> Model:
    return dataclasses.replace(entry("tiny", TABLE, "test"), url=f"http://127.0.0.1:{server.port}/tiny/")


def own_entry(folder: Path) -> None:
    """The same model as an entry of the user's own."""
    folder.mkdir(exist_ok=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in TABLE.items() if key != "files"]
    for part in PARTS:
        lines += ["[[files]]", *(f"{key} = {json.dumps(value)}" for key, value in part.items())]
    (folder / "tiny.toml").write_text("\n".join(lines))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_pulled_whole_and_once(folder: Path) -> None:
    told: list[tuple[int, int | None]] = []
    with serving(Server(files=dict(FILES))) as server:
        model = at(server)
        assert check(model).state == "missing"
        done, fetched = pull(model, lambda done, total: told.append((done, total)))
        assert (done.state, done.path, fetched) == ("good", folder / "tiny-vl", True)
        assert pull(model) == (done, False)
        assert len(server.asked) == len(FILES)
    assert {path.name: path.read_bytes() for path in (folder / "tiny-vl").iterdir()} == FILES
    assert names(folder) == {"tiny-vl", "tiny-vl.lock"}
    assert [count for count, _ in told] == sorted(count for count, _ in told)
    assert told[-1] == (WHOLE, WHOLE)
    if shutil.which("sha256sum"):
        sums = subprocess.run(["sha256sum", *sorted(FILES)], cwd=folder / "tiny-vl", check=True, capture_output=True)
        assert hashlib.sha256(sums.stdout).hexdigest() == done.sha256


def test_a_pull_that_was_cut_goes_on_and_shows_nothing_before_its_end(folder: Path) -> None:
    with serving(Server(files=dict(FILES), breaks=[None, None, None, 7000, 0, 0, 0])) as server:
        model = at(server)
        with pytest.raises(WeightsMissing, match=r"model-00001-of-00002.safetensors of the model 'tiny' cannot be"):
            pull(model)
        assert check(model).state == "missing"
        assert not (folder / "tiny-vl").exists()
        server.asked.clear()
        assert pull(model)[0].state == "good"
        # The three files that were whole are not asked for again, and the fourth from where it broke.
        assert server.asked == ["bytes=7000-", None, None]
    assert names(folder / "tiny-vl") == set(FILES)


def test_a_file_that_is_another_leaves_what_was_there(folder: Path) -> None:
    with serving(Server(files=dict(FILES))) as server:
        model = at(server)
        pull(model)
        (folder / "tiny-vl" / "tokenizer.json").write_bytes(b"damaged")
        server.files["tokenizer.json"] = FILES["tokenizer.json"][::-1]
        server.asked.clear()
        with pytest.raises(WeightsMismatch, match=r"not the file of tokenizer\.json of the model 'tiny'"):
            pull(model)
        assert (folder / "tiny-vl" / "tokenizer.json").read_bytes() == b"damaged"
        assert check(model).state == "damaged"
        server.files["tokenizer.json"] = FILES["tokenizer.json"]
        assert pull(model)[0].state == "good"
        # What was sound was not fetched again, of ten thousand bytes or of ten.
        assert len(server.asked) == 2
    assert names(folder) == {"tiny-vl", "tiny-vl.lock"}


@pytest.mark.parametrize("name", ["model.safetensors", "preprocessor_config.json", "additional_chat_templates"])
def test_a_file_too_many_is_damage_and_goes(folder: Path, name: str) -> None:
    with serving(Server(files=dict(FILES))) as server:
        model = at(server)
        pull(model)
        (folder / "tiny-vl" / "README.md").write_text("harmless")
        assert check(model).state == "good"
        stranger = folder / "tiny-vl" / name
        stranger.write_bytes(b"{}") if stranger.suffix else stranger.mkdir()
        assert check(model).state == "damaged"
        assert pull(model)[0].state == "good"
        assert len(server.asked) == len(FILES)
    assert names(folder / "tiny-vl") == set(FILES)


def test_a_folder_of_ones_own_is_copied_pinned_and_found(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, data in FILES.items():
        (mine / name).write_bytes(data)
    (mine / "modeling.py").write_text("raise SystemExit")
    (tmp_path / "a.toml").write_text('backend = "vlm-local"\nlicence = "mine"')
    foreseen = add("my-vl", "prior", mine, tmp_path / "a.toml", dry_run=True)
    assert not folder.exists()
    made = add("my-vl", "prior", mine, tmp_path / "a.toml")
    assert made == dataclasses.replace(foreseen, own=True)
    assert (made.whole_bytes, made.licence, made.pulled) == (WHOLE, "mine", False)
    assert names(folder) == {"my-vl", "my-vl.toml"}
    (mine / "config.json").write_text("changed later")
    assert names(folder / "my-vl") == set(FILES)
    assert check(made).state == "good"
    assert find_folder("my-vl", "", "test").identity() == check(made).sha256
    with pytest.raises(UsageError, match="There is your model 'my-vl' already"):
        add("my-vl", "prior", mine, tmp_path / "a.toml")
    (folder / "my-vl" / "config.json").unlink()
    with pytest.raises(WeightsMissing, match="'my-vl' for programs; put my-vl again into"):
        pull(made)
    with pytest.raises(
        WeightsMismatch, match=r"a file is lacking, is another one, .*; put the files that its entry names"
    ):
        find_folder("my-vl", "", "test")
    (folder / "my-vl.toml").unlink()
    with pytest.raises(UsageError, match="my-vl already; take another name"):
        add("my-vl", "prior", mine, tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("text", "lacking", "sentence"),
    [
        ('backend = "vlm-local"', "config.json", "no whole model; name config.json"),
        ('backend = "vlm-locale"', "", "did you mean 'vlm-local'"),
        ('backend = "vlm-local"\n[[files]]\nname = "a.json"', "", "names files, which are those of"),
        ('backend = "vlm-local"\n[options]\nmax_px = 9', "", "give them after the prior that names the model"),
        ('backend = "geoclip"', "", "no option 'model'|'model'"),
    ],
)
def test_what_is_wrong_with_a_folder_of_ones_own_is_said_and_nothing_kept(
    folder: Path, tmp_path: Path, text: str, lacking: str, sentence: str
) -> None:
    (tmp_path / "mine").mkdir()
    for name in FILES.keys() - {lacking}:
        (tmp_path / "mine" / name).write_bytes(FILES[name])
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(RunError, match=sentence):
        add("my-vl", "prior", tmp_path / "mine", tmp_path / "a.toml")
    assert not folder.exists()


def test_what_a_killed_pull_left_between_two_names_is_found_again(folder: Path) -> None:
    with serving(Server(files=dict(FILES))) as server:
        model = at(server)
        pull(model)
        (folder / "tiny-vl").rename(folder / "tiny-vl.part")
        (folder / "tiny-vl.old").mkdir()
        assert pull(model) == (check(model), True)
        assert len(server.asked) == len(FILES)
    assert names(folder) == {"tiny-vl", "tiny-vl.lock"}


def test_a_disk_without_room_is_told_before_anything_is_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 10_000))
    with serving(Server(files=dict(FILES))) as server, pytest.raises(DiskFull, match=r"the disk of .*models"):
        pull(at(server))
    assert server.asked == []


def test_a_users_own_entry_is_listed_and_verified_before_it_is_loaded(folder: Path) -> None:
    own_entry(folder)
    (row,) = (row for row in listed() if row.model.name == "tiny")
    assert (row.path, row.size_bytes, row.lacks[0]) == (None, WHOLE, "file")
    with pytest.raises(
        WeightsMissing, match=r"test finds no .*tiny-vl, of the model 'tiny'; run `geoloc models pull tiny`"
    ):
        find_folder("tiny", "", "test")
    (folder / "tiny-vl").mkdir()
    for name, data in FILES.items():
        (folder / "tiny-vl" / name).write_bytes(data)
    found = find_folder("tiny", "", "test")
    assert (found.path, found.identity()) == (folder / "tiny-vl", check(row.model).sha256)
    (folder / "tiny-vl" / "chat_template.jinja").write_text("{{ other }}")
    with pytest.raises(WeightsMismatch, match=r"not the folder of the model 'tiny'.*; run `geoloc models pull tiny`"):
        find_folder("tiny", "", "test")
    (folder / "tiny-vl" / "model-00002-of-00002.safetensors").unlink()
    (row,) = (row for row in listed() if row.model.name == "tiny")
    assert row.lacks[0] == "whole file"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"files": []}, "files is no list of tables; give the name, sha256 and size_bytes of each file"),
        ({"files": [{"name": "config.json"}]}, "files is no list of tables"),
        ({"files": [*PARTS, PARTS[0]]}, "a file twice"),
        ({"files": [*PARTS, PARTS[0] | {"name": "../a.json"}]}, r"the file '\.\./a\.json' in its folder"),
        ({"files": [*PARTS, PARTS[0] | {"name": "modeling.py"}]}, r"the file 'modeling\.py' in its folder"),
        ({"files": [*PARTS, PARTS[0] | {"name": "pytorch_model.bin"}]}, "a plain name that ends with .json"),
        ({"files": [*PARTS, PARTS[0] | {"name": "b.json", "sha256": "main"}]}, r"no pin of 'b\.json'"),
        ({"files": PARTS[:3]}, "no whole model"),
        ({"files": PARTS[1:]}, "no whole model"),
        ({"kind": "features"}, "no features reads a folder"),
        ({"sha256": "0" * 64}, "facts of one file beside files"),
        ({"url": "https://example.org/tiny"}, "end it with the slash"),
        ({"url": "", "hub": "a/b", "revision": "main"}, "the revision 'main'; give the commit"),
        ({"hub": "a/b", "revision": "c" * 40}, "no one source"),
    ],
)
def test_what_is_wrong_with_a_folders_entry_is_said(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        entry("mine", {**TABLE, **changes}, "mine.toml")
    assert str(caught.value).startswith("mine.toml: the model 'mine'")


def test_a_folder_of_the_hubs_is_pinned_by_its_commit() -> None:
    made = entry("mine", {**TABLE, "url": "", "hub": "a/b", "revision": "c" * 40}, "mine.toml")
    assert made.pulled
    assert made.whole_bytes == WHOLE
