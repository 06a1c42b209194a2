"""What the flags of a vision-language model stand for among the priors of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from geoloc_cli.errors import UsageError
from geoloc_cli.registry import BackendSpec, parse, written

# Which option of which prior a flag stands for.
FLAGS = {
    "vlm": {"vlm_url": "url", "vlm_model": "model", "vlm_samples": "samples", "vlm_strategy": "strategy"},
    "vlm-replay": {"vlm_replay": "file"},
}
# The priors that can be shown neighbours.
_MODELS = ("vlm", "vlm-local")
# Those that say what a photo shows.
_SEEING = (*_MODELS, "vlm-replay")
NO_CONTEXTS = "No vision-language model is among the priors: to --disclose-policy all photos are unknown."


def with_flags(named: Collection[str], stated: Mapping[str, object], typed: Collection[str]) -> list[str]:
    """The priors that are named, and those that flags stand for.

    A flag fills in what a named prior leaves open. One of the `typed` adds a prior where none is named; the others are
    settings, which fill in alone, and a URL that is a setting not even that: nothing is sent to a server that nobody
    asked for by name.
    """
    priors = list(named)
    for name, flags in FLAGS.items():
        said = {flag: str(stated[flag]) for flag in flags if stated.get(flag) is not None}
        added = {flag for flag in said if flag in typed}
        if name in {parse(text).name for text in priors}:
            filling = {flags[flag]: value for flag, value in said.items()}
            priors = [_filled(text, name, filling) for text in priors]
        elif added:
            options = {flags[f]: value for f, value in said.items() if f in added or f != "vlm_url"}
            priors.append(written(BackendSpec(name, options)))
    return priors


def with_rag(priors: Collection[str], rag: str | None, index: str, *, typed: bool = True) -> list[str]:
    """The priors, neighbours by `rag` or by their own option taken from the index that is searched.

    UsageError where it is typed and none of them is a model that could be shown any.
    """
    models = [text for text in priors if parse(text).name in _MODELS]
    if rag and not models and typed:
        raise UsageError("--rag shows a vision-language model the index's photos; name one with --vlm-url or --prior.")
    shown = {"rag": str(rag), "gallery": index} if rag else {"gallery": index}
    return [
        _filled(text, parse(text).name, shown) if text in models and (rag or "rag" in parse(text).options) else text
        for text in priors
    ]


def sees_contexts(priors: Collection[str]) -> bool:
    """Whether one of the priors can say what a photo shows, for a policy."""
    return any(parse(text).name in _SEEING for text in priors)


def asking_contexts(priors: Collection[str]) -> list[str]:
    """The priors, those asked for it that can say what a photo shows."""
    named = [(text, parse(text).name) for text in priors]
    return [_filled(text, name, {"context": "true"}) if name in _SEEING else text for text, name in named]


def _filled(text: str, name: str, options: Mapping[str, str]) -> str:
    spec = parse(text)
    return written(BackendSpec(name, dict(options) | spec.options)) if spec.name == name else text
