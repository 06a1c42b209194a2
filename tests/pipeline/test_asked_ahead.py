"""Priors asked ahead of the workers: once for the run, in order, with the answers that workers would have had."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from geoloc_cli import builtin, registry
from geoloc_cli.contracts import BatchPrior
from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import PhotoError, PriorFailed, UnknownBackend
from geoloc_cli.geo.belief import from_components
from geoloc_cli.pipeline.asked_ahead import Panel
from geoloc_cli.pipeline.asking import LEAST_DOUBT, Heard
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.pipeline.posing import stage_spec
from geoloc_cli.types import Belief, Component, Failure, Fix, Photo, PriorGuess

if TYPE_CHECKING:
    from conftest import SmallTown

LYON = (45.76, 4.84)


class Batched:
    """Says Lyon of every photo, fails at those named `fails` and knows nothing of those named `blank`."""

    name = "batched"
    built = 0
    asked: ClassVar[list[str]] = []

    def __init__(self) -> None:
        type(self).built += 1
        self.closed = False

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        self.asked.append(photo.path)
        stem = Path(photo.path).stem
        if "fails" in stem:
            raise PriorFailed("the server is gone")
        if "blank" in stem:
            return None
        belief = from_components([Component(*LYON, 50_000.0, 0.9)], 0.1)
        return belief, PriorGuess(self.name, *LYON, 50_000.0, f"for {stem}")

    def believe_all(
        self, photos: Iterable[Photo]
    ) -> Iterator[tuple[Photo, tuple[Belief, PriorGuess] | PhotoError | None]]:
        """Two at a time, as a batch of a network is."""
        held: list[Photo] = []
        for photo in photos:
            held.append(photo)
            if len(held) == 2:
                yield from ((each, self._outcome(each)) for each in held)
                held = []
        yield from ((each, self._outcome(each)) for each in held)

    def _outcome(self, photo: Photo) -> tuple[Belief, PriorGuess] | PhotoError | None:
        try:
            return self.believe(photo)
        except PhotoError as error:
            return error

    def report(self) -> dict[str, Any]:
        return {"photos": len(self.asked)}

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """`batched` is a backend in this process, and in no other: a worker that built it would refuse the run."""
    row = builtin.Backend("prior", "batched", f"{__name__}:Batched", "of the tests")
    monkeypatch.setattr(registry, "BUILTIN", (*builtin.BUILTIN, row))
    monkeypatch.setattr(Batched, "built", 0)
    monkeypatch.setattr(Batched, "asked", [])


@pytest.fixture
def photos(town: SmallTown, tmp_path: Path) -> list[str]:
    """Five that can be read, one that is none and one that is missing, between them."""
    names = ["a.jpg", "text.jpg", "b-fails.jpg", "c-blank.jpg", "missing.jpg", "d.jpg", "e.jpg"]
    for name in names:
        if name == "text.jpg":
            (tmp_path / name).write_text("no picture")
        elif name != "missing.jpg":
            shutil.copy(town.queries[0].path, tmp_path / name)
    return [str(tmp_path / name) for name in names]


def timeless(answer: Fix | Failure) -> Fix | Failure:
    return replace(answer, timing_ms={}) if isinstance(answer, Fix) else answer


def test_the_prior_is_one(town: SmallTown) -> None:
    assert isinstance(Batched(), BatchPrior)


def test_answers_are_those_of_the_workers_in_the_order_of_the_priors(photos: list[str]) -> None:
    priors = ["near=45.5,4.5,50km", "batched", "exif"]
    answers = list(ask_photos(photos, priors, LocalPool(2)))
    assert [answer.photo for answer in answers] == photos
    alone = list(ask_photos(photos, ["near=45.5,4.5,50km", "exif"], LocalPool(1)))
    for answer, without in zip(answers, alone, strict=True):
        if isinstance(without, Failure):
            assert answer == without
            continue
        assert isinstance(answer, Fix)
        assert [guess.name for guess in answer.priors] == ["near", "batched", "exif"]
        near, said, _ = answer.priors
        assert near == without.priors[0]
        stem = Path(answer.photo).stem
        if stem == "b-fails":
            assert (said.lat, said.rationale) == (None, "failed: the server is gone")
            assert answer.belief == without.belief
        elif stem == "c-blank":
            assert (said.lat, said.rationale) == (None, "it knows nothing of this photo")
            assert answer.belief == without.belief
        else:
            assert said.rationale == f"for {stem}"
            assert answer.belief.spread < max(without.belief.spread, LEAST_DOUBT)
    assert Batched.built == 1
    assert [Path(path).stem for path in Batched.asked] == ["a", "b-fails", "c-blank", "d", "e"]


def test_a_photo_is_located_with_what_was_said_and_without_it(town: SmallTown, tmp_path: Path) -> None:
    path = str(tmp_path / "fails.jpg")
    shutil.copy(town.queries[0].path, path)
    (fix,) = locate_photos(town.index, [path], LocateOptions(top_k=2), LocalPool(1), priors=["batched"])
    assert isinstance(fix, Fix)
    assert fix.stage == "rerank"
    assert fix.priors[0].rationale == "failed: the server is gone"


def test_what_was_said_arrives_where_many_poses_are_worked_out_together(town: SmallTown) -> None:
    """A stranger's is not even tried."""
    pytest.importorskip("torch")
    stage, options = stage_spec(None, None, "torch"), LocateOptions(top_k=1)
    asked = [town.strangers[0].path]
    (fix,) = locate_photos(town.index, asked, options, LocalPool(1), priors=["batched"], pose=stage)
    assert isinstance(fix, Fix)
    assert (fix.stage, fix.lat, fix.priors[0].name) == ("prior", LYON[0], "batched")


def test_two_are_asked_one_after_the_other_and_lookahead_is_bounded(photos: list[str]) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            yield photos[taken % len(photos)]
            taken += 1

    with Panel(["batched", "exif", "batched"]) as panel:
        assert panel.left == [None, "exif", None]
        heard = panel.heard(endless(), str)
        for number in range(50):
            path, said = next(heard)
            assert path == photos[number % len(photos)]
            assert len(said.said) == 2
            assert taken <= number + 1 + 2 * 3  # two in each batch, and one that cannot be read beside each
        heard.close()
        assert panel.reports() == [("batched", {"photos": len(Batched.asked)})] * 2
        here = list(panel._here)
    assert all(prior.closed for prior in here)  # type: ignore[attr-defined]


def test_a_photo_that_comes_again_is_asked_about_again_only_where_nobody_remembers(photos: list[str]) -> None:
    for remember, times in ((False, 2), (True, 1)):
        Batched.asked.clear()
        with Panel(["batched"], remember=remember) as panel:
            passes = [list(ask_photos([photos[0], photos[5]], panel, LocalPool(1))) for _ in range(2)]
        assert [timeless(answer) for answer in passes[0]] == [timeless(answer) for answer in passes[1]]
        assert Batched.asked.count(photos[0]) == times


def test_one_that_is_asked_here_is_not_told_a_place_that_is_to_be_hidden(
    town: SmallTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(Batched, "believe", lambda self, photo: told.append(photo.position is not None))
    path = town.photos[0].path
    for hide in (Hiding(), Hiding(position=True)):
        list(ask_photos([path], ["batched"], LocalPool(1), hide=hide))
        list(locate_photos(town.index, [path], LocateOptions(top_k=1, hide=hide), LocalPool(1), priors=["batched"]))
    assert told == [True, True, False, False]


def test_the_time_that_the_run_waited_counts_for_the_prior(photos: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    believe = Batched.believe

    def slow(self: Batched, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        time.sleep(0.05)
        return believe(self, photo)

    monkeypatch.setattr(Batched, "believe", slow)

    def paths() -> Iterator[str]:
        for path in (photos[0], photos[5]):
            time.sleep(0.25)  # it takes as long to come by a path, which is none of the prior's affairs
            yield path

    fixes = list(ask_photos(paths(), ["batched"], LocalPool(1)))
    waited = [fix.timing_ms["prior"] for fix in fixes if isinstance(fix, Fix)]
    assert len(waited) == 2
    assert all(50.0 <= ms < 200.0 for ms in waited)


def test_nothing_is_read_here_where_no_prior_is_asked_here(photos: list[str]) -> None:
    with Panel(["exif"]) as panel:
        assert list(panel.heard(["nowhere.jpg", *photos], str)) == [(p, Heard()) for p in ["nowhere.jpg", *photos]]
        assert panel.reports() == []
    with pytest.raises(UnknownBackend, match="did you mean 'exif'"):
        Panel(["batched", "exfi"])
