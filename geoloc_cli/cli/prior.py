"""`geoloc prior`: what is known of photos before any is compared with an index."""

from __future__ import annotations

import typer

from geoloc_cli.cli import options, output
from geoloc_cli.cli.progress import bar
from geoloc_cli.errors import EXIT_SOME_FAILED, UsageError
from geoloc_cli.types import Fix


def prior(
    photos: list[str] = options.PHOTOS,
    prior: list[str] = options.PRIOR,
    format: str = options.FORMAT,
    exclude_list: str = options.EXCLUDE,
    offline: bool = options.OFFLINE,
    workers: int = options.WORKERS,
    quiet: bool = options.QUIET,
) -> None:
    """Ask priors where photos were taken, roughly, and what they say together.

    Of a photo of which none of them knows anything, the answer is `unlocated` (`nothing_known`), and each says why.
    """
    from geoloc_cli.engine.local import LocalPool
    from geoloc_cli.pipeline.batch import ask_photos

    if not prior:
        raise UsageError("No prior was named; give --prior NAME, once or several times (`geoloc backends`).")
    paths = options.photos_of(photos, exclude_list)
    if not paths:
        raise UsageError(f"No photos were found in {', '.join(photos)}.")
    writer = output.writer(format, explain=False)
    failed = 0
    with bar(len(paths), quiet) as shown:
        answers = ask_photos(paths, prior, LocalPool(workers))
        try:
            for answer in options.counted(answers, lambda: shown.step("asking", 1)):
                failed += not isinstance(answer, Fix)
                writer.write(answer)
        finally:
            shown.stop()
            writer.close()
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)
