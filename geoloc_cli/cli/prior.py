"""`geoloc prior`: what is known of photos before any is compared with an index."""

from __future__ import annotations

import typer

from geoloc_cli.cli import asking, options, output
from geoloc_cli.cli import calibration as calibrations
from geoloc_cli.cli.disclosing import DISCLOSE, POLICY, discloser
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.summary import Tally
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Failure, Fix

# Words alone can be asked about, too.
_PHOTOS = typer.Argument(None, metavar="[PHOTOS...]", help=options.PHOTOS.help)
_TEXT = typer.Option(
    None, "--text", metavar="TEXT", help="What is to be seen, as in 'a harbour in Norway': beside the photos, or alone."
)


def prior(
    ctx: typer.Context,
    photos: list[str] = _PHOTOS,
    prior: list[str] = options.PRIOR,
    text: str = _TEXT,
    vlm_url: str = asking.VLM_URL,
    vlm_model: str = asking.VLM_MODEL,
    vlm_samples: int = asking.VLM_SAMPLES,
    vlm_strategy: str = asking.VLM_STRATEGY,
    vlm_replay: str = asking.VLM_REPLAY,
    calibration: str = calibrations.CALIBRATION,
    format: str = options.FORMAT,
    exclude_list: str = options.EXCLUDE,
    disclose: str = DISCLOSE,
    disclose_policy: str = POLICY,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Ask priors where photos were taken, roughly, and what they say together.

    Of a photo of which none of them knows anything, the answer is `unlocated` (`nothing_known`), and each says why.
    Without photos, --text is asked about alone, and the answer is named `text:` and the words.
    """
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.pipeline.asked_ahead import Panel
    from geoloc_cli.pipeline.asking import with_text
    from geoloc_cli.pipeline.batch import ask_photos, ask_words

    told_as = discloser(disclose, disclose_policy)
    named = asking.with_contexts(asking.priors_of(ctx, prior), told_as.by_context, quiet)
    if not named:
        raise UsageError("No prior was named; give --prior NAME, once or several times (`geoloc backends`).")
    if not photos and not text:
        raise UsageError("Nothing was asked about; give photos, or --text TEXT, or both.")
    kept_in = told_as.cache(cache)
    if not photos:
        _write_one(told_as(ask_words(text, named, kept_in)), format)
        return
    if text:
        named = with_text(named, text)
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    stored = calibrations.fitting(calibration, named)
    writer = output.writer(format, explain=False, priors=True)
    tally = Tally()
    with Panel(named, kept_in) as panel, bar(len(paths), quiet) as shown:
        answers = ask_photos(
            paths, panel, LocalPool(workers), kept_in, calibration=stored.calibration if stored else None
        )
        try:
            for answer in options.counted(answers, lambda: shown.step("asking", 1)):
                told = told_as(answer)
                tally.add(told)
                writer.write(told)
        finally:
            answers.close()  # type: ignore[attr-defined]
            shown.stop()
            if tally.photos:  # a run that was refused before its first answer has nothing to print
                writer.close()
            asking.tell_of(panel)
    tally.tell(f" Calibrated on {stored.told}." if stored else "")
    if tally.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _write_one(answer: Fix | Failure, format: str) -> None:
    writer = output.writer(format, explain=False, priors=True)
    try:
        writer.write(answer)
    finally:
        writer.close()
