"""`--disclose`: how much of its answers a command tells, for every command that writes places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from geoloc_cli.privacy.discloser import Discloser

DISCLOSE: Any = typer.Option(
    "exact",
    "--disclose",
    metavar="exact|street|city|region|country|none",
    help="Tell places as the middles of fixed cells of this size, and nothing finer in any output; none: no places.",
)


POLICY: Any = typer.Option(
    None,
    "--disclose-policy",
    metavar="FILE",
    help="Tell less where a photo shows people, children, a home, documents, a clinic or a protest, as this TOML file "
    "says and the vision-language model among the priors sees; never more than --disclose.",
)


def discloser(level: str, policy: str | None = None) -> Discloser:
    """Of these two options. Raises UsageError where there is no such level, or no such policy."""
    from geoloc_cli.privacy.discloser import Discloser

    return Discloser(level, policy)
