"""What is written for the servers that keep a set's truth: the poses of a run that are in the set's own frame."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.evaluate.posed import Frame
from geoloc_cli.evaluate.submission import write_for_server
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Fix, Pose

NAMES = ["s1/seq1/frame_0.jpg", "s1/seq1/frame_1.jpg", "s2/seq1/frame_2.jpg"]
OWN, FITTED = Frame(1.0, np.eye(3), np.zeros(3)), Frame(2.0, np.eye(3), np.zeros(3), 12, 0.1)


def fixes(folder: Path) -> Path:
    """The first in a map of the set's own poses, the second in a fitted one, the third without a pose."""
    nothing = (None,) * 4
    lines = []
    for name, at in zip(NAMES, ("m#0", "m#1", ""), strict=True):
        pose = Pose(at, False, (1.0, 0, 0, 0), (1.0, 2.0, 3.0), (0.0, 0, 0), *nothing, 40, 0.9, 1.0, None, None, "made")
        found = pose if at else None
        lines.append(dumps(Fix(str(folder / name), "ok", "pose", None, None, None, None, 0.5, Belief(), pose=found)))
    (folder / "fixes.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "fixes.jsonl"


def labelled(name: str, folder: Path) -> LabelledSet:
    nowhere = np.full(3, np.nan)
    return LabelledSet(name, Labelled.none(folder), Labelled(folder, NAMES, nowhere, nowhere))


@pytest.mark.parametrize(("name", "file"), [("aachen", "submission.txt"), ("mapfree-test", "submission.zip")])
def test_poses_in_the_frame_of_the_set_are_written_for_its_server(tmp_path: Path, name: str, file: str) -> None:
    frames = {"m#0": OWN, "m#1": FITTED}
    written = write_for_server(labelled(name, tmp_path), fixes(tmp_path), frames, tmp_path)
    assert written == tmp_path / file
    if name == "aachen":
        assert written.read_text() == "frame_0.jpg 1 0 0 0 1 2 3\n"
        return
    with ZipFile(written) as archive:
        assert archive.namelist() == ["pose_s1.txt"]
        assert archive.read("pose_s1.txt").decode() == "seq1/frame_0.jpg 1 0 0 0 1 2 3 40\n"


def test_other_sets_have_no_server(tmp_path: Path) -> None:
    assert write_for_server(labelled("cambridge", tmp_path), fixes(tmp_path), {"m#0": OWN}, tmp_path) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fixes.jsonl"]
