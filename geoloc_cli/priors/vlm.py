"""A vision-language model over HTTP: asked several times about a photo, its answers joined into a belief.

Nothing is sent anywhere without a URL that the user gave. What is sent is the upright picture, made smaller and encoded
anew: pixels alone, no metadata and no file name.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from geoloc_cli.errors import PhotoError, PhotoNotFound, PriorFailed, UsageError
from geoloc_cli.photos.decode import decode_rgb
from geoloc_cli.priors.vlm_belief import Resolve, belief_of, scales_from
from geoloc_cli.priors.vlm_http import Endpoint, Reply
from geoloc_cli.priors.vlm_parse import Answer, Unread, parse
from geoloc_cli.priors.vlm_places import by_gazetteer
from geoloc_cli.priors.vlm_prompts import STRATEGIES, SYSTEM, VERSION
from geoloc_cli.store import Store, key_of
from geoloc_cli.types import Belief, Photo, PriorGuess

_JPEG_QUALITY = 90
_KEY_ENV = "GEOLOC_VLM_API_KEY"
# Photos that wait for their turn beside those that are being asked about.
_AHEAD = 2
_MOST_SAMPLES = 50


@dataclass(frozen=True, slots=True)
class VlmOptions:
    """`url`: up to and with `/v1`; `samples`: how often a photo is asked about, in several wordings.

    `retries`: further tries of a request; `timeout_s`: of each. `key_env`: the variable that holds the key.
    `env_proxy`: take proxies from the environment. `cache`: a folder in which answers are kept. `calibration`: a file
    of scales, in which the model's entry is used. `input_price`, `output_price`: of a million tokens, for the report.
    """

    url: str = ""
    model: str = ""
    samples: int = 1
    strategy: str = "plain"
    timeout_s: float = 120.0
    retries: int = 3
    max_px: int = 1024
    temperature: float = 0.7
    concurrency: int = 4
    max_tokens: int = 1000
    key_env: str = _KEY_ENV
    env_proxy: bool = False
    cache: str = ""
    calibration: str = ""
    input_price: float = 0.0
    output_price: float = 0.0

    def check(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(f"strategy is '{self.strategy}'; give one of {', '.join(STRATEGIES)}.")
        if not 1 <= self.samples <= _MOST_SAMPLES:
            raise UsageError(f"samples is {self.samples}; give a number from 1 to {_MOST_SAMPLES}.")
        for name in ("timeout_s", "max_px", "concurrency", "max_tokens"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; give a number above 0.")
        for name in ("retries", "temperature", "input_price", "output_price"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; give 0 or more.")
        if self.key_env not in (_KEY_ENV, "OPENAI_API_KEY") and not self.key_env.startswith("GEOLOC_VLM_"):
            raise UsageError(f"key_env is {self.key_env}; give {_KEY_ENV}, OPENAI_API_KEY or a name GEOLOC_VLM_....")


class VlmPrior:
    """Asks once per sample; what failed is `PriorFailed`, what was answered without a place is None."""

    name = "vlm"

    def __init__(self, options: VlmOptions, resolve: Resolve | None = by_gazetteer) -> None:
        """resolve: where names are; None leaves them text. Raises UsageError where the options are not whole."""
        options.check()
        if not options.url or not options.model:
            raise UsageError("vlm needs a server and a model; give vlm?url=http://localhost:8000/v1&model=NAME.")
        self.options = options
        self._resolve = resolve
        self._strategy = STRATEGIES[options.strategy]
        self._scales = scales_from(options.calibration, options.model)
        self._store = Store(options.cache) if options.cache else None
        self._endpoint = Endpoint(
            options.url, options.key_env, options.timeout_s, options.retries, options.concurrency, options.env_proxy
        )

    def close(self) -> None:
        self._endpoint.close()

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """None where no sample names a place. Raises PriorFailed where no sample was answered, and PhotoError's other
        kin where the picture cannot be read.
        """
        said: list[Answer | Unread] = []
        failed: PriorFailed | None = None
        picture = _Picture(photo.path, self.options.max_px)
        for sample in range(self.options.samples):
            try:
                said.append(parse(self._answer(picture, sample)))
            except PriorFailed as error:
                failed = error
        if failed and not said:
            raise failed
        return belief_of(self.name, said, self._scales, self._resolve)

    def believe_all(
        self, photos: Iterable[Photo]
    ) -> Iterator[tuple[Photo, tuple[Belief, PriorGuess] | PhotoError | None]]:
        """Each photo with its belief, None, or why there is none, in their order.

        As many photos are in hand as may be asked about at once, and a few ahead, however many there are; for the whole
        run when it is called in one process ahead of the workers.
        """

        def outcome(photo: Photo) -> tuple[Belief, PriorGuess] | PhotoError | None:
            try:
                return self.believe(photo)
            except PhotoError as error:
                return error

        waiting = iter(photos)
        flying: deque[tuple[Photo, Future[tuple[Belief, PriorGuess] | PhotoError | None]]] = deque()
        with ThreadPoolExecutor(self.options.concurrency) as pool:
            try:
                while True:
                    room = _AHEAD * self.options.concurrency - len(flying)
                    flying.extend((photo, pool.submit(outcome, photo)) for photo in islice(waiting, room))
                    if not flying:
                        return
                    photo, future = flying.popleft()
                    yield photo, future.result()
            finally:
                for _, future in flying:
                    future.cancel()

    def report(self) -> dict[str, Any]:
        """Requests, tokens and cost so far."""
        usage = self._endpoint.usage
        cost = usage.cost(self.options.input_price, self.options.output_price)
        return {
            "model": self.options.model,
            "requests": usage.requests,
            "cached": usage.cached,
            "retries": usage.retries,
            "failures": usage.failures,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost": round(cost, 6),
        }

    def _answer(self, picture: _Picture, sample: int) -> str:
        """The model's words about a picture, from the cache where they are there."""
        key = self._key(picture, sample) if self._store else ""
        kept = self._store.get(key) if self._store else None
        if kept is not None and "reply" in kept:
            self._endpoint.count_cached()
            return kept["reply"].tobytes().decode("utf-8", errors="replace")
        reply: Reply = self._endpoint.ask(self._request(picture, sample))
        if self._store:
            data = reply.text.encode("utf-8", errors="replace")
            self._store.put(key, {"reply": np.frombuffer(data, dtype=np.uint8)})
        return reply.text

    def _key(self, picture: _Picture, sample: int) -> str:
        options = self.options
        return key_of(
            prior=self.name,
            version=VERSION,
            picture=picture.digest(),
            place=self._endpoint.place,
            model=options.model,
            prompt=[SYSTEM, self._strategy.wording(sample), json.dumps(self._strategy.schema())],
            sample=sample,
            options=[options.max_px, self._temperature(), options.max_tokens],
        )

    def _temperature(self) -> float:
        """One sample is asked for the likeliest answer; several must be able to differ."""
        return self.options.temperature if self.options.samples > 1 else 0.0

    def _request(self, picture: _Picture, sample: int) -> dict[str, Any]:
        image = f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg()).decode()}"
        return {
            "model": self.options.model,
            "messages": [
                {"role": "system", "content": SYSTEM},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": self._strategy.wording(sample)},
                        {"type": "image_url", "image_url": {"url": image}},
                    ],
                },
            ],
            "temperature": self._temperature(),
            "max_tokens": self.options.max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "place", "strict": True, "schema": self._strategy.schema()},
            },
        }


class _Picture:
    """A photo's file as it is sent: decoded when it is first needed, so that cached answers need no decoding."""

    def __init__(self, path: str, max_px: int) -> None:
        self._path, self._max_px = path, max_px
        self._jpeg: bytes | None = None

    def digest(self) -> str:
        try:
            with open(self._path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PhotoNotFound(f"{self._path} cannot be read ({error.strerror}); check the path.") from error

    def jpeg(self) -> bytes:
        """Pixels alone: made from an array, the file can hold nothing of the photo's metadata."""
        if self._jpeg is None:
            buffer = io.BytesIO()
            pixels = decode_rgb(self._path, max_size=self._max_px)
            Image.fromarray(pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
            self._jpeg = buffer.getvalue()
        return self._jpeg
