"""`map build` killed with SIGKILL at seeded moments; `scripts/kill_map.py` does the same hundreds of times."""

from __future__ import annotations

from pathlib import Path

import kill_map
import pytest

from geoloc_cli.errors import MapDamaged
from geoloc_cli.maps import folder
from geoloc_cli.maps.folder import open_map, settle, write_map


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> kill_map.Ground:
    return kill_map.prepare(tmp_path_factory.mktemp("ground"))


def test_the_undisturbed_map_is_the_room(ground: kill_map.Ground) -> None:
    assert sorted(ground.truth) == ground.paths
    for number, path in enumerate(ground.paths):
        east, north, _ = kill_map.camera(number).center_in_enu
        first = kill_map.camera(0).center_in_enu
        away = ground.truth[path] - ground.truth[ground.paths[0]]
        assert away[:2] == pytest.approx((east - first[0], north - first[1]), abs=0.2)


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("stage", kill_map.STAGES)
def test_a_killed_build_leaves_a_whole_map_or_none_and_is_finished(
    ground: kill_map.Ground, stage: str, again: bool
) -> None:
    assert [
        fault for seed in range(3 if stage == "writing" else 1) for fault in kill_map.trial(ground, stage, seed, again)
    ] == []


@pytest.mark.parametrize("stop", ["before", "after"])
def test_a_georeference_is_the_old_one_or_the_new(
    ground: kill_map.Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """Stopped before the renaming that makes it the map's, and after: the models stay, and no file contradicts them."""
    at = kill_map.copied(ground, tmp_path / "map")
    before = (at / "georeference.json").read_bytes()

    class Stopped(Exception):
        pass

    def stopped(path: Path, *_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(*((Path, "rename") if stop == "before" else (folder, "_link")), stopped)
        with pytest.raises(Stopped):
            write_map(at, [None], {"photos": kill_map.PHOTOS, "left_out": []})
    assert (at / "georeference.json").read_bytes() == before
    (component,) = open_map(at)
    assert sorted(component.model.images) == ground.paths
    assert (component.georeference is None) == (stop == "after")
    settle(at)
    assert (open_map(at)[0].georeference is None) == (stop == "after")
    assert not (at / "next").exists()


def test_files_in_place_without_their_manifest_are_no_map(ground: kill_map.Ground, tmp_path: Path) -> None:
    """What the order of writing would have left without `next/`."""
    at = kill_map.copied(ground, tmp_path / "map")
    (at / "georeference.json").write_text("[null]")
    with pytest.raises(MapDamaged, match=r"georeference\.json"):
        open_map(at)
