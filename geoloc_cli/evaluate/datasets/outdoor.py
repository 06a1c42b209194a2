"""Buildings and streets with poses: Cambridge Landmarks and Aachen Day-Night.

Layouts seen in vislearn/dsacstar (datasets/setup_cambridge.py) and cvg/Hierarchical-Localization (hloc/pipelines/
Cambridge, Aachen, Aachen_v1_1; colmap_from_nvm.py; localize_sfm.py for what is submitted).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Reader
from geoloc_cli.evaluate.datasets.lookup import first_of, missing
from geoloc_cli.evaluate.datasets.posed import (
    Part,
    fields_of,
    joined,
    left_out_note,
    poses_of_centers,
    read_intrinsics,
    read_nvm,
    sized,
)
from geoloc_cli.photos.opening import shown
from geoloc_cli.types import Camera, Pose

_CAMBRIDGE = "http://mi.eng.cam.ac.uk/projects/relocalisation/"
_AACHEN = "https://www.visuallocalization.net"
# Cameras this far off are wrong: DSAC* leaves them out, and says so.
_OUTLIER_M = 10_000.0
# VisualSFM's lens distortion is of another model than COLMAP's; without it the focal length is good to a percent.
_NVM_STD = 0.01


def read_cambridge(name: str, root: Path) -> LabelledSet:
    """`SCENE/dataset_train.txt` and `dataset_test.txt`: after three lines, `seq1/frame00001.png X Y Z W P Q R`.

    X Y Z is the camera's place, W P Q R the quaternion of cam_from_map. Focal lengths are those of
    `SCENE/reconstruction.nvm`, where it and the pictures are there. `root` holds the scenes or is one of them.
    """
    scenes = sorted(path.parent for path in root.glob("*/dataset_train.txt")) or [
        path.parent for path in root.glob("dataset_train.txt")
    ]
    if not scenes:
        wanted = ("KingsCollege/dataset_train.txt", "dataset_train.txt")
        raise missing(name, root, wanted, _CAMBRIDGE, "the poses of a scene")
    sides = []
    for file in ("dataset_train.txt", "dataset_test.txt"):
        parts = []
        for scene in scenes:
            if not (scene / file).is_file():
                raise missing(name, root, (f"{scene.name}/{file}",), _CAMBRIDGE, "the poses of a scene")
            parts.append(_landmarks(root, scene, scene / file))
        sides.append(joined(root, parts))
    (references, lost), (queries, lost_too) = sides
    return LabelledSet(name, references, queries, None, left_out_note(lost + lost_too))


def _landmarks(root: Path, scene: Path, file: Path) -> Part:
    rows = list(fields_of(file, 7))
    if not rows:
        raise UsageError(f"{shown(str(file))} has no line `name X Y Z W P Q R`; fetch it again.")
    values = np.array([numbers for _, numbers in rows])
    far = np.abs(values[:, :3]).max(axis=1, keepdims=True) > _OUTLIER_M
    poses = poses_of_centers(values[:, 3:], np.where(far, np.nan, values[:, :3]))
    focal: dict[str, float] = {}
    if (scene / "reconstruction.nvm").is_file():
        model = read_nvm(scene / "reconstruction.nvm")
        # The model's names end in .jpg, the lists' and the pictures' in .png.
        focal = dict(zip(map(_stem, model.names), model.focal_px.tolist(), strict=True))
    prefix = "" if scene == root else f"{scene.name}/"
    cameras = []
    for picture, _ in rows:
        length = focal.get(_stem(picture))
        stated = Camera("SIMPLE_PINHOLE", 0, 0, (length, 0.0, 0.0), "user", _NVM_STD) if length else None
        cameras.append(sized(stated, scene / picture) if stated else None)
    return Part(scene.name, [f"{prefix}{picture}" for picture, _ in rows], poses, cameras)


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def read_aachen(name: str, root: Path) -> LabelledSet:
    """Aachen Day-Night, v1 or v1.1: pictures in `images_upright/{db,query}`, queries and models beside them.

    `queries/{day,night}_time_queries_with_intrinsics.txt` hold the queries, `3D-models/` an NVM model of the references
    with the list of their intrinsics. The queries' poses are not published: `write_poses` writes what is submitted.
    """
    upright = ("images/images_upright", "images_upright")
    pictures = first_of(name, root, upright, _AACHEN, "the folder of upright pictures")
    lists = sorted(root.glob("queries/*_time_queries_with_intrinsics.txt")) or sorted(
        root.glob("*_time_queries_with_intrinsics.txt")
    )
    if not lists:
        wanted = ("queries/day_time_queries_with_intrinsics.txt",)
        raise missing(name, root, wanted, _AACHEN, "the queries and their cameras")
    asked = {key: camera for file in lists for key, camera in read_intrinsics(file).items()}
    models = ("3D-models/aachen_v_1_1/aachen_v_1_1.nvm", "3D-models/aachen_cvpr2018_db.nvm")
    nvm = first_of(name, root, models, _AACHEN, "the poses of the references")
    model = read_nvm(nvm)
    stated = next((file for file in sorted(nvm.parent.glob("database_intrinsics*.txt"))), None)
    known = read_intrinsics(stated) if stated else {}
    part = Part("aachen", model.names, model.poses, [known.get(key) for key in model.names])
    references, lost = joined(pictures, [part])
    nowhere = np.full(len(asked), np.nan)
    groups = ["aachen"] * len(asked)
    queries = Labelled(pictures, list(asked), nowhere, nowhere, groups=groups, cameras=list(asked.values()))
    notes = () if stated else (f"No database_intrinsics.txt is beside {nvm.name}; its references have no cameras.",)
    return LabelledSet(name, references, queries, None, notes + left_out_note(lost))


def write_poses(path: Path, poses: Mapping[str, Pose]) -> None:
    """What visuallocalization.net takes: lines `name qw qx qy qz tx ty tz` of cam_from_map, for those that have a pose.

    Names are bare, without folders, as hloc writes them. Raises UsageError where two photographs share one.
    """
    lines = {}
    for name, pose in poses.items():
        bare = PurePosixPath(name).name
        if bare in lines:
            raise UsageError(f"Two photographs are called {shown(bare)}; {shown(str(path))} would hold it twice.")
        lines[bare] = " ".join([bare, *(f"{v:.12g}" for v in (*pose.rotation_wxyz, *pose.translation))])
    path.write_text("".join(f"{line}\n" for line in lines.values()), encoding="utf-8")


_UNSEEN = "its page states them; we saw none"

READERS = (
    Reader("cambridge", "Cambridge Landmarks: buildings seen by a phone", _CAMBRIDGE, _UNSEEN, read_cambridge),
    Reader("aachen", "Aachen Day-Night, v1 or v1.1; the truth stays with its server", _AACHEN, _UNSEEN, read_aachen),
)
