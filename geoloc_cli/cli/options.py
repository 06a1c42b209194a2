"""Options that several commands share, and the reading of their values."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from geoloc_cli.cli import talk

if TYPE_CHECKING:
    from geoloc_cli.index.reader import Circle
    from geoloc_cli.photos.intrinsics import CameraOverride

PHOTOS: Any = typer.Argument(
    ..., metavar="PHOTOS...", help="Files, folders (searched through), patterns, or - for one path a line on stdin."
)
INDEX: Any = typer.Option(..., "--index", metavar="DIR", help="The index's folder.")
SEARCHED: Any = typer.Option(None, "--index", metavar="DIR", help="The index's folder.")
MAP: Any = typer.Option(None, "--map", metavar="DIR", help="A map's folder instead: it carries its own index.")
POSE: Any = typer.Option(False, "--pose", help="How the camera was held, too; without --map in maps made on demand.")
EXCLUDE: Any = typer.Option(
    None,
    "--exclude-list",
    metavar="FILE",
    help="Leave out the photos listed here, by path or by bare name, one a line.",
)
POSITIONS: Any = typer.Option(
    None,
    "--positions",
    metavar="FILE",
    help="Positions that win over EXIF: CSV, JSONL or GeoJSON with path, lat, lon, alt_m, heading_deg, radius_m.",
)
FEATURES: Any = typer.Option(
    None,
    "--features",
    metavar="NAME[?KEY=VALUE&...]",
    help="Local features, as in 'aliked?weights=aliked-n16.pth' (`geoloc backends`); sift by default.",
)
DESCRIPTOR: Any = typer.Option(
    None,
    "--descriptor",
    metavar="NAME[?KEY=VALUE&...]",
    help="What photos are compared by at first, as in 'megaloc' (`geoloc models list`); vlad by default.",
)
DIM: Any = typer.Option(
    None, "--dim", min=2, help="Numbers in a photo's vector, by principal axes learned from the photos."
)
WHITEN: Any = typer.Option(
    None,
    "--whiten",
    min=0.0,
    max=1.0,
    help="With --dim: how far the axes are brought to one variance, from 0 to 1; 0.5 by default.",
)
CODES: Any = typer.Option(
    None,
    "--codes",
    metavar="none|float16|pq<M>|rabitq",
    help="What is kept in memory of a photo's vector for searching: itself, half of it, M bytes, or a bit a number "
    "(`geoloc index tune`).",
)
SCALES: Any = typer.Option(
    None,
    "--scales",
    metavar="FACTOR,...",
    help="The descriptor sees a picture at these scales, as in 0.7,1,1.5, and their mean is its vector.",
)
FLIP: Any = typer.Option(None, "--flip/--no-flip", help="The descriptor sees a picture mirrored, too.")
AUGMENT: Any = typer.Option(
    None,
    "--augment",
    min=0,
    max=100,
    help="Draw a photo's vector towards those of so many others within 30 m that look alike: 3; 0 leaves it as it is.",
)
MATCHER: Any = typer.Option(
    "mutual-nn",
    "--matcher",
    metavar="NAME[?KEY=VALUE&...]",
    help="How keypoints of two photos are matched, as in 'mutual-nn?max_ratio=0.9' (`geoloc backends`).",
)
RERANK: Any = typer.Option(
    "linear",
    "--rerank",
    metavar="linear|product|rrf|belief|none",
    help="How likeness and the priors' plausibility are weighed before candidates are verified.",
)
RETRIEVER: Any = typer.Option(
    "global",
    "--retriever",
    metavar="NAME",
    help="How candidates are found: global, or cann; see `geoloc backends`.",
)
SOLVER: Any = typer.Option(
    "auto",
    "--solver",
    metavar="NAME",
    help="How poses are solved: auto, torch for many at once, poselib, or pycolmap; see `geoloc backends`.",
)
TOP_K: Any = typer.Option(15, "--top-k", min=1, help="Candidates that are retrieved and verified.")
PRIOR: Any = typer.Option(
    [],
    "--prior",
    metavar="NAME[?KEY=VALUE&...]",
    help="Ask this prior, too, as in exif or near=48.85,2.35,5km (`geoloc backends`); may be given several times.",
)
FORMAT: Any = typer.Option(
    None,
    "--format",
    metavar="table|jsonl|json|csv|geojson",
    help="Default: table on a terminal, jsonl in a pipe.",
)
WORKERS: Any = typer.Option(None, "--workers", min=1, help="Processes; by default one for each core.")
CACHE: Any = typer.Option(
    None, "--cache", metavar="DIR", help="Keep features and models' answers here, and find none twice; none: nowhere."
)
QUIET: Any = talk.QUIET
DRY_RUN: Any = typer.Option(False, "--dry-run", help="Say what would be done, and write nothing.")


def _offline(wanted: bool) -> bool:
    if wanted:
        from geoloc_cli.models.offline import go_offline

        go_offline()
    return wanted


# Whoever takes it need not look at it: it is in force as soon as it is read.
OFFLINE: Any = typer.Option(
    False, "--offline", callback=_offline, help="Open no connection, as with GEOLOC_OFFLINE=1 or HF_HUB_OFFLINE=1."
)
JSON: Any = typer.Option(False, "--json", help="JSON instead of a table.")
CAMERA: Any = typer.Option(
    None, "--camera", metavar="MODEL,WIDTH,HEIGHT,PARAMS...", help="The intrinsics, in COLMAP's order of parameters."
)
FOCAL_PX: Any = typer.Option(None, "--focal-px", help="The focal length in pixels of the upright photo.")
FOV_DEG: Any = typer.Option(None, "--fov-deg", help="The field of view across the longer side, in degrees.")


class Described(NamedTuple):
    """How photos are to be described, as far as the user says; an index that exists keeps the rest."""

    features: str | None = None
    descriptor: str | None = None
    dim: int | None = None
    whiten: float | None = None
    codes: str | None = None
    scales: str | None = None
    flip: bool | None = None
    augment: int | None = None

    def reduction(self) -> dict[str, int | float]:
        """What is said of it."""
        return {name: value for name, value in (("dim", self.dim), ("whiten", self.whiten)) if value is not None}

    def views(self) -> dict[str, str | bool]:
        """What is said of them."""
        return {name: value for name, value in (("scales", self.scales), ("flip", self.flip)) if value is not None}


AS_IT_IS = Described()


def circle(text: str) -> Circle:
    """`LAT,LON,RADIUS`: the radius in metres, or with the unit m or km."""
    from geoloc_cli.geo.stated import circle_of
    from geoloc_cli.index.reader import Circle

    return Circle(*circle_of(text, "--near"))


def override(camera: str | None, focal_px: float | None, fov_deg: float | None) -> CameraOverride | None:
    """The stated intrinsics, or None where nothing was stated."""
    if camera is None and focal_px is None and fov_deg is None:
        return None
    from geoloc_cli.photos.intrinsics import CameraOverride, parse_camera

    return CameraOverride(focal_px=focal_px, fov_deg=fov_deg, camera=parse_camera(camera) if camera else None)


def photos_of(inputs: list[str], exclude_list: str | None) -> list[str]:
    """The paths that the arguments mean, in their order."""
    from geoloc_cli.photos.scan import find_photos, read_exclude_list

    exclude = read_exclude_list(exclude_list) if exclude_list else None
    return list(find_photos(inputs, exclude=exclude, stdin=sys.stdin.buffer if "-" in inputs else None))


def counted(items: Iterator[Any], step: Callable[[], None]) -> Iterator[Any]:
    """Passes items through and counts each."""
    for item in items:
        step()
        yield item
