"""Pieces of evidence: only what ran is cited, and nothing that a file says is taken for more than its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.claims import file_says, picture
from geoloc_cli.claims.check import Checked, CheckOptions, Claim, Unchecked, weighed
from geoloc_cli.claims.picture import Searched, Seen
from geoloc_cli.claims.record import ran, statement, to_json
from geoloc_cli.claims.region import Disc
from geoloc_cli.claims.sightings import Sighting, doubt_of
from geoloc_cli.claims.verdict import FILE_CAP, verdict_of
from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import from_components
from geoloc_cli.geo.earth import destination
from geoloc_cli.types import Belief, Candidate, Clock, Component, Fix, Photo, Pose, Position

AT = (47.3769, 8.5417)
CLAIM = Disc(*AT, 150.0)
NOTHING = Fix("a.jpg", "unlocated", None, None, None, None, None, 0.0, Belief(), "nothing_known")


def away(metres: float) -> tuple[float, float]:
    lat, lon = destination(*AT, 40.0, metres)
    return float(lat), float(lon)


def sighting(metres: float, evidence: float = 300.0) -> Sighting:
    return Sighting("i.jpg", "00", away(metres), 200, 150, evidence, np.zeros((150, 4)), (640, 480), (640, 480))


def located(metres: float, stage: str = "rerank", spread: float = 0.01) -> Fix:
    lat, lon = away(metres)
    belief = from_components([Component(lat, lon, 15.0, 1.0 - spread)], spread)
    return replace(NOTHING, status="ok", stage=stage, lat=lat, lon=lon, radius_m=17.0, belief=belief, reason=None)


def index(metres: float, count: int = 8) -> Searched:
    return Searched(count, np.tile(away(metres), (count, 1)))


def checked(seen: Seen, photo: Photo, moment: datetime | None = None) -> Checked:
    pieces = picture.pieces_of(seen, CLAIM, "scales") + file_says.pieces_of(photo, CLAIM, moment, "scales", None)
    return Checked("a.jpg", "0" * 64, Claim(CLAIM, moment), verdict_of(pieces, 100.0), tuple(pieces), (), seen)


def test_nothing_is_said_of_steps_that_did_not_run() -> None:
    """No index, no map, no prior: neither matches nor a pose nor a search is mentioned anywhere in the record."""
    alone = checked(Seen(NOTHING), Photo("a.jpg", 640, 480, position=Position(*AT)))
    assert alone.verdict.answer == "undecided"
    assert [piece.name for piece in alone.pieces] == ["file_position"]
    assert ran(alone) == ["the file's own words were read"]
    said = " ".join(statement(alone, CheckOptions())).lower()
    assert not {word for word in ("match", "pose", "index", "map", "prior", "scene") if word in said}
    assert to_json(alone, CheckOptions())["matches"] == []


def test_a_search_without_a_map_says_nothing_of_poses() -> None:
    compared = (Candidate("i.jpg", *AT, 0.9, matches=200, inliers=150), Candidate("j.jpg", *AT, 0.1))
    times = {"decode": 1.0, "prior": 0.0, "search": 2.0, "verify": 3.0}
    found = replace(located(0.0), timing_ms=times, candidates=compared)
    done = checked(Seen(found, [sighting(0.0), sighting(5.0)], index(0.0)), Photo("a.jpg", 640, 480))
    assert [piece.name for piece in done.pieces] == ["belief", "matches"]
    assert ran(done) == ["an index of 8 photos was searched", "1 candidate compared"]
    assert "pose" not in " ".join(statement(done, CheckOptions())).lower()


@pytest.mark.parametrize(("metres", "answer"), [(0.0, "supported"), (150.0, "undecided"), (2000.0, "contradicted")])
def test_verified_photos_decide_where_they_are_clearly_in_or_out(metres: float, answer: str) -> None:
    seen = Seen(located(metres), [sighting(metres), sighting(metres + 10.0)], index(metres))
    done = checked(seen, Photo("a.jpg", 640, 480))
    assert done.verdict.answer == answer


def test_of_two_places_that_look_the_same_none_is_supported_and_a_third_is_contradicted() -> None:
    far = away(40e3)
    parts = [Component(*AT, 15.0, 0.6), Component(*far, 15.0, 0.39)]
    fix = replace(located(0.0), belief=from_components(parts, 0.01))
    both = [sighting(0.0), sighting(5.0), sighting(40e3), sighting(40.01e3)]
    seen = Seen(fix, both, index(0.0))
    answers = {}
    for name, place in (("likelier", AT), ("other", far), ("third", away(5e3))):
        pieces = picture.pieces_of(seen, Disc(*place, 150.0), "scales")
        answers[name] = verdict_of(pieces, 100.0).answer
    assert answers == {"likelier": "undecided", "other": "undecided", "third": "contradicted"}


def test_one_indexed_photo_alone_never_decides_since_its_own_position_may_be_false() -> None:
    for metres in (0.0, 40e3):
        done = checked(Seen(located(metres), [sighting(metres)], index(metres)), Photo("a.jpg", 640, 480))
        assert done.verdict.answer == "undecided"
        assert abs(done.verdict.log10_lr) == pytest.approx(1.7, abs=0.02)


def test_weak_matches_and_photos_far_from_each_other_leave_more_doubt() -> None:
    assert doubt_of([]) == 1.0
    assert doubt_of([sighting(0.0, 20.0)]) == 0.5
    assert doubt_of([sighting(0.0), sighting(40e3)]) == doubt_of([sighting(0.0)]) == 0.02
    assert doubt_of([sighting(0.0)] * 2) == 0.001
    assert doubt_of([sighting(0.0)] * 9) == doubt_of([sighting(0.0)] * 3) == 0.0003
    assert doubt_of([sighting(0.0, 44.0)] * 3) == pytest.approx(0.005)


def test_copies_of_one_indexed_photo_are_one_witness() -> None:
    """Its false position comes with each of them: three of a picture under a false place supported that place."""
    rng = np.random.default_rng(2)
    size = np.array([640.0, 480.0])
    pixels = rng.uniform(0.0, 1.0, (150, 4)) * np.tile(size, 2)
    one = replace(sighting(0.0), pixels=pixels)
    # Another share of the keypoints, a third of the size, and cut by half a hundredth.
    copies = [replace(one, pixels=pixels[i * 20 :]) for i in (1, 2)]
    small = pixels / np.array([1.0, 1.0, 3.0, 3.0]) + np.array([0.0, 0.0, 1.0, 0.8])
    copies.append(replace(one, pixels=small, indexed_size=(213, 160)))
    moved = replace(one, pixels=pixels + np.array([0.0, 0.0, 20.0, 0.0]))
    assert doubt_of([one, *copies]) == 0.02
    assert doubt_of([one, *copies, moved]) == 0.001
    done = checked(Seen(located(0.0), [one, *copies], index(0.0)), Photo("a.jpg", 640, 480))
    assert done.verdict.answer == "undecided"
    assert "copies of one picture are one witness, which leaves 1." in done.pieces[1].said


def test_a_copy_of_the_photo_among_the_indexed_is_remarked() -> None:
    rng = np.random.default_rng(1)
    there = rng.uniform(0.0, 1.0, (60, 2))
    copied = np.concatenate([there * (640, 480), there * (320, 240) + rng.normal(0.0, 0.7, (60, 2))], axis=1)
    copy = replace(sighting(0.0), inliers=60, pixels=copied, indexed_size=(320, 240))
    assert copy.same_picture
    moved = copied + np.array([0.0, 0.0, 12.0, 0.0])
    assert not replace(copy, pixels=moved).same_picture
    assert not replace(copy, inliers=12, pixels=copied[:12]).same_picture


def test_a_prior_alone_reaches_no_more_than_ten_to_one_however_sure_it_is() -> None:
    for metres in (0.0, 5000e3):
        done = checked(Seen(located(metres, "prior", 0.0)), Photo("a.jpg", 640, 480))
        assert abs(done.verdict.log10_lr) == pytest.approx(1.0, abs=0.01)
        assert done.verdict.answer == "undecided"


def test_silence_weighs_little_and_nothing_where_the_index_does_not_know_the_place() -> None:
    known = picture.pieces_of(Seen(NOTHING, (), index(20.0)), CLAIM, "scales")
    assert [(piece.name, round(piece.log10_lr, 2)) for piece in known] == [("silence", -0.3)]
    assert picture.pieces_of(Seen(NOTHING, (), index(20.0, 2)), CLAIM, "scales") == []
    assert picture.pieces_of(Seen(NOTHING, (), index(40e3)), CLAIM, "scales") == []


def test_a_pose_is_cited_with_its_own_accuracy_where_it_is_the_answer() -> None:
    pose = Pose(
        *("maps/m#0", True, (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        *(10.0, 0.0, 0.0, 321, 0.8, 0.9, (0.4, 0.6, 0.9), None, "poselib"),
    )
    seen = [sighting(0.0), sighting(5.0), sighting(8.0)]
    done = picture.pieces_of(Seen(replace(located(0.0, "pose"), pose=pose), seen, index(0.0)), CLAIM, "scales")
    (cited,) = (piece for piece in done if piece.name == "pose")
    assert "321" in cited.said
    assert "0.6 m" in cited.said
    assert cited.log10_lr > 3.0
    # A pose that retrieval outdid is no answer, and is not cited.
    lesser = picture.pieces_of(Seen(replace(located(0.0), pose=pose), seen, index(0.0)), CLAIM, "scales")
    assert "pose" not in {piece.name for piece in lesser}


NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def file_pieces(photo: Photo, moment: datetime | None = NOON) -> dict[str, float]:
    found = file_says.pieces_of(photo, CLAIM, moment, "scales", None)
    return {piece.name: piece.log10_lr for piece in found}


@pytest.mark.parametrize(("offset", "sign"), [(120, 1), (-300, -1)])
def test_a_clock_is_compared_with_the_zones_of_the_claimed_place(offset: int, sign: int) -> None:
    photo = Photo("a.jpg", 640, 480, clock=Clock(NOON.isoformat(), offset, "exif"))
    assert 0.0 < sign * file_pieces(photo)["file_clock"] <= FILE_CAP


def test_a_time_that_agrees_weighs_nothing_and_another_counts_against_the_claim() -> None:
    clock = Clock(NOON.isoformat(), 120, "exif")
    assert file_pieces(Photo("a.jpg", 640, 480, clock=clock))["file_time"] == 0.0
    late = file_pieces(Photo("a.jpg", 640, 480, clock=clock), NOON + timedelta(hours=3))
    assert late["file_time"] == -FILE_CAP
    # Without a zone the same wall time may be any of a day's.
    assert file_pieces(Photo("a.jpg", 640, 480, taken_at="2024-06-01T23:00:00"))["file_time"] == 0.0
    assert file_pieces(Photo("a.jpg", 640, 480, taken_at="2024-06-04T23:00:00"))["file_time"] == -FILE_CAP


@pytest.mark.parametrize(("ev100", "hour", "sign"), [(15.0, 12, 1), (15.0, 0, -1), (4.0, 0, 1), (4.0, 12, -1)])
def test_an_exposure_is_compared_with_the_sun_at_the_claimed_place_and_time(ev100: float, hour: int, sign: int) -> None:
    found = file_pieces(Photo("a.jpg", 640, 480, ev100=ev100), NOON.replace(hour=hour))
    assert 0.0 < sign * found["file_light"] <= FILE_CAP


def test_a_claimed_time_of_another_zone_or_of_the_future_is_remarked() -> None:
    assert list(file_says.remarks_of(CLAIM, datetime.fromisoformat("2024-06-01T14:00+02:00"))) == []
    (wrong,) = file_says.remarks_of(CLAIM, datetime.fromisoformat("2024-01-01T14:00+02:00"))
    assert "UTC+02:00" in wrong
    assert "UTC+01:00" in wrong
    assert any("future" in said for said in file_says.remarks_of(CLAIM, datetime(2200, 6, 1, tzinfo=UTC)))
    with pytest.raises(ValueError, match="no offset"):
        file_says.moment_of("2024-06-01T14:00")
    # At either end of the calendar some zone's clocks are beyond it.
    for text in ("0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"):
        with pytest.raises(ValueError, match="of no year from 1826"):
            file_says.moment_of(text)


def test_a_claim_that_holds_the_whole_index_has_no_elsewhere_in_it(tmp_path: Path) -> None:
    """It fails alone: other claims of the same table are weighed."""
    Image.new("RGB", (32, 32)).save(tmp_path / "a.jpg")
    seen = Seen(located(0.0), [sighting(0.0)] * 3, index(0.0))
    options = CheckOptions(index="i", elsewhere="index")
    done = weighed(str(tmp_path / "a.jpg"), Claim(CLAIM), seen, options)
    assert isinstance(done, Unchecked)
    assert done.failure.code == "no_elsewhere"


@pytest.mark.parametrize("name", ["exif", "clock", "terrain?dem=a.hgt", "near=47,8,1km"])
def test_priors_that_are_not_of_the_picture_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="leave out --prior"):
        CheckOptions(priors=(name,)).check()
