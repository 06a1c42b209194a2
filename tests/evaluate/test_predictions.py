"""Predictions read from every format and encoding, and what is said of files that are none."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.predictions import read_predictions
from geoloc_cli.export.geojson import collection
from geoloc_cli.records import dumps, to_record
from geoloc_cli.types import Belief, Candidate, Component, Failure, Fix, Pose

_ZERO = (0.0, 0.0, 0.0)
POSE = Pose("m", True, (1.0, 0.0, 0.0, 0.0), _ZERO, _ZERO, None, 90.0, 0.0, 0.0, 99, 0.5, 1.0, None, None, "p3p")
BELIEF = Belief((Component(48.0, 2.0, 900.0, 0.7), Component(50.0, 8.0, 70.0, 0.2)), 0.1)
CANDIDATES = (Candidate("db/1.jpg", 48.01, 2.01, 0.9, score=0.8), Candidate("db/2.jpg", None, None, 0.5, score=0.1))
ANSWERS = [
    Fix("a.jpg", "ok", "pose", 48.0, 2.0, None, 900.0, 0.7, BELIEF, candidates=CANDIDATES, pose=POSE),
    Fix("b.jpg", "unlocated", None, None, None, None, None, 0.0, Belief(), reason="not_in_index"),
    Failure("c.jpg", "not_found", "c.jpg does not exist."),
]


def read(tmp_path: Path, content: str | bytes, name: str = "p.csv", **columns: str) -> Predictions:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_predictions(str(path), columns)


def codes(predictions: Predictions) -> list[str]:
    return [note.code for note in predictions.notes]


def refused(tmp_path: Path, content: str | bytes, name: str = "p.csv", **columns: str) -> str:
    """The sentence with which a file is refused; it names the file."""
    with pytest.raises(UsageError) as error:
        read(tmp_path, content, name, **columns)
    assert name in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separated_values_by_whatever_separates_them(tmp_path: Path, separator: str, newline: str) -> None:
    rows = [["photo", "lat", "lon", "radius_m"], ["a.jpg", "48.5", "2.25", "10"], ["b.jpg", "-1e1", " 170 ", ""]]
    got = read(tmp_path, newline.join(separator.join(row) for row in rows))
    assert got.photos == ["a.jpg", "b.jpg"]
    assert (got.lat.tolist(), got.lon.tolist()) == ([48.5, -10.0], [2.25, 170.0])
    assert got.radius_m[0] == 10.0
    assert np.isnan(got.radius_m[1])
    assert np.isnan(got.confidence).all()
    assert got.notes == ()


def test_quotation_marks_hold_separators_and_line_ends(tmp_path: Path) -> None:
    got = read(tmp_path, 'photo,text,lat,lon\n"a, b.jpg","two\nlines, ""quoted""",1,2\n\nc.jpg,,3,4\n')
    assert got.photos == ["a, b.jpg", "c.jpg"]
    assert got.lat.tolist() == [1.0, 3.0]


def test_cells_that_are_no_numbers_are_counted_by_kind_and_kept(tmp_path: Path) -> None:
    got = read(tmp_path, 'photo,lat,lon\na,,\nb,nan,NaN\nc,null,N/A\nd,"48,5","2,25"\ne,inf,1\nf,7,8\n')
    assert np.isnan(got.lat[:4]).all()
    assert got.lat[4:].tolist() == [np.inf, 7.0]
    unread = got.unread["lat"]
    assert (unread.blank, unread.nan, unread.texts, dict(unread.first)) == (2, 1, 1, {3: "48,5"})
    assert got.unread["lon"].first == {3: "2,25"}


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", []),
        ("utf-8-sig", []),
        ("utf-16", ["UTF-16"]),
        ("utf-16-le", ["UTF-16 without a byte order mark"]),
        ("utf-16-be", ["UTF-16 without a byte order mark"]),
        ("latin-1", ["Windows-1252 (Latin-1)"]),
    ],
)
def test_an_encoding_is_recognised_and_said(tmp_path: Path, encoding: str, said: list[str]) -> None:
    got = read(tmp_path, "photo,lat,lon\nMünchen.jpg,48.1,11.6\n".encode(encoding))
    assert got.photos == ["München.jpg"]
    assert [note.figures["encoding"] for note in got.notes] == said
    assert all(note.code == "encoding" and "is not UTF-8 and was read as" in note.sentence for note in got.notes)


def test_the_byte_that_is_not_utf8_is_told_however_far_it_is(tmp_path: Path) -> None:
    head = b"photo,lat,lon\n" + b"a.jpg,1,2\n" * 200_000
    got = read(tmp_path, head + "é.jpg,3,4\n".encode("cp1252"))
    assert got.photos[-1] == "é.jpg"
    assert f"(byte 0xe9 at {len(head)})" in got.notes[0].sentence


def test_a_byte_that_windows_1252_lacks_is_read_as_latin_1(tmp_path: Path) -> None:
    got = read(tmp_path, b"photo,lat,lon\n\x81\xe9.jpg,3,4\n")
    assert (got.photos, got.notes[0].figures["encoding"]) == (["\x81é.jpg"], "Latin-1")


def test_columns_go_by_number_where_there_is_no_header(tmp_path: Path) -> None:
    got = read(tmp_path, "a.jpg,48.5,2.25\nb.jpg,1,2\n", photo="1", lat="2", lon="3")
    assert (got.photos, got.lat.tolist(), codes(got)) == (["a.jpg", "b.jpg"], [48.5, 1.0], ["no_header"])
    assert got.first_row == 1
    # A number among known names is a name.
    assert codes(read(tmp_path, "image,1,Latitude,lng\na.jpg,0.5,48.5,2.25\n")) == []


def test_short_rows_are_filled_up_and_said(tmp_path: Path) -> None:
    got = read(tmp_path, "photo,lat,lon,radius_m\na.jpg,1,2\nb.jpg,3,4,5\nc.jpg,5,6,,,\n")
    assert (got.lat.tolist(), codes(got)) == ([1.0, 3.0, 5.0], ["short_rows"])
    assert "1 row without all columns of the header" in got.notes[0].sentence


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; was what should write it interrupted?"),
        (b"\xff\xfe", "is empty"),
        (b"photo,lat,lon\n", "holds no row but its header"),
        (b"just words\n", "has one column alone, 'just words'"),
        (b"a.jpg,48.5,2.25\n", "has no header: its first line, 'a.jpg,48.5,2.25', holds a number; its columns go by"),
        (b"a.jpg,48.5,2.25\n", "has no column for photo and lat and lon; its columns are 1, 2, 3"),
        (
            b"photo,lat,lon\na.jpg,48,5,2,25\n",
            "row 2 has 5 columns, the header 3; if a name or a number holds",
        ),
        (b'photo,lat,lon\n"' + b"a" * 200_000, "is a quotation mark left open?"),
        (b"PK\x03\x04 workbook", "is an Excel workbook or another ZIP file; save its table as CSV"),
        (b"PAR1....", "is a Parquet file"),
        (b"\x1f\x8b\x08....", "is compressed; unpack it first"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is no text"),
        (b"\xef\xbb\xbfphoto,lat,lon\n\xff,1,2\n", "begins as utf-8-sig and is not"),
        (b"[1, 2, 3]", "is no array of JSON objects"),
        (b'[{"photo": "a", "lat": 1,', "is not JSON"),
        (b'{"photo": "a", "lat": 1, "lon": 2}\n{broken\n{}\n', "line 2, is not JSON"),
        (b'{"photo": "a", "lat": 1, "lon": 2}\n[1, 2]\n', "line 2, is no JSON object"),
        (b'{"type": "FeatureCollection"}', "has no list of features"),
        (b'{"type": "Feature", "geometry": {"type": "LineString", "coordinates": []}}', "feature 1 is no point"),
        (b'{"a.jpg": [1, 2, 3]}', "'a.jpg' has 3 values, not a latitude and a longitude"),
        (
            b'{"schema": "geoloc.fix/2", "photo": "a"}',
            "record 1 says schema 'geoloc.fix/2'; this version reads 'geoloc",
        ),
        (b'{"schema": "geoloc.fix/1", "photo": "a"}', "record 1 is no whole geoloc.fix/1 record (KeyError: 'lat')"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    sentence = refused(tmp_path, content)
    assert words in sentence
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.csv cannot be read \(No such file or directory\); check the name"):
        read_predictions(str(tmp_path / "no.csv"))
    with pytest.raises(UsageError, match="is a folder; give a file of rows"):
        read_predictions(str(tmp_path))


ROWS = [{"image": "a.jpg", "lat": 1.5, "lng": "2.5"}, {"image": 7, "lat": None, "lng": None, "conf": 0.5}]
FEATURES = [
    {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.5, 1.5, 9]}, "properties": {"image": "a.jpg"}},
    {"type": "Feature", "geometry": None, "properties": {"image": 7, "conf": 0.5}},
]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n".join(json.dumps(row) for row in ROWS),
        "\r\n".join(json.dumps(row) for row in ROWS) + "\r\n\r\n",
        json.dumps({"model": "x", "predictions": ROWS}, indent=1),
        json.dumps({"type": "FeatureCollection", "features": FEATURES}),
        json.dumps(
            [{"image": r["image"], "guess": {"lat": r["lat"], "lon": r["lng"]}, "conf": r.get("conf")} for r in ROWS]
        ),
    ],
    ids=["array", "pretty", "lines", "crlf", "wrapped", "geojson", "nested"],
)
def test_json_in_all_its_shapes(tmp_path: Path, text: str) -> None:
    got = read(tmp_path, text, "p.json")
    assert got.photos == ["a.jpg", "7"]
    assert (got.lat[0], got.lon[0], got.confidence[1]) == (1.5, 2.5, 0.5)
    assert np.isnan([got.lat[1], got.lon[1], got.confidence[0]]).all()


def test_json_objects_and_pairs_by_name(tmp_path: Path) -> None:
    got = read(tmp_path, '{"a.jpg": {"lat": 1, "lon": 2}, "b.jpg": {"lat": 3, "lon": 4}}')
    assert (got.photos, got.lon.tolist()) == (["a.jpg", "b.jpg"], [2.0, 4.0])
    assert read(tmp_path, '{"a.jpg": [1, 2]}').lat.tolist() == [1.0]


def test_a_last_line_that_was_cut_off_is_passed_over_and_said(tmp_path: Path) -> None:
    got = read(tmp_path, '{"photo": "a", "lat": 1, "lon": 2}\n{"photo": "b", "la', "p.jsonl")
    assert (got.photos, codes(got)) == (["a"], ["cut_line"])


@pytest.mark.parametrize(
    "text",
    [
        "".join(dumps(answer) + "\n" for answer in ANSWERS),
        json.dumps([to_record(answer) for answer in ANSWERS]),
        json.dumps(collection(ANSWERS)),
    ],
    ids=["lines", "array", "geojson"],
)
def test_our_records_keep_beliefs_candidates_poses_and_reasons(tmp_path: Path, text: str) -> None:
    got = read(tmp_path, text, "p.jsonl")
    assert got.photos == ["a.jpg", "b.jpg", "c.jpg"]
    assert got.stages == ["pose", None, None]
    assert got.reasons == [None, "not_in_index", "not_found"]
    assert (got.lat[0], got.lon[0], got.radius_m[0], got.confidence.tolist()) == (48.0, 2.0, 900.0, [0.7, 0.0, 0.0])
    assert np.isnan(got.lat[1:]).all()
    assert got.beliefs is not None
    assert [got.beliefs[row] for row in range(3)] == [BELIEF, Belief(), Belief()]
    assert got.candidates is not None
    assert got.candidates.start.tolist() == [0, 2, 2, 2]
    assert (got.candidates.photos, got.candidates.score.tolist()) == (["db/1.jpg", "db/2.jpg"], [0.8, 0.1])
    assert np.isnan(got.candidates.lat[1])
    assert got.poses == {0: POSE}


def test_one_record_alone_and_our_csv_are_read_too(tmp_path: Path) -> None:
    assert read(tmp_path, dumps(ANSWERS[0])).beliefs is not None
    text = "photo,status,reason,lat,lon,alt_m,radius_m,confidence,stage,error\na.jpg,ok,,48,2,,900,0.7,pose,\n"
    text += "b.jpg,unlocated,not_in_index,,,,,0.0,,\n"
    got = read(tmp_path, text)
    assert (got.stages, got.radius_m[0]) == (["pose", None], 900.0)


def test_standard_input_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(dumps(answer) + "\n" for answer in ANSWERS)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert len(read_predictions("-")) == 3


def test_columns_of_another_length_are_no_predictions() -> None:
    column = np.zeros(2)
    with pytest.raises(ValueError, match=r"radius_m is float64 \(3,\), not float64 \(2,\)"):
        Predictions("p", ["a", "b"], column, column, np.zeros(3), column)
    with pytest.raises(ValueError, match="an entry for each photograph"):
        Predictions("p", ["a", "b"], column, column, column, column, stages=[None])
