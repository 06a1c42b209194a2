"""A file that was spoiled on purpose is diagnosed by what was done to it; one that was not is left in peace."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from geoloc_cli.evaluate.diagnose import diagnose
from geoloc_cli.evaluate.diagnosis import Diagnosis
from geoloc_cli.evaluate.joined import join
from geoloc_cli.evaluate.numbers import NumberColumn
from geoloc_cli.evaluate.predicted import Predictions
from geoloc_cli.evaluate.truth import Truth
from geoloc_cli.geo.earth import destination

Floats = NDArray[np.float64]
Spoiled = Callable[[Floats, Floats], tuple[Floats, Floats]]

COUNT = 400
RNG = np.random.default_rng(7)
# Places on three quarters of the Earth, and answers 12 km off in the median.
TRUE_LAT = np.concatenate([RNG.uniform(25.0, 65.0, 300), RNG.uniform(-45.0, -5.0, 100)])
TRUE_LON = RNG.uniform(-125.0, 150.0, COUNT)
ERROR_M = RNG.lognormal(0.0, 1.0, COUNT)
ERROR_M *= 12e3 / np.median(ERROR_M)
LAT, LON = destination(TRUE_LAT, TRUE_LON, RNG.uniform(0.0, 360.0, COUNT), ERROR_M)
NAMES = [f"q/p{n:03d}.jpg" for n in range(COUNT)]
NAN = np.full(COUNT, np.nan)
TRUTH = Truth("t.csv", NAMES, TRUE_LAT, TRUE_LON, NAN, NAN, [None] * COUNT)


def found(
    lat: Floats, lon: Floats, radius_m: Floats = NAN, confidence: Floats = NAN, names: list[str] = NAMES
) -> dict[str, Diagnosis]:
    diagnoses = diagnose(join(Predictions("p.csv", names, lat, lon, radius_m, confidence), TRUTH))
    assert len({diagnosis.code for diagnosis in diagnoses}) == len(diagnoses)
    assert all(diagnosis.sentence.endswith((".", "?")) for diagnosis in diagnoses)
    return {diagnosis.code: diagnosis for diagnosis in diagnoses}


def part(spoil: Spoiled, rows: slice) -> Spoiled:
    def some(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        lat, lon = lat.copy(), lon.copy()
        lat[rows], lon[rows] = spoil(lat[rows].copy(), lon[rows].copy())
        return lat, lon

    return some


def nmea(values: Floats) -> Floats:
    whole = np.trunc(values)
    return 100.0 * whole + 60.0 * (values - whole)


def mercator(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    return 6378137.0 * np.log(np.tan(np.pi / 4.0 + np.radians(lat) / 2.0)), 6378137.0 * np.radians(lon)


WAYS: dict[str, tuple[Spoiled, str]] = {
    "swapped": (lambda lat, lon: (lon, lat), "if lat and lon are swapped (in one of the two files)."),
    "both_signs": (lambda lat, lon: (-lat, -lon), "if the signs of lat and lon are turned."),
    "radians": (lambda lat, lon: (np.radians(lat), np.radians(lon)), "if lat and lon are in radians."),
    "e7": (lambda lat, lon: (np.round(lat * 1e7), np.round(lon * 1e7)), "degrees times 10 000 000 (E7)."),
    "microdegrees": (lambda lat, lon: (lat * 1e6, lon * 1e6), "if lat and lon are microdegrees."),
    "scaled": (lambda lat, lon: (lat * 1e5, lon * 1e5), "degrees times 100000."),
    "arc_seconds": (lambda lat, lon: (lat * 3600.0, lon * 3600.0), "if lat and lon are seconds of arc."),
    "semicircles": (lambda lat, lon: (lat * 2.0**31 / 180.0, lon * 2.0**31 / 180.0), "are semicircles"),
    "degrees_minutes": (lambda lat, lon: (nmea(lat), nmea(lon)), "run together, as in NMEA (4851.4 for 48°51.4')."),
    "web_mercator": (mercator, "if lat and lon are metres of Web Mercator (north, east)."),
}


def test_a_sound_file_is_left_in_peace() -> None:
    assert found(LAT, LON, ERROR_M * 1.5, np.full(COUNT, 0.5)) == {}


def test_answers_drawn_at_random_are_bad_and_not_misread() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lat, lon = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, COUNT))), rng.uniform(-180.0, 180.0, COUNT)
        assert found(lat, lon) == {}


def test_answers_to_the_wrong_photographs_are_bad_and_not_misread() -> None:
    assert found(np.roll(LAT, 1), np.roll(LON, 1)) == {}


@pytest.mark.parametrize("code", WAYS)
def test_every_misreading_of_all_rows_is_told_with_the_fall_of_the_error(code: str) -> None:
    spoil, words = WAYS[code]
    told = found(*spoil(LAT, LON))
    assert set(told) <= {code, "off_earth"}
    diagnosis = told[code]
    assert words in diagnosis.sentence
    assert float(diagnosis.figures["after_m"]) == pytest.approx(np.median(ERROR_M), rel=1e-3)
    assert "12 km" in diagnosis.sentence


def test_the_sentence_for_swapped_places_names_both_medians() -> None:
    # On one continent every swapped place is still on the Earth.
    inside = np.abs(TRUE_LON) < 60.0
    names = [name for name, kept in zip(NAMES, inside, strict=True) if kept]
    diagnosis = found(LON[inside], LAT[inside], NAN[inside], NAN[inside], names)["swapped"]
    before = float(diagnosis.figures["before_m"])
    assert before > 4e6
    after = float(diagnosis.figures["after_m"])
    medians = f"from {before / 1e3:,.0f} km to {after / 1e3:.0f} km".replace(",", " ")
    wanted = f"The median error drops {medians} if lat and lon are swapped (in one of the two files)."
    assert diagnosis.sentence == wanted


def test_metres_of_utm_are_read_in_the_zones_of_the_truth() -> None:
    # Two places whose metres PROJ tells (EPSG:32633 and 32617), a hundred metres about each.
    offset = RNG.normal(0.0, 100.0, (2, 20))
    north = np.concatenate([5_819_698.0 + offset[0], 4_833_438.0 + offset[0]])
    east = np.concatenate([392_076.0 + offset[1], 630_084.0 + offset[1]])
    lat, lon = np.repeat([52.517, 43.6426], 20), np.repeat([13.4097, -79.3871], 20)
    truth = Truth("t", NAMES[:40], lat, lon, NAN[:40], NAN[:40], [None] * 40)
    for written, order in (((north, east), "north, east"), ((east, north), "east, north")):
        told = diagnose(join(Predictions("p", NAMES[:40], *written, NAN[:40], NAN[:40]), truth))
        assert told[0].code == "utm"
        assert f"metres of UTM ({order}), in the truth's zones" in told[0].sentence
        assert float(told[0].figures["after_m"]) < 400.0


def test_minutes_after_the_point_are_told_where_answers_are_good_enough_to_tell() -> None:
    exact = [np.round(np.trunc(x) + np.fmod(x, 1.0) * 0.6, 4) for x in (TRUE_LAT, TRUE_LON)]
    diagnosis = found(*exact)["minutes_as_decimals"]
    assert "minutes (48.51 for 48°51')" in diagnosis.sentence
    assert float(diagnosis.figures["after_m"]) < 50.0


@pytest.mark.parametrize(
    ("code", "spoil", "words"),
    [
        ("swapped", part(lambda lat, lon: (lon, lat), slice(0, 60)), "if lat and lon are swapped"),
        (
            "lon_sign",
            lambda lat, lon: (lat, np.abs(lon)),
            "if the sign of lon is turned (no lon is negative: was the W lost?)",
        ),
        (
            "lat_sign",
            lambda lat, lon: (np.abs(lat), lon),
            "if the sign of lat is turned (no lat is negative: was the S lost?)",
        ),
        ("lon_0_360", lambda lat, lon: (lat, lon % 360.0), "if lon runs from 0 to 360"),
    ],
)
def test_a_misreading_of_some_rows_is_told_with_their_number(code: str, spoil: Spoiled, words: str) -> None:
    lat, lon = spoil(LAT, LON)
    diagnosis = found(lat, lon)[code]
    changed = int(np.count_nonzero((lat != LAT) | (lon != LON)))
    # Beside zero a sign or an exchange changes little, and no row that was right comes nearer.
    assert 0.85 * changed <= int(diagnosis.figures["rows"]) <= changed
    assert f"In {diagnosis.figures['rows']} of {COUNT} answers the median error drops" in diagnosis.sentence
    assert words in diagnosis.sentence


def test_part_of_a_town_that_is_swapped_is_told_though_all_of_it_is_near() -> None:
    lat, lon = 41.03 + RNG.normal(0.0, 0.005, 100), -83.30 + RNG.normal(0.0, 0.005, 100)
    truth = Truth("t", NAMES[:100], lat, lon, NAN[:100], NAN[:100], [None] * 100)
    near = destination(lat, lon, RNG.uniform(0.0, 360.0, 100), RNG.exponential(50.0, 100))
    swapped = part(lambda lat, lon: (lon, lat), slice(0, 20))(*near)
    told = diagnose(join(Predictions("p", NAMES[:100], *swapped, NAN[:100], NAN[:100]), truth))
    assert [(diagnosis.code, diagnosis.figures["rows"]) for diagnosis in told] == [("swapped", 20)]
    assert diagnose(join(Predictions("p", NAMES[:100], *near, NAN[:100], NAN[:100]), truth)) == ()


def test_a_few_rows_are_believed_only_where_all_of_them_agree() -> None:
    few = slice(0, 4)
    assert "swapped" in found(LON[few], LAT[few], NAN[few], NAN[few], NAMES[few])
    mixed = part(lambda lat, lon: (lon, lat), slice(0, 2))(LAT[few], LON[few])
    assert "swapped" not in found(*mixed, NAN[few], NAN[few], NAMES[few])


@pytest.mark.parametrize(
    ("lat", "lon", "code", "words"),
    [
        (
            ["48,8566"] * 9,
            ["2,3522"] * 9,
            "comma_decimals",
            "with a comma for a point, their median error is 0 m.",
        ),
        (
            ["48°51'24.0\"N"] * 9,
            ["2°21'07.9\"E"] * 9,
            "angles_as_text",
            "read as degrees, minutes and seconds, their median",
        ),
        (["somewhere"] * 9, ["else"] * 9, "no_number", "(row 2: lat 'somewhere')."),
    ],
)
def test_texts_are_shown_and_read_for_a_guess_alone(lat: list[str], lon: list[str], code: str, words: str) -> None:
    columns = {"lat": NumberColumn(), "lon": NumberColumn()}
    columns["lat"].add([*lat, "48.8566"])
    columns["lon"].add([*lon, "2.3522"])
    (lats, bad_lat), (lons, bad_lon) = columns["lat"].done(), columns["lon"].done()
    unread = {"lat": bad_lat, "lon": bad_lon}
    predictions = Predictions("p", NAMES[:10], lats, lons, NAN[:10], NAN[:10], 2, unread=unread)
    ten = np.ones(10)
    truth = Truth("t", NAMES[:10], 48.8566 * ten, 2.3522 * ten, NAN[:10], NAN[:10], [None] * 10)
    told = {diagnosis.code: diagnosis.sentence for diagnosis in diagnose(join(predictions, truth))}
    assert told[code].startswith("No number for lat or lon, counted as wrong: 9 of 10 rows (row 2: lat ")
    assert words in told[code]
    assert set(told) == {code}


def test_radii_that_are_texts_count_as_absent_and_are_told() -> None:
    column = NumberColumn()
    column.add(["1.5 km", *["100"] * 399])
    radius, unread = column.done()
    predictions = Predictions("p", NAMES, LAT, LON, radius, NAN, 2, unread={"radius_m": unread})
    (told,) = diagnose(join(predictions, TRUTH))
    assert told.code == "radius_m_no_number"
    assert told.sentence == "No number for radius_m, counted as absent: 1 row (row 2: '1.5 km')."


def test_of_many_answers_some_are_looked_at() -> None:
    times = 120
    names = [f"{name}{n}" for n in range(times) for name in NAMES]
    lat, lon, nan = np.tile(LAT, times), np.tile(LON, times), np.full(COUNT * times, np.nan)
    lat[::4], lon[::4] = lon[::4].copy(), lat[::4].copy()
    truth = Truth("t", names, np.tile(TRUE_LAT, times), np.tile(TRUE_LON, times), nan, nan, [None] * len(names))
    told = diagnose(join(Predictions("p", names, lat, lon, nan, nan), truth))
    assert "of 24000 evenly picked answers the median error drops" in told[0].sentence


def test_rows_that_are_no_place_are_counted_by_kind() -> None:
    lat, lon = LAT.copy(), LON.copy()
    lat[0], lon[0] = np.inf, 0.0
    lat[1:3], lon[1:3] = 123.0, 10.0
    lat[3:9], lon[3:9] = 0.0, 0.0
    told = found(lat, lon)
    assert set(told) == {"infinite", "off_earth", "null_island"}
    assert "counted as wrong: 1 row." in told["infinite"].sentence
    assert "2 of 400 places (row 2: lat 123, lon 10)" in told["off_earth"].sentence
    assert told["null_island"].figures == {"rows": 6}


def test_one_place_for_all_is_told_and_nothing_is_guessed_from_it() -> None:
    told = found(np.full(COUNT, 40.0), np.full(COUNT, -100.0))
    assert set(told) == {"same_place"}
    assert told["same_place"].sentence == "All answers are the same place, 40, -100, of 400 true places."
    mostly = np.arange(COUNT) < 300
    told = found(np.where(mostly, 40.0, LAT), np.where(mostly, -100.0, LON))
    assert "300 of 400 answers are the same place" in told["same_place"].sentence


def test_the_truth_itself_is_no_prediction() -> None:
    assert "All 400 answers are the truth, digit for digit" in found(TRUE_LAT, TRUE_LON)["identical"].sentence


def test_names_that_are_missing_extra_repeated_or_loose_are_told() -> None:
    names = ["q/p000.jpg", "q/p000.jpg", "", "else.jpg", "q/p001.png", *NAMES[5:]]
    told = found(LAT, LON, names=names)
    assert "for 3 of 400 photographs, counted as wrong (q/p002.jpg, q/p003.jpg, ...)" in told["missing"].sentence
    assert "1 of 400 predictions (else.jpg)" in told["extra"].sentence
    assert "1 row (q/p000.jpg); 1 of them say another place" in told["duplicates"].sentence
    assert "1 of 400 names (q/p001.png with q/p001.jpg)" in told["matched_by_stem"].sentence
    assert told["unnamed"].figures == {"rows": 1}
    assert set(told) == {"missing", "extra", "duplicates", "matched_by_stem", "unnamed"}


def test_loose_ways_of_matching_have_their_own_codes() -> None:
    assert set(found(LAT, LON, names=[f"a/b/{name}" for name in NAMES])) == {"matched_by_path"}
    assert set(found(LAT, LON, names=[f"r/{name[2:]}" for name in NAMES])) == {"matched_by_file_name"}
    upper = found(LAT, LON, names=[name.upper() for name in NAMES])
    assert "case: 400 of 400 names (Q/P000.JPG with q/p000.jpg)" in upper["matched_by_case"].sentence


def test_repeated_names_that_say_the_same_are_harmless_and_unclear_ones_do_not_count() -> None:
    lat = np.concatenate([LAT, LAT[:5]])
    lon = np.concatenate([LON, LON[:5]])
    five = np.full(COUNT + 5, np.nan)
    told = found(lat, lon, five, five, [*NAMES, *NAMES[:5]])
    assert "they say the same places" in told["duplicates"].sentence
    unclear = found(LAT, LON, names=["x/p000.jpg", "y/p000.jpg", *NAMES[2:]])
    assert "2 predictions (x/p000.jpg, y/p000.jpg); give names with their folders" in unclear["ambiguous"].sentence


def test_no_answer_is_counted_with_the_reasons_of_our_records() -> None:
    lat = np.where(np.arange(COUNT) < 3, np.nan, LAT)
    reasons = ["not_in_index", "not_in_index", "not_found", *[None] * (COUNT - 3)]
    (told,) = diagnose(join(Predictions("p", NAMES, lat, LON, NAN, NAN, reasons=reasons), TRUTH))
    assert told.sentence == "No answer to 3 of 400 photographs (2 not_in_index, 1 not_found), counted as wrong."


@pytest.mark.parametrize(
    ("factor", "code", "words"),
    [
        (1e-3, "radius_in_km", "if it is meant in kilometres."),
        (1e3, "radius_too_large", "with a thousandth of it: was it multiplied once too often?"),
    ],
)
def test_radii_of_the_wrong_unit_are_told_by_what_they_hold(factor: float, code: str, words: str) -> None:
    radius = np.full(COUNT, np.quantile(ERROR_M, 0.9))
    assert found(LAT, LON, radius) == {}
    told = found(LAT, LON, radius * factor)
    assert set(told) == {code}
    assert f"and in 90% {words}" in told[code].sentence
    # Radii that are too small, but of the right unit, are the calibration's affair.
    assert found(LAT, LON, radius / 20.0) == {}


def test_radii_and_confidences_that_cannot_be_are_told() -> None:
    told = found(LAT, LON, np.where(np.arange(COUNT) < 2, -1.0, 30e3), np.linspace(0.0, 95.0, COUNT))
    assert told["radius_not_positive"].figures == {"rows": 2}
    assert "runs from 0 to 95: is it in per cent?" in told["confidence_in_percent"].sentence
    told = found(LAT, LON, NAN, np.linspace(-3.0, 1.0, COUNT))
    assert "runs from -3 to 1 and is no probability" in told["confidence_no_probability"].sentence
