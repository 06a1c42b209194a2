"""The prior `geoclip`, end to end with a small CLIP: the package's own numbers, known places found again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from program import called

from geoloc_cli.contracts import BatchPrior
from geoloc_cli.errors import MissingExtra, PhotoNotFound, UsageError, WeightsMissing
from geoloc_cli.geo.belief import from_components, mode
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.priors.geoclip import GeoClipOptions, GeoClipPrior, _likeliest
from geoloc_cli.priors.geoclip_near import GeoClipNeighbours
from geoloc_cli.registry import BackendSpec, create
from geoloc_cli.types import Component

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SmallTown

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
geoclip = pytest.importorskip("geoclip")

PX = 56
SHAPE: dict[str, Any] = {"hidden": 32, "layers": 2, "heads": 4, "patch": 14, "image_px": PX}
TOWER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
EVERY = 25  # of the package's places: 4 000 are encoded in a second


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP with random weights as `save_pretrained` writes it, a part of the gallery, and a cache."""
    folder = tmp_path_factory.mktemp("geoclip")
    torch.manual_seed(0)
    vision = {**TOWER, "image_size": PX, "patch_size": 14, "projection_dim": 768}
    text = {**TOWER, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 2, "projection_dim": 768}
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=768)
    transformers.CLIPModel(config).save_pretrained(folder)
    processor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": PX}, "resample": 3}
    processor |= {"crop_size": {"height": PX, "width": PX}, "image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    """The package's own model over that CLIP, its gallery thinned, which is written as a file for ours."""
    model = geoclip.GeoCLIP(clip_path=str(folder)).eval()
    model.gps_gallery = model.gps_gallery[::EVERY].contiguous()
    lines = [f"{lat!r},{lon!r}" for lat, lon in model.gps_gallery.tolist()]
    (folder / "gallery.csv").write_text("\n".join(["LAT,LON", *lines]))
    return model


@pytest.fixture(scope="module")
def options(folder: Path, theirs: Any) -> GeoClipOptions:
    files = {"weights": str(folder / "model.safetensors"), "gallery": str(folder / "gallery.csv")}
    return GeoClipOptions(**files, cache=str(folder / "cache"), **SHAPE)


@pytest.fixture(scope="module")
def ours(options: GeoClipOptions) -> GeoClipPrior:
    return GeoClipPrior(options)


def picture(width: int = PX, height: int = PX, seed: int = 0) -> np.ndarray:
    """A smooth picture: a few waves of each colour."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [np.sin(6.0 * (rng.normal() * x + rng.normal() * y) + rng.uniform(0, 6)) for _ in range(3)]
    return np.stack([127.5 + 127.0 * wave for wave in waves], axis=-1).astype(np.uint8)


def test_the_package_predicts_the_same_places_with_the_same_shares(
    theirs: Any, ours: GeoClipPrior, tmp_path: Path
) -> None:
    """`predict` on a picture that needs no resizing: the whole way, from the file to the softmax."""
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    places, shares = theirs.predict(str(tmp_path / "photo.png"), 50)
    scores = ours.scores(ours.pictures.embed([picture()])[0])
    found = np.exp(scores - scores.max())
    found /= found @ ours.gallery.times  # a place that is listed twice counts twice there, too
    best = np.argsort(-found)[:50]
    assert shares[0] > 3.0 / len(found)
    assert ours.gallery.times[best].max() == 1
    assert found[best] == pytest.approx(shares.numpy(), rel=1e-4)
    assert [[ours.gallery.lat[i], ours.gallery.lon[i]] for i in best[:10]] == places[:10].double().tolist()


def test_scores_are_the_packages_on_the_same_features(theirs: Any, ours: GeoClipPrior) -> None:
    """Its own forward, but for CLIP: 3 pictures' features through its head against all places."""
    seen = torch.from_numpy(np.stack([ours.pictures._prepared(picture(seed=i)) for i in range(3)]))
    places = np.stack((ours.gallery.lat, ours.gallery.lon), axis=1).astype(np.float32)
    with torch.inference_mode():
        wanted = theirs(seen, torch.from_numpy(places)).numpy()
    rows = ours.pictures.embed([picture(seed=i) for i in range(3)])
    found = np.stack([ours.scores(row) for row in rows])
    assert np.ptp(wanted) > 3.0
    assert np.abs(found - wanted).max() < 1e-4


def test_the_middle_of_a_wide_picture_is_seen_as_the_package_sees_it(theirs: Any, ours: GeoClipPrior) -> None:
    """It resizes, then cuts; here it is cut first: half a pixel apart at most."""
    for size in ((140, 100), (90, 300)):
        whole = picture(*size)
        wanted = theirs.image_encoder.preprocess_image(Image.fromarray(whole))[0].numpy()
        found = ours.pictures._prepared(whole)
        assert found.shape == wanted.shape == (3, PX, PX)
        assert np.abs(found - wanted).mean() < 0.05 < np.abs(found - found[:, ::-1]).mean()


@pytest.mark.parametrize("place", [(64.9, -18.5), (47.3, 3.6), (2.5, 21.5), (-16.8, 179.97)])
def test_a_picture_that_looks_like_a_place_is_placed_there(ours: GeoClipPrior, place: tuple[float, float]) -> None:
    """The place encoder's own row in place of a picture's: found within half the floor under every radius.

    The thinned gallery has no place within 15 km of it. The doubt stays however sure it is.
    """
    assert haversine_m(*place, ours.gallery.lat, ours.gallery.lon).min() > 15_000.0
    row = ours.encoded(*(np.array([x]) for x in place))[0].numpy()
    answer = ours.believe_features(row)
    assert answer is not None
    belief, guess = answer
    assert haversine_m(*mode(belief), *place) < 6_000.0
    assert haversine_m(guess.lat, guess.lon, *place) < 6_000.0
    assert guess.radius_m >= 12_000.0
    assert belief.spread >= 0.15


def test_a_small_sharp_peak_does_not_outweigh_a_whole_region() -> None:
    sharp = Component(30.0, -90.0, 12_000.0, 0.02)
    north, south = Component(48.0, 2.0, 70_000.0, 0.3), Component(47.0, 1.6, 60_000.0, 0.3)
    peak, share = _likeliest(from_components([sharp, north, south], 0.38), 150_000.0)
    assert peak == south
    assert share == pytest.approx(0.6, abs=0.05)


def test_refining_is_what_brings_it_there(options: GeoClipOptions, ours: GeoClipPrior) -> None:
    place = (64.9, -18.5)  # inland of Iceland, where the gallery is sparse
    row = ours.encoded(*(np.array([x]) for x in place))[0].numpy()
    away = {}
    for levels in (0, 1, 2):
        answer = GeoClipPrior(replace(options, refine=levels)).believe_features(row)
        assert answer is not None
        away[levels] = float(haversine_m(answer[1].lat, answer[1].lon, *place))
    assert away[2] <= away[1] < away[0]
    assert away[0] > 10_000.0
    assert away[2] < 5_000.0


def test_what_looks_like_nowhere_is_no_answer(ours: GeoClipPrior) -> None:
    """A row that no place is like: the scores are all the same."""
    rows = ours.encoded(ours.gallery.lat, ours.gallery.lon).double().numpy()
    constant, *_ = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)
    flat = (1e-3 * constant / np.abs(rows @ constant).max()).astype(np.float32)
    assert ours.believe_features(flat) is None


def test_photographs_alone_and_together_and_again_from_the_cache(
    options: GeoClipOptions, ours: GeoClipPrior, folder: Path, tmp_path: Path
) -> None:
    Image.fromarray(picture(140, 100)).save(tmp_path / "photo.png")
    answer = ours.believe(read_photo(str(tmp_path / "photo.png")))
    assert answer is not None
    assert answer[1].name == "geoclip"
    assert "3982 places" in answer[1].rationale
    Image.fromarray(picture(seed=1)).save(tmp_path / "other.png")
    photos = [read_photo(str(tmp_path / name)) for name in ("other.png", "other.png", "photo.png")]
    photos[1] = replace(photos[1], path=str(tmp_path / "gone.png"))
    assert isinstance(ours, BatchPrior)
    (_, other), (_, gone), (photo, together) = ours.believe_all(photos)
    assert photo == photos[2]
    assert isinstance(gone, PhotoNotFound)
    assert isinstance(together, tuple)
    assert together[0].spread == pytest.approx(answer[0].spread, abs=1e-3)
    assert haversine_m(together[1].lat, together[1].lon, answer[1].lat, answer[1].lon) < 1_000.0
    assert other != together
    entries = sorted(folder.rglob("*.npz"))
    again = GeoClipPrior(options)
    assert again.believe(read_photo(str(tmp_path / "photo.png"))) == answer
    assert sorted(folder.rglob("*.npz")) == entries != []


def test_the_package_is_never_imported() -> None:
    """It imports torchvision where there is one, and pandas; and without the package there is one sentence."""
    program = (
        "import sys, torch\n"
        "from geoloc_cli.priors.geoclip import GeoClipPrior, _package\n"
        "from geoloc_cli.errors import WeightsMissing\n"
        "_package()\n"
        "try: GeoClipPrior()\n"
        "except WeightsMissing: pass\n"
        "assert not {'geoclip', 'pandas', 'torchvision'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_package_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, options: GeoClipOptions) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"geoloc\[geoclip\].*--no-deps"):
        GeoClipPrior(options)


def test_without_clip_the_sentence_names_the_remedy() -> None:
    with pytest.raises(WeightsMissing, match=r"prior 'geoclip' needs its weights.*`geoloc models pull clip-vit-l14`"):
        create("prior", BackendSpec("geoclip"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"doubt": 1},
        {"top": 0},
        {"refine": 9},
        {"floor_km": -1},
        {"reach_km": 0},
        {"precision": "x"},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create("prior", BackendSpec("geoclip", wrong))


def test_the_program_asks_it(town: SmallTown, options: GeoClipOptions, tmp_path: Path) -> None:
    """A picture of nothing that is indexed is answered by the prior alone."""
    Image.fromarray(picture(140, 100)).save(tmp_path / "photo.png")
    keys = ("weights", "gallery", *SHAPE)
    prior = "geoclip?" + "&".join(f"{key}={getattr(options, key)}" for key in keys)
    asked = ("--prior", prior, "--cache", options.cache, "--workers", "1", "--quiet")
    done = called("locate", tmp_path / "photo.png", "--index", town.index, *asked)
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert (record["status"], record["stage"]) == ("ok", "prior")
    assert record["priors"][0]["name"] == "geoclip"
    assert 0.15 <= record["spread"] < 0.9
    assert sum(c["weight"] for c in record["belief"]) + record["spread"] == pytest.approx(1.0, abs=1e-3)


def test_its_places_are_neighbours_that_a_model_can_be_shown(ours: GeoClipPrior, tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    nearby = GeoClipNeighbours(ours)(read_photo(str(tmp_path / "photo.png")), 5)
    scores = ours.scores(ours.pictures.embed([picture()])[0])
    best, worst = int(np.argmax(scores)), int(np.argmin(scores))
    for photos, at in ((nearby.similar, best), (nearby.dissimilar, worst)):
        assert len(photos) == 5
        assert (photos[0].lat, photos[0].lon) == (ours.gallery.lat[at], ours.gallery.lon[at])
        assert photos[0].similarity == pytest.approx(scores[at])
    # Any place has a likeness, and that of a place of the gallery is its score.
    assert nearby.support(ours.gallery.lat[best], ours.gallery.lon[best]) == pytest.approx(2.0, abs=1e-3)
    assert nearby.support(ours.gallery.lat[worst], ours.gallery.lon[worst]) == pytest.approx(0.5, abs=1e-3)
