"""A photo put to a vision-language model several times, whoever runs it, and the answers joined into a belief."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoloc_cli.errors import PhotoNotFound, PriorFailed, UsageError
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.priors.vlm_belief import Resolve, belief_of, scales_from
from geoloc_cli.priors.vlm_parse import Answer, Unread, parse
from geoloc_cli.priors.vlm_prompts import STRATEGIES, SYSTEM
from geoloc_cli.priors.vlm_talk import Conversation, Request, Shown, Turn
from geoloc_cli.types import Belief, Photo, PriorGuess

_JPEG_QUALITY = 90
_MOST_SAMPLES = 50


@dataclass(frozen=True, slots=True)
class AskOptions:
    """`samples`: how often a photo is asked about, in several wordings of the `strategy`; `max_px`: its longer side.

    `cache`: a folder in which answers are kept; empty: this system's usual one, `none`: nowhere. `calibration`: a file
    of scales, in which the model's entry is used.
    """

    model: str = ""
    samples: int = 1
    strategy: str = "plain"
    max_px: int = 1024
    temperature: float = 0.7
    max_tokens: int = 1000
    cache: str = ""
    calibration: str = ""

    def check(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(f"strategy is '{self.strategy}'; give one of {', '.join(STRATEGIES)}.")
        if not 1 <= self.samples <= _MOST_SAMPLES:
            raise UsageError(f"samples is {self.samples}; give a number from 1 to {_MOST_SAMPLES}.")
        above_zero(self, "max_px", "max_tokens")
        not_negative(self, "temperature")


def above_zero(options: object, *names: str) -> None:
    """UsageError where one of these options is zero, negative or endless."""
    for name in names:
        if not 0 < getattr(options, name) < float("inf"):
            raise UsageError(f"{name} is {getattr(options, name)}; give a number above 0.")


def not_negative(options: object, *names: str) -> None:
    """UsageError where one of these options is negative or endless."""
    for name in names:
        if not 0 <= getattr(options, name) < float("inf"):
            raise UsageError(f"{name} is {getattr(options, name)}; give 0 or more.")


class Questioner:
    """What is asked of a photo, and what is made of the answers; the conversations of one prior."""

    def __init__(self, name: str, options: AskOptions, resolve: Resolve | None) -> None:
        """resolve: where names are; None leaves them text."""
        self._name, self._options, self._resolve = name, options, resolve
        self._strategy = STRATEGIES[options.strategy]
        self._scales = scales_from(options.calibration, options.model)

    def about(self, photo: Photo) -> Conversation[tuple[Belief, PriorGuess] | None]:
        """None where no sample names a place. Raises PriorFailed where no sample was answered, and PhotoError's other
        kin where the picture cannot be read.
        """
        said: list[Answer | Unread] = []
        failed: PriorFailed | None = None
        picture = Picture(photo.path, self._options.max_px)
        for sample in range(self._options.samples):
            try:
                reply = yield self._request(picture, sample)
                said.append(parse(reply.text))
            except PriorFailed as error:
                failed = error
        if failed and not said:
            raise failed
        return belief_of(self._name, said, self._scales, self._resolve)

    def _request(self, picture: Picture, sample: int) -> Request:
        asked = Turn("user", (self._strategy.wording(sample), picture.shown()))
        return Request(
            (Turn("system", (SYSTEM,)), asked),
            self._strategy.schema(),
            # One sample is asked for the likeliest answer; several must be able to differ.
            self._options.temperature if self._options.samples > 1 else 0.0,
            self._options.max_tokens,
            sample,
        )


class Picture:
    """A photo's file as it is shown: decoded when it is first needed, so that answers on disk need no decoding."""

    def __init__(self, path: str, max_px: int) -> None:
        self._path, self._max_px = path, max_px
        self._digest = ""
        self._jpeg: bytes | None = None

    def shown(self) -> Shown:
        if not self._digest:
            self._digest = f"{self._file_digest()}/{self._max_px}"
        return Shown(self._digest, self._encoded)

    def _file_digest(self) -> str:
        try:
            with open(self._path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PhotoNotFound(f"{self._path} cannot be read ({error.strerror}); check the path.") from error

    def _encoded(self) -> bytes:
        if self._jpeg is None:
            self._jpeg = encoded(decode_rgb(self._path, max_size=self._max_px))
        return self._jpeg


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels alone as JPEG: made from an array, the file can hold nothing of the photo's metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
