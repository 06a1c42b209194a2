"""The flags that stand for a vision-language model among the priors, and what the priors of a run took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import talk
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError

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

# The priors that can be shown neighbours.
_MODELS = ("vlm", "vlm-local")
# Which option of which prior a flag stands for.
_FLAGS = {
    "vlm": {"vlm_url": "url", "vlm_model": "model", "vlm_samples": "samples", "vlm_strategy": "strategy"},
    "vlm-replay": {"vlm_replay": "file"},
}


def priors_of(ctx: typer.Context, named: list[str]) -> list[str]:
    """The priors of a command: those named, and those that its --vlm flags stand for.

    A flag fills in what a named one leaves open, and where none is named it adds one. A setting fills in alone; a URL
    that is a setting only where the prior is named: nothing is sent to a server that this command does not ask for.
    """
    from geoloc_cli.registry import BackendSpec, parse, written

    priors = list(named)
    for name, flags in _FLAGS.items():
        stated = {flag: str(ctx.params[flag]) for flag in flags if ctx.params[flag] is not None}
        typed = {flag for flag in stated if _is_typed(ctx, flag)}
        if name in {parse(text).name for text in priors}:
            filling = {flags[flag]: value for flag, value in stated.items()}
            priors = [_filled(text, name, filling) for text in priors]
        elif typed:
            options = {flags[f]: value for f, value in stated.items() if f in typed or f != "vlm_url"}
            priors.append(written(BackendSpec(name, options)))
    return priors


def with_neighbours(ctx: typer.Context, priors: list[str], index: str) -> list[str]:
    """The priors of a command, neighbours by its --rag or by their own option taken from the index that is searched.

    UsageError where --rag is given and none of them is a model that could be shown any.
    """
    from geoloc_cli.registry import parse

    rag = ctx.params["rag"]
    models = [text for text in priors if parse(text).name in _MODELS]
    if rag and not models and _is_typed(ctx, "rag"):
        raise UsageError("--rag shows a vision-language model the index's photos; name one with --vlm-url or --prior.")
    shown = {"rag": str(rag), "gallery": index} if rag else {"gallery": index}
    return [
        _filled(text, parse(text).name, shown) if text in models and (rag or "rag" in parse(text).options) else text
        for text in priors
    ]


def with_contexts(priors: list[str], wanted: bool, quiet: bool) -> list[str]:
    """The priors of a command, where it is wanted with models that are asked what a photo shows, for a policy.

    Where there is no such model, that is said: the policy then takes all photos for unknown.
    """
    from geoloc_cli.registry import parse

    shows = (*_MODELS, "vlm-replay")
    named = [(text, parse(text).name) for text in priors]
    if wanted and not quiet and not any(name in shows for _, name in named):
        talk.say("No vision-language model is among the priors: to --disclose-policy all photos are unknown.")
    return [_filled(text, name, {"context": "true"}) if wanted and name in shows else text for text, name in named]


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


def _filled(text: str, name: str, options: dict[str, str]) -> str:
    from geoloc_cli.registry import BackendSpec, parse, written

    spec = parse(text)
    return written(BackendSpec(name, options | spec.options)) if spec.name == name else text
