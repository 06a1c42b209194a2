"""AnyLoc: facets and hard VLAD against plain loops, vocabularies learned and loaded, the backend on small weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from published_names import left_out, tiny_checkpoint

from geoloc_cli.descriptors.anyloc import AnyLocDescriptor, AnyLocOptions, learn_vocabulary
from geoloc_cli.errors import TooFewFeatures, UsageError, WeightsMismatch, WeightsMissing
from geoloc_cli.index.faiss_file import cluster

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SHAPE = {"hidden": 16, "layers": 3, "heads": 2, "image_px": 56, "layer": 3}
TINY = AnyLocOptions(**SHAPE, size_px=112)
# A gated feed-forward of two thirds of 4 * 16, rounded up to a multiple of 8.
SIZES = {1536: 16, 4608: 48, 8192: 96, 4096: 48, 1370: 17}
RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((60, 90), (112, 70), (300, 200), (60, 90))]


def weights(folder: Path) -> str:
    return str(tiny_checkpoint("dinov2-vitg14", folder / "vitg14.pth", SIZES, without=r"blocks\.([3-9]|[123]\d)\."))


def vocabulary(folder: Path, words: int = 4, seed: int = 0) -> str:
    torch.manual_seed(seed)
    path = folder / "words.pth"
    torch.save({"centers": 0.3 * torch.randn(words, 16)}, path)
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> AnyLocDescriptor:
    folder = tmp_path_factory.mktemp("anyloc")
    return AnyLocDescriptor(replace(TINY, weights=weights(folder), vocabulary=vocabulary(folder)))


def plain_vlad(tokens: np.ndarray, centers: np.ndarray) -> np.ndarray:
    sums = np.zeros_like(centers)
    for token in tokens:
        token = token / np.linalg.norm(token)
        cosines = [token @ center / np.linalg.norm(center) for center in centers]
        word = int(np.argmax(cosines))
        sums[word] += token - centers[word]
    for word in range(len(sums)):
        length = np.linalg.norm(sums[word])
        sums[word] = sums[word] / length if length > 0 else 0.0
    return (sums / np.linalg.norm(sums)).ravel()


def hard_vlad(centers: np.ndarray) -> Any:
    from geoloc_cli.descriptors.nets.facets import HardVlad

    head = HardVlad(*centers.shape).double()
    head.centers.copy_(torch.from_numpy(centers))
    return head


def test_the_head_is_the_plain_one_and_does_not_care_about_order() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(5, 7)) * rng.uniform(0.2, 2.0, (5, 1))
    tokens = rng.normal(size=(2, 30, 7)) * rng.uniform(0.5, 3.0, (2, 30, 1))
    found = hard_vlad(centers)(torch.from_numpy(tokens)).numpy()
    for i in range(2):
        assert found[i] == pytest.approx(plain_vlad(tokens[i], centers), abs=1e-12)
    assert hard_vlad(centers)(torch.from_numpy(tokens[:, rng.permutation(30)])).numpy() == pytest.approx(found)
    # Twice the tokens are the same mixture, and their lengths do not count.
    assert hard_vlad(centers)(torch.from_numpy(np.tile(tokens * 3, (1, 2, 1)))).numpy() == pytest.approx(found)


def test_a_word_without_tokens_is_zero_and_the_others_share_the_length() -> None:
    centers = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]])
    tokens = np.array([[[1.0, 0.2, 0.0], [0.0, 2.0, 0.1]]])
    parts = hard_vlad(centers)(torch.from_numpy(tokens)).numpy().reshape(3, 3)
    assert np.linalg.norm(parts, axis=1) == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])


@pytest.mark.parametrize("facet", ["query", "key", "value", "token"])
@pytest.mark.parametrize("layer", [1, 3])
def test_a_facet_is_what_its_block_computes(tmp_path: Path, facet: str, layer: int) -> None:
    options = replace(TINY, facet=facet, layer=layer, weights=weights(tmp_path), vocabulary=vocabulary(tmp_path))
    network = AnyLocDescriptor(options)._network
    pictures = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 42, 70)).astype(np.float32))
    with torch.inference_mode():
        found = network.backbone(pictures)
        states = network.backbone.model(pixel_values=pictures, output_hidden_states=True).hidden_states
    assert found.shape == (2, 3 * 5, 16)
    if facet == "token":
        assert torch.equal(found, states[layer][:, 1:])
        return
    hub = torch.load(options.weights, weights_only=True)
    at = f"blocks.{layer - 1}"
    rows = slice(*(16 * k for k in {"query": (0, 1), "key": (1, 2), "value": (2, 3)}[facet]))
    x = states[layer - 1][:, 1:].double()
    x = (x - x.mean(dim=2, keepdim=True)) / (x.var(dim=2, keepdim=True, unbiased=False) + 1e-6).sqrt()
    x = x * hub[f"{at}.norm1.weight"] + hub[f"{at}.norm1.bias"]
    x = x @ hub[f"{at}.attn.qkv.weight"][rows].double().T + hub[f"{at}.attn.qkv.bias"][rows]
    assert torch.allclose(found.double(), x, atol=1e-5)


def test_every_published_tensor_has_its_place_but_those_beyond_the_facet() -> None:
    made = type("Untaught", (AnyLocDescriptor,), {"_centers": torch.empty(32, 1536, device="meta")})
    beyond = left_out(made, AnyLocOptions(), "dinov2-vitg14")
    assert {name.split(".")[1] for name in beyond if name.startswith("blocks.")} == {str(i) for i in range(32, 40)}
    assert {name for name in beyond if not name.startswith("blocks.")} == {"mask_token", "norm.weight", "norm.bias"}


def test_pictures_keep_their_size_up_to_a_limit(made: AnyLocDescriptor) -> None:
    assert made.target(90, 60) == (90, 60)
    assert made.target(112, 100) == (112, 100)
    assert made.target(200, 300) == (75, 112)
    assert made.wanted_px() == 112


def test_a_picture_loses_what_its_whole_patches_do_not_cover(made: AnyLocDescriptor) -> None:
    """Four rows and six columns too many: two and three at either end."""
    whole = np.random.default_rng(2).integers(0, 256, (60, 90, 3), np.uint8)
    assert np.array_equal(made.embed([whole]), made.embed([whole[2:58, 3:87].copy()]))
    assert not np.array_equal(made.embed([whole]), made.embed([whole[:56, :84].copy()]))
    # Less than a patch is filled up to it: with the mean colour, which is zero here.
    low = whole[:8, :28].copy()
    assert np.linalg.norm(made.embed([low])) == pytest.approx(1.0, abs=1e-5)
    assert not np.array_equal(made.embed([low]), made.embed([low[:, ::-1].copy()]))


def test_pictures_get_unit_rows_whatever_their_company(made: AnyLocDescriptor) -> None:
    rows = made.embed(PICTURES)
    assert rows.shape == (4, 4 * 16)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.abs(rows - np.concatenate([made.embed([picture]) for picture in PICTURES])).max() < 1e-5
    assert np.array_equal(rows, AnyLocDescriptor(made.options).embed(PICTURES))
    assert np.abs(rows[0] - rows[3]).max() > 1e-3


def test_from_a_picture_to_its_row_all_is_as_written_out_plainly(made: AnyLocDescriptor) -> None:
    from plain_dinov2 import normed, plain_tokens

    hub = torch.load(made.options.weights, weights_only=True)
    before = {name: value for name, value in hub.items() if not name.startswith("blocks.2.")}
    picture = PICTURES[0][2:58, 3:87].astype(np.float64)
    normal = (picture / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    tokens = plain_tokens(before, torch.from_numpy(normal.transpose(2, 0, 1)), heads=2, patch=14, final_norm=False)
    last = {name.removeprefix("blocks.2."): value.double() for name, value in hub.items()}
    values = normed(tokens[1:], last, "norm1") @ last["attn.qkv.weight"][32:].T + last["attn.qkv.bias"][32:]
    words = torch.load(made.options.vocabulary, weights_only=True)["centers"].double().numpy()
    assert made.embed(PICTURES[:1])[0] == pytest.approx(plain_vlad(values.numpy(), words), abs=1e-5)


def test_a_vocabulary_is_pinned_named_and_refused_where_it_is_another(made: AnyLocDescriptor, tmp_path: Path) -> None:
    assert len(made.options.vocabulary_sha256) == 64
    assert made.options.vocabulary_sha256 in made.identity
    assert made.options.vocabulary not in made.identity
    with pytest.raises(WeightsMismatch, match="SHA-256"):
        AnyLocDescriptor(replace(made.options, vocabulary=vocabulary(tmp_path, seed=1)))
    other = replace(made.options, vocabulary=vocabulary(tmp_path, seed=1), vocabulary_sha256="")
    assert AnyLocDescriptor(other).identity != made.identity
    torch.save({"centers": torch.zeros(4, 17)}, tmp_path / "wide.pth")
    with pytest.raises(WeightsMismatch, match="no words of 16 numbers"):
        AnyLocDescriptor(replace(other, vocabulary=str(tmp_path / "wide.pth")))
    with pytest.raises(WeightsMissing, match=r"dinov2_vitg14_l2_value_c32_urban_c_centers\.pt"):
        AnyLocDescriptor(replace(other, vocabulary=""))
    with pytest.raises(WeightsMissing, match=r"no file gone\.pth that can be read.*\?vocabulary="):
        AnyLocDescriptor(replace(other, vocabulary="gone.pth"))


def test_a_vocabulary_may_be_a_tensor_alone_as_anyloc_publishes_them(made: AnyLocDescriptor, tmp_path: Path) -> None:
    torch.save(torch.load(made.options.vocabulary, weights_only=True)["centers"], tmp_path / "c_centers.pt")
    bare = replace(made.options, vocabulary=str(tmp_path / "c_centers.pt"), vocabulary_sha256="")
    assert np.array_equal(AnyLocDescriptor(bare).embed(PICTURES), made.embed(PICTURES))


def test_weights_by_the_names_of_transformers_are_the_same(made: AnyLocDescriptor, tmp_path: Path) -> None:
    from geoloc_cli.descriptors.names import dinov2_from_hub

    hub = torch.load(made.options.weights, weights_only=True)
    named = {name.removeprefix("backbone."): value for name, value in dinov2_from_hub(hub, "").items()}
    torch.save(named, tmp_path / "model.pth")
    other = replace(made.options, weights=str(tmp_path / "model.pth"), weights_sha256="")
    assert np.array_equal(AnyLocDescriptor(other).embed(PICTURES), made.embed(PICTURES))


def test_a_vocabulary_is_learned_from_pictures_and_serves(made: AnyLocDescriptor, tmp_path: Path) -> None:
    centers = learn_vocabulary(PICTURES, made.options, cluster, words=3, each=20)
    assert centers.shape == (3, 16)
    assert centers.dtype == np.float32
    assert np.array_equal(centers, learn_vocabulary(iter(PICTURES), made.options, cluster, words=3, each=20))
    assert not np.array_equal(centers, learn_vocabulary(PICTURES, made.options, cluster, words=3, each=20, seed=1))
    # Means of unit tokens lie within the unit ball.
    assert (np.linalg.norm(centers, axis=1) < 1.0).all()
    torch.save({"centers": torch.from_numpy(centers)}, tmp_path / "own.pth")
    own = AnyLocDescriptor(replace(made.options, vocabulary=str(tmp_path / "own.pth"), vocabulary_sha256=""))
    assert own.embed(PICTURES).shape == (4, 48)


def test_what_is_clustered_are_unit_tokens_of_every_picture(made: AnyLocDescriptor) -> None:
    seen = []

    def first(rows: np.ndarray, k: int, seed: int) -> np.ndarray:
        seen.append(rows)
        return rows[:k]

    learn_vocabulary(PICTURES[:1], made.options, first, words=2, each=24)
    assert np.linalg.norm(seen[0], axis=1) == pytest.approx(1.0, abs=1e-5)
    # 4 * 6 patches of the first picture, each once.
    with torch.inference_mode():
        ready = torch.from_numpy(made._prepared(PICTURES[0])[None])
        tokens = torch.nn.functional.normalize(made._network.backbone(ready)[0], dim=1).numpy()
    assert sorted(map(tuple, seen[0].round(4))) == sorted(map(tuple, tokens.round(4)))


def test_too_few_pictures_are_said_to_be(made: AnyLocDescriptor) -> None:
    with pytest.raises(TooFewFeatures, match="The 0 photos give 0 tokens"):
        learn_vocabulary([], made.options, cluster)
    with pytest.raises(UsageError, match="give at least 1 and 2"):
        learn_vocabulary(PICTURES, made.options, cluster, words=1)


def test_other_weights_are_refused(made: AnyLocDescriptor) -> None:
    for wrong in ({"heads": 2, "hidden": 32}, {"layers": 2, "layer": 2, "image_px": 70}):
        with pytest.raises(WeightsMismatch):
            AnyLocDescriptor(replace(made.options, **wrong))


@pytest.mark.parametrize(
    "wrong",
    [{"facet": "values"}, {"layer": 0}, {"layer": 41}, {"norm": True}, {"resize": "crop"}, {"backbone": "vitg"}],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        AnyLocOptions(**wrong).check()
