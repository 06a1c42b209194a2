"""Which photographs one lens took: those that state the same intrinsics, and of those that state none, a sequence.

Pictures of the internet state nothing and come in usual sizes: equal sizes alone make no camera. Frames of a video and
photographs of one walk state nothing and are numbered one after the other.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

from geoloc_cli.types import Camera

SHARES = ("auto", "folder", "none")
# Numbers of one sequence: frames of a video that were kept every five seconds, of thirty a second.
_GAP = 150
_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\D*)")


def lens_keys(cameras: Mapping[str, Camera | None], share: str = "auto") -> dict[str, str]:
    """By path, a key that photographs of one lens have in common; cameras as their metadata or the user state them.

    share: `auto`, those that state the same, or state nothing and have one size and names numbered one after the other
    in one folder; `folder`, one size and one folder suffice for these; `none`, each photograph has its own camera.
    """
    keys = {}
    guessed: dict[str, list[str]] = {}
    for path, camera in cameras.items():
        if camera is None or share == "none":
            keys[path] = path
        elif camera.source != "default":
            keys[path] = stated_key(camera)
        elif share == "folder":
            keys[path] = json.dumps([stated_key(camera), str(Path(path).parent)])
        else:
            guessed.setdefault(stated_key(camera), []).append(path)
    for key, paths in guessed.items():
        keys |= {path: json.dumps([key, first]) for path, first in _sequences(paths).items()}
    return keys


def stated_key(camera: Camera) -> str:
    """The same for the same stated intrinsics, and for the same guess by size."""
    return json.dumps([camera.model, camera.width, camera.height, *camera.params, camera.source])


def _sequences(paths: list[str]) -> dict[str, str]:
    """By path, the first path of its sequence."""
    named: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    first = {path: path for path in paths}
    for path in paths:
        found = _NUMBERED.fullmatch(Path(path).stem)
        if found:
            name = str(Path(path).parent), found[1], found[3], Path(path).suffix.lower()
            named.setdefault(name, []).append((int(found[2]), path))
    for numbered in named.values():
        numbered.sort()
        for (before, earlier), (number, path) in itertools.pairwise(numbered):
            if number - before <= _GAP:
                first[path] = first[earlier]
    return first
