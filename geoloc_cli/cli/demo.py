"""`geoloc demo`: the whole of it on a town of our own making."""

from __future__ import annotations

from pathlib import Path

import typer

from geoloc_cli.cli import options, table, talk
from geoloc_cli.errors import UsageError


def demo(
    folder: str = typer.Argument("demo", metavar="[DIR]", help="Where the photos and the index are left."),
    seed: int = typer.Option(0, "--seed", help="Another town."),
    workers: int = options.WORKERS,
) -> None:
    """Render a small town, index it, and locate held-out views of it."""
    from geoloc_cli.testing.demo import run_demo

    target = Path(folder)
    if target.exists() and any(target.iterdir()) and not (target / "truth.json").exists():
        raise UsageError(f"{folder} is not empty and holds no demo; give a new folder.")
    rows = run_demo(target, seed=seed, workers=workers, on_event=lambda text: talk.say(text))
    made = table.table(["photo", "status"], ["lat", "lon", "radius", "conf.", "error", "inside"])
    for row in rows:
        name = Path(row.photo).stem
        if row.lat is None or row.lon is None or row.radius_m is None:
            made.add_row(name, row.status, "", "", "", f"{row.confidence:.2f}", "", "")
            continue
        error = "" if row.error_m is None else f"{row.error_m:.1f} m"
        inside = "" if row.inside is None else ("yes" if row.inside else "no")
        place = f"{row.lat:.5f}", f"{row.lon:.5f}", table.length(row.radius_m)
        made.add_row(name, row.status, *place, f"{row.confidence:.2f}", error, inside)
    table.show(made, least=("inside", "status"))
    talk.say(f"The files are in {folder}. Now try:")
    talk.say(f"  geoloc locate {folder}/queries --index {folder}/index --explain")
    talk.say(f"  geoloc locate {folder}/elsewhere --index {folder}/index --format jsonl")
    talk.say(f"  geoloc index info {folder}/index")
