"""`geoloc album`: one person's day as one trajectory."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import asking, html_map, options, output, talk
from geoloc_cli.cli import calibration as calibrations
from geoloc_cli.cli.disclosing import DISCLOSE, POLICY, discloser
from geoloc_cli.cli.fixes import FixReader
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.summary import Tally
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from geoloc_cli.pipeline.album import Told

_PHOTOS: Any = typer.Argument(None, metavar="[PHOTOS...]", help=options.PHOTOS.help)
_FIXES: Any = typer.Option(
    [], "--fixes", metavar="FILE", help="Answers of `geoloc locate` instead of photos; - is standard input."
)
_SPEED: Any = typer.Option(
    "auto",
    "--speed",
    metavar="auto|walk|drive|fly|unknown",
    help="How the photographer got about; auto thinks of all and learns from the album.",
)
_MAX_GAP: Any = typer.Option(
    "6h", "--max-gap", metavar="TIME", help="After so long without a photo nothing is known: 90s, 30min, 6h or 2d."
)
_NEAR: Any = typer.Option(
    [], "--near", metavar="LAT,LON,RADIUS", help="Search here first (metres, or 2km); may be given several times."
)
_REPORT: Any = typer.Option(
    None, "--report", metavar="FILE", help="Write a map of all answers and their evidence, one HTML file, too."
)
_RESUME: Any = typer.Option(
    None, "--resume", metavar="FILE", help="Keep the photos' own answers here, and do no photo again that has one."
)
_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_ODD_SHOWN = 8


def album(
    ctx: typer.Context,
    photos: list[str] = _PHOTOS,
    fixes: list[str] = _FIXES,
    index: str = options.SEARCHED,
    map: str = options.MAP,
    speed: str = _SPEED,
    max_gap: str = _MAX_GAP,
    near: list[str] = _NEAR,
    prior: list[str] = options.PRIOR,
    vlm_url: str = asking.VLM_URL,
    vlm_model: str = asking.VLM_MODEL,
    vlm_samples: int = asking.VLM_SAMPLES,
    vlm_strategy: str = asking.VLM_STRATEGY,
    vlm_replay: str = asking.VLM_REPLAY,
    rag: str = asking.RAG,
    rerank: str = options.RERANK,
    retriever: str = options.RETRIEVER,
    matcher: str = options.MATCHER,
    top_k: int = options.TOP_K,
    format: str = options.FORMAT,
    report_file: str = _REPORT,
    tiles: str = html_map.TILES,
    truth: str = html_map.TRUTH,
    thumbnails: int = html_map.THUMBNAILS,
    resume: str = _RESUME,
    calibration: str = calibrations.CALIBRATION,
    exclude_list: str = options.EXCLUDE,
    disclose: str = DISCLOSE,
    disclose_policy: str = POLICY,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Say where the photos of one person's day were taken, each by the others, too.

    Each camera is a way of its own, in the order of its photos' times. A photo whose place is ambiguous, coarse or
    unknown borrows from its neighbours what their places and the time between allow; one that contradicts them is
    refused (`off_the_track`). The key `album` of a record says what it was made of.

    The answers come at the end; --resume keeps those of the photos alone.
    """
    from geoloc_cli.photos.moments import moment_of
    from geoloc_cli.pipeline.album import AlbumOptions, smooth_album

    chosen = AlbumOptions(speed, seconds(max_gap))
    chosen.check()
    if bool(photos) == bool(fixes):
        raise UsageError("Give photos with --index or --map, or the answers of `geoloc locate` with --fixes.")
    if report_file is None and not (tiles is None and truth is None and thumbnails is None):
        raise UsageError("--tiles, --truth and --thumbnails are of a map; name its file with --report FILE.")
    told_as = discloser(disclose, disclose_policy)
    if resume and not told_as.all_is_told:
        raise UsageError("An album goes by exact answers, which --disclose keeps out of --resume; leave one out.")
    small = told_as.thumbnails(truth, thumbnails)
    page = html_map.Report(tiles, truth, small, workers, quiet, report_file) if report_file is not None else None
    writer = output.writer(format, explain=False)
    tally = Tally()
    reader = FixReader(lambda answer: answer)
    if fixes:
        if index or map:
            raise UsageError("--fixes holds answers; leave out --index and --map.")
        alone = list(reader.answers(fixes))
    else:
        alone = _located(ctx, photos, SimpleNamespace(**ctx.params))
    moments = {answer.photo: moment_of(answer.photo) for answer in alone if isinstance(answer, Fix)}
    with bar(0, quiet) as shown:
        shown.expect("smoothing", len(moments))
        exact, told = smooth_album(alone, moments, chosen, lambda: shown.step("smoothing", 1))
        shown.stop()
    answers = [told_as(answer) for answer in exact]
    for answer in answers:
        tally.add(answer)
        writer.write(answer)
    writer.close()
    if page:
        page.write(answers, report_file)
    tally.tell()
    # How far places are apart is finer than a city.
    _tell(told if told_as.all_is_told else replace(told, odd=[]))
    if reader.bad or tally.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def seconds(text: str) -> float:
    """Seconds of 90s, 30min, 6h or 2d. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|min|h|d)", text.strip())
    if not match or not float(match[1]) > 0.0:
        raise UsageError(f"'{text}' is no length of time for --max-gap; give one as in 90s, 30min, 6h or 2d.")
    return float(match[1]) * _UNITS_S[match[2]]


def _located(ctx: typer.Context, photos: list[str], given: SimpleNamespace) -> list[Fix | Failure]:
    """The answers of the photos alone, those kept by --resume first; whatever is finished is kept there."""
    from geoloc_cli.api.run import Asked, Run, searched_index

    asked = Asked(
        index=given.index,
        map=given.map,
        near=given.near,
        prior=asking.with_neighbours(ctx, asking.priors_of(ctx, given.prior), searched_index(given.index, given.map)),
        rerank=given.rerank,
        retriever=given.retriever,
        matcher=given.matcher,
        top_k=given.top_k,
        calibration=given.calibration,
        disclose=given.disclose,
        disclose_policy=given.disclose_policy,
        cache=given.cache,
    )
    paths = options.photos_of(photos, given.exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    with Run(asked, calibrations.say) as run, bar(len(paths), given.quiet) as shown:
        done = run.answered(given.resume)
        fresh = run.located([path for path in paths if path not in done.answers], given.workers)
        try:
            return list(options.counted(done.in_order(paths, fresh), lambda: shown.step("locating", 1)))
        finally:
            fresh.close()
            done.close()
            shown.stop()
            asking.tell_of(run.panel)


def _tell(told: Told) -> None:
    """What the album changed, and what is odd in it, on stderr."""
    ways = f"{told.ways} way{'' if told.ways == 1 else 's'}"
    changed = f"{told.sharper} sharpened, {told.placed} placed and {told.refused} refused"
    talk.say(f"{ways}: {changed} by their neighbours.")
    for sentence in told.odd[:_ODD_SHOWN]:
        talk.say(f"odd: {printable(sentence)}")
    if len(told.odd) > _ODD_SHOWN:
        talk.say(f"odd: and {len(told.odd) - _ODD_SHOWN} more.")
