"""A vision-language model over HTTP, asked about photos.

Nothing is sent anywhere without a URL that the user gave. What is sent is the upright picture, made smaller and encoded
anew: pixels alone, no metadata and no file name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from geoloc_cli.errors import PhotoError, UsageError
from geoloc_cli.priors.in_flight import in_order
from geoloc_cli.priors.vlm_ask import AskOptions, Questioner, above_zero, not_negative
from geoloc_cli.priors.vlm_belief import Resolve
from geoloc_cli.priors.vlm_http import Endpoint
from geoloc_cli.priors.vlm_places import by_gazetteer
from geoloc_cli.priors.vlm_rag import Neighbours
from geoloc_cli.priors.vlm_talk import Remembered, Speaker, hold
from geoloc_cli.store import opened
from geoloc_cli.types import Belief, Photo, PriorGuess

_KEY_ENV = "GEOLOC_VLM_API_KEY"


@dataclass(frozen=True, slots=True)
class VlmOptions(AskOptions):
    """`url`: up to and with `/v1`; and what is asked (`AskOptions`). `tools`: looks are offered as tools as well.

    `retries`: further tries of a request; `timeout_s`: of each. `key_env`: the variable that holds the key.
    `env_proxy`: take proxies from the environment. `input_price`, `output_price`: of a million tokens, for the report.
    """

    url: str = ""
    timeout_s: float = 120.0
    retries: int = 3
    concurrency: int = 4
    key_env: str = _KEY_ENV
    env_proxy: bool = False
    tools: bool = False
    input_price: float = 0.0
    output_price: float = 0.0

    def check(self) -> None:
        AskOptions.check(self)
        above_zero(self, "timeout_s", "concurrency")
        not_negative(self, "retries", "input_price", "output_price")
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
        self._questioner = Questioner(self.name, options, resolve)
        self._endpoint = Endpoint(
            options.url,
            options.model,
            options.key_env,
            options.timeout_s,
            options.retries,
            options.concurrency,
            options.env_proxy,
            options.tools,
        )
        store = opened(options.cache, self.name)
        self._kept = Remembered(self._endpoint, store) if store else None
        self._speaker: Speaker = self._kept or self._endpoint

    def gallery(self) -> str:
        return self._questioner.gallery()

    def inform(self, neighbours: Neighbours) -> None:
        self._questioner.inform(neighbours)

    def close(self) -> None:
        self._endpoint.close()

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        """None where no sample names a place. Raises PriorFailed where no sample was answered, and PhotoError's other
        kin where the picture cannot be read.
        """
        return hold(self._questioner.about(photo), self._speaker.say)

    def believe_all(
        self, photos: Iterable[Photo]
    ) -> Iterator[tuple[Photo, tuple[Belief, PriorGuess] | PhotoError | None]]:
        """Each photo with its belief, None, or why there is none, in their order.

        As many photos are in hand as may be asked about at once, and a few ahead, however many there are.
        """

        def outcome(photo: Photo) -> tuple[Belief, PriorGuess] | PhotoError | None:
            try:
                return self.believe(photo)
            except PhotoError as error:
                return error

        return in_order(outcome, photos, self.options.concurrency)

    def report(self) -> dict[str, Any]:
        """Requests, tokens and cost so far."""
        usage = self._endpoint.usage
        cost = usage.cost(self.options.input_price, self.options.output_price)
        return {
            "model": self.options.model,
            "requests": usage.requests,
            "cached": self._kept.recalled if self._kept else 0,
            "retries": usage.retries,
            "failures": usage.failures,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost": round(cost, 6),
        }
