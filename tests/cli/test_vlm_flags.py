"""The flags of a vision-language model: what they add, what they fill in, and when nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest
import typer
import typer.main

from geoloc_cli.cli.app import app
from geoloc_cli.cli.asking import priors_of, with_neighbours
from geoloc_cli.errors import UsageError
from geoloc_cli.registry import BackendSpec, parse, written

URL = "https://host:8443/v1?tenant=a&b=c%20d#part"


def priors(*arguments: str, command: str = "prior", settings: dict[str, Any] | None = None) -> list[BackendSpec]:
    """What a command asks, settings being those of a file or the environment."""
    program: Any = typer.main.get_command(app)
    ctx = program.commands[command].make_context(command, ["photo.jpg", *arguments], default_map=settings)
    return [parse(text) for text in priors_of(ctx, ctx.params["prior"])]


@pytest.mark.parametrize("command", ["prior", "locate"])
def test_flags_add_the_prior_behind_those_that_are_named(command: str) -> None:
    flags = ["--vlm-url", URL, "--vlm-model", "org/name:7b", "--vlm-samples", "3", "--vlm-strategy", "clues"]
    stated = {"url": URL, "model": "org/name:7b", "samples": "3", "strategy": "clues"}
    found = priors("--prior", "exif", *flags, "--vlm-replay", "a b&c.csv", command=command)
    assert found == [
        BackendSpec("exif"),
        BackendSpec("vlm", stated),
        BackendSpec("vlm-replay", {"file": "a b&c.csv"}),
    ]


def test_flags_fill_in_what_a_named_prior_leaves_open() -> None:
    found = priors("--prior", "vlm?samples=5&max_px=512", "--prior", "ocr", "--vlm-url", URL, "--vlm-samples", "3")
    assert found == [BackendSpec("vlm", {"url": URL, "samples": "5", "max_px": "512"}), BackendSpec("ocr")]


def test_a_url_that_is_a_setting_counts_where_the_prior_is_named_and_nowhere_else() -> None:
    settings = {"vlm_url": URL, "vlm_model": "m", "vlm_samples": 2, "vlm_replay": "answers.csv"}
    assert priors("--prior", "exif", settings=settings) == [BackendSpec("exif")]
    whole = BackendSpec("vlm", {"url": URL, "model": "m", "samples": "2"})
    assert priors("--prior", "vlm", settings=settings) == [whole]
    assert priors("--vlm-model", "n", settings=settings) == [BackendSpec("vlm", {"model": "n", "samples": "2"})]
    assert priors(settings=settings | {"prior": ["vlm"]}) == [whole]
    typed = priors("--vlm-url", "http://here/v1", settings=settings)
    assert typed == [BackendSpec("vlm", {"url": "http://here/v1", "model": "m", "samples": "2"})]


def test_a_spec_is_read_as_it_was_written() -> None:
    for spec in (BackendSpec("a"), BackendSpec("a", {"url": URL, "name": "ü +%&=?", "empty": ""})):
        assert parse(written(spec)) == spec


def neighbours(*arguments: str, settings: dict[str, Any] | None = None) -> list[BackendSpec]:
    """What `locate` asks, where `indexes/city` is searched."""
    program: Any = typer.main.get_command(app)
    ctx = program.commands["locate"].make_context("locate", ["photo.jpg", *arguments], default_map=settings)
    return [parse(text) for text in with_neighbours(ctx, priors_of(ctx, ctx.params["prior"]), "indexes/city")]


def test_neighbours_are_of_the_index_that_is_searched_unless_the_prior_says_otherwise() -> None:
    named = ["--prior", "exif", "--prior", "vlm?url=u&model=m"]
    model = {"url": "u", "model": "m"}
    own = {"rag": "5", "gallery": "geoclip"}
    assert neighbours(*named) == [BackendSpec("exif"), BackendSpec("vlm", model)]
    shown = BackendSpec("vlm", {"rag": "0,10", "gallery": "indexes/city"} | model)
    assert neighbours(*named, "--rag", "0,10") == [BackendSpec("exif"), shown]
    (said,) = neighbours("--prior", "vlm?rag=5&gallery=geoclip", "--rag", "10")
    assert said.options == own
    (said,) = neighbours("--prior", "vlm?rag=5")
    assert said.options == own | {"gallery": "indexes/city"}
    (said,) = neighbours("--vlm-url", "u", "--rag", "3")
    assert (said.options["url"], said.options["rag"], said.options["gallery"]) == ("u", "3", "indexes/city")


def test_neighbours_are_for_a_model_and_a_setting_alone_needs_none() -> None:
    with pytest.raises(UsageError, match="--vlm-url"):
        neighbours("--prior", "exif", "--rag", "5")
    assert neighbours("--prior", "exif", settings={"rag": "5"}) == [BackendSpec("exif")]
    assert neighbours("--prior", "vlm", settings={"rag": "5"})[0].options == {"rag": "5", "gallery": "indexes/city"}
