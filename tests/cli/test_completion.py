"""`geoloc completion`: scripts for three shells, and what a real bash completes by its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_startup import HEAVY, loaded_by

from geoloc_cli.cli import completion
from geoloc_cli.cli.app import program

# Words that were typed, the last one begun, and what is offered for it in a list that begins so.
ASKED = {
    "geoloc ind": ["index"],
    "geoloc index build photos --desc": ["--descriptor"],
    "geoloc index build photos --descriptor vl": ["vlad"],
}


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes_a_command_an_option_and_a_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    completion.completion("bash")
    installed = tmp_path / "geoloc"
    installed.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m geoloc_cli "$@"\n')
    installed.chmod(0o755)
    calls = [
        f"COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}; _geoloc_completion {installed}; "
        'echo "${COMPREPLY[@]}"'
        for line in ASKED
    ]
    script = "\n".join([capsys.readouterr().out, "complete -p geoloc", *calls])
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=False)
    offered = done.stdout.splitlines()
    assert (done.stderr, offered[0]) == ("", "complete -o default -F _geoloc_completion geoloc")
    assert [words.split() for words in offered[1:]] == list(ASKED.values())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_call_the_same_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    completion.completion(shell)
    said = capsys.readouterr().out
    assert f"{completion.VARIABLE}=complete_{shell}" in said
    assert "geoloc" in said


@pytest.mark.parametrize(
    ("words", "begun", "first"),
    [
        ("export f --to", "geo", "geojson"),
        ("map build p --mapper", "", "incremental"),
        ("models pull", "mega", "megaloc"),
        ("locate a.jpg --matcher", "mut", "mutual-nn"),
        ("locate a.jpg", "--log", "--log-json"),
        ("completion", "z", "zsh"),
    ],
)
def test_values_that_the_program_knows_are_completed(
    words: str, begun: str, first: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    monkeypatch.setenv(completion.VARIABLE, "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"geoloc {words} {begun}")
    with pytest.raises(SystemExit):
        program().main([], prog_name="geoloc", complete_var=completion.VARIABLE)
    assert capsys.readouterr().out.splitlines()[0].split("\t")[0] == first


def test_names_are_had_without_importing_a_model() -> None:
    loaded = loaded_by("from geoloc_cli.cli import completion\nassert completion._backends('features')[0] == 'sift'")
    assert not loaded & (set(HEAVY[:6]) | {"transformers", "geoloc_cli.features.sift"})
