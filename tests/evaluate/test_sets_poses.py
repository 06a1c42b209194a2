"""Sets with poses, from small copies of their layouts, and what is handed in to the servers that keep their truth."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Poses
from geoloc_cli.evaluate.datasets.mapfree import write_submission
from geoloc_cli.evaluate.datasets.outdoor import write_poses
from geoloc_cli.evaluate.datasets.posed import read_nvm, rotations_of
from geoloc_cli.evaluate.datasets.registry import READERS, read_dataset
from geoloc_cli.types import Camera, Pose


def _motion(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A rotation of cam_from_map, and the camera's place in the map."""
    rng = np.random.default_rng(seed)
    return Rotation.random(rng=rng).as_matrix(), rng.uniform(-3.0, 3.0, 3)


def _wxyz(rotation: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(rotation).as_quat(scalar_first=True)


def _write_matrix(path: Path, rotation: np.ndarray, center: np.ndarray) -> None:
    """map_from_cam, as the RGB-D sets state it."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation.T, center
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t ".join(f"{v: .7e}" for v in row) + "\t \n" for row in matrix))


def _assert_pose(poses: Poses | None, row: int, seed: int, tolerance: float = 1e-6) -> None:
    rotation, center = _motion(seed)
    assert poses is not None
    np.testing.assert_allclose(poses.rotation[row], rotation, atol=tolerance)
    np.testing.assert_allclose(poses.centers_in_map[row], center, atol=10 * tolerance)
    # A point two metres before the camera is at (0, 0, 2) in it.
    before = center + 2.0 * rotation.T @ np.array([0.0, 0.0, 1.0])
    np.testing.assert_allclose(poses.rotation[row] @ before + poses.translation[row], [0, 0, 2], atol=20 * tolerance)


def _seven_scenes(root: Path) -> None:
    for i, scene in enumerate(("chess", "heads")):
        for sequence in (1, 2, 10):
            for frame in range(2):
                file = root / scene / f"seq-{sequence:02d}" / f"frame-{frame:06d}.pose.txt"
                _write_matrix(file, *_motion(100 * i + 10 * sequence + frame))
        (root / scene / "TrainSplit.txt").write_text("sequence1\nsequence10\n")
        (root / scene / "TestSplit.txt").write_text("sequence2\r\n")


def test_seven_scenes_are_read_with_their_splits(tmp_path: Path) -> None:
    _seven_scenes(tmp_path)
    found = read_dataset("7-Scenes", str(tmp_path))
    assert (len(found.references), len(found.queries)) == (8, 4)
    assert found.queries.names[3] == "heads/seq-02/frame-000001.color.png"
    assert found.references.names[2] == "chess/seq-10/frame-000000.color.png"
    assert found.queries.groups == ["chess", "chess", "heads", "heads"]
    _assert_pose(found.queries.poses, 3, 121)
    _assert_pose(found.references.poses, 2, 200 - 100)
    assert found.queries.cameras is not None
    assert found.queries.cameras[0] == Camera("SIMPLE_PINHOLE", 640, 480, (525.0, 320.0, 240.0), "user", 0.05)
    assert "fire, office, pumpkin, redkitchen, stairs are not there" in found.notes[0]
    assert np.isnan(found.queries.lat).all()


def test_one_scene_of_seven_is_read_by_itself(tmp_path: Path) -> None:
    _seven_scenes(tmp_path)
    found = read_dataset("7scenes", str(tmp_path / "heads"))
    assert found.queries.path(0) == tmp_path / "heads" / "seq-02" / "frame-000000.color.png"
    assert (len(found.references), len(found.queries), found.notes) == (4, 2, ())


def test_a_frame_without_a_pose_is_left_out_and_a_sequence_not_unpacked_is_asked_for(
    tmp_path: Path,
) -> None:
    _seven_scenes(tmp_path)
    (tmp_path / "chess/seq-02/frame-000000.pose.txt").write_text("-1.#IND " * 16)
    rotation, center = _motion(0)
    _write_matrix(tmp_path / "heads/seq-02/frame-000000.pose.txt", np.diag([1.0, 1.0, -1.0]) @ rotation, center)
    _write_matrix(tmp_path / "heads/seq-02/frame-000001.pose.txt", 1.1 * rotation, center)
    found = read_dataset("7scenes", str(tmp_path))
    assert found.queries.names == ["chess/seq-02/frame-000001.color.png"]
    assert found.notes[1] == "3 photographs have no valid pose in the set's files and were left out."
    (tmp_path / "chess/seq-01/frame-000000.pose.txt").write_text("1 0 0 0\n0 1 0 0\n")
    with pytest.raises(UsageError, match="holds 8 numbers, and a pose 4 x 4"):
        read_dataset("7scenes", str(tmp_path))
    (tmp_path / "chess/TrainSplit.txt").write_text("sequence7\n")
    with pytest.raises(UsageError, match=r"needs chess/seq-07/frame-000000.pose.txt \(.*unpack"):
        read_dataset("7scenes", str(tmp_path))


def test_twelve_scenes_test_on_their_first_sequence(tmp_path: Path) -> None:
    scene = tmp_path / "apt1" / "kitchen"
    for frame in range(5):
        _write_matrix(scene / "data" / f"frame-{frame:06d}.pose.txt", *_motion(frame))
    (scene / "data" / "frame-000001.pose.txt").write_text("-INF -INF -INF -INF\n" * 4)
    (scene / "split.txt").write_text(
        "sequence0 [frames=3]  [start=0 ; end=2]\nsequence1 [frames=2]  [start=3 ; end=4]\n"
    )
    intrinsic = "1158.3 0 649 0 0 1153.53 483.5 0 0 0 1 0 0 0 0 1"
    info = f"m_versionNumber = 4\nm_colorWidth = 1296\nm_colorHeight = 968\nm_calibrationColorIntrinsic = {intrinsic}\n"
    (scene / "info.txt").write_text(info)
    found = read_dataset("12scenes", str(tmp_path))
    assert found.queries.names == [f"apt1/kitchen/data/frame-{i:06d}.color.jpg" for i in (0, 2)]
    assert found.references.names == [f"apt1/kitchen/data/frame-{i:06d}.color.jpg" for i in (3, 4)]
    assert found.references.groups == ["apt1/kitchen"] * 2
    _assert_pose(found.queries.poses, 1, 2)
    assert found.queries.cameras == [Camera("PINHOLE", 1296, 968, (1158.3, 1153.53, 649.0, 483.5), "user", 0.0)] * 2
    assert "1 photographs" in found.notes[0]
    (scene / "info.txt").write_text("m_colorWidth = 1296\n")
    with pytest.raises(UsageError, match="does not state the colour camera"):
        read_dataset("12scenes", str(tmp_path))


def _landmark_line(name: str, seed: int, scale: float = 1.0) -> str:
    rotation, center = _motion(seed)
    return " ".join([name, *(f"{v:.9f}" for v in (*center, *(scale * _wxyz(rotation))))])


def _cambridge(root: Path) -> Path:
    scene = root / "ShopFacade"
    scene.mkdir(parents=True)
    head = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
    far = "seq2/frame00009.png 3e5 0 0 1 0 0 0"
    train = [_landmark_line("seq2/frame00001.png", 1), _landmark_line("seq2/frame00002.png", 2, 1.001), far]
    (scene / "dataset_train.txt").write_text(head + "\n".join(train) + "\n")
    (scene / "dataset_test.txt").write_text(head + _landmark_line("seq1/frame00001.png", 3) + "\n")
    rows = [f"./seq{s}/frame0000{i}.jpg 1670.5 1 0 0 0 0 0 0 -0.05 0" for s, i in ((2, 1), (1, 1))]
    (scene / "reconstruction.nvm").write_text("NVM_V3 \n\n2\n" + "\n".join(rows) + "\n\n1\n0 0 0 255 255 255 0\n")
    (scene / "seq1").mkdir()
    Image.new("L", (1920, 1080)).save(scene / "seq1" / "frame00001.png")
    return scene


def test_cambridge_states_the_camera_s_place_and_the_rotation_into_it(tmp_path: Path) -> None:
    _cambridge(tmp_path)
    found = read_dataset("cambridge", str(tmp_path))
    assert found.references.names == ["ShopFacade/seq2/frame00001.png", "ShopFacade/seq2/frame00002.png"]
    for row, seed in enumerate((1, 2)):
        _assert_pose(found.references.poses, row, seed)
    _assert_pose(found.queries.poses, 0, 3)
    camera = Camera("SIMPLE_PINHOLE", 1920, 1080, (1670.5, 960.0, 540.0), "user", 0.01)
    # Only the query's picture is there to be measured.
    assert (found.queries.cameras, found.references.cameras) == ([camera], [None, None])
    assert "1 photographs" in found.notes[0]


def test_one_landmark_is_read_by_itself_and_asks_for_its_test(tmp_path: Path) -> None:
    scene = _cambridge(tmp_path)
    found = read_dataset("Cambridge", str(scene))
    assert found.queries.path(0) == scene / "seq1" / "frame00001.png"
    assert found.queries.path(0).is_file()
    (scene / "dataset_test.txt").unlink()
    with pytest.raises(UsageError, match=r"needs ShopFacade/dataset_test.txt"):
        read_dataset("cambridge", str(tmp_path))


def _aachen(root: Path, version: str) -> None:
    (root / "images" / "images_upright").mkdir(parents=True)
    (root / "queries").mkdir()
    day = "query/day/milestone/2010-10-30_17-47-25_73.jpg SIMPLE_RADIAL 1600 1200 1469.2 800 600 -0.0353\n"
    night = "query/night/nexus5x/IMG_20161227_160713.jpg SIMPLE_RADIAL 1200 1600 1546.6 600 800 0.07\n"
    (root / "queries" / "day_time_queries_with_intrinsics.txt").write_text(day)
    (root / "queries" / "night_time_queries_with_intrinsics.txt").write_text(night)
    rotation, center = _motion(5)
    cells = " ".join(f"{v:.9f}" for v in (*_wxyz(rotation), *center))
    model = f"NVM_V3\n\n2\ndb/1.jpg 1469.2 {cells} 0.01 0\n./db/2.jpg 900 1 0 0 0 0 0 0 0 0\n\n0\n"
    nvm = "aachen_v_1_1/aachen_v_1_1.nvm" if version == "1.1" else "aachen_cvpr2018_db.nvm"
    listed = "aachen_v_1_1/database_intrinsics_v1_1.txt" if version == "1.1" else "database_intrinsics.txt"
    for name, text in ((nvm, model), (listed, "db/2.jpg SIMPLE_RADIAL 1600 1063 900 800 531.5 0\n")):
        (root / "3D-models" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "3D-models" / name).write_text(text)


@pytest.mark.parametrize("version", ["1", "1.1"])
def test_aachen_has_posed_references_and_queries_whose_poses_are_unknown(version: str, tmp_path: Path) -> None:
    _aachen(tmp_path, version)
    found = read_dataset("aachen", str(tmp_path))
    assert list(found.references.names) == ["db/1.jpg", "db/2.jpg"]
    _assert_pose(found.references.poses, 0, 5)
    expected = Camera("SIMPLE_RADIAL", 1600, 1063, (900.0, 800.0, 531.5, 0.0), "user", 0.0)
    assert found.references.cameras == [None, expected]
    assert [name.split("/")[1] for name in found.queries.names] == ["day", "night"]
    assert found.queries.poses is None
    assert found.queries.cameras is not None
    assert found.queries.cameras[1] == Camera("SIMPLE_RADIAL", 1200, 1600, (1546.6, 600.0, 800.0, 0.07), "user", 0.0)


def test_aachen_says_which_line_is_wrong_and_which_file_is_missing(tmp_path: Path) -> None:
    _aachen(tmp_path, "1.1")
    listed = tmp_path / "queries" / "day_time_queries_with_intrinsics.txt"
    listed.write_text("# a comment\nquery/day/a.jpg SIMPLE_RADIAL 1600 x\n")
    with pytest.raises(UsageError, match=r"day_time_queries_with_intrinsics.txt, line 2, is not"):
        read_dataset("aachen", str(tmp_path))
    for file in listed.parent.iterdir():
        file.unlink()
    with pytest.raises(UsageError, match=r"needs queries/day_time_.* published at https://www.visual"):
        read_dataset("aachen", str(tmp_path))


def _pose(seed: int, inliers: int = 100) -> Pose:
    rotation, center = _motion(seed)
    w, x, y, z = _wxyz(rotation).tolist()
    tx, ty, tz = (-rotation @ center).tolist()
    cx, cy, cz = center.tolist()
    held = (None, None, None)
    return Pose("m", False, (w, x, y, z), (tx, ty, tz), (cx, cy, cz), None, *held, inliers, 1.0, 1.0, None, None, "p3p")


def test_what_is_handed_in_for_aachen_is_the_pose_by_the_bare_name(tmp_path: Path) -> None:
    out = tmp_path / "aachen.txt"
    write_poses(out, {"query/day/nexus4/a.jpg": _pose(1), "query/night/b.jpg": _pose(2)})
    first, second = out.read_text().splitlines()
    name, *cells = first.split(" ")
    values = np.array(cells, float)
    assert (name, second.split(" ")[0], len(values)) == ("a.jpg", "b.jpg", 7)
    rotation, center = _motion(1)
    np.testing.assert_allclose(rotations_of(values[None, :4])[0], rotation, atol=1e-11)
    np.testing.assert_allclose(values[4:], -rotation @ center, atol=1e-11)
    with pytest.raises(UsageError, match=r"Two photographs are called a.jpg"):
        write_poses(out, {"day/a.jpg": _pose(1), "night/a.jpg": _pose(2)})


def _mapfree(root: Path, split: str) -> None:
    scene = root / split / "s00460"
    scene.mkdir(parents=True)
    frames = ["seq0/frame_00000.jpg", *(f"seq1/frame_{i:05d}.jpg" for i in (0, 1, 2, 4, 5, 6, 7))]
    cameras = [f"{frame} 590.1 591.2 269.5 351.5 540 720" for frame in frames]
    (scene / "intrinsics.txt").write_text("\n".join(["# frame_path fx fy cx cy frame_width frame_height", *cameras]))
    poses = [f"{frames[0]} 1 0 0 0 0 0 0"]
    for i, frame in enumerate(frames[1:]):
        rotation, center = _motion(i)
        cells = np.zeros(7) if split == "test" else np.array([*_wxyz(rotation), *(-rotation @ center)])
        poses.append(" ".join([frame, *(f"{v:.12f}" for v in cells)]))
    (scene / "poses.txt").write_text("\n".join(poses) + "\n")


def test_mapfree_has_one_reference_a_scene_and_every_fifth_query(tmp_path: Path) -> None:
    """The sixth frame of seq1 is number 6, because number 3 was skipped: frames are counted, not their numbers."""
    _mapfree(tmp_path, "val")
    found = read_dataset("mapfree", str(tmp_path))
    assert found.references.names == ["s00460/seq0/frame_00000.jpg"]
    assert found.queries.names == ["s00460/seq1/frame_00000.jpg", "s00460/seq1/frame_00006.jpg"]
    _assert_pose(found.queries.poses, 0, 0)
    _assert_pose(found.queries.poses, 1, 5)
    assert found.queries.cameras == [Camera("PINHOLE", 540, 720, (590.1, 591.2, 269.5, 351.5), "user", 0.0)] * 2
    assert found.references.poses is not None
    np.testing.assert_array_equal(found.references.poses.rotation, [np.eye(3)])


def test_the_test_of_mapfree_has_queries_without_poses(tmp_path: Path) -> None:
    _mapfree(tmp_path, "test")
    found = read_dataset("mapfree-test", str(tmp_path))
    assert (len(found.queries), found.queries.poses, len(found.references)) == (2, None, 1)
    assert "not published" in found.notes[0]


def test_what_is_handed_in_for_mapfree_is_a_file_a_scene_in_a_zip(tmp_path: Path) -> None:
    out = tmp_path / "submission.zip"
    write_submission(out, {f"s00{s}/seq1/frame_0000{f}.jpg": _pose(f, 50 + f) for s in (526, 525) for f in (0, 5)})
    with ZipFile(out) as archive:
        assert archive.namelist() == ["pose_s00525.txt", "pose_s00526.txt"]
        lines = archive.read("pose_s00525.txt").decode().splitlines()
    name, *cells = lines[1].split(" ")
    rotation, center = _motion(5)
    assert (name, float(cells[7]), len(cells)) == ("seq1/frame_00005.jpg", 55.0, 8)
    np.testing.assert_allclose(np.array(cells[4:7], float), -rotation @ center, atol=1e-11)
    with pytest.raises(UsageError, match="names no scene"):
        write_submission(out, {"a.jpg": _pose(0)})


def test_a_model_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nvm").write_text("NVM_V3\n\n2\ndb/1.jpg 900 1 0 0 0 0 0 0 0 0\n")
    with pytest.raises(UsageError, match="cannot be read as NVM"):
        read_nvm(tmp_path / "a.nvm")


def test_quaternions_agree_with_scipy_whatever_their_length() -> None:
    rng = np.random.default_rng(4)
    wxyz = rng.normal(size=(50, 4)) * rng.uniform(0.1, 10.0, (50, 1))
    np.testing.assert_allclose(rotations_of(wxyz), Rotation.from_quat(wxyz, scalar_first=True).as_matrix(), atol=1e-14)
    assert np.isnan(rotations_of(np.zeros((1, 4)))).all()


@pytest.mark.parametrize("name", ["7scenes", "12scenes", "cambridge", "aachen", "mapfree", "mapfree-test"])
def test_a_missing_file_is_one_sentence_with_its_home(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_dataset(name, str(tmp_path))
    said = str(error.value)
    assert said.startswith(f"{name} needs ")
    assert READERS[name].home in said
    assert "\n" not in said
