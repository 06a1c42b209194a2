"""Runs over a data set: what they answer, what their records hold, how they go on, and whether they come out again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.datasets.labelled import Labelled, LabelledSet, Rule
from geoloc_cli.evaluate.reproduce import compare_runs
from geoloc_cli.evaluate.run import RunOptions
from geoloc_cli.evaluate.run_record import read_record
from geoloc_cli.evaluate.score import How
from geoloc_cli.evaluate.sources import Source
from geoloc_cli.evaluate.whole_run import Finished, Wanted, whole_run
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.pipeline.provenance import without_secrets

if TYPE_CHECKING:
    from conftest import SmallTown

SOURCE = Source(photos="photos", queries="queries")
NEAR = "near=48.0,2.0,5km"


def places(folder: Path, count: int = 4) -> LabelledSet:
    """Photographs at 48 N, each 100 m east of the one before, to be found by nothing but a prior."""
    names = [f"{number}.jpg" for number in range(count)]
    for name in names:
        Image.new("L", (16, 12), 90).save(folder / name)
    lon = 2.0 + np.arange(count) * 100.0 / 74_500.0
    return LabelledSet("places", Labelled.none(folder), Labelled(folder, names, np.full(count, 48.0), lon))


def wanted(out: Path, **options: Any) -> Wanted:
    return Wanted(SOURCE, RunOptions(**options), out, How(), ["geoloc", "evaluate", "--prior", NEAR])


class Interrupted:
    """Handles so many photographs in this process, and is then interrupted as by Control-C."""

    def __init__(self, after: int) -> None:
        self._after = after

    def __call__(self, build: str, spec: dict[str, Any], items: Iterable[Any]) -> Iterator[Any]:
        for number, answer in enumerate(LocalPool(1)(build, spec, items)):
            if number == self._after:
                raise KeyboardInterrupt
            yield answer


@pytest.fixture(scope="module")
def street(town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledSet, Finished, Path]:
    """The town's street as a data set, one of its references among the queries; and a run over it, with no mercy."""
    folder = tmp_path_factory.mktemp("street")
    copied = folder / "copied.jpg"
    shutil.copy(town.photos[6].path, copied)
    truths = [*((photo.path, photo.lat, photo.lon) for photo in town.queries), (str(copied), *_place(town, 6))]
    paths, lat, lon = (list(column) for column in zip(*truths, strict=True))
    queries = Labelled(Path("/"), [path.lstrip("/") for path in paths], np.array(lat), np.array(lon))
    known = zip(*((photo.path.lstrip("/"), photo.lat, photo.lon) for photo in town.photos), strict=True)
    names, known_lat, known_lon = (list(column) for column in known)
    references = Labelled(Path("/"), names, np.array(known_lat), np.array(known_lon))
    labelled = LabelledSet("street", references, queries, Rule(10.0))
    out = folder / "out"
    run = wanted(out, index=town.index, priors=("exif",), top_k=10)
    return labelled, whole_run(run, labelled, LocalPool(1)), out


def _place(town: SmallTown, number: int) -> tuple[float, float]:
    return town.photos[number].lat, town.photos[number].lon


def test_a_run_scores_what_it_located_and_recalled(street: tuple[LabelledSet, Finished, Path]) -> None:
    labelled, finished, out = street
    record = finished.record
    assert (record["schema"], record["status"], record["counts"]["ok"]) == ("geoloc.run/1", "finished", 4)
    score, recalled = finished.figures.score, finished.figures.retrieval
    assert score is not None
    assert score.distances.report.within["10 m"] == 1.0
    assert score.meaning.beliefs is not None
    assert score.meaning.beliefs.count == 4
    assert recalled is not None
    assert (recalled.rule, list(recalled.by_likeness.recall)) == ("within 10 m", [1, 5, 10])
    assert recalled.by_likeness.recall[5] == 1.0
    # What is verified comes before what only looks alike.
    assert recalled.as_listed.recall[1] == 1.0
    assert record["figures"] == json.loads((out / "run.json").read_text())["figures"]
    truth = (out / "truth.csv").read_text().splitlines()
    assert truth[0] == "photo,lat,lon"
    assert truth[1].startswith(f"{labelled.queries.path(0)},59.9")


def test_a_query_knows_neither_its_own_place_nor_itself(
    street: tuple[LabelledSet, Finished, Path], town: SmallTown
) -> None:
    """The copied reference states its place, and lies in the index."""
    _, _, out = street
    fix = json.loads((out / "fixes.jsonl").read_text().splitlines()[3])
    assert fix["priors"][0]["name"] == "exif"
    assert fix["priors"][0]["lat"] is None
    assert town.photos[6].path not in [candidate["photo"] for candidate in fix["candidates"]]
    assert len(fix["candidates"]) == 10
    assert 0.1 < float(haversine_m(fix["lat"], fix["lon"], *_place(town, 6))) < 10.0


def test_the_record_says_who_leaks_and_what_computed(street: tuple[LabelledSet, Finished, Path]) -> None:
    _, finished, _ = street
    leakage = finished.record["leakage"]
    assert leakage["counts"] == {"same_file": 1, "copy": 0, "same_place": 1}
    assert leakage["examples"][0]["query"].endswith("copied.jpg")
    assert leakage["sentences"][0].startswith("1 of 4 queries are files of the references")
    (described,) = finished.record["described_by"]
    assert (described["descriptor"]["name"], described["matcher"][0]) == ("vlad", "mutual-nn")
    assert {"geoloc", "python", "numpy", "faiss-cpu", "pycolmap"} <= finished.record["made_by"].keys()
    assert finished.record["seed"] == 0
    assert finished.record["timings"]["seconds"]["locate"] > 0.0


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    labelled = places(tmp_path)
    run = wanted(tmp_path / "out", priors=(NEAR,))
    with pytest.raises(KeyboardInterrupt):
        whole_run(run, labelled, Interrupted(after=3))
    fixes = tmp_path / "out" / "fixes.jsonl"
    before = fixes.read_text()
    assert len(before.splitlines()) == 3
    assert read_record(str(tmp_path / "out"))["status"] == "running"
    # As if it had been killed in the middle of a line.
    fixes.write_text(before[:-20])
    finished = whole_run(run, labelled, LocalPool(1))
    assert finished.record["timings"]["kept_answers"] == 2
    assert fixes.read_text().startswith("".join(before.splitlines(keepends=True)[:2]))
    assert [json.loads(line)["photo"] for line in fixes.read_text().splitlines()] == [
        str(labelled.queries.path(row)) for row in range(4)
    ]
    score = finished.figures.score
    assert score is not None
    assert score.distances.report.median_m == pytest.approx(
        100.0, rel=1e-2
    )  # of 0, 100, 200 and 300 m the lower middle
    assert score.distances.levels_m.keys() == {"1 m", "5 m", "10 m", "25 m", "100 m"}


def test_another_run_is_not_mixed_into_a_folder(tmp_path: Path) -> None:
    labelled = places(tmp_path)
    out = tmp_path / "out"
    whole_run(wanted(out, priors=(NEAR,)), labelled, LocalPool(1))
    with pytest.raises(UsageError, match=r"holds a run with top_k 15, now 20; give another --out"):
        whole_run(wanted(out, priors=(NEAR,), top_k=20), labelled, LocalPool(1))
    with pytest.raises(UsageError, match="another set, places, or other photographs of it"):
        whole_run(wanted(out, priors=(NEAR,)), places(tmp_path, 5), LocalPool(1))
    (out / "run.json").unlink()
    with pytest.raises(UsageError, match=r"holds a fixes.jsonl of which there is no record"):
        whole_run(wanted(out, priors=(NEAR,)), labelled, LocalPool(1))


def test_a_set_with_nothing_to_search_in_asks_for_a_prior(tmp_path: Path) -> None:
    labelled = places(tmp_path)
    with pytest.raises(UsageError, match="has no references to search in; give --index DIR"):
        whole_run(wanted(tmp_path / "out"), labelled, LocalPool(1))
    gallery = replace(labelled, references=labelled.queries, queries=labelled.references)
    with pytest.raises(UsageError, match="holds no queries"):
        whole_run(wanted(tmp_path / "other"), gallery, LocalPool(1))


def test_a_run_done_again_is_equal_and_a_change_is_told(tmp_path: Path) -> None:
    labelled = places(tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    one = whole_run(wanted(first, priors=(NEAR,)), labelled, LocalPool(1)).record
    two = whole_run(wanted(second, priors=(NEAR,)), labelled, LocalPool(1)).record
    same = compare_runs(one, first, two, second)
    assert same.equal
    assert same.sentences() == ["4 of 4 answers are equal but for their timing."]

    lines = (second / "fixes.jsonl").read_text().splitlines()
    moved = json.loads(lines[2]) | {"lat": 47.5, "timing_ms": {}}
    (second / "fixes.jsonl").write_text("\n".join([*lines[:2], json.dumps(moved), "".join(lines[4:])]))
    changed = {**two, "made_by": {**two["made_by"], "numpy": "1.0"}, "figures": {"median_m": 1.0}}
    found = compare_runs(one, first, changed, second)
    assert not found.equal
    assert found.alike == 2
    photos = [str(labelled.queries.path(row)) for row in range(4)]
    assert found.answers == ((photos[2], "lat 48.0", "47.5"), (photos[3], "an answer", "no answer"))
    assert ("numpy", np.__version__, "1.0") in found.versions
    assert any(name == "median_m" for name, _, _ in found.figures)
    assert found.sentences()[1] == f"{photos[2]}: lat 48.0, now 47.5."


def test_records_hold_no_secret_and_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    said = "mine?url=http://h/&api_key=abc123&token=x&samples=2"
    assert without_secrets(said) == "mine?url=http://h/&api_key=(secret)&token=(secret)&samples=2"
    for text, words in (
        ("{", "is no record of a run"),
        ('{"schema": "geoloc.run/2"}', "says schema 'geoloc.run/2'"),
        ('{"schema": "geoloc.run/1", "source": {}}', "Give --dataset NAME"),
    ):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(UsageError, match=words):
            read_record(str(tmp_path))
