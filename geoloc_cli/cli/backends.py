"""`geoloc backends`: what can be asked for by name."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from geoloc_cli.cli import options, table


def backends(as_json: bool = options.JSON) -> None:
    """List what can be asked for by name; nothing of it is imported."""
    from geoloc_cli.builtin import BUILTIN
    from geoloc_cli.registry import plugins

    rows = [*BUILTIN, *plugins()]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    made = table.table(["kind", "name", "what it does", "extra", "licence"])
    for row in rows:
        made.add_row(row.kind, row.name, row.summary, row.extra or "", row.licence)
    made.columns[2].min_width = 24
    table.show(made, least=("licence", "extra"))
