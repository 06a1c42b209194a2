"""A photo put to a vision-language model several times, whoever runs it, and the answers joined into a belief."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from geoloc_cli.errors import PriorFailed, UsageError
from geoloc_cli.priors.vlm_belief import Resolve, belief_of, scales_from
from geoloc_cli.priors.vlm_consistency import Way
from geoloc_cli.priors.vlm_context import QUESTION, Contexts, contexts_in, with_contexts
from geoloc_cli.priors.vlm_localizable import LEAST, Localizable, doubted, heard, not_asked, question
from geoloc_cli.priors.vlm_look import Looked, Read, look_again
from geoloc_cli.priors.vlm_parse import Answer, Unread, judged, parse
from geoloc_cli.priors.vlm_pictures import VIEWS, Picture
from geoloc_cli.priors.vlm_prompts import JUDGE, JUDGE_SCHEMA, REPAIR, STRATEGIES, SYSTEM
from geoloc_cli.priors.vlm_rag import NOWHERE, Nearby, Neighbours, contexts_of
from geoloc_cli.priors.vlm_reading import by_ocr
from geoloc_cli.priors.vlm_talk import Conversation, Request, Turn
from geoloc_cli.types import Belief, Photo, PriorGuess

_MOST_SAMPLES = 50
_MOST_LOOKS = 8
# What another try may mend: a refusal is not pressed, and one who does not know is not made to guess.
_REPAIRED = ("empty", "no_place", "out_of_range", "null_island")


@dataclass(frozen=True, slots=True)
class AskOptions:
    """`samples`: how often a photo is asked about, of the `strategy`; `max_px`: the longer side of what is shown.

    The samples go round the first `views` of the photo as it is, its middle nine tenths, a coarser JPEG, and mirrored;
    and then round the strategy's wordings, or the first `wordings` of them. `looks`: how often the model may look
    again for each, of the strategy `look`. `repair`: it is asked once more where what it says is no answer.

    `rag`: how many of the most and least similar photos of `gallery` (an index's folder, or `geoclip`) are shown to it
    by their coordinates, or several such numbers, round which the samples go first of all. `cache`: a folder in which
    answers are kept; empty: this system's usual one, `none`: nowhere. `calibration`: a file of scales, in which the
    model's entry is used. `context`: it is asked what the photo shows, for a policy (`vlm_context.py`), too.
    `localizable`: it is first asked if the photo can be located at all (`vlm_localizable.py`), and no further where it
    gives that a chance below `localizable_least`.
    """

    model: str = ""
    samples: int = 1
    strategy: str = "plain"
    views: int = 1
    wordings: int = 0
    looks: int = 4
    repair: bool = True
    rag: str = ""
    gallery: str = ""
    max_px: int = 1024
    temperature: float = 0.7
    max_tokens: int = 1000
    cache: str = ""
    calibration: str = ""
    context: bool = False
    localizable: bool = False
    localizable_least: float = LEAST

    def check(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(f"strategy is '{self.strategy}'; give one of {', '.join(STRATEGIES)}.")
        if not 1 <= self.samples <= _MOST_SAMPLES:
            raise UsageError(f"samples is {self.samples}; give a number from 1 to {_MOST_SAMPLES}.")
        if not 1 <= self.views <= len(VIEWS):
            raise UsageError(f"views is {self.views}; give a number from 1 to {len(VIEWS)}.")
        if not 1 <= self.looks <= _MOST_LOOKS:
            raise UsageError(f"looks is {self.looks}; give a number from 1 to {_MOST_LOOKS}.")
        if any(contexts_of(self.rag)) and not self.gallery:
            raise UsageError(f"rag={self.rag} needs a gallery; give gallery=FOLDER, of an index, or gallery=geoclip.")
        check_share(self, "localizable_least")
        above_zero(self, "max_px", "max_tokens")
        not_negative(self, "temperature", "wordings")


def above_zero(options: object, *names: str) -> None:
    """UsageError where one of these options is zero, negative or endless."""
    for name in names:
        if not 0 < getattr(options, name) < float("inf"):
            raise UsageError(f"{name} is {getattr(options, name)}; give a number above 0.")


def check_share(options: object, name: str) -> None:
    """UsageError where this option is no share."""
    if not 0 <= getattr(options, name) <= 1:
        raise UsageError(f"{name} is {getattr(options, name)}; give a number from 0 to 1.")


def not_negative(options: object, *names: str) -> None:
    """UsageError where one of these options is negative or endless."""
    for name in names:
        if not 0 <= getattr(options, name) < float("inf"):
            raise UsageError(f"{name} is {getattr(options, name)}; give 0 or more.")


@dataclass(slots=True)
class _Trail:
    """What happened on the way to the answers of one photo, for its record."""

    looks: list[dict[str, Any]] = field(default_factory=list)
    judgements: list[str] = field(default_factory=list)
    contexts: list[Contexts] = field(default_factory=list)
    count: Counter[str] = field(default_factory=Counter)

    def details(self) -> dict[str, Any]:
        listed = {"looks": self.looks, "judgements": self.judgements}
        return {name: made for name, made in (listed | self.count).items() if made}


class Questioner:
    """What is asked of a photo, and what is made of the answers; the conversations of one prior."""

    def __init__(self, name: str, options: AskOptions, resolve: Resolve | None, read: Read = by_ocr) -> None:
        """resolve: where names are; None leaves them text. read: the writing in a picture, for a model that asks."""
        self._name, self._options, self._resolve, self._read = name, options, resolve, read
        self._strategy = STRATEGIES[options.strategy]
        self._scales = scales_from(options.calibration, options.model)
        self._contexts = contexts_of(options.rag)
        self._neighbours: Neighbours | None = None

    def gallery(self) -> str:
        """Whose neighbours are shown; empty where none are."""
        return self._options.gallery if any(self._contexts) else ""

    def inform(self, neighbours: Neighbours) -> None:
        """What finds them, where `gallery` names one."""
        self._neighbours = neighbours

    def about(self, photo: Photo) -> Conversation[tuple[Belief, PriorGuess] | None]:
        """None where no sample names a place, unless `localizable` says more. Raises PriorFailed where no sample was
        answered, and PhotoError's other kin where the picture cannot be read.
        """
        picture = Picture(photo.path, self._options.max_px)
        if not self._options.localizable:
            return (yield from self._located(photo, picture))
        try:
            first = heard((yield question(picture.shown())))
        except PriorFailed:
            first = Localizable()
        if first.chance is None or first.chance >= self._options.localizable_least:
            return doubted(self._name, (yield from self._located(photo, picture)), first)
        nothing = not_asked(self._name, first, self._options.localizable_least)
        return with_contexts(self._name, nothing, []) if self._options.context else nothing

    def _located(self, photo: Photo, picture: Picture) -> Conversation[tuple[Belief, PriorGuess] | None]:
        """All samples, joined."""
        said, ways, trail = list[Answer | Unread](), list[Way](), _Trail()
        failed: PriorFailed | None = None
        nearby = self._nearby(photo)
        for sample in range(self._options.samples):
            way = self._way(sample)
            try:
                said.append((yield from self._sample(self._request(picture, sample, way, nearby), picture, way, trail)))
                ways.append(way)
            except PriorFailed as error:
                failed = error
        if failed and not said:
            raise failed
        found = belief_of(self._name, said, self._scales, self._resolve, ways, nearby)
        if self._options.context:
            silent = [None] * (self._options.samples - len(trail.contexts))
            found = with_contexts(self._name, found, [*trail.contexts, *silent])
        if found is None:
            return None
        belief, guess = found
        return belief, replace(guess, details={**(guess.details or {}), **trail.details()})

    def _nearby(self, photo: Photo) -> Nearby:
        if not any(self._contexts):
            return NOWHERE
        if self._neighbours is None:
            raise UsageError(f"{self._name} was told of no neighbours; leave rag out, or inform it of some.")
        return self._neighbours(photo, max(self._contexts))

    def _sample(self, request: Request, picture: Picture, way: Way, trail: _Trail) -> Conversation[Answer | Unread]:
        """One answer, after what the strategy has between the question and it."""
        found = Looked(request)
        if self._strategy.looks:
            schema = self._strategy.schema(self._options.context)
            try:
                yield from look_again(found, schema, picture, way.view, self._options.looks, self._read)
            finally:
                trail.looks += [{"sample": request.sample + 1} | look for look in found.looks]
                trail.count["looks_refused"] += found.refused
        else:
            found.reply = yield request
        answer = parse(found.reply.text)
        if isinstance(answer, Unread) and answer.reason in _REPAIRED and self._options.repair:
            answer = yield from self._repaired(found, answer, trail)
        trail.contexts.append(contexts_in(found.reply.text))
        if isinstance(answer, Answer) and self._strategy.judged:
            return (yield from self._judged(found, answer, trail))
        return answer

    def _repaired(self, found: Looked, unread: Unread, trail: _Trail) -> Conversation[Answer | Unread]:
        """The same question once more, with the schema; what could not be read the first time where that fails, too."""
        schema = self._strategy.schema(self._options.context)
        found.request = found.request.followed(found.reply, (f"{REPAIR}\n{json.dumps(schema)}",), schema)
        try:
            found.reply = yield found.request
        except PriorFailed:
            return unread
        answer = parse(found.reply.text)
        trail.count["repaired"] += isinstance(answer, Answer)
        return answer

    def _judged(self, found: Looked, answer: Answer, trail: _Trail) -> Conversation[Answer]:
        """The answer with the model's own judgement, where it gives one."""
        try:
            reply = yield found.request.followed(found.reply, (JUDGE,), JUDGE_SCHEMA)
        except PriorFailed:
            return answer
        verdict = judged(reply.text)
        if verdict is None:
            return answer
        holds, why = verdict
        trail.judgements.append(f"{'holds' if holds else 'does not hold'}: {why}")
        return replace(answer, holds=holds)

    def _way(self, sample: int) -> Way:
        """All contexts, then all of them in the next view, then all that in the next wording: any two differ in one
        thing alone as early as can be.
        """
        turn, context = divmod(sample, len(self._contexts))
        turn, view = divmod(turn, self._options.views)
        wordings = min(self._options.wordings or len(self._strategy.wordings), len(self._strategy.wordings))
        return Way(turn % wordings, VIEWS[view], self._contexts[context])

    def _request(self, picture: Picture, sample: int, way: Way, nearby: Nearby) -> Request:
        looks = f"Looks left: {self._options.looks}." if self._strategy.looks else ""
        context = QUESTION if self._options.context else ""
        parts = self._strategy.wordings[way.wording], way.view.told, nearby.told(way.neighbours), context, looks
        words = " ".join(part for part in parts if part)
        return Request(
            (Turn("system", (SYSTEM,)), Turn("user", (words, picture.shown(way.view)))),
            self._strategy.first_schema(self._options.context),
            # One sample is asked for the likeliest answer; several must be able to differ.
            self._options.temperature if self._options.samples > 1 else 0.0,
            self._options.max_tokens,
            sample,
        )
