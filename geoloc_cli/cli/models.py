"""`geoloc models`: learned models, named, pulled on purpose, checked, and a user's own beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import options, progress, table, talk
from geoloc_cli.errors import WeightsMismatch, WeightsMissing

if TYPE_CHECKING:
    from geoloc_cli.models.catalogue import Model
    from geoloc_cli.models.listing import Listed
    from geoloc_cli.models.pull import Checked

app = typer.Typer(
    help="See, pull, check and add learned models.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

_NAMES: Any = typer.Argument(..., metavar="NAMES...", help="Models, as `geoloc models list` names them.")


@app.command("list")
def list_models(as_json: bool = options.JSON) -> None:
    """List the models: kind, size, licence, where each is, and what it lacks to be used."""
    from rich.text import Text

    from geoloc_cli.models.listing import listed

    rows = listed()
    if as_json:
        typer.echo(json.dumps([row.as_json() for row in rows], indent=2))
        return
    made = table.table(["name", "kind"], ["size"], ["licence", "commercial", "ready", "where"])
    for row in rows:
        model = row.model
        where = table.printable(str(row.path)) if row.path else ""
        cells = (model.name, model.kind, _size(row), model.licence, model.commercial, _ready(row), where)
        made.add_row(*(Text(cell) for cell in cells))
    table.show(made, least=("where", "licence", "kind"))


def _size(row: Listed) -> str:
    if row.size_bytes is None:
        return "?"
    return f"{row.size_bytes / 1e6:.0f} MB" if row.size_bytes >= 1e6 else f"{row.size_bytes / 1e3:.0f} kB"


def _ready(row: Listed) -> str:
    """Whether it can be used, or the first thing to do."""
    said = {
        "file": "to be pulled" if row.model.pulled else "by hand",
        "whole file": "damaged",
        "extra": f"needs geoloc[{row.model.extra}]",
        "backend": f"no backend {row.model.backend}",
    }
    return ", ".join(said[lack] for lack in row.lacks) or "ready"


@app.command("pull")
def pull_models(
    names: list[str] = _NAMES,
    dry_run: bool = options.DRY_RUN,
    offline: bool = options.OFFLINE,
    quiet: bool = options.QUIET,
) -> None:
    """Bring models to this machine: continued where an earlier pull stopped, and verified.

    What is here and sound is not fetched again.
    """
    from geoloc_cli.models.catalogue import find
    from geoloc_cli.models.pull import pull

    models = [find(name) for name in names]
    if dry_run:
        for model in models:
            typer.echo(f"{model.name}: {_foreseen(model)}")
        return
    for model in models:
        with progress.byte_bar(model.name, quiet) as step:
            done, fetched = pull(model, step)
        talk.say(f"{model.name}: {'pulled' if fetched else 'here already'}, {_said(done)}")
        if model.commercial != "yes":
            use = "no commercial use" if model.commercial == "no" else "read it before commercial use"
            talk.say(f"{model.name}: its licence is {model.licence}; {use}.")


def _foreseen(model: Model) -> str:
    """What a pull would do, without opening a connection."""
    from geoloc_cli.models.places import models_folder
    from geoloc_cli.models.pull import check

    here = check(model)
    if here.path and here.state != "damaged":
        return f"here already, {table.printable(str(here.path))}"
    if not model.pulled:
        return f"nobody serves its file for programs; download it from {model.source}"
    size = f"{model.whole_bytes / 1e6:.1f} MB" if model.whole_bytes else "a file of unknown size"
    what = f"{len(model.files)} files" if model.files else model.hub_file
    whence = model.url or f"the hub's {model.hub}, {what}"
    return f"would fetch {size} from {whence} to {models_folder()}; its licence is {model.licence}"


def _said(done: Checked) -> str:
    where = table.printable(str(done.path))
    if done.state == "good":
        return f"{where}, SHA-256 as stated"
    if done.state == "recorded":
        return f"{where}; nobody vouches for it: its SHA-256 of the first pull, {done.sha256[:12]}..., is what counts"
    return f"{where}; nobody vouches for it, and it was not pulled: its SHA-256 begins with {done.sha256[:12]}"


@app.command("verify")
def verify_models(
    names: list[str] = typer.Argument(
        None, metavar="[NAMES...]", help="Models; by default all that are on this machine."
    ),
) -> None:
    """Read every byte of models, and compare it with what was published or pulled first."""
    from rich.text import Text

    from geoloc_cli.models.catalogue import catalogue, find
    from geoloc_cli.models.pull import check

    models = [find(name) for name in names] if names else list(catalogue().values())
    with progress.bar(0, talk.is_quiet()) as shown:
        shown.expect("reading", len(models))
        found = list(options.counted(map(check, models), lambda: shown.step("reading", 1)))
    made = table.table(["name", "state", "SHA-256", "where"])
    for row in found:
        if row.path:
            cells = (row.name, row.state, row.sha256[:12], table.printable(str(row.path)))
            made.add_row(*(Text(cell) for cell in cells))
    table.show(made, least=("where",))
    damaged = [row.name for row in found if row.state == "damaged"]
    if damaged:
        raise WeightsMismatch(f"Damaged: {', '.join(damaged)}; run `geoloc models pull {' '.join(damaged)}`.")
    missing = [row.name for row in found if row.state == "missing"] if names else []
    if missing:
        raise WeightsMissing(f"Not here: {', '.join(missing)}; run `geoloc models pull {' '.join(missing)}`.")


@app.command("path")
def path_of_model(name: str = typer.Argument(..., metavar="NAME", help="A model.")) -> None:
    """Print where the file of a model is."""
    from geoloc_cli.models.catalogue import find
    from geoloc_cli.models.places import located

    place = located(find(name))
    if place is None:
        raise WeightsMissing(f"'{name}' is not on this machine; run `geoloc models pull {name}`.")
    typer.echo(str(place.path))


@app.command("add")
def add_model(
    name: str = typer.Argument(..., metavar="NAME", help="What it is to be called."),
    kind: str = typer.Option(..., "--kind", metavar="KIND", help="descriptor, features, matcher or prior."),
    file: Path = typer.Option(
        ..., "--file", metavar="FILE", help="Its weights, or its folder of transformers'; copied."
    ),
    config: Path = typer.Option(
        ..., "--config", metavar="FILE", help="TOML: its backend, and its options, licence and the like."
    ),
    dry_run: bool = options.DRY_RUN,
) -> None:
    """Add a model of your own, from a file of weights and a few lines of TOML.

    The least that the TOML says is `backend = "NAME"`, and in a table `[options]` what the backend needs to know.
    """
    from geoloc_cli.models.own import add

    made = add(name, kind, file, config, dry_run=dry_run)
    use = f"--{made.kind} '{made.backend}?model={made.name}'" if made.files else f"--{made.kind} {made.name}"
    if dry_run:
        talk.say(f"{made.name}: would be added as {made.file}; {use} would use it.")
    else:
        pinned = f"{len(made.files)} files, each by its SHA-256" if made.files else f"SHA-256 {made.sha256}"
        talk.say(f"{made.name}: added, {pinned}; {use} uses it.")
