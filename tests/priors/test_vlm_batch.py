"""Conversations that take turns together, with a speaker that answers by rule and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from geoloc_cli.errors import NotAPhoto, PhotoError, PriorFailed
from geoloc_cli.priors.vlm_batch import hold_all
from geoloc_cli.priors.vlm_talk import Conversation, Remembered, Reply, Request, Turn, hold
from geoloc_cli.store import Store


class Echo:
    """Answers with the last words in capitals; fails on `fail`, and cannot be shown `blank`."""

    identity = "echo"

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []

    def say_all(self, requests: Sequence[Request]) -> list[Reply | PhotoError]:
        words = [str(request.turns[-1].parts[0]) for request in requests]
        self.rounds.append(words)
        return [self._answer(word) for word in words]

    def say(self, request: Request) -> Reply:
        reply = self.say_all([request])[0]
        if isinstance(reply, PhotoError):
            raise reply
        return reply

    def _answer(self, word: str) -> Reply | PhotoError:
        if word.startswith("fail"):
            return PriorFailed(word)
        return NotAPhoto(word) if word.startswith("blank") else Reply(word.upper())


def asking(*words: str) -> Conversation[list[str]]:
    """Asks for one word after the other, and goes on where one fails."""
    heard = []
    for word in words:
        try:
            reply = yield Request((Turn("user", (word,)),), {}, 0.0, 10)
            heard.append(reply.text)
        except PriorFailed as error:
            heard.append(f"({error})")
    return heard


def test_conversations_of_any_length_end_in_their_order_and_take_turns_together() -> None:
    speaker = Echo()
    talks = [("a", asking("a1", "a2", "a3")), ("b", asking()), ("c", asking("c1")), ("d", asking("d1", "d2"))]
    assert list(hold_all(talks, speaker, None, 3)) == [
        ("a", ["A1", "A2", "A3"]),
        ("b", []),
        ("c", ["C1"]),
        ("d", ["D1", "D2"]),
    ]
    # Three at once: d has no place before a, which comes first, has ended.
    assert speaker.rounds == [["a1", "c1"], ["a2"], ["a3"], ["d1"], ["d2"]]


def test_no_more_are_begun_than_may_be_under_way() -> None:
    begun = 0

    def talks() -> Iterator[tuple[int, Conversation[list[str]]]]:
        nonlocal begun
        for number in range(100):
            begun += 1
            yield number, asking(f"word {number}")

    speaker = Echo()
    for done, (number, heard) in enumerate(hold_all(talks(), speaker, None, 4)):
        assert (number, heard) == (done, [f"WORD {done}"])
        assert begun <= done + 4
    assert max(len(asked) for asked in speaker.rounds) == 4


def test_a_failed_answer_is_heard_of_and_a_picture_that_cannot_be_shown_ends_the_talk_alone() -> None:
    said = dict(
        hold_all([("a", asking("fail 1", "a2")), ("b", asking("blank", "b2")), ("c", asking("c"))], Echo(), None, 3)
    )
    assert said["a"] == ["(fail 1)", "A2"]
    assert isinstance(said["b"], NotAPhoto)
    assert said["c"] == ["C"]


def test_what_was_answered_before_is_not_asked_again(tmp_path: Path) -> None:
    first, second = Echo(), Echo()
    words = [("a", ("x", "y")), ("b", ("fail", "z"))]
    kept = Remembered(first, Store(tmp_path))
    before = list(hold_all([(key, asking(*said)) for key, said in words], first, kept, 2))
    again = Remembered(second, Store(tmp_path))
    assert list(hold_all([(key, asking(*said)) for key, said in words], second, again, 2)) == before
    assert second.rounds == [["fail"]]  # a failure is no answer
    assert again.recalled == 3
    assert hold(asking("x", "y"), again.say) == ["X", "Y"]


def test_those_under_way_are_closed_when_nobody_waits_for_them() -> None:
    closed = []

    def endless(name: str) -> Conversation[None]:
        try:
            while True:
                yield Request((Turn("user", (name,)),), {}, 0.0, 10)
        finally:
            closed.append(name)

    running = hold_all([("a", asking("a")), ("b", endless("b")), ("c", endless("c"))], Echo(), None, 3)
    assert next(running) == ("a", ["A"])
    running.close()
    assert closed == ["b", "c"]


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_what_is_heard_does_not_depend_on_the_company(ahead: int) -> None:
    talks = [(number, asking(*(f"{number}.{turn}" for turn in range(number % 3)))) for number in range(12)]
    heard = [said for _, said in hold_all(talks, Echo(), None, ahead)]
    assert heard == [[f"{number}.{turn}" for turn in range(number % 3)] for number in range(12)]
