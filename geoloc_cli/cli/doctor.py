"""`geoloc doctor`: what this installation can do, and what stands in its way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from geoloc_cli.cli import narrow, options

if TYPE_CHECKING:
    from geoloc_cli.pose.solve_auto import Measured

_SIGNS = {"ok": "ok   ", "note": "note ", "fault": "FAULT"}


def doctor(
    cache: str = options.CACHE,
    as_json: bool = options.JSON,
    bench: bool = typer.Option(
        False, "--bench", help="Time the pose solvers on this machine, and let --solver auto go by it."
    ),
) -> None:
    """Look at the installation, and say the remedy for what is broken."""
    from geoloc_cli.engine.doctor import examine

    if bench:
        _bench(as_json)
        return
    findings = examine(cache)
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            said = [(f"{_SIGNS[finding.level]} {finding.topic}", finding.text)]
            said += [("", f"remedy: {finding.remedy}")] if finding.remedy else []
            typer.echo(narrow.pairs(said, 20))
    if any(finding.level == "fault" for finding in findings):
        raise typer.Exit(1)


def _bench(as_json: bool) -> None:
    from dataclasses import asdict

    from geoloc_cli.engine.bench_solvers import keep, measure
    from geoloc_cli.registry import BackendSpec, create

    solver = create("solver", BackendSpec("torch"))
    if not as_json:
        typer.echo("problems   pairs   focal length   poselib ms   torch ms   each problem, six in ten pairs wrong")
    rows = measure(solver, lambda row: None if as_json else typer.echo(_line(row)))
    kept = keep(rows)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        typer.echo(f"Kept in {kept}, for --solver auto.")


def _line(row: Measured) -> str:
    focal = "known" if row.focal_known else "unknown"
    return f"{row.problems:8d} {row.pairs:7d}   {focal:12} {row.poselib_ms:12.2f} {row.torch_ms:10.2f}"
