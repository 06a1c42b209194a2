"""GeoCLIP (Vivanco, Nayak and Shah 2023): a picture's likeness to places all over the Earth, as a belief.

The place encoder, the head on CLIP, the scale and the gallery come in the package `geoclip`, of which nothing but files
is read: it is never imported, and works without torchvision. CLIP itself is a file of its own (`clip-vit-l14`), and so
is its tokenizer (`clip-tokenizer`), for words in place of a picture or beside it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geoloc_cli.descriptors.learned import PRECISIONS
from geoloc_cli.descriptors.vit import VitDescriptor, VitOptions
from geoloc_cli.device import available_cores, choose, full_precision, uploaded
from geoloc_cli.errors import MissingExtra, PhotoError, UsageError
from geoloc_cli.geo.belief import fuse, mass_within, simplify
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.models.weights import fit, imported, load_weights
from geoloc_cli.photos.batches import in_batches
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.priors.gallery import Floats, Gallery, gallery_of
from geoloc_cli.priors.geoclip_text import Words
from geoloc_cli.priors.scored import Reading, believed, refined
from geoloc_cli.store import key_of, opened
from geoloc_cli.types import Belief, Component, Photo, PriorGuess

_OWNER = "prior 'geoclip'"
_BACKBONE = "clip-vit-large-patch14"
# Where the package keeps what is read of it.
_GALLERY = "gps_gallery/coordinates_100K.csv"
_HEAD = "weights/image_encoder_mlp_weights.pth"
_PLACES = "weights/location_encoder_weights.pth"
_SCALE = "weights/logit_scale_weights.pth"
# Places encoded at a time: activations of 16 MB a layer.
_AT_ONCE = 4096
# A belief that is less than this share beside the even one says nothing, and is not given as an answer.
_LEAST_TOLD = 0.1


@dataclass(frozen=True, slots=True)
class GeoClipOptions:
    """Options of `geoclip`.

    `weights` is CLIP's file, by default one of its usual name where weights are looked for (`models/weights.py`), and
    `weights_sha256` pins it. `gallery` is a CSV file with lat and lon, `index:DIR` for the places of an index's photos,
    `near:LAT,LON,RADIUS` or `bbox:SOUTH,WEST,NORTH,EAST` for a region, a GeoJSON or GPX file for roads, a track or an
    area, or empty for the package's 100 000, which lie as the photographs lie that it was trained on. `spacing_km` is
    how far apart the places of a region or along a line lie; 0: 5 km, or what makes 100 000 of a wider region.

    `temperature` divides the scores: 1, since the loss that GeoCLIP was trained by makes the softmax over places drawn
    as its photographs lie the probability of each, for pictures like these. `doubt` is spread over the Earth: 0.15, as
    16 of 100 first answers are more than 2 500 km off on Im2GPS3k (83.8 % within, as published). `scored.learn` finds
    both for other photos. `floor_km` is under every radius: over 12 km the finest waves of the place encoder lose step.

    Places within `reach_km` of each other are one hill of at most `top` in the answer; the weightiest are looked at on
    a finer grid, `refine` times: of 80 places some 50 km from a listed one, asked for by their own encoding, 94 % are
    then found within 6 km, and 50 % without. `cache` is a folder for the encoded gallery (200 MB and half a minute on a
    CPU); empty: this system's usual one, `none`: nowhere.

    `text` is said of every photo: a further source beside its picture. `tokenizer` is the folder or file of CLIP's, by
    default beside the weights or as `geoloc models pull clip-tokenizer` brought it. `text_doubt` is the doubt in words:
    0.5, since GeoCLIP saw none in training, and nobody has published how often it is right about them.

    `hidden`, `layers`, `heads`, `patch` and `image_px` are for a CLIP of another shape than the published one, 0 the
    published.
    """

    weights: str = ""
    weights_sha256: str = ""
    gallery: str = ""
    spacing_km: float = 0.0
    temperature: float = 1.0
    doubt: float = 0.15
    floor_km: float = 12.0
    reach_km: float = 150.0
    top: int = 16
    refine: int = 3
    cache: str = ""
    text: str = ""
    text_doubt: float = 0.5
    tokenizer: str = ""
    precision: str = "auto"
    batch: int = 16
    hidden: int = 0
    layers: int = 0
    heads: int = 0
    patch: int = 0
    image_px: int = 0

    def check(self) -> None:
        """Raises UsageError where one is out of range."""
        for name in ("temperature", "floor_km", "reach_km"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; give a number above 0.")
        if not 0.0 <= self.spacing_km < float("inf"):
            raise UsageError(f"spacing_km is {self.spacing_km}; give a length, or 0 for the usual one.")
        for name in ("doubt", "text_doubt"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise UsageError(f"{name} is {getattr(self, name)}; give a share between 0 and 1.")
        if self.top < 1 or not 0 <= self.refine <= 8:
            raise UsageError(f"top is {self.top} and refine {self.refine}; give at least 1, and from 0 to 8.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision is {self.precision!r}; give one of {', '.join(PRECISIONS)}.")
        self.pictures().check()

    def pictures(self) -> VitOptions:
        """What describes the pictures."""
        same = ("weights", "weights_sha256", "precision", "batch")
        shape = ("hidden", "layers", "heads", "patch", "image_px")
        return VitOptions(backbone=_BACKBONE, **{name: getattr(self, name) for name in same + shape})

    def reading(self) -> Reading:
        """How scores become a belief."""
        return Reading(self.temperature, self.doubt, 1000.0 * self.reach_km, 1000.0 * self.floor_km, self.top)


class GeoClipPictures(VitDescriptor):
    """CLIP's own token of a picture through GeoCLIP's head: 512 numbers, comparable with those of places."""

    name = "geoclip"
    kind: ClassVar[str] = "prior"

    def build(self, options: VitOptions) -> Any:
        from geoloc_cli.descriptors.nets.backbones import Vit
        from geoloc_cli.priors.geoclip_net import PictureEncoder

        return PictureEncoder(Vit(options.tower()))

    def renamed(self, options: VitOptions, state: dict[str, Any]) -> dict[str, Any]:
        return VitDescriptor.renamed(self, options, state) | _head()

    def wanted_px(self) -> int:
        """Four times the side of the square that is seen, of which pictures of up to 4:1 then have enough."""
        return 4 * self.options.size_px

    def _prepared(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The square in the middle, as CLIP's authors cut it."""
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return VitDescriptor._prepared(self, picture[top : top + side, left : left + side])


class GeoClipPrior:
    """Where a picture looks like, all over the Earth or among the places of a gallery."""

    name = "geoclip"

    def __init__(self, options: GeoClipOptions | None = None) -> None:
        """Raises MissingExtra without torch or the package, and WeightsMissing or WeightsMismatch without CLIP."""
        self.options = options or GeoClipOptions()
        self.options.check()
        torch = imported("torch", _OWNER, "geoclip")
        package = _package()
        self.pictures = GeoClipPictures(self.options.pictures())
        from geoloc_cli.priors.geoclip_net import LocationEncoder

        weights = load_weights(str(package / _PLACES), "", Path(_PLACES).name, _OWNER)
        self._device = choose().name
        self._encoder = fit(LocationEncoder(), weights, _OWNER).to(self._device)
        scale = load_weights(str(package / _SCALE), "", Path(_SCALE).name, _OWNER).state[""]
        self.scale = float(torch.exp(scale.float()))
        self.gallery: Gallery = gallery_of(
            self.options.gallery or str(package / _GALLERY), 1000.0 * self.options.spacing_km
        )
        self._features = self._kept(weights.sha256)
        self._words: Words | None = None
        self._said = self._of_text(self.options.text) if self.options.text else None

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """None where the picture looks like nowhere in particular. Raises PhotoError where it cannot be read."""
        return self.believe_pictures([self._decoded(photo)])[0]

    def believe_all(
        self, photos: Iterable[Photo]
    ) -> Iterator[tuple[Photo, tuple[Belief, PriorGuess] | PhotoError | None]]:
        """Each photo with the same or why it cannot be read, in their order: CLIP sees `batch` at a time."""
        return in_batches(photos, self._decoded, self.believe_pictures, self.options.batch, available_cores())

    def report(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        pass

    def _decoded(self, photo: Photo) -> NDArray[np.uint8]:
        return decode_rgb(photo.path, max_size=self.pictures.wanted_px())

    def believe_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> list[tuple[Belief, PriorGuess] | None]:
        """The same of upright pictures (H, W, 3) uint8, of which CLIP sees `batch` at a time."""
        return [self.believe_features(row) for row in self.pictures.embed(pictures)]

    def believe_features(self, picture: NDArray[np.float32]) -> tuple[Belief, PriorGuess] | None:
        """The same of a picture's unit row (512,) of `pictures.embed`; joined with the `text` where one is said."""
        seen = self._believed(picture, self.options.reading())
        if self._said is None:
            return self._answer(seen, "it looks most like") if seen else None
        if seen is None:
            return self._answer(self._said, f"the text {self.options.text!r} speaks most for")
        both = simplify(fuse(seen, self._said), self.options.top)
        return self._answer(both, f"it and the text {self.options.text!r} speak most for")

    def believe_text(self, text: str) -> tuple[Belief, PriorGuess] | None:
        """The same of words without any picture. Raises UsageError without words, and WeightsMissing without CLIP's
        tokenizer.
        """
        said = self._of_text(text)
        return self._answer(said, f"the text {text!r} speaks most for") if said else None

    def text_row(self, text: str) -> NDArray[np.float32]:
        """A text's unit row (512,)."""
        if self._words is None:
            seen = self.pictures.options
            clip = load_weights(seen.weights, seen.weights_sha256, Path(seen.weights).name, _OWNER)
            self._words = Words(clip, _head(), self.options.tokenizer, self.options.heads, self._device)
        return self._words.embed(text)

    def _of_text(self, text: str) -> Belief | None:
        return self._believed(self.text_row(text), replace(self.options.reading(), doubt=self.options.text_doubt))

    def _believed(self, row: NDArray[np.float32], reading: Reading) -> Belief | None:
        belief = believed(self.gallery, self.scores(row), reading)
        if 1.0 - belief.spread < _LEAST_TOLD:
            return None
        return refined(belief, lambda lat, lon: self.scores_at(row, lat, lon), reading, self.options.refine)

    def _answer(self, belief: Belief, speaks: str) -> tuple[Belief, PriorGuess]:
        peak, share = _likeliest(belief, self.options.reading().reach_m)
        rationale = (
            f"of {len(self.gallery.lat)} places {speaks} those about here, which hold {share:.0%} of the "
            f"belief, and {belief.spread:.0%} is anywhere"
        )
        return belief, PriorGuess(self.name, peak.lat, peak.lon, peak.radius_m, rationale)

    def scores(self, picture: NDArray[np.float32]) -> Floats:
        """GeoCLIP's logits (N,) of the gallery's places, for a picture's unit row (512,)."""
        return self._compared(picture, self._features)

    def encoded(self, lat: Floats, lon: Floats) -> Any:
        """Unit rows (N, 512) of places in degrees, a float32 tensor on the device."""
        import torch

        places = np.stack((lat, lon), axis=1).astype(np.float32)
        rows = []
        with torch.inference_mode(), full_precision():
            for start in range(0, len(places), _AT_ONCE):
                found = self._encoder(uploaded(places[start : start + _AT_ONCE], self._device))
                rows.append(torch.nn.functional.normalize(found, dim=1))
        return torch.cat(rows)

    def scores_at(self, picture: NDArray[np.float32], lat: Floats, lon: Floats) -> Floats:
        """The same of any places (N,) in degrees."""
        return self._compared(picture, self.encoded(lat, lon))

    def _compared(self, picture: NDArray[np.float32], places: Any) -> Floats:
        import torch

        with torch.inference_mode(), full_precision():
            found: Floats = (places @ uploaded(picture, self._device)).double().cpu().numpy() * self.scale
        return found

    def _kept(self, sha256: str) -> Any:
        """The gallery's rows, read back where the same places were encoded by the same weights."""
        store = opened(self.options.cache, self.name)
        key = key_of(places=self.gallery.sha256, by=self.name, weights=sha256)
        kept = store.get(key) if store else None
        if kept is not None:
            return uploaded(kept["rows"], self._device)
        rows = self.encoded(self.gallery.lat, self.gallery.lon)
        if store:
            store.put(key, {"rows": rows.cpu().numpy()})
        return rows


def _likeliest(belief: Belief, reach_m: float) -> tuple[Component, float]:
    """The densest component of where most is believed within the reach, and how much is: a sharp peak alone is none."""
    held = [float(mass_within(belief, c.lat, c.lon, reach_m)) for c in belief.components]
    most = belief.components[int(np.argmax(held))]
    about = (c for c in belief.components if haversine_m(most.lat, most.lon, c.lat, c.lon) <= reach_m)
    return max(about, key=lambda c: c.weight / c.radius_m**2), max(held)


def _head() -> dict[str, Any]:
    """What the package's head is made of, under our names."""
    head = load_weights(str(_package() / _HEAD), "", Path(_HEAD).name, _OWNER).state
    return {f"mlp.{name}": value for name, value in head.items()}


def _package() -> Path:
    """The folder of the package's files, which is found and not imported."""
    spec = importlib.util.find_spec("geoclip")
    if spec is None or spec.origin is None:
        raise MissingExtra(
            f"{_OWNER} needs the files of the package geoclip; run `pip install 'geoloc[geoclip]'`, or where torch has "
            "no torchvision `pip install --no-deps 'geoclip>=1.3,<1.4'`."
        )
    return Path(spec.origin).parent / "model"
