"""`geoloc locate`: photos in, one answer a photo out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from geoloc_cli.cli import asking, options, output
from geoloc_cli.cli.progress import bar
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
    rerank: str = typer.Option(
        "linear",
        "--rerank",
        metavar="linear|product|rrf|belief|none",
        help="How likeness and the priors' plausibility are weighed before candidates are verified.",
    ),
    format: str = options.FORMAT,
    retriever: str = typer.Option(
        "global",
        "--retriever",
        metavar="NAME",
        help="How candidates are found: global, or cann; see `geoloc backends`.",
    ),
    solver: str = typer.Option(
        "auto",
        "--solver",
        metavar="NAME",
        help="How poses are solved: auto, torch for many at once, poselib, or pycolmap; see `geoloc backends`.",
    ),
    matcher: str = options.MATCHER,
    top_k: int = typer.Option(15, "--top-k", min=1, help="Candidates that are retrieved and verified."),
    explain: bool = typer.Option(
        False, "--explain", help="The evidence of every candidate, not of the best five alone."
    ),
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
    exclude_list: str = options.EXCLUDE,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Say where photos were taken.

    They are compared with the photos of an index, whose places are known.

    A photo's own GPS is never used to find it, unless --prior exif is given, or terrain for its altitude. Exit status:
    0 all photos handled, 1 some failed, 2 the call was wrong, 130 interrupted (what was finished is kept).

    With --sequence the answers come at the end, and --resume keeps those of the first pass, which knows of no sequence.
    """
    from functools import partial

    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.pipeline.asked_ahead import Panel
    from geoloc_cli.pipeline.batch import locate_photos
    from geoloc_cli.pipeline.locate import LocateOptions

    if max_speed is not None and not (sequence and 0.0 < max_speed < float("inf")):
        raise UsageError("--max-speed is metres a second above 0, and goes with --sequence.")
    override = options.override(camera, focal_px, fov_deg)
    searched, stage = _where(index, map, pose, override, solver, matcher)
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    chosen = LocateOptions(
        near=tuple(options.circle(text) for text in near),
        top_k=top_k,
        list_k=top_k if explain else min(5, top_k),
        rerank=rerank,
    )
    chosen.check()
    writer = output.writer(format, explain)
    done = _Answered(resume)
    todo = [path for path in paths if path not in done.answers]
    counts = {"ok": 0, "unlocated": 0, "error": 0}
    named = asking.with_neighbours(ctx, asking.priors_of(ctx, prior), searched)
    with Panel(named, cache, remember=sequence) as panel, bar(len(paths), quiet) as shown:
        run = partial(
            locate_photos,
            searched,
            options=chosen,
            parallel_map=LocalPool(workers),
            priors=panel,
            cache=cache,
            pose=stage,
            retriever=retriever,
            matcher=matcher,
        )
        fresh = run(paths=todo)
        answers = options.counted(_in_order(paths, done, fresh), lambda: shown.step("locating", 1))
        try:
            for answer in _as_sequence(answers, run, max_speed) if sequence else answers:
                counts[answer.status if isinstance(answer, Fix) else "error"] += 1
                writer.write(answer)
        finally:
            fresh.close()  # type: ignore[attr-defined]
            done.close()
            shown.stop()
            if sum(counts.values()):  # a run that was refused before its first answer has nothing to print
                writer.close()
            if not quiet:
                asking.tell_of(panel)
    if not quiet:
        summary = f"{counts['ok']} located, {counts['unlocated']} unlocated, {counts['error']} failed"
        typer.echo(f"{len(paths)} photos: {summary}.", err=True)
    if counts["error"]:
        raise typer.Exit(EXIT_SOME_FAILED)


def _where(
    index: str | None, map: str | None, pose: bool, override: CameraOverride | None, solver: str, matcher: str
) -> tuple[str, dict[str, Any] | None]:
    """The index to be searched, and what the pose stage is built of, where one is asked for."""
    if (index is None) == (map is None):
        raise UsageError("Give --index DIR or --map DIR, and not both: a map carries its own index.")
    from geoloc_cli.maps.folder import index_of, read_manifest
    from geoloc_cli.pipeline.posing import stage_spec

    if map is not None:
        read_manifest(Path(map))
    stage = stage_spec(map, override, solver, matcher) if pose else None
    return str(index if map is None else index_of(Path(map))), stage


def _as_sequence(
    answers: Iterator[Fix | Failure], run: Callable[..., Iterator[Fix | Failure]], max_speed: float | None
) -> list[Fix | Failure]:
    from geoloc_cli.pipeline.sequence import follow

    return follow(list(answers), lambda near: run(paths=list(near), near_of=near), max_speed=max_speed)


def _in_order(paths: list[str], done: _Answered, fresh: Iterator[Fix | Failure]) -> Iterator[Fix | Failure]:
    for path in paths:
        if path in done.answers:
            yield done.answers[path]
            continue
        answer = next(fresh)
        done.keep(answer)
        yield answer


class _Answered:
    """The file of `--resume`: what it holds already, and what is added line by line."""

    def __init__(self, file: str | None) -> None:
        self.answers: dict[str, Fix | Failure] = {}
        self._out: BinaryIO | None = None
        if file is None:
            return
        from geoloc_cli.records import from_record

        path = Path(file)
        whole = 0
        if path.exists():
            data = path.read_bytes()
            for number, line in enumerate(data.splitlines(keepends=True), 1):
                if not line.endswith(b"\n"):
                    break  # torn by an interruption: that photo is done again
                try:
                    answer = from_record(json.loads(line))
                except (ValueError, UsageError) as error:
                    raise UsageError(
                        f"{file}, line {number}, is no answer of this program ({error}); give a new file to --resume."
                    ) from error
                self.answers[answer.photo] = answer
                whole += len(line)
        try:
            out = path.open("r+b" if path.exists() else "w+b")
        except OSError as error:
            raise UsageError(f"{file} cannot be written ({error.strerror}); give another file to --resume.") from error
        out.truncate(whole)
        out.seek(whole)
        self._out = out

    def keep(self, answer: Fix | Failure) -> None:
        if self._out is not None:
            from geoloc_cli.records import dumps

            self._out.write(dumps(answer).encode() + b"\n")
            self._out.flush()

    def close(self) -> None:
        if self._out is not None:
            os.fsync(self._out.fileno())
            self._out.close()
