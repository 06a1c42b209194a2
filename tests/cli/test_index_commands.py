"""`geoloc index ...` as its user calls it: building, finishing, adding, removing, looking and repairing."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from program import called

if TYPE_CHECKING:
    from conftest import SmallTown

PROGRAM = [sys.executable, "-m", "geoloc_cli"]


def geoloc(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = called(*arguments)
    assert done.returncode == status, done.stderr
    return done


def exported(index: Path | str) -> list[dict[str, object]]:
    return [json.loads(line) for line in geoloc("index", "export", str(index)).stdout.splitlines()]


def test_build_says_what_it_took_and_what_it_left_out_and_why(town: SmallTown, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for photo in town.photos[:4]:
        shutil.copy(photo.path, photos)
    shutil.copy(town.queries[0].path, photos / "nowhere.jpg")  # a photo without a position
    (photos / "broken.jpg").write_bytes(Path(town.photos[5].path).read_bytes()[:2000])
    index = str(tmp_path / "index")
    # A photo that cannot be read is a failure (status 1); one that says nowhere where it was taken is not.
    done = geoloc("index", "build", str(photos), "--index", index, "--workers", "1", status=1)
    assert done.stdout == ""
    assert f"{index}: 4 photos (4 added, 0 replaced, 0 unchanged)" in done.stderr
    assert "1 left out, no_position:" in done.stderr
    assert "nowhere.jpg' says nowhere where it was taken" in done.stderr
    assert "1 left out, not_a_photo:" in done.stderr
    (photos / "broken.jpg").unlink()
    again = geoloc("index", "build", str(photos), "--index", index, "--workers", "1")
    assert "(0 added, 0 replaced, 4 unchanged)" in again.stderr
    said = json.loads(geoloc("index", "info", index, "--json").stdout)
    assert (said["photos"], said["finished"]) == (4, True)
    assert "photos        4" in geoloc("index", "info", index).stdout


def test_augmentation_is_turned_on_and_off_again(town: SmallTown, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    photos = [photo.path for photo in town.photos[:4]]
    geoloc("index", "build", *photos, "--index", index, "--workers", "1", "--augment", "2")
    assert "augmented by  2" in geoloc("index", "info", index).stdout
    assert "0.0 MB freed" in geoloc("index", "compact", index).stderr
    assert json.loads(geoloc("index", "info", index, "--json").stdout)["augment"] == 2
    geoloc("index", "compact", index, "--augment", "0")
    assert json.loads(geoloc("index", "info", index, "--json").stdout)["augment"] == 0
    assert "less than or equal to 100" in geoloc("index", "compact", index, "--augment", "101", status=2).stderr


def test_positions_from_a_file_win_over_exif(town: SmallTown, tmp_path: Path) -> None:
    chosen = [photo.path for photo in town.photos[:4]]
    stated = tmp_path / "positions.csv"
    stated.write_text(f"path,lat,lon,radius_m\n{Path(chosen[0]).name},12.5,-45.25,3\n")
    index = str(tmp_path / "index")
    geoloc("index", "build", *chosen, "--index", index, "--positions", str(stated), "--workers", "1")
    rows = {str(row["path"]): row for row in exported(index)}
    assert (rows[chosen[0]]["lat"], rows[chosen[0]]["lon"], rows[chosen[0]]["radius_m"]) == (12.5, -45.25, 3)
    assert rows[chosen[0]]["source"] == "file"
    assert rows[chosen[1]]["source"] == "exif"
    assert rows[chosen[1]]["lat"] == pytest.approx(town.photos[1].lat, abs=5e-5)


def test_codes_are_taken_and_changed(town: SmallTown, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    build = ("index", "build", *(photo.path for photo in town.photos[:2]), "--index", index, "--workers", "1")
    assert "did you mean 'rabitq'" in geoloc(*build, "--codes", "rabit", status=2).stderr
    geoloc(*build, "--codes", "float16")
    said = json.loads(geoloc("index", "info", index, "--json").stdout)
    assert (said["photos"], said["codes"]) == (2, "float16")
    geoloc("index", "compact", index, "--codes", "pq32")
    assert "codes         pq32" in geoloc("index", "info", index).stdout


def test_add_remove_verify_compact_export(town: SmallTown, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    shutil.copytree(town.index, index)
    before = {str(row["path"]) for row in exported(index)}
    extra = tmp_path / "extra.jpg"
    shutil.copy(town.photos[0].path, extra)
    assert "1 added" in geoloc("index", "add", str(extra), "--index", index, "--workers", "1").stderr
    assert {str(row["path"]) for row in exported(index)} == before | {str(extra)}
    gone = [photo.path for photo in town.photos[:3]]
    assert "3 photos removed" in geoloc("index", "remove", index, *gone).stderr
    assert "holds no photo" in geoloc("index", "remove", index, gone[0], status=3).stderr
    assert "MB freed" in geoloc("index", "compact", index).stderr
    assert "12 photos" in geoloc("index", "verify", index).stdout
    assert len(list(csv.DictReader(io.StringIO(geoloc("index", "export", index, "--format", "csv").stdout)))) == 12
    collection = json.loads(geoloc("index", "export", index, "--format", "geojson").stdout)
    lon, lat = collection["features"][0]["geometry"]["coordinates"][:2]
    assert 24 < lon < 25
    assert 59 < lat < 60
    assert geoloc("index", "export", index, "--format", "xml", status=2).stdout == ""


def test_verify_names_what_is_lost(town: SmallTown, tmp_path: Path) -> None:
    index = tmp_path / "index"
    shutil.copytree(town.index, index)
    segment = next((index / "segments").glob("*.features"))
    data = bytearray(segment.read_bytes())
    data[1000] ^= 1
    segment.write_bytes(data)
    done = geoloc("index", "verify", str(index), status=10)
    assert f"{segment} is not what was written" in done.stdout
    verdict = json.loads(geoloc("index", "verify", str(index), "--json", status=10).stdout)
    assert len(verdict["faults"]) == 2


def test_merge(town: SmallTown, tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    shutil.copytree(town.index, one)
    shutil.copytree(town.index, two)
    paths = [photo.path for photo in town.photos]
    geoloc("index", "remove", one, *paths[:6])
    geoloc("index", "remove", two, *paths[4:])
    assert "4 photos copied" in geoloc("index", "merge", one, two).stderr
    assert {str(row["path"]) for row in exported(one)} == {*paths[:4], *paths[6:]}


def test_an_interrupted_build_keeps_what_is_done_and_is_finished(town: SmallTown, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(48):
        shutil.copy(town.photos[i % 14].path, photos / f"{i:02d}.jpg")
    index = tmp_path / "index"
    build = [*PROGRAM, "index", "build", str(photos), "--index", str(index), "--workers", "2"]
    process = subprocess.Popen(build, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(index.glob("segments/*.features")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in error
    verdict = json.loads(geoloc("index", "verify", str(index), "--json").stdout)
    assert 32 <= verdict["photos"] == verdict["undescribed"] < 48
    assert "no; run the same" in geoloc("index", "info", str(index)).stdout
    refused = geoloc("locate", town.queries[0].path, "--index", str(index), status=3)
    assert "was never finished; run the same `geoloc index build` again" in refused.stderr
    done = geoloc("index", "build", str(photos), "--index", str(index), "--workers", "1")
    assert f"({48 - verdict['photos']} added, 0 replaced, {verdict['photos']} unchanged)" in done.stderr
    assert json.loads(geoloc("index", "verify", str(index), "--json").stdout)["undescribed"] == 0


def test_a_second_writer_waits_for_nobody(town: SmallTown, tmp_path: Path) -> None:
    index = tmp_path / "index"
    shutil.copytree(town.index, index)
    hold = (
        "import sys; from geoloc_cli.index.writer import IndexWriter; w = IndexWriter(sys.argv[1]); print(1); input()"
    )
    command = [sys.executable, "-u", "-c", hold, str(index)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        done = geoloc("index", "compact", str(index), status=11)
        assert f"geoloc: Another process is writing to the index in {index}" in done.stderr
        geoloc("index", "info", str(index))
    finally:
        process.kill()
        process.wait()


def test_nothing_to_index_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = geoloc("index", "build", str(tmp_path / "empty"), "--index", str(tmp_path / "index"), status=2)
    assert "No photos were found" in done.stderr
    assert not (tmp_path / "index").exists()


def test_photos_without_any_texture_say_what_is_wrong(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), (90, 90, 90)).save(tmp_path / "plain.jpg")
    (tmp_path / "where.csv").write_text("path,lat,lon\nplain.jpg,1,2\n")
    positions = ["--positions", str(tmp_path / "where.csv")]
    index = ["--index", str(tmp_path / "index"), "--workers", "1"]
    done = geoloc("index", "build", str(tmp_path / "plain.jpg"), *index, *positions, status=2)
    assert "plain.jpg' shows only 0 keypoints" in done.stderr
    assert "None of the 1 photos could be indexed" in done.stderr
