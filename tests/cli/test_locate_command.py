"""`geoloc locate` as its user calls it: what it prints, in what order, and with which exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from program import called

from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.records import json_schema

if TYPE_CHECKING:
    from conftest import SmallTown

FITTING = jsonschema.Draft202012Validator(json_schema())
PROGRAM = [sys.executable, "-m", "geoloc_cli"]


def locate(*arguments: str, given: bytes = b"", status: int = 0) -> str:
    """Standard output of `geoloc locate`, whose exit status must be the one named."""
    done = called("locate", *arguments, "--workers", "1", given=given)
    assert done.returncode == status, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _described_once(monkeypatch: pytest.MonkeyPatch, described: str) -> None:
    """Each picture of the town is described once for all calls within this process."""
    monkeypatch.setenv("GEOLOC_LOCATE_CACHE", described)


@pytest.fixture
def undescribed(monkeypatch: pytest.MonkeyPatch, _described_once: None) -> None:
    monkeypatch.delenv("GEOLOC_LOCATE_CACHE")


def records(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for record in found:
        FITTING.validate(record)
    return found


def timeless(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "timing_ms"} for record in found]


def test_a_batch_with_everything_in_it(town: SmallTown, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "folder.jpg").mkdir()
    odd = tmp_path / os.fsdecode(b"\xff\n'\".jpg")
    shutil.copy(town.queries[1].path, odd)
    paths = [
        town.queries[0].path,
        str(tmp_path / "missing.jpg"),
        town.strangers[0].path,
        str(tmp_path / "text.jpg"),
        str(odd),
        town.queries[2].path,
    ]
    found = records(locate(*paths, "--index", town.index, status=1))
    assert [record["photo"] for record in found] == paths
    assert [record["status"] for record in found] == ["ok", "error", "unlocated", "error", "ok", "ok"]
    assert [found[i]["error"]["code"] for i in (1, 3)] == ["not_found", "not_a_photo"]
    assert (found[2]["confidence"], found[2]["lat"], found[2]["reason"]) == (0.0, None, "not_in_index")
    for record, truth in zip((found[0], found[4], found[5]), town.queries, strict=True):
        # Neighbours stand 4 m apart with 1 m of GPS noise, and those that share a façade up to 30 m.
        assert haversine_m(record["lat"], record["lon"], truth.lat, truth.lon) < min(12.0, record["radius_m"])
        assert record["confidence"] > 0.9
        assert 0 < record["radius_m"] < 60


def test_every_format_says_the_same(town: SmallTown) -> None:
    paths = [town.queries[0].path, town.strangers[0].path]
    lines = records(locate(*paths, "--index", town.index, "--format", "jsonl"))
    assert timeless(json.loads(locate(*paths, "--index", town.index, "--format", "json"))) == timeless(lines)
    rows = list(csv.DictReader(io.StringIO(locate(*paths, "--index", town.index, "--format", "csv"))))
    assert [row["photo"] for row in rows] == paths
    assert float(rows[0]["lat"]) == lines[0]["lat"]
    assert (rows[1]["lat"], rows[1]["reason"]) == ("", "not_in_index")
    collection = json.loads(locate(*paths, "--index", town.index, "--format", "geojson"))
    points = [f for f in collection["features"] if f["geometry"]]
    assert points[0]["geometry"]["coordinates"][:2] == [lines[0]["lon"], lines[0]["lat"]]
    table = locate(*paths, "--index", town.index, "--format", "table")
    assert f"{lines[0]['lat']:.5f}" in table
    assert "not_in_index" in table
    assert locate(*paths, "--index", town.index, "--format", "xml", status=2) == ""


def test_folders_lists_on_stdin_and_exclusions(town: SmallTown, tmp_path: Path) -> None:
    names = [photo.path for photo in town.queries]
    folder = records(locate(str(town.folder / "queries"), "--index", town.index))
    assert [record["photo"] for record in folder] == names
    listed = "\n".join(names[::-1]).encode() + b"\n\n"
    assert [record["photo"] for record in records(locate("-", "--index", town.index, given=listed))] == names[::-1]
    (tmp_path / "not.txt").write_text(f"{Path(names[0]).name}\n")
    left = records(
        locate(str(town.folder / "queries"), "--index", town.index, "--exclude-list", str(tmp_path / "not.txt"))
    )
    assert [record["photo"] for record in left] == names[1:]


def test_explain_lists_every_candidate_with_its_evidence(town: SmallTown) -> None:
    usual = records(locate(town.queries[0].path, "--index", town.index))[0]
    explained = records(locate(town.queries[0].path, "--index", town.index, "--explain", "--top-k", "9"))[0]
    assert len(usual["candidates"]) == 5
    assert len(explained["candidates"]) == 9
    best = explained["candidates"][0]
    assert best["inliers"] >= 12
    assert best["inliers"] <= best["matches"]
    scores = [candidate["score"] for candidate in explained["candidates"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.usefixtures("undescribed")
def test_two_workers_answer_as_one_does(town: SmallTown) -> None:
    paths = [photo.path for photo in (*town.queries, *town.strangers)]
    alone = records(locate(*paths, "--index", town.index))
    command = [*PROGRAM, "locate", *paths, "--index", town.index, "--workers", "2"]
    together = records(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert timeless(together) == timeless(alone)


def with_position(source: str, target: Path, lat: float, lon: float) -> str:
    """A copy of a photo that says to have been taken somewhere else; its picture is the same to the last bit."""
    shutil.copy(source, target)
    with Image.open(source) as image:
        exif = image.getexif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
    gps[ExifTags.GPS.GPSLatitude] = (IFDRational(round(lat * 1e6), 10**6), IFDRational(0), IFDRational(0))
    gps[ExifTags.GPS.GPSLongitude] = (IFDRational(round(lon * 1e6), 10**6), IFDRational(0), IFDRational(0))
    data = target.read_bytes()
    segment = b"Exif\x00\x00" + exif.tobytes().removeprefix(b"Exif\x00\x00")
    start = data.index(b"\xff\xe1")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    header = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big")
    target.write_bytes(data[:start] + header + segment + data[start + 2 + length :])
    return str(target)


def test_the_gps_of_a_query_is_never_used_unless_it_is_asked_for(town: SmallTown, tmp_path: Path) -> None:
    paths = [town.queries[0].path, town.strangers[0].path]
    plain = records(locate(*paths, "--index", town.index))
    # Each now says that it was taken at the street (the stranger: a lie that retrieval would be glad of) or far off.
    lat, lon = town.photos[0].lat, town.photos[0].lon
    for place in ((lat, lon), (10.0, 20.0)):
        lying = [with_position(path, tmp_path / Path(path).name, *place) for path in paths]
        told = records(locate(*lying, "--index", town.index))
        for before, after in zip(timeless(plain), timeless(told), strict=True):
            assert {**after, "photo": "", "sha256": ""} == {**before, "photo": "", "sha256": ""}
    asked = records(locate(*lying, "--index", town.index, "--prior", "exif"))
    assert [prior["name"] for record in asked for prior in record["priors"]] == ["exif", "exif"]
    # The right match outweighs a wrong prior; where nothing matches, the prior is all there is, and the line says so.
    assert haversine_m(asked[0]["lat"], asked[0]["lon"], town.queries[0].lat, town.queries[0].lon) < 12.0
    assert (asked[1]["stage"], round(asked[1]["lat"]), round(asked[1]["lon"])) == ("prior", 10, 20)


def test_near_narrows_the_search_and_a_wrong_one_hides_nothing(town: SmallTown) -> None:
    query, truth = town.queries[0].path, town.queries[0]
    for near in (f"{truth.lat},{truth.lon},30", "10.0,20.0,2km"):
        record = records(locate(query, "--index", town.index, "--near", near))[0]
        assert haversine_m(record["lat"], record["lon"], truth.lat, truth.lon) < 12.0
    assert record["candidates"][0]["prior_distance_km"] > 1000
    for wrong in ("91,0,10", "1,2", "1,2,0", "1,2,x"):
        assert locate(query, "--index", town.index, "--near", wrong, status=2) == ""


def test_resume_does_nothing_twice_and_survives_a_torn_line(town: SmallTown, tmp_path: Path) -> None:
    paths = [photo.path for photo in town.queries]
    kept = tmp_path / "answers.jsonl"
    first = records(locate(*paths[:2], "--index", town.index, "--resume", str(kept)))
    kept.write_bytes(kept.read_bytes() + b'{"schema": "geoloc.fix/1", "pho')
    everything = records(locate(*paths, "--index", town.index, "--resume", str(kept)))
    assert everything[:2] == first  # their times included: they were not located again
    assert [record["photo"] for record in everything] == paths
    assert records(kept.read_text()) == everything
    kept.write_text("something else\n")
    assert locate(*paths, "--index", town.index, "--resume", str(kept), status=2) == ""
    assert kept.read_text() == "something else\n"


@pytest.mark.usefixtures("undescribed")
def test_an_interruption_keeps_what_is_done_and_resume_finishes(town: SmallTown, tmp_path: Path) -> None:
    paths = []
    for i in range(24):
        paths.append(str(tmp_path / f"{i:02d}.jpg"))
        shutil.copy(town.queries[i % 3].path, paths[-1])
    kept = tmp_path / "answers.jsonl"
    command = [*PROGRAM, "locate", *paths, "--index", town.index, "--resume", str(kept), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (kept.exists() and kept.read_bytes().count(b"\n") >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert b"interrupted; what was finished is kept" in error
    done = records(out.decode())
    assert 2 <= len(done) < 24
    assert [record["photo"] for record in done] == paths[: len(done)]
    finished = records(locate(*paths, "--index", town.index, "--resume", str(kept)))
    assert finished[: len(done)] == done
    assert [record["photo"] for record in finished] == paths


@pytest.mark.usefixtures("undescribed")
def test_a_reader_that_has_enough_gets_no_traceback(town: SmallTown) -> None:
    command = [*PROGRAM, "locate", *[photo.path for photo in town.photos], "--index", town.index, "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    json.loads(process.stdout.readline())
    process.stdout.close()
    error = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert error == ""


def test_an_upright_copy_and_its_rotated_original_are_one_photo(town: SmallTown, tmp_path: Path) -> None:
    with Image.open(town.queries[0].path) as image:
        upright = image.convert("RGB")
    paths = []
    turns = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 5: Image.Transpose.TRANSPOSE}
    for orientation, turn in turns.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        paths.append(str(tmp_path / f"{orientation}.png"))
        (upright.transpose(turn) if turn is not None else upright).save(paths[-1], exif=exif)
    found = timeless(records(locate(*paths, "--index", town.index)))
    assert found[0]["status"] == "ok"
    for other in found[1:]:
        assert {**other, "photo": "", "sha256": ""} == {**found[0], "photo": "", "sha256": ""}


@pytest.mark.usefixtures("undescribed")
def test_the_cache_changes_no_answer(town: SmallTown, tmp_path: Path) -> None:
    paths = [photo.path for photo in (*town.queries, *town.strangers)]
    plain = timeless(records(locate(*paths, "--index", town.index)))
    for _ in range(2):
        found = timeless(records(locate(*paths, "--index", town.index, "--cache", str(tmp_path / "cache"))))
        assert found == plain
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == len(paths)


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["nothing-here/*.jpg", "--index", "{index}"], 1, "nothing-here"),
        (["{query}", "--index", "{folder}/none"], 3, "There is no index at"),
        (["{query}", "--index", "{folder}/photos"], 3, "holds no index"),
        (["{query}", "--index", "{index}", "--prior", "exfi"], 2, "did you mean 'exif'"),
        (["{query}", "--index", "{index}", "--top-k", "0"], 2, "top-k"),
        (["{query}"], 2, "--index"),
        ([], 2, "PHOTOS"),
    ],
)
def test_exit_status_and_sentence(town: SmallTown, arguments: list[str], status: int, sentence: str) -> None:
    known = {"index": town.index, "folder": str(town.folder), "query": town.queries[0].path}
    command = ["locate", *(argument.format(**known) for argument in arguments)]
    done = called(*command)
    assert done.returncode == status
    assert sentence in done.stderr + done.stdout
    if status == 3:
        for format in ("table", "json", "geojson"):
            refused = called(*command, "--format", format)
            assert (refused.returncode, refused.stdout) == (3, "")
