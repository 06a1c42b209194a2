"""`--matcher` of `locate` and `map`: the stages take what is named, and a map says what it was made by."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from program import called

from geoloc_cli.index.reader import Index
from geoloc_cli.maps.folder import index_of, read_manifest
from geoloc_cli.pipeline.map import RATIO
from geoloc_cli.pipeline.matching import build_matcher, key_of_matcher, pinned
from geoloc_cli.pipeline.ondemand import LocalMaps
from geoloc_cli.store import Store

if TYPE_CHECKING:
    from conftest import SmallTown


def geoloc(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = called(*arguments)
    assert done.returncode == status, done.stderr
    return done


def matches(town: SmallTown, *options: str) -> list[int]:
    """Of one query with each candidate that was compared."""
    done = geoloc("locate", town.queries[0].path, "--index", town.index, "--workers", "1", "--explain", *options)
    record: dict[str, Any] = json.loads(done.stdout)
    assert record["status"] == "ok"
    return [candidate["matches"] for candidate in record["candidates"] if candidate["matches"] is not None]


def test_the_default_is_the_ratio_of_each_stage_and_a_stated_one_wins(town: SmallTown) -> None:
    usual = matches(town)
    assert matches(town, "--matcher", "mutual-nn?max_ratio=0.8") == usual
    # Lowe's figure 11: a ratio of 0.6 keeps half of the right matches and nearly none of the wrong ones.
    assert 20 < max(matches(town, "--matcher", "mutual-nn?max_ratio=0.6")) < 0.95 * max(usual)
    with Index.open(town.index) as index:
        assert build_matcher(index, "mutual-nn", RATIO).options.max_ratio == RATIO == 0.85
        assert build_matcher(index, "mutual-nn?max_ratio=0.6", RATIO).options.max_ratio == 0.6


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mutual", "did you mean 'mutual-nn'?"),
        ("mutual-nn?ratio=0.7", "has no option 'ratio'; did you mean 'max_ratio'?"),
        ("mutual-nn?max_ratio=2", "max_ratio is 2.0"),
    ],
)
def test_what_is_no_matcher_is_refused_before_a_photo_is_read(town: SmallTown, text: str, sentence: str) -> None:
    done = geoloc("locate", town.queries[0].path, "--index", town.index, "--matcher", text, status=2)
    assert sentence in done.stderr
    assert done.stdout == ""


def test_a_map_says_by_which_matcher_it_was_made(town: SmallTown, tmp_path: Path) -> None:
    shutil.copytree(town.index, index_of(tmp_path / "map"))
    paths = [photo.path for photo in town.photos]
    text = "mutual-nn?max_ratio=0.75"
    geoloc("map", "build", *paths, "--map", tmp_path / "map", "--near", "2", "--alike", "2", "--matcher", text)
    recorded = {"name": "mutual-nn", "options": {"max_ratio": 0.75}}
    assert read_manifest(tmp_path / "map")["matcher"] == recorded
    assert json.loads(geoloc("map", "info", tmp_path / "map", "--json").stdout)["matcher"] == recorded


def test_a_map_on_demand_is_not_taken_for_one_of_another_matcher(town: SmallTown, tmp_path: Path) -> None:
    seed = town.photos[6].path
    with Index.open(town.index) as index:
        for text in ("mutual-nn", "mutual-nn?max_ratio=0.8"):
            (made,) = list(LocalMaps(index, Store(tmp_path), text).around([seed]))
            assert seed in made[1].model.images
        assert len(list(tmp_path.rglob("*.npz"))) == 2
        first, again = (build_matcher(index, text, RATIO) for text in ("mutual-nn", "mutual-nn?max_ratio=0.85"))
    assert key_of_matcher(first) == key_of_matcher(again) == ["mutual-nn", "1", {"max_ratio": 0.85}]
    assert json.loads(json.dumps(pinned(first))) == {"name": "mutual-nn", "options": {"max_ratio": 0.85}}
