"""Where was this photo taken, and how was the camera held?

    from geoloc_cli import Locator

    with Locator(index="indexes/city") as locator:
        fix = locator.locate("photo.jpg")

`Locator` and `build_index` are the program's commands `locate` and `index build`; `Fix` and `Failure` are their
answers; `geoloc_cli.errors` is what they raise. All of it is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoloc_cli.api.answers import Failure, Fix
    from geoloc_cli.api.building import build_index
    from geoloc_cli.api.locator import Locator

__version__ = "0.1.0"
__all__ = ["Failure", "Fix", "Locator", "build_index"]

_HOMES = {"Failure": "answers", "Fix": "answers", "Locator": "locator", "build_index": "building"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.api.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
