"""The flags that stand for a vision-language model among the priors, and what the priors of a run took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import talk
from geoloc_cli.cli.table import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoloc_cli.pipeline.asked_ahead import Panel

VLM_URL: Any = typer.Option(
    None,
    "--vlm-url",
    metavar="URL",
    help="Ask the vision-language model behind this URL (the prior vlm): photos are sent there, and answers kept "
    "in this system's cache, or where --cache says.",
)
VLM_MODEL: Any = typer.Option(None, "--vlm-model", metavar="NAME", help="The model, as its server calls it.")
VLM_SAMPLES: Any = typer.Option(None, "--vlm-samples", min=1, help="Ask it so often about each photo; 1 by default.")
VLM_STRATEGY: Any = typer.Option(
    None,
    "--vlm-strategy",
    metavar="NAME",
    help="How it is asked: plain, the default, clues, localizable, judged or look.",
)
VLM_REPLAY: Any = typer.Option(
    None, "--vlm-replay", metavar="FILE", help="Take recorded answers, CSV or JSON lines (the prior vlm-replay)."
)
RAG: Any = typer.Option(
    None,
    "--rag",
    metavar="N[,N]...",
    help="Show it the places of the N photos of the index that look most like each, and of the N that look least like "
    "it; of several numbers the samples take one after the other.",
)


def priors_of(ctx: typer.Context, named: list[str]) -> list[str]:
    """The priors of a command: those named, and those that its --vlm flags stand for.

    A flag fills in what a named one leaves open, and where none is named it adds one. A setting fills in alone; a URL
    that is a setting only where the prior is named: nothing is sent to a server that this command does not ask for.
    """
    from geoloc_cli.api.flags import FLAGS, with_flags

    flags = [flag for of_one in FLAGS.values() for flag in of_one]
    return with_flags(named, ctx.params, {flag for flag in flags if _is_typed(ctx, flag)})


def with_neighbours(ctx: typer.Context, priors: list[str], index: str) -> list[str]:
    """The priors of a command, neighbours by its --rag or by their own option taken from the index that is searched.

    UsageError where --rag is given and none of them is a model that could be shown any.
    """
    from geoloc_cli.api.flags import with_rag

    return with_rag(priors, ctx.params["rag"], index, typed=_is_typed(ctx, "rag"))


def with_contexts(priors: list[str], wanted: bool, quiet: bool) -> list[str]:
    """The priors of a command, where it is wanted with models that are asked what a photo shows, for a policy.

    Where there is no such model, that is said: the policy then takes all photos for unknown.
    """
    from geoloc_cli.api.flags import NO_CONTEXTS, asking_contexts, sees_contexts

    if not wanted:
        return priors
    if not quiet and not sees_contexts(priors):
        talk.say(NO_CONTEXTS)
    return asking_contexts(priors)


def tell_of(panel: Panel) -> None:
    """One line on stderr for each prior that can say what it took, where it took anything."""
    tell_reports(panel.reports())


def tell_reports(reports: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """The same of reports that were taken already."""
    for name, report in reports:
        if any(isinstance(value, int) and value for value in report.values()):
            told = [_told(key.replace("_", " "), value) for key, value in report.items()]
            talk.say(f"{name}: {', '.join(part for part in told if part)}.")


def _told(key: str, value: Any) -> str:
    if isinstance(value, int):
        return f"{value} {key}"
    return f"{key} {printable(str(value))}" if value else ""


def _is_typed(ctx: typer.Context, flag: str) -> bool:
    source = ctx.get_parameter_source(flag)
    return source is not None and source.name == "COMMANDLINE"
