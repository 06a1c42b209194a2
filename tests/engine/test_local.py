"""The pool: order, bounds, and what a dead worker costs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from pickle import PicklingError

import pytest

from geoloc_cli.engine.local import LocalPool
from geoloc_cli.errors import IndexMissing, UsageError
from geoloc_cli.types import Failure


@pytest.fixture(autouse=True)
def _importable_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, *sys.path]))


def test_results_come_in_order_from_other_processes_with_one_thread_each() -> None:
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    results = list(LocalPool(2)("workers:build_tagger", {"tag": "x"}, range(12)))
    assert [item for _, item, _, _ in results] == list(range(12))
    assert {tag for tag, *_ in results} == {"x"}
    processes = {pid for _, _, pid, _ in results}
    assert os.getpid() not in processes
    assert len(processes) == 2
    assert {threads for *_, threads in results} == {"1"}
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before


def test_one_worker_or_one_item_stays_in_this_process() -> None:
    assert {pid for *_, pid, _ in LocalPool(1)("workers:build_tagger", {"tag": ""}, range(3))} == {os.getpid()}
    assert {pid for *_, pid, _ in LocalPool(4)("workers:build_tagger", {"tag": ""}, [7])} == {os.getpid()}
    assert list(LocalPool(2)("workers:build_tagger", {"tag": ""}, [])) == []


def test_a_script_that_starts_workers_runs_once_without_guarding_itself(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    call = "[item for _, item, *_ in LocalPool(2)('workers:build_tagger', {'tag': ''}, range(3))]"
    script.write_text(f"from geoloc_cli.engine.local import LocalPool\nprint({call}, __name__)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 1, 2] __main__\n"


def test_a_killed_worker_costs_its_own_item_alone() -> None:
    results = list(LocalPool(2)("workers:build_deadly", {"deadly": 3}, range(10)))
    failure = results.pop(3)
    assert results == [i * i for i in range(10) if i != 3]
    assert isinstance(failure, Failure)
    assert failure.code == "worker_died"
    assert "'3'" in failure.message


def test_a_worker_killed_while_it_answers_is_noticed_and_its_item_done_again(tmp_path: Path) -> None:
    """Half a result is in the pipe then, and no more of it comes."""
    threads = set(threading.enumerate())
    spec = {"deadly": [1, 2], "mark": str(tmp_path)}
    results = LocalPool(2)("workers:build_large", spec, range(6))
    assert [len(result) for result in results] == [60_000_000] * 6
    assert len(list(tmp_path.iterdir())) == 2
    assert set(threading.enumerate()) == threads


def test_an_early_end_in_the_midst_of_large_results_is_an_end(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    results = LocalPool(2)("workers:build_large", {"deadly": [], "mark": str(tmp_path)}, range(20))
    next(results)
    before = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - before < 20
    assert set(threading.enumerate()) == threads  # a read that waits for ever would keep the program from its end


def test_a_defect_in_a_worker_ends_the_work_and_says_where_it_was() -> None:
    with pytest.raises(ZeroDivisionError) as defect:
        list(LocalPool(2)("workers:build_unfit", {"lambda": False}, [1, 0, 1]))
    assert "in work" in defect.value.__notes__[0]
    with pytest.raises((AttributeError, TypeError, PicklingError), match="pickle"):
        list(LocalPool(2)("workers:build_unfit", {"lambda": True}, [1, 2]))


def test_items_are_taken_as_they_are_needed_and_an_early_end_leaves_no_process() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = LocalPool(2)("workers:build_tagger", {"tag": ""}, endless())
    pids = {next(results)[2] for _ in range(6)}
    assert taken <= 6 + 2 * 3 + 1
    results.close()  # type: ignore[attr-defined]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_result_that_is_there_waits_for_one_item_at_most() -> None:
    """Items are slow in coming, as those are that a model is asked about; workers have long been done with theirs."""
    taken = 0

    def slow() -> Iterator[int]:
        nonlocal taken
        for item in range(14):
            time.sleep(0.05)
            taken += 1
            yield item

    lead = [taken - item for _, item, _, _ in LocalPool(2)("workers:build_tagger", {"tag": ""}, slow())]
    # While the workers start, six are taken; afterwards it is the item, the next, and one whose worker is at it.
    assert max(lead[8:]) <= 3


def test_a_refusal_while_building_reaches_the_caller_as_it_is() -> None:
    for workers in (1, 2):
        with pytest.raises(IndexMissing, match="no index here"):
            list(LocalPool(workers)("workers:build_refusing", {}, range(4)))
    with pytest.raises(UsageError, match="at least 1"):
        LocalPool(0)
