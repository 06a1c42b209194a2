"""A vocabulary from a folder of photographs, by the script that makes one, and a descriptor that works with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from learn_vocabulary import evenly, main
from PIL import Image
from published_names import tiny_checkpoint

from geoloc_cli.registry import create, parse

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("safetensors")

SIZES = {1536: 16, 4608: 48, 8192: 96, 4096: 48, 1370: 17}


@pytest.fixture
def descriptor(tmp_path: Path) -> str:
    weights = tiny_checkpoint("dinov2-vitg14", tmp_path / "vitg14.pth", SIZES, without=r"blocks\.([2-9]|[123]\d)\.")
    return f"anyloc?weights={weights}&hidden=16&layers=2&layer=2&heads=2&image_px=56&size_px=112"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (70, 90, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_folder_of_photos_teaches_words_that_describe(
    tmp_path: Path, photos: Path, descriptor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_bytes(b"no picture")
    for name in ("first.safetensors", "again.safetensors"):
        assert main([str(photos), "--out", str(tmp_path / name), "--descriptor", descriptor, "--words", "5"]) == 0
    told = capsys.readouterr()
    assert "5 words of 16 numbers from 3 photos" in told.out
    assert "broken.jpg" in told.err
    made = create("descriptor", parse(f"{descriptor}&vocabulary={tmp_path / 'first.safetensors'}"))
    rows = made.embed([np.asarray(Image.open(photos / "0.png"))])
    assert rows.shape == (1, 5 * 16)
    assert np.linalg.norm(rows) == pytest.approx(1.0, abs=1e-5)
    assert (tmp_path / "first.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, photos: Path, descriptor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "words.safetensors")]
    assert main([str(photos), *out, "--descriptor", "anyloc?weights=gone.pth"]) == 2
    assert "there is no file gone.pth" in capsys.readouterr().err
    assert main([str(photos), *out, "--descriptor", descriptor, "--words", "1000"]) == 2
    assert "too few to learn 1000 words" in capsys.readouterr().err
    assert main([str(photos), *out, "--descriptor", descriptor + "&facet=word"]) == 2
    assert "facet is 'word'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(photos), *out, "--descriptor", "salad"])
    assert not (tmp_path / "words.safetensors").exists()


def test_of_many_photos_some_are_taken_evenly() -> None:
    paths = [str(number) for number in range(10)]
    assert evenly(paths, 4) == ["0", "2", "5", "7"]
    assert evenly(paths, 20) == paths
    assert evenly([], 4) == []
