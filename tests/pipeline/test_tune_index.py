"""`geoloc index tune` on indexes of made photos whose looks are places in a few dimensions, and of `vlad`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from geoloc_cli.cli.app import app
from geoloc_cli.descriptors.look import LookDescriptor, learn_look
from geoloc_cli.descriptors.reduction import ReductionOptions, reduced
from geoloc_cli.errors import IndexMismatch, UsageError
from geoloc_cli.features.local import LocalFeatures
from geoloc_cli.index import derived
from geoloc_cli.index.codes import codes_named
from geoloc_cli.index.reader import Index
from geoloc_cli.index.rows import NewPhoto
from geoloc_cli.index.writer import IndexWriter
from geoloc_cli.pipeline import tune
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.describer import default_spec, spec_for
from geoloc_cli.pipeline.tune import tune_index
from geoloc_cli.retrieval import tune as measuring
from geoloc_cli.retrieval.tune import Choice
from geoloc_cli.testing.fakes import MadeExtraction, small_describer, write_made
from geoloc_cli.types import Position

D, INNER, EACH = 96, 12, 4


def write_looks(
    folder: Path, places: int, *, placed: bool = True, dim: int = 0, whiten: float = 0.5, common: float = 0.0
) -> None:
    """An index of four photos of each place, 10 m apart, and places 1 km apart; looks are of 12 of 96 dimensions, and
    with `common` of three more that all photos share.
    """
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=(D, INNER + 3)))
    at = np.repeat(rng.normal(size=(places, INNER)), EACH, axis=0)
    count = len(at)
    looks = (at + 0.4 * rng.normal(size=at.shape)) @ axes[:, :INNER].T
    looks += common * (1.0 + rng.normal(size=(count, 3))) @ axes[:, INNER:].T + 0.01 * rng.normal(size=(count, D))
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    options = ReductionOptions(dim=dim, whiten=whiten)
    descriptor = {"name": "somebodys", "options": {"side": 8}}
    describer = small_describer() | {"descriptor": descriptor, "reduction": {"dim": dim, "whiten": whiten}}
    keypoints = np.zeros((8, 4), np.float32)
    photos = []
    for i, look in enumerate(looks):
        position = Position(50.0 + 9e-3 * (i // EACH) + 9e-5 * (i % EACH), 10.0, source="file") if placed else None
        features = LocalFeatures(keypoints, np.zeros((8, 128), np.uint8), 640, 480, look=look)
        photos.append(NewPhoto(f"{i:05d}.jpg", "0" * 64, 1, 1, 640, 480, position, None, None, None, features))
    with IndexWriter(folder, describer) as writer:
        writer.commit_photos(photos)
        writer.commit_state(learn_look(count, lambda i: photos[i].features, options))
        with Index.open(folder) as reader:
            made = LookDescriptor("somebodys", reader.state())
        rows = writer.rows_of([photo.path for photo in photos])
        writer.commit_vectors(rows, np.stack([made.describe(photo.features) for photo in photos]))
        writer.seal()


def by_name(report: tune.TuneReport) -> dict[str, float]:
    return {str(row.choice): row.recall[5][0] for row in report.rows}


def test_places_in_few_dimensions_are_told_apart_by_few_numbers(tmp_path: Path) -> None:
    write_looks(tmp_path / "index", 60)
    told: list[tuple[str, int]] = []
    report = tune_index(tmp_path / "index", queries=100, tell=lambda stage, done: told.append((stage, done)))
    assert (report.photos, report.sampled, report.queries, report.within_m) == (240, 240, 100, 25.0)
    assert report.now == Choice()
    # A third of the 192 that teach is 64.
    assert report.bound is None
    recall = by_name(report)
    assert recall["all numbers"] > 0.97
    assert recall["64 numbers, whiten 0"] == pytest.approx(recall["all numbers"], abs=0.011)
    assert (report.best.choice.dim, report.best.choice.codes.name) == (64, "float16")
    assert report.best.bytes_a_photo == 2 * 64
    assert sum(done for stage, done in told if stage == "describing") == 240
    words = shlex.split(report.command or "")
    assert words[:5] == ["geoloc", "index", "build", "PHOTOS", "--index"]
    assert words[5:8] == [f"{tmp_path / 'index'}-tuned", "--descriptor", "somebodys?side=8"]
    assert words[8:] == ["--dim", "64", "--whiten", f"{report.best.choice.whiten:g}", "--codes", "float16"]


def test_the_command_says_how_pictures_are_seen_and_vectors_drawn(tmp_path: Path) -> None:
    describer = default_spec() | {"descriptor": {"name": "somebodys", "options": {}}}
    views = {"scales": "0.7,1", "flip": True}
    words = shlex.split(tune._command(tmp_path, describer | {"views": views}, Choice(), Choice(8, 1.0), 3) or "")
    assert words[5:] == [
        *(f"{tmp_path}-tuned", "--descriptor", "somebodys", "--scales", "0.7,1", "--flip", "--augment", "3"),
        *("--dim", "8", "--whiten", "1", "--codes", "none"),
    ]


def test_an_index_as_it_should_be_is_left_so_and_codes_alone_need_no_photos(tmp_path: Path) -> None:
    write_looks(tmp_path / "index", 60, dim=64, whiten=1.0, common=3.0)
    report = tune_index(tmp_path / "index")
    assert report.now == Choice(64, 1.0)
    assert report.best.choice == Choice(64, 1.0, codes_named("float16"))
    assert report.command == f"geoloc index compact {tmp_path / 'index'} --codes float16"
    done = CliRunner().invoke(app, shlex.split(report.command)[1:])
    assert done.exit_code == 0, done.output
    again = tune_index(tmp_path / "index")
    assert (again.now, again.command) == (again.best.choice, None)
    assert "as it should be: 64 numbers, whiten 1, float16" in run(tmp_path / "index")


def test_photos_without_positions_are_measured_by_the_exact_ranking(tmp_path: Path) -> None:
    write_looks(tmp_path / "index", 30, placed=False)
    report = tune_index(tmp_path / "index")
    assert report.within_m is None
    assert by_name(report)["all numbers"] == 1.0
    assert 0.9 < by_name(report)["32 numbers, whiten 0"] < 1.0
    assert "recall is of what the full vectors find" in run(tmp_path / "index")
    # So are those whose positions are far from one another, and within a metre none is near.
    write_looks(tmp_path / "placed", 30)
    assert tune_index(tmp_path / "placed", within_m=1.0).within_m is None
    assert tune_index(tmp_path / "placed", within_m=15.0).within_m == 15.0


def test_of_a_large_index_some_are_sampled_and_others_teach_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "SAMPLED", 120)
    monkeypatch.setattr(tune, "_ASKED_AND_NEAR", 90)
    monkeypatch.setattr(tune, "_OTHERS", 300)
    for module in (tune, measuring, derived):
        monkeypatch.setattr(module, "CODES_FROM_ROWS", 400)
    write_looks(tmp_path / "index", 125)
    report = tune_index(tmp_path / "index", queries=40)
    assert (report.photos, report.sampled, report.queries) == (500, 120, 40)
    recall = by_name(report)
    assert recall["all numbers"] > 0.9
    codes = {row.choice.codes.name for row in report.rows}
    # Of 39 numbers at most there are no more than 19 parts of two.
    assert codes == {"none", "float16", "pq16", "rabitq"}
    assert report.best.choice.codes.are_codes
    assert report.command is not None
    assert report.command.endswith(f"--codes {report.best.choice.codes.name}")
    with IndexWriter(tmp_path / "index", codes=codes_named("pq16")) as writer:
        writer.seal()
    with Index.open(tmp_path / "index") as index:
        ordered = index.ordered()
        assert ordered.inverted is not None
        for place in range(0, 500, 50):
            # By codes, and then by the vectors: the photo itself, and after it the very ones that are nearest.
            hits = index.search(ordered.vectors[place], 4)
            exact = np.argsort(-(ordered.vectors @ ordered.vectors[place]), kind="stable")[:4]
            assert hits.row_ids.tolist() == ordered.row_ids[exact].tolist()
            assert hits.similarities[0] == pytest.approx(1.0, abs=1e-6)


def test_what_is_measured_of_vlad_is_what_its_index_holds(tmp_path: Path) -> None:
    paths = write_made(tmp_path / "photos", 40)
    describer = spec_for(tmp_path / "none", descriptor="vlad?words=4&local_dim=8&sample=2000&crops=1&dim=16")
    build_index(tmp_path / "index", paths, parallel_map=MadeExtraction(), describer=describer)
    with Index.open(tmp_path / "index") as index:
        ordered = index.ordered()
        raw = [found[0] for found in tune._raw(index, ordered.row_ids, None)]
        assert np.abs(np.stack([reduced(row, index.state()) for row in raw]) - ordered.vectors).max() < 1e-6
        assert [len(found) for found in tune._raw(index, ordered.row_ids, np.random.default_rng(0))] == [2] * 40
    report = tune_index(tmp_path / "index")
    assert (report.descriptor, report.within_m, report.queries) == ("vlad", 25.0, 40)
    assert report.now == Choice(16, 0.5)
    assert report.best.choice.dim  # an index by vlad cannot keep all numbers
    # What builds another one says the options that are not the usual ones, and means the same as was meant here.
    words = shlex.split(tune._command(tmp_path / "index", describer, report.now, Choice(8, 1.0)) or "")
    assert words[words.index("--dim") :] == ["--dim", "8", "--whiten", "1", "--codes", "none"]
    given = words[words.index("--descriptor") + 1]
    reduction: dict[str, Any] = {"dim": 16, "whiten": 0.5}
    assert spec_for(tmp_path / "none", descriptor=given, reduction=reduction) == describer


def test_too_few_photos_and_lost_looks_are_refused_with_a_sentence(tmp_path: Path) -> None:
    write_looks(tmp_path / "few", 4)
    with pytest.raises(UsageError, match="holds 16 photos with a vector; 20 are the fewest"):
        tune_index(tmp_path / "few")
    build_index(
        tmp_path / "index", write_made(tmp_path / "p", 20), parallel_map=MadeExtraction(), describer=small_describer()
    )
    manifest = json.loads((tmp_path / "index" / "manifest.json").read_text())
    manifest["describer"] |= {"descriptor": {"name": "somebodys", "options": {}}, "reduction": {"dim": 0}}
    (tmp_path / "index" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IndexMismatch, match="keeps no looks of its photos"):
        tune_index(tmp_path / "index")


def run(index: Path, *arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["index", "tune", str(index), *arguments])
    if status:
        assert isinstance(done.exception, UsageError)
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    write_looks(tmp_path / "index", 40, common=3.0)
    shown = run(tmp_path / "index", "--queries", "60")
    assert "somebodys on sift; 160 photos, 60 asked among 160, right within 25 m" in shown
    assert "all numbers (as it is) 384" in shown
    assert "Codes are used from 10,000 photos on" in shown
    assert "geoloc index build PHOTOS --index" in shown
    said = json.loads(CliRunner().invoke(app, ["index", "tune", str(tmp_path / "index"), "--json"]).output)
    assert (said["queries"], said["within_m"], said["photos"]) == (160, 25.0, 160)
    chosen = [row for row in said["rows"] if row["recommended"]]
    assert len(chosen) == 1
    assert chosen[0]["whiten"] == 1.0
    assert f"--dim {chosen[0]['dim']}" in said["command"]
    first = said["rows"][0]
    assert (first["as_it_is"], first["bytes_a_photo"]) == (True, 384)
    assert first["recall"]["5"]["low"] <= first["recall"]["5"]["value"] <= first["recall"]["5"]["high"]
    assert "give a length above 0" in run(tmp_path / "index", "--within", "near", status=2)
    assert "right within 200 m" in run(tmp_path / "index", "--within", "0.2km")
