"""`geoloc show`: why an answer is what it is, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from geoloc_cli.cli import asking, options, talk
from geoloc_cli.cli import calibration as calibrations
from geoloc_cli.cli.disclosing import DISCLOSE, POLICY, discloser
from geoloc_cli.cli.fixes import FixReader
from geoloc_cli.cli.locate import where
from geoloc_cli.cli.preview import show_small
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from geoloc_cli.export.scene import Scene
    from geoloc_cli.maps.folder import Component
    from geoloc_cli.pipeline.sightings import Compared


class Seen(NamedTuple):
    """An answer, and what its photo was compared with, None where that is not known."""

    answer: Fix | Failure
    compared: dict[str, Compared] | None
    component: Component | None = None


def show(
    photo: str = typer.Argument(..., metavar="PHOTO", help="The photo."),
    index: str = options.SEARCHED,
    map: str = options.MAP,
    fix: str = typer.Option(
        None, "--fix", metavar="FILE", help="Draw the answer that stands here, lines of `geoloc locate`; no index."
    ),
    out: str = typer.Option(
        None, "--out", metavar="FILE|DIR/", help="A .png or .svg; with / at its end a new folder, for all pictures."
    ),
    picture: str = typer.Option(
        None, "--picture", metavar="matches|belief|map", help="Which one goes to the file; the first that there is."
    ),
    preview: bool = typer.Option(False, "--preview", help="The picture small in the terminal, where that can draw it."),
    candidates: int = typer.Option(1, "--candidates", min=1, max=10, help="Candidates beside which it is shown."),
    all_matches: bool = typer.Option(False, "--all-matches", help="Matches that were rejected, too, in grey."),
    pose: bool = options.POSE,
    near: list[str] = typer.Option(
        [], "--near", metavar="LAT,LON,RADIUS", help="Search here first (metres, or 2km); may be given several times."
    ),
    prior: list[str] = options.PRIOR,
    rerank: str = options.RERANK,
    retriever: str = options.RETRIEVER,
    solver: str = options.SOLVER,
    matcher: str = options.MATCHER,
    top_k: int = options.TOP_K,
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    calibration: str = calibrations.CALIBRATION,
    disclose: str = DISCLOSE,
    disclose_policy: str = POLICY,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
) -> None:
    """Show why a photo's answer is what it is: pictures of its matches, its belief and its pose.

    The photo is located as by `geoloc locate`, and what was counted is drawn. Where --disclose keeps something back,
    the belief alone is drawn, as it is told: the other pictures show the place itself.
    """
    from geoloc_cli.export.why import check_suffix, scenes

    if out is None and not preview:
        raise UsageError("Say where the picture is to go: --out FILE.png, FILE.svg or DIR/, or --preview.")
    if out is not None and not _is_folder(out):
        check_suffix(Path(out).suffix)
    told_as = discloser(disclose, disclose_policy)
    if fix is not None:
        if index is not None or map is not None:
            raise UsageError("--fix draws an answer that stands; leave --index and --map out.")
        seen = Seen(_stated(photo, fix), None)
    else:
        from geoloc_cli.pipeline.locate import LocateOptions

        override = options.override(camera, focal_px, fov_deg)
        searched, stage = where(index, map, pose or map is not None, override, solver, matcher)
        chosen = LocateOptions(
            near=tuple(options.circle(text) for text in near), top_k=top_k, list_k=top_k, rerank=rerank
        )
        chosen.check()
        named = asking.with_contexts(prior, told_as.by_context, quiet=False)
        stored = calibrations.fitting(calibration, named, searched, retriever, matcher)
        seen = _located(
            photo,
            searched,
            map=map,
            cache=told_as.cache(cache),
            matcher=matcher,
            pose=stage,
            options=chosen,
            priors=named,
            retriever=retriever,
            calibration=stored.calibration if stored else None,
        )
    if not told_as.all_is_told:
        seen = Seen(told_as(seen.answer), None)
    if isinstance(seen.answer, Failure):
        talk.fail(printable(seen.answer.message))
        raise typer.Exit(EXIT_SOME_FAILED)
    drawn = scenes(seen.answer, seen.compared, seen.component, candidates=candidates, rejected=all_matches)
    name = picture or next(iter(drawn))
    if name not in drawn:
        raise UsageError(f"There is no picture '{name}' of this answer; there is {' and '.join(drawn)}.")
    if preview:
        show_small(drawn[name])
    if out is not None:
        _write(drawn, name, seen.answer, out)


def _located(
    photo: str, index: str, *, map: str | None, cache: str | None, matcher: str, pose: dict[str, Any] | None, **how: Any
) -> Seen:
    """The answer as of `geoloc locate`, which compares once, what it was compared with, and the map of its pose.

    how: further arguments of `locate_photos`.
    """
    import tempfile

    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.pipeline import sightings
    from geoloc_cli.pipeline.batch import locate_photos
    from geoloc_cli.pipeline.posing import map_of

    with tempfile.TemporaryDirectory(prefix="geoloc-") as kept:
        if pose is not None and map is None and cache is None:
            cache = str(Path(kept) / "cache")  # a map made on demand is drawn after it was made
        pool = LocalPool(1)
        (answer,) = locate_photos(
            index, [photo], parallel_map=pool, cache=cache, pose=pose, matcher=matcher, witness=kept, **how
        )
        found = answer.pose if isinstance(answer, Fix) else None
        component = map_of(found, map, index, cache, matcher) if found else None
        return Seen(answer, sightings.read(Path(kept), photo), component)


def _is_folder(out: str) -> bool:
    return out.endswith("/") or Path(out).is_dir()


def _stated(photo: str, file: str) -> Fix | Failure:
    """The last answer of a file for a photo: by its path, else by its bare name where that is of one path alone."""
    reader = FixReader(lambda answer: answer)  # coarsened when it is found: then its name is, too
    answers = {answer.photo: answer for answer in reader.answers([file])}
    if photo in answers:
        return answers[photo]
    alike = [answer for path, answer in answers.items() if Path(path).name == Path(photo).name]
    if len(alike) != 1:
        many = f"has {len(alike)} photos of the name of" if alike else "has no answer for"
        raise UsageError(f"{printable(file)} {many} {printable(photo)}; give the photo as it stands there.")
    return alike[0]


def _write(drawn: dict[str, Scene], name: str, answer: Fix, out: str) -> None:
    from geoloc_cli.export.target import put_file, put_folder
    from geoloc_cli.export.why import SUFFIXES, file_of
    from geoloc_cli.records import dumps

    if _is_folder(out):
        files = {f"{each}{suffix}": file_of(scene, suffix) for each, scene in drawn.items() for suffix in SUFFIXES}
        put_folder(Path(out), {"fix.json": f"{dumps(answer)}\n".encode(), **files})
        return
    put_file(Path(out), file_of(drawn[name], Path(out).suffix))
