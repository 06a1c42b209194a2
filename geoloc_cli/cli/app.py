"""The program: its commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import typer
import typer.main

from geoloc_cli import __version__
from geoloc_cli.cli import (
    album,
    backends,
    check,
    completion,
    config,
    demo,
    doctor,
    evaluate,
    export,
    index,
    inspect,
    locate,
    map,
    models,
    prior,
    schema,
    scrub,
    shared,
    show,
    streams,
    tag,
    talk,
)
from geoloc_cli.errors import EXIT_INTERRUPTED, DiskFull, RunError

app = typer.Typer(
    name="geoloc",
    help="Where was this photo taken, and how was the camera held? Offline, from photos whose places are known.",
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    no_args_is_help=True,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"geoloc {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    quiet: bool = talk.QUIET,
    verbose: int = talk.VERBOSE,
    log_json: str = talk.LOG_JSON,
) -> None:
    """Where was this photo taken, and how was the camera held? Offline, from photos whose places are known."""


app.add_typer(index.app, name="index")
app.add_typer(map.app, name="map")
app.command("locate")(locate.locate)
app.command("album")(album.album)
app.command("check")(check.check)
app.command("prior")(prior.prior)
app.command("show")(show.show)
app.command("export")(export.export)
app.command("evaluate")(evaluate.evaluate)
app.command("inspect")(inspect.inspect)
app.command("tag")(tag.tag)
app.command("scrub")(scrub.scrub)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("backends")(backends.backends)
app.add_typer(models.app, name="models")
app.command("schema")(schema.schema)
app.add_typer(config.app, name="config")
app.command("completion")(completion.completion)


def program() -> Any:
    """The program, built, with what all commands have in common."""
    made = typer.main.get_command(app)
    shared.equip(made)
    return made


def main() -> None:
    """Runs the program; a RunError is one sentence on stderr and its exit status, an interruption is 130."""
    began = time.monotonic()
    streams.make_safe()
    talk.begin()
    try:
        _run(program())
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 0
        seconds = time.monotonic() - began
        talk.event("end", f"geoloc ends with status {code}", seconds=seconds, data={"status": code}, told=True)
        raise


def _run(made: Any) -> None:
    try:
        # Help must be had of a program whose settings are broken, too.
        asks_for_help = {"--help", "--version"} & set(sys.argv[1:]) or completion.wanted()
        settings = None if asks_for_help else config.default_map(made)
        made(prog_name="geoloc", complete_var=completion.VARIABLE, default_map=settings)
    except RunError as error:
        talk.fail(str(error))
        sys.exit(error.exit_code)
    except SystemExit as done:
        if done.code == EXIT_INTERRUPTED:
            talk.fail("interrupted; what was finished is kept.")
        raise
    except BrokenPipeError:
        _write_no_more()  # whoever read the output has enough
        sys.exit(1)
    except OSError as error:
        from geoloc_cli.index.files import NO_ROOM

        if error.errno not in NO_ROOM:
            raise
        talk.fail(f"No room is left for the output ({error.strerror}), which ends in the middle; free some space.")
        _write_no_more()
        sys.exit(DiskFull.exit_code)


def _write_no_more() -> None:
    """Python would complain once more when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
