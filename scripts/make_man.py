"""The manual page, geoloc_cli/cli/geoloc.1, made of the same help, examples and statuses as `--help`.

    python scripts/make_man.py > geoloc.1    `scripts/check_docs.py --write` does it with the rest

It carries no date, so that the same program makes the same page. A wheel puts it where `man geoloc` looks.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from check_docs import Command, Parameter, commands
from geoloc_cli import __version__
from geoloc_cli.cli.examples import EXAMPLES, MEANINGS, statuses

PAGE = Path(__file__).resolve().parent.parent / "geoloc_cli" / "cli" / "geoloc.1"
_WIDTH = 78
_SIGNS = {"\\": r"\e", "-": r"\-", '"': r"\(dq", "'": r"\(aq", "~": r"\(ti", "^": r"\(ha"}
_VARIABLES = {
    "GEOLOC_OPTION, GEOLOC_COMMAND_OPTION": "Any option, as in GEOLOC_WORKERS=2 or GEOLOC_LOCATE_TOP_K=20.",
    "GEOLOC_CONFIG": "The file of settings; `geoloc config show` says where it is looked for.",
    "GEOLOC_MODELS, GEOLOC_WEIGHTS": "Folders of learned models: where they are pulled to, and where they are found.",
    "GEOLOC_OFFLINE": "With 1, no connection is opened.",
    "GEOLOC_DEVICE": "What learned models run on, as in cpu or cuda.",
    "GEOLOC_PLUGINS": "The packages that may bring backends, comma-separated; all by default.",
    "GEOLOC_VLM_API_KEY": "The key of the server that the prior vlm asks.",
    "COLUMNS": "The width of tables and help, where it is not that of the terminal.",
    "NO_COLOR, FORCE_COLOR, TERM": "Whether tables are coloured, and bars of progress drawn.",
}


def page() -> str:
    """The whole page, as groff reads it."""
    program, *rest = commands()
    lines = [f'.TH GEOLOC 1 "" "geoloc {__version__}" "User Commands"', ".nh", ".ad l"]
    lines += [".SH NAME", r"geoloc \- where a photo was taken, and how the camera was held"]
    lines += [".SH SYNOPSIS", r".B geoloc", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]"]
    lines += [".SH DESCRIPTION", *_paragraphs(program.help)]
    lines += _paragraphs("Standard output is data, standard error is talk. Every command takes these options, too.")
    lines += [".SH OPTIONS", *_parameters(program.parameters)]
    lines += [".SH COMMANDS"]
    for command in rest:
        lines += _command(command)
    lines += [".SH EXIT STATUS"]
    for code, meaning in MEANINGS.items():
        lines += [".TP", rf"\fB{code}\fR", *_text(f"{meaning}.")]
    lines += [".SH ENVIRONMENT"]
    for names, meaning in _VARIABLES.items():
        lines += [".TP", rf"\fB{_escaped(names)}\fR", *_text(meaning)]
    lines += [".SH EXAMPLES", *_examples(program.path)]
    return "\n".join(lines) + "\n"


def _command(command: Command) -> Iterator[str]:
    arguments = " ".join(p.names[0] for p in command.parameters if not p.is_option)
    yield f'.SS "{_escaped(f"{command.path} {arguments}".strip())}"'
    yield from _paragraphs(command.help)
    yield from _parameters(command.parameters)
    if command.path in EXAMPLES:
        yield from (".PP", "Examples:", *_examples(command.path))
    said = [f"{code} {meaning}" for code, meaning in statuses(command.path) if MEANINGS.get(code) != meaning]
    codes = ", ".join(str(code) for code, _ in statuses(command.path))
    yield from _paragraphs(f"Exit status: {codes}{'; ' if said else ''}{'; '.join(said)}.")


def _parameters(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for parameter in parameters:
        names = ", ".join(rf"\fB{_escaped(name)}\fR" for name in parameter.names)
        metavar = rf" \fI{_escaped(parameter.metavar)}\fR" if parameter.metavar else ""
        yield from (".TP", f"{names}{metavar}")
        more = " Required." if parameter.required and parameter.is_option else ""
        more += f" Default: {parameter.default}." if parameter.default not in ("", "0") else ""
        yield from _text(parameter.help + more)


def _examples(path: str) -> Iterator[str]:
    yield ".nf"
    for line in EXAMPLES[path]:
        yield rf"\&    {_escaped(line)}"
    yield ".fi"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield from _text(paragraph)


def _text(text: str) -> list[str]:
    """Lines of running text; what stands between backquotes is bold."""
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)
    bold = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", "\n".join(_escaped(line) for line in lines))
    return [rf"\&{line}" if line[:1] in (".", "'") else line for line in bold.splitlines()]


def _escaped(text: str) -> str:
    """Signs that groff would take for its own, or does not know, written as it wants them."""
    return "".join(_SIGNS.get(sign, sign) if ord(sign) < 128 else rf"\[u{ord(sign):04X}]" for sign in text)


if __name__ == "__main__":
    sys.stdout.write(page())
