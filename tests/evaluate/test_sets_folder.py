"""Photographs of the user's own as a data set: which are queries, where they were taken, how the cameras were held."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.folder import read_folder
from geoloc_cli.evaluate.datasets.near import positives
from geoloc_cli.evaluate.truth import read_truth


def photo(path: Path, lat: float | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if lat is not None:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
        gps[ExifTags.GPS.GPSLatitude] = (lat, 0.0, 0.0)
        gps[ExifTags.GPS.GPSLongitude] = (2.0, 0.0, 0.0)
    Image.new("L", (32, 24), 90).save(path, exif=exif)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`photos/a.jpg` to `d.jpg`, 11 m from each other, and `photos/deep/e.jpg`, which says nowhere."""
    for number, name in enumerate("abcd"):
        photo(tmp_path / "photos" / f"{name}.jpg", 48.0 + number * 1e-4)
    photo(tmp_path / "photos" / "deep" / "e.jpg", None)
    return tmp_path


def listed(folder: Path, text: str, name: str = "list.txt") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "b.jpg\ne.jpg\n\n"),
        ("list.json", '["b.jpg", "deep/e.jpg"]'),
        ("list.json", '{"queries": ["b.jpg", "./deep/e.jpg"]}'),
        ("splits.json", '{"other": {"photos": "no", "queries": []}, "own": {"photos": "photos", "queries": '
         '["b.jpg", "e.jpg"]}}'),
    ],
)  # fmt: skip
def test_queries_are_named_by_a_list_and_the_rest_are_references(folder: Path, name: str, text: str) -> None:
    found = read_folder(str(folder / "photos"), listed(folder, text, name))
    assert list(found.queries.names) == ["b.jpg", "deep/e.jpg"]
    assert list(found.references.names) == ["a.jpg", "c.jpg", "d.jpg"]
    assert str(found.queries.path(1)) == str(folder / "photos" / "deep" / "e.jpg")
    assert found.queries.lat.tolist() == pytest.approx([48.0001, np.nan], nan_ok=True)
    assert found.notes == ("1 of 2 queries say nowhere where they were taken, and are not scored.",)
    assert not found.stated
    # Right is what stands within 25 m: a and c, 11 m off, and d, 22 m off.
    assert [row.tolist() for row in positives(found)] == [[0, 1, 2], []]


def test_queries_may_lie_in_a_folder_of_their_own_and_a_table_may_say_where(folder: Path) -> None:
    photo(folder / "queries" / "q1.jpg", None)
    photo(folder / "queries" / "q2.jpg", 10.0)
    table = "path,lat,lon\nelsewhere/q2.jpg,48.5,2\nelsewhere/q1.jpg,48.6,3\nx.jpg,1,1\n"
    truth = read_truth(listed(folder, table, "truth.csv"))
    found = read_folder(str(folder / "photos"), str(folder / "queries"), truth)
    assert len(found.references) == 5
    # The table counts, and not what q2 says of itself.
    assert (found.queries.lat.tolist(), found.queries.lon.tolist()) == ([48.6, 48.5], [3.0, 2.0])
    inside = read_folder(str(folder / "photos"), str(folder / "photos" / "deep"))
    assert (list(inside.queries.names), len(inside.references)) == (["e.jpg"], 4)


def test_poses_of_another_program_are_those_of_references_and_queries(folder: Path) -> None:
    frames = []
    for number, name in enumerate("abc"):
        matrix = np.eye(4)
        matrix[0, 3] = number
        frames.append({"file_path": f"{name}.jpg", "transform_matrix": matrix.tolist()})
    said = {"w": 32, "h": 24, "fl_x": 30.0, "frames": frames}
    poses = listed(folder, json.dumps(said), "transforms.json")
    found = read_folder(str(folder / "photos"), listed(folder, "b.jpg\nd.jpg"), poses=poses)
    assert found.references.poses is not None
    assert found.queries.poses is not None
    assert found.queries.poses.centers_in_map[0].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert np.isnan(found.queries.poses.translation[1]).all()  # d has no pose
    assert found.references.poses.centers_in_map[:2, 0].tolist() == pytest.approx([0.0, 2.0])
    cameras = found.queries.cameras
    assert cameras is not None
    assert cameras[1] is None
    assert cameras[0] is not None
    assert cameras[0].focal_px == 30.0
    assert found.rule is None  # poses are scored, and no retrieval


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.txt", "", "names no photograph"),
        ("list.txt", "b.jpg\nz.jpg\n", r"names 1 of 2 photographs that are not in .*\(z.jpg\)"),
        ("list.json", "[1, 2]", "holds no list of names"),
        ("list.json", "{", "cannot be read as JSON"),
        (
            "splits.json",
            '{"other": {"photos": "no", "queries": []}}',
            r"has no set whose photos are .*it has other",
        ),
    ],
)
def test_a_wrong_list_is_one_sentence(folder: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_folder(str(folder / "photos"), listed(folder, text, name))


def test_a_name_that_is_there_twice_is_asked_for_with_its_folder(folder: Path) -> None:
    photo(folder / "photos" / "more" / "e.jpg", None)
    with pytest.raises(UsageError, match=r"or are there several times \(e.jpg\)"):
        read_folder(str(folder / "photos"), listed(folder, "e.jpg"))
    assert len(read_folder(str(folder / "photos"), listed(folder, "deep/e.jpg")).queries) == 1
    with pytest.raises(UsageError, match="is no folder"):
        read_folder(str(folder / "nowhere"), listed(folder, "e.jpg"))
