"""A photo is located with a model's help, and without it where the model fails."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import jsonschema
import pytest

pytest.importorskip("httpx")

from scripted import PARIS, Turn, answering

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.belief import mass_within
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.records import dumps, json_schema, loads
from geoloc_cli.types import Fix

if TYPE_CHECKING:
    from conftest import SmallTown

pytestmark = pytest.mark.usefixtures("keyed")


def located(town: SmallTown, path: str, *priors: str) -> Fix:
    (fix,) = locate_photos(town.index, [path], LocateOptions(), LocalPool(1), priors=priors)
    assert isinstance(fix, Fix)
    return fix


def test_a_prior_that_fails_costs_no_photo(town: SmallTown) -> None:
    path = town.queries[0].path
    alone = located(town, path)
    with answering(Turn(status=500)) as server:
        helped = located(town, path, f"vlm?url={server.url}&model=m&retries=0")
        assert len(server.asked) == 1
    assert (helped.status, helped.lat, helped.lon) == ("ok", alone.lat, alone.lon)
    (said,) = helped.priors
    assert (said.name, said.lat) == ("vlm", None)
    assert "status 500" in said.rationale


def test_the_next_prior_answers_where_one_fails(town: SmallTown) -> None:
    with answering(Turn(status=500)) as broken, answering(PARIS) as server:
        specs = [f"vlm?url={url}&model=m&retries=0" for url in (broken.url, server.url)]
        fix = located(town, town.strangers[0].path, *specs)
    assert (fix.status, fix.stage) == ("ok", "prior")
    assert fix.lat == pytest.approx(48.8584)


def test_what_the_model_said_comes_into_the_record(town: SmallTown) -> None:
    with answering(PARIS) as server:
        fix = located(town, town.strangers[0].path, f"vlm?url={server.url}&model=m&samples=2&strategy=clues")
    line = dumps(fix)
    record = json.loads(line)
    jsonschema.validate(record, json_schema())
    (prior,) = record["priors"]
    assert prior["lat"] == pytest.approx(48.8584)
    assert (prior["name"], prior["rationale"]) == ("vlm", "A tower.")
    assert prior["details"]["levels"] == {"country": "France", "city": "Paris"}
    assert (prior["details"]["samples"], prior["details"]["consistency"]) == (2, 1.0)
    assert loads(line) == fix


def test_a_model_is_shown_the_neighbours_of_the_index_that_is_named(town: SmallTown) -> None:
    query = town.queries[0]
    with answering(PARIS) as server:
        spec = f"vlm?url={server.url}&model=m&rag=3&gallery={town.index}"
        (fix,) = ask_photos([query.path], [spec], LocalPool(1))
    assert isinstance(fix, Fix)
    text = server.asked[0]["messages"][1]["content"][0]["text"]
    similar, dissimilar = (json.loads(part) for part in re.findall(r"\[\[.*?\]\]", text))
    assert len(similar) == len(dissimilar) == 3
    assert all(haversine_m(*place, query.lat, query.lon) < 500.0 for place in similar + dissimilar)
    retrieved = dict(fix.priors[0].details or {})["retrieved"]
    assert haversine_m(retrieved["lat"], retrieved["lon"], query.lat, query.lon) < 30.0
    for place in ((48.8584, 2.2945), (query.lat, query.lon)):  # where the model says, and the street
        assert mass_within(fix.belief, *place, 200e3) > 0.1
