"""Equivalent pictures and wordings: what is shown, and what is made of answers that differ only by them."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("httpx")

from scripted import LYON, PARIS, answering, prior

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import mass_within
from geoloc_cli.priors.vlm import VlmOptions
from geoloc_cli.priors.vlm_consistency import Way, consistency_by
from geoloc_cli.priors.vlm_pictures import VIEWS, Picture, inside

if TYPE_CHECKING:
    from pathlib import Path

    from geoloc_cli.types import Belief, Photo, PriorGuess

TOKYO = '{"latitude": 35.68, "longitude": 139.69}'

pytestmark = pytest.mark.usefixtures("keyed")


def said(photo: Photo, *texts: str, **options: Any) -> tuple[Belief, PriorGuess, dict[str, Any]]:
    with answering(*texts) as server:
        found = prior(server.url, samples=len(texts), **options).believe(photo)
    assert found is not None
    return *found, dict(found[1].details or {})


def test_each_view_shows_the_same_scene_otherwise(photo: Photo, tmp_path: Path) -> None:
    with answering(PARIS) as server:
        asked = prior(server.url, samples=4, views=4, max_px=200, cache=str(tmp_path / "cache"))
        asked.believe(photo)
        asked.believe(photo)
    assert len(server.asked) == 4  # each is another question, and none is asked twice
    plain, cropped, coarse, mirrored = (np.asarray(server.image(n).convert("RGB"), float) for n in range(4))
    assert plain.shape == coarse.shape == mirrored.shape == cropped.shape == (200, 150, 3)
    assert np.abs(mirrored - plain[:, ::-1]).mean() < 2.0 < np.abs(mirrored - plain).mean()
    # The red stripe is 60 of 300 pixels wide; a twentieth, 15, is cut off, of what is 270 then.
    red = [float((pixels[:, :, 0] > 125).mean()) for pixels in (plain, cropped)]
    assert red == pytest.approx([60 / 300, 45 / 270], abs=0.01)
    assert 0.0 < np.abs(coarse - plain).mean() < 6.0
    assert len(server.picture(2)) < len(server.picture(0))


def test_a_mirrored_picture_is_said_to_be_one_and_the_others_are_asked_about_alike(photo: Photo) -> None:
    with answering(PARIS) as server:
        prior(server.url, samples=4, views=4).believe(photo)
    words = [body["messages"][1]["content"][0]["text"] for body in server.asked]
    assert words[0] == words[1] == words[2]
    assert words[3].startswith(words[0])
    assert "mirrored" in words[3][len(words[0]) :]


def test_what_is_changed_alone_tells_what_the_answers_hang_on(photo: Photo) -> None:
    by_view, by_wording = [PARIS, TOKYO] * 4, [PARIS, PARIS, TOKYO, TOKYO] * 2
    wide = []
    for texts, expected in (
        (by_view, {"view": 0.0, "wording": 1.0, "sample": 1.0}),
        (by_wording, {"view": 1.0, "wording": 0.0, "sample": 1.0}),
        ([PARIS] * 8, {"view": 1.0, "wording": 1.0, "sample": 1.0}),
    ):
        _, guess, details = said(photo, *texts, views=2, wordings=2)
        assert details["consistency_by"] == expected
        wide.append(guess.radius_m)
    assert wide[0] == pytest.approx(wide[1])
    assert wide[2] < 0.5 * wide[0]


def test_every_answer_is_in_the_record_with_its_way(photo: Photo) -> None:
    _, _, details = said(photo, PARIS, LYON, "I cannot tell.", PARIS, views=2)
    assert details["answers"] == [
        {"wording": 1, "view": "plain", "places": [0], "lat": 48.8584, "lon": 2.2945},
        {"wording": 1, "view": "cropped", "places": [1], "lat": 45.764, "lon": 4.8357},
        {"wording": 2, "view": "plain", "places": [], "unread": "refused"},
        {"wording": 2, "view": "cropped", "places": [0], "lat": 48.8584, "lon": 2.2945},
    ]
    # Neither pair of views agrees; of the wordings, neither: one answer is silent, and one is elsewhere.
    assert details["consistency_by"] == {"view": 0.0, "wording": 0.0}


def test_an_answer_to_the_mirrored_picture_weighs_half(photo: Photo) -> None:
    belief, _, details = said(photo, PARIS, PARIS, PARIS, TOKYO, views=4)
    assert details["consistency"] == pytest.approx(3.0 / 3.5, abs=1e-4)
    here, there = (float(mass_within(belief, lat, lon, 50e3)) for lat, lon in ((48.8584, 2.2945), (35.68, 139.69)))
    assert here / there == pytest.approx(6.0, rel=0.05)


def test_one_sample_is_of_the_picture_itself_and_tells_nothing_of_consistency(photo: Photo) -> None:
    with answering(PARIS) as server:
        found = prior(server.url, views=4, wordings=1).believe(photo)
        prior(server.url).believe(photo)
    assert found is not None
    assert "consistency_by" not in (found[1].details or {})
    assert server.asked[0] == server.asked[1]


def test_ways_that_differ_in_two_things_are_no_pair() -> None:
    ways = [Way(wording, view) for wording, view in product((0, 1), VIEWS[:2])]
    places = [frozenset({0}), frozenset({0, 1}), frozenset({1}), frozenset[int]()]
    assert consistency_by(ways, places) == {"view": 0.5, "wording": 0.0}
    assert consistency_by([ways[0], ways[3]], places[:2]) == {}


def test_a_part_is_cut_from_the_photo_at_its_full_resolution(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (400, 600, 3), dtype=np.uint8)
    path = tmp_path / "p.png"
    Image.fromarray(pixels).save(path)
    picture = Picture(str(path), 60)
    assert np.array_equal(picture.pixels((0.5, 0.25, 0.6, 0.375), 60), pixels[100:150, 300:360])
    larger = picture.pixels((0.5, 0.25, 0.55, 0.3), 1000, enlarged=4.0)
    assert larger.shape == (80, 120, 3)  # of 20 x 30, four times and no more
    assert picture.pixels((0.0, 0.0, 1.0, 1.0), 60).shape == (40, 60, 3)


def test_a_part_of_a_view_is_found_in_the_photo() -> None:
    _, cropped, _, mirrored = VIEWS
    assert inside(mirrored, (0.1, 0.2, 0.3, 0.4)) == pytest.approx((0.7, 0.2, 0.9, 0.4))
    assert inside(cropped, (0.0, 0.5, 1.0, 1.0)) == pytest.approx((0.05, 0.5, 0.95, 0.95))


@pytest.mark.parametrize("options", [{"views": 0}, {"views": 5}, {"wordings": -1}])
def test_views_that_there_are_not_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        VlmOptions(url="http://localhost/v1", model="m", **options).check()  # type: ignore[arg-type]
