"""The data sets by name: every one that the project promises, and what is said of each."""

from __future__ import annotations

import pytest

from geoloc_cli.evaluate.datasets.registry import READERS, find_reader

PROMISED = (
    *("IM2GPS", "IM2GPS3k", "YFCC4k", "YFCC26k", "GWS15k", "OSV-5M", "MP-16"),
    *("Pitts30k", "Pitts250k", "Tokyo 24/7", "MSLS", "SF-XL", "Nordland", "St Lucia", "Eynsham"),
    *("7-Scenes", "12-Scenes", "Cambridge", "Aachen", "Map-free"),
)


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_set_has_a_reader(name: str) -> None:
    reader = find_reader(name)
    assert READERS[reader.name] is reader
    assert reader.what
    assert reader.home
    assert reader.terms


def test_no_two_sets_have_one_name() -> None:
    plain = {"".join(c for c in name if c.isalnum()) for name in READERS}
    assert len(plain) == len(READERS)
    assert all(name == name.lower() for name in READERS)
