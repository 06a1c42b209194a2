"""Photographs whose places are known, as files to be located: a folder, a table, or a folder and a table."""

# Names stay the strings that the user gave.
# ruff: noqa: PTH110, PTH112, PTH118, PTH120

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.truth import Truth, read_truth
from geoloc_cli.photos.opening import shown
from geoloc_cli.photos.scan import find_photos


def labelled_photos(labelled: str, truth: str | None = None, columns: Mapping[str, str] | None = None) -> Truth:
    """The truth with the paths of files for names.

    labelled: a folder of geotagged photographs, or a table, whose names count from its own folder where there are such
    files. truth: a table that says where the photographs of the folder were taken; they are matched by name. Raises
    UsageError.
    """
    if truth is None:
        found = read_truth(labelled, columns)
        return found if os.path.isdir(labelled) else replace(found, photos=_beside(labelled, found.photos))
    if not os.path.isdir(labelled):
        raise UsageError(
            f"{shown(labelled)} is no folder; give that of the photos, or the table alone without --truth."
        )
    paths = list(find_photos([labelled]))
    if not paths:
        raise UsageError(f"No photos were found in {shown(labelled)}.")
    told = read_truth(truth, columns)
    nothing = np.full(len(paths), np.nan)
    joined = join(Predictions(labelled, paths, nothing, nothing, nothing, nothing), told)
    rows = np.flatnonzero(joined.row >= 0)
    return replace(
        told,
        photos=[paths[joined.row[row]] for row in rows],
        lat=told.lat[rows],
        lon=told.lon[rows],
        alt_m=told.alt_m[rows],
        heading_deg=told.heading_deg[rows],
        taken_at=[told.taken_at[row] for row in rows],
    )


def _beside(table: str, names: list[str]) -> list[str]:
    folder = os.path.dirname(table)
    paths = [os.path.join(folder, name) for name in names]
    return [path if os.path.exists(path) else name for path, name in zip(paths, names, strict=True)]
