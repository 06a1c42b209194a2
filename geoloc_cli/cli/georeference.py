"""`geoloc map georeference`: fit a map to the Earth anew, by better positions or ground control points."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from geoloc_cli.cli import options, talk
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from geoloc_cli.maps.georeference import Georeference
    from geoloc_cli.pipeline.placing import Placed

_SHOWN = 5
_AXES = ("east", "north", "up")


def georeference(
    directory: str = typer.Argument(..., metavar="DIR", help="The map's folder."),
    gcp: str = typer.Option(
        None, "--gcp", metavar="FILE", help="Ground control points, OpenDroneMap's gcp_list.txt, marked in the photos."
    ),
    gcp_std: str = typer.Option(
        "0.02,0.05", "--gcp-std", metavar="H,V", help="Their standard deviations in metres, horizontal and vertical."
    ),
    adjust: bool = typer.Option(
        False, "--adjust", help="Bend the map to its control points too, which straightens it, and is not to be undone."
    ),
    positions: str = options.POSITIONS,
    dry_run: bool = options.DRY_RUN,
    as_json: bool = options.JSON,
) -> None:
    """Fit a map to the Earth anew, and say how well it fits and how sure that is."""
    from geoloc_cli.photos.positions import read_positions
    from geoloc_cli.pipeline.georeference import georeference_map

    if adjust and not gcp:
        raise UsageError("--adjust bends a map to control points; give them by --gcp FILE.")
    stated = read_positions(positions) if positions else None
    file = Path(gcp) if gcp else None
    answers = georeference_map(Path(directory), stated, file, _deviations(gcp_std), adjust=adjust, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps([_record(answer) for answer in answers], indent=2))
        return
    for part, answer in enumerate(answers):
        if answer.georeference is None:
            typer.echo(f"part {part} is not on the Earth: {printable(answer.reason or '')}.")
        else:
            _tell(part, answer, answer.georeference)
    if dry_run:
        talk.say(f"{printable(directory)} is as it was.")


def _deviations(text: str) -> tuple[float, float]:
    try:
        horizontal, vertical = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--gcp-std is {text!r}; give two lengths in metres, as in 0.02,0.05.") from None
    if not (0.0 < horizontal < 1000.0 and 0.0 < vertical < 1000.0):
        raise UsageError(f"--gcp-std is {text!r}; both lengths are above zero and below a kilometre.")
    return horizontal, vertical


def _tell(part: int, answer: Placed, found: Georeference) -> None:
    lat, lon, alt_m = found.origin
    typer.echo(f"part {part}: at {lat:.6f}, {lon:.6f}, {alt_m:.1f} m; a unit of the map is {found.scale:.4g} m")
    if answer.adjusted:
        typer.echo("  the map was adjusted to its control points")
    axes = ", ".join(
        f"{_median([abs(r[axis]) for r in found.residuals_m.values()]):.2f} m {name}" for axis, name in enumerate(_AXES)
    )
    typer.echo(f"  residuals of {len(found.residuals_m)} photos, median: {axes}")
    for words, std in (("middle of the cameras", answer.middle_std_m), ("farthest camera", answer.edge_std_m)):
        if std:
            typer.echo(
                f"  the frame is sure to {std[0]:.3f} m east, {std[1]:.3f} m north, {std[2]:.3f} m up at the {words}"
            )
    for control in answer.controls:
        east, north, up = control.residual_m
        doubt = "" if control.believed else "; not believed"
        wrong = f"; wrong in {printable(', '.join(control.wrong_marks))}" if control.wrong_marks else ""
        typer.echo(
            f"  control point {printable(control.name)}: {east:+.3f} m east, {north:+.3f} m north, {up:+.3f} m up; "
            f"{control.marks} marks, {control.error_px:.1f} px{wrong}{doubt}"
        )
    for path in found.outliers[:_SHOWN]:
        away = ", ".join(f"{v:+.0f} m {axis}" for v, axis in zip(found.residuals_m[path], _AXES, strict=True))
        typer.echo(f"  the position of {printable(path)} is not believed: {away}")
    if len(found.outliers) > _SHOWN:
        typer.echo(f"  and those of {len(found.outliers) - _SHOWN} more")
    for note in found.notes:
        typer.echo(f"  {printable(note)}")


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def _record(answer: Placed) -> dict[str, object]:
    found = answer.georeference
    return {
        "reason": answer.reason,
        "origin": list(found.origin) if found else None,
        "scale": found.scale if found else None,
        "horizontal_m": found.horizontal_m if found else None,
        "vertical_m": found.vertical_m if found else None,
        "middle_std_m": answer.middle_std_m,
        "edge_std_m": answer.edge_std_m,
        "residuals_m": {path: list(r) for path, r in found.residuals_m.items()} if found else None,
        "outliers": list(found.outliers) if found else [],
        "adjusted": answer.adjusted,
        "control_points": [dataclasses.asdict(control) for control in answer.controls],
        "notes": list(found.notes) if found else [],
    }
