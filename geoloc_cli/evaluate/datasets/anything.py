"""Photographs of one's own as a set: a table of names and places of any tool, or a folder of geotagged photographs."""

from __future__ import annotations

from pathlib import Path

from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Reader
from geoloc_cli.evaluate.truth import read_truth


def read_anything(name: str, root: Path) -> LabelledSet:
    """The photographs of a CSV, TSV, JSON, JSON Lines or GeoJSON, whose names count from its folder; or of a folder.

    They are queries: what they are looked for in is an index. What `read_truth` doubts becomes a note.
    """
    truth = read_truth(str(root))
    # The photographs of a folder are found under paths that begin with it.
    folder = Path() if root.is_dir() else root.parent
    queries = Labelled(folder, truth.photos, truth.lat, truth.lon)
    return LabelledSet(name, Labelled.none(folder), queries, None, tuple(note.sentence for note in truth.notes))


READERS = (
    Reader(
        "truth", "Any table of names and places, or a folder of geotagged photographs", "yours", "yours", read_anything
    ),
)
