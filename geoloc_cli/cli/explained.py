"""`geoloc locate --explain-to`: a folder of evidence for each photo."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geoloc_cli.cli import talk
from geoloc_cli.cli.progress import bar
from geoloc_cli.cli.table import printable
from geoloc_cli.errors import UsageError

if TYPE_CHECKING:
    from geoloc_cli.types import Failure, Fix

EXPLAIN_TO: Any = typer.Option(
    None,
    "--explain-to",
    metavar="DIR",
    help="As --explain, and a new folder with the record and the pictures of why of each photo, as of `geoloc show`.",
)


class Explained:
    """The folder to be: looked at when this is made, before any photo is."""

    def __init__(
        self, folder: str, map: str | None, index: str, cache: str | None, matcher: str, on_demand: bool
    ) -> None:
        """on_demand: maps are made about the photos, and so kept to be drawn, in the cache or beside the matches."""
        self._folder = Path(folder)
        try:
            if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
                raise UsageError(f"--explain-to {printable(folder)} is there already; give another, new name.")
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{printable(folder)} cannot be made ({error.strerror}); give another name.") from error
        self._kept = tempfile.TemporaryDirectory(prefix="geoloc-")
        self.witness = self._kept.name
        self.cache = str(Path(self.witness) / "cache") if on_demand and cache is None else cache
        self._spec = {"folder": folder, "kept": self.witness, "map": map, "index": index, "matcher": matcher}

    def write(self, answers: Sequence[Fix | Failure], workers: int | None) -> None:
        """Draws all answers; what cannot be drawn is one sentence on stderr, and stops no other."""
        from geoloc_cli.engine.local import LocalPool
        from geoloc_cli.records import dumps

        items = ((answer.photo, number, dumps(answer)) for number, answer in enumerate(answers, 1))
        spec = {**self._spec, "cache": self.cache}
        with bar(0, talk.is_quiet()) as shown:
            shown.expect("drawing", len(answers))
            for wrong in LocalPool(workers)("geoloc_cli.export.explaining:build_drawer", spec, items):
                shown.step("drawing", 1)
                if wrong is not None:
                    talk.warn(printable(wrong if isinstance(wrong, str) else wrong.message))
        self._kept.cleanup()
