"""`Locator` against the command line: the same words, the same answers, and what photographs in memory are called."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import typer.main
from PIL import Image

import geoloc_cli
from geoloc_cli import Failure, Fix, Locator, build_index, types
from geoloc_cli.api.answers import told
from geoloc_cli.api.run import Asked
from geoloc_cli.cli.app import app, main
from geoloc_cli.cli.index import build as build_command
from geoloc_cli.errors import IndexMissing, NotAPhoto, PhotoNotFound, RunError, UsageError
from geoloc_cli.records import loads, to_record

if TYPE_CHECKING:
    from conftest import SmallTown

# What concerns where answers are written, how many processes work, and which photos are meant.
NOT_OF_THE_ANSWER = {
    *(
        "photos",
        "exclude_list",
        "format",
        "report_file",
        "explain_to",
        "tiles",
        "truth",
        "thumbnails",
        "resume",
        "workers",
        "quiet",
    ),
}


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "timing_ms"}


@pytest.fixture(scope="module")
def locator(town: SmallTown) -> Iterator[Locator]:
    with Locator(index=town.index) as opened:
        yield opened


def test_every_flag_that_concerns_the_answer_is_a_word_of_the_locator_with_the_same_default() -> None:
    program: Any = typer.main.get_command(app)
    flags = {p.name: p.default for p in program.commands["locate"].params if p.name not in NOT_OF_THE_ANSWER}
    words = {f.name: f.default for f in fields(Asked)}
    several = {name: tuple(flags[name] or ()) for name in ("near", "prior")}
    assert words == flags | several
    given = inspect.signature(Locator).parameters
    assert {name: p.default for name, p in given.items()} == words


def test_build_index_takes_the_flags_of_the_command() -> None:
    flags = set(inspect.signature(build_command).parameters) - {"quiet", "dry_run"}
    assert set(inspect.signature(build_index).parameters) - {"progress"} == flags


def test_the_answers_are_those_that_the_command_line_prints(
    town: SmallTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    paths = [town.queries[0].path, town.strangers[0].path, str(tmp_path / "text.jpg")]
    near = f"{town.queries[0].lat},{town.queries[0].lon},1km"
    flags = ["--near", near, "--prior", "exif", "--top-k", "9", "--explain", "--rerank", "product"]
    monkeypatch.setattr(sys, "argv", ["geoloc", "locate", *paths, "--index", town.index, "--workers", "1", *flags])
    with pytest.raises(SystemExit):
        main()
    printed = [timeless(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    with Locator(index=Path(town.index), near=near, prior="exif", top_k=9, explain=True, rerank="product") as same:
        alone = [same.locate(path) for path in paths]
        together = list(same.locate_all([paths[0], paths[2]]))
    assert [timeless(answer.to_dict()) for answer in alone] == printed
    assert [type(answer) for answer in alone] == [Fix, Fix, Failure]
    assert [timeless(answer.to_dict()) for answer in together] == [printed[0], printed[2]]
    assert len(printed[0]["candidates"]) > 5


def test_a_dictionary_holds_what_a_line_of_json_does() -> None:
    here, lens = (0.0, 0.0, 0.0), types.Lens("PINHOLE", 640, 480, (500.0, 501.0, 320.0, 240.0))
    pose = types.Pose(
        "m", False, (1.0, *here), here, here, None, None, None, None, 40, 0.9, 1.0, None, None, "p3p", lens
    )
    fix = told(types.Fix("a.jpg", "ok", "pose", None, None, None, None, 0.9, types.Belief(), pose=pose))
    assert fix.to_dict() == json.loads(json.dumps(to_record(fix)))
    assert loads(json.dumps(fix.to_dict())) == types.Fix(**{f.name: getattr(fix, f.name) for f in fields(fix)})


def test_a_fix_is_the_noun_of_the_record(locator: Locator, town: SmallTown) -> None:
    fix = locator.locate(town.queries[0].path)
    assert isinstance(fix, types.Fix)
    assert isinstance(fix, Fix)
    assert (fix.status, fix.pose, fix.belief.spread) == ("ok", None, pytest.approx(1.0 - fix.confidence, abs=0.02))
    assert repr(fix).startswith(f"<Fix {fix.photo}: {fix.lat:.5f}, {fix.lon:.5f} within ")
    assert fix._repr_mimebundle_()["text/plain"] == repr(fix)


def test_a_bad_photo_is_a_failure_or_where_that_is_asked_for_an_error(locator: Locator, tmp_path: Path) -> None:
    failure = locator.locate(tmp_path / "missing.jpg")
    assert isinstance(failure, Failure)
    assert (failure.status, failure.code, failure.photo) == ("error", "not_found", str(tmp_path / "missing.jpg"))
    with pytest.raises(PhotoNotFound, match="does not exist"):
        locator.locate(tmp_path / "missing.jpg", strict=True)
    with pytest.raises(NotAPhoto, match=r"^bytes:1785cfc3bc6ac773 is not a picture"):
        locator.locate(b"nothing", strict=True)


def test_what_is_in_memory_is_located_as_its_file_is(locator: Locator, town: SmallTown) -> None:
    path = town.queries[0].path
    file = locator.locate(path).to_dict()
    data = Path(path).read_bytes()
    of_bytes = locator.locate(data)
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert of_bytes.photo == f"bytes:{file['sha256'][:16]}"
    assert timeless(of_bytes.to_dict() | {"photo": path}) == timeless(file)
    assert locator.locate(data, name="mine").photo == "mine"
    # A JPEG's brightness is decoded as such from a file, and mixed of its colours from pixels: not quite the same.
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
        of_image = locator.locate(image)
    of_pixels = locator.locate(pixels)
    for answer, kind in ((of_image, "image"), (of_pixels, "array")):
        assert isinstance(answer, Fix)
        assert re.fullmatch(f"{kind}:[0-9a-f]{{16}}", answer.photo)
        assert (answer.lat, answer.lon) == (pytest.approx(file["lat"], abs=5e-5), pytest.approx(file["lon"], abs=5e-5))


def test_what_is_not_to_be_told_is_not_told(town: SmallTown, tmp_path: Path) -> None:
    exact = town.queries[0]
    with Locator(index=town.index, disclose="city") as locator:
        fix = locator.locate(Path(exact.path).read_bytes(), name=f"at {exact.lat},{exact.lon}")
        (same,) = locator.locate_all(exact.path, resume=tmp_path / "kept.jsonl")
    for answer in (fix, same, loads((tmp_path / "kept.jsonl").read_bytes())):
        assert isinstance(answer, types.Fix)
        assert answer.disclosed == types.Disclosed("city")
        assert (answer.candidates, answer.timing_ms) == ((), {})
        assert f"{exact.lat:.4f}" not in json.dumps(to_record(answer))
    assert f"{exact.lat:.4f}" not in fix._repr_html_() + repr(fix)
    assert fix.radius_m is not None
    assert fix.radius_m > 1000.0


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), 7, np.zeros((0, 4), np.uint8)])
def test_what_is_no_picture_is_refused(locator: Locator, wrong: Any) -> None:
    with pytest.raises(UsageError, match="is no p"):
        locator.locate(wrong)


def test_wrong_words_are_refused_before_any_photo_is_read(town: SmallTown, tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        Locator(index=tmp_path / "none")
    for words in ({}, {"index": town.index, "map": "m"}, {"index": town.index, "rerank": "no"}):
        with pytest.raises(UsageError):
            Locator(**words)
    for words in ({"max_speed": 3.0}, {"rag": "5"}, {"near": "here"}, {"prior": "no"}, {"calibration": "no.json"}):
        with pytest.raises(RunError):
            Locator(index=town.index, **words)
    with pytest.raises(TypeError, match="topk"):
        Locator(index=town.index, topk=3)  # type: ignore[call-arg]


def test_a_calibration_that_does_not_fit_is_a_warning(town: SmallTown, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    body = {"schema": "geoloc.calibration/1", "photographs": 9, "created_at": "2026-01-01", "searched": None}
    nothing: dict[str, Any] = {"priors": {}, "stages": {}, "dependence": 1.0, "folds": [], "photos": {}}
    file.write_text(json.dumps(body | nothing))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        Locator(index=town.index, prior="ocr", calibration=file).close()
    assert [str(w.message).partition(": ")[2] for w in said] == ["what that says is taken at its word."]
    assert said[0].filename == __file__


def test_threads_take_turns_and_a_closed_one_says_so(town: SmallTown) -> None:
    found: list[Fix | Failure] = []
    with Locator(index=town.index) as shared:
        photos = [photo.path for photo in town.queries[:2]]
        workers = [threading.Thread(target=lambda at=path: found.append(shared.locate(at))) for path in photos]  # type: ignore[misc]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert {answer.photo for answer in found} == set(photos)
    assert all(isinstance(answer, Fix) and answer.status == "ok" for answer in found)
    shared.close()
    with pytest.raises(UsageError, match="closed"):
        shared.locate(photos[0])
    with pytest.raises(UsageError, match="closed"):
        shared.locate_all(photos)


def test_answers_are_taken_up_again_where_they_were_left(town: SmallTown, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    with Locator(index=town.index) as locator:
        answers = locator.locate_all(town.folder / "queries", resume=kept)
        first = next(answers)
        answers.close()  # type: ignore[attr-defined]
        assert [json.loads(line)["photo"] for line in kept.read_text().splitlines()] == [first.photo]
        assert next(locator.locate_all(town.folder / "queries", resume=kept)) == first


def test_the_example_of_the_readme_runs(
    town: SmallTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "text.jpg").write_text("no picture")
    (tmp_path / "indexes").mkdir()
    (tmp_path / "indexes" / "city").symlink_to(town.index)
    (tmp_path / "photo.jpg").symlink_to(town.queries[0].path)
    (tmp_path / "example.py").write_text(example)
    monkeypatch.chdir(tmp_path)
    shown = runpy.run_path("example.py")
    fix, printed = shown["fix"], capsys.readouterr().out.splitlines()
    assert printed[0].split() == [str(v) for v in (fix.lat, fix.lon, fix.radius_m, fix.confidence, fix.belief.spread)]
    assert printed[1].startswith("photos/text.jpg is not a picture")


def test_an_index_is_built_as_by_the_command(town: SmallTown, tmp_path: Path) -> None:
    shutil.copytree(town.index, tmp_path / "index")
    (tmp_path / "text.jpg").write_text("no picture")
    done: list[int] = []
    report = build_index(
        [town.folder / "photos", tmp_path / "text.jpg"],
        index=tmp_path / "index",
        progress=lambda stage, photos: done.append(photos),
    )
    assert (report.added, report.replaced, report.unchanged) == (0, 0, 14)
    assert [(path, code) for path, code, _ in report.left_out] == [(str(tmp_path / "text.jpg"), "not_a_photo")]
    assert sum(done) >= 15
    with pytest.raises(UsageError, match="No photos"):
        build_index([], index=tmp_path / "index")


def test_the_package_is_there_at_once_and_says_what_it_has() -> None:
    code = "import sys, geoloc_cli; print(dir(geoloc_cli)); print(sorted(m for m in sys.modules if 'geoloc' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, modules = done.stdout.splitlines()
    assert modules == "['geoloc_cli']"
    assert {f"'{name}'" for name in geoloc_cli.__all__} <= set(re.findall(r"'\w+'", names))
    with pytest.raises(AttributeError, match="Locater"):
        _ = geoloc_cli.Locater  # type: ignore[attr-defined]
