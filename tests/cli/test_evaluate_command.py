"""`geoloc evaluate`, as installed."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from geoloc_cli.geo.earth import destination
from geoloc_cli.records import dumps
from geoloc_cli.types import Belief, Fix

PLACES = [(48.8566, 2.3522), (51.5, -0.1), (40.7, -74.0), (35.7, 139.7), (-33.9, 18.4), (-22.9, -43.2), (1.3, 103.8)]
PLACES += [(59.3, 18.1), (30.0, 31.2), (19.4, -99.1)]
AWAY_M = [100.0, 900.0, 5e3, 20e3, 60e3, 150e3, 500e3, 700e3, 2e6, 9e6]


def installed(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "geoloc_cli", "evaluate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """`truth.csv`, `fixes.jsonl` (one of ten without an answer) and `swapped.csv` of another tool, in one folder."""
    truth, fixes, swapped = ["image,latitude,longitude"], [], ["image_name,lat,lng"]
    for number, ((lat, lon), away) in enumerate(zip(PLACES, AWAY_M, strict=True)):
        truth.append(f"{number}.jpg,{lat},{lon}")
        there, east = (float(x) for x in destination(lat, lon, 20.0, away))
        located = Fix(f"queries/{number}.jpg", "ok", "rerank", there, east, None, 50.0, 0.9, Belief())
        lost = Fix(f"queries/{number}.jpg", "unlocated", None, None, None, None, None, 0.0, Belief(), "not_in_index")
        fixes.append(dumps(lost if number == 9 else located))
        swapped.append(f"{number}.jpg,{lon},{lat}")
    for name, lines in (("truth.csv", truth), ("fixes.jsonl", fixes), ("swapped.csv", swapped)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_our_own_lines_are_scored_from_a_file_or_a_pipe(files: Path, geoloc: Run) -> None:
    truth = str(files / "truth.csv")
    status, out, err = geoloc(str(files / "fixes.jsonl"), "--truth", truth, "--format", "json")
    assert status == 0, err
    (run,) = json.loads(out)["runs"]
    assert (run["photos"], run["answered"], run["matched"]) == (10, 0.9, {"path": 10})
    assert list(run["within"].values()) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.9])
    assert run["median_m"] == pytest.approx(60e3, rel=1e-6)
    assert [diagnosis["code"] for diagnosis in run["diagnoses"]] == ["matched_by_path", "no_answer"]
    assert "No answer to 1 of 10 photographs (1 not_in_index), counted as wrong." in err
    piped = installed("-", "--truth", truth, "--quiet", "--format", "json", stdin=(files / "fixes.jsonl").read_text())
    assert (piped.returncode, piped.stderr) == (0, "")
    assert json.loads(piped.stdout)["runs"][0]["within"] == run["within"]


def test_several_files_are_rows_of_one_table_in_every_format(
    files: Path, geoloc: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    call = ["fixes.jsonl", "swapped.csv", "--truth", "truth.csv"]
    status, out, err = geoloc(*call)
    assert status == 0, err
    assert " ".join(out.splitlines()[3].split()) == (
        "fixes.jsonl 10 90.0 % 20.0 % 40.0 % 60.0 % 80.0 % 90.0 % 60.0 km 60.0 km 382 km"
    )
    assert re.search(
        r"^swapped.csv: The median error drops from \d+ \d+ km to 0 m if lat and lon are swapped", err, re.M
    )
    rows = list(csv.DictReader(io.StringIO(geoloc(*call, "--format", "csv")[1])))
    assert [float(row["within_25_km"]) for row in rows] == [0.4, 0.0]
    _, markdown, _ = geoloc(*call, "--format", "markdown")
    assert markdown.splitlines()[2].startswith("| fixes.jsonl | 10 | 90.0 % | 20.0 % | 40.0 % |")
    _, latex, _ = geoloc(*call, "--format", "latex")
    assert latex.startswith("\\begin{tabular}{lrrrrrrrrrr}\n\\toprule\npredictions & photos & answered")
    assert r"fixes.jsonl & 10 & 90.0 \% & 20.0 \%" in latex


def test_the_truth_may_stand_beside_the_predictions_in_columns_named_by_flags(
    tmp_path: Path, geoloc: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "who,y,x,true y,true x\na,1,2,1,2.1\nb,3,4,3,4\n"
    Path("answers_|&.csv").write_text(text, encoding="utf-8")
    names = ("photo=who", "lat=y", "lon=x", "truth.photo=who", "truth.lat=true y", "truth.lon=true x")
    call = ["answers_|&.csv", *(f"--columns={name}" for name in names)]
    status, out, err = geoloc(*call, "--format=json")
    assert status == 0, err
    # A tenth of a degree of longitude near the equator is 11.1 km, and the other error is none.
    assert json.loads(out)["runs"][0]["mean_m"] == pytest.approx(11.118e3 / 2.0, rel=1e-3)
    assert r"answers\_|\&.csv & 2 &" in geoloc(*call, "--format=latex")[1]
    assert r"| answers\_\|&.csv | 2 |" in geoloc(*call, "--format=markdown")[1]


ONE_PLACE = "has one place a row, which cannot be truth and prediction both; give the truth with --truth FILE"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["nowhere.csv"], "nowhere.csv cannot be read (No such file or directory); check the name."),
        (["fixes.jsonl", "--truth", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["fixes.jsonl", "--truth", "truth.csv", "--format", "html"], "There is no format 'html'; give one of table, "),
        (["fixes.jsonl", "--truth", "truth.csv", "--columns", "lat"], "--columns lat is not KEY=NAME"),
        (["truth.csv"], ONE_PLACE),
        (["fixes.jsonl"], ONE_PLACE),
        (["answers.csv"], "--columns truth.lat=NAME. Or give the truth's file with --truth."),
        (["-"], "Predictions on standard input need a truth; give it with --truth FILE."),
    ],
)
def test_a_wrong_call_is_one_sentence(
    files: Path, geoloc: Run, monkeypatch: pytest.MonkeyPatch, call: list[str], words: str
) -> None:
    monkeypatch.chdir(files)
    Path("answers.csv").write_text("photo,predicted_lat,predicted_lon\n1.jpg,1,2\n", encoding="utf-8")
    status, out, err = geoloc(*call)
    assert (status, out) == (2, "")
    assert words in err
    assert err.startswith("geoloc: ")
    assert len(err.splitlines()) == 1
