"""Published figures: each has a source and a metric that is known, and none can be taken for a measurement."""

from __future__ import annotations

import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.published import METRICS, NOTE, every_row, published

COLUMNS = {"within_km": 5, "localized": 3}


def test_each_row_has_a_source_a_protocol_and_a_known_metric() -> None:
    rows = every_row()
    assert len(rows) > 60
    for row in rows:
        assert row.metric in METRICS
        assert "," in row.source
        assert len(row.source) > 20
        assert row.protocol
        assert len(row.values) == len(row.at) == COLUMNS.get(row.metric, len(row.at))
        assert any(value is not None for value in row.values)
        assert row.as_json()["note"] == NOTE == "published, not measured here"
    named = [(row.dataset, row.method, row.metric, row.source) for row in rows]
    assert len(set(named)) == len(named)


def test_shares_rise_with_the_level_and_are_per_cent() -> None:
    """A digit that slipped in copying shows as a share that falls from one level to the next."""
    for row in every_row():
        known = [value for value in row.values if value is not None]
        if row.metric in ("within_km", "recall", "localized"):
            assert known == sorted(known), row
            assert known[0] > 0.0
            assert known[-1] <= 100.0
        else:
            assert all(0.0 < value < 20.0 for value in known), row


def test_positions_and_rotations_of_a_method_are_of_the_same_scenes() -> None:
    rows = every_row()
    metres = {(row.dataset, row.method): row.at for row in rows if row.metric == "median_m"}
    degrees = {(row.dataset, row.method): row.at for row in rows if row.metric == "median_deg"}
    assert metres == degrees
    assert {dataset for dataset, _ in metres} == {"7scenes", "cambridge"}


def test_rows_are_asked_for_by_their_set() -> None:
    rows = published(["im2gps3k", "im2gps3k", "pitts30k"])
    assert [row.dataset for row in rows] == ["im2gps3k"] * 21 + ["pitts30k"]
    geoclip = next(row for row in rows if row.method == "GeoCLIP")
    assert geoclip.columns == ("1 km", "25 km", "200 km", "750 km", "2500 km")
    assert [geoclip.text(value) for value in geoclip.values] == ["14.1 %", "34.5 %", "50.7 %", "69.7 %", "83.8 %"]
    gaea = next(row for row in rows if row.method == "GAEA")
    assert (gaea.values[0], gaea.text(gaea.values[0])) == (None, "-")
    assert rows[-1].columns == ("R@1", "R@5", "R@10")


def test_a_set_of_which_nothing_is_known_is_an_error_that_lists_the_others() -> None:
    with pytest.raises(UsageError, match=r"'im2gps3' \(did you mean im2gps3k\?\); --published knows 7scenes, "):
        published(["im2gps3"])
