"""The switch that keeps this program, and all that it starts, off the network."""

from __future__ import annotations

import os
import sys

VARIABLE = "GEOLOC_OFFLINE"
# Hugging Face's libraries obey these; the first is also honoured here.
_HUB_VARIABLE = "HF_HUB_OFFLINE"
_OTHERS = ("TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_NO = ("", "0", "false", "no", "off")


def offline() -> bool:
    """Whether nothing may be fetched: `GEOLOC_OFFLINE` or `HF_HUB_OFFLINE` is set, to whatever does not mean no."""
    return any(os.environ.get(name, "").strip().lower() not in _NO for name in (VARIABLE, _HUB_VARIABLE))


def go_offline() -> None:
    """From here on nothing is fetched by this process or by its children, which inherit the environment."""
    for name in (VARIABLE, _HUB_VARIABLE, *_OTHERS):
        os.environ[name] = "1"
    # The library reads its variable once, when it is imported.
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
