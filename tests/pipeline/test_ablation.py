"""The pipeline with parts left out: each answer is that of the command without the part, and work is shared."""

from __future__ import annotations

import csv
import math
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.features.sift import SiftFeatures
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Index
from geoloc_cli.photos.positions import read_positions
from geoloc_cli.pipeline import describer
from geoloc_cli.pipeline.ablation import (
    BOUNDED,
    PRIOR,
    RERANKED,
    RETRIEVAL,
    VERIFIED,
    VERIFIED_ALONE,
    Ablated,
    ablate_photos,
    variants,
)
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.build import build_index
from geoloc_cli.pipeline.hiding import Hiding
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.priors.vlm_replay import ReplayPrior
from geoloc_cli.retrieval import verify
from geoloc_cli.retrieval.verify import VerifyOptions
from geoloc_cli.testing.demo import OTHER_TOWN_AT, TOWN_AT
from geoloc_cli.testing.photos import TruePhoto
from geoloc_cli.types import Candidate, Failure, Fix

if TYPE_CHECKING:
    from conftest import SmallTown

OPTIONS = LocateOptions(verify=VerifyOptions(enough=2, retry=1), hide=Hiding(position=True, itself=True))
STAGES = ["decode", "prior", "describe", "search", "rerank", "verify"]
NORTH, EAST = (there - here for there, here in zip(OTHER_TOWN_AT[:2], TOWN_AT[:2], strict=True))


@dataclass(frozen=True)
class Twins:
    """A street, and the same pictures said to be of another on the other side of the Earth, in one index."""

    index: str
    cache: str
    prior: str
    asked: list[TruePhoto]
    unreadable: str

    @property
    def paths(self) -> list[str]:
        return [*(photo.path for photo in self.asked), self.unreadable]


@pytest.fixture(scope="module")
def twins(town: SmallTown, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Seven photos are asked about: the model is right to 2 km but for the third, which it places among the twins, the
    fifth, of which it says nothing, and the sixth, which it places where nobody took a photo.
    """
    folder = tmp_path_factory.mktemp("twins")
    cache, rows, paths = str(folder / "cache"), ["path,lat,lon"], []
    for number, photo in enumerate(town.photos[2:10]):
        path = folder / Path(photo.path).name
        shutil.copy(photo.path, path)
        rows.append(f"{path},{photo.lat + NORTH},{photo.lon + EAST}")
        # Of two photos that are as similar the first is found first: every other twin is met before the street's own.
        paths += [str(path), photo.path][:: -1 if number % 2 else 1]
    (folder / "positions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    positions = read_positions(str(folder / "positions.csv"))
    build_index(folder / "index", paths, parallel_map=LocalPool(1), positions=positions, cache=cache)
    asked = [*town.queries, *town.photos[4:8]]
    with (folder / "answers.csv").open("w", newline="", encoding="utf-8") as file:
        answers = csv.writer(file)
        answers.writerow(("photo", "answer"))
        for number, photo in enumerate(asked):
            north, east = {2: (NORTH, EAST), 5: (-60.0, -25.0)}.get(number, (0.0, 0.0))
            said = f"lat {photo.lat + north + 0.02:.4f}, lon {photo.lon + east:.4f}"
            answers.writerow((Path(photo.path).name, "I cannot tell." if number == 4 else said))
    unreadable = folder / "broken.jpg"
    unreadable.write_bytes(b"\xff\xd8\xff")
    (folder / "sharp.json").write_text('{"sharp": {"radii_m": [5000], "weights": [0.9], "spread": 0.1}}')
    prior = f"vlm-replay?file={folder / 'answers.csv'}&calibration={folder / 'sharp.json'}&model=sharp"
    return Twins(str(folder / "index"), cache, prior, asked, str(unreadable))


@pytest.fixture(scope="module")
def ablated(twins: Twins) -> list[Ablated | Failure]:
    run = ablate_photos(twins.index, twins.paths, OPTIONS, LocalPool(1), [twins.prior], twins.cache)
    return list(run)


def place(answer: Fix | Failure) -> tuple[float, float] | None:
    return None if isinstance(answer, Failure) or answer.lat is None or answer.lon is None else (answer.lat, answer.lon)


def errors_m(ablated: list[Ablated | Failure], name: str, twins: Twins) -> list[float]:
    found = zip(places(ablated, name), twins.asked, strict=False)
    return [float(haversine_m(*at, true.lat, true.lon)) if at else math.inf for at, true in found]


def places(ablated: list[Ablated | Failure], name: str) -> list[tuple[float, float] | None]:
    return [answer.answers[name].place if isinstance(answer, Ablated) else None for answer in ablated]


def test_every_answer_is_that_of_the_command_with_the_same_parts(
    twins: Twins, ablated: list[Ablated | Failure]
) -> None:
    one = LocalPool(1)
    hide = OPTIONS.hide
    said = list(ask_photos(twins.paths, [twins.prior], one, hide=hide))
    assert places(ablated, PRIOR) == [place(fix) for fix in said]
    located = list(locate_photos(twins.index, twins.paths, OPTIONS, one, [twins.prior], twins.cache))
    assert places(ablated, VERIFIED) == [place(fix) for fix in located]
    alone = list(locate_photos(twins.index, twins.paths, OPTIONS, one, cache=twins.cache))
    assert places(ablated, VERIFIED_ALONE) == [place(fix) for fix in alone]
    # A photo that cannot be read is the same Failure.
    assert ablated[-1] == located[-1]
    assert all(isinstance(answer, Ablated) for answer in ablated[:-1])
    (bare,) = ablate_photos(twins.index, twins.paths[:1], OPTIONS, one, cache=twins.cache)
    assert isinstance(bare, Ablated)
    assert list(bare.answers) == [RETRIEVAL, VERIFIED]
    assert [bare.answers[VERIFIED].place] == places(ablated, VERIFIED_ALONE)[:1]


def test_what_is_not_compared_is_ordered_as_the_command_orders_it(twins: Twins) -> None:
    """Where nothing stands, `locate` lists its candidates by the formula; all sixteen photos are candidates here."""
    nothing_stands = VerifyOptions(quick_query=8, full_query=8, min_evidence=1e9)
    options = replace(OPTIONS, top_k=16, outside_share=0.5, list_k=16, verify=nothing_stands)
    paths = [twins.asked[number].path for number in (2, 4)]
    found = list(ablate_photos(twins.index, paths, options, LocalPool(1), [twins.prior], twins.cache))

    def listed(rerank: str, priors: list[str], paths: list[str]) -> list[list[Candidate]]:
        chosen = replace(options, rerank=rerank)
        fixes = locate_photos(twins.index, paths, chosen, LocalPool(1), priors, twins.cache)
        return [list(fix.candidates) for fix in fixes if isinstance(fix, Fix)]

    def agree(name: str, candidates: list[list[Candidate]]) -> None:
        for at, listing in zip(places(found, name), candidates, strict=False):
            assert at == pytest.approx((listing[0].lat, listing[0].lon), abs=1e-7)

    agree(RETRIEVAL, listed("linear", [], paths[:1]))
    for name, formula in RERANKED.items():
        agree(name, listed(formula, [twins.prior], paths[:1]))
    inside = [[c for c in listing if not c.prior_distance_km] for listing in listed("none", [twins.prior], paths)]
    # The silent prior bounds nothing.
    assert [len(listing) for listing in inside] == [8, 14]
    agree(BOUNDED, inside)


def test_each_part_mends_what_the_parts_before_it_left(twins: Twins, ablated: list[Ablated | Failure]) -> None:
    """A search alone takes four of seven photos for the twin street; a right prior mends three of them, a wrong one
    costs where nothing but it is heard.
    """
    errors = {name: errors_m(ablated, name, twins) for name in variants(priors=True, pose=False)}
    right = {name: sum(error < 25.0 for error in of) for name, of in errors.items()}
    assert (right[PRIOR], right[RETRIEVAL], right[VERIFIED_ALONE]) == (0, 3, 3)
    # Nobody took a photo where the sixth is said to be: the candidates from elsewhere know better.
    assert (right[BOUNDED], errors[BOUNDED][5]) == (4, math.inf)
    assert [right[name] for name in (*RERANKED, VERIFIED)] == [5] * 6
    # What is verified places a photo among its neighbours, and not where the first of them stands.
    assert [sum(error < 5.0 for error in errors[name]) for name in (next(iter(RERANKED)), VERIFIED)] == [2, 4]
    assert sum(error < 3000.0 for error in errors[PRIOR]) == 4


def test_where_nothing_stands_in_the_region_more_is_looked_at_outside(twins: Twins) -> None:
    """Of fifteen candidates three are from outside, which would place the photo by three neighbours at most."""
    options = LocateOptions(list_k=20, hide=OPTIONS.hide)
    run = locate_photos(twins.index, [twins.asked[5].path], options, LocalPool(1), [twins.prior], twins.cache)
    fixes = [fix for fix in run if isinstance(fix, Fix)]
    assert [fix.search.widened for fix in fixes if fix.search] == [True]
    assert sum(candidate.matches is not None for candidate in fixes[0].candidates) > 3


def test_what_the_variants_share_is_done_once(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[str] = Counter()

    def counted(owner: object, name: str) -> None:
        work = getattr(owner, name)

        def count(*given: Any, **named: Any) -> Any:
            done[name] += 1
            return work(*given, **named)

        monkeypatch.setattr(owner, name, count)

    counted(describer, "decode_gray")
    counted(SiftFeatures, "extract")
    counted(ReplayPrior, "believe")
    counted(Index, "search")
    counted(verify, "verify_pair")
    paths, one = [twins.asked[number].path for number in (0, 4)], LocalPool(1)
    found = [a for a in ablate_photos(twins.index, paths, OPTIONS, one, [twins.prior]) if isinstance(a, Ablated)]
    # One search in the region and one everywhere, which are the same where the prior is silent.
    assert (done["decode_gray"], done["extract"], done["believe"], done["search"]) == (2, 2, 2, 3)
    together = done["verify_pair"]
    list(locate_photos(twins.index, paths, OPTIONS, one, [twins.prior]))
    list(locate_photos(twins.index, paths, OPTIONS, one))
    assert together < done["verify_pair"] - together
    assert done["decode_gray"] == 6
    for answer in found:
        # Each answer counts what it shares as its own, so that it says what it would have taken alone.
        alone_ms = {name: sum(part.timing_ms.values()) for name, part in answer.answers.items()}
        assert list(answer.answers[VERIFIED].timing_ms) == STAGES
        assert alone_ms[PRIOR] < alone_ms[BOUNDED] < alone_ms[VERIFIED]
        without = answer.answers[VERIFIED_ALONE].timing_ms
        assert without["verify"] > 0.0 == without["prior"]
        assert answer.spent_ms < sum(alone_ms.values())
