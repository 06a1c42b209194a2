"""Rooms seen by an RGB-D camera: 7-Scenes and 12-Scenes, a 4 x 4 pose in a text file beside each frame.

The poses are those of the depth camera in 7-Scenes, whose colour pictures are not registered to it; whoever takes them
as the colour camera's, as all published tables do, is wrong by the few centimetres between the two (from memory).
Layouts seen in vislearn/dsacstar (datasets/setup_7scenes.py, setup_12scenes.py) and cvg/Hierarchical-Localization
(hloc/pipelines/7Scenes): map_from_cam in COLMAP's axes, metres.
"""

from __future__ import annotations

import re
from pathlib import Path

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.cells import numbers
from geoloc_cli.evaluate.datasets.labelled import LabelledSet, Poses, Reader
from geoloc_cli.evaluate.datasets.lookup import missing, read_lines
from geoloc_cli.evaluate.datasets.posed import Part, joined, left_out_note, poses_of_matrices
from geoloc_cli.maps.poses import SEVEN_SCENES
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera

_SEVEN = "https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/"
_TWELVE = "https://graphics.stanford.edu/projects/reloc/"
_ROOMS = ("chess", "fire", "heads", "office", "pumpkin", "redkitchen", "stairs")


def read_seven_scenes(name: str, root: Path) -> LabelledSet:
    """`SCENE/TrainSplit.txt` and `TestSplit.txt` name sequences, `SCENE/seq-01/frame-000000.{color.png,pose.txt}`.

    `root` holds the scenes or is one of them. 525 px is the focal length that users of the set take; it states none.
    """
    scenes = [scene for scene in _ROOMS if (root / scene / "TrainSplit.txt").is_file()]
    top = root
    if not scenes and (root / "TrainSplit.txt").is_file():
        scenes, top = [root.resolve().name], root.resolve().parent
    if not scenes:
        raise missing(name, root, ("chess/TrainSplit.txt", "TrainSplit.txt"), _SEVEN, "the split of a scene")
    sides = []
    for split in ("TrainSplit.txt", "TestSplit.txt"):
        parts = []
        for scene in scenes:
            if not (top / scene / split).is_file():
                raise missing(name, top, (f"{scene}/{split}",), _SEVEN, "which sequences are of which side")
            for line in read_lines(top / scene / split):
                if digits := "".join(c for c in line if c.isdigit()):
                    parts.append(_sequence(name, top, scene, f"seq-{int(digits):02d}"))
        sides.append(joined(top, parts))
    (references, lost), (queries, lost_too) = sides
    absent = [scene for scene in _ROOMS if scene not in scenes]
    notes = (f"Its scenes {', '.join(absent)} are not there.",) if absent and top == root else ()
    return LabelledSet(name, references, queries, None, notes + left_out_note(lost + lost_too))


def _sequence(name: str, top: Path, scene: str, sequence: str) -> Part:
    folder = top / scene / sequence
    files = sorted(folder.glob("*.pose.txt"))
    if not files:
        what = "its frames: unpack the archive of the sequence"
        raise missing(name, top, (f"{scene}/{sequence}/frame-000000.pose.txt",), _SEVEN, what)
    names = [f"{scene}/{sequence}/{file.name.removesuffix('.pose.txt')}.color.png" for file in files]
    return Part(scene, names, poses_of_matrices(files), [SEVEN_SCENES] * len(files))


def read_twelve_scenes(name: str, root: Path) -> LabelledSet:
    """`apt1/kitchen/data/frame-000000.{color.jpg,pose.txt}`, `split.txt` and `info.txt`; sequence 0 is the test.

    Frames whose pose is INF are left out, as by everyone.
    """
    splits = sorted(root.glob("*/*/split.txt")) or sorted(root.glob("*/split.txt")) or sorted(root.glob("split.txt"))
    if not splits:
        raise missing(name, root, ("apt1/kitchen/split.txt",), _TWELVE, "the split of a scene")
    training: list[Part] = []
    test: list[Part] = []
    for split in splits:
        folder = split.parent
        scene = folder.relative_to(root).as_posix()
        end = re.search(r"end\s*=\s*(\d+)", "\n".join(read_lines(split)))
        if end is None:
            raise UsageError(f"{shown(str(split))} has no `sequence0 [frames=N] [start=0 ; end=N-1]`; fetch it again.")
        camera = _info_camera(name, root, folder)
        files = sorted((folder / "data").glob("*.pose.txt"))
        if not files:
            raise missing(name, root, (f"{scene}/data/frame-000000.pose.txt",), _TWELVE, "its frames")
        # A root that is a scene itself is "." to itself.
        prefix = "data" if scene == "." else f"{scene}/data"
        names = [f"{prefix}/{file.name.removesuffix('.pose.txt')}.color.jpg" for file in files]
        poses = poses_of_matrices(files)
        first = int(end[1]) + 1
        for side, rows in ((test, slice(first)), (training, slice(first, None))):
            chosen = Poses(poses.rotation[rows], poses.translation[rows])
            side.append(Part(scene, names[rows], chosen, [camera] * len(names[rows])))
    (references, lost), (queries, lost_too) = joined(root, training), joined(root, test)
    return LabelledSet(name, references, queries, None, left_out_note(lost + lost_too))


def _info_camera(name: str, root: Path, folder: Path) -> Camera:
    """The colour camera of `info.txt`: `m_colorWidth = 1296`, `m_calibrationColorIntrinsic = fx 0 cx 0 0 fy cy ...`."""
    info = folder / "info.txt"
    if not info.is_file():
        wanted = (info.relative_to(root).as_posix(),)
        raise missing(name, root, wanted, _TWELVE, "the camera of the scene")
    halves = (line.partition("=") for line in read_lines(info))
    said = {key.strip(): value.strip() for key, _, value in halves}
    try:
        matrix = numbers(said["m_calibrationColorIntrinsic"].split())
        params = tuple(matrix[[0, 5, 2, 6]].tolist())
        return Camera("PINHOLE", int(said["m_colorWidth"]), int(said["m_colorHeight"]), params, "user", 0.0)
    except (KeyError, ValueError, IndexError) as error:
        raise UsageError(f"{shown(str(info))} does not state the colour camera ({error!r}); fetch it again.") from error


_UNSEEN = "its page states them; we saw none"

READERS = (
    Reader("7scenes", "Seven rooms, frames with poses", _SEVEN, _UNSEEN, read_seven_scenes),
    Reader("12scenes", "Twelve rooms, frames with poses", _TWELVE, _UNSEEN, read_twelve_scenes),
)
