"""Work on many items by threads: order, bounds, and an early end that nothing holds up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from geoloc_cli.priors import in_flight
from geoloc_cli.priors.in_flight import in_order


def test_items_are_taken_as_needed_and_come_back_in_order() -> None:
    lock, now, most, taken = threading.Lock(), 0, 0, 0

    def work(item: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.003 * (item % 3))  # later ones are done first
        with lock:
            now -= 1
        return item * item

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            yield taken
            taken += 1

    found = in_order(work, endless(), 3)
    assert [next(found) for _ in range(30)] == [(i, i * i) for i in range(30)]
    assert taken <= 30 + 2 * 3
    assert most == 3
    found.close()  # type: ignore[attr-defined]
    assert list(in_order(work, [], 3)) == []


def test_an_early_end_keeps_what_is_under_way_and_waits_for_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "_GRACE_S", 0.2)
    silence, done, begun = threading.Event(), [], []

    def work(item: int) -> None:
        begun.append(item)
        if item == 2:
            silence.wait(60.0)  # ten minutes' silence, as far as a test can wait
        elif item > 0:
            time.sleep(0.05)
        done.append(item)

    found = in_order(work, range(100), 2)
    assert next(found) == (0, None)
    began = time.monotonic()
    found.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 1.0
    assert 1 in done  # it was under way, and was waited for
    silence.set()
    time.sleep(0.05)
    assert set(begun) <= {0, 1, 2}  # nothing was begun after the end


def test_a_defect_is_raised_where_the_result_is_asked_for() -> None:
    found = in_order(lambda item: 1 // item, [1, 0, 1], 1)
    assert next(found) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        next(found)
