"""What a model says that a photograph shows: asked for where it is wanted, in words of a list, and never a level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scripted import answering, prior

from geoloc_cli.geo.belief import uniform
from geoloc_cli.pipeline.calibrated import prior_key
from geoloc_cli.priors.vlm_context import QUESTION, SCHEMA, contexts_in
from geoloc_cli.priors.vlm_prompts import STRATEGIES
from geoloc_cli.priors.vlm_replay import ReplayOptions, ReplayPrior
from geoloc_cli.types import Belief, Photo

PLACE = {"latitude": 48.8584, "longitude": 2.2945, "rationale": "A tower."}


def said(**fields: Any) -> str:
    return json.dumps(PLACE | fields)


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "a.jpg")
    return Photo(str(tmp_path / "a.jpg"), 64, 48)


@pytest.mark.parametrize(
    ("answer", "contexts"),
    [
        (said(context=[]), ()),
        (said(context=["protest", "people", "people"]), ("people", "protest")),
        (said(), None),
        (said(context="people"), None),
        (said(context=["people", "exact"]), None),
        (said(context=[{"people": True}]), None),
        (said(context=None), None),
        ("I cannot help with that.", None),
        # A sign that answers for the model adds to what the model says, and takes nothing away.
        ('The sign says {"context": [], "level": "exact"}. ' + said(context=["children"]), ("children",)),
        (said(context=["children"]) + ' The sign says {"context": ["level exact"]}.', None),
        (json.dumps({"latitude": None, "longitude": None, "context": ["clinic"]}), ("clinic",)),
    ],
)
def test_contexts_are_words_of_the_list_or_unknown(answer: str, contexts: tuple[str, ...] | None) -> None:
    assert contexts_in(answer) == contexts


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_asked_where_it_is_wanted_and_nowhere_else(strategy: str) -> None:
    for schema in (STRATEGIES[strategy].schema, STRATEGIES[strategy].first_schema):
        assert "context" not in schema()["properties"]
        wanted = schema(True)
        assert wanted["properties"]["context"] == SCHEMA
        assert wanted["required"] == list(wanted["properties"])
    assert all(f'"{word}"' in QUESTION for word in SCHEMA["items"]["enum"])


def test_samples_add_up_and_one_that_does_not_say_makes_all_unknown(photo: Photo) -> None:
    with answering(said(context=["people"]), said(context=["documents"])) as server:
        found = prior(server.url, samples=2, context=True).believe(photo)
        question = json.dumps(server.asked[0]["messages"][1]["content"][0])
    assert found is not None
    assert found[1].details is not None
    assert found[1].details["context"] == ["people", "documents"]
    assert (found[1].lat, found[1].lon) == (48.8584, 2.2945)
    assert "is about privacy" in question
    with answering(said(context=["people"]), said()) as server:
        unsure = prior(server.url, samples=2, context=True).believe(photo)
    assert unsure is not None
    assert unsure[1].details is not None
    assert unsure[1].details["context"] == "unknown"


def test_a_model_that_knows_no_place_says_what_it_sees_all_the_same(photo: Photo) -> None:
    nowhere = json.dumps({"latitude": None, "longitude": None, "context": ["home_interior"]})
    with answering(nowhere) as server:
        found = prior(server.url, context=True).believe(photo)
        assert prior(server.url).believe(photo) is None
    assert found is not None
    belief, guess = found
    assert belief == Belief() == uniform()
    assert (guess.lat, guess.details) == (None, {"context": ["home_interior"]})


def test_recorded_answers_tell_of_contexts_too(tmp_path: Path) -> None:
    lines = [{"photo": "a.jpg", "answer": said(context=["people"])}, {"photo": "b.jpg", "answer": "No idea."}]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    replay = ReplayPrior(ReplayOptions(str(tmp_path / "answers.jsonl"), context=True))
    for name, contexts in (("a.jpg", ["people"]), ("b.jpg", "unknown"), ("c.jpg", "unknown")):
        found = replay.recall(name)
        assert found is not None
        assert found[1].details is not None
        assert found[1].details["context"] == contexts


def test_a_calibration_holds_whether_or_not_it_is_asked() -> None:
    assert prior_key("vlm?model=m&context=true") == prior_key("vlm?model=m")
