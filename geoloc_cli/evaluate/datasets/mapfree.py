"""Map-free Relocalisation: one reference photograph a scene, and where a phone was about it later.

Layout and submission as the README of nianticlabs/map-free-reloc states them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Poses, Reader
from geoloc_cli.evaluate.datasets.lookup import missing
from geoloc_cli.evaluate.datasets.posed import Part, fields_of, joined, left_out_note, rotations_of
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera, Pose

HOME = "https://research.nianticlabs.com/mapfree-reloc-benchmark/dataset"
# The single-frame track scores every fifth frame of a query sequence.
_EVERY = 5


def read_mapfree(split: str, name: str, root: Path) -> LabelledSet:
    """`val/s00460/{poses,intrinsics}.txt` and `seq0/frame_00000.jpg`, the reference; every fifth frame of `seq1`.

    A pose is `seq1/frame_00000.jpg qw qx qy qz tx ty tz` of cam_from_map in metres, the reference's being the identity.
    Those of the test are zeros: its truth is with the benchmark's server, and its queries have no poses here.
    """
    top = root / split if (root / split).is_dir() else root
    files = sorted(top.glob("s*/poses.txt"))
    if not files:
        raise missing(name, root, (f"{split}/s00460/poses.txt",), HOME, "the poses of a scene")
    references: list[Part] = []
    queries: list[Part] = []
    for file in files:
        scene = file.parent.name
        if not (file.parent / "intrinsics.txt").is_file():
            raise missing(name, top, (f"{scene}/intrinsics.txt",), HOME, "the cameras of a scene")
        cameras = {key: _camera(values.tolist()) for key, values in fields_of(file.parent / "intrinsics.txt", 6)}
        rows = list(fields_of(file, 7))
        for side, sequence in ((references, "seq0/"), (queries, "seq1/")):
            chosen = [row for row in rows if row[0].startswith(sequence)][:: _EVERY if sequence == "seq1/" else 1]
            values = np.array([numbers for _, numbers in chosen]).reshape(-1, 7)
            poses = Poses(rotations_of(values[:, :4]), values[:, 4:].copy())
            names = [key for key, _ in chosen]
            side.append(Part(scene, [f"{scene}/{key}" for key in names], poses, [cameras.get(key) for key in names]))
    known, lost = joined(top, references)
    if split == "test":
        return LabelledSet(name, known, _unposed(top, queries), None, ("The poses of its test are not published.",))
    asked, lost_too = joined(top, queries)
    return LabelledSet(name, known, asked, None, left_out_note(lost + lost_too))


def _camera(values: list[float]) -> Camera:
    fx, fy, cx, cy, width, height = values
    return Camera("PINHOLE", int(width), int(height), (fx, fy, cx, cy), "user", 0.0)


def _unposed(top: Path, parts: list[Part]) -> Labelled:
    names = [name for part in parts for name in part.names]
    groups = [part.group for part in parts for _ in part.names]
    cameras = [camera for part in parts for camera in part.cameras]
    nowhere = np.full(len(names), np.nan)
    return Labelled(top, names, nowhere, nowhere, groups=groups, cameras=cameras)


def write_submission(path: Path, poses: Mapping[str, Pose]) -> None:
    """The benchmark's ZIP: `pose_s00525.txt` a scene, lines `seq1/frame_00000.jpg qw qx qy qz tx ty tz confidence`.

    poses: by name, `s00525/seq1/frame_00000.jpg`, cam_from_map in the reference's frame. The confidence, by which the
    benchmark orders the answers, is the number of inliers.
    """
    scenes: dict[str, list[str]] = {}
    for name, pose in poses.items():
        scene, _, frame = name.partition("/")
        if not frame:
            raise UsageError(f"{shown(name)} names no scene; the photographs of Map-free are scene/seq1/frame.")
        numbers = (*pose.rotation_wxyz, *pose.translation, float(pose.inliers))
        scenes.setdefault(scene, []).append(" ".join([frame, *(f"{value:.12g}" for value in numbers)]))
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for scene in sorted(scenes):
            archive.writestr(f"pose_{scene}.txt", "".join(f"{line}\n" for line in scenes[scene]))


_TERMS = "its page states them; we saw only those of its code (Niantic's, non-commercial)"

READERS = (
    Reader("mapfree", "Map-free, validation: one reference a scene", HOME, _TERMS, partial(read_mapfree, "val")),
    Reader("mapfree-test", "Map-free, test: its server has the truth", HOME, _TERMS, partial(read_mapfree, "test")),
)
