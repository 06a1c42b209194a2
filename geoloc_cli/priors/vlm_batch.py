"""Many conversations at once with a model that answers in batches: they take turns together, and end in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, Protocol, TypeVar

from geoloc_cli.errors import PhotoError, PriorFailed
from geoloc_cli.priors.vlm_talk import Conversation, Remembered, Reply, Request

K = TypeVar("K")
T = TypeVar("T")


class BatchSpeaker(Protocol):
    """Whatever answers many requests sooner together than one after the other."""

    def say_all(self, requests: Sequence[Request]) -> list[Reply | PhotoError]:
        """For each request its answer, PriorFailed where there is none, or why its picture cannot be shown."""
        ...


class _Talk(Generic[K, T]):
    """A conversation as far as it has come: what it waits to be told, or how it ended."""

    def __init__(self, key: K, conversation: Conversation[T], kept: Remembered | None) -> None:
        self.key, self._conversation, self._kept = key, conversation, kept
        self.request: Request | None = None
        self.outcome: T | PhotoError
        self._go_on(lambda: next(conversation))

    def hear(self, said: Reply | PhotoError) -> None:
        """What hears of a failed answer may ask again; where the picture cannot be shown, there is no more to say."""
        request = self.request
        if isinstance(said, PriorFailed):
            self._go_on(lambda: self._conversation.throw(said))
        elif isinstance(said, PhotoError):
            self.request, self.outcome = None, said
            self._conversation.close()
        else:
            if self._kept and request:
                self._kept.keep(request, said)
            self._go_on(lambda: self._conversation.send(said))

    def close(self) -> None:
        self._conversation.close()

    def _go_on(self, step: Callable[[], Request]) -> None:
        """To the next request that was not answered before, or to the end."""
        self.request = None
        try:
            request = step()
            while self._kept and (reply := self._kept.recall(request)):
                request = self._conversation.send(reply)
            self.request = request
        except StopIteration as end:
            self.outcome = end.value
        except PhotoError as error:
            self.outcome = error


def hold_all(
    conversations: Iterable[tuple[K, Conversation[T]]], speaker: BatchSpeaker, kept: Remembered | None, ahead: int
) -> Iterator[tuple[K, T | PhotoError]]:
    """What each conversation makes of its answers, or the error that ended it, in the order in which they come.

    kept: answers of before, which are not asked for again. At most `ahead` conversations are under way or wait for an
    earlier one, however many there are to come.
    """
    coming = iter(conversations)
    held = deque[_Talk[K, T]]()
    try:
        while True:
            # What has ended is handed on before what is to come is waited for.
            while held and held[0].request is None:
                ended = held.popleft()
                yield ended.key, ended.outcome
            held.extend(_Talk(key, talk, kept) for key, talk in islice(coming, ahead - len(held)))
            if not held:
                return
            if held[0].request is None:
                continue
            asked = [(talk, talk.request) for talk in held if talk.request is not None]
            replies = speaker.say_all([request for _, request in asked])
            for (talk, _), reply in zip(asked, replies, strict=True):
                talk.hear(reply)
    finally:
        for talk in held:
            talk.close()
