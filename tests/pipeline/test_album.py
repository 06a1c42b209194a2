"""Albums: what is ambiguous, coarse or unknown borrows from its neighbours; what is wrong drags nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.export.located import Located, ways
from geoloc_cli.geo.belief import credible_radius_m
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.photos.moments import Moment
from geoloc_cli.pipeline.album import AlbumOptions, Answer, Told, smooth_album
from geoloc_cli.records import dumps, json_schema, loads
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix, Pose, PriorGuess

HERE = (59.95, 24.5)


def at(east_m: float, north_m: float = 0.0, origin: tuple[float, float] = HERE) -> tuple[float, float]:
    lat, lon = destination(*origin, 90.0, east_m)
    lat, lon = destination(lat, lon, 0.0, north_m)
    return float(lat), float(lon)


def fix(number: int, *parts: tuple[tuple[float, float], float, float], name: str = "IMG") -> Fix:
    """An answer of places, their radii and their weights; none is a photograph that shows nothing."""
    photo = f"{name}_{number}.jpg"
    if not parts:
        return Fix(photo, "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index")
    belief = Belief(tuple(Component(*p, r, w) for p, r, w in parts), 1.0 - sum(part[2] for part in parts))
    (lat, lon), _, weight = max(parts, key=lambda part: part[2])
    return Fix(photo, "ok", "rerank", lat, lon, None, credible_radius_m(belief, lat, lon), weight, belief)


def walk(count: int, origin: tuple[float, float] = HERE, name: str = "IMG") -> list[Answer]:
    """To the east, 12 m and ten seconds each, known to 15 m."""
    return [fix(i, (at(12.0 * i, origin=origin), 15.0, 0.97), name=name) for i in range(count)]


def smooth(answers: Sequence[Answer], step_s: float = 10.0, **options: float | str) -> tuple[list[Fix], Told]:
    moments = {a.photo: Moment("A", None, step_s * i, None) for i, a in enumerate(answers) if isinstance(a, Fix)}
    found, told = smooth_album(answers, moments, AlbumOptions(**options))  # type: ignore[arg-type]
    assert [a.photo for a in found] == [a.photo for a in answers]
    assert [loads(dumps(answer)) for answer in found] == found
    jsonschema.validate(json.loads(dumps(found[2])), json_schema())
    return [a for a in found if isinstance(a, Fix)], told


def off_m(answer: Fix, place: tuple[float, float]) -> float:
    assert answer.lat is not None
    assert answer.lon is not None
    return float(haversine_m(answer.lat, answer.lon, *place))


@pytest.mark.parametrize("origin", [HERE, (-17.0, 179.9995), (89.9, 0.0)])
def test_the_ambiguous_the_coarse_and_the_empty_borrow(origin: tuple[float, float]) -> None:
    answers = walk(9, origin)
    answers[2] = fix(2, (at(5000.0, origin=origin), 15.0, 0.6), (at(24.0, origin=origin), 15.0, 0.35))
    answers[4] = fix(4, (at(1000.0, 2000.0, origin=origin), 8000.0, 0.95))
    answers[6] = fix(6)
    found, told = smooth(answers)
    for i in (2, 4, 6):
        one = found[i]
        assert off_m(one, at(12.0 * i, origin=origin)) < 12.0
        assert one.radius_m is not None
        assert one.radius_m < 60.0
        assert one.status == "ok"
        assert one.album is not None
        assert one.album.borrowed_from == (f"IMG_{i - 1}.jpg", f"IMG_{i + 1}.jpg")
        assert one.album.radius_after_m == one.radius_m
        assert one.priors[-1].name == "album"
    assert [found[i].stage for i in (2, 4, 6)] == ["rerank", "rerank", "prior"]
    assert found[6].album is not None
    assert found[6].album.radius_before_m is None
    assert (told.sharper >= 2, told.placed, told.refused, told.odd) == (True, 1, 0, [])


def test_one_that_is_sure_and_wrong_is_refused_and_drags_nobody() -> None:
    answers = walk(9)
    answers[4] = fix(4, (at(7000.0), 15.0, 0.99))
    found, told = smooth(answers)
    assert found[4].reason == "off_the_track"
    assert found[4].stage == "prior"
    assert "its own answer, 6.95 km from here, was refused" in found[4].priors[-1].rationale
    assert max(off_m(one, at(12.0 * i)) for i, one in enumerate(found)) < 12.0
    assert told.refused == 1
    assert told.odd == ["'IMG_4.jpg' is by its own answer 6.95 km from where its neighbours put it; that was refused"]


def test_a_pose_stays_where_it_is_and_goes_where_another_place_is_right() -> None:
    answers = walk(9)
    pose = Pose("m", True, (1, 0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), 0.0, 0.0, 0.0, 90, 0.9, 1.0, None, None, "t")
    two = fix(4, (at(48.0), 4.0, 0.5), (at(48.0, 900.0), 4.0, 0.45))
    right = replace(two, stage="pose", pose=pose, alt_m=80.0)
    wrong = replace(right, lat=two.belief.components[1].lat, lon=two.belief.components[1].lon)
    found = [smooth([*answers[:4], one, *answers[5:]])[0][4] for one in (right, wrong)]
    assert (found[0].lat, found[0].pose, found[0].stage, found[0].alt_m) == (right.lat, pose, "pose", 80.0)
    assert (found[1].pose, found[1].stage, found[1].alt_m, found[1].reason) == (None, "rerank", None, None)
    assert off_m(found[1], at(48.0)) < 3.0


def test_where_nobody_knows_anything_nothing_changes() -> None:
    for answers in ([], [fix(0)], [fix(i) for i in range(4)], walk(1)):
        found, _ = smooth_album(answers, {a.photo: Moment(None, None, None, None) for a in answers}, AlbumOptions())
        bare = [replace(one, album=None) for one in found if isinstance(one, Fix)]
        assert bare == list(answers)


def test_gaps_without_end_leave_every_answer_as_it_was() -> None:
    rng = np.random.default_rng(1)
    answers: list[Answer] = []
    for i in range(8):
        weights = rng.dirichlet(np.ones(3)) * 0.95
        parts = [(at(*rng.uniform(-3000, 3000, 2)), float(rng.uniform(5, 5000)), float(w)) for w in weights]
        answers.append(fix(i, *parts))
    found, _ = smooth(answers, step_s=1e7)
    for one, alone in zip(found, answers, strict=True):
        assert isinstance(alone, Fix)
        assert (one.lat, one.lon, one.radius_m, one.belief) == (alone.lat, alone.lon, alone.radius_m, alone.belief)
        assert one.album is not None
        assert one.album.borrowed_from == ()


def test_each_camera_is_a_way_of_its_own() -> None:
    # Two who walk 3 km apart, and take turns in one folder: nobody borrows from the other.
    one, other = walk(6, name="A"), walk(6, at(0.0, 3000.0), name="B")
    one[2] = fix(2, (at(24.0, 3000.0), 15.0, 0.6), (at(24.0), 15.0, 0.35), name="A")
    moments = {a.photo: Moment(a.photo[0], None, 10.0 * i, None) for row in (one, other) for i, a in enumerate(row)}
    found, told = smooth_album([*one, *other], moments, AlbumOptions())
    assert told.ways == 2
    resolved = found[2]
    assert isinstance(resolved, Fix)
    assert off_m(resolved, at(24.0)) < 5.0
    assert resolved.album is not None
    assert set(resolved.album.borrowed_from) == {"A_1.jpg", "A_3.jpg"}


def test_a_jump_that_nobody_makes_is_told() -> None:
    # Two halves of a walk, 400 km apart in ten seconds: both are believed, and the clock is asked.
    answers = [*walk(5), *(fix(i, (at(4e5 + 12.0 * i), 15.0, 0.97)) for i in range(5, 10))]
    found, told = smooth(answers)
    assert all(one.reason is None for one in found)
    assert told.odd == ["'IMG_4.jpg' to 'IMG_5.jpg': 400 km in 10 s; is the place of one or the clock wrong?"]


def test_the_ways_of_travel_that_are_said_are_the_limits() -> None:
    # 250 m in ten seconds are a drive; of one on foot the second photograph must be wrong, or the first.
    answers = [fix(i, (at(250.0 * i), 15.0, 0.97)) for i in range(6)]
    driven, told = smooth(answers, speed="auto")
    assert {one.album.travel for one in driven if one.album} == {"drive"}
    assert not told.odd
    walked, told = smooth(answers, speed="walk")
    assert told.odd or any(one.reason for one in walked)
    with pytest.raises(UsageError, match="no speed 'swim'"):
        AlbumOptions("swim").check()


def test_without_times_the_order_of_the_names_still_bridges() -> None:
    answers = walk(9)
    answers[5] = fix(5)
    moments = {answer.photo: Moment(None, None, None, None) for answer in answers}
    found, _ = smooth_album([*answers, Failure("broken.jpg", "not_a_photo", "It is none.")], moments, AlbumOptions())
    bridged = found[5]
    assert isinstance(bridged, Fix)
    assert off_m(bridged, at(60.0)) < 12.0
    assert bridged.album is not None
    assert (bridged.album.time, bridged.album.travel) == ("order", None)
    assert found[9] == Failure("broken.jpg", "not_a_photo", "It is none.")


def test_two_cameras_are_two_tracks_of_the_exports() -> None:
    answers = [*walk(4, name="A"), *walk(4, at(0.0, 3000.0), name="B")]
    moments = {a.photo: Moment(a.photo[0], None, None, None) for a in answers}
    found, _ = smooth_album(answers, moments, AlbumOptions())
    chains = ways(Located(one) for one in found if isinstance(one, Fix))
    assert [[photo.fix.photo for photo in chain] for chain in chains] == [
        [f"A_{i}.jpg" for i in range(4)],
        [f"B_{i}.jpg" for i in range(4)],
    ]


def test_neighbours_that_share_their_references_sharpen_little() -> None:
    # Six on one spot: independent ones would be known to 15 / sqrt(6) = 6 m; half of the variance is shared.
    found, _ = smooth([fix(i, (at(0.0), 15.0, 0.98)) for i in range(6)])
    assert all(15.0 * 0.7 < one.radius_m < 16.5 for one in found if one.radius_m)


def test_what_is_said_once_is_heard_once() -> None:
    # Three copies of one photograph of two look-alikes, and a place that was given for all: neither grows surer.
    two = replace(
        fix(0, (at(0.0), 15.0, 0.5), (at(3000.0), 15.0, 0.4)), candidates=(Candidate("a.jpg", *at(0.0), 0.9),)
    )
    copies: list[Answer] = [replace(two, photo=f"IMG_{i}.jpg") for i in range(3)]
    found, told = smooth(copies)
    assert [one.confidence for one in found] == [two.confidence] * 3
    assert told.odd == ["2 photographs are copies of others, such as 'IMG_1.jpg'"]
    given: list[Answer] = [
        replace(fix(i, (at(0.0), 2000.0, 0.45), (at(9000.0), 1000.0, 0.45)), stage="prior") for i in range(9)
    ]
    found, _ = smooth(given)
    assert [replace(one, album=None) for one in found] == given
    # Nor where a sign in each picture says something of its own beside it.
    near = PriorGuess("near", *at(0.0), 2000.0)
    signs: list[Answer] = [
        replace(fix(i, (at(100.0 * i), 1500.0, 0.9)), stage="prior", priors=(near, PriorGuess("ocr", *at(i), 3000.0)))
        for i in range(9)
    ]
    found, _ = smooth(signs)
    assert [replace(one, album=None) for one in found] == signs
    # They borrow as those do that say nothing.
    found, told = smooth([given[0], *walk(9)[1:8], given[8]])
    assert max(one.radius_m or 1e9 for one in found) < 150.0
    assert told.sharper + told.placed >= 2
