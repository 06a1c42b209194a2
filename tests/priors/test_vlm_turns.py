"""Further turns of a conversation: an answer that cannot be read, and a model's judgement of its own answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("httpx")

from scripted import LYON, PARIS, Turn, answering, prior

from geoloc_cli.geo.belief import mass_within
from geoloc_cli.priors.vlm_parse import Unread, judged, parse
from geoloc_cli.priors.vlm_prompts import STRATEGIES

if TYPE_CHECKING:
    from geoloc_cli.types import Belief, Photo, PriorGuess

pytestmark = pytest.mark.usefixtures("keyed")

STAGED = json.dumps(
    json.loads(PARIS)
    | {"scene": "A city of stone.", "details": "Kerbs of granite,\u001b[1m <b>signs</b>.", "semantics": "French."}
)
HOLDS, FALLS = '{"holds": true, "why": "It fits."}', 'Sadly: {"holds": false, "why": "\\u001b[31mThe <i>plates</i>."}'


def asked(photo: Photo, *turns: Turn | str, **options: Any) -> tuple[list[Any], tuple[Belief, PriorGuess] | None]:
    with answering(*turns) as server:
        return server.asked, prior(server.url, retries=0, **options).believe(photo)


@pytest.mark.parametrize(
    "text", ["", "A lovely street.", '{"latitude": 123, "longitude": 456}', '{"lat": 0, "lon": 0}']
)
def test_what_cannot_be_read_is_asked_for_once_more_with_the_schema(photo: Photo, text: str) -> None:
    requests, found = asked(photo, text, PARIS)
    assert found is not None
    assert found[1].lat == pytest.approx(48.8584)
    assert found[1].details is not None
    assert found[1].details["repaired"] == 1
    roles = [turn["role"] for turn in requests[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert requests[1]["messages"][:2] == requests[0]["messages"]
    assert requests[1]["messages"][2]["content"] == text
    schema = requests[1]["response_format"]["json_schema"]["schema"]
    assert json.loads(requests[1]["messages"][3]["content"].partition("\n")[2]) == schema
    assert "latitude" in schema["properties"]


def test_it_is_asked_for_once_more_and_not_twice(photo: Photo) -> None:
    requests, found = asked(photo, "A lovely street.")
    assert (len(requests), found) == (2, None)
    requests, found = asked(photo, "A lovely street.", samples=3)
    assert (len(requests), found) == (6, None)


@pytest.mark.parametrize(
    "text",
    [
        PARIS,
        "I'm sorry, I can't help with that.",
        '{"rationale": "Fog.", "latitude": null, "longitude": null, "country": null}',
    ],
)
def test_an_answer_a_refusal_and_honest_ignorance_are_left_as_they_are(photo: Photo, text: str) -> None:
    requests, _ = asked(photo, text, LYON)
    assert len(requests) == 1


def test_ignorance_that_keeps_to_the_schema_is_told_from_nonsense() -> None:
    blank = parse('{"rationale": "Fog.", "latitude": null, "longitude": null}')
    assert isinstance(blank, Unread)
    assert blank.reason == "unknown"
    half = parse('{"latitude": 48.8, "longitude": null}')
    assert isinstance(half, Unread)
    assert half.reason != "unknown"


def test_without_repair_nothing_is_asked_again(photo: Photo) -> None:
    requests, found = asked(photo, "A lovely street.", PARIS, repair=False)
    assert (len(requests), found) == (1, None)


def test_a_repair_that_fails_leaves_the_photo_without_that_answer_alone(photo: Photo) -> None:
    requests, found = asked(photo, "A lovely street.", Turn(status=500), PARIS, samples=2)
    assert len(requests) == 3
    assert found is not None
    assert found[1].details is not None
    assert (found[1].details["samples"], found[1].details["unread"]) == (2, ["no_place"])


def test_an_endless_answer_is_shown_again_in_part(photo: Photo) -> None:
    requests, _ = asked(photo, "A lovely street. " * 20_000, PARIS)
    assert len(requests[1]["messages"][2]["content"]) <= 6000


def test_a_strategy_in_three_stages_judges_its_own_answer(photo: Photo) -> None:
    requests, found = asked(photo, STAGED, HOLDS, strategy="judged")
    assert found is not None
    details = dict(found[1].details or {})
    assert details["clues"] == [
        "scene: A city of stone.",
        "details: Kerbs of granite, signs .",
        "semantics: French.",
    ]
    assert details["judgements"] == ["holds: It fits."]
    assert details["levels"] == {"country": "France", "city": "Paris"}
    assert found[1].rationale == "A tower."
    schemas = [body["response_format"]["json_schema"]["schema"]["properties"] for body in requests]
    assert {"scene", "details", "semantics"} <= set(schemas[0])
    assert set(schemas[1]) == {"holds", "why"}


def test_an_answer_that_was_mended_is_judged_all_the_same(photo: Photo) -> None:
    requests, found = asked(photo, "A lovely street.", STAGED, FALLS, strategy="judged")
    assert found is not None
    assert len(requests) == 3
    assert len(requests[2]["messages"]) == 6
    assert dict(found[1].details or {})["judgements"] == ["does not hold: The plates ."]


def test_an_answer_that_the_model_does_not_stand_by_counts_half(photo: Photo) -> None:
    sure, doubted = (asked(photo, STAGED, verdict, strategy="judged")[1] for verdict in (HOLDS, FALLS))
    assert sure is not None
    assert doubted is not None
    held = [float(mass_within(belief, 48.8584, 2.2945, 100e3)) for belief, _ in (sure, doubted)]
    assert held[1] == pytest.approx(0.5 * held[0], rel=0.01)
    assert doubted[0].spread == pytest.approx(0.5 + 0.5 * sure[0].spread)
    assert dict(doubted[1].details or {})["judgements"] == ["does not hold: The plates ."]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_gives_a_reason_and_an_answer_by_level(photo: Photo, strategy: str) -> None:
    requests, found = asked(photo, STAGED, HOLDS, strategy=strategy)
    assert found is not None
    assert found[1].rationale == "A tower."
    assert dict(found[1].details or {})["levels"] == {"country": "France", "city": "Paris"}
    fields = set(requests[0]["response_format"]["json_schema"]["schema"]["required"])
    assert {"rationale", "continent", "country", "region", "city", "street", "latitude", "longitude"} <= fields


@pytest.mark.parametrize("verdict", ["", "Yes.", '{"holds": "maybe"}', '{"holds": 1}', Turn(status=500)])
def test_a_judgement_that_is_none_changes_nothing(photo: Photo, verdict: Turn | str) -> None:
    _, found = asked(photo, STAGED, verdict, strategy="judged")
    _, plain = asked(photo, PARIS)
    assert found is not None
    assert plain is not None
    assert found[0] == plain[0]
    assert "judgements" not in dict(found[1].details or {})


def test_of_several_judgements_the_last_counts() -> None:
    assert judged(FALLS + HOLDS) == (True, "It fits.")
