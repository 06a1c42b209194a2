"""Maps of known poses, of photographs that say nowhere where they were taken: poses to centimetres, and no place."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from geoloc_cli.cli.app import app
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.match import MutualNearest, MutualNearestOptions
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.pipeline.describer import describer_of
from geoloc_cli.pose.answer import quaternion_wxyz
from geoloc_cli.pose.estimate import PoseFound, PoseOptions, estimate_pose
from geoloc_cli.pose.solve import PoseLibSolver
from geoloc_cli.pose.together import run_together
from geoloc_cli.testing.demo import TOWN_AT, query_cameras, street_cameras
from geoloc_cli.testing.photos import TruePhoto, write_photos
from geoloc_cli.testing.town import Town
from geoloc_cli.types import Camera

LENS = "SIMPLE_PINHOLE,640,480,520,320,240"
CHI2_MEDIAN_3 = 2.366


@dataclass(frozen=True)
class ImportedStreet:
    """A street of exact poses, imported from a CSV; nothing in it has a position on the Earth."""

    folder: Path
    queries: list[TruePhoto]
    said: str

    @property
    def map(self) -> Path:
        return self.folder / "map"


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def street(described: str, tmp_path_factory: pytest.TempPathFactory) -> ImportedStreet:
    folder = tmp_path_factory.mktemp("imported")
    made, rng = Town(0, *TOWN_AT), np.random.default_rng(0)
    walk = street_cameras(made, rng)[2:22]
    low, high = walk[0].center_in_enu[1], walk[-1].center_in_enu[1]
    views = [
        camera
        for camera in query_cameras(made, 80, rng)[::4]
        if low + 4 < camera.center_in_enu[1] < high - 4 and abs(camera.heading_deg - 35.0) < 11.0
    ][:7]
    photos = write_photos(made, walk, folder / "photos", with_position=False)
    queries = write_photos(made, views, folder / "queries", seed=1, with_position=False, prefix="query")
    with (folder / "poses.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "qw", "qx", "qy", "qz", "x", "y", "z"])
        for photo in photos:
            rotation = photo.pose.rotation_cam_from_enu()
            rows.writerow([Path(photo.path).name, *quaternion_wxyz(rotation), *photo.pose.center_in_enu])
        rows.writerow(["gone.jpg", 1, 0, 0, 0, 0, 0, 0])
    done = CliRunner().invoke(
        app,
        ["map", "import", str(folder / "poses.csv"), "--photos", str(folder / "photos"), "--map", str(folder / "map"),
         "--camera", LENS, "--workers", "1", "--cache", described],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return ImportedStreet(folder, queries, done.stderr)


def test_the_import_says_what_it_could_not_take_and_keeps_the_poses(street: ImportedStreet) -> None:
    assert "gone.jpg" in street.said
    assert "20 of 20 photos in the map" in street.said
    model = open_map(street.map)[0].model
    assert len(model.points) > 500
    for row in csv.DictReader((street.folder / "poses.csv").read_text().splitlines()):
        if row["path"] != "gone.jpg":
            center = model.images[str(street.folder / "photos" / row["path"])].center_in_map
            assert np.abs(center - [float(row[axis]) for axis in "xyz"]).max() < 1e-9


def test_photos_are_posed_to_centimetres_and_are_nowhere_on_the_earth(street: ImportedStreet) -> None:
    lines = run("locate", str(street.folder / "queries"), "--map", str(street.map), "--pose", "--format", "jsonl",
                "--camera", LENS, "--workers", "1").splitlines()  # fmt: skip
    places, turns = [], []
    for line, query in zip(lines, street.queries, strict=True):
        fix = json.loads(line)
        assert (fix["status"], fix["stage"], fix["reason"], fix["lat"], fix["radius_m"]) == (
            "ok", "pose", None, None, None,
        )  # fmt: skip
        assert fix["confidence"] == 0.0
        assert not fix["pose"]["georeferenced"]
        places.append(np.linalg.norm(np.array(fix["pose"]["center_in_map"]) - query.pose.center_in_enu))
        w, *axis = fix["pose"]["cam_from_map"]["rotation_wxyz"]
        true = np.array(quaternion_wxyz(query.pose.rotation_cam_from_enu()))
        turns.append(np.degrees(2 * np.arccos(min(1.0, abs(true @ [w, *axis])))))
    # At 18 m a pixel is 3.5 cm and 0.11 degrees.
    assert np.median(places) < 0.05
    assert np.median(turns) < 0.05


def test_the_covariance_of_a_pose_is_that_of_its_error(street: ImportedStreet) -> None:
    """Normalised errors about the chi-square median: within a factor of 1.5, over seven views and five thinnings."""
    components = open_map(street.map)
    camera = Camera("SIMPLE_PINHOLE", 640, 480, (520.0, 320.0, 240.0), "user", 0.0)
    rng, errors = np.random.default_rng(0), []
    by = MutualNearest(MutualNearestOptions(max_ratio=0.85))
    with Index.open(index_of(street.map)) as index:
        rows = {photo.path: photo.row_id for photo in index.all_photos()}
        features = describer_of(index).features
        for query in street.queries:
            found = features.extract(decode_gray(query.path, max_size=2000).pixels)
            nearest = sorted(rows, key=lambda p: np.linalg.norm(
                components[0].model.images[p].center_in_map - query.pose.center_in_enu))[:6]  # fmt: skip
            for _ in range(5):
                kept = rng.permutation(len(found.keypoints))[: len(found.keypoints) // 2]
                part = LocalFeatures(found.keypoints[kept], found.descriptors[kept], found.width, found.height)
                asking = estimate_pose(
                    part, [camera], nearest, components[0], lambda p: index.local(rows[p]), by, PoseOptions()
                )
                (posed,) = run_together([asking], PoseLibSolver())
                assert isinstance(posed, PoseFound)
                away = posed.refined.center - query.pose.center_in_enu
                errors.append(away @ np.linalg.solve(posed.refined.covariance[3:, 3:], away))
    assert CHI2_MEDIAN_3 / 1.5 < np.median(errors) < CHI2_MEDIAN_3 * 1.5


def test_what_has_no_place_is_shown_without_one(street: ImportedStreet) -> None:
    query, where = street.queries[0].path, ("--map", str(street.map), "--camera", LENS, "--workers", "1")
    assert "pose, in the map" in run("locate", query, *where, "--pose", "--format", "table")
    place = json.loads(run("locate", query, *where, "--pose", "--format", "geojson"))["features"][0]
    assert place["geometry"] is None
    assert place["properties"]["pose"]["center_in_enu"] is None
    alone = json.loads(run("locate", query, *where, "--format", "jsonl"))
    assert (alone["status"], alone["reason"]) == ("unlocated", "not_georeferenced")
    assert json.loads(run("index", "info", str(index_of(street.map)), "--json"))["bounds"] is None
    assert (
        json.loads(run("index", "export", str(index_of(street.map)), "--format", "jsonl").splitlines()[0])["lat"]
        is None
    )
