"""A map of a rendered street, and poses in it: as good as the photographs' own GPS, which is the truth here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import enu_from_geodetic, haversine_m
from geoloc_cli.geo.geoid import undulation_m
from geoloc_cli.maps.folder import index_of, open_map
from geoloc_cli.maps.inspect import camera_rows
from geoloc_cli.pipeline.ablation import POSED, POSED_ALONE, VERIFIED, Ablated, ablate_photos
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.map import MapOptions, MapReport, build_map
from geoloc_cli.pipeline.posing import PoseStage, map_of, stage_spec
from geoloc_cli.testing.demo import TOWN_AT, query_cameras, street_cameras
from geoloc_cli.testing.photos import TruePhoto, write_photos
from geoloc_cli.testing.town import Town
from geoloc_cli.types import Failure, Fix


@dataclass(frozen=True)
class MappedStreet:
    """A street and what was made of it; positions are exact."""

    folder: Path
    photos: list[TruePhoto]
    queries: list[TruePhoto]
    report: MapReport


@pytest.fixture(scope="module")
def street(described: str, tmp_path_factory: pytest.TempPathFactory) -> MappedStreet:
    folder = tmp_path_factory.mktemp("street")
    made, rng = Town(0, *TOWN_AT), np.random.default_rng(0)
    walk = street_cameras(made, rng)[:22]
    low, high = walk[0].center_in_enu[1], walk[-1].center_in_enu[1]
    views = [
        camera
        for camera in query_cameras(made, 48, rng)[::4]
        if low + 6 < camera.center_in_enu[1] < high - 6 and abs(camera.heading_deg - 35.0) < 11.0
    ][:5]
    photos = write_photos(made, walk, folder / "photos")
    queries = write_photos(made, views, folder / "queries", seed=1, with_position=False, prefix="query")
    paths = [photo.path for photo in photos]
    build_index(index_of(folder / "map"), paths, parallel_map=LocalPool(1), cache=described)
    # Along a street, pairs beyond these share nothing, and each that does not takes a tenth of a second.
    report = build_map(folder / "map", LocalPool(1), MapOptions(alike=4, near=4))
    return MappedStreet(folder, photos, queries, report)


def posed(street: MappedStreet, paths: list[str]) -> list[Fix]:
    folder = street.folder / "map"
    answers = list(
        locate_photos(index_of(folder), paths, LocateOptions(), LocalPool(1), pose=stage_spec(str(folder), None))
    )
    assert all(isinstance(answer, Fix) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Fix)]


def test_every_photo_of_a_street_is_mapped_where_it_was_taken(street: MappedStreet) -> None:
    assert street.report.registered[0] == len(street.photos)
    assert street.report.left_out == ()
    truth = {photo.path: photo for photo in street.photos}
    away = [
        float(haversine_m(row["lat"], row["lon"], truth[row["path"]].lat, truth[row["path"]].lon))
        for row in camera_rows(street.folder / "map", 0)
    ]
    assert np.median(away) < 0.2
    model = pycolmap.Reconstruction(street.folder / "map" / "sparse" / "0")
    assert {image.name for image in model.images.values()} == set(truth)


def test_a_photo_beside_the_walk_is_posed_to_decimetres_and_degrees(street: MappedStreet) -> None:
    fixes = posed(street, [query.path for query in street.queries])
    assert [fix.stage for fix in fixes] == ["pose"] * len(street.queries)
    georeference = open_map(street.folder / "map")[0].georeference
    assert georeference is not None
    errors, turns, inside = [], [], []
    for fix, query in zip(fixes, street.queries, strict=True):
        assert fix.pose is not None
        assert fix.pose.center_in_enu is not None
        assert fix.pose.heading_deg is not None
        assert fix.pose.camera is not None
        assert (fix.pose.camera.width, fix.pose.camera.height) == (query.pose.width, query.pose.height)
        # The lens is the map's own (below), and a walk along its sight says it to a few hundredths.
        assert fix.pose.camera.params[0] == pytest.approx(query.pose.focal_px, rel=0.05)
        # The map's photographs say how high above the sea they are, and a fix counts from the ellipsoid, 18 m below.
        assert fix.alt_m == pytest.approx(query.alt_m + float(undulation_m(query.lat, query.lon)), abs=0.5)
        component = map_of(fix.pose, str(street.folder / "map"), "", None, "mutual-nn")
        assert component is not None
        lens = component.model.images[street.photos[0].path].camera
        assert fix.pose.camera.params == pytest.approx(lens.params, abs=1e-8)
        assert set(component.model.images) == {photo.path for photo in street.photos}
        true = np.array(enu_from_geodetic(query.lat, query.lon, query.alt_m, georeference.origin))
        errors.append(float(np.linalg.norm(np.array(fix.pose.center_in_enu) - true)))
        turns.append(abs((fix.pose.heading_deg - query.pose.heading_deg + 180.0) % 360.0 - 180.0))
        assert fix.lat is not None
        assert fix.lon is not None
        assert fix.radius_m is not None
        inside.append(float(haversine_m(fix.lat, fix.lon, query.lat, query.lon)) <= fix.radius_m)
        assert fix.radius_m < 2.0
    # 640 pixels at 18 m: a pixel is 3.5 cm of wall.
    assert np.median(errors) < 0.4
    assert np.median(turns) < 1.0
    assert np.mean(inside) >= 0.8


def test_a_photo_of_another_place_has_no_pose(street: MappedStreet, town: object) -> None:
    strangers = [photo.path for photo in town.strangers]  # type: ignore[attr-defined]
    for fix in posed(street, strangers):
        assert fix.status == "unlocated"
        assert fix.pose is None


def test_a_photo_that_is_to_be_hidden_from_itself_has_no_pose_in_a_map_of_itself(street: MappedStreet) -> None:
    folder, own = street.folder / "map", street.photos[8].path
    stage, poses = stage_spec(str(folder), None), []
    for path in (own, street.queries[0].path):
        options = LocateOptions(hide=Hiding(itself=True))
        (fix,) = locate_photos(index_of(folder), [path], options, LocalPool(1), pose=stage)
        assert isinstance(fix, Fix)
        poses.append((fix.stage, fix.pose is not None))
    assert poses == [("rerank", False), ("pose", True)]


def test_an_ablation_poses_as_the_command_does_and_the_same_ground_once(
    street: MappedStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, query = street.folder / "map", street.queries[0]
    index, stage, prior = index_of(folder), stage_spec(str(folder), None), [f"near={query.lat},{query.lon},5km"]
    options = LocateOptions(hide=Hiding(position=True, itself=True))
    asked: list[str] = []
    pose = PoseStage.pose

    def counted(self: PoseStage, fix: Fix, *rest: Any) -> Fix:
        asked.append(fix.photo)
        return pose(self, fix, *rest)

    monkeypatch.setattr(PoseStage, "pose", counted)
    (found,) = ablate_photos(index, [query.path], options, LocalPool(1), prior, pose=stage)
    # With the prior and without it the same neighbours stand.
    assert asked == [query.path]
    assert isinstance(found, Ablated)
    for name, priors in ((POSED, prior), (POSED_ALONE, [])):
        (fix,) = locate_photos(index, [query.path], options, LocalPool(1), priors, pose=stage)
        assert isinstance(fix, Fix)
        assert fix.stage == "pose"
        assert found.answers[name].place == (fix.lat, fix.lon)
        assert set(found.answers[name].timing_ms) == set(fix.timing_ms)
    errors = {n: float(haversine_m(*(a.place or (0, 0)), query.lat, query.lon)) for n, a in found.answers.items()}
    assert errors[POSED] < 0.3 < errors[VERIFIED] < 10.0


def test_many_photos_at_once_are_posed_as_one_by_one(street: MappedStreet, tmp_path: Path) -> None:
    """The torch solver is asked for all of a group together: order, strangers and broken files stay what they were."""
    pytest.importorskip("torch", reason="needs torch: make test sets it up")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    folder = street.folder / "map"
    paths = [query.path for query in street.queries]
    paths.insert(2, str(broken))

    def asked(paths: list[str], solver: str, workers: int) -> list[Fix | Failure]:
        stage = stage_spec(str(folder), None, solver)
        return list(locate_photos(index_of(folder), paths, LocateOptions(), LocalPool(workers), pose=stage))

    together = asked(paths, "torch", 2)
    assert [answer.photo for answer in together] == paths
    assert isinstance(together[2], Failure)
    for path, answer, peer in zip(paths, together, asked(paths, "poselib", 1), strict=True):
        if path == str(broken):
            continue
        (alone,) = asked([path], "torch", 1)
        assert isinstance(answer, Fix)
        assert isinstance(alone, Fix)
        assert isinstance(peer, Fix)
        assert replace(answer, timing_ms={}) == replace(alone, timing_ms={})
        assert answer.timing_ms["pose"] > 0
        assert (answer.pose is None) == (peer.pose is None)
        if answer.pose is not None and peer.pose is not None:
            assert answer.pose.solver == "torch"
            # Both are refined from nearly the same inliers.
            assert np.linalg.norm(np.subtract(answer.pose.center_in_map, peer.pose.center_in_map)) < 0.02
    assert sum(isinstance(answer, Fix) and answer.pose is not None for answer in together) >= 4
