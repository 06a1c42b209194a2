"""How an answer came to be, for whoever does it again: versions, the command, and what differs between two times."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from geoloc_cli import __version__
from geoloc_cli.device import available_cores
from geoloc_cli.photos.opening import shown

# The name of what differs, what was then, and what is now.
Difference = tuple[str, str, str]

_ALWAYS = ("numpy", "faiss-cpu", "pycolmap", "pillow")
# Recorded where they were loaded.
_LEARNED = ("torch", "transformers", "onnxruntime", "kornia", "geoclip")
_SECRET = re.compile(r"([?&][^=&]*(?:key|token|secret|password|sig)[^=&]*=)[^&]+", re.IGNORECASE)
_LISTED = 5
# What an answer takes is never the same twice.
_TIMES = ("timing_ms",)


def made_by() -> dict[str, str]:
    """The versions of what computes."""
    found = {"geoloc": __version__, "python": platform.python_version()}
    for name in (*_ALWAYS, *(name for name in _LEARNED if name in sys.modules)):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # built from source under another name
    return found


def platform_said() -> str:
    """The system, and how many cores it lends."""
    return f"{platform.system()} {platform.release()} on {platform.machine()}, {available_cores()} cores"


def without_secrets(text: str) -> str:
    """A word of a command without the values of options that are keys or passwords."""
    return _SECRET.sub(r"\1(secret)", text)


def differences(
    then: Any, now: Any, name: str = "", same: Callable[[str, Any, Any], bool] | None = None
) -> Iterator[Difference]:
    """The leaves of two JSON values that differ, by the way that leads to them; their order is that of the first.

    same: whether leaves that are not equal are as good as that, by the way that leads to them.
    """
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            yield from differences(then.get(key), now.get(key), f"{name}.{key}" if name else str(key), same)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, pair in enumerate(zip(then, now, strict=True)):
            yield from differences(*pair, f"{name}[{place}]", same)
    elif then != now and not (same and same(name, then, now)):
        yield name, _text(then), _text(now)


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{len(value)} of them"
    return "none" if value is None else shown(str(value))


def told(found: Sequence[Difference]) -> str:
    """The first of some differences."""
    return "; ".join(f"{name} {then}, now {now}" for name, then, now in found[:_LISTED])


def settled(record: Mapping[str, Any]) -> dict[str, Any]:
    """A fix as JSON, without what is a matter of time or of the folder that a map is kept in."""
    kept = {key: value for key, value in record.items() if key not in _TIMES}
    if kept.get("pose"):
        kept["pose"] = {**kept["pose"], "map": kept["pose"]["map"].rpartition("#")[2]}
    return kept
