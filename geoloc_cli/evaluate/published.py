"""Figures that others published of their methods, as rows beside what is measured here.

They are those of `data/published.toml`, each with its source. None was measured here, and every row says so.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from geoloc_cli.errors import UsageError

Metric = Literal["within_km", "recall", "localized", "median_m", "median_deg"]
METRICS: tuple[Metric, ...] = get_args(Metric)
NOTE = "published, not measured here"
_UNITS: dict[Metric, str] = {"within_km": "%", "recall": "%", "localized": "%", "median_m": "m", "median_deg": "°"}


@dataclass(frozen=True, slots=True)
class Published:
    """One method's figures on one data set.

    `values` stand below the columns `at`: kilometres, ranks, levels or scenes, as the metric has them; None where
    nothing was published. Shares are per cent. `source` says where they were read, `protocol` under which rules.
    """

    dataset: str
    method: str
    metric: Metric
    at: tuple[str, ...]
    values: tuple[float | None, ...]
    source: str
    protocol: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The heads of its columns, as `25 km`, `R@5`, or a scene's name."""
        form = {"within_km": "{} km", "recall": "R@{}"}.get(self.metric, "{}")
        return tuple(form.format(one) for one in self.at)

    @property
    def by_field(self) -> dict[str, float | None]:
        """Its values by names for programs, as `within_25_km` or `median_m_stairs`; shares from 0 to 1."""
        prefix = {"within_km": "within_", "recall": "recall_", "localized": "localized_"}.get(
            self.metric, f"{self.metric}_"
        )
        scale = 100.0 if _UNITS[self.metric] == "%" else 1.0
        names = [f"{prefix}{column}".replace(" ", "_") for column in self.columns]
        values = [None if value is None else round(value / scale, 6) for value in self.values]
        return dict(zip(names, values, strict=True))

    def text(self, value: float | None) -> str:
        """A value with its unit, `-` where there is none."""
        if value is None:
            return "-"
        unit = _UNITS[self.metric]
        return f"{value:.2f} {unit}" if unit == "m" else f"{value:.2f}{unit}" if unit == "°" else f"{value:.1f} {unit}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, in which the row says of itself that it is published."""
        values = dict(zip(self.at, self.values, strict=True))
        about = {"method": self.method, "dataset": self.dataset, "metric": self.metric, "values": values}
        return {**about, "note": NOTE, "source": self.source, "protocol": self.protocol}


def published(names: Sequence[str]) -> list[Published]:
    """The rows of these data sets, in the order of the file. Raises UsageError where nothing is known of one."""
    rows = every_row()
    known = sorted({row.dataset for row in rows})
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(
                f"No published figures are known of '{name}'{meant}; --published knows {', '.join(known)}."
            )
    return [row for name in dict.fromkeys(names) for row in rows if row.dataset == name]


@cache
def every_row() -> tuple[Published, ...]:
    """All rows of the file. Raises ValueError where one is not whole."""
    text = files("geoloc_cli.evaluate").joinpath("data/published.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return tuple(row for table in data["tables"] for row in _rows(table, data["sources"]))


def _rows(table: dict[str, Any], sources: dict[str, str]) -> list[Published]:
    if table["metric"] not in METRICS:
        raise ValueError(f"{table['metric']} is no metric of published figures")
    at = tuple(str(one) for one in table["at"])
    found = []
    for method, values in table["rows"].items():
        if len(values) != len(at):
            raise ValueError(f"{method} has {len(values)} values for {len(at)} columns")
        known = tuple(None if math.isnan(value) else float(value) for value in values)
        source = f"{sources[table['source']]}, {table['where']}"
        found.append(Published(table["set"], method, table["metric"], at, known, source, table["protocol"]))
    return found
