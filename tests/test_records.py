"""Records: what is written can be read back, fits its schema, and survives any file name."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoloc_cli.errors import UsageError
from geoloc_cli.records import SCHEMA, dumps, from_record, json_schema, loads, to_record
from geoloc_cli.types import Belief, Candidate, Component, Disclosed, Failure, Fix, InAlbum, Lens, Pose, PriorGuess

lat, lon = st.floats(-90, 90), st.floats(-180, 180)
length = st.floats(0.01, 2e7)
share = st.floats(0, 1)
count = st.integers(0, 10_000)
name = st.binary(min_size=1, max_size=20).map(os.fsdecode)
three = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))


@st.composite
def beliefs(draw: st.DrawFn) -> Belief:
    weights = draw(st.lists(st.floats(0.01, 1), max_size=4))
    spread = draw(st.floats(0.01, 1))
    total = spread + sum(weights)
    components = tuple(Component(draw(lat), draw(lon), draw(length), weight / total) for weight in weights)
    return Belief(components, 1.0 - sum(c.weight for c in components))


candidates = st.builds(
    Candidate,
    photo=name,
    lat=lat,
    lon=lon,
    similarity=st.floats(-1, 1),
    prior_distance_km=st.none() | st.floats(0, 20_000),
    score=st.floats(-10, 10),
    matches=st.none() | count,
    inliers=st.none() | count,
)
poses = st.builds(
    Pose,
    map=st.text(max_size=5),
    georeferenced=st.booleans(),
    rotation_wxyz=st.tuples(share, share, share, share),
    translation=three,
    center_in_map=three,
    center_in_enu=st.none() | three,
    heading_deg=st.none() | st.floats(0, 360),
    pitch_deg=st.none() | st.floats(-90, 90),
    roll_deg=st.none() | st.floats(-180, 180),
    inliers=count,
    inlier_ratio=share,
    reprojection_px=st.floats(0, 100),
    position_std_m=st.none() | three,
    rotation_std_deg=st.none() | three,
    solver=st.sampled_from(["torch", "poselib"]),
    camera=st.none() | st.builds(Lens, st.just("SIMPLE_PINHOLE"), st.just(64), st.just(48), three),
)
details = st.none() | st.fixed_dictionaries({"levels": st.fixed_dictionaries({"city": st.text(max_size=9)})})
guesses = st.builds(PriorGuess, st.just("exif"), lat, lon, length, st.text(max_size=9), details)
albums = st.builds(
    InAlbum,
    chain=count,
    camera=st.none() | st.text(max_size=9),
    time=st.sampled_from(["exif", "order"]),
    own=share,
    borrowed_from=st.lists(name, max_size=2).map(tuple),
    radius_before_m=st.none() | length,
    radius_after_m=st.none() | length,
    travel=st.sampled_from([None, "stop", "fly", "jump"]),
)
fixes = st.builds(
    Fix,
    photo=name,
    status=st.just("ok"),
    stage=st.sampled_from(["prior", "retrieval", "rerank", "pose"]),
    lat=lat,
    lon=lon,
    alt_m=st.none() | st.floats(-500, 9000),
    radius_m=length,
    confidence=share,
    belief=beliefs(),
    candidates=st.lists(candidates, max_size=3).map(tuple),
    pose=st.none() | poses,
    priors=st.lists(guesses, max_size=2).map(tuple),
    album=st.none() | albums,
    timing_ms=st.dictionaries(st.sampled_from(["decode", "verify"]), st.floats(0, 1e5)),
    sha256=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    disclosed=st.none() | st.builds(Disclosed, level=st.just("city"), contexts=st.none() | st.just(("people",))),
)
unlocated = st.builds(
    Fix,
    photo=name,
    status=st.just("unlocated"),
    stage=st.none(),
    lat=st.none(),
    lon=st.none(),
    alt_m=st.none(),
    radius_m=st.none(),
    confidence=st.just(0.0),
    belief=st.just(Belief()),
    reason=st.sampled_from(["not_in_index", "too_few_matches", "prior_disagrees"]),
)
failures = st.builds(Failure, name, st.sampled_from(["not_found", "worker_died"]), st.text(max_size=30))


# Made once: `jsonschema.validate` checks the schema itself each time, which takes ten times as long.
FITTING = jsonschema.Draft202012Validator(json_schema())


@settings(max_examples=150, deadline=None)
@given(st.one_of(fixes, unlocated, failures))
def test_what_is_written_is_read_back_and_fits_the_schema(answer: Fix | Failure) -> None:
    line = dumps(answer)
    assert line.isascii()
    assert "\n" not in line
    assert loads(line) == answer
    FITTING.validate(json.loads(line))


LENS = Lens("PINHOLE", 640, 480, (500.0, 501.0, 320.0, 240.0))
_TURN, _HERE = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
POSE = Pose("m", False, _TURN, _HERE, _HERE, None, None, None, None, 40, 0.9, 1.0, None, None, "poselib", LENS)
FIX = Fix("a.jpg", "ok", "rerank", 47.0, 8.0, None, 12.0, 0.9, Belief((Component(47.0, 8.0, 12.0, 0.9),), 0.1))


def test_a_prior_without_details_says_nothing_of_them() -> None:
    plain = replace(FIX, priors=(PriorGuess("exif", 47.0, 8.0, 12.0),))
    assert "details" not in to_record(plain)["priors"][0]


def test_a_pose_of_before_cameras_were_kept_has_none() -> None:
    record = to_record(replace(FIX, stage="pose", pose=POSE))
    assert record["pose"]["camera"] == {
        "model": "PINHOLE",
        "width": 640,
        "height": 480,
        "params": [500.0, 501.0, 320, 240],
    }
    assert from_record(record) == replace(FIX, stage="pose", pose=POSE)
    del record["pose"]["camera"]
    assert from_record(record) == replace(FIX, stage="pose", pose=replace(POSE, camera=None))
    for wrong in ({"model": 5}, {"width": 0}, {"params": [float("inf")]}, {"params": None}):
        broken = replace(POSE, camera=replace(LENS, **wrong))
        with pytest.raises((UsageError, TypeError, ValueError)):
            from_record(json.loads(dumps(replace(FIX, pose=broken))))


def test_every_record_has_the_same_keys_in_the_same_order() -> None:
    nothing = replace(FIX, status="unlocated", stage=None, lat=None, lon=None, radius_m=None, belief=Belief())
    keys = [list(to_record(answer)) for answer in (FIX, nothing, Failure("a", "b", "c"))]
    assert keys[0] == keys[1] == keys[2] == list(json_schema()["properties"])
    # The keys that readers of the first version rely on.
    assert keys[0] == [
        "schema",
        "photo",
        "status",
        "error",
        "reason",
        "lat",
        "lon",
        "alt_m",
        "radius_m",
        "confidence",
        "stage",
        "belief",
        "spread",
        "candidates",
        "pose",
        "priors",
        "timing_ms",
        "search",
        "album",
        "disclosed",
        "sha256",
    ]


@pytest.mark.parametrize("raw", [b"\xff\xfe.jpg", b"a\nb\r\x00.jpg", "Größe \U0001f5fa.jpg".encode(), b"'\"\\.jpg"])
def test_a_file_name_survives_byte_for_byte(raw: bytes) -> None:
    answer = loads(dumps(replace(FIX, photo=os.fsdecode(raw))))
    assert os.fsencode(answer.photo) == raw


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_number_that_is_none_is_ever_written(bad: float) -> None:
    with pytest.raises(ValueError):
        dumps(replace(FIX, radius_m=bad))
    with pytest.raises(ValueError, match="similarity"):
        dumps(replace(FIX, candidates=(Candidate("b.jpg", 1.0, 2.0, bad),)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": "geoloc.fix/2"}, "'geoloc.fix/2'; this version reads 'geoloc.fix/1'"),
        ({"schema": None}, "None"),
        ({"belief": [{"lat": 1.0}]}, "not a whole"),
        ({"belief": 5}, "not a whole"),
        ({"spread": 0.7}, "add up to one"),
        ({"candidates": [{"photo": "x", "what": 1}]}, "not a whole"),
        ({"pose": {"map": "x"}}, "not a whole"),
        ({"photo": 5}, "5 is no text"),
        ({"photo": "\ud800"}, "surrogates not allowed"),
        ({"lat": "=1+1"}, "not a whole"),
        ({"lat": float("nan")}, "lat is nan"),
        ({"lon": None}, "one of lat and lon without the other"),
        ({"radius_m": 10**400}, "radius_m is 1000"),
        ({"confidence": True}, "confidence is True"),
        ({"alt_m": [1]}, "not a whole"),
        ({"stage": "guess"}, "stage 'guess'"),
        ({"sha256": "A974"}, "sha256 is 'A974'"),
        ({"sha256": 5}, "not a whole"),
        ({"disclosed": {"level": "exact", "by": "option", "contexts": None}}, "disclosed is 'exact'"),
        ({"disclosed": {"level": "city", "by": "policy", "contexts": ["fun"]}}, "disclosed is 'fun'"),
    ],
)
def test_what_is_no_record_is_refused_with_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        from_record({**to_record(FIX), **change})


def test_lines_that_are_none() -> None:
    for line in ("", "{", "not json", "[]", "3", "null", '"text"'):
        with pytest.raises(UsageError):
            loads(line)
    short = to_record(FIX)
    del short["confidence"]
    with pytest.raises(UsageError, match="confidence"):
        from_record(short)


@pytest.mark.parametrize(
    "change",
    [
        {"lat": 91},
        {"lon": -180.5},
        {"confidence": 2},
        {"radius_m": 0},
        {"status": "perhaps"},
        {"schema": "geoloc.fix/2"},
        {"unheard_of": 1},
        {"stage": "guess"},
        {"candidates": [{}]},
        {"timing_ms": {"decode": "slow"}},
    ],
)
def test_the_schema_refuses_what_is_wrong(change: dict[str, Any]) -> None:
    jsonschema.validate(to_record(FIX), json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**to_record(FIX), **change}, json_schema())


def test_the_schema_is_one_and_says_which() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["title"] == SCHEMA
    for key in json_schema()["properties"]:
        short = to_record(FIX)
        del short[key]
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(short, json_schema())
