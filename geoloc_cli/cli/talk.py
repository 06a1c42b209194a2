"""What the program says beside its data: sentences on stderr for a person, and events for whoever keeps a log.

Events go through the standard library's logging, under `geoloc_cli`. None holds a place: a log may be shown
to people who may not know where photos were taken.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

LOGGER = "geoloc_cli"
_STDERR = "-"


@dataclass(slots=True)
class _State:
    """How this call is to talk, as far as its options have been read."""

    quiet: bool = False
    verbose: int = 0
    log: str = ""
    handlers: list[logging.Handler] = field(default_factory=list)


_state = _State()


def begin() -> None:
    """Forgets what an earlier call in this process asked for."""
    global _state
    if _state.handlers:
        import logging

        for handler in _state.handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        logging.getLogger(LOGGER).setLevel(logging.NOTSET)
    _state = _State()


def is_quiet() -> bool:
    """Whether nothing is said to a person: by --quiet, or as stderr is a log."""
    return _state.quiet or _state.log == _STDERR


def is_verbose() -> bool:
    """Whether a person wants to read of each photo."""
    return _state.verbose > 0


def say(sentence: str, **fields: Any) -> None:
    """One sentence on stderr, unless quiet, and as an event in the log; fields: as of `event`."""
    if not is_quiet():
        typer.echo(sentence, err=True)
    event(fields.pop("name", "note"), sentence, told=True, **fields)


def warn(sentence: str) -> None:
    """One sentence that is said even where it is quiet: what was asked for is not all that comes."""
    if _state.log != _STDERR:
        typer.echo(sentence, err=True)
    event("note", sentence, level="warning", told=True)


def fail(sentence: str) -> None:
    """The sentence that a call ends with; said even where it is quiet."""
    if _state.log != _STDERR:
        typer.echo(f"geoloc: {sentence}", err=True)
    event("error", sentence, level="error", told=True)


def event(
    name: str,
    message: str,
    *,
    level: str = "info",
    photo: str | None = None,
    stage: str | None = None,
    seconds: float | None = None,
    data: Mapping[str, Any] | None = None,
    told: bool = False,
) -> None:
    """Logs one event, where anybody listens; told: a person has it on stderr already."""
    if not _state.handlers:
        return
    import logging

    fields = {"event": name, "photo": photo, "stage": stage, "seconds": seconds, "data": data, "told": told}
    logging.getLogger(LOGGER).log(logging.getLevelNamesMapping()[level.upper()], "%s", message, extra=fields)


def _listen() -> None:
    """Handlers as the options say that were read so far."""
    import logging

    from geoloc_cli.cli.log import JsonHandler, PersonHandler

    root, ours = logging.getLogger(), logging.getLogger(LOGGER)
    for handler in _state.handlers:
        root.removeHandler(handler)
        handler.close()
    level = {0: logging.WARNING, 1: logging.INFO}.get(_state.verbose, logging.DEBUG)
    handlers: list[logging.Handler] = []
    if _state.log != _STDERR:
        handlers.append(PersonHandler(level))
    if _state.log:
        try:
            handlers.append(JsonHandler(min(level, logging.INFO), None if _state.log == _STDERR else _state.log))
        except OSError as error:
            raise UsageError(f"--log-json {_state.log} cannot be written ({error.strerror}); name another.") from error
    for handler in handlers:
        root.addHandler(handler)
    ours.setLevel(min(handler.level for handler in handlers))
    _state.handlers = handlers


def _set_quiet(ctx: typer.Context, wanted: bool) -> bool:
    _state.quiet |= bool(wanted) and not ctx.resilient_parsing
    return is_quiet()


def _set_verbose(ctx: typer.Context, wanted: int) -> int:
    if not ctx.resilient_parsing and (not _state.handlers or wanted > _state.verbose):
        _state.verbose = max(wanted or 0, _state.verbose)
        _listen()
    return wanted


def _set_log(ctx: typer.Context, wanted: str | None) -> str | None:
    if wanted and not ctx.resilient_parsing:
        _state.log = wanted
        _listen()
        event("start", "geoloc begins", data={"command": ["geoloc", *sys.argv[1:]]}, told=True)
    return wanted


QUIET: Any = typer.Option(
    False, "--quiet", callback=_set_quiet, help="No progress, no notes and no summary on stderr; errors alone."
)
VERBOSE: Any = typer.Option(
    0,
    "-v",
    "--verbose",
    count=True,
    show_default=False,
    callback=_set_verbose,
    help="Say more of each photo on stderr; -vv each step.",
)
# Read before --quiet: where stderr is a log, nothing else is said there.
LOG_JSON: Any = typer.Option(
    None,
    "--log-json",
    metavar="FILE",
    callback=_set_log,
    is_eager=True,
    help="Append each event as one line of JSON; - is stderr, and nothing else is said there.",
)
