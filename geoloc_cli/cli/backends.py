"""`geoloc backends`: what can be asked for by name."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from geoloc_cli.cli import options


def backends(as_json: bool = options.JSON) -> None:
    """List the backends that are built in, and those that installed packages bring; none is imported."""
    from geoloc_cli.registry import BUILTIN, plugins

    rows = [*BUILTIN, *plugins()]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("kind", "name", "what it does", "extra", "licence"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row.kind, row.name, row.summary, row.extra or "", row.licence)
    Console().print(table)
