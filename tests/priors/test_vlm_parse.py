"""The parser of models' answers: every form in which a place was seen, and everything that is none."""

from __future__ import annotations

import time

import pytest

from geoloc_cli.priors.vlm_names import Names
from geoloc_cli.priors.vlm_parse import Answer, Unread, parse
from geoloc_cli.priors.vlm_text import plain

PARIS = (48.8584, 2.2945)

STATED = {
    "bare JSON": '{"lat": 48.8584, "lon": 2.2945}',
    "fenced JSON": 'Sure!\n```json\n{"latitude": 48.8584, "longitude": 2.2945}\n```\nHope this helps.',
    "numbers as text": '{"lat": "48.8584", "long": "2.2945"}',
    "letters in a field": '{"latitude": "48.8584° N", "longitude": "2.2945° E"}',
    "nested": '{"guess": {"coordinates": {"lat": 48.8584, "lng": 2.2945}}, "confidence": 0.5}',
    "a list": '{"coordinates": [48.8584, 2.2945]}',
    "GeoJSON": '{"location": {"type": "Point", "coordinates": [2.2945, 48.8584]}}',
    "a list of guesses": '{"guesses": [{"lat": 48.8584, "lon": 2.2945}, {"lat": 1.5, "lon": 2.5}]}',
    "a pair in a field": '{"location": "48.8584, 2.2945"}',
    "comments": '{"lat": 48.8584, // north of the river\n "lon": 2.2945 /* about */ }',
    "a trailing comma": '{"lat": 48.8584, "lon": 2.2945,}',
    "unquoted words": '{"lat": 48.8584, "long": 2.2945, "city": Paris, "country": France}',
    "single quotes": "{'lat': 48.8584, 'lon': 2.2945, 'city': 'Paris'}",
    "cut short": '{"lat": 48.8584, "lon": 2.2945, "rationale": "the tow',
    "the last of two": '{"lat": 1.5, "lon": 2.5} On second thoughts: {"lat": 48.8584, "lon": 2.2945}',
    "labels": "Latitude: 48.8584\nLongitude: 2.2945",
    "labels in bold": "**Latitude:** 48.8584° N\n**Longitude:** 2.2945° E",
    "labels in the other order": "longitude: 2.2945, latitude: 48.8584",
    "labels behind": "around 48.8584° latitude and 2.2945° longitude",
    "letters": "I would say 48.8584° N, 2.2945° E.",
    "letters before": "That is N 48.8584, E 2.2945",
    "letters, exchanged": "It was taken at 2.2945° E, 48.8584° N.",
    "words for letters": "48.8584 degrees North, 2.2945 degrees East",
    "degrees, minutes, seconds": "48°51'30.24\"N 2°17'40.2\"E",
    "their typographic signs": "48° 51′ 30.24″ N, 2° 17′ 40.2″ E",
    "degrees and minutes": "N 48° 51.504' E 2° 17.67'",
    "announced": "My best guess is (48.8584, 2.2945).",
    "commas for points": "Latitude: 48,8584; Longitude: 2,2945",
    "commas for points in a pair": "Coordonnées : 48,8584° N, 2,2945° E",
    "a link": "https://www.google.com/maps/@48.8584,2.2945,17z",
    "a geo link": "geo:48.8584,2.2945",
    "terminal codes": '\x1b[32m{"lat": \x1b[1m48.8584\x1b[0m, "lon": 2.2945}\x1b[0m',
    "HTML": "<p>Latitude: <b>48.8584</b><br/>Longitude: <b>2.2945</b></p>",
    "entities": "<p>48.8584&deg; N, 2.2945&deg; E</p>",
    "thoughts before": '<think>Perhaps 1.5000, 2.5000? No.</think>{"lat": 48.8584, "lon": 2.2945}',
    "thoughts without a start": 'or 1.5000, 2.5000?</think>{"lat": 48.8584, "lon": 2.2945}',
    "digits of another script": "latitude: ٤٨.٨٥٨٤, longitude: ٢.٢٩٤٥",
}


@pytest.mark.parametrize("form", STATED)
def test_a_place_is_read_in_every_form(form: str) -> None:
    answer = parse(STATED[form])
    assert isinstance(answer, Answer)
    assert (answer.lat, answer.lon) == pytest.approx(PARIS, abs=2e-5)


@pytest.mark.parametrize(
    "text",
    [
        '{"lat": -33.8568, "lon": 151.2153}',
        "lat \u221233.8568, lon 151.2153",
        "33.8568° S, 151.2153° E",
        "-33.8568° S, 151.2153° E",
        "33°51'24.5\"S 151°12'55.1\"E",
        '{"lat": 151.2153, "lon": -33.8568}',
        "coordinates: 151.2153, -33.8568",
    ],
)
def test_signs_letters_and_the_exchange_of_what_lies_outside(text: str) -> None:
    answer = parse(text)
    assert isinstance(answer, Answer)
    assert (answer.lat, answer.lon) == pytest.approx((-33.8568, 151.2153), abs=1e-4)
    assert answer.how.endswith(", swapped") == ("151.2153, " in text or '{"lat": 151' in text)


def test_two_numbers_that_could_stand_either_way_are_never_exchanged() -> None:
    answer = parse('{"lat": 2.2945, "lon": 48.8584}')
    assert isinstance(answer, Answer)
    assert (answer.lat, answer.lon) == (2.2945, 48.8584)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("latitude between 40 and 44 N, longitude between 10 and 12 E", (42.0, 11.0)),
        ('{"lat": "40-44", "lon": "10-12"}', (42.0, 11.0)),
        ('{"lat": "10-20 S", "lon": "30-40 E"}', (-15.0, 35.0)),
    ],
)
def test_a_range_is_its_middle_with_a_radius_to_its_corner(text: str, place: tuple[float, float]) -> None:
    answer = parse(text)
    assert isinstance(answer, Answer)
    assert (answer.lat, answer.lon) == pytest.approx(place)
    assert answer.radius_m is not None
    assert 200e3 < answer.radius_m < 900e3  # half of 2 to 10 degrees each way, at 111 km


NOTHING = {
    "": "empty",
    " \n\t": "empty",
    "I'm sorry, but I can't help with that.": "refused",
    "I'm not comfortable responding to this conversation subject.": "refused",
    '{"lat": 0, "lon": 0}': "null_island",
    '{"lat": 0.0, "long": 0.000, "city": "Unknown", "country": "Unknown"}': "null_island",
    "Latitude: 0.0000, Longitude: 0.0000": "null_island",
    '{"lat": 100.5, "lon": 100.5}': "out_of_range",
    '{"lat": 999, "lon": 2}': "out_of_range",
    '{"lat": null, "lon": null, "city": null, "country": null}': "no_place",
    '{"lat": NaN, "lon": Infinity}': "no_place",
    '{"lat": true, "lon": false}': "no_place",
    '{"lat": "unknown", "lon": "not specified", "city": "N/A"}': "no_place",
    '{"lat": 48.1, // placeholder\n "lon": 2.1}': "no_place",
    "The road is 3.50, 4.25 metres wide and the sign says 12, 30.": "no_place",
    "It was built between 1900 and 1950; version 1.2, 3.4.": "no_place",
    "Error: finish_reason is 7, see https://ai.google.dev/api#finish": "no_place",
    "48.8584° N, 2.2945° N": "no_place",
    "-48.8584° N, 2.2945° E": "no_place",
    "{" * 5000: "no_place",
    '{"a":' * 5000: "no_place",
    "[" * 100_000: "no_place",
}


@pytest.mark.parametrize("text", NOTHING, ids=lambda text: text[:40])
def test_nothing_is_read_where_nothing_is_said(text: str) -> None:
    answer = parse(text)
    assert isinstance(answer, Unread), answer
    if NOTHING[text] != "no_place":
        assert answer.reason == NOTHING[text]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Country: Japan", Names(country="Japan")),
        ("**City:** Moscow\n**Country:** Russia", Names(city="Moscow", country="Russia")),
        ("My best guess for the location is Nuremberg, Germany.", Names(city="Nuremberg", country="Germany")),
        ("Nuremberg, Germany is my guess: located in Nuremberg, Germany.", Names(city="Nuremberg", country="Germany")),
        ("I would guess that the location is in Mexico City, with its colonial style.", Names(region="Mexico City")),
        ("These elements suggest that the image was taken somewhere in Japan.", Names(country="Japan")),
        ('{"lat": null, "lon": null, "city": "Rome", "country": "Italy"}', Names(city="Rome", country="Italy")),
        ('{"levels": {"country": {"name": "Peru"}, "city": null}}', Names(country="Peru")),
        ('{"country": "France", "lat": 0.0, "lon": 0.0}', Names(country="France")),
    ],
)
def test_names_alone_are_an_answer_without_numbers(text: str, names: Names) -> None:
    answer = parse(text)
    assert isinstance(answer, Answer)
    assert (answer.lat, answer.lon, answer.names) == (None, None, names)


def test_a_choice_of_names_stays_a_choice() -> None:
    answer = parse("The image is most likely from a city in Colombia, Venezuela, or Ecuador.")
    assert isinstance(answer, Answer)
    assert [n.country for n in (answer.names, *answer.others)] == ["Colombia", "Venezuela", "Ecuador"]


@pytest.mark.parametrize(
    "text",
    [
        "The signs are in English and the houses look Victorian. I cannot tell where this is.",
        "It is not in Japan.",
        "The location cannot be determined.",
        "This could be anywhere in a Spanish-speaking country, possibly at this Time of Day.",
    ],
)
def test_no_name_is_made_of_capitals(text: str) -> None:
    assert isinstance(parse(text), Unread)


def test_what_else_an_answer_states() -> None:
    answer = parse(
        '{"lat": 48.85, "lon": 2.29, "radius_km": 5, "confidence": "80%", "localizable": 0.7,'
        ' "rationale": "A \\u001b[31mtower\\u001b[0m\\u0000 of\\niron\\u202e"}'
    )
    assert isinstance(answer, Answer)
    assert (answer.radius_m, answer.confidence, answer.localizable) == (5000.0, 0.8, 0.7)
    assert answer.rationale == "A tower of iron"


@pytest.mark.parametrize("stated", ["-5", "0", '"far"', "1e300", "true", "null", "NaN", "[1]"])
def test_a_radius_that_is_none_is_left_out(stated: str) -> None:
    answer = parse(f'{{"lat": 48.85, "lon": 2.29, "radius_km": {stated}, "confidence": {stated}}}')
    assert isinstance(answer, Answer)
    assert answer.radius_m is None


def test_escapes_in_a_name_do_not_come_through() -> None:
    city, country = "Pa\\u001b[31mris\\u0007\\n<b>x</b>", "\\u001b]0;t\\u0007"
    answer = parse(f'{{"lat": 48.85, "lon": 2.29, "city": "{city}", "country": "{country}"}}')
    assert isinstance(answer, Answer)
    assert answer.names == Names(city="Paris x")


def test_a_rationale_is_one_short_printable_line() -> None:
    line = plain("word " * 1000 + "\x00\x07")
    assert len(line) <= 600
    assert line.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "lat " * 20_000,
        "1.5, " * 20_000,
        "{" + '"lat": 1.5, ' * 5_000,
        "<" * 50_000,
        "in Paris, " * 8_000,
        "I guess in " + "A" * 50_000,
        "I guess in " + "Aa " * 20_000,
        "/*" * 30_000,
        "N 1 " * 20_000,
        "\x1b]" * 30_000,
        "City: " * 10_000,
        '"a":"' * 10_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_answers_are_read_in_bounded_time(text: str) -> None:
    began = time.process_time()
    parse(text)
    assert time.process_time() - began < 1.0
