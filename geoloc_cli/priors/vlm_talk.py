"""What is said to a vision-language model and by it, whoever runs the model; and answers that are kept on disk.

A conversation is a generator: it yields a `Request`, is sent the `Reply`, or has PriorFailed thrown in, and returns
what it made of it all. So the same one serves a server that is asked by many threads, and a model that answers many
photographs in one batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from geoloc_cli.errors import PriorFailed
from geoloc_cli.priors.vlm_prompts import VERSION
from geoloc_cli.store import Store, key_of

T = TypeVar("T")

# Of an answer that the model is shown again, in characters.
_LONGEST_ECHO = 6000


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture in a message: `digest` tells what it shows, `jpeg` encodes it when it has to be sent."""

    digest: str
    jpeg: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: who says it (`system`, `user`, `assistant`) and its texts and pictures, in their order."""

    role: str
    parts: tuple[str | Shown, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """All that was said so far, and the JSON schema that the next answer is to keep; `sample` counts repetitions.

    `yes_or_no`: the answer is one of these words, and how likely its first token is yes is wanted, too; without schema.
    """

    turns: tuple[Turn, ...]
    schema: dict[str, Any]
    temperature: float
    max_tokens: int
    sample: int = 0
    yes_or_no: bool = False

    def followed(self, reply: Reply, parts: tuple[str | Shown, ...], schema: dict[str, Any]) -> Request:
        """The next request: what was said to this one, no longer than an answer is, and what is asked then."""
        turns = (*self.turns, Turn("assistant", (reply.text[:_LONGEST_ECHO],)), Turn("user", parts))
        return replace(self, turns=turns, schema=schema)


@dataclass(frozen=True, slots=True)
class Reply:
    """The text that a model answered, and the tokens that were counted.

    `chance`: of yes rather than no, where that was asked for and is known (`vlm_localizable.py`).
    """

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    chance: float | None = None


Conversation = Generator[Request, Reply, T]


class Speaker(Protocol):
    """Whatever answers requests. `identity` tells what an answer depends on besides the request: server, model."""

    @property
    def identity(self) -> str: ...

    def say(self, request: Request) -> Reply:
        """Raises PriorFailed where there is no answer."""
        ...


class Remembered:
    """A speaker whose answers are kept: what was answered once is not asked again."""

    def __init__(self, speaker: Speaker, store: Store) -> None:
        self._speaker, self._store = speaker, store
        self._lock = threading.Lock()
        self.recalled = 0

    @property
    def identity(self) -> str:
        return self._speaker.identity

    def say(self, request: Request) -> Reply:
        kept = self.recall(request)
        return kept if kept is not None else self.keep(request, self._speaker.say(request))

    def recall(self, request: Request) -> Reply | None:
        """What was answered before, free of tokens."""
        kept = self._store.get(self._key(request))
        if kept is None or "reply" not in kept:
            return None
        with self._lock:
            self.recalled += 1
        chance = float(kept["chance"]) if "chance" in kept else None
        return Reply(kept["reply"].tobytes().decode("utf-8", errors="replace"), chance=chance)

    def keep(self, request: Request, reply: Reply) -> Reply:
        data = reply.text.encode("utf-8", errors="replace")
        chance = {} if reply.chance is None else {"chance": np.array(reply.chance)}
        self._store.put(self._key(request), {"reply": np.frombuffer(data, dtype=np.uint8), **chance})
        return reply

    def _key(self, request: Request) -> str:
        return digest_of(request, self.identity)


def digest_of(request: Request, speaker: str = "") -> str:
    """64 hexadecimal digits that tell a request from any other one; speaker: and from the same to another speaker."""
    return key_of(
        version=VERSION,
        speaker=speaker,
        said=[_digests(turn) for turn in request.turns],
        schema=request.schema,
        sample=request.sample,
        options=[request.temperature, request.max_tokens, *(["yes or no"] if request.yes_or_no else [])],
    )


def hold(conversation: Conversation[T], say: Callable[[Request], Reply]) -> T:
    """A conversation from its first request to what it returns; what it does not catch is raised."""
    try:
        request = next(conversation)
        while True:
            try:
                reply = say(request)
            except PriorFailed as error:
                request = conversation.throw(error)
            else:
                request = conversation.send(reply)
    except StopIteration as end:
        made: T = end.value
        return made


def _digests(turn: Turn) -> list[Any]:
    return [turn.role, [part if isinstance(part, str) else {"shown": part.digest} for part in turn.parts]]
