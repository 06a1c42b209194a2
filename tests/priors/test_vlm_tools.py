"""Looks as tools of the interface: offered where they are asked for, and nothing more can be done by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

pytest.importorskip("httpx")

from scripted import PARIS, Scripted, Turn, answering, prior

from geoloc_cli.photos.exif import read_photo

if TYPE_CHECKING:
    from geoloc_cli.types import Photo, PriorGuess

pytestmark = pytest.mark.usefixtures("keyed")
BOX = {"box": [0.1, 0.1, 0.5, 0.5], "rationale": "A sign."}


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    Image.new("RGB", (200, 150), (90, 120, 60)).save(tmp_path / "photo.png")
    return read_photo(str(tmp_path / "photo.png"))


def call(name: Any, arguments: Any) -> Turn:
    """A message without words that calls a tool, as servers write it."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"id": "1", "type": "function", "function": {"name": name, "arguments": text}}
    message = {"role": "assistant", "content": None, "tool_calls": [function]}
    return Turn(raw=json.dumps({"choices": [{"message": message}]}).encode())


def asked(photo: Photo, *turns: Turn | str, **options: Any) -> tuple[Scripted, PriorGuess | None]:
    with answering(*turns) as server:
        said = prior(server.url, retries=0, **{"strategy": "look", "tools": True} | options).believe(photo)
    return server, said[1] if said else None


def test_a_call_is_a_look(photo: Photo) -> None:
    server, guess = asked(photo, call("crop", BOX), PARIS)
    assert [tool["function"]["name"] for tool in server.asked[0]["tools"]] == ["crop", "read"]
    shown = server.asked[1]["messages"][-1]["content"]
    assert [part["type"] for part in shown] == ["text", "image_url", "text"]
    assert guess is not None
    assert guess.details is not None
    assert guess.details["looks"] == [{"sample": 1, "action": "crop", "box": BOX["box"], "why": "A sign."}]
    assert guess.lat == pytest.approx(48.8584)


@pytest.mark.parametrize(
    "hostile",
    [
        call("open_file", {"path": "/etc/passwd"}),
        call("crop", {"path": "/etc/passwd"}),
        call("crop", "not JSON"),
        call("crop", "[1, 2]"),
        call("read", {"box": "all"}),
    ],
)
def test_any_other_call_is_corrected_and_does_nothing(photo: Photo, hostile: Turn) -> None:
    server, guess = asked(photo, hostile, PARIS)
    assert "passwd" not in json.dumps(server.asked[1])
    said = json.dumps(server.asked[1]["messages"][-1]["content"])
    assert "There is no such action" in said or "must be [left, top, right, bottom]" in said
    assert guess is not None
    assert "looks" not in (guess.details or {})


def test_what_is_no_call_is_no_answer(photo: Photo) -> None:
    _, guess = asked(photo, call(7, BOX), repair=False)
    assert guess is None


def test_tools_are_offered_where_asked_for_and_not_for_the_last_answer(photo: Photo) -> None:
    server, _ = asked(photo, call("crop", BOX), call("crop", BOX), PARIS, looks=1, repair=False)
    assert ["tools" in body for body in server.asked] == [True, False]
    for options in ({"tools": False}, {"strategy": "plain"}):
        server, _ = asked(photo, PARIS, **options)
        assert "tools" not in server.asked[0]


def test_a_server_that_knows_no_tools_is_asked_without(photo: Photo) -> None:
    refusal = Turn(status=400, raw=b'{"error": "auto tool choice requires --enable-auto-tool-choice"}')
    server, guess = asked(photo, refusal, json.dumps({"action": "crop", **BOX}), PARIS)
    assert ["tools" in body for body in server.asked] == [True, False, False]
    assert guess is not None
    assert guess.details is not None
    assert len(guess.details["looks"]) == 1
