"""`geoloc evaluate` with reports, and with what others published beside what was measured."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

NOTE = "published, not measured here"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two files of answers in the folder in which the program runs."""
    monkeypatch.chdir(tmp_path)
    head = "photo,lat,lon,true_lat,true_lon,explanation\n"
    Path("one.csv").write_text(head + "a.jpg,1,2,1,2.1,a sign\nb.jpg,3,4,3,4,\n", encoding="utf-8")
    Path("two.csv").write_text(head + "a.jpg,1,2,1,2.1,\nb.jpg,,,3,4,\n", encoding="utf-8")


def test_a_page_and_a_folder_of_all_forms_are_written_beside_the_table(geoloc: Run) -> None:
    status, out, err = geoloc("one.csv", "two.csv", "--html", "page.html", "--out", "report", "--published", "im2gps")
    assert status == 0, err
    assert "one.csv" in out
    page = Path("page.html").read_text(encoding="utf-8")
    assert page == Path("report/report.html").read_text(encoding="utf-8")
    for said in ("Paired test: share within 1 km", "Who is nearest", "SemP({100, 125, 250}, f)", "a sign", ">two<"):
        assert said in page
    assert "geoloc evaluate one.csv two.csv --html page.html" in page
    assert [run["name"] for run in json.loads(Path("report/report.json").read_text())["runs"]] == ["one", "two"]
    assert (geoloc("one.csv", "--html", "nowhere/page.html")[0], Path("nowhere").exists()) == (2, False)


def test_published_rows_say_so_in_every_format(geoloc: Run) -> None:
    call = ("one.csv", "--published", "im2gps3k", "--published", "stairs")
    status, out, err = geoloc(*call)
    assert (status, out) == (2, "")
    assert "No published figures are known of 'stairs'" in err
    call = ("one.csv", "--published", "im2gps3k", "--published", "7scenes")
    table = geoloc(*call)[1]
    measured, others = table.split(f"{NOTE}:", 1)
    assert ("one.csv" in measured, "GeoCLIP" in measured, "one.csv" in others) == (True, False, False)
    assert table.count(NOTE) == 3 + 2 + 3 + 2 * 2  # above the rows, in titles, and with the sources below each table
    markdown = geoloc(*call, "--format", "markdown")[1]
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert sum(NOTE in row for row in rows) == 21 + 2 * 11
    assert not any(NOTE in row for row in rows if "one.csv" in row)
    latex = geoloc(*call, "--format", "latex")[1]
    assert latex.count(f"\\emph{{{NOTE}}}") == 3
    data = json.loads(geoloc(*call, "--format", "json")[1])
    assert {row["note"] for row in data["published"]} == {NOTE}
    assert all(row["source"] for row in data["published"])
    assert "published" not in json.loads(geoloc("one.csv", "--format", "json")[1])


def test_published_lines_of_the_csv_have_a_source_and_the_columns_of_what_was_measured(geoloc: Run) -> None:
    found = geoloc("one.csv", "--published", "im2gps3k", "--published", "7scenes", "--format", "csv")[1]
    ours, *others = csv.DictReader(io.StringIO(found))
    assert (ours["predictions"], ours["within_25_km"], ours["mark"], ours["source"]) == ("one.csv", "1.0", "", "")
    assert {row["mark"] for row in others} == {NOTE}
    geoclip = next(row for row in others if row["predictions"] == "GeoCLIP")
    assert (geoclip["truth"], geoclip["within_25_km"], geoclip["median_m"]) == ("im2gps3k", "0.345", "")
    assert "survey list" in geoclip["source"]
    posenet = [row for row in others if row["predictions"] == "PoseNet"]
    assert [(row["median_m_stairs"], row["median_deg_stairs"]) for row in posenet] == [("0.47", ""), ("", "13.81")]
    assert "mark" not in geoloc("one.csv", "--format", "csv")[1].splitlines()[0]


def test_a_run_has_its_report_beside_its_record(geoloc: Run) -> None:
    Path("photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (16, 12), (90, 90, 90)).save(Path("photos", name))
    Path("truth.csv").write_text("photo,lat,lon\na.jpg,1,2.001\nb.jpg,1,2.1\n", encoding="utf-8")
    call = ["--photos", "photos", "--queries", "photos", "--truth", "truth.csv", "--prior", "near=1,2,5km"]
    status, _, err = geoloc(*call, "--out", "run", "--quiet")
    assert status == 0, err
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "How its answers were made" in page
    assert page.count('src="data:image/jpeg;base64,') == 2
    (told,) = json.loads(Path("run/report.json").read_text(encoding="utf-8"))["runs"]
    assert (told["record"]["set: queries"], told["record"]["options: priors"]) == ("2", "near=1,2,5km")
    assert told["within"] == json.loads(Path("run/run.json").read_text(encoding="utf-8"))["figures"]["within"]
