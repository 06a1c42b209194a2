"""A person's policy: at which level a photograph is told, by what it shows."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from geoloc_cli.errors import UsageError
from geoloc_cli.privacy.levels import coarsest, level_of
from geoloc_cli.types import Context, Failure, Fix, Level

Contexts = tuple[Context, ...] | None
_CONTEXTS: tuple[Context, ...] = get_args(Context)
_DEFAULT, _UNKNOWN = "default", "unknown"
# Under which a model's word on it stands in what a prior says (`priors/vlm_context.py`).
_KEY = "context"
_OPTION = "--disclose-policy"


@dataclass(frozen=True, slots=True)
class Policy:
    """`default`: of a photograph to which no rule applies. `unknown`: of one that nobody could judge."""

    default: Level
    unknown: Level
    rules: Mapping[Context, Level]

    def level(self, contexts: Contexts) -> Level:
        """The coarsest of the levels of all that applies."""
        if contexts is None:
            return self.unknown
        return coarsest(*(self.rules[name] for name in contexts)) if contexts else self.default


def read_policy(file: str) -> Policy:
    """The policy of a TOML file: `default`, `unknown` and the contexts, each with a level.

    A context that is not there is at the default. Without `unknown` it is the strictest of all that could apply.
    UsageError where the file cannot be read, or says anything else: a rule that is misspelt protects nobody.
    """
    try:
        content: dict[str, Any] = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read as a policy ({error}); give TOML to {_OPTION}.") from error
    known = (_DEFAULT, _UNKNOWN, *_CONTEXTS)
    for name in content:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"give {', '.join(known)}."
            raise UsageError(f"{file} has a rule for '{name}', which there is not; {hint}")
    if _DEFAULT not in content:
        raise UsageError(f"{file} has no level for photographs to which no rule applies; add {_DEFAULT} = 'city'.")
    levels = {name: level_of(level, f"{file}: {name}") for name, level in content.items()}
    default = levels[_DEFAULT]
    rules = {name: levels.get(name, default) for name in _CONTEXTS}
    return Policy(default, levels.get(_UNKNOWN, coarsest(default, *rules.values())), rules)


def contexts_of(answer: Fix | Failure) -> Contexts:
    """What the priors say that a photograph shows, all together; None where none was asked, or one of them is unsure.

    Of an answer that was coarsened, those that were known then.
    """
    if isinstance(answer, Failure):
        return None
    if answer.disclosed:
        return answer.disclosed.contexts
    said = [guess.details[_KEY] for guess in answer.priors if guess.details and _KEY in guess.details]
    lists = [words for words in said if isinstance(words, list)]
    words = [word for part in lists for word in part]
    if not said or len(lists) < len(said) or not set(map(str, words)) <= set(_CONTEXTS):
        return None
    return tuple(context for context in _CONTEXTS if context in words)
