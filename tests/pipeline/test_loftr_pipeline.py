"""A matcher that compares pictures through locate, poses and maps: who opens which photo, and what a missing one does.

Weights are random, so that photos are compared with copies of themselves: of these even such a network finds the most.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from program import called

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.map import MapOptions, build_map, build_pair_matcher
from geoloc_cli.pipeline.matching import References, build_matcher, pictured, pinned
from geoloc_cli.pipeline.ondemand import LocalMaps
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.records import from_record
from geoloc_cli.testing.efficient_loftr import random_efficient_loftr
from geoloc_cli.testing.loftr import random_loftr
from geoloc_cli.types import Failure, Fix

if TYPE_CHECKING:
    from conftest import SmallTown

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "kornia", "transformers"))
pytestmark = pytest.mark.skipif(not HAS_TORCH, reason="needs torch, kornia and transformers: make test sets them up")


@pytest.fixture(scope="module")
def loftr(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The matcher, as the user names it; small pictures make it fast, and coarse, so that keypoints may be farther."""
    path = random_loftr(tmp_path_factory.mktemp("loftr") / "loftr_outdoor.ckpt")
    return f"loftr?weights={path}&min_score=0&snap_px=8&max_size_px=256"


@pytest.fixture(scope="module")
def efficient(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = random_efficient_loftr(tmp_path_factory.mktemp("efficient") / "efficientloftr.safetensors")
    return f"efficient-loftr?weights={path}&min_score=0&snap_px=8&max_size_px=256"


@pytest.fixture
def walk(town: SmallTown, described: str, tmp_path: Path) -> list[str]:
    """Three photos of a walk with an index of them in `map/index`, and a copy of the first as `query.jpg`."""
    (tmp_path / "photos").mkdir()
    taken = [town.photos[i].path for i in (2, 6, 10)]
    paths = [shutil.copy(path, tmp_path / "photos") for path in taken]
    shutil.copy(paths[0], tmp_path / "query.jpg")
    (tmp_path / "map").mkdir()
    build_index(index_of(tmp_path / "map"), paths, parallel_map=LocalPool(1), cache=described)
    return [str(path) for path in paths]


def located(folder: Path, matcher: str, *, pose: bool = False) -> Fix | Failure:
    stage = stage_spec(None, None, matcher=matcher) if pose else None
    index, query = index_of(folder / "map"), str(folder / "query.jpg")
    (answer,) = locate_photos(index, [query], LocateOptions(), LocalPool(1), pose=stage, matcher=matcher)
    return answer


def test_a_picture_is_that_of_the_index_and_opened_for_such_a_matcher_alone(walk: list[str], loftr: str) -> None:
    folder = Path(walk[0]).parents[1]
    with Index.open(index_of(folder / "map")) as index:
        photos = {photo.path: photo for photo in index.all_photos()}
        references = References(index, build_matcher(index, loftr, 0.8))
        local = references.load(photos[walk[0]])
        assert local is not None
        assert local.picture is not None
        assert local.picture.shape == (local.height, local.width)
        assert pictured(local, "nowhere.jpg") is local
        bare = References(index, build_matcher(index, "mutual-nn", 0.8)).load(photos[walk[0]])
        assert bare is not None
        assert bare.picture is None
        assert np.array_equal(bare.keypoints, local.keypoints)
        # Another photo of the same size under the name of one that was described.
        shutil.copy(walk[1], walk[0])
        Path(walk[2]).unlink()
        assert [photo.path for photo in references.at_hand([photos[path] for path in walk])] == [walk[1]]
        assert references.load(photos[walk[0]]) is None
        assert "no longer the picture that the index describes" in str(references.lost[walk[0]])
        assert f"'{walk[2]}' cannot be read (No such file" in str(references.lost[walk[2]])


def test_a_photo_is_found_by_its_picture_and_those_that_are_gone_are_passed_over(
    walk: list[str], loftr: str, tmp_path: Path
) -> None:
    Path(walk[1]).unlink()
    answer = located(tmp_path, loftr, pose=True)
    assert isinstance(answer, Fix)
    assert (answer.status, answer.stage) == ("ok", "rerank")
    # Its only neighbour by looks that is left shows nothing that a random network matches.
    assert answer.reason == "no_pose_not_in_map"
    compared = {candidate.photo: candidate for candidate in answer.candidates}
    own, gone = compared[walk[0]], compared[walk[1]]
    assert own.inliers is not None
    assert own.matches is not None
    # A picture and itself: the matches that are right are all on one plane, and most of them.
    assert own.inliers > 30
    assert own.inliers > 0.5 * own.matches
    assert (gone.matches, gone.inliers) == (None, None)


def test_efficient_loftr_finds_a_photo_by_its_picture_too(walk: list[str], efficient: str, tmp_path: Path) -> None:
    answer = located(tmp_path, efficient)
    assert isinstance(answer, Fix)
    assert (answer.status, answer.stage) == ("ok", "rerank")
    own = {candidate.photo: candidate for candidate in answer.candidates}[walk[0]]
    assert own.inliers is not None
    assert own.matches is not None
    assert own.inliers > 30
    assert own.inliers > 0.8 * own.matches


def test_without_the_photos_the_default_still_locates_and_loftr_says_what_is_missing(
    walk: list[str], loftr: str, tmp_path: Path
) -> None:
    for path in walk:
        Path(path).unlink()
    usual = located(tmp_path, "mutual-nn", pose=True)
    assert isinstance(usual, Fix)
    assert usual.status == "ok"
    answer = located(tmp_path, loftr, pose=True)
    assert isinstance(answer, Failure)
    assert answer.code == "not_found"
    assert "'loftr' compares pictures, and 3 of the likeliest indexed photos cannot be read" in answer.message
    assert any(path in answer.message for path in walk)
    assert answer.message.endswith("; or take the matcher mutual-nn.")
    with Index.open(index_of(tmp_path / "map")) as index:
        assert list(LocalMaps(index, None, loftr).around(walk)) == []


def test_a_worker_of_a_map_matches_the_rows_of_pictures_and_none_of_one_that_vanished(
    walk: list[str], loftr: str, tmp_path: Path
) -> None:
    with Index.open(index_of(tmp_path / "map")) as index:
        row, other, _ = (photo.row_id for photo in index.all_photos())
        spec = {"index": str(index_of(tmp_path / "map")), "matcher": pinned(build_matcher(index, loftr, 0.85))}
    Path(walk[1]).unlink()
    itself, vanished = build_pair_matcher(spec)([(row, row), (row, other)])
    # Of 32 x 24 cells, those with a keypoint within 3 pixels of the compared picture, that the network knows again.
    assert len(itself) > 20
    assert np.mean(itself[:, 0] == itself[:, 1]) > 0.9
    assert (vanished.shape, vanished.dtype) == ((0, 2), np.int32)


def test_a_map_is_made_without_the_photos_that_are_gone_and_refused_without_any(
    walk: list[str], loftr: str, tmp_path: Path
) -> None:
    Path(walk[1]).unlink()
    report = build_map(tmp_path / "map", LocalPool(1), MapOptions(matcher=loftr))
    assert report.photos == 3
    assert list(report.lost) == [walk[1]]
    assert walk[1] in report.left_out
    Path(walk[0]).unlink()
    with pytest.raises(UsageError, match=r"no two of those to be compared can be read: .* or take the matcher"):
        build_map(tmp_path / "map", LocalPool(1), MapOptions(matcher=loftr))
    # What the default compares is in the index.
    assert not build_map(tmp_path / "map", LocalPool(1)).lost


def test_the_command_fails_for_a_photo_that_could_not_be_compared_and_goes_on(
    town: SmallTown, walk: list[str], loftr: str, tmp_path: Path
) -> None:
    for path in walk[1:]:
        Path(path).unlink()
    stranger, query = town.strangers[0].path, str(tmp_path / "query.jpg")
    index = index_of(tmp_path / "map")
    done = called("locate", stranger, query, "--index", index, "--matcher", loftr, "--workers", "1")
    assert done.returncode == 1, done.stderr
    failed, found = (from_record(json.loads(line)) for line in done.stdout.splitlines())
    assert isinstance(failed, Failure)
    assert isinstance(found, Fix)
    # The stranger may be on one of the two that are gone; the other photo was found on the one that is left.
    assert (failed.photo, failed.code) == (stranger, "not_found")
    assert "2 of the likeliest indexed photos cannot be read" in failed.message
    assert (found.photo, found.status) == (query, "ok")
