"""`geoloc prior`: what is known of photos before any is compared with an index."""

from __future__ import annotations

import typer

from geoloc_cli.cli import asking, options, output
from geoloc_cli.cli.progress import bar
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Fix


def prior(
    ctx: typer.Context,
    photos: list[str] = options.PHOTOS,
    prior: list[str] = options.PRIOR,
    vlm_url: str = asking.VLM_URL,
    vlm_model: str = asking.VLM_MODEL,
    vlm_samples: int = asking.VLM_SAMPLES,
    vlm_strategy: str = asking.VLM_STRATEGY,
    vlm_replay: str = asking.VLM_REPLAY,
    format: str = options.FORMAT,
    exclude_list: str = options.EXCLUDE,
    cache: str = options.CACHE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Ask priors where photos were taken, roughly, and what they say together.

    Of a photo of which none of them knows anything, the answer is `unlocated` (`nothing_known`), and each says why.
    """
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.pipeline.asked_ahead import Panel
    from geoloc_cli.pipeline.batch import ask_photos

    named = asking.priors_of(ctx, prior)
    if not named:
        raise UsageError("No prior was named; give --prior NAME, once or several times (`geoloc backends`).")
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    writer = output.writer(format, explain=False, priors=True)
    answered = failed = 0
    with Panel(named, cache) as panel, bar(len(paths), quiet) as shown:
        answers = ask_photos(paths, panel, LocalPool(workers), cache)
        try:
            for answer in options.counted(answers, lambda: shown.step("asking", 1)):
                answered += 1
                failed += not isinstance(answer, Fix)
                writer.write(answer)
        finally:
            answers.close()  # type: ignore[attr-defined]
            shown.stop()
            if answered:  # a run that was refused before its first answer has nothing to print
                writer.close()
            if not quiet:
                asking.tell_of(panel)
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)
