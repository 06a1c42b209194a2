"""Whether a photograph can be located at all, as a model says before it is asked where: yes or no, and how likely.

The chance is P(yes) / (P(yes) + P(no)) of the first token of its answer, as the reward model of GLOBE takes it. It is
the model's, and as good as the model: nothing here was measured on photographs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from geoloc_cli.geo.belief import mix, uniform
from geoloc_cli.priors.vlm_parse import spoken
from geoloc_cli.priors.vlm_prompts import LOCALIZABLE, LOCALIZABLE_SYSTEM
from geoloc_cli.priors.vlm_talk import Reply, Request, Shown, Turn
from geoloc_cli.types import Belief, PriorGuess

KEY = "localizability"
LEAST = 0.1
"""Below it nine tenths of the belief would be spread evenly, whatever the model went on to say."""

YES, NO = "yes", "no"
# Of yes and no in their spellings: the most that servers of 2024 grant (vLLM's `--max-logprobs` was 5), and what is not
# among the five likeliest tokens weighs next to nothing.
MOST_TOKENS = 5
# One word, and room for quotes or a full stop.
_LONGEST = 8
_WORD = re.compile(r"[^\W\d_]+")

Found = tuple[Belief, PriorGuess] | None


@dataclass(frozen=True, slots=True)
class Localizable:
    """The chance that the place can be told, and what it was read from: `logprobs`, `word` (which is 0 or 1, and no
    number of the model's) or `unread`, where there is none.
    """

    chance: float | None = None
    by: str = "unread"

    @property
    def told(self) -> dict[str, Any]:
        """For the record."""
        return {"by": self.by} | ({} if self.chance is None else {"p": round(self.chance, 4)})


def question(shown: Shown) -> Request:
    """What is asked first. It has no schema, so that the first token is the word; and so no tool is ever offered."""
    turns = Turn("system", (LOCALIZABLE_SYSTEM,)), Turn("user", (LOCALIZABLE, shown))
    return Request(turns, {}, 0.0, _LONGEST, yes_or_no=True)


def side(token: str) -> str:
    """`yes` or `no` where a token is that word, in any case and with spaces around it; else empty."""
    word = token.strip().lower()
    return word if word in (YES, NO) else ""


def chance(tokens: Iterable[tuple[str, float]]) -> float | None:
    """P(yes) / (P(yes) + P(no)) of tokens with their natural log-probabilities; None where neither is among them."""
    weights = {YES: 0.0, NO: 0.0, "": 0.0}
    for token, logprob in tokens:
        weights[side(token)] += math.exp(min(logprob, 0.0))
    whole = weights[YES] + weights[NO]
    return weights[YES] / whole if whole > 0.0 else None


def chance_in(choice: Mapping[str, Any]) -> float | None:
    """The same of a completion's first token, as the OpenAI interface tells it; None where it does not."""
    try:
        first = choice["logprobs"]["content"][0]["top_logprobs"]
        told = {(one["token"], float(one["logprob"])) for one in first[: 4 * MOST_TOKENS] if side(one["token"])}
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    return chance((token, logprob) for token, logprob in told if math.isfinite(logprob))


def heard(reply: Reply) -> Localizable:
    """What the answer says: by its first token's chance, else by its first word."""
    if reply.chance is not None:
        return Localizable(reply.chance, "logprobs")
    first = _WORD.search(spoken(reply.text))
    said = side(first[0]) if first else ""
    return Localizable(float(said == YES), "word") if said else Localizable()


def not_asked(name: str, said: Localizable, least: float) -> tuple[Belief, PriorGuess]:
    """What a prior is heard for whose model holds that the place cannot be told: nothing, and why."""
    why = f"the model gives {said.chance:.2f} that the place can be told, less than {least:g}: it was not asked further"
    return Belief(), PriorGuess(name, None, None, None, why, {KEY: said.told})


def doubted(name: str, found: Found, said: Localizable) -> tuple[Belief, PriorGuess]:
    """A belief of which 1 - chance is spread evenly at least, and the record says why where that made it wider.

    At least, and not besides: the usual spread is the share of all photographs whose answers are wrong altogether, and
    those of which nothing could be told are among them. Where the answers named no place, that is what is returned.
    """
    belief, guess = found or (Belief(), PriorGuess(name, None, None, None, "it knows nothing of this photo"))
    told = said.told
    even = 0.0 if said.chance is None else 1.0 - said.chance
    if belief.components and even > belief.spread:
        share = (1.0 - even) / (1.0 - belief.spread)
        belief = mix([(belief, share), (uniform(), 1.0 - share)])
        told["why"] = f"{even:.2f} of the belief is spread evenly: the chance that the place cannot be told"
    return belief, replace(guess, details={**(guess.details or {}), KEY: told})
