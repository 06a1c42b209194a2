"""Photographs as one trajectory: what shows nothing is bridged, what is elsewhere refused, what is sharp left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from PIL import ExifTags, Image
from program import called

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.index.reader import Circle
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.batch import locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.sequence import Answer, follow
from geoloc_cli.records import json_schema
from geoloc_cli.testing.demo import OTHER_TOWN_AT, TOWN_AT, street_cameras
from geoloc_cli.testing.photos import Noise, write_photos
from geoloc_cli.testing.render import CameraPose
from geoloc_cli.testing.town import Town
from geoloc_cli.types import Belief, Component, Failure, Fix, Pose

if TYPE_CHECKING:
    from conftest import SmallTown

HERE = (59.95, 24.5)
BLANK, ELSEWHERE = 3, 6


def away_m(fix: Fix, lat: float, lon: float) -> float:
    assert fix.lat is not None
    assert fix.lon is not None
    return float(haversine_m(fix.lat, fix.lon, lat, lon))


def fixes_of(answers: list[Answer]) -> list[Fix]:
    assert all(isinstance(answer, Fix) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Fix)]


# --- On answers made by hand: a walk to the east, one photograph each ten seconds and 12 m. ---


def a_fix(number: int, *, aside_m: float = 0.0, radius_m: float = 15.0, name: str = "") -> Fix:
    lat, lon = (float(v) for v in destination(*HERE, 90.0, 12.0 * number))
    lat, lon = (float(v) for v in destination(lat, lon, 0.0, aside_m))
    belief = Belief((Component(lat, lon, radius_m, 0.99),), 0.01)
    path = name or f"walk/IMG_{number}.jpg"
    return Fix(path, "ok", "rerank", lat, lon, None, radius_m * 1.05, 0.99, belief)


def nothing(fix: Fix) -> Fix:
    """The fix of a photograph that shows nothing."""
    return Fix(fix.photo, "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index")


def clock(path: str) -> str:
    seconds = 10 * int(path.split("_")[1].split(".")[0])
    return f"2026-06-01T12:{seconds // 60:02d}:{seconds % 60:02d}+02:00"


def timeless(path: str) -> None:
    return None


def gives_nothing(circles: dict[str, Circle]) -> list[Answer]:
    return [nothing(a_fix(0, name=path)) for path in circles]


@pytest.mark.parametrize("taken_at", [clock, timeless])
def test_a_gap_is_bridged_and_an_answer_far_off_refused(taken_at: Callable[[str], str | None]) -> None:
    """Input order is that of the names as texts (0, 1, 10, 11, 2 ...), and answers come back in it."""
    true = [a_fix(i) for i in range(12)]
    given: list[Answer] = list(true)
    given[4] = nothing(true[4])
    given[8] = replace(true[8], lat=-33.5, lon=161.0, belief=Belief((Component(-33.5, 161.0, 15.0, 0.99),), 0.01))
    given = sorted(given, key=lambda answer: answer.photo)
    failure = Failure("walk/IMG_5b.jpg", "not_a_photo", "'walk/IMG_5b.jpg' is no picture.")
    given.insert(7, failure)
    found = follow(given, gives_nothing, taken_at=taken_at)
    assert [answer.photo for answer in found] == [answer.photo for answer in given]
    assert found[7] is failure
    by_name = {fix.photo: fix for fix in found if isinstance(fix, Fix)}
    for number, reason in ((4, "not_in_index"), (8, "off_the_track")):
        bridged, truth = by_name[f"walk/IMG_{number}.jpg"], true[number]
        assert (bridged.status, bridged.stage, bridged.reason) == ("ok", "prior", reason)
        assert bridged.radius_m is not None
        assert truth.lat is not None
        assert truth.lon is not None
        assert away_m(bridged, truth.lat, truth.lon) < bridged.radius_m < 60.0
        assert 0.95 < bridged.confidence < 0.99
        assert bridged.priors[0].name == "sequence"
        apart = "20 s" if taken_at is clock else "2 photographs"
        expected = f"between 'IMG_{number - 1}.jpg' and 'IMG_{number + 1}.jpg', {apart} apart"
        assert bridged.priors[0].rationale.startswith(expected)
    assert "its own answer, 1.5" in by_name["walk/IMG_8.jpg"].priors[0].rationale  # 15 300 km
    for number in (0, 3, 5, 7, 9, 11):
        fix, truth = by_name[f"walk/IMG_{number}.jpg"], true[number]
        assert truth.lat is not None
        assert truth.lon is not None
        assert fix.stage == "rerank"
        assert away_m(fix, truth.lat, truth.lon) < 5.0


def test_the_second_search_is_near_where_the_track_leads_and_its_answers_count() -> None:
    true = [a_fix(i) for i in range(9)]
    given: list[Answer] = list(true)
    given[4] = nothing(true[4])
    asked: dict[str, Circle] = {}

    def again(circles: dict[str, Circle]) -> list[Answer]:
        asked.update(circles)
        return [true[4]]

    found = fixes_of(follow(given, again, taken_at=clock))
    assert list(asked) == ["walk/IMG_4.jpg"]
    circle = asked["walk/IMG_4.jpg"]
    assert away_m(true[4], circle.lat, circle.lon) < 5.0
    assert 100.0 <= circle.radius_m < 150.0
    assert (found[4].stage, found[4].reason) == ("rerank", None)
    assert found[4].priors[-1].name == "sequence"
    # Nobody is searched for again where all have a place.
    assert fixes_of(follow(true, lambda circles: pytest.fail("searched"), taken_at=clock))[4].stage == "rerank"


def test_times_give_the_order_and_names_do_not() -> None:
    """Named at random, and the time of half of them told in another zone."""
    names = [f"{hash_:03d}.jpg" for hash_ in np.random.default_rng(0).permutation(12)]
    true = [a_fix(i, name=name) for i, name in enumerate(names)]
    given: list[Answer] = [nothing(fix) if i == 5 else fix for i, fix in enumerate(true)]
    times = {}
    for i, name in enumerate(names):
        times[name] = f"2026-06-01T{12 if i % 2 else 10}:00:{5 * i:02d}{'+02:00' if i % 2 else '+00:00'}"
    found = fixes_of(follow(given, gives_nothing, taken_at=times.get))
    assert f"between '{names[4]}' and '{names[6]}', 10 s apart" in found[5].priors[0].rationale
    assert true[5].lat is not None
    assert true[5].lon is not None
    assert away_m(found[5], true[5].lat, true[5].lon) < 10.0
    # One without a time, where the others have theirs, takes no part: it is not placed by its name.
    del times[names[5]]
    assert fixes_of(follow(given, gives_nothing, taken_at=times.get))[5] == given[5]


def test_a_pose_is_never_moved_and_vague_answers_are_sharpened() -> None:
    rng = np.random.default_rng(1)
    pose = Pose("m", True, (1, 0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), 0, 0, 0, 90, 0.9, 0.5, None, None, "p3p")
    given: list[Fix] = []
    for i in range(20):
        if i % 4 == 0:
            given.append(replace(a_fix(i, radius_m=1.0), stage="pose", pose=pose))
        else:
            given.append(a_fix(i, aside_m=float(rng.normal(0.0, 10.0)), radius_m=30.0))
    found = fixes_of(follow(given, gives_nothing, taken_at=clock))
    assert found[::4] == given[::4]
    true = [a_fix(i) for i in range(20)]
    before, after = (
        [away_m(f, t.lat or 0.0, t.lon or 0.0) for i, (f, t) in enumerate(zip(fixes, true, strict=True)) if i % 4]
        for fixes in (given, found)
    )
    assert np.median(after) < 0.7 * np.median(before)
    radii = [fix.radius_m or 0.0 for i, fix in enumerate(found) if i % 4]
    assert max(radii) < 30.0
    assert np.mean(np.array(after) <= radii) >= 0.9
    assert {fix.stage for i, fix in enumerate(found) if i % 4} == {"rerank"}


def test_nothing_is_said_of_a_gap_that_the_motion_does_not_tell() -> None:
    """Twelve photographs in two minutes, and one ten minutes later: without an answer, and 400 km off."""
    given: list[Answer] = [a_fix(i) for i in range(12)]
    late = nothing(a_fix(72))
    assert follow([*given, late], gives_nothing, taken_at=clock)[-1] == late
    far = a_fix(72, aside_m=4e5)
    refused = fixes_of(follow([*given, far], gives_nothing, taken_at=clock))[-1]
    assert (refused.status, refused.stage, refused.reason) == ("unlocated", None, "off_the_track")
    assert (refused.lat, refused.radius_m, refused.confidence, refused.belief) == (None, None, 0.0, Belief())


def test_sequences_of_one_of_none_and_of_the_same_work() -> None:
    one = a_fix(3)
    assert follow([], gives_nothing) == []
    assert follow([one], gives_nothing, taken_at=clock) == [one]
    lost: list[Answer] = [nothing(a_fix(i)) for i in range(3)]
    assert follow(lost, gives_nothing, taken_at=clock) == lost
    assert follow([one, lost[0]], gives_nothing, taken_at=clock) == [one, lost[0]]
    # The same photograph given twice counts once, and is answered twice.
    twice = fixes_of(follow([one, a_fix(4), one, lost[2], a_fix(1)], gives_nothing, taken_at=clock))
    assert twice[0] == twice[2]
    assert twice[3].stage == "prior"
    # All of one instant, as after a copy that set the times: the names are the order.
    same = fixes_of(
        follow([a_fix(0), a_fix(1), lost[2], a_fix(3)], gives_nothing, taken_at=lambda path: "2026-06-01T12:00:00")
    )
    assert "2 photographs apart" in same[2].priors[0].rationale
    # A pose in a map that is nowhere on the Earth is left as it is.
    nowhere = replace(one, lat=None, lon=None, radius_m=None, belief=Belief(), stage="pose")
    assert follow([a_fix(0), nowhere, a_fix(5)], gives_nothing, taken_at=clock)[1] == nowhere
    # Two that contradict each other: nobody can tell which is wrong.
    odd = a_fix(1, aside_m=5e5)
    assert follow([a_fix(0), odd], gives_nothing, taken_at=clock) == [a_fix(0), odd]


# --- On rendered photographs: nine views along the street, a second and 4.5 m apart. ---


class Walk:
    """`frames` in the order of time, `truth` of each; the fourth shows nothing, the seventh another town."""

    def __init__(self, town: SmallTown, folder: Path) -> None:
        self.folder = folder
        first, last = (np.array(town.photos[i].pose.center_in_enu) for i in (1, -2))
        heading = town.photos[1].pose.heading_deg
        centers = [first + share * (last - first) + [0.7, 0.0, 0.1] for share in np.linspace(0.0, 1.0, 9)]
        poses = [CameraPose((float(c[0]), float(c[1]), float(c[2])), heading + 4.0, 6.0) for c in centers]
        made = Town(0, *TOWN_AT)
        self.truth = write_photos(
            made, poses, folder / "walk", noise=Noise(sensor_std=3.0), seed=3, with_position=False, prefix="frame"
        )
        other, rng = Town(1000, *OTHER_TOWN_AT), np.random.default_rng(0)
        there = street_cameras(other, rng)[6:11]
        known = write_photos(other, there, folder / "there", seed=4, prefix="there")
        like = replace(there[2], heading_deg=there[2].heading_deg + 3.0)
        stranger = write_photos(other, [like], folder / "strange", seed=5, with_position=False)[0]
        # Names tell nothing of the order.
        names = [f"{number:03d}.jpg" for number in np.random.default_rng(5).permutation(9)]
        self.frames = [str(folder / "walk" / name) for name in names]
        for i, (photo, path) in enumerate(zip(self.truth, self.frames, strict=True)):
            exif = Image.open(photo.path).getexif()
            exif.get_ifd(ExifTags.IFD.Exif)
            picture = Image.open(photo.path)
            if i == BLANK:
                picture = Image.new("RGB", picture.size, (140, 140, 140))
            elif i == ELSEWHERE:
                picture = Image.open(stranger.path)
            picture.save(path, quality=92, exif=exif)
            Path(photo.path).unlink()
        self.index = str(folder / "index")
        shutil.copytree(town.index, self.index)
        build_index(self.index, [photo.path for photo in known], parallel_map=LocalPool(1))

    def locate(self, **options: Any) -> list[Answer]:
        cache = str(self.folder / "cache")
        return list(
            locate_photos(self.index, parallel_map=LocalPool(1), options=LocateOptions(), cache=cache, **options)
        )


@pytest.fixture(scope="module")
def walk(town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return Walk(town, tmp_path_factory.mktemp("walk"))


def test_a_walk_with_a_blank_frame_and_one_of_another_town(walk: Walk) -> None:
    paths = sorted(walk.frames)
    before = walk.locate(paths=paths)
    after = fixes_of(follow(before, lambda near: walk.locate(paths=list(near), near_of=near)))
    alone, found = ({fix.photo: fix for fix in fixes_of(answers)} for answers in (before, after))
    assert [fix.photo for fix in after] == paths
    assert alone[walk.frames[BLANK]].status == "unlocated"
    stranger = alone[walk.frames[ELSEWHERE]]
    assert stranger.status == "ok"
    assert away_m(stranger, *OTHER_TOWN_AT[:2]) < 300.0
    errors = {}
    for i, (path, truth) in enumerate(zip(walk.frames, walk.truth, strict=True)):
        fix = found[path]
        assert fix.status == "ok", path
        assert fix.radius_m is not None
        errors[i] = away_m(fix, truth.lat, truth.lon)
        assert errors[i] <= fix.radius_m
        assert fix.stage == ("prior" if i in (BLANK, ELSEWHERE) else "rerank")
    assert found[walk.frames[ELSEWHERE]].reason == "off_the_track"
    for i in (BLANK, ELSEWHERE):
        assert (found[walk.frames[i]].radius_m or 0.0) < 50.0
        assert Path(walk.frames[i - 1]).name in found[walk.frames[i]].priors[-1].rationale
    seen = [i for i in range(9) if i not in (BLANK, ELSEWHERE)]
    single = [away_m(alone[walk.frames[i]], walk.truth[i].lat, walk.truth[i].lon) for i in seen]
    assert np.median([errors[i] for i in seen]) <= np.median(single) + 0.5


def test_the_command_answers_in_the_order_of_the_call(walk: Walk, tmp_path: Path) -> None:
    def run(*arguments: str, status: int) -> str:
        done = called("locate", *arguments, "--index", walk.index, "--workers", "1")
        assert done.returncode == status, done.stderr
        return done.stdout if status < 2 else done.stderr

    kept = tmp_path / "kept.jsonl"
    cached = "--cache", str(walk.folder / "cache"), "--resume", str(kept)
    paths = [*walk.frames[2:8], str(tmp_path / "missing.jpg")]
    lines = [json.loads(line) for line in run(*paths, *cached, "--sequence", "--max-speed", "8", status=1).splitlines()]
    for line in lines:
        jsonschema.validate(line, json_schema())
    assert [line["photo"] for line in lines] == paths
    assert [line["status"] for line in lines] == ["ok"] * 6 + ["error"]
    assert [line["stage"] for line in lines[:6]] == ["rerank", "prior", "rerank", "rerank", "prior", "rerank"]
    # What was kept knows of no sequence.
    first = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line["status"] for line in first] == ["ok", "unlocated", "ok", "ok", "ok", "ok", "error"]
    assert first[4]["lat"] < 0.0
    assert "--sequence" in run(*paths, "--max-speed", "3", status=2)
    assert "above 0" in run(*paths, "--sequence", "--max-speed", "0", status=2)


@pytest.mark.realdata
def test_real_photographs_in_a_row_are_placed_no_worse(realdata: Path, tmp_path: Path, described: str) -> None:
    """Lund: the odd photographs are the index, the even ones the way, one of which is made to show nothing."""
    photos = sorted((realdata / "lund" / "photos").glob("*.jpg"))[:27]  # the last three stood still
    index = str(tmp_path / "index")
    build_index(index, [str(path) for path in photos[::2]], parallel_map=LocalPool(1), cache=described)
    asked = [str(path) for path in photos[1::2]]
    blank = tmp_path / Path(asked[6]).name
    Image.new("RGB", (1024, 768), (140, 140, 140)).save(blank)
    true = {str(path): read_photo(str(path)).position for path in photos}
    true[str(blank)] = true[asked[6]]
    asked[6] = str(blank)

    def run(**options: Any) -> list[Answer]:
        return list(
            locate_photos(index, parallel_map=LocalPool(1), options=LocateOptions(), cache=described, **options)
        )

    before = fixes_of(run(paths=asked))
    after = fixes_of(follow(before, lambda near: run(paths=list(near), near_of=near)))
    tables = []
    for fixes in (before, after):
        rows = [(f, p) for f in fixes if f.lat is not None and (p := true[f.photo]) is not None]
        error = np.array([away_m(f, p.lat, p.lon) for f, p in rows])
        inside = np.array([f.radius_m or 0.0 for f, _ in rows]) >= error
        tables.append((len(rows), float(np.median(error)), float(error.max()), float(inside.mean())))
        print("lund, {} of 13: median {:.1f} m, worst {:.1f} m, inside {:.2f}".format(*tables[-1]))
    assert before[6].status == "unlocated"
    assert after[6].stage == "prior"
    assert tables[1][0] == len(asked)
    assert tables[1][1] <= tables[0][1] + 0.5
    assert tables[1][3] >= 0.9
