"""`geoloc map ...`: make a sparse 3-D map of geotagged photos, look into it, hand it to other programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import georeference as georeferencing
from geoloc_cli.cli import options, talk
from geoloc_cli.cli.index import take_photos
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from geoloc_cli.maps.poses import PosedPhoto
    from geoloc_cli.pipeline.map import MapOptions

app = typer.Typer(help="Make, look into and hand on a 3-D map of photos.", rich_markup_mode=None, no_args_is_help=True)
_MAP: Any = typer.Option(..., "--map", metavar="DIR", help="The map's folder.")
_DIR: Any = typer.Argument(..., metavar="DIR", help="The map's folder.")
app.command("georeference")(georeferencing.georeference)


@app.command("build")
def build(
    photos: list[str] = options.PHOTOS,
    map: str = _MAP,
    exclude_list: str = options.EXCLUDE,
    positions: str = options.POSITIONS,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    alike: int = typer.Option(8, "--alike", min=1, help="Photos that look most alike, compared with each."),
    near: int = typer.Option(8, "--near", min=0, help="Photos taken nearest, compared with each."),
    mapper: str = typer.Option(
        "incremental", "--mapper", metavar="incremental|global", help="Map photo by photo, or all at once."
    ),
    share_camera: str = typer.Option(
        "auto",
        "--share-camera",
        metavar="auto|folder|none",
        help="Photos that state no lens are one camera's: those of one size that are numbered one after the other, all "
        "of one size in a folder, or none.",
    ),
    features: str = options.FEATURES,
    descriptor: str = options.DESCRIPTOR,
    dim: int = options.DIM,
    whiten: float = options.WHITEN,
    codes: str = options.CODES,
    scales: str = options.SCALES,
    flip: bool = options.FLIP,
    matcher: str = options.MATCHER,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Make a map of photos, or finish an interrupted one; their GPS says where on the Earth it lies."""
    from geoloc_cli.maps.folder import index_of
    from geoloc_cli.pipeline.map import MapOptions

    how = MapOptions(alike, near, matcher, mapper, share_camera)
    how.check()
    index = str(index_of(Path(map)))
    intrinsics = camera, focal_px, fov_deg
    wanted = options.Described(features, descriptor, dim, whiten, codes, scales=scales, flip=flip)
    read = take_photos(
        photos, index, exclude_list, positions, intrinsics, cache, workers, quiet, placed=False, wanted=wanted
    )
    _made(map, workers, how, quiet, None)
    if not read:
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command("import")
def import_(
    poses: str = typer.Argument(
        ..., metavar="POSES", help="A COLMAP model, a transforms.json, a folder as of 7-Scenes, or a CSV."
    ),
    photos: str = typer.Option(..., "--photos", metavar="DIR", help="The folder that the photos' names count from."),
    map: str = _MAP,
    exclude_list: str = options.EXCLUDE,
    positions: str = options.POSITIONS,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    alike: int = typer.Option(8, "--alike", min=1, help="Photos that look most alike, compared with each."),
    near: int = typer.Option(8, "--near", min=0, help="Photos taken nearest, compared with each."),
    features: str = options.FEATURES,
    descriptor: str = options.DESCRIPTOR,
    dim: int = options.DIM,
    whiten: float = options.WHITEN,
    codes: str = options.CODES,
    scales: str = options.SCALES,
    flip: bool = options.FLIP,
    matcher: str = options.MATCHER,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Make a map of photos whose poses another program knows; its points are found anew, its poses are kept.

    A CSV has the columns path, qw, qx, qy, qz (camera from map, as COLMAP's), and tx, ty, tz, or x, y, z, the camera's
    place in the map.
    """
    from geoloc_cli.maps.folder import index_of
    from geoloc_cli.maps.poses import read_poses
    from geoloc_cli.pipeline.map import MapOptions

    found = read_poses(poses, photos)
    for line in found.left_out[:5]:
        talk.say(f"left out: {printable(line)}.")
    if len(found.left_out) > 5:
        talk.say(f"left out: {len(found.left_out) - 5} more of {len(found.left_out)}.")
    paths = [photo.path for photo in found.photos]
    intrinsics = camera, focal_px, fov_deg
    index = str(index_of(Path(map)))
    wanted = options.Described(features, descriptor, dim, whiten, codes, scales=scales, flip=flip)
    read = take_photos(
        paths, index, exclude_list, positions, intrinsics, cache, workers, quiet, placed=False, wanted=wanted
    )
    _made(map, workers, MapOptions(alike, near, matcher), quiet, {photo.path: photo for photo in found.photos})
    if not read:
        raise typer.Exit(EXIT_SOME_FAILED)


def _made(map: str, workers: int | None, how: MapOptions, quiet: bool, posed: dict[str, PosedPhoto] | None) -> None:
    """Maps the photos of the map's index, and says what came of it."""
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.pipeline.georeference import reasons
    from geoloc_cli.pipeline.map import build_map

    with bar(0, quiet) as shown:
        report = build_map(Path(map), LocalPool(workers), how, shown.step, posed, shown.expect)
    parts = ", ".join(str(count) for count in report.registered) or "none"
    placed = report.photos - len(report.left_out)  # a photo may be in several parts
    talk.say(f"{map}: {placed} of {report.photos} photos in the map ({parts}).", name="summary")
    for rank, georeference in enumerate(report.georeferences):
        if georeference is None:
            talk.say(f"part {rank} is not on the Earth: {printable(reasons(Path(map))[rank] or '')}.")
            continue
        noise = f"{georeference.horizontal_m:.2f} m horizontally, {georeference.vertical_m:.2f} m vertically"
        talk.say(f"part {rank}: residuals of the positions {noise} (one axis, robust).")
        for path in georeference.outliers[:3]:
            talk.say(f"  the position of {printable(path)} is not believed")
        for note in georeference.notes:
            talk.say(f"  {note}")
    for why in list(report.lost.values())[:5]:
        talk.say(f"not compared: {printable(why)}")
    if len(report.lost) > 5:
        talk.say(f"not compared: {len(report.lost) - 5} more of {len(report.lost)}.")
    if report.left_out:
        talk.say(f"{len(report.left_out)} photos fit nowhere, such as {printable(report.left_out[0])}.")


@app.command("info")
def info(directory: str = _DIR, as_json: bool = options.JSON) -> None:
    """Say what a map holds, how well it fits, and where it lies."""
    from geoloc_cli.maps.inspect import info as look

    found = look(Path(directory))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    how = f", {found['mapper']} mapping" if found["mapper"] in ("incremental", "global") else ""
    typer.echo(f"{printable(directory)}: {found['registered']} of {found['photos']} photos{how}")
    for part in found["components"]:
        typer.echo(
            f"part {part['name']}: {part['images']} photos, {part['points']} points, "
            f"{part['mean_track_length']:.1f} photos a point, reprojection {part['reprojection_px']:.2f} px"
        )
        if part["georeference"]:
            g = part["georeference"]
            typer.echo(
                f"  at {g['origin'][0]:.5f}, {g['origin'][1]:.5f}; residuals {g['horizontal_m']:.2f} m horizontally, "
                f"{g['vertical_m']:.2f} m vertically; {len(g['outliers'])} positions not believed"
            )
            for note in g["notes"]:
                typer.echo(f"  {note}")
        else:
            typer.echo("  not on the Earth: its positions do not suffice")


@app.command("export")
def export(
    directory: str = _DIR,
    to: str = typer.Option("geojson", "--to", metavar="geojson|ply|colmap", help="What to write."),
    out: str = typer.Option(None, "--out", metavar="PATH", help="Where; GeoJSON goes to standard output by default."),
    part: int = typer.Option(0, "--part", min=0, help="The component."),
) -> None:
    """Write the cameras and the way they took as GeoJSON, the points as PLY, or the COLMAP model."""
    from geoloc_cli.maps.inspect import camera_rows, component_of

    if to not in ("geojson", "ply", "colmap"):
        raise UsageError(f"There is no form '{to}'; give one of geojson, ply, colmap.")
    if out is None and to != "geojson":
        raise UsageError(f"--to {to} needs --out PATH.")
    try:
        if to == "geojson":
            from geoloc_cli.export.geojson import places, track

            rows = camera_rows(Path(directory), part)
            collection, way = places(rows), track(rows)
            collection["features"] += [way] if way else []
            document = json.dumps(collection)
            if out is None:
                typer.echo(document)
            else:
                Path(out).write_text(document + "\n", encoding="utf-8")
            return
        from geoloc_cli.maps.colmap import export_ply
        from geoloc_cli.maps.folder import model_of

        component_of(Path(directory), part)
        model = model_of(Path(directory), part)
        if to == "ply":
            Path(out).open("wb").close()  # the library names no reason where it cannot write
            export_ply(model, Path(out))
        else:
            shutil.copytree(model, out)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written ({error.strerror}); give another, new name.") from error
