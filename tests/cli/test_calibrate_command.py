"""`geoloc evaluate --calibrate`, and what `locate` and `prior` make of what it stores."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from geoloc_cli.cli.app import main
from geoloc_cli.geo.earth import destination
from geoloc_cli.pipeline.calibrated import photo_key

if TYPE_CHECKING:
    from conftest import SmallTown

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def geoloc(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The program within this process, which spares its start: exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geoloc", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        said = capsys.readouterr()
        return int(done.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="module")
def labelled(town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A folder of five of the town's own geotagged photos under other names, and a copy of its index."""
    folder = tmp_path_factory.mktemp("labelled")
    shutil.copytree(town.index, folder / "index")
    (folder / "photos").mkdir()
    for number, photo in enumerate(town.photos[2:12:2]):
        shutil.copy(photo.path, folder / "photos" / f"{number}.jpg")
    return str(folder / "photos"), str(folder / "index")


def record(line: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(line)
    del made["timing_ms"]
    return made


def test_it_is_learned_shown_stored_with_the_index_and_used(
    geoloc: Run, town: SmallTown, labelled: tuple[str, str], tmp_path: Path
) -> None:
    photos, index = labelled
    asked = ("locate", town.queries[0].path, "--index", index, "--format", "jsonl", "--workers", "1")
    _, before, said = geoloc(*asked)
    assert "alibrat" not in said
    code, out, said = geoloc("evaluate", "--calibrate", photos, "--index", index, "--workers", "1", "--format", "json")
    assert code == 0, said
    file = Path(index) / "calibration.json"
    assert f"5 labelled photos. Stored in {file}." in said
    told = json.loads(out)
    assert told["stored"] == str(file)
    stage, answers = told["rows"]
    assert (stage["kind"], stage["source"], stage["photographs"]) == ("stage", "rerank", 5)
    assert answers["kind"] == "answers"
    assert stage["before"]["held"] == 1.0
    # Each photo was hidden from itself: its neighbours lie 4 m away, and place it to metres, not to nothing.
    assert stage["before"]["median_radius_m"] > 2.0
    kept = json.loads(file.read_text())
    assert kept["command"] == f"geoloc evaluate --calibrate {photos} --index {index}"
    assert (kept["photographs"], len(kept["photos"]), len(kept["folds"])) == (5, 5, 5)
    assert kept["searched"]["photos"] == 14
    assert kept["figures"] == told["rows"]

    code, after, said = geoloc(*asked)
    assert code == 0
    assert f"Calibrated on 5 photographs, {kept['created_at'][:10]}." in said
    one, other = record(before), record(after)
    assert other["radius_m"] != one["radius_m"]
    assert other["belief"][0]["radius_m"] == pytest.approx(
        kept["stages"]["rerank"]["inflate"] * one["belief"][0]["radius_m"]
    )
    _, without, said = geoloc(*asked, "--calibration", "none")
    assert record(without) == one
    assert "alibrat" not in said

    # A run over a labelled photo uses what was learned without it, and says by which file.
    (tmp_path / "names").write_text("3.jpg\n", encoding="utf-8")
    run = ("evaluate", "--photos", photos, "--queries", str(tmp_path / "names"), "--index", index, "--workers", "1")
    code, _, said = geoloc(*run, "--out", str(tmp_path / "one"))
    assert (code, f"Calibrated by {file}, each photo by what was learned without it." in said) == (0, True)
    assert geoloc(*run, "--out", str(tmp_path / "two"), "--calibration", "none")[0] == 0
    used, plain = (record((tmp_path / out / "fixes.jsonl").read_text()) for out in ("one", "two"))
    fold = kept["folds"][kept["photos"][photo_key(str(Path(photos, "3.jpg")))]]
    assert used["belief"][0]["radius_m"] == pytest.approx(
        fold["stages"]["rerank"]["inflate"] * plain["belief"][0]["radius_m"]
    )
    recorded = json.loads((tmp_path / "one" / "run.json").read_text())["options"]
    assert recorded["calibration_digest"] == hashlib.sha256(file.read_bytes()).hexdigest()

    assert "calibrated    on 5 photographs" in geoloc("index", "info", index)[1]
    assert geoloc("index", "verify", index)[0] == 0
    assert geoloc("index", "compact", index)[0] == 0
    assert file.is_file()

    file.write_text(json.dumps(kept | {"searched": kept["searched"] | {"matcher": "loftr"}}))
    _, ignored, said = geoloc(*asked)
    assert record(ignored) == one
    assert said.count(f"{file} is not used: it was learned with the matcher loftr") == 1
    file.write_text("{")
    _, ignored, said = geoloc(*asked)
    assert record(ignored) == one
    assert "Nothing is calibrated" in said
    code, _, said = geoloc(*asked, "--calibration", str(file))
    assert code == 2
    assert "is no calibration of this program" in said
    code, _, said = geoloc("evaluate", "--reproduce", str(tmp_path / "one"), "--workers", "1")
    assert (code, "is no calibration of this program" in said) == (2, True)
    file.write_text(json.dumps(kept))
    code, _, said = geoloc("evaluate", "--reproduce", str(tmp_path / "one"), "--workers", "1")
    assert (code, f"{file} is not what the run began with" in said) == (2, True)


def test_a_prior_alone_is_calibrated_from_a_table_and_recorded_answers_without_a_photograph(
    geoloc: Run, town: SmallTown, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows, answers = ["photo,lat,lon"], []
    for number in range(40):
        lat, lon = rng.uniform(-60.0, 60.0), rng.uniform(-170.0, 170.0)
        near = destination(lat, lon, rng.uniform(0.0, 360.0), 30e3 * rng.rayleigh())
        rows.append(f"{number}.jpg,{lat},{lon}")
        answers.append({"photo": f"{number}.jpg", "answer": json.dumps({"lat": float(near[0]), "lon": float(near[1])})})
    answers.append({"photo": town.queries[0].path, "answer": '{"lat": 59.95, "lon": 24.5}'})
    (tmp_path / "places.csv").write_text("\n".join(rows))
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    prior = f"vlm-replay?file={tmp_path / 'answers.jsonl'}"
    file = tmp_path / "worth.json"
    command = ("evaluate", "--calibrate", str(tmp_path / "places.csv"), "--prior", prior, "--workers", "1")
    code, shown, said = geoloc(*command)
    assert code == 0, said
    assert "Not stored: give --calibration FILE to keep it." in said
    assert "prior vlm-replay?file=answers.jsonl" in shown
    assert "100.0 %" in shown
    code, again, said = geoloc(*command, "--calibration", str(file), "--dry-run")
    assert (code, again, file.exists()) == (0, shown, False)
    assert f"Would be stored in {file}." in said
    code, _, said = geoloc(*command, "--calibration", str(file))
    assert code == 0, said
    kept = json.loads(file.read_text())
    # What models in general say of themselves is far wider than a source that is off by 50 km.
    assert kept["priors"]["vlm-replay?file=answers.jsonl"]["doubt"] < -0.1
    assert str(tmp_path / "answers.jsonl") not in file.read_text()

    asked = ("prior", town.queries[0].path, "--prior", prior, "--format", "jsonl", "--workers", "1")
    plain, found = (record(geoloc(*asked, *more)[1]) for more in ((), ("--calibration", str(file))))
    assert found["radius_m"] < 0.4 * plain["radius_m"]
    assert found["priors"] == plain["priors"]
    _, _, said = geoloc(*asked[:2], "--prior", "clock", *asked[4:], "--calibration", str(file))
    assert said.count("knows nothing of clock: what that says is taken at its word.") == 1


def test_what_cannot_be_learned_is_refused_with_one_sentence(
    geoloc: Run, labelled: tuple[str, str], tmp_path: Path
) -> None:
    photos, index = labelled
    learning = ("evaluate", "--calibrate", photos)
    for more, sentence in (
        ((), "nothing to calibrate; give --index DIR"),
        (("--prior", "exif"), "The prior exif is stated"),
        (("--prior", "near=1,2,3km"), "The prior near is stated"),
        (("--pose",), "--pose goes with --index"),
        (("--index", index, "--format", "latex"), "no format 'latex'"),
        (("--index", index, "--truth", str(tmp_path / "no.csv")), "no.csv"),
        (("--prior", f"geoclip?gallery=index:{index}"), "5 of the labelled ones are among them"),
    ):
        code, _, said = geoloc(*learning, *more)
        assert code == 2
        assert sentence in said
        assert len(said.splitlines()) == 1
    assert "and not both" in geoloc("evaluate", "fixes.jsonl", "--calibrate", photos)[2]
    assert "--levels has no meaning with --calibrate" in geoloc(*learning, "--index", index, "--levels", "1km")[2]
    assert "--calibration is for locating" in geoloc("evaluate", "fixes.jsonl", "--calibration", "worth.json")[2]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no photograph with a position" in geoloc("evaluate", "--calibrate", str(empty), "--index", index)[2]
