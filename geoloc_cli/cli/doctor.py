"""`geoloc doctor`: what this installation can do, and what stands in its way."""

from __future__ import annotations

import json

import typer

from geoloc_cli.cli import options

_SIGNS = {"ok": "ok   ", "note": "note ", "fault": "FAULT"}


def doctor(cache: str = options.CACHE, as_json: bool = options.JSON) -> None:
    """Look at the installation, and say the remedy for what is broken."""
    from geoloc_cli.engine.doctor import examine

    findings = examine(cache)
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{_SIGNS[finding.level]} {finding.topic:14}{finding.text}")
            if finding.remedy:
                typer.echo(f"{'':20}remedy: {finding.remedy}")
    if any(finding.level == "fault" for finding in findings):
        raise typer.Exit(1)
