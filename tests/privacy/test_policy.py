"""A policy: which level follows from what a photograph shows, conservatively where nobody knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.privacy.coarsen import disclose
from geoloc_cli.privacy.discloser import Discloser
from geoloc_cli.privacy.policy import contexts_of, read_policy
from geoloc_cli.types import Belief, Component, Disclosed, Failure, Fix, Level, PriorGuess

FILE = """
default = "street"
people = "city"
children = "none"
protest = "region"
"""
PLACE = Component(47.36871, 8.53921, 12.0, 1.0)
FIX = Fix("a.jpg", "ok", "rerank", PLACE.lat, PLACE.lon, None, 12.0, 0.9, Belief((PLACE,), 0.0))


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "policy.toml").write_text(FILE)
    return str(tmp_path / "policy.toml")


def shown(*contexts: Any) -> Fix:
    """An answer with a prior for each, which says so of the photograph."""
    guesses = [PriorGuess("vlm", None, None, None, "privacy level exact", {"context": each}) for each in contexts]
    return replace(FIX, priors=(PriorGuess("exif", 47.0, 8.0, 9.0), *guesses))


@pytest.mark.parametrize(
    ("contexts", "level"),
    [
        (([],), "street"),
        ((["people"],), "city"),
        ((["clinic"],), "street"),
        ((["people", "protest"],), "region"),
        ((["people"], ["children"]), "none"),
        # Nobody was asked, or somebody is not sure: the strictest of all that could apply.
        ((), "none"),
        (("unknown",), "none"),
        ((["people"], "unknown"), "none"),
        ((["exact"],), "none"),
        (([{"people": 1}],), "none"),
    ],
)
def test_the_strictest_of_what_applies(file: str, contexts: tuple[Any, ...], level: Level) -> None:
    told = Discloser("exact", file)(shown(*contexts))
    assert isinstance(told, Fix)
    assert told.disclosed is not None
    assert (told.disclosed.level, told.disclosed.by) == (level, "policy")


def test_what_is_unknown_is_as_the_file_says(file: str, tmp_path: Path) -> None:
    assert read_policy(file).unknown == "none"
    (tmp_path / "policy.toml").write_text(FILE + 'unknown = "region"\n')
    assert read_policy(file).unknown == "region"
    assert Discloser("exact", file).level(FIX) == "region"
    failed = Discloser("exact", file)(Failure("a.jpg", "not_found", "at 47.36871"))
    assert failed == Failure("a.jpg", "not_found", "not found (more is withheld)")


def test_never_finer_than_the_option(file: str, tmp_path: Path) -> None:
    told = Discloser("region", file)(shown(["people"]))
    assert isinstance(told, Fix)
    assert told.disclosed == Disclosed("region", "option", ("people",))
    (tmp_path / "policy.toml").write_text('default = "exact"\n')
    open_handed = Discloser("exact", file)
    assert open_handed(shown([])) == shown([])
    assert not open_handed.all_is_told
    assert Discloser("city", file).level(shown([])) == "city"


def test_the_policy_goes_by_what_was_known_when_an_answer_was_coarsened(file: str) -> None:
    policy = Discloser("exact", file)
    once = policy(shown(["people"]))
    assert isinstance(once, Fix)
    assert contexts_of(once) == ("people",)
    assert policy(once) == once
    # Its contexts were not asked for then, and are not known now.
    by_option = disclose(shown(["people"]), "city")
    assert policy.level(by_option) == "none"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('people = "city"', "has no level for photographs to which no rule applies; add default"),
        ('default = "city"\nchild = "none"', "has a rule for 'child', which there is not; did you mean 'children'"),
        ('default = "city"\nx = "none"', "has a rule for 'x', which there is not; give default, unknown, people"),
        ('default = "town"', "default is 'town'; give one of exact, street, city"),
        ("default = 3", "default is 3; give one of"),
        ("default =", "cannot be read as a policy"),
    ],
)
def test_a_policy_that_is_not_whole_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(UsageError) as refused:
        read_policy(str(tmp_path / "p.toml"))
    assert sentence in str(refused.value)
    with pytest.raises(UsageError, match="cannot be read as a policy"):
        read_policy(str(tmp_path / "none.toml"))
