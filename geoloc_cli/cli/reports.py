"""The reports that a user asked for beside what is printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoloc_cli.cli import evaluate_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geoloc_cli.evaluate.compared import Comparison
    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.published import Published
    from geoloc_cli.evaluate.score import How


@dataclass(frozen=True, slots=True)
class Reports:
    """Where a page, and where a folder of all forms is wanted; where pictures are, and what others published."""

    html: str | None
    out: str | None
    pictures: Sequence[str]
    published: Sequence[Published]

    def write(
        self, runs: Sequence[Evaluated], comparisons: Sequence[Comparison], how: How, kept: Path | None = None
    ) -> None:
        """Writes what is wanted; kept: the folder of a run that was made just now, which has its report in it."""
        folder = str(kept) if kept is not None else self.out
        if self.html is None and folder is None:
            return
        from geoloc_cli.evaluate.report.content import report
        from geoloc_cli.evaluate.report.files import write_folder, write_page
        from geoloc_cli.evaluate.report.made import entries
        from geoloc_cli.pipeline.provenance import without_secrets

        command = [without_secrets(word) for word in evaluate_run.command()]
        made = report(entries(runs, self.pictures, kept), comparisons, how, self.published, command)
        if self.html is not None:
            write_page(made, self.html)
        if folder is not None:
            write_folder(made, folder)
