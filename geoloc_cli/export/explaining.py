"""A folder for each photo of a run: its record, and the pictures of why."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geoloc_cli.errors import GeolocError
from geoloc_cli.export.target import put_folder
from geoloc_cli.export.why import file_of, scenes
from geoloc_cli.maps.folder import Component
from geoloc_cli.pipeline import sightings
from geoloc_cli.pipeline.posing import map_of
from geoloc_cli.records import loads
from geoloc_cli.types import Failure, Fix, Pose

# The path of a photo, its number in the run, and its record as a line.
Item = tuple[str, int, str]
_CANDIDATES = 2


def build_drawer(spec: dict[str, Any]) -> Callable[[Item], str | Failure | None]:
    """In a worker: draws one answer into its folder; None when that is done, else a sentence on why it is not.

    spec: `folder`, of the run; `kept`, what the photos were compared with; and `map`, `index`, `cache` and `matcher`,
    with which poses were found.
    """
    maps: dict[str, Component | None] = {}

    def component_of(pose: Pose) -> Component | None:
        if pose.map not in maps:
            maps[pose.map] = map_of(pose, spec["map"], spec["index"], spec["cache"], spec["matcher"])
        return maps[pose.map]

    def draw(item: Item) -> str | None:
        path, number, line = item
        answer, files = loads(line), {"fix.json": f"{line}\n".encode()}
        try:
            if isinstance(answer, Fix):
                component = component_of(answer.pose) if answer.pose else None
                seen = sightings.read(Path(spec["kept"]), path)
                drawn = scenes(answer, seen, component, candidates=_CANDIDATES)
                files |= {f"{name}.png": file_of(scene, ".png") for name, scene in drawn.items()}
            put_folder(Path(spec["folder"]) / folder_of(number, path), files)
        except GeolocError as error:
            return str(error)
        return None

    return draw


def folder_of(number: int, path: str) -> str:
    """As in 0007-IMG_0448: in the run's order, and of letters, digits, dots, dashes and underscores alone."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(os.fsencode(path).decode("utf-8", "replace")).stem)
    return f"{number:04d}-{stem[:60].strip('._') or 'photo'}"
