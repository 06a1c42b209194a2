"""Where the files of models are looked for on this machine."""

from __future__ import annotations

import os
from pathlib import Path

MODELS_VARIABLE = "GEOLOC_MODELS"


def models_folder() -> Path:
    """Where pulled files and the user's own entries lie: what `GEOLOC_MODELS` names, else this system's data folder."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("geoloc") / "models"
