"""`geoloc evaluate` as a run over photographs, and several files in one table, as installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NEAR = "near=48.0,2.0,5km"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`photos/0.jpg` to `7.jpg`, `some.txt` naming the even ones, `truth.csv` with each 1 km north of the last."""
    (tmp_path / "photos").mkdir()
    rows = ["photo,lat,lon"]
    for number in range(8):
        Image.new("L", (16, 12), 90).save(tmp_path / "photos" / f"{number}.jpg")
        rows.append(f"{number}.jpg,{48.0 + number / 111.195},2.0")
    (tmp_path / "truth.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "some.txt").write_text("0.jpg\n2.jpg\n4.jpg\n6.jpg\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Flat pictures cannot be indexed: a folder of queries alone is searched for by priors.
CALL = ("--photos", "photos", "--queries", "photos", "--truth", "truth.csv", "--prior", NEAR, "--workers", "1")


def test_a_run_prints_its_tables_and_keeps_its_record(folder: Path, geoloc: Run) -> None:
    status, out, err = geoloc(*CALL)
    assert status == 0, err
    # Errors of 0 to 7 km; of eight the lower middle is 3.
    assert out.splitlines()[3].split() == [
        *("photos", "8", "100.0", "%", "12.5", "%", "12.5", "%", "12.5", "%", "12.5", "%", "12.5", "%"),
        *("3.0", "km", "3.5", "km", "3.5", "km"),
    ]
    assert "What answers say of themselves" in out
    assert "runs/photos: 8 queries, 8 located, 0 unlocated, 0 failed" in err
    record = json.loads((folder / "runs" / "photos" / "run.json").read_text())
    assert record["command"][:2] == ["geoloc", "evaluate"]
    assert record["source"]["truth"] == "truth.csv"
    # The same command has nothing left to do; another one is not mixed into it.
    again = geoloc(*CALL, "--format", "json")
    assert "8 queries (8 of them before)" in again[2]
    assert json.loads(again[1])["runs"][0]["median_m"] == pytest.approx(3000.0, rel=1e-3)
    assert geoloc(*CALL, "--top-k", "7")[0] == 2


def test_its_answers_are_scored_and_compared_like_any_predictions(folder: Path, geoloc: Run) -> None:
    geoloc(*CALL, "--quiet")
    geoloc(*CALL[:-4], "--prior", "near=48.1,2.0,5km", "--out", "north", "--workers", "1", "--quiet")
    fixes = ("runs/photos/fixes.jsonl", "north/fixes.jsonl")
    status, out, err = geoloc(*fixes, "--truth", "runs/photos/truth.csv", "--format", "json")
    assert status == 0, err
    said = json.loads(out)
    (compared,) = said["comparisons"]
    # 48.1 is 11.1 km north: the first is nearer to those up to 5 km, and farther from 6 and 7.
    assert (compared["photos"], compared["nearer"], compared["farther"]) == (8, 0.75, 0.25)
    assert said["runs"][0]["beliefs"]["count"] == 8
    status, out, _ = geoloc(
        *fixes, "--truth", "truth.csv", "--levels", "2500m,5km", "--confidence", "0.9", "--format=latex"
    )
    assert status == 0
    heads = out.splitlines()[2]
    assert heads.startswith("predictions & photos & answered & 2500 m & 5 km & median")
    assert r"100.0 \% (74.7--100.0)" in out  # Wilson's of 8 in 8 at 90 %


def test_a_recorded_run_is_done_again_and_compared(folder: Path, geoloc: Run) -> None:
    geoloc(*CALL, "--quiet")
    status, out, err = geoloc("--reproduce", "runs/photos/run.json", "--workers", "1")
    assert (status, out) == (0, "8 of 8 answers are equal but for their timing.\n"), err
    assert (folder / "runs" / "photos-again" / "fixes.jsonl").exists()
    # As if the first run had been of other photographs.
    truth = (folder / "truth.csv").read_text().replace("48.0,", "49.0,")
    (folder / "truth.csv").write_text(truth)
    status, out, _ = geoloc("--reproduce", "runs/photos", "--out", "third", "--workers", "1", "--format", "json")
    said = json.loads(out)
    assert (status, said["equal"], said["same_photos"], said["alike"]) == (1, False, False, 8)
    assert [name for name, _, _ in said["figures"] if name == "mean_m"] == ["mean_m"]


def test_an_interruption_is_130_and_keeps_what_was_finished(folder: Path) -> None:
    """Four hundred photographs take most of a second."""
    for number in range(400):
        os.link(folder / "photos" / "0.jpg", folder / "photos" / f"x{number}.jpg")
    fixes = folder / "run" / "fixes.jsonl"
    paths = ("--photos", str(folder / "photos"), "--queries", str(folder / "photos"), "--out", str(fixes.parent))
    command = [sys.executable, "-m", "geoloc_cli", "evaluate", *paths, "--prior", NEAR, "--workers", "1"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        for _ in range(1000):
            if fixes.exists() and fixes.stat().st_size > 0:
                break
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert "interrupted; what was finished is kept" in err
    lines = fixes.read_text().splitlines()
    assert 0 < len(lines) < 408
    assert json.loads(lines[-1])["status"] == "ok"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ([], "Give a file of predictions, or what is to be located: --dataset NAME --root DIR, or --photos."),
        (["truth.csv", "--prior", NEAR], "--prior is for locating photos, and these predictions are there already"),
        (["--photos", "photos"], "--photos goes with --queries"),
        (["--photos", "photos", "--queries", "some.txt", "--dataset", "odm"], "Give --dataset NAME --root DIR, or"),
        (["--dataset", "im2gps"], "--dataset goes with --root DIR"),
        (["--dataset", "im2gps", "--root", ".", "--truth", "truth.csv"], "states the truth itself; leave out --truth."),
        (["--dataset", "im2gp", "--root", "."], "There is no data set 'im2gp' (did you mean im2gps?)"),
        (["--reproduce", "truth.csv"], "truth.csv is no record of a run"),
        (["--reproduce", "x", "--format", "csv"], "--reproduce writes sentences, or --format json, and no csv."),
        (["truth.csv", "--levels", "near"], "--levels has 'near', which is no distance"),
        (["truth.csv", "--confidence", "95"], "A confidence of 95 is none to go by"),
    ],
)
def test_a_wrong_call_is_one_sentence(folder: Path, geoloc: Run, call: list[str], words: str) -> None:
    status, out, err = geoloc(*call)
    assert (status, out) == (2, "")
    assert words in err
    assert err.startswith("geoloc: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("queries", "words"),
    [
        ("some.txt", "No reference of photos could be indexed: 'photos/1.jpg' shows only 0 keypoints"),
        ("photos", "photos has no references to search in; give --index DIR of an index of your own, or a --prior"),
    ],
)
def test_a_run_with_nothing_to_search_in_says_why(folder: Path, geoloc: Run, queries: str, words: str) -> None:
    call = ("--photos", "photos", "--queries", queries, "--truth", "truth.csv", "--workers", "1")
    status, out, err = geoloc(*call)
    assert (status, out) == (2, "")
    assert words in err.splitlines()[-1]


def test_predictions_are_scored_against_a_published_set(folder: Path, geoloc: Run) -> None:
    (folder / "set").mkdir()
    (folder / "set" / "im2gps3k_places365.csv").write_text("IMG_ID,LAT,LON\n1_a.jpg,10,20\n2_b.jpg,30,40\n")
    (folder / "answers.csv").write_text("image,lat,lon\n1_a,10,20.1\n2_b,30,45\n", encoding="utf-8")
    status, out, err = geoloc("answers.csv", "--dataset", "im2gps3k", "--root", "set", "--format", "json")
    assert status == 0, err
    (run,) = json.loads(out)["runs"]
    assert (run["truth"], run["within"]["25 km"], run["matched"]) == ("im2gps3k", 0.5, {"stem": 2})
    assert "leave out --truth" in geoloc("answers.csv", "--dataset", "im2gps3k", "--root", "set", "--truth", "x")[2]
