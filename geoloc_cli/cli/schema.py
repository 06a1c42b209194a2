"""`geoloc schema`: what a record looks like, for programs that check."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of one line of `geoloc locate`."""
    from geoloc_cli.records import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
