"""A photo put to a vision-language model several times, whoever runs it, and the answers joined into a belief."""

from __future__ import annotations

from dataclasses import dataclass

from geoloc_cli.errors import PriorFailed, UsageError
from geoloc_cli.priors.vlm_belief import Resolve, belief_of, scales_from
from geoloc_cli.priors.vlm_consistency import Way
from geoloc_cli.priors.vlm_parse import Answer, Unread, parse
from geoloc_cli.priors.vlm_pictures import VIEWS, Picture
from geoloc_cli.priors.vlm_prompts import STRATEGIES, SYSTEM
from geoloc_cli.priors.vlm_talk import Conversation, Request, Turn
from geoloc_cli.types import Belief, Photo, PriorGuess

_MOST_SAMPLES = 50


@dataclass(frozen=True, slots=True)
class AskOptions:
    """`samples`: how often a photo is asked about, of the `strategy`; `max_px`: the longer side of what is shown.

    The samples go round the first `views` of the photo as it is, its middle nine tenths, a coarser JPEG, and mirrored;
    and then round the strategy's wordings, or the first `wordings` of them. `cache`: a folder in which answers are
    kept; empty: this system's usual one, `none`: nowhere. `calibration`: a file of scales, in which the model's entry is used.
    """

    model: str = ""
    samples: int = 1
    strategy: str = "plain"
    views: int = 1
    wordings: int = 0
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
        if not 1 <= self.views <= len(VIEWS):
            raise UsageError(f"views is {self.views}; give a number from 1 to {len(VIEWS)}.")
        above_zero(self, "max_px", "max_tokens")
        not_negative(self, "temperature", "wordings")


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
        said, ways = list[Answer | Unread](), list[Way]()
        failed: PriorFailed | None = None
        picture = Picture(photo.path, self._options.max_px)
        for sample in range(self._options.samples):
            way = self._way(sample)
            try:
                reply = yield self._request(picture, sample, way)
            except PriorFailed as error:
                failed = error
                continue
            said.append(parse(reply.text))
            ways.append(way)
        if failed and not said:
            raise failed
        return belief_of(self._name, said, self._scales, self._resolve, ways)

    def _way(self, sample: int) -> Way:
        """All views in one wording, then in the next: any two ways differ in one thing alone as early as can be."""
        view = VIEWS[sample % self._options.views]
        wordings = min(self._options.wordings or len(self._strategy.wordings), len(self._strategy.wordings))
        return Way(sample // self._options.views % wordings, view.name, view.weight)

    def _request(self, picture: Picture, sample: int, way: Way) -> Request:
        view = next(view for view in VIEWS if view.name == way.view)
        words = " ".join(part for part in (self._strategy.wordings[way.wording], view.told) if part)
        return Request(
            (Turn("system", (SYSTEM,)), Turn("user", (words, picture.shown(view)))),
            self._strategy.schema(),
            # One sample is asked for the likeliest answer; several must be able to differ.
            self._options.temperature if self._options.samples > 1 else 0.0,
            self._options.max_tokens,
            sample,
        )
