"""Neighbours shown to a model, and its answers checked together with the most similar photo's place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("httpx")

from scripted import PARIS, Scripted, answering, prior

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import mass_within
from geoloc_cli.geo.earth import haversine_m
from geoloc_cli.priors.calibrate import Scales
from geoloc_cli.priors.vlm import VlmOptions
from geoloc_cli.priors.vlm_belief import belief_of
from geoloc_cli.priors.vlm_parse import parse
from geoloc_cli.priors.vlm_rag import Alike, Informed, Nearby

if TYPE_CHECKING:
    from geoloc_cli.types import Belief, Photo

pytestmark = pytest.mark.usefixtures("keyed")

TOKYO, ROME = '{"latitude": 35.68, "longitude": 139.69}', '{"latitude": 41.9, "longitude": 12.5}'
PLACES = {"Paris": (48.8584, 2.2945), "Tokyo": (35.68, 139.69), "Rome": (41.9, 12.5)}
# Photos of Paris look like it, and one of Rome does not.
SIMILAR = tuple(Alike(48.86 + 0.001 * n, 2.3, 0.6 - 0.05 * n) for n in range(5))
DISSIMILAR = tuple(Alike(41.9, 12.5 + 0.001 * n, -0.2 + 0.05 * n) for n in range(5))


def likeness(lat: float, lon: float) -> float | None:
    near = [p.similarity for p in (*SIMILAR, *DISSIMILAR) if haversine_m(lat, lon, p.lat, p.lon) < 25e3]
    return max(near, default=None)


SHARP = Scales((1e4, 1e5), (0.4, 0.4), 0.2)
NEARBY = Nearby(SIMILAR, DISSIMILAR, likeness)


def asked(photo: Photo, *texts: str, rag: str, nearby: Nearby = NEARBY, **options: Any) -> tuple[Scripted, Any]:
    wanted: list[int] = []

    def neighbours(of: Photo, count: int) -> Nearby:
        assert of is photo
        wanted.append(count)
        return nearby

    with answering(*texts) as server:
        informed = prior(server.url, rag=rag, gallery="an index", **options)
        assert isinstance(informed, Informed)
        assert informed.gallery() == "an index"
        informed.inform(neighbours)
        found = informed.believe(photo)
    assert wanted == [max(int(count) for count in rag.split(","))]  # described once a photo, not once a sample
    return server, found


def shown(server: Scripted, number: int) -> list[list[list[float]]]:
    text = server.asked[number]["messages"][1]["content"][0]["text"]
    return [json.loads(part) for part in re.findall(r"\[\[.*?\]\]", text)]


def test_the_samples_go_round_the_contexts(photo: Photo) -> None:
    server, found = asked(photo, PARIS, PARIS, TOKYO, PARIS, PARIS, TOKYO, rag="0,1,3", samples=6)
    listed = [[[photo.lat, photo.lon] for photo in photos] for photos in (SIMILAR, DISSIMILAR)]
    assert [shown(server, number) for number in range(3)] == [[], [one[:1] for one in listed], [o[:3] for o in listed]]
    details = dict(found[1].details)
    assert details["consistency_by"] == {"neighbours": round(2 / 6, 4), "wording": 1.0}
    assert [entry.get("neighbours", 0) for entry in details["answers"]] == [0, 1, 3, 0, 1, 3]
    assert details["retrieved"] == {"lat": 48.86, "lon": 2.3, "similarity": 0.6}


def masses(belief: Belief) -> dict[str, float]:
    return {name: float(mass_within(belief, *place, 1000e3)) for name, place in PLACES.items()}


def test_answers_and_the_retrieved_place_are_weighed_together() -> None:
    said = [parse(text) for text in (PARIS, TOKYO, ROME)]
    apart, together = belief_of("vlm", said, SHARP), belief_of("vlm", said, SHARP, nearby=NEARBY)
    assert apart is not None
    assert together is not None
    components = [sum(c.weight for c in found[0].components) for found in (apart, together)]
    assert components[0] == pytest.approx(components[1])  # what is weighed anew is not doubt
    before, after = masses(apart[0]), masses(together[0])
    assert before["Paris"] == pytest.approx(before["Tokyo"], rel=0.05)
    # An answer and a half at double weight, one as it was, and one at 2^-0.5.
    assert after["Paris"] / after["Tokyo"] == pytest.approx(3.0, rel=0.05)
    assert after["Tokyo"] / after["Rome"] == pytest.approx(2.0**0.5, rel=0.05)
    details = dict(together[1].details or {})
    assert details["support"] == [2.0, 1.0, round(2.0**-0.5, 4)]
    assert (details["samples"], details["answered"], details["consistency"]) == (3, 3, round(1 / 3, 4))


def test_the_support_of_a_place_is_bounded_and_none_where_nothing_is_known() -> None:
    assert NEARBY.support(*PLACES["Paris"]) == 2.0
    assert NEARBY.support(*PLACES["Rome"]) == pytest.approx(2.0 ** (2 * 0.2 / 0.8 - 1))
    assert NEARBY.support(*PLACES["Tokyo"]) == 1.0
    assert Nearby().support(*PLACES["Paris"]) == 1.0
    flat = Nearby((Alike(1.0, 1.0, 0.5),), (Alike(2.0, 2.0, 0.5),), lambda lat, lon: 0.5)
    assert flat.support(1.0, 1.0) == 1.0
    above = Nearby(SIMILAR, DISSIMILAR, lambda lat, lon: 9.0)
    assert above.support(1.0, 1.0) == 2.0


def test_one_answer_elsewhere_is_neither_lost_nor_overruled(photo: Photo) -> None:
    _, found = asked(photo, TOKYO, rag="3")
    belief, guess = found
    held = masses(belief)
    assert held["Paris"] == pytest.approx(held["Tokyo"], rel=0.1)
    assert (guess.lat, guess.lon) == pytest.approx(PLACES["Tokyo"])


def test_where_retrieval_outweighs_every_answer_the_record_says_so() -> None:
    found = belief_of("vlm", [parse(ROME)], nearby=NEARBY)
    assert found is not None
    assert (found[1].lat, found[1].lon) == pytest.approx((48.86, 2.3))
    assert "most similar photo" in found[1].rationale
    assert dict(found[1].details or {})["read"] == "retrieved"
    assert dict(found[1].details or {})["consistency"] == 0.0


def test_what_is_retrieved_is_no_answer_where_the_model_gives_none(photo: Photo) -> None:
    _, found = asked(photo, "I'm sorry, I can't tell.", rag="3")
    assert found is None


def test_a_photo_without_neighbours_is_asked_about_all_the_same(photo: Photo) -> None:
    server, found = asked(photo, PARIS, rag="3", nearby=Nearby())
    assert shown(server, 0) == []
    assert found[0] == belief_of("vlm", [parse(PARIS)])[0]  # type: ignore[index]
    assert "retrieved" not in dict(found[1].details)


@pytest.mark.parametrize(
    "options",
    [{"rag": "5"}, {"rag": "-1", "gallery": "x"}, {"rag": "51", "gallery": "x"}, {"rag": "a", "gallery": "x"}],
)
def test_a_context_that_cannot_be_had_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="rag"):
        VlmOptions(url="http://localhost/v1", model="m", **options).check()


def test_a_prior_that_was_not_informed_says_so(photo: Photo) -> None:
    with answering(PARIS) as server, pytest.raises(UsageError, match="neighbours"):
        prior(server.url, rag="5", gallery="x").believe(photo)


def test_without_rag_no_neighbours_are_wanted(photo: Photo) -> None:
    with answering(PARIS) as server:
        assert prior(server.url, gallery="x").gallery() == ""
        assert prior(server.url, rag="0", gallery="x").gallery() == ""
