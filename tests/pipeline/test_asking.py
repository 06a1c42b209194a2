"""Priors asked together: what they say at once, what each is heard for, and where it sends the search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import NotAPhoto, UsageError
from geoloc_cli.geo.belief import from_components, mass_within
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.index.reader import Circle
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.asking import LEAST_DOUBT, Asked, ask, build_priors, prior_fix
from geoloc_cli.pipeline.batch import ask_photos, locate_photos
from geoloc_cli.pipeline.locate import LocateOptions
from geoloc_cli.types import Belief, Component, Failure, Fix, Photo, PriorGuess, Searched

if TYPE_CHECKING:
    from conftest import SmallTown

PARIS, LYON, NEW_YORK = (48.85, 2.35), (45.76, 4.84), (40.71, -74.0)


@dataclass(frozen=True)
class Says:
    """A prior that always says the same."""

    name: str
    belief: Belief | None

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        if self.belief is None:
            return None
        best = max(self.belief.components, key=lambda c: c.weight)
        return self.belief, PriorGuess(self.name, best.lat, best.lon, best.radius_m, "made up")


class Fails:
    name = "fails"

    def believe(self, photo: Photo) -> tuple[Belief, PriorGuess] | None:
        raise NotAPhoto("it could not be asked")


def at(place: tuple[float, float], radius_m: float = 50_000.0, doubt: float = 0.1) -> Belief:
    return from_components([Component(*place, radius_m, 1.0 - doubt)], doubt)


@pytest.fixture
def photo(town: SmallTown) -> Photo:
    return read_photo(town.queries[0].path)


def test_two_that_agree_are_surer_than_either(photo: Photo) -> None:
    near_paris = (48.95, 2.45)
    asked = ask([Says("one", at(PARIS)), Says("two", at(near_paris))], photo)
    place = asked.place()
    assert place is not None
    # Between the two, which are 13 km apart, and nearer to being all of it than 0.9 was.
    assert haversine_m(*place, *PARIS) < 10_000
    assert asked.belief.spread < 0.01
    assert mass_within(asked.belief, *place, 50_000.0) > mass_within(at(PARIS), *PARIS, 50_000.0) + 0.05
    assert [guess.name for guess in asked.guesses] == ["one", "two"]


def test_two_that_contradict_each_other_leave_both_places_and_not_the_ocean(photo: Photo) -> None:
    sure = at(PARIS, doubt=0.0), at(NEW_YORK, doubt=0.0)
    asked = ask([Says("one", sure[0]), Says("two", sure[1])], photo)
    for place in (PARIS, NEW_YORK):
        assert mass_within(asked.belief, *place, 200_000.0) > 0.4
    # Each was sure of itself, and is doubted all the same.
    assert asked.belief.spread == pytest.approx(LEAST_DOUBT / 2, rel=0.1)
    regions = asked.regions()
    assert [round(region.weight, 2) for region in regions] == [1.0, 1.0]
    assert {round(region.circle.radius_m) for region in regions} == {150_000}


def test_one_that_knows_nothing_and_one_that_fails_cost_nothing(photo: Photo) -> None:
    asked = ask([Fails(), Says("none", None), Says("one", at(LYON))], photo)
    assert asked.place() == LYON
    assert asked.belief == at(LYON)
    failed, silent, spoke = asked.guesses
    assert (failed.lat, failed.rationale) == (None, "failed: it could not be asked")
    assert (silent.lat, silent.rationale) == (None, "it knows nothing of this photo")
    assert spoke.lat == LYON[0]


def test_one_that_says_why_it_knows_nothing_costs_nothing_either(photo: Photo) -> None:
    class Explains:
        name = "explains"

        def believe(self, photo: Photo) -> tuple[Belief, PriorGuess]:
            return Belief(), PriorGuess(self.name, None, None, None, "too dark")

    for order in ([Explains(), Says("one", at(LYON))], [Says("one", at(LYON)), Explains()]):
        asked = ask(order, photo)
        assert asked.belief == at(LYON)
        assert asked.place() == LYON
        assert "too dark" in [guess.rationale for guess in asked.guesses]


def test_where_nobody_knows_anything_the_answer_says_so(photo: Photo) -> None:
    fix = prior_fix(photo.path, ask([Says("none", None)], photo))
    assert (fix.status, fix.reason, fix.lat, fix.belief) == ("unlocated", "nothing_known", None, Belief())
    assert [guess.name for guess in fix.priors] == ["none"]


def test_only_what_matters_is_searched() -> None:
    far = [Component(float(lat), 100.0, 1000.0, 0.001) for lat in range(-20, 0)]
    belief = from_components([Component(*PARIS, 100.0, 0.9), *far], 0.08)
    regions = Asked(belief, ()).regions()
    # 98 % of 0.92 are 0.9016: two of the others complete it. The reach of a small component is a kilometre.
    assert len(regions) == 3
    assert regions[0].circle.radius_m == 1000.0
    assert regions[1].weight == pytest.approx(0.001 / 0.9)


def test_a_stated_place_is_a_prior(town: SmallTown) -> None:
    paths = [town.queries[0].path, str(town.folder / "missing.jpg")]
    found, lost = ask_photos(paths, ["near=48.85,2.35,5km", "exif"], LocalPool(1))
    assert isinstance(found, Fix)
    assert (found.stage, found.reason, found.lat, found.lon) == ("prior", None, 48.85, 2.35)
    # The user's 5 km hold nine tenths of nine tenths; the rest of the Earth counts for the radius of 90 %.
    assert found.radius_m is not None
    assert found.radius_m > 5000.0
    assert [guess.lat for guess in found.priors] == [48.85, None]
    assert isinstance(lost, Failure)
    for wrong in ("near=48.85", "near=98,2,5km", "near"):
        with pytest.raises(UsageError, match="--prior near is"):
            build_priors([wrong])


def test_a_wrong_prior_does_not_hide_the_right_place_and_a_right_one_is_searched_first(town: SmallTown) -> None:
    query = town.queries[0]
    here = f"near={query.lat},{query.lon},200m"
    for named in ([here], ["near=-33.9,151.2,2km"], [here, "near=-33.9,151.2,2km"]):
        (fix,) = locate_photos(town.index, [query.path], LocateOptions(), LocalPool(1), priors=named)
        assert isinstance(fix, Fix)
        assert fix.stage == "rerank"
        assert haversine_m(fix.lat or 0.0, fix.lon or 0.0, query.lat, query.lon) < 10.0
        assert len(fix.priors) == len(named)


def test_a_single_candidate_is_searched_for_inside_and_outside(town: SmallTown) -> None:
    query = town.queries[0]
    for place in (f"near={query.lat},{query.lon},200m", "near=-33.9,151.2,2km"):
        (fix,) = locate_photos(town.index, [query.path], LocateOptions(top_k=1), LocalPool(1), [place])
        assert isinstance(fix, Fix)
        assert fix.status == "ok"
        assert float(haversine_m(fix.lat, fix.lon, query.lat, query.lon)) < 30.0


def test_a_prior_that_knows_nothing_takes_nothing_from_where_the_user_looks(town: SmallTown) -> None:
    query = town.queries[0]
    options = replace(LocateOptions(), near=(Circle(query.lat, query.lon, 5000.0),), top_k=10, list_k=10)
    counts = []
    for named in ([], ["exif"]):
        (fix,) = locate_photos(town.index, [query.path], options, LocalPool(1), priors=named)
        assert isinstance(fix, Fix)
        counts.append(len(fix.candidates))
    # All photos lie inside: eight of the ten candidates, and two from outside, where there are none.
    assert counts == [8, 8]


def test_the_record_says_what_was_searched_and_that_it_was_widened(town: SmallTown) -> None:
    query, stranger = town.queries[0], town.strangers[0]
    here, sydney = f"near={query.lat},{query.lon},200m", "near=-33.9,151.2,2km"

    def searched(path: str, prior: str | None) -> Searched:
        named = [prior] if prior else []
        (fix,) = locate_photos(town.index, [path], LocateOptions(), LocalPool(1), priors=named)
        assert isinstance(fix, Fix)
        assert fix.search is not None
        return fix.search

    assert searched(query.path, None) == Searched(None, 1.0, False)
    # The street is 70 m long, and the search reaches a kilometre: all of it is inside.
    assert searched(query.path, here) == Searched(14, 1.0, False)
    # Nothing is there; the right place is among those from outside, and its neighbours are looked for as well.
    assert searched(query.path, sydney) == Searched(0, 1.0, True)
    # Nothing stands anywhere, so that everything was searched before that was said.
    assert searched(stranger.path, here).widened


def test_the_rerankings_differ_and_an_unknown_one_is_refused(town: SmallTown) -> None:
    query = town.queries[0]
    scores = {}
    for rerank in ("linear", "product", "rrf", "none"):
        options = replace(LocateOptions(), rerank=rerank, list_k=15)
        far = "near=-33.9,151.2,2km"
        (fix,) = locate_photos(town.index, [query.path], options, LocalPool(1), priors=[far])
        assert isinstance(fix, Fix)
        scores[rerank] = tuple(candidate.score for candidate in fix.candidates)
    assert len(set(scores.values())) == 4
    with pytest.raises(UsageError, match="no rerank 'lineal'"):
        replace(LocateOptions(), rerank="lineal").check()


def test_a_guess_without_a_place_survives_its_record(photo: Photo, tmp_path: Path) -> None:
    from geoloc_cli.records import dumps, loads

    fix = prior_fix(photo.path, ask([Says("none", None), Says("one", at(LYON))], photo))
    assert loads(dumps(fix)) == fix
