"""`geoloc locate`: photos in, one answer a photo out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import asking, explained, html_map, options, output
from geoloc_cli.cli import calibration as calibrations
from geoloc_cli.cli.disclosing import DISCLOSE, POLICY, discloser
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.summary import Tally
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from geoloc_cli.photos.intrinsics import CameraOverride


def locate(
    ctx: typer.Context,
    photos: list[str] = options.PHOTOS,
    index: str = typer.Option(None, "--index", metavar="DIR", help="The index's folder."),
    map: str = typer.Option(None, "--map", metavar="DIR", help="A map's folder instead: it carries its own index."),
    pose: bool = typer.Option(
        False, "--pose", help="How the camera was held, too; without --map in maps made on demand."
    ),
    near: list[str] = typer.Option(
        [], "--near", metavar="LAT,LON,RADIUS", help="Search here first (metres, or 2km); may be given several times."
    ),
    prior: list[str] = options.PRIOR,
    vlm_url: str = asking.VLM_URL,
    vlm_model: str = asking.VLM_MODEL,
    vlm_samples: int = asking.VLM_SAMPLES,
    vlm_strategy: str = asking.VLM_STRATEGY,
    vlm_replay: str = asking.VLM_REPLAY,
    rag: str = asking.RAG,
    rerank: str = options.RERANK,
    format: str = options.FORMAT,
    retriever: str = options.RETRIEVER,
    solver: str = options.SOLVER,
    matcher: str = options.MATCHER,
    top_k: int = options.TOP_K,
    explain: bool = typer.Option(
        False, "--explain", help="The evidence of every candidate, not of the best five alone."
    ),
    explain_to: str = explained.EXPLAIN_TO,
    report_file: str = typer.Option(
        None, "--report", metavar="FILE", help="Write a map of all answers and their evidence, one HTML file, too."
    ),
    tiles: str = html_map.TILES,
    truth: str = html_map.TRUTH,
    thumbnails: int = html_map.THUMBNAILS,
    resume: str = typer.Option(
        None, "--resume", metavar="FILE", help="Keep the answers here, and do no photo again that has one."
    ),
    sequence: bool = typer.Option(
        False, "--sequence", help="The photos are one camera's way in time: each says where the next can be."
    ),
    max_speed: float = typer.Option(
        None, "--max-speed", metavar="M/S", help="With --sequence: it was never faster (learned by default)."
    ),
    camera: str = options.CAMERA,
    focal_px: float = options.FOCAL_PX,
    fov_deg: float = options.FOV_DEG,
    calibration: str = calibrations.CALIBRATION,
    exclude_list: str = options.EXCLUDE,
    disclose: str = DISCLOSE,
    disclose_policy: str = POLICY,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Say where photos were taken.

    They are compared with the photos of an index, whose places are known.

    A photo's own GPS is never used to find it, unless --prior exif is given, or terrain for its altitude.

    With --sequence the answers come at the end, and --resume keeps those of the first pass, which knows of no sequence.
    """
    from dataclasses import replace

    from geoloc_cli.api.run import Asked, Run, searched_index

    if report_file is None and not (tiles is None and truth is None and thumbnails is None):
        raise UsageError("--tiles, --truth and --thumbnails are of a map; name its file with --report FILE.")
    told_as = discloser(disclose, disclose_policy)
    told_as.refuse("--explain-to", explain_to is not None)
    small = told_as.thumbnails(truth, thumbnails)
    page = html_map.Report(tiles, truth, small, workers, quiet, report_file) if report_file is not None else None
    asked = Asked(
        index=index,
        map=map,
        pose=pose,
        near=near,
        prior=asking.with_neighbours(ctx, asking.priors_of(ctx, prior), searched_index(index, map)),
        rerank=rerank,
        retriever=retriever,
        solver=solver,
        matcher=matcher,
        top_k=top_k,
        explain=explain,
        sequence=sequence,
        max_speed=max_speed,
        camera=camera,
        focal_px=focal_px,
        fov_deg=fov_deg,
        calibration=calibration,
        disclose=disclose,
        disclose_policy=disclose_policy,
        cache=cache,
    )
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    evidence = None
    if explain_to is not None:
        searched = searched_index(index, map)
        evidence = explained.Explained(explain_to, map, searched, cache, matcher, on_demand=pose and map is None)
        asked = replace(asked, explain=True, cache=evidence.cache)
    writer = output.writer(format, explain)
    tally = Tally()
    told: list[Fix | Failure] = []
    witness = evidence.witness if evidence else None
    keeping = html_map.kept(page, told, report_file, len(paths))
    with Run(asked, calibrations.say, witness) as run, bar(len(paths), quiet) as shown, keeping:
        done = run.answered(resume)
        fresh = run.located([path for path in paths if path not in done.answers], workers)
        answers = options.counted(done.in_order(paths, fresh), lambda: shown.step("locating", 1))
        try:
            for exact in run.as_asked(answers, workers):
                answer = run.told_as(exact)
                tally.add(answer)
                if page or evidence:
                    told.append(answer)
                writer.write(answer)
        finally:
            fresh.close()
            done.close()
            shown.stop()
            if tally.photos:  # a run that was refused before its first answer has nothing to print
                writer.close()
            asking.tell_of(run.panel)
    if page:
        page.write(told, report_file)
    if evidence:
        evidence.write(told, workers)
    tally.tell(f" Calibrated on {run.stored.told}." if run.stored else "")
    if tally.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def where(
    index: str | None, map: str | None, pose: bool, override: CameraOverride | None, solver: str, matcher: str
) -> tuple[str, dict[str, Any] | None]:
    """The index to be searched, and what the pose stage is built of, where one is asked for."""
    from geoloc_cli.api.run import where as found

    return found(index, map, pose, override, solver, matcher)
