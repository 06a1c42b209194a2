"""What the servers take that keep the truth of a set: the poses of a run, in the set's own format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from geoloc_cli.evaluate.datasets.labelled import LabelledSet
from geoloc_cli.evaluate.datasets.mapfree import write_submission
from geoloc_cli.evaluate.datasets.outdoor import write_poses
from geoloc_cli.evaluate.posed import Frame
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.types import Pose

# By the name of the set: the file, and who writes it.
_WRITERS: Mapping[str, tuple[str, Callable[[Path, Mapping[str, Pose]], None]]] = {
    "aachen": ("submission.txt", write_poses),
    "mapfree-test": ("submission.zip", write_submission),
}


def write_for_server(labelled: LabelledSet, fixes: Path, frames: Mapping[str, Frame], out: Path) -> Path | None:
    """The file of a run over such a set, of the poses in maps that were made of the set's own; None for other sets.

    Photographs without a pose are left out, as the servers have it.
    """
    if labelled.name not in _WRITERS:
        return None
    file, write = _WRITERS[labelled.name]
    said = read_predictions(str(fixes))
    own = {name for name, frame in frames.items() if not frame.photos}
    name_of = {str(labelled.queries.path(row)): name for row, name in enumerate(labelled.queries.names)}
    poses = {
        name_of[said.photos[row]]: pose
        for row, pose in (said.poses or {}).items()
        if pose.map in own and said.photos[row] in name_of
    }
    write(out / file, poses)
    return out / file
