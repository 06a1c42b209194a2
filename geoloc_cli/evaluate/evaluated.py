"""Everything that was measured of one run or one file of predictions, of whatever kinds its data allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoloc_cli.evaluate.plain import plain
from geoloc_cli.evaluate.posed import PoseFigures
from geoloc_cli.evaluate.retrieved import Retrieved
from geoloc_cli.evaluate.score import Score


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Its name, and the figures against true places, right references and true poses; None where there are none."""

    name: str
    score: Score | None = None
    retrieval: Retrieved | None = None
    poses: PoseFigures | None = None

    def as_json(self) -> dict[str, Any]:
        figures = self.score.as_json() if self.score else {"predictions": self.name}
        return {**figures, "retrieval": plain(self.retrieval), "poses": plain(self.poses)}
