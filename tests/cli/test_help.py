"""The help of every command: options of talk before and after its name, examples that parse, and exit statuses."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from typing import Any

import pytest

from geoloc_cli import errors
from geoloc_cli.cli import talk
from geoloc_cli.cli.app import program
from geoloc_cli.cli.examples import EXAMPLES, MEANINGS, STATUSES
from geoloc_cli.cli.shared import SHARED, folded, walk
from geoloc_cli.models.catalogue import catalogue
from geoloc_cli.registry import KINDS, names

PROGRAM = program()
COMMANDS = dict(walk(PROGRAM))
LINES = [line for lines in EXAMPLES.values() for line in lines]


def called(line: str) -> list[str]:
    """The words that geoloc is called with in a line of a shell, redirections and what stands before it left out."""
    words = shlex.split(line.replace('"$(', "").replace(')"', ""), comments=True)
    words = words[words.index("geoloc") + 1 :]
    return words[: next((i for i, word in enumerate(words) if word in ("|", "<", ">")), len(words))]


def parsed(words: list[str]) -> Any:
    """Reads a call to the last word, and runs nothing; the context in which its command would run."""
    node: Any = PROGRAM
    context = node.make_context("geoloc", list(words))
    while hasattr(node, "commands"):
        name, node, rest = node.resolve_command(context, context._protected_args + context.args)
        context = node.make_context(name, rest, parent=context)
    return context


def test_every_command_has_examples_and_no_other_has() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    assert {len(lines) for lines in EXAMPLES.values()} <= {2, 3, 4}
    assert set(STATUSES) <= set(COMMANDS)


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_is_a_call_that_parses(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in EXAMPLES[path]:
        context = parsed(called(line))
        assert context.command_path.startswith(path), line
        for kind in KINDS:
            given = context.params.get(kind) or []
            for backend in [given] if isinstance(given, str) else given:
                assert backend.split("=")[0].split("?")[0] in [*names(kind), *catalogue()], line
    talk.begin()


@pytest.mark.parametrize("words", [["locate", "--indx", "x", "a.jpg"], ["index", "build", "a.jpg"], ["find"]])
def test_a_call_that_is_wrong_does_not_parse(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such|Missing"):
        parsed(words)


@pytest.mark.parametrize("width", [30, 58])
def test_a_folded_example_is_the_same_call(width: int) -> None:
    for line in LINES:
        parts = folded(line, width)
        assert " ".join(part.removesuffix("\\").strip() for part in parts) == line
        assert max(map(len, parts)) <= max(width, 6 + max(map(len, line.split())))


def test_help_ends_with_examples_and_statuses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for words in (["locate"], ["index", "verify"], ["doctor"]):
        with pytest.raises(SystemExit):
            PROGRAM.main([*words, "--help"], prog_name="geoloc")
        end = capsys.readouterr().out.partition("\nExamples:\n")[2]
        assert EXAMPLES["geoloc " + " ".join(words)][0] in end
        assert "\nExit status:\n  0 " in end
        assert max(map(len, end.splitlines())) <= 60


def test_the_statuses_are_those_of_the_errors() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.RunError)]
    verdicts = {errors.EXIT_CONTRADICTED, errors.EXIT_UNDECIDED}
    others = {0, errors.EXIT_SOME_FAILED, errors.EXIT_INTERRUPTED}
    assert set(MEANINGS) == {c.exit_code for c in classes} | others | verdicts


def test_options_of_talk_are_taken_by_every_command_and_are_settings() -> None:
    from geoloc_cli.cli.config import settable

    for command in COMMANDS.values():
        assert {parameter.name for parameter in command.params} >= set(SHARED)
    assert all(set(options) >= set(SHARED) for options in settable(PROGRAM).values())
