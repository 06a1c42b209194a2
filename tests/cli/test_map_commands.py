"""`geoloc map build`, `import`, `info` and `export` as their user calls them: what they write, and how they refuse."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pycolmap
import pytest
from program import called
from typer.testing import CliRunner

from geoloc_cli.cli.app import app
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import MapDamaged
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.maps.folder import index_of, open_map, read_manifest
from geoloc_cli.maps.inspect import info
from geoloc_cli.maps.poses import read_poses
from geoloc_cli.pipeline.map import build_map
from geoloc_cli.pose.answer import quaternion_wxyz

if TYPE_CHECKING:
    from conftest import SmallTown


def geoloc(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = called(*arguments)
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="module")
def built(town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of exact poses over the town's own index, so that no picture is described again; GPS of 1 m."""
    folder = tmp_path_factory.mktemp("commands") / "map"
    shutil.copytree(town.index, index_of(folder))
    with (folder.parent / "poses.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "qw", "qx", "qy", "qz", "x", "y", "z"])
        for photo in town.photos:
            rotation = quaternion_wxyz(photo.pose.rotation_cam_from_enu())
            rows.writerow([Path(photo.path).name, *rotation, *photo.pose.center_in_enu])
    posed = read_poses(str(folder.parent / "poses.csv"), str(town.folder / "photos"))
    build_map(folder, LocalPool(1), posed={photo.path: photo for photo in posed.photos})
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "map"))


@pytest.mark.parametrize("command", ["build", "import", "info", "export", "georeference"])
def test_help_names_what_a_command_takes(command: str) -> None:
    done = CliRunner().invoke(app, ["map", command, "--help"])
    assert done.exit_code == 0
    assert ("--map" if command in ("build", "import") else "DIR") in done.output


def test_a_map_s_index_may_be_in_half_precision(town: SmallTown, folder: Path) -> None:
    asked = ("locate", town.queries[0].path, "--map", folder, "--format", "jsonl", "--workers", "1")
    plain = json.loads(geoloc(*asked).stdout)
    geoloc("index", "compact", index_of(folder), "--codes", "float16")
    assert [path.suffix for path in (index_of(folder) / "derived").glob("*vectors*")] == [".f2"]
    halved = json.loads(geoloc(*asked).stdout)
    assert halved["status"] == "ok"
    assert [row["photo"] for row in halved["candidates"]] == [row["photo"] for row in plain["candidates"]]
    similar = [[row["similarity"] for row in fix["candidates"]] for fix in (plain, halved)]
    assert similar[1] == pytest.approx(similar[0], abs=1e-3)


def test_info_says_what_the_map_holds(town: SmallTown, built: Path) -> None:
    assert "14 of 14 photos" in geoloc("map", "info", built).stdout
    said = json.loads(CliRunner().invoke(app, ["map", "info", str(built), "--json"]).stdout)
    assert (said["photos"], said["registered"], said["left_out"]) == (14, 14, [])
    (part,) = said["components"]
    assert part["images"] == 14
    assert part["points"] > 300
    assert 0.0 < part["reprojection_px"] < 1.5
    assert set(part["georeference"]["residuals_m"]) == {photo.path for photo in town.photos}


def test_geojson_puts_the_cameras_where_they_were(town: SmallTown, built: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["map", "export", str(built), "--to", "geojson"])
    CliRunner().invoke(app, ["map", "export", str(built), "--out", str(tmp_path / "cameras.geojson")])
    document = json.loads(done.stdout)
    assert json.loads((tmp_path / "cameras.geojson").read_text()) == document
    truth = {photo.path: photo for photo in town.photos}
    away = []
    *cameras, way = document["features"]
    # The photos of the walk are numbered, and dated, in the order in which they were taken.
    assert way["geometry"]["type"] == "LineString"
    assert way["geometry"]["coordinates"] == [camera["geometry"]["coordinates"] for camera in cameras]
    assert way["properties"]["photos"] == len(town.photos)
    for feature in cameras:
        photo = truth.pop(feature["properties"]["path"])
        lon, lat = feature["geometry"]["coordinates"][:2]
        away.append(float(haversine_m(lat, lon, photo.lat, photo.lon)))
    assert not truth
    # Fourteen positions of 1 m along one street: their mean is off by 0.3 m, its ends by twice that.
    assert max(away) < 1.5


def test_the_colmap_model_opens_and_is_imported_again(town: SmallTown, built: Path, tmp_path: Path) -> None:
    geoloc("map", "export", built, "--to", "colmap", "--out", tmp_path / "model")
    model = pycolmap.Reconstruction(tmp_path / "model")
    assert {image.name for image in model.images.values()} == {photo.path for photo in town.photos}
    assert len(model.points3D) == len(open_map(built)[0].model.points)
    again = read_poses(str(tmp_path / "model"), str(town.folder / "photos"))
    for posed in again.photos:
        truth = next(photo for photo in town.photos if photo.path == posed.path)
        assert np.abs(posed.center_in_map - truth.pose.center_in_enu).max() < 1e-9


def test_the_ply_holds_the_points(built: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["map", "export", str(built), "--to", "ply", "--out", str(tmp_path / "points.ply")])
    assert done.exit_code == 0
    head, body = (tmp_path / "points.ply").read_bytes().split(b"end_header\n")
    points = open_map(built)[0].model.points
    assert f"element vertex {len(points)}".encode() in head
    assert b"binary_little_endian" in head
    kinds = {"float": "<f4", "double": "<f8", "uchar": "u1"}
    columns = [line.split() for line in head.decode().splitlines() if line.startswith("property")]
    read = np.frombuffer(body, np.dtype([(name, kinds[kind]) for _, kind, name in columns]), len(points))
    stored = np.stack([read[axis] for axis in "xyz"], axis=1).astype(np.float64)
    assert np.abs(np.sort(stored, axis=0) - np.sort(points, axis=0)).max() < 1e-3


def test_a_map_that_is_nowhere_on_the_earth_is_exported_too(town: SmallTown, folder: Path, tmp_path: Path) -> None:
    lines = [f"{Path(photo.path).name},1.0,2.0" for photo in town.photos]
    (tmp_path / "spot.csv").write_text("\n".join(["path,lat,lon", *lines]) + "\n")
    CliRunner().invoke(app, ["map", "georeference", str(folder), "--positions", str(tmp_path / "spot.csv")])
    geoloc("map", "export", folder, "--to", "colmap", "--out", tmp_path / "model")
    assert "not on the Earth" in geoloc("map", "export", folder, status=3).stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--to", "obj"), 2, "There is no form 'obj'"),
        (("--to", "ply"), 2, "--to ply needs --out"),
        (("--part", "7"), 3, "has no part 7; it has 1"),
        (("--to", "colmap", "--out", "."), 2, "--out . cannot be written (File exists)"),
        (("--to", "ply", "--out", "no/where.ply"), 2, "--out no/where.ply cannot be written"),
        (("--out", "no/where.json"), 2, "--out no/where.json cannot be written"),
    ],
)
def test_an_export_that_cannot_be_is_one_sentence(built: Path, arguments: Any, status: int, words: str) -> None:
    assert words in geoloc("map", "export", built, *arguments, status=status).stderr


def test_calls_that_cannot_be_are_one_sentence(town: SmallTown, folder: Path, tmp_path: Path) -> None:
    photo, file = town.photos[0].path, tmp_path / "file"
    file.write_text("no folder")
    assert "cannot be written to" in geoloc("map", "build", photo, "--map", file, status=2).stderr
    assert "no finished map" in geoloc("map", "info", file, status=3).stderr
    assert "no finished map" in geoloc("locate", photo, "--map", file, "--pose", status=3).stderr
    done = geoloc("map", "import", tmp_path / "no.csv", "--photos", town.folder, "--map", tmp_path / "m", status=2)
    assert "is not there" in done.stderr
    points = folder / "sparse" / "0" / "points3D.bin"
    points.write_bytes(points.read_bytes()[:1000])
    for command in (("map", "info", folder), ("locate", photo, "--map", folder, "--pose")):
        assert "points3D.bin is missing or is not what was written" in geoloc(*command, status=10).stderr


def test_an_index_that_lost_a_file_or_a_photo_is_named(town: SmallTown, built: Path, tmp_path: Path) -> None:
    query = town.queries[0].path
    lost = Path(shutil.copytree(built, tmp_path / "lost"))
    gone = max((index_of(lost) / "segments").iterdir(), key=lambda path: path.stat().st_size)
    gone.unlink()
    assert gone.name in geoloc("locate", query, "--map", lost, "--pose", status=10).stderr
    fewer = Path(shutil.copytree(built, tmp_path / "fewer"))
    CliRunner().invoke(app, ["index", "remove", str(index_of(fewer)), town.photos[4].path])
    said = geoloc("locate", query, "--map", fewer, "--pose", status=10).stderr
    assert town.photos[4].path in said
    assert "build the map again" in said


def changed(folder: Path, file: str, change: Callable[[Any], Any]) -> None:
    """Changes a JSON file of a map, and the manifest's word for it."""
    said = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(change(said) or said))
    if file != "manifest.json":
        new = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        changed(folder, "manifest.json", lambda manifest: manifest["files"].update({file: new}))


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said[0].update(scale=float("nan")),
        lambda said: said[0].update(scale=0.0),
        lambda said: said[0].update(origin=[95.0, 0.0, 0.0]),
        lambda said: said[0].update(translation=[0.0, float("inf"), 0.0]),
        lambda said: said[0].update(rotation=[[1, 0, 0], [0, 1, 0], [0, 0, 3]]),
        lambda said: said[0].update(rotation=[[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
        lambda said: said[0]["covariance"][0].__setitem__(0, -1.0),
        lambda said: said[0].update(residuals_m=[1]),
        lambda said: said[0].update(horizontal_m=-1.0),
        lambda said: said[0].update(notes=3),
        lambda said: said * 2,
        lambda said: {"a": 1},
        lambda said: [[1]],
    ],
)
def test_a_georeference_that_does_not_add_up_is_refused(folder: Path, change: Callable[[Any], Any]) -> None:
    """Its SHA-256 is right, as of a file that a defect wrote."""
    changed(folder, "georeference.json", change)
    with pytest.raises(MapDamaged, match=r"georeference\.json"):
        open_map(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: [1],
        lambda said: said.pop("photos") and None,
        lambda said: said.update(left_out=float("nan")),
        lambda said: said.update(photos="many"),
        lambda said: said.update(components=10**12),
        lambda said: said.update(files={}),
        lambda said: said["files"].update({"a\0b": "x"}),
        lambda said: said["files"].update({"../x": "x"}),
    ],
)
def test_a_manifest_that_does_not_add_up_is_refused(folder: Path, change: Callable[[Any], Any]) -> None:
    changed(folder, "manifest.json", change)
    with pytest.raises(MapDamaged, match=r"manifest\.json"):
        info(folder)


@pytest.mark.parametrize("data", [b"", b"NaN", b"\xff\xfe\x00", b"[" * 100_000, b'{"schema": "geoloc.map/1"}'])
def test_a_manifest_that_is_none_is_refused(folder: Path, data: bytes) -> None:
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(MapDamaged, match=r"manifest\.json"):
        read_manifest(folder)


def test_the_solver_is_chosen_by_name_and_named_in_the_record(town: SmallTown, built: Path) -> None:
    asked = (town.queries[0].path, "--map", built, "--pose", "--format", "jsonl", "--workers", "1")
    poses = {}
    for name in ("poselib", "pycolmap"):
        pose = json.loads(geoloc("locate", *asked, "--solver", name).stdout)["pose"]
        assert pose["solver"] == name
        poses[name] = pose
    assert math.dist(poses["poselib"]["center_in_map"], poses["pycolmap"]["center_in_map"]) < 0.02
    assert "did you mean 'pycolmap'" in geoloc("locate", *asked, "--solver", "pycolmaps", status=2).stderr
