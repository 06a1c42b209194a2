"""The pictures of why an answer is what it is, by name, and the files that they become."""

from __future__ import annotations

from collections.abc import Mapping

from geoloc_cli.errors import UsageError
from geoloc_cli.export.globe import belief_scene
from geoloc_cli.export.map_view import map_scene
from geoloc_cli.export.matches import match_scene
from geoloc_cli.export.scene import Scene
from geoloc_cli.maps.folder import Component
from geoloc_cli.pipeline.sightings import Compared
from geoloc_cli.types import Fix

SUFFIXES = (".png", ".svg")


def scenes(
    fix: Fix,
    compared: Mapping[str, Compared] | None,
    component: Component | None = None,
    *,
    candidates: int = 1,
    rejected: bool = False,
) -> dict[str, Scene]:
    """All that can be drawn of an answer, what tells most first.

    compared: what the photo was compared with, None where that was not kept; component: the map of its pose.
    """
    found = {}
    if compared is not None:
        found["matches"] = match_scene(fix, compared, candidates=candidates, rejected=rejected)
    found["belief"] = belief_scene(fix)
    if fix.pose is not None and component is not None:
        standing = frozenset(path for path, one in (compared or {}).items() if one.stands)
        found["map"] = map_scene(fix, fix.pose, component, standing)
    return found


def check_suffix(suffix: str) -> None:
    """Raises UsageError where no picture is written as this."""
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"Pictures are written as .png or .svg, not as '{suffix}'; name the file so, or a folder/.")


def file_of(scene: Scene, suffix: str) -> bytes:
    """A scene as the file that a suffix names. Raises UsageError where it names another."""
    check_suffix(suffix)
    if suffix.lower() == ".svg":
        from geoloc_cli.export.scene_svg import svg

        return svg(scene)
    from geoloc_cli.export.scene_png import png

    return png(scene)
