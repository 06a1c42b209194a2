"""README.md against the program: its commands, flags, links, records and exit statuses are all real."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

import check_docs
from geoloc_cli import errors, records

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "indexes" / "README.md"]


def _blocks(language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def _shell_lines() -> Iterator[str]:
    """The command lines of the README's shell blocks, continued lines joined; output after a `$ ` line is not one."""
    for block in _blocks("sh"):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())
    for block in _blocks("console"):
        yield from (line.removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines() if line[:2] == "$ ")


def _calls(line: str) -> Iterator[list[str]]:
    """The words of each call of geoloc in a pipeline."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words = list(lexer)
    while "geoloc" in words:
        words = words[words.index("geoloc") :]
        end = next((i for i, word in enumerate(words) if set(word) <= set("|;>")), len(words))
        yield words[:end]
        words = words[end:]


CALLS = [words for line in _shell_lines() for words in _calls(line)]


def test_the_readme_shows_the_main_commands() -> None:
    shown = {tuple(words[1:3]) for words in CALLS}
    assert ("index", "build") in shown
    assert any(words[:2] == ["geoloc", "locate"] and "-" in words and "jsonl" in words for words in CALLS)


@pytest.mark.parametrize("words", CALLS, ids=[" ".join(words)[:60] for words in CALLS])
def test_a_shown_call_names_a_real_command_and_real_flags(words: list[str]) -> None:
    known = {command.path: command for command in check_docs.commands()}
    path = next(p for n in range(len(words), 0, -1) if (p := " ".join(words[:n])) in known)
    rest = words[len(path.split()) :]
    assert path != "geoloc" or not rest or rest[0].startswith("-"), f"no command {rest[:1]}"
    taken = (*known[path].parameters, *known["geoloc"].parameters)  # those of the program are every command's
    flags = {name for parameter in taken for name in parameter.names} | {"--help"}
    used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= flags


def test_the_first_block_is_the_two_commands_and_ci_runs_the_second() -> None:
    commands = [line.split("#")[0].strip() for line in next(_blocks("sh")).splitlines()]
    assert commands == ["make demo", "make test"]
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == commands[1]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert targets >= {"setup", "demo", "test", "check", "fix", "bench"}
    named = re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE)
    assert {"setup", "demo", "test"} <= set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_a_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_an_anchor_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_the_record_that_is_shown_is_a_valid_one() -> None:
    (sample,) = _blocks("json")
    record = json.loads(sample)
    jsonschema.validate(record, records.json_schema())
    fix = records.from_record(record)
    assert json.loads(records.dumps(fix)) == record


def test_every_key_of_the_record_is_explained() -> None:
    properties = set(records.json_schema()["properties"])
    table = README[README.index("## What a line says") :]
    assert {key for key in properties if f"`{key}`" not in table} == set()


def test_every_exit_status_is_explained() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.RunError)]
    statuses = {c.exit_code for c in classes} | {errors.EXIT_OK, errors.EXIT_SOME_FAILED, errors.EXIT_INTERRUPTED}
    assert {int(n) for n in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)} == statuses


@pytest.mark.parametrize("columns", ["30", "300"])
def test_the_generated_parts_are_fresh_whatever_the_terminal(columns: str) -> None:
    environment = os.environ | {"COLUMNS": columns, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    command = [sys.executable, str(ROOT / "scripts" / "check_docs.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_part_is_seen_and_mended() -> None:
    stale = README.replace("#### `geoloc locate", "#### `geoloc find", 1)
    assert stale != README
    assert check_docs.with_generated_parts(stale) == check_docs.with_generated_parts(README)
