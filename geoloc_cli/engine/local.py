"""The map over photos on this machine's processes: order kept, few in flight, and a dead worker costs one photo.

Processes, because pycolmap holds the interpreter lock while it extracts. Specs (JSON) and records travel between them
through multiprocessing's own pipes, between processes of one program; built models and exceptions never do.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

from geoloc_cli.device import available_cores
from geoloc_cli.errors import RunError, UsageError
from geoloc_cli.types import Failure

# Enough for no worker to wait while results are taken in order; each holds a picture or its features, some 10 MB.
_IN_FLIGHT_PER_WORKER = 3
# Several workers with a BLAS pool of all cores each would be slower than one.
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# Items may be anything, None among it.
_END = object()

_work: Callable[[Any], Any] | None = None


def resolve(build: str) -> Callable[[dict[str, Any]], Callable[[Any], Any]]:
    """The callable that `module:function` names."""
    module, _, name = build.partition(":")
    found: Callable[[dict[str, Any]], Callable[[Any], Any]] = getattr(importlib.import_module(module), name)
    return found


class LocalPool:
    """`contracts.ParallelMap` over spawned processes; with one worker, or a single item, in this process."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = available_cores() if workers is None else workers
        if self.workers < 1:
            raise UsageError(f"{self.workers} workers cannot work; give at least 1.")

    def __call__(self, build: str, spec: dict[str, Any], items: Iterable[Any]) -> Iterator[Any]:
        """One result for each item, in order; a Failure (`worker_died`) where its process was killed over it.

        Raises what the worker's function raises as a RunError; anything else that it raises is a defect and ends here.
        """
        waiting = iter(items)
        first = list(islice(waiting, self.workers))
        if self.workers == 1 or len(first) < 2:
            work = resolve(build)(spec)
            yield from map(work, chain(first, waiting))
            return
        yield from self._spread(build, json.dumps(spec), chain(first, waiting))

    def _spread(self, build: str, spec: str, items: Iterator[Any]) -> Iterator[Any]:
        pool = _start(self.workers, build, spec)
        flying: deque[tuple[Any, Future[Any]]] = deque()
        try:
            while True:
                while len(flying) < self.workers * _IN_FLIGHT_PER_WORKER:
                    if flying and flying[0][1].done():
                        break  # an item may be long in coming, and this result should not wait for it
                    if (item := next(items, _END)) is _END:
                        break
                    flying.append((item, _submit(pool, item)))
                if not flying:
                    break
                item, future = flying[0]
                try:
                    result = future.result()
                except BrokenProcessPool:
                    # Any of those in flight may have been the deadly one: each is tried again in a process of its own.
                    suspects = [item for item, _ in flying]
                    flying.clear()
                    _stop(pool)
                    for suspect in suspects:
                        yield _alone(build, spec, suspect)
                    pool = _start(self.workers, build, spec)
                    continue
                flying.popleft()
                yield result
        finally:
            for _, future in flying:
                future.cancel()
            _stop(pool)


def _submit(pool: ProcessPoolExecutor, item: Any) -> Future[Any]:
    try:
        return pool.submit(_apply, item)
    except BrokenProcessPool as error:
        broken: Future[Any] = Future()
        broken.set_exception(error)
        return broken


def _alone(build: str, spec: str, item: Any) -> Any:
    pool = _start(1, build, spec)
    try:
        return pool.submit(_apply, item).result()
    except BrokenProcessPool:
        path = str(item[0] if isinstance(item, tuple) else item)
        return Failure(
            path,
            "worker_died",
            f"The process that read '{path}' was killed, by a broken decoder or for want of memory; "
            "convert the photo to another format, or use fewer --workers.",
        )
    finally:
        _stop(pool)


def _start(workers: int, build: str, spec: str) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(build, spec))
    with _single_threaded():
        for _ in range(workers):
            pool.submit(os.getpid)  # each submission starts one process, while the settings are in force
    return pool


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends the pool's processes now: nothing that is worth waiting for is left in them."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()  # and not SIGTERM, which pycolmap's crash handler answers with a stack trace
    for process in processes:
        process.join(5)


@contextmanager
def _single_threaded() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _prepare(build: str, spec: str) -> None:
    """In a new worker: leaves interruptions to the parent, and builds the function that is applied to each item."""
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work = resolve(build)(json.loads(spec))
    except RunError as error:
        # An initializer that raises would show as a broken pool; the sentence reaches the user through the first item.
        refused = error

        def refuse(_: Any) -> Any:
            raise refused

        _work = refuse


def _apply(item: Any) -> Any:
    assert _work is not None
    return _work(item)
