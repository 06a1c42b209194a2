"""Bad input to maps and poses: never a traceback, and no pose that is sure of a wrong place."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from program import called

from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.features.match import MutualNearest, MutualNearestOptions
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.photos.decode import decode_gray
from geoloc_cli.pipeline.describer import describer_of
from geoloc_cli.pose.answer import quaternion_wxyz
from geoloc_cli.pose.estimate import NoPose, PoseOptions, estimate_pose
from geoloc_cli.pose.solve import PoseLibSolver
from geoloc_cli.pose.together import run_together
from geoloc_cli.testing.demo import TOWN_AT
from geoloc_cli.testing.photos import Noise, TruePhoto, write_photos
from geoloc_cli.testing.town import Town
from geoloc_cli.types import Camera

if TYPE_CHECKING:
    from conftest import SmallTown

CHANGES = {
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "upended": Image.Transpose.FLIP_TOP_BOTTOM,
    "left": Image.Transpose.ROTATE_90,
    "over": Image.Transpose.ROTATE_180,
}


def geoloc(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = called(*arguments)
    assert done.returncode == status, done.stderr
    return done


def here(*arguments: str | Path) -> str:
    """What a call that goes well prints."""
    return geoloc(*arguments).stdout


def write_poses(file: Path, photos: Sequence[TruePhoto], more: Iterable[tuple[str, TruePhoto]] = ()) -> Path:
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "qw", "qx", "qy", "qz", "x", "y", "z"])
        for name, photo in [*((Path(p.path).name, p) for p in photos), *more]:
            rows.writerow([name, *quaternion_wxyz(photo.pose.rotation_cam_from_enu()), *photo.pose.center_in_enu])
    return file


LOCATE = ("--pose", "--format", "jsonl", "--workers", "1", "--top-k", "6")


def by_name(lines: str) -> dict[str, dict[str, Any]]:
    return {Path(fix["photo"]).stem: fix for fix in map(json.loads, lines.splitlines())}


def located(folder: Path, *photos: str | Path) -> dict[str, dict[str, Any]]:
    return by_name(here("locate", *photos, "--map", folder, *LOCATE))


def asked_of(town: SmallTown) -> list[str]:
    return [query.path for query in town.queries[:2]]


def away_m(fix: dict[str, Any], photo: TruePhoto) -> float:
    return float(haversine_m(fix["lat"], fix["lon"], photo.lat, photo.lon))


def honest(fix: dict[str, Any], photo: TruePhoto) -> bool:
    """There is no pose and a reason, or it lies within its radius."""
    if fix["pose"] is None:
        return fix["reason"] is not None
    return fix["lat"] is None or away_m(fix, photo) <= fix["radius_m"]


@dataclass(frozen=True)
class Street:
    """An imported map of exact poses with GPS of 1 m, one photo in it twice, and what was located in it."""

    folder: Path
    said: str
    truth: dict[str, TruePhoto]
    answers: dict[str, dict[str, Any]]

    @property
    def map(self) -> Path:
        return self.folder / "map"


@pytest.fixture(scope="module")
def street(town: SmallTown, described: str, tmp_path_factory: pytest.TempPathFactory) -> Street:
    folder = tmp_path_factory.mktemp("bad")
    shutil.copytree(town.folder / "photos", folder / "photos")
    shutil.copy(town.photos[5].path, folder / "photos" / "again.jpg")
    whole = Path(town.photos[0].path).read_bytes()
    (folder / "photos" / "cut.jpg").write_bytes(whole[:3000])
    (folder / "photos" / "empty.jpg").write_bytes(b"")
    (folder / "photos" / "text.jpg").write_text("no picture")
    broken = [(name, town.photos[0]) for name in ("cut.jpg", "empty.jpg", "text.jpg")]
    poses = write_poses(folder / "poses.csv", town.photos, [("again.jpg", town.photos[5]), *broken])
    done = geoloc("map", "import", poses, "--photos", folder / "photos", "--map", folder / "map",
                  "--workers", "1", "--cache", described, status=1)  # fmt: skip
    truth = {Path(photo.path).stem: photo for photo in [*town.photos, *town.queries, *town.strangers]}
    asked = folder / "asked"
    asked.mkdir()
    for photo in [*town.queries, *town.strangers, town.photos[5], town.photos[9]]:
        shutil.copy(photo.path, asked)
    for name, change in CHANGES.items():
        for photo in town.queries[: 2 if name in ("mirrored", "upended") else 1]:
            stem = f"{Path(photo.path).stem}_{name}"
            Image.open(photo.path).transpose(change).save(asked / f"{stem}.jpg", quality=92)
            truth[stem] = photo
    exif = Image.open(town.queries[1].path)
    stated = exif.getexif()
    stated.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 14
    exif.save(asked / "half_lens.jpg", quality=92, exif=stated)
    truth["half_lens"] = town.queries[1]
    spot = town.photos[6].pose
    turned = [replace(spot, heading_deg=spot.heading_deg + turn) for turn in (-14.0, 0.0, 14.0)]
    for photo in write_photos(Town(0, *TOWN_AT), turned, asked, with_position=False, prefix="turned"):
        truth[Path(photo.path).stem] = photo
    return Street(folder, done.stderr, truth, by_name(geoloc("locate", asked, "--map", folder / "map", *LOCATE).stdout))


def test_broken_files_are_named_and_the_others_are_mapped(street: Street) -> None:
    assert "15 of 15 photos in the map" in street.said
    for name in ("cut.jpg", "empty.jpg", "text.jpg"):
        assert name in street.said


def test_no_answer_is_sure_of_a_wrong_place(street: Street) -> None:
    for name, fix in street.answers.items():
        assert honest(fix, street.truth[name]), (name, fix["reason"], fix["radius_m"])


def test_a_map_of_another_place_gives_no_pose(street: Street) -> None:
    strangers = [fix for name, fix in street.answers.items() if name.startswith("stranger")]
    assert len(strangers) == 2
    assert all((fix["status"], fix["pose"], fix["reason"]) == ("unlocated", None, "not_in_index") for fix in strangers)


@pytest.mark.parametrize("name", ["mirrored", "upended"])
def test_a_mirrored_photo_has_no_pose(street: Street, name: str) -> None:
    for k in range(2):
        fix = street.answers[f"query_{k:03d}_{name}"]
        assert fix["pose"] is None
        assert fix["reason"] is not None


@pytest.mark.parametrize(("name", "roll_deg"), [("left", 90.0), ("over", 180.0)])
def test_a_turned_photo_is_posed_as_it_is_turned(street: Street, name: str, roll_deg: float) -> None:
    upright, fix = street.answers["query_000"]["pose"], street.answers[f"query_000_{name}"]["pose"]
    # A turned JPEG is compressed again, and its lens is guessed from nothing: decimetres and a degree.
    assert math.dist(upright["center_in_enu"], fix["center_in_enu"]) < 0.3
    assert (fix["roll_deg"] - upright["roll_deg"] - roll_deg + 180.0) % 360.0 == pytest.approx(180.0, abs=1.0)
    assert fix["heading_deg"] == pytest.approx(upright["heading_deg"], abs=1.0)


def test_photos_from_one_spot_are_posed_at_that_spot(street: Street) -> None:
    poses = [street.answers[f"turned_{k:03d}"]["pose"] for k in range(3)]
    # Exact pictures of 640 pixels at 18 m.
    assert max(math.dist(poses[0]["center_in_enu"], pose["center_in_enu"]) for pose in poses) < 0.1
    assert np.diff([pose["heading_deg"] for pose in poses]) == pytest.approx(14.0, abs=0.2)


def test_a_photo_that_is_in_the_map_is_not_posed_beyond_doubt(street: Street) -> None:
    """One of them is there twice."""
    component = open_map(street.map)[0]
    assert component.georeference is not None
    for name in ("photo_005", "photo_009"):
        fix = street.answers[name]
        assert min(fix["pose"]["position_std_m"]) > 0.005
        assert min(fix["pose"]["rotation_std_deg"]) > 0.0
        assert fix["radius_m"] > component.georeference.horizontal_m
        center = component.model.images[str(street.folder / "photos" / f"{name}.jpg")].center_in_map
        assert math.dist(center, fix["pose"]["center_in_map"]) < 0.05


@pytest.mark.parametrize("focal_px", ["260", "1040"])
def test_a_wrong_focal_length_gives_no_pose_that_is_sure(town: SmallTown, street: Street, focal_px: str) -> None:
    """The lens has 520 pixels. Half of it gave poses 6 to 20 m off with a radius of 2 m."""
    answers = located(street.map, *asked_of(town), "--focal-px", focal_px)
    for name, fix in answers.items():
        assert honest(fix, street.truth[name]), (name, fix["radius_m"])
        assert fix["pose"] is None
    assert "no_pose_focal_length" in {fix["reason"] for fix in answers.values()}


def test_a_focal_length_that_exif_has_wrong_is_solved_for(street: Street) -> None:
    """14 mm of film are 252 pixels, and the lens has 520."""
    pose, right = street.answers["half_lens"]["pose"], street.answers["query_001"]["pose"]
    assert math.dist(pose["center_in_enu"], right["center_in_enu"]) < 0.3
    assert pose["inliers"] > 0.8 * right["inliers"]


@pytest.mark.parametrize("wrong_share", [0.5, 0.95, 1.0])
def test_wrong_matches_give_the_pose_or_none(town: SmallTown, street: Street, wrong_share: float) -> None:
    components, camera = open_map(street.map), Camera("SIMPLE_PINHOLE", 640, 480, (520.0, 320.0, 240.0), "user", 0.0)
    found = []
    by = MutualNearest(MutualNearestOptions(max_ratio=0.85))
    with Index.open(index_of(street.map)) as index:
        rows = {photo.path: photo.row_id for photo in index.all_photos()}
        features = describer_of(index).features
        images = components[0].model.images
        for k, query in enumerate(town.queries):
            local = features.extract(decode_gray(query.path, max_size=2000).pixels)
            rng, keypoints = np.random.default_rng(k), local.keypoints.copy()
            wrong = rng.permutation(len(keypoints))[: round(wrong_share * len(keypoints))]
            keypoints[wrong, :2] = rng.uniform((0, 0), (640, 480), (len(wrong), 2))
            nearest = sorted(images, key=lambda p: math.dist(images[p].center_in_map, query.pose.center_in_enu))[:6]
            part = LocalFeatures(keypoints, local.descriptors, local.width, local.height)
            asking = estimate_pose(
                part, [camera], nearest, components[0], lambda p: index.local(rows[p]), by, PoseOptions()
            )
            (posed,) = run_together([asking], PoseLibSolver())
            found.append(posed)
            if not isinstance(posed, NoPose):
                assert math.dist(posed.refined.center, query.pose.center_in_enu) < 0.5
    assert any(isinstance(posed, NoPose) for posed in found) == (wrong_share > 0.5)


def test_a_map_from_one_spot_gives_no_pose(town: SmallTown, described: str, tmp_path: Path) -> None:
    spot = town.photos[6].pose
    turned = [replace(spot, heading_deg=spot.heading_deg + turn) for turn in range(-24, 25, 12)]
    photos = write_photos(Town(0, *TOWN_AT), turned, tmp_path / "photos", noise=Noise(gps_std_m=1.0))
    truth = {Path(query.path).stem: query for query in town.queries}
    once = ("--workers", "1", "--cache", described)
    here("map", "build", tmp_path / "photos", "--map", tmp_path / "built", *once)
    poses = write_poses(tmp_path / "poses.csv", photos)
    here("map", "import", poses, "--photos", tmp_path / "photos", "--map", tmp_path / "imported", *once)
    for name in ("built", "imported"):
        for stem, fix in located(tmp_path / name, *asked_of(town)).items():
            assert fix["pose"] is None
            assert fix["reason"] is not None
            # Where the photographs alone place it, the noise of their positions is not taken for a plan.
            assert fix["lat"] is None or away_m(fix, truth[stem]) <= fix["radius_m"]
        here("map", "info", tmp_path / name)


def test_a_map_of_one_plane_gives_honest_poses(town: SmallTown, tmp_path: Path) -> None:
    made = Town(0, *TOWN_AT)
    east_m = town.photos[0].pose.center_in_enu[0]
    normals = [np.cross(surface.along, surface.up) for surface in made.surfaces]
    fronts = [s for s, n in zip(made.surfaces, normals, strict=True) if n[0] < -1e-6 and s.corner[0] > east_m]
    made.surfaces = [s for s in fronts if s.corner[0] == min(front.corner[0] for front in fronts)]
    views = [replace(p.pose, heading_deg=60.0 + 15.0 * (i % 3)) for i, p in enumerate(town.photos[2:12])]
    photos = write_photos(made, views, tmp_path / "photos", noise=Noise(gps_std_m=1.0))
    poses = write_poses(tmp_path / "poses.csv", photos)
    here("map", "import", poses, "--photos", tmp_path / "photos", "--map", tmp_path / "map", "--workers", "1")
    points = open_map(tmp_path / "map")[0].model.points
    assert np.median(np.abs(points[:, 0] - np.median(points[:, 0]))) < 0.05
    asked = [replace(q.pose, heading_deg=turn) for q in town.queries[:2] for turn in (70.0, 90.0)]
    queries = write_photos(made, asked, tmp_path / "asked", seed=1, with_position=False, prefix="query")
    answers = located(tmp_path / "map", tmp_path / "asked")
    for query in queries:
        assert honest(answers[Path(query.path).stem], query)
    assert sum(fix["pose"] is not None for fix in answers.values()) >= 2


def test_one_position_on_another_continent_moves_no_answer(town: SmallTown, street: Street, tmp_path: Path) -> None:
    shutil.copytree(street.map, tmp_path / "map")
    lines = [f"{Path(p.path).name},{p.lat:.9f},{p.lon:.9f}" for p in town.photos]
    lines[3] = f"{Path(town.photos[3].path).name},-33.9,151.2"
    (tmp_path / "positions.csv").write_text("\n".join(["path,lat,lon", *lines]) + "\n")
    said = here("map", "georeference", tmp_path / "map", "--positions", tmp_path / "positions.csv")
    assert "far from all others" in said
    for name, fix in located(tmp_path / "map", *asked_of(town)).items():
        assert honest(fix, street.truth[name])
        assert away_m(fix, street.truth[name]) < 2.0


def test_identical_positions_give_poses_in_the_map_alone(town: SmallTown, street: Street, tmp_path: Path) -> None:
    shutil.copytree(street.map, tmp_path / "map")
    where = f"{town.photos[0].lat},{town.photos[0].lon}"
    lines = [f"{path.name},{where}" for path in sorted((street.folder / "photos").iterdir())]
    (tmp_path / "positions.csv").write_text("\n".join(["path,lat,lon", *lines]) + "\n")
    said = here("map", "georeference", tmp_path / "map", "--positions", tmp_path / "positions.csv")
    assert "not on the Earth: all its photographs state the same position" in said
    for fix in located(tmp_path / "map", *asked_of(town)).values():
        assert (fix["reason"], fix["pose"]["georeferenced"], fix["pose"]["position_std_m"]) == (
            "not_georeferenced", False, None,
        )  # fmt: skip


def test_maps_of_none_of_one_and_of_two_photos(town: SmallTown, street: Street, tmp_path: Path) -> None:
    photos, query = tmp_path / "photos", town.queries[0].path
    photos.mkdir()
    build = ("map", "build", photos, "--map", tmp_path / "map", "--workers", "1")
    assert "No photos were found" in geoloc(*build, status=2).stderr
    shutil.copy(street.folder / "photos" / "cut.jpg", photos)
    assert "could be indexed" in geoloc(*build, status=2).stderr
    shutil.copy(town.photos[0].path, photos)
    assert "a map needs two" in geoloc(*build, status=2).stderr
    assert "no finished map" in geoloc("locate", query, "--map", tmp_path / "map", "--pose", status=3).stderr
    shutil.copy(town.photos[1].path, photos)
    # One picture is cut short, which the exit status says; two are too few to tell what is near from what is far.
    assert "0 of 2 photos in the map (none)" in geoloc(*build, status=1).stderr
    answer = located(tmp_path / "map", query)["query_000"]
    assert answer["pose"] is None
    assert answer["reason"] is not None
