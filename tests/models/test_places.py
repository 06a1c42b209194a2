"""Where files of models are looked for, in which order, and what is said where there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from geoloc_cli.errors import WeightsMismatch, WeightsMissing
from geoloc_cli.models.catalogue import Model, built_in
from geoloc_cli.models.places import Place, located, models_folder, record_of, recorded
from geoloc_cli.models.weights import read_pinned

ALIKED = built_in()["aliked-n16"]
SUPERPOINT = built_in()["superpoint"]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders in the order in which they are searched: the user's, the models', torch.hub's."""
    monkeypatch.setenv("GEOLOC_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    found = [tmp_path / "weights", tmp_path / "models", tmp_path / "torch" / "hub" / "checkpoints"]
    for folder in found:
        folder.mkdir(parents=True)
    return found


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs huggingface_hub")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def cached(hub: Path, model: Model, revision: str, data: bytes) -> Path:
    """A file in the cache as the library lays it out: refs/main names a snapshot, which links to a blob."""
    home = hub / f"models--{model.hub.replace('/', '--')}"
    blob = home / "blobs" / digest(data)
    snapshot = home / "snapshots" / revision
    for path in (blob.parent, snapshot, home / "refs"):
        path.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    (snapshot / model.hub_file).symlink_to(blob)
    (home / "refs" / "main").write_text(revision)
    return snapshot / model.hub_file


def test_the_folder_of_models_is_the_systems_or_the_named_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOLOC_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("GEOLOC_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "geoloc" / "models"


def test_a_model_is_found_in_the_first_folder_that_has_it(folders: list[Path]) -> None:
    assert located(ALIKED) is None
    for folder in reversed(folders):
        (folder / ALIKED.file).write_bytes(b"any")
        assert located(ALIKED) == Place(folder / ALIKED.file, ALIKED.sha256)
    (folders[0] / ALIKED.file).unlink()
    (folders[0] / ALIKED.file).mkdir()
    assert located(ALIKED) == Place(folders[1] / ALIKED.file, ALIKED.sha256)


def test_a_record_says_what_a_file_must_be(folders: list[Path]) -> None:
    path = folders[1] / "xfeat.pt"
    assert record_of(path).name == "xfeat.pt.sha256"
    for text, found in ((f"{'b' * 64}  xfeat.pt\n", "b" * 64), ("b" * 63, ""), ("", ""), ("\0\xff", "")):
        record_of(path).write_text(text)
        assert recorded(path) == found
    assert recorded(folders[0] / "xfeat.pt") == ""


def test_a_model_is_found_in_the_hubs_cache_at_its_revision(folders: list[Path], hub: Path) -> None:
    assert located(SUPERPOINT) is None
    path = cached(hub, SUPERPOINT, SUPERPOINT.revision, b"any")
    assert located(SUPERPOINT) == Place(path, SUPERPOINT.sha256)
    (folders[2] / SUPERPOINT.file).write_bytes(b"other")
    assert located(SUPERPOINT) == Place(folders[2] / SUPERPOINT.file, SUPERPOINT.sha256)


def test_another_revision_is_taken_only_where_a_hash_tells_what_it_is(folders: list[Path], hub: Path) -> None:
    path = cached(hub, SUPERPOINT, "0" * 40, b"any")
    assert located(SUPERPOINT) == Place(path, SUPERPOINT.sha256)
    siglip = built_in()["siglip-base"]
    assert not siglip.sha256
    cached(hub, siglip, "0" * 40, b"any")
    assert located(siglip) is None


def test_weights_are_read_by_their_usual_name_from_the_hubs_cache_too(folders: list[Path], hub: Path) -> None:
    path = cached(hub, SUPERPOINT, SUPERPOINT.revision, b"any")
    with pytest.raises(WeightsMismatch, match="not the file that is asked for"):
        read_pinned("", "", SUPERPOINT.file, "x")
    # What is in a folder is the user's own, whatever the catalogue says of the published one.
    (folders[0] / SUPERPOINT.file).write_bytes(b"mine")
    assert read_pinned("", "", SUPERPOINT.file, "x") == (folders[0] / SUPERPOINT.file, b"mine", digest(b"mine"))
    siglip = built_in()["siglip-base"]
    path = cached(hub, siglip, siglip.revision, b"any")
    assert read_pinned("", "", siglip.file, "x") == (path, b"any", digest(b"any"))


def test_of_several_files_of_one_name_the_pinned_one_is_read(folders: list[Path]) -> None:
    for i, folder in enumerate(folders):
        (folder / "w.pth").write_bytes(b"%d" % i)
    for i, folder in enumerate(folders):
        assert read_pinned("", digest(b"%d" % i), "w.pth", "x")[0] == folder / "w.pth"
        assert read_pinned("elsewhere/w.pth", digest(b"%d" % i), "other.pth", "x")[0] == folder / "w.pth"
    with pytest.raises(WeightsMismatch, match=str(folders[0])):
        read_pinned("", digest(b"9"), "w.pth", "x")


def test_a_file_of_the_hubs_cache_that_moved_is_found_by_its_hash(folders: list[Path]) -> None:
    """Its own name there, model.safetensors, says nothing: an index from another machine names such a path."""
    given = "/elsewhere/models--a--b/snapshots/c/model.safetensors"
    with pytest.raises(WeightsMissing, match="`geoloc models pull aliked-n16`"):
        read_pinned(given, ALIKED.sha256, "other.pth", "x")
    (folders[1] / ALIKED.file).write_bytes(b"any")
    with pytest.raises(WeightsMismatch, match=f"{folders[1] / ALIKED.file} is not the file"):
        read_pinned(given, ALIKED.sha256, "other.pth", "x")


def test_what_changed_since_it_was_pulled_is_refused(folders: list[Path]) -> None:
    path = folders[1] / "xfeat.pt"
    path.write_bytes(b"pulled")
    record_of(path).write_text(f"{digest(b'pulled')}  xfeat.pt\n")
    assert read_pinned("", "", "xfeat.pt", "x")[1] == b"pulled"
    path.write_bytes(b"qulled")
    for given in ("", str(path)):
        with pytest.raises(WeightsMismatch, match="get it by `geoloc models pull xfeat`"):
            read_pinned(given, "", "xfeat.pt", "x")


def test_missing_weights_are_told_the_command_that_gets_them(folders: list[Path]) -> None:
    with pytest.raises(WeightsMissing, match=r"no file xfeat\.pt; get it by `geoloc models pull xfeat`, or give"):
        read_pinned("", "", "xfeat.pt", "features 'xfeat'")
    with pytest.raises(WeightsMissing, match=r"download it from https://github.com/amaralibey/MixVPR, and give"):
        read_pinned("", "", built_in()["mixvpr"].file, "descriptor 'mixvpr'")
    with pytest.raises(WeightsMissing, match=r"no file mine\.pt; download them, and give `\?weights=/path/to/mine.pt`"):
        read_pinned("mine.pt", "", "mine.pt", "features 'xfeat'")
