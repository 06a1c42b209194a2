"""Words asked of `geoclip`, with a small CLIP and tokenizer made here: as published, end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geoloc_cli.cli.app import app
from geoloc_cli.errors import UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.geo.belief import fuse, log_density, simplify
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.asking import ask_text, with_text
from geoloc_cli.priors.geoclip import GeoClipOptions, GeoClipPrior
from geoloc_cli.priors.near import NearOptions, NearPrior
from geoloc_cli.records import loads

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
geoclip = pytest.importorskip("geoclip")

PX = 42
SHAPE: dict[str, Any] = {"hidden": 32, "layers": 2, "heads": 4, "patch": 14, "image_px": PX}
TOWER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
LONGEST = 16  # tokens that the text tower takes; the published one takes 77
HARBOUR = "A harbour in Norway"


def vocabulary() -> tuple[dict[str, int], list[str]]:
    """Every byte as CLIP writes it (those that cannot be printed as letters from 256 on), four merges, and the ends."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printed]
    letters = [chr(byte) for byte in printed] + [chr(256 + i) for i in range(len(rest))]
    merges = ["h a", "ha r", "o u", "n o"]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    return {token: i for i, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}, merges


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole CLIP with random weights, the two files of its tokenizer, and a gallery of 400 places."""
    folder = tmp_path_factory.mktemp("words")
    tokens, merges = vocabulary()
    torch.manual_seed(0)
    vision = {**TOWER, "image_size": PX, "patch_size": 14, "projection_dim": 768}
    ends = {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1}
    text = {**TOWER, **ends, "vocab_size": len(tokens), "max_position_embeddings": LONGEST, "projection_dim": 768}
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=768)
    clip = transformers.CLIPModel(config)
    with torch.no_grad():  # wide enough that texts differ
        clip.text_projection.weight.mul_(30.0)
    clip.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(tokens))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    rng = np.random.default_rng(0)
    places = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 400))), rng.uniform(-180, 180, 400)], axis=1)
    (folder / "gallery.csv").write_text("\n".join(["lat,lon", *(f"{lat},{lon}" for lat, lon in places)]))
    return folder


@pytest.fixture(scope="module")
def options(folder: Path) -> GeoClipOptions:
    files = {"weights": str(folder / "model.safetensors"), "gallery": str(folder / "gallery.csv")}
    return GeoClipOptions(**files, cache=str(folder / "cache"), temperature=0.25, refine=0, **SHAPE)


@pytest.fixture(scope="module")
def prior(options: GeoClipOptions) -> GeoClipPrior:
    return GeoClipPrior(options)


def picture(path: Path) -> str:
    y, x = np.mgrid[0:60, 0:80] / 20.0
    Image.fromarray(np.stack([127 + 120 * np.sin(k * x + y) for k in (1, 2, 3)], axis=-1).astype(np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize("text", [HARBOUR, "  a HARBOUR\nin norway ", "Ålesund, 1. juli: brygga & båtar!", "øy " * 40])
def test_a_text_goes_the_way_of_the_published_parts(folder: Path, prior: GeoClipPrior, text: str) -> None:
    """CLIP's tokenizer and text tower by transformers, then the head of the package; the longest one is cut alike."""
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    clip = transformers.CLIPModel.from_pretrained(folder, local_files_only=True).eval()
    head = torch.nn.Sequential(torch.nn.Linear(768, 768), torch.nn.ReLU(), torch.nn.Linear(768, 512))
    weights = Path(str(geoclip.__file__)).parent / "model" / "weights" / "image_encoder_mlp_weights.pth"
    head.load_state_dict(torch.load(weights, weights_only=True))
    ids = tokenizer([text], truncation=True, max_length=LONGEST, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        wanted = torch.nn.functional.normalize(head(clip.get_text_features(input_ids=ids).pooler_output), dim=1)[0]
    assert np.abs(prior.text_row(text) - wanted.numpy()).max() < 1e-6
    assert np.abs(prior.text_row("a desert") - wanted.numpy()).max() > 1e-2


def test_words_are_doubted_more_than_pictures(options: GeoClipOptions, prior: GeoClipPrior) -> None:
    answer = prior.believe_text(HARBOUR)
    assert answer is not None
    belief, guess = answer
    assert belief.spread >= 0.5
    assert f"the text '{HARBOUR}' speaks most for" in guess.rationale
    sure = GeoClipPrior(replace(options, text_doubt=0.01)).believe_text(HARBOUR)
    assert sure is not None
    assert 1.0 - sure[0].spread == pytest.approx((1.0 - belief.spread) * 0.99 / 0.5, rel=0.01)


def test_a_text_is_a_further_source_beside_the_picture(
    options: GeoClipOptions, prior: GeoClipPrior, tmp_path: Path
) -> None:
    """The product of what each says alone, in no more components than `top`."""
    photo = read_photo(picture(tmp_path / "photo.png"))
    seen, said = prior.believe(photo), prior.believe_text(HARBOUR)
    both = GeoClipPrior(replace(options, text=HARBOUR)).believe(photo)
    assert seen is not None
    assert said is not None
    assert both is not None
    joined = simplify(fuse(seen[0], said[0]), options.top)
    at = (prior.gallery.lat, prior.gallery.lon)
    assert np.abs(log_density(both[0], *at) - log_density(joined, *at)).max() < 1e-3
    assert np.abs(log_density(both[0], *at) - log_density(seen[0], *at)).max() > 0.3
    assert both[1].name == "geoclip"
    assert f"it and the text '{HARBOUR}' speak most for" in both[1].rationale


def test_a_picture_of_nowhere_leaves_the_text(options: GeoClipOptions) -> None:
    prior = GeoClipPrior(replace(options, text=HARBOUR))
    rows = prior.encoded(prior.gallery.lat, prior.gallery.lon).double().numpy()
    constant, *_ = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)
    flat = (1e-3 * constant / np.abs(rows @ constant).max()).astype(np.float32)
    answer = prior.believe_features(flat)
    assert answer is not None
    assert answer[0] == prior.believe_text(HARBOUR)[0]  # type: ignore[index]


def test_one_file_of_the_tokenizer_says_the_same(folder: Path, options: GeoClipOptions, prior: GeoClipPrior) -> None:
    """As `geoloc models pull clip-tokenizer` brings it, under its name in the folder of models."""
    other = folder / "alone"
    other.mkdir()
    transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True).save_pretrained(other)
    file = (other / "tokenizer.json").rename(other / "clip-tokenizer.json")
    again = GeoClipPrior(replace(options, tokenizer=str(file)))
    assert (again.text_row(HARBOUR) == prior.text_row(HARBOUR)).all()


def test_without_a_tokenizer_the_sentence_names_the_remedy(
    folder: Path, options: GeoClipOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GEOLOC_MODELS", "GEOLOC_WEIGHTS", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "clip.safetensors").symlink_to(folder / "model.safetensors")
    moved = GeoClipPrior(replace(options, weights=str(tmp_path / "clip.safetensors")))
    with pytest.raises(WeightsMissing, match=r"`geoloc models pull clip-tokenizer`, or give `\?tokenizer=FOLDER`"):
        moved.text_row(HARBOUR)
    with pytest.raises(WeightsMissing, match="there is none at nowhere"):
        GeoClipPrior(replace(options, tokenizer="nowhere")).text_row(HARBOUR)
    (tmp_path / "vocab.json").write_text(json.dumps({"<|startoftext|>": 0, "<|endoftext|>": 1}))
    (tmp_path / "merges.txt").write_text("#version: 0.2")
    with pytest.raises(WeightsMismatch, match="is no tokenizer of"):
        moved.text_row(HARBOUR)
    (tmp_path / "vocab.json").write_text("{")
    with pytest.raises(WeightsMismatch, match="cannot be read as a tokenizer"):
        moved.text_row(HARBOUR)


def test_no_words_are_refused(prior: GeoClipPrior) -> None:
    with pytest.raises(UsageError, match="has no words"):
        prior.believe_text(" \n")
    with pytest.raises(UsageError, match="None of these priors takes words"):
        with_text(["near=1,2,3km"], HARBOUR)


def test_priors_that_take_no_words_say_so(prior: GeoClipPrior) -> None:
    asked = ask_text([NearPrior(NearOptions("60,5,90km")), prior], HARBOUR)
    assert [guess.rationale for guess in asked.guesses][:1] == ["it takes no words"]
    assert asked.belief == prior.believe_text(HARBOUR)[0]  # type: ignore[index]


def test_the_program_answers_words_and_photos_with_words(options: GeoClipOptions, tmp_path: Path) -> None:
    keys = ("weights", "gallery", "cache", "temperature", "refine", *SHAPE)
    spec = "geoclip?" + "&".join(f"{key}={getattr(options, key)}" for key in keys)
    path = picture(tmp_path / "photo.png")
    lines = []
    for words in ([], [path, "--workers", "1"]):
        done = CliRunner().invoke(app, ["prior", *words, "--text", HARBOUR, "--prior", spec, "--quiet"])
        assert (done.exit_code, done.stderr) == (0, "")
        lines.append(json.loads(done.stdout))
    alone, beside = lines
    assert alone["photo"] == f"text:{HARBOUR}"
    assert beside["photo"] == path
    for record, spread in ((alone, 0.5), (beside, 0.0)):
        assert (record["status"], record["stage"]) == ("ok", "prior")
        assert HARBOUR in record["priors"][0]["rationale"]
        assert spread <= record["spread"] < 1.0
        assert loads(json.dumps(record)).photo == record["photo"]
