"""`geoloc inspect`: what photos say of themselves, before any is located or indexed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer

from geoloc_cli.cli import options, table, talk
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError


def inspect(
    photos: list[str] = options.PHOTOS,
    positions: str = options.POSITIONS,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    exclude_list: str = options.EXCLUDE,
    as_json: bool = typer.Option(False, "--json", help="One JSON object a photo instead of a table."),
) -> None:
    """Show what photos say of themselves: place, time, camera, attitude, doubts."""
    from geoloc_cli.errors import PhotoError
    from geoloc_cli.photos.exif import read_photo
    from geoloc_cli.photos.positions import read_positions

    stated = read_positions(positions) if positions else None
    override = options.override(camera, focal_px, fov_deg)
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    rows: list[dict[str, Any]] = []
    failed = 0
    for path in paths:
        try:
            photo = read_photo(path)
            photo = override.apply(photo) if override else photo
            row = asdict(photo)
            position = stated.get(path) if stated else None
            row["position"] = asdict(position) if position else row["position"]
        except PhotoError as error:
            failed += 1
            row = {"path": path, "error": {"code": error.code, "message": str(error)}}
        if as_json:
            typer.echo(json.dumps(row))
        rows.append(row)
    if not as_json:
        _table(rows)
    talk.say(f"{len(rows)} photos: {len(rows) - failed} read, {failed} failed.", name="summary")
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from geoloc_cli.photos.scan import common_folder

    made = table.table(["photo", "size", "place", "taken at", "focal / width", "held", "doubts"])
    folder = common_folder(row["path"] for row in rows)
    if folder:
        made.title = Text(f"photos in {table.printable(folder)}")
    for row in rows:
        made.add_row(*(Text(cell) for cell in _cells(row, len(folder))))
    table.show(made, least=("held", "focal / width", "size"))


def _cells(row: dict[str, Any], cut: int) -> tuple[str, ...]:
    name = table.printable(row["path"][cut:])
    if "error" in row:
        return name, "", "", "", "", "", table.printable(row["error"]["message"])
    position, camera = row["position"], row["camera"]
    place = f"{position['lat']:.6f}, {position['lon']:.6f} ({position['source']})" if position else "-"
    focal = "-"
    if camera:
        relative = camera["params"][0] / camera["width"]
        focal = f"{relative:.3f} ({camera['source']}, {100 * camera['focal_std']:.0f} %)"
    attitude, held = row["attitude"], "-"
    if attitude:
        angles = f"pitch {attitude['pitch_deg']:.1f}, roll {attitude['roll_deg']:.1f}"
        held = f"{angles} ({attitude['source']}, {attitude['std_deg']:g} degrees)"
    doubts = table.printable(" ".join(row["notes"]))
    return name, f"{row['width']} x {row['height']}", place, row["taken_at"] or "-", focal, held, doubts
