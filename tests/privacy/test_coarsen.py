"""What is told of an answer at a level: cells that nest, radii that hold the truth, and nothing else."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.earth import destination, haversine_m
from geoloc_cli.pipeline.locate import Reason
from geoloc_cli.pipeline.sequence import OFF_THE_TRACK
from geoloc_cli.privacy.coarsen import REASONS, disclose, disclosed_record
from geoloc_cli.privacy.levels import GRIDS, LEVELS, level_of
from geoloc_cli.privacy.names import without_coordinates
from geoloc_cli.records import loads, to_record
from geoloc_cli.types import (
    Belief,
    Candidate,
    Component,
    Disclosed,
    Failure,
    Fix,
    InAlbum,
    Level,
    Pose,
    PriorGuess,
    Searched,
)

COARSE = LEVELS[1:]
CELLS = tuple(GRIDS)
SECRET = "Bahnhofstrasse 47.36871"


def answer(lat: float, lon: float, radius_m: float = 12.5, *more: tuple[float, float, float, float]) -> Fix:
    """An answer whose belief is at its place and at others (lat, lon, radius, share)."""
    others = [Component(*one) for one in more]
    left = 0.95 - sum(component.weight for component in others)
    belief = Belief((Component(lat, lon, radius_m, left), *others), 0.05)
    return Fix("a.jpg", "ok", "rerank", lat, lon, None, radius_m, 0.93, belief)


# The poles, the antimeridian, and a pentagon of the grid, where cells are at their oddest.
PENTAGON = (64.7, 10.536)
ODD = [(90.0, 0.0), (-90.0, 77.0), (-18.0, 180.0), (-18.0, -180.0), (65.0, 179.9999), (0.0, 0.0), PENTAGON]
latitudes = st.floats(-1, 1).map(lambda z: float(np.degrees(np.arcsin(z))))
places = st.tuples(latitudes, st.floats(-180, 180)) | st.sampled_from(ODD)
radii = st.floats(0.01, 2e7)
shares = st.floats(0, 0.2)


@st.composite
def answers(draw: st.DrawFn) -> Fix:
    lat, lon = draw(places)
    nudges = st.tuples(st.floats(0, 360), st.floats(0, 3e6), radii, shares)
    around = draw(st.lists(nudges, max_size=4))
    others = [(*map(float, destination(lat, lon, bearing, away)), r, w) for bearing, away, r, w in around]
    fix = answer(lat, lon, draw(radii), *others)
    guesses = [PriorGuess("exif", *other[:3]) for other in others]
    return replace(fix, priors=tuple(guesses), confidence=draw(st.floats(0, 1)))


@settings(max_examples=60, deadline=None)
@given(answers())
def test_levels_nest_and_doing_it_again_changes_nothing(fix: Fix) -> None:
    for number, fine in enumerate(COARSE):
        once = disclose(fix, fine)
        assert disclose(once, fine) == once
        # Coarsened is coarsened, and what was written down comes back the same.
        assert disclose(loads(json.dumps(to_record(once))), "exact") == once
        for coarse in COARSE[number:]:
            assert disclose(once, coarse) == disclose(fix, coarse)
            assert disclose(disclose(fix, coarse), fine) == disclose(fix, coarse)


@settings(max_examples=80, deadline=None)
@given(places, radii, st.floats(0, 360), st.floats(0, 1))
def test_the_radius_told_holds_wherever_the_answer_may_have_been(
    place: tuple[float, float], radius_m: float, bearing: float, share: float
) -> None:
    fix = answer(*place, radius_m)
    true = destination(*place, bearing, share * radius_m)
    for level in CELLS:
        told = disclose(fix, level)
        assert isinstance(told, Fix)
        assert haversine_m(told.lat, told.lon, *true) <= told.radius_m
        assert told.radius_m >= GRIDS[level].reach_m
        assert told.belief.components[0].radius_m >= told.radius_m


def test_every_cell_holds_its_middle_and_nothing_out_of_reach() -> None:
    rng = np.random.default_rng(0)
    for level, grid in GRIDS.items():
        nearby = destination(*PENTAGON, rng.uniform(0, 360, 200), rng.uniform(0, 4 * grid.reach_m, 200))
        lat = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 400))), nearby[0]])
        lon = np.concatenate([rng.uniform(-180, 180, 400), nearby[1]])
        for place in zip(lat.tolist(), lon.tolist(), strict=True):
            middle = grid.snapped(*place)
            assert grid.snapped(*middle) == middle, level
            assert haversine_m(*place, *middle) <= grid.reach_m - grid.spare_m, level


def test_two_photographs_in_a_cell_are_told_alike() -> None:
    rng = np.random.default_rng(1)
    for level, grid in GRIDS.items():
        middle = grid.snapped(47.3687, 8.5392)
        # A third of the reach: within the cell in every direction.
        away = rng.uniform(0, grid.reach_m / 3, 40)
        near = zip(*destination(*middle, rng.uniform(0, 360, 40), away), strict=True)
        told = {(fix.lat, fix.lon, fix.radius_m) for p in near if isinstance(fix := disclose(answer(*p), level), Fix)}
        assert told == {(*middle, float(grid.reach_m))}


def test_what_straddles_an_edge_does_not_say_so() -> None:
    grid = GRIDS["street"]
    start = (47.3687, 8.5392)
    # From the middle eastwards to the first place of another cell, to the metre.
    line = [tuple(map(float, destination(*start, 90.0, float(m)))) for m in range(3000)]
    edge = next(i for i in range(1, 3000) if grid.cell_of(*line[i]) != grid.cell_of(*line[i - 1]))
    inside, outside = line[edge - 1], line[edge]
    split = replace(answer(*inside, 12.5, (*outside, 12.5, 0.4)), priors=(PriorGuess("exif", *outside, 10.0),))
    told = disclose(split, "street")
    assert isinstance(told, Fix)
    assert [(c.lat, c.lon, c.weight) for c in told.belief.components] == [(*grid.snapped(*inside), 0.95)]
    assert (told.priors[0].lat, told.priors[0].lon) == grid.snapped(*inside)


def test_places_far_apart_stay_apart_with_their_shares() -> None:
    told = disclose(answer(48.8584, 2.2945, 20.0, (45.7640, 4.8357, 50.0, 0.25), (45.7641, 4.8358, 9.0, 0.1)), "city")
    assert isinstance(told, Fix)
    assert [c.weight for c in told.belief.components] == [0.6, 0.35]
    assert told.belief.spread == pytest.approx(0.05)
    assert told.confidence == 0.93


FULL = Fix(
    photo="walk/IMG_20240101_123456.jpg",
    status="ok",
    stage="pose",
    lat=47.36871,
    lon=8.53921,
    alt_m=408.12345,
    radius_m=0.12345,
    confidence=0.98765,
    belief=Belief((Component(47.36871, 8.53921, 0.12345, 0.98765),), 0.01235),
    reason="pose_ambiguous",
    candidates=(Candidate("db/@0465123.45@5246123.45@32@T@47.36871@8.53921@.jpg", 47.36871, 8.53921, 0.7),),
    pose=Pose(
        *(SECRET, True, (0.5, 0.5, 0.5, 0.5), (1.2345, 2.2345, 3.2345), (4.2345, 5.2345, 6.2345)),
        *((7.2345, 8.2345, 9.2345), 47.368, 1.0, 2.0, 40, 0.5, 1.0, (0.1, 0.1, 0.1), (0.1, 0.1, 0.1), "poselib"),
    ),
    priors=(
        PriorGuess("near=47.36871,8.53921,50m", 47.36871, 8.53921, 50.0, SECRET, {"levels": {"street": SECRET}}),
        PriorGuess("vlm", 47.36872, 8.53922, 1000.0, SECRET, {"clues": [SECRET], "retrieved": SECRET}),
    ),
    search=Searched(4736871, 0.4736871, False),
    timing_ms={"47.36871": 47.36871},
    album=InAlbum(1, SECRET, "exif", 0.9, ("@0465123.45@5246123.45@32@T@.jpg", SECRET), 47.368, 8.539, "walk"),
    sha256="4736871f" * 8,
)
_PLACELESS = {"schema", "photo", "status", "error", "disclosed"}
_OF_CELLS = {"lat", "lon", "radius_m", "confidence", "stage", "belief", "spread", "priors"}


def test_of_a_record_with_every_key_only_what_is_allowed_is_told() -> None:
    record = to_record(FULL)
    assert all(value not in (None, [], {}) for key, value in record.items() if key not in ("error", "disclosed"))
    record |= {"maps_link": SECRET, "timing_ms": {"decode": 47.36871}}
    empty = {"alt_m": None, "reason": None, "candidates": [], "pose": None, "timing_ms": {}}
    empty |= {"search": None, "album": None, "sha256": None}
    for level in COARSE:
        told = disclosed_record(record, level)
        assert set(told) == _PLACELESS | _OF_CELLS | set(empty)
        assert told["disclosed"] == {"level": level, "by": "option", "contexts": None}
        assert {key: told[key] for key in empty} == empty | ({"reason": "withheld"} if level == "none" else {})
        for finer in ("47.368", "47368", "8.539", "4736871", "0465123", "408.1", "0.12345", "Bahnhof"):
            assert finer not in json.dumps(told), (level, finer)
    city = disclosed_record(record, "city")
    assert [prior["name"] for prior in city["priors"]] == ["prior", "vlm"]
    assert all(prior["rationale"] == "" and "details" not in prior for prior in city["priors"])
    nothing = disclosed_record(record, "none")
    assert {key: nothing[key] for key in _OF_CELLS} == {
        **dict.fromkeys(("lat", "lon", "radius_m", "stage")),
        "confidence": 0.0,
        "belief": [],
        "spread": 1.0,
        "priors": [],
    }
    assert disclosed_record(record, "exact") == to_record(FULL) | {"timing_ms": {"decode": 47.36871}}


def test_a_field_that_is_added_one_day_stays_untold() -> None:
    """Whoever adds a field decides at which levels it is told, and adds it here."""
    told = {"photo", "status", "stage", "lat", "lon", "radius_m", "confidence", "belief", "reason", "priors"}
    untold = {"alt_m", "candidates", "pose", "search", "timing_ms", "album", "sha256"}
    assert {field.name for field in fields(Fix)} == told | untold | {"disclosed"}
    assert {field.name for field in fields(PriorGuess)} == {"name", "lat", "lon", "radius_m", "rationale", "details"}


def test_reasons_are_those_that_the_program_gives() -> None:
    assert set(get_args(Reason)) | {OFF_THE_TRACK, "nothing_known"} == REASONS
    for reason, kept in (("off_the_track", "off_the_track"), ("no_pose_disagrees", None), (SECRET, None)):
        assert disclosed_record(to_record(replace(FULL, reason=reason)), "city")["reason"] == kept


def test_a_failure_keeps_its_code_and_says_nothing_more() -> None:
    failed = Failure("@0465123.45@5246123.45@32@T@.jpg", "not_found", f"{SECRET} does not exist.")
    assert disclose(failed, "exact") == failed
    for level in COARSE:
        assert disclose(failed, level) == Failure(
            "@#######.##@#######.##@##@T@.jpg", "not_found", "not found (more is withheld)"
        )
    assert disclose(replace(failed, code=SECRET), "city").code == "photo_error"  # type: ignore[union-attr]


def test_an_answer_without_a_place_tells_of_none_and_of_what_was_believed_by_cells() -> None:
    nowhere = replace(FULL, status="unlocated", stage=None, lat=None, lon=None, radius_m=None, reason="not_in_index")
    told = disclose(nowhere, "city")
    assert isinstance(told, Fix)
    assert (told.lat, told.radius_m, told.reason) == (None, None, "not_in_index")
    assert (told.belief.components[0].lat, told.belief.components[0].lon) == GRIDS["city"].snapped(47.36871, 8.53921)
    assert disclose(nowhere, "none") == Fix(
        *(nowhere.photo, "unlocated", None, None, None, None, None, 0.0, Belief()), disclosed=Disclosed("none")
    )


def test_who_asked_stays_until_somebody_asks_for_less() -> None:
    by_policy = disclose(FULL, "city", "policy", ("people",))
    assert isinstance(by_policy, Fix)
    assert by_policy.disclosed == Disclosed("city", "policy", ("people",))
    assert disclose(by_policy, "street") == by_policy
    later = disclose(by_policy, "country")
    assert isinstance(later, Fix)
    assert later.disclosed == Disclosed("country", "option", ("people",))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("walk/IMG_20240101_123456.jpg", None),
        ("DSC01234 (2).jpg", None),
        ("anna@home.jpg", None),
        ("v1.2.jpg", None),
        ("render_3d12.jpg", None),
        ("47d22m07s.jpg", "##d##m##s.jpg"),
        ("street/@0544388.51@4172758.25@10@S@037.70098@-122.49646@kPnAB@@210@.jpg", "street/@#######.##@"),
        ("47.36871, 8.53921.jpg", "##.#####, #.#####.jpg"),
        ("47.36871/8.53921/a1.jpg", "##.#####/#.#####/a1.jpg"),
        ("47°22'07.3\"N 8°32'21\"E.jpg", "##°##'##.#\"N #°##'##\"E.jpg"),
        ("32T 465123 5246123.jpg", "32T ###### #######.jpg"),
        ("text:a bakery in Bahnhofstrasse", "text:"),
    ],
)
def test_names_lose_what_reads_like_coordinates(name: str, shown: str | None) -> None:
    found = without_coordinates(name)
    assert found.startswith(name if shown is None else shown)
    assert without_coordinates(found) == found


def test_a_level_has_a_name() -> None:
    assert level_of("city", "--disclose") == "city"
    wrong: list[Any] = ["City", "", None, 3]
    for text in wrong:
        with pytest.raises(UsageError, match=r"--disclose is .*; give one of exact, street, city"):
            level_of(text, "--disclose")


def test_levels_are_ordered_by_how_little_they_tell() -> None:
    sizes = [GRIDS[level].reach_m for level in CELLS]
    spares = [GRIDS[level].spare_m for level in CELLS]
    assert sizes == sorted(sizes)
    # What a coarser level leaves out of a radius, a finer one may have kept, and never the other way round.
    assert spares == sorted(spares)
    levels: tuple[Level, ...] = ("exact", "street", "city", "region", "country", "none")
    assert levels == LEVELS
