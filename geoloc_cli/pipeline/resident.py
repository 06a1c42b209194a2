"""One photo after the other against an index that stays open, in this process, for whoever asks now and again."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.batch import learned_for, locator_of, prepared
from geoloc_cli.pipeline.calibrated import Calibration
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.types import Failure, Fix


class Resident:
    """Answers as `batch.locate_photos` does, whose arguments these are; what it takes is opened and built once."""

    def __init__(
        self,
        index: str,
        options: LocateOptions,
        panel: Panel,
        cache: str | None,
        pose: dict[str, Any] | None,
        retriever: str,
        matcher: str,
        calibration: Calibration | None,
    ) -> None:
        """panel: left open when this is closed. Raises the index's RunErrors."""
        self._panel, self._hide = panel, options.hide
        self._learned = learned_for(panel.texts, calibration)
        set_up = prepared(index, (), options, panel, cache, pose, retriever, matcher, None, False, self._learned)
        with set_up as (spec, _):
            self._locator, _ = locator_of(spec)

    def locate(self, path: str) -> Fix | Failure:
        with closing(self._panel.heard([path], lambda each: each, self._hide)) as heard:
            _, said = next(heard)
            answer = self._locator.locate(path, heard=said)
        return self._learned.tempered(answer) if self._learned else answer

    def close(self) -> None:
        self._locator.close()
