"""Tuning on vectors whose best reduction is known: places in a few dimensions, noise in others, and what all share."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from geoloc_cli.index import faiss_file
from geoloc_cli.index.codes import NONE, Codes, codes_named
from geoloc_cli.retrieval.tune import Choice, Measured, Sample, Tuner, recommended, tune

D, INNER, EACH = 128, 16, 6
DIMS = (64, 32, 16, 8, 4)


def sample(places: int = 80, common: float = 0.0, others: int = 0) -> Sample:
    """Six photos of each place, which is a point in 16 of the 128 dimensions; a third of the photos are asked.

    common: how strong three more directions are, light and weather, which say nothing of the place; others: so many
    more places, of which no photo is sampled.
    """
    rng = np.random.default_rng(0)
    sampled, places = places * EACH, places + others
    axes, _ = np.linalg.qr(rng.normal(size=(D, INNER + 3)))
    place = np.repeat(np.arange(places), EACH)
    at = np.repeat(rng.normal(size=(places, INNER)), EACH, axis=0) + 0.5 * rng.normal(size=(len(place), INNER))
    weather = common * (1.0 + rng.normal(size=(len(place), 3)))
    rows = at @ axes[:, :INNER].T + weather @ axes[:, INNER:].T + 0.02 * rng.normal(size=(len(place), D))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    rows, rest, place = rows[:sampled], rows[sampled:], place[:sampled]
    near = (place[:, None] == place) & ~np.eye(sampled, dtype=bool)
    asked = np.arange(0, sampled, 3)
    return Sample(rows, rows, np.arange(sampled), rest, asked, near[asked], total=20_000)


@cache
def measured(common: float) -> dict[Choice, Measured]:
    tuner = Tuner(sample(common=common, others=200))
    rows = tune(tuner, total=20_000, whole=True, dims=DIMS, codes=("float16", "pq4", "pq8", "rabitq"))
    return {row.choice: row for row in rows}


def at_five(rows: dict[Choice, Measured], dim: int, whiten: float, codes: Codes = NONE) -> float:
    return rows[Choice(dim, whiten, codes)].recall[5][0]


def test_as_many_numbers_as_places_have_lose_nothing_and_a_quarter_of_them_much() -> None:
    rows = measured(0.0)
    assert at_five(rows, 0, 0.0) == 1.0
    assert at_five(rows, 16, 0.0) == 1.0
    # Four of sixteen numbers: the interval of what is found at first ends far below.
    assert rows[Choice(4, 0.0)].recall[1][2] < 0.7
    best = recommended(list(rows.values()), total=2000, whole=True)
    assert (best.choice.dim, best.choice.codes.name, best.bytes_a_photo) == (16, "float16", 32)
    # Where codes take effect, a byte for each four numbers is less yet; a bit each, with factors, more, and coarser.
    assert recommended(list(rows.values()), total=20_000, whole=True).choice.codes.name == "pq4"
    assert at_five(rows, 16, 0.0, codes_named("rabitq")) < 0.97


def test_whitening_wins_where_all_photos_share_what_says_nothing() -> None:
    rows = measured(3.0)
    full, plain, half, whole = (at_five(rows, *choice) for choice in ((0, 0.0), (64, 0.0), (64, 0.5), (64, 1.0)))
    assert whole > half + 0.03
    assert half > max(full, plain) + 0.1
    assert whole > 0.93
    best = recommended(list(rows.values()), total=2000, whole=True)
    assert best.choice.whiten == 1.0
    # Sixteen axes must also hold the weather's three.
    assert best.choice.dim == 32


def test_intervals_hold_the_figure_and_are_as_wide_as_so_few_queries_make_them() -> None:
    value, low, high = measured(3.0)[Choice(64, 0.5)].recall[1]
    assert low < value < high
    # Of 160 queries: 1.96 standard errors on either side.
    assert high - low == pytest.approx(2 * 1.96 * (value * (1 - value) / 160) ** 0.5, rel=0.15)


def test_the_smallest_within_a_point_is_recommended_and_what_is_of_no_effect_is_not() -> None:
    def row(choice: Choice, size: int, recall: float) -> Measured:
        return Measured(choice, size, dict.fromkeys((1, 5, 10), (recall, recall, recall)), 1.0)

    rows = [
        row(Choice(), 4000, 0.95),
        row(Choice(64, 0.5), 256, 0.941),
        row(Choice(64, 1.0), 256, 0.943),
        row(Choice(32, 0.5), 128, 0.939),
        row(Choice(64, 0.5, codes_named("pq16")), 16, 0.95),
    ]
    assert recommended(rows, total=9_999, whole=True) == rows[2]
    assert recommended(rows, total=10_000, whole=True) == rows[4]
    # Where full vectors cannot be kept, the best of the others is what counts.
    assert recommended(rows, total=9_999, whole=False) == rows[3]


def test_nothing_is_learned_from_the_photos_that_are_asked() -> None:
    given = sample(places=40)
    tuner = Tuner(given)
    assert tuner.folds == 5
    tuner.dims(DIMS)
    for fold in range(5):
        # Another vector in the place of those of this fold: what the others taught stays as it was.
        mine = np.isin(given.taught_by, np.flatnonzero(tuner._fold == fold))
        changed = given.teachers.copy()
        changed[mine] = np.random.default_rng(fold).normal(size=(mine.sum(), D))
        other = Tuner(replace(given, teachers=changed))
        other.dims(DIMS)
        same = [np.array_equal(a.basis, b.basis) for a, b in zip(tuner._axes, other._axes, strict=True)]
        assert same == [i == fold for i in range(5)]


def test_a_photo_is_no_answer_to_itself() -> None:
    given = sample(places=20)
    # Every photo looks unlike all others but those of its place, and only it is the right answer to itself.
    alone = np.zeros_like(given.near)
    alone[np.arange(len(given.queries)), given.queries] = True
    (row,) = Tuner(replace(given, near=alone)).measure([Choice()])
    assert row.recall[10][0] == 0.0


def test_without_right_answers_the_exact_ranking_is_what_counts() -> None:
    tuner = Tuner(replace(sample(), near=None))
    whole, sixteen, four = tuner.measure([Choice(), *(Choice(dim, 0.0) for dim in tuner.dims((16, 4)))])
    assert [whole.recall[k][0] for k in (1, 5, 10)] == [1.0, 1.0, 1.0]
    assert sixteen.recall[10][0] > 0.85
    assert four.recall[10][0] < 0.6


def test_few_photos_teach_few_axes_and_no_words() -> None:
    tuner = Tuner(sample(places=8))
    # Of 48 photos four fifths teach, 38 or 39, and a third of these bounds the axes.
    assert tuner.dims((64, 32, 8)) == [12, 8]
    assert list(tuner.measure([Choice(0, 0.0, codes_named("pq16"))])) == []
    (bits,) = tuner.measure([Choice(0, 0.0, codes_named("rabitq"))])
    assert bits.bytes_a_photo == D // 8 + 8


def test_as_large_a_share_is_compared_exactly_as_of_the_whole_index(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    search = faiss_file.search
    monkeypatch.setattr(faiss_file, "search", lambda *given: asked.append(given[2]) or search(*given))
    given = sample()
    for total, expected in ((480, 20), (20_000, 11), (10_000, 20)):
        asked.clear()
        list(Tuner(replace(given, total=total)).measure([Choice(0, 0.0, codes_named("rabitq"))]))
        # 400 of 10 000 and more, as 20 of 480: but never fewer than ten and the photo itself.
        assert set(asked) == {expected}
