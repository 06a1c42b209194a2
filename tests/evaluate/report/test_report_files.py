"""Reports as files: Markdown, LaTeX, CSV and JSON say the same, and no name in them is more than text."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.compared import compare
from geoloc_cli.evaluate.published import NOTE, published
from geoloc_cli.evaluate.report import latex
from geoloc_cli.evaluate.report.content import Report, report
from geoloc_cli.evaluate.report.files import NAMES, write_folder, write_page
from geoloc_cli.evaluate.report.flat import as_json, figures_csv
from geoloc_cli.evaluate.report.made import entries, read_run, recorded_facts
from geoloc_cli.evaluate.report.markdown import markdown
from geoloc_cli.evaluate.run_record import SCHEMA
from geoloc_cli.export.markup import in_markdown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geoloc_cli.evaluate.evaluated import Evaluated
    from geoloc_cli.evaluate.score import How

    Made = Callable[..., Evaluated]

NAN = float("nan")
HOSTILE = "=![x](http:a)|<b>\\input{x}`_*\n\udcff"


@pytest.fixture
def told(make: Made, how: How) -> Report:
    """Two runs over photographs with a hostile name, beside what others published."""
    names = [HOSTILE, "b.jpg", "c.jpg"]
    runs = [make(HOSTILE, [1e3, 30e3, NAN], photos=names), make("other.csv", [2e3, 30e3, 9e6], photos=names)]
    comparisons = compare([run.score for run in runs if run.score], how.sure)
    return report(entries(runs), comparisons, how, published(["im2gps3k"]), ["geoloc", "evaluate", "x y.csv"])


def test_markdown_shows_names_as_they_are(told: Report) -> None:
    text = markdown(told)
    assert in_markdown("a|b_c") == r"a\|b\_c"
    assert re.findall(r"(?<!\\)!\[|(?<!\\)<b>|(?<!\\)`", text) == []
    assert "\udcff" not in text
    lines = text.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    # In each table every line has as many cells.
    for above, below in itertools.pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert len(re.split(r"(?<!\\)\|", above)) == len(re.split(r"(?<!\\)\|", below))
    assert [line for line in tables if f"GeoCLIP \\[im2gps3k\\] ({NOTE}) | - | - | 14.1 % | 34.5 %" in line]
    assert sum(NOTE in line for line in tables) == 21
    assert "- command: geoloc evaluate 'x y.csv'" in lines
    assert any(re.search(r"66\.7 % \(20\.8–93\.9\)", line) for line in tables)


def test_latex_has_the_rules_of_booktabs_and_sets_names_as_they_are(told: Report) -> None:
    text = "\n".join(latex.table(told.tables[0], ends=True))
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 2, 1]
    assert text.index(r"\multicolumn{11}{l}{\emph{published, not measured here}}") < text.index("GeoCLIP [im2gps3k]")
    assert r"66.7 \% (20.8--93.9)" in text
    assert r"\input{" not in text
    assert r"\textbackslash{}input\{x\}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith(r"\multicolumn")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {10}
    assert all(line.startswith("%") for line in text.splitlines() if "survey list" in line)


def test_every_figure_of_the_csv_is_that_of_the_json_and_says_whose_it_is(told: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(figures_csv(told))))
    data = as_json(told)
    json.dumps(data, allow_nan=False)
    ours = {row["figure"]: float(row["value"]) for row in rows if row["run"] == "other"}
    (run,) = [run for run in data["runs"] if run["name"] == "other"]
    assert ours["within: 25 km"] == run["within"]["25 km"] == pytest.approx(1 / 3)
    assert ours["intervals: median_m: low"] == run["intervals"]["median_m"][0]
    assert all(row["mark"] == row["source"] == "" for row in rows if row["run"] in ("other", data["runs"][0]["name"]))
    others = [row for row in rows if row["mark"]]
    assert {row["mark"] for row in others} == {NOTE}
    assert all(row["source"] for row in others)
    (geoclip,) = [row for row in others if row["run"] == "GeoCLIP" and row["figure"] == "im2gps3k: within_25_km"]
    assert float(geoclip["value"]) == 0.345
    # None of a spreadsheet's formulas: the hostile run's name begins as one.
    assert not any(cell[:1] in ("=", "+", "@") for row in rows for cell in row.values())
    assert [row["method"] for row in data["published"][:1]] == ["PlaNet (reproduced)"]
    assert len(data["comparisons"]) == 1


def test_all_forms_are_written_into_a_folder(told: Report, tmp_path: Path) -> None:
    write_folder(told, str(tmp_path / "deep" / "report"))
    assert sorted(path.name for path in (tmp_path / "deep" / "report").iterdir()) == sorted(NAMES)
    assert json.loads((tmp_path / "deep/report/report.json").read_text())["facts"]["command"].endswith("'x y.csv'")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file cannot be made"):
        write_folder(told, str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"page\.html cannot be written"):
        write_page(told, str(tmp_path / "gone" / "page.html"))


def test_the_record_beside_answers_says_how_they_were_made(make: Made, tmp_path: Path) -> None:
    record = {"schema": SCHEMA, "command": ["geoloc", "evaluate"], "options": {"top_k": 15, "map": None}}
    record["leakage"] = {"looked": True, "sentences": ["1 of 7 queries is a copy."]}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record))
    assert read_run(path, "fixes.jsonl") == read_run(path, None) == record
    assert recorded_facts(record) == [("command", "geoloc evaluate"), ("options: top_k", "15")]
    assert read_run(path, "other.csv") == {}
    fixes = tmp_path / "fixes.jsonl"
    fixes.write_text("{}\n")
    (entry,) = entries([make(str(fixes), [1.0])])
    assert ("leakage", "1 of 7 queries is a copy.") in entry.facts
    assert ("options: top_k", "15") in entry.record
    for text in ("[" * 100_000, "[]", "{"):
        path.write_text(text)
        assert recorded_facts(read_run(path, None)) == []
    answers = tmp_path / "answers.csv"
    answers.write_text("photo,lat,lon\n")
    (entry,) = entries([make(str(answers), [1.0, NAN])])
    facts = dict(entry.facts)
    digest = hashlib.sha256(answers.read_bytes()).hexdigest()
    assert facts["predictions"].endswith(f"answers.csv (SHA-256 {digest[:16]}...)")
    assert (facts["truth"], facts["matched"]) == ("truth.csv", "2 by name")
    assert str(tmp_path) in entry.folders


def test_figures_that_are_not_there_are_left_out(make: Made, how: How) -> None:
    told = report(entries([make("run", [NAN, NAN])]), [], how)
    rows = list(csv.DictReader(io.StringIO(figures_csv(told))))
    assert "median_m" not in {row["figure"] for row in rows}
    assert np.isfinite([float(row["value"]) for row in rows]).all()
