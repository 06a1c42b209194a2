"""The HTML map of `geoloc locate --report` and `geoloc export --to html`: its options, and the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import options, talk
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from geoloc_cli.evaluate.truth import Truth

ASKS = frozenset({"tiles", "truth", "thumbnails"})

TILES: Any = typer.Option(
    None,
    "--tiles",
    metavar="URL",
    help="Of the HTML map: where pictures of the ground are fetched from, as in https://HOST/{z}/{x}/{y}.png. The host "
    "is told which places are looked at; by default nothing is fetched.",
)
TRUTH: Any = typer.Option(
    None,
    "--truth",
    metavar="FILE",
    help="Of the HTML map: where the photos were really taken, as for `geoloc evaluate`; errors are drawn.",
)
THUMBNAILS: Any = typer.Option(
    None, "--thumbnails", min=0, help="Of the HTML map: photos that it shows small, evenly chosen; 1000 by default."
)


class Report:
    """The page to be: what it is asked for is checked when this is made, before any photo is looked at."""

    def __init__(
        self,
        tiles: str | None,
        truth: str | None,
        thumbnails: int | None,
        workers: int | None,
        quiet: bool,
        path: str | None = None,
    ) -> None:
        from geoloc_cli.evaluate.truth import read_truth
        from geoloc_cli.export.html_map import THUMBNAILS, tile_layer

        if path is not None and not Path(path).absolute().parent.is_dir():
            raise UsageError(f"{printable(path)} cannot be written, as its folder is not there; make the folder first.")
        self._tiles = tile_layer(tiles) if tiles is not None else None
        self._thumbnails = THUMBNAILS if thumbnails is None else thumbnails
        self._workers, self._quiet = workers, quiet
        self._truth = read_truth(truth) if truth is not None else None
        for note in self._truth.notes if self._truth else ():
            talk.say(printable(note.sentence))

    def page(self, answers: Sequence[Fix | Failure], missing: int = 0) -> bytes:
        """The file. Raises UsageError where the truth knows none of the photos. missing: as of `document`."""
        from geoloc_cli.engine.local import LocalPool
        from geoloc_cli.export.html_map import document

        pool = LocalPool(self._workers)
        with bar(0, self._quiet) as shown:

            def counted(build: str, spec: dict[str, Any], items: Iterable[Any]) -> Iterator[Any]:
                paths = list(items)
                shown.expect("making small pictures", len(paths))
                return options.counted(pool(build, spec, paths), lambda: shown.step("making small pictures", 1))

            return document(
                answers,
                truth=_true_places(answers, self._truth) if self._truth else None,
                tiles=self._tiles,
                thumbnails=self._thumbnails,
                parallel_map=counted,
                missing=missing,
            )

    def write(self, answers: Sequence[Fix | Failure], path: str, missing: int = 0) -> None:
        """Writes the file, whole or not at all."""
        from geoloc_cli.export.target import put_file

        put_file(Path(path), self.page(answers, missing))


@contextmanager
def kept(report: Report | None, told: Sequence[Fix | Failure], path: str, total: int) -> Iterator[None]:
    """Where what is done in it is interrupted, the map of what was told until then is written; total: of all photos."""
    try:
        yield
    except KeyboardInterrupt:
        if report is not None and told:
            talk.say(f"Interrupted: {printable(path)} is written of what is done; a second time, it is not.")
            report.write(told, path, total - len(told))
        raise


def _true_places(answers: Sequence[Fix | Failure], truth: Truth) -> list[tuple[float, float] | None]:
    """The true place of each answer's photo, by its name as `geoloc evaluate` matches names."""
    import numpy as np

    from geoloc_cli.evaluate.joined import join
    from geoloc_cli.evaluate.predicted import Predictions

    names = [answer.photo for answer in answers]
    nothing = np.full(len(names), np.nan)
    rows = join(Predictions("the photos", names, nothing, nothing, nothing, nothing), truth).row
    places = zip(rows.tolist(), truth.lat.tolist(), truth.lon.tolist(), strict=True)
    of_name = {names[row]: (lat, lon) for row, lat, lon in places if row >= 0}
    return [of_name.get(name) for name in names]
