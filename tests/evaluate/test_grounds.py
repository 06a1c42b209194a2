"""What queries are looked for in: an index of each scene's references, and how a map lies in the set's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import MapMissing, UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet
from geoloc_cli.evaluate.grounds import Made, Stated, given_ground, laid_over, made_grounds
from geoloc_cli.index.reader import Index
from geoloc_cli.maps.similarity import rotation_of
from geoloc_cli.testing.fakes import MadeExtraction, write_made
from geoloc_cli.types import Position

SMALL = "vlad?words=4&local_dim=8&dim=16&sample=2000&crops=1"


def scenes(folder: Path) -> LabelledSet:
    """Twelve references in two scenes, and a query of each."""
    paths = write_made(folder / "photos", 14)
    names = [Path(path).name for path in paths]
    lat = 50.0 + np.arange(14) * 9e-5
    groups = ["red house"] * 6 + ["hall/2"] * 6
    references = Labelled(folder / "photos", names[:12], lat[:12], np.full(12, 10.0), groups=groups)
    queries = Labelled(folder / "photos", names[12:], lat[12:], np.full(2, 10.0), groups=["hall/2", "red house"])
    return LabelledSet("scenes", references, queries)


def test_each_scene_has_an_index_of_its_own_references(tmp_path: Path) -> None:
    seen: list[str] = []
    labelled = scenes(tmp_path)
    made = list(
        made_grounds(labelled, tmp_path / "out", Made(descriptor=SMALL), False, MadeExtraction(seen.append), _silent)
    )
    assert [ground.rows for ground in made] == [(0,), (1,)]
    assert [Path(str(ground.index)).relative_to(tmp_path).as_posix() for ground in made] == [
        "out/index/hall-2",
        "out/index/red-house",
    ]
    held = []
    for ground in made:
        with Index.open(str(ground.index)) as index:
            held.append({Path(photo.path).name for photo in index.all_photos()})
    assert held == [{f"{n:05d}.made" for n in range(6, 12)}, {f"{n:05d}.made" for n in range(6)}]
    identity = made[0].identity("mutual-nn")
    assert identity is not None
    assert identity["descriptor"]["options"]["words"] == 4
    assert identity["matcher"][0] == "mutual-nn"
    # Made once: the second time every photograph is there already.
    seen.clear()
    list(made_grounds(labelled, tmp_path / "out", Made(descriptor=SMALL), False, MadeExtraction(seen.append), _silent))
    assert seen == []


def _silent(stage: str, done: int) -> None:
    """Nobody is told."""


def test_a_scene_without_references_and_two_places_to_search_in_are_refused(tmp_path: Path) -> None:
    labelled = scenes(tmp_path)
    assert given_ground(labelled, "index", None).rows == (0, 1)
    with pytest.raises(UsageError, match="and not both"):
        given_ground(labelled, "index", "map")
    with pytest.raises(MapMissing):
        given_ground(labelled, None, str(tmp_path / "nowhere"))
    lost = LabelledSet("scenes", Labelled.none(tmp_path), labelled.queries)
    with pytest.raises(UsageError, match="scenes has no references for its queries in hall/2"):
        list(made_grounds(lost, tmp_path / "out", Made(), False, MadeExtraction(), _silent))


def test_the_places_of_a_set_are_stated_by_path_and_none_where_it_knows_none(tmp_path: Path) -> None:
    labelled = Labelled(tmp_path, ["a.jpg", "b.jpg"], np.array([1.0, np.nan]), np.array([2.0, np.nan]))
    stated = Stated(labelled)
    assert stated.get(str(tmp_path / "a.jpg")) == Position(1.0, 2.0, source="file")
    assert stated.get(str(tmp_path / "b.jpg")) is None


def test_a_map_is_laid_over_the_set_by_the_photographs_that_both_hold() -> None:
    rng = np.random.default_rng(0)
    turn, shift = rotation_of(np.array([0.4, 1.0, -0.2])), np.array([100.0, -20.0, 3.0])
    here = {f"{n}.jpg": rng.normal(0.0, 5.0, 3) for n in range(8)}
    there = {name: 2.5 * turn @ center + shift for name, center in here.items()}
    here["strange.jpg"] = np.zeros(3)
    frame = laid_over(here, there)
    assert frame is not None
    assert (frame.photos, frame.scale) == (8, pytest.approx(2.5))
    np.testing.assert_allclose(frame.rotation, turn, atol=1e-9)
    np.testing.assert_allclose(frame.translation, shift, atol=1e-9)
    assert frame.rms == pytest.approx(0.0, abs=1e-9)
    there["3.jpg"] = there["3.jpg"] + [0.0, 0.0, 2.0]
    moved = laid_over(here, there)
    assert moved is not None
    assert 0.3 < moved.rms < 2.0 / np.sqrt(8)
    assert laid_over({name: here[name] for name in ("0.jpg", "1.jpg", "strange.jpg")}, there) is None
