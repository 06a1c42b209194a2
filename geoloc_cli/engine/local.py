"""The map over photos on this machine's processes: order kept, few in flight, and a dead worker costs one photo.

Processes, because pycolmap holds the interpreter lock while it extracts. Specs (JSON) and records travel between them
through multiprocessing's own pipes, between processes of one program; built models never do.

Each process has a pipe of its own, whose end it holds alone: where it dies, in the middle of a result even, the pipe
ends and whoever reads it knows. In concurrent.futures' pool all write to one pipe that the parent holds open too, and
the read of a result whose writer was killed never returns.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock
from types import ModuleType
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
# In place of a result: the process died over the item.
_DIED = object()

# One process is started at a time: for that long the environment and the main module are not what they are.
_starting = Lock()


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
        flying: deque[tuple[Any, Future[Any]]] = deque()
        team = _Team(self.workers, build, spec)
        try:
            while True:
                while len(flying) < self.workers * _IN_FLIGHT_PER_WORKER:
                    if flying and flying[0][1].done():
                        break  # an item may be long in coming, and this result should not wait for it
                    if (item := next(items, _END)) is _END:
                        break
                    flying.append((item, team.submit(item)))
                if not flying:
                    break
                item, future = flying[0]
                result = future.result()
                if result is _DIED:
                    # All of them together may have wanted too much memory: once more, with nothing else at work.
                    wait([other for _, other in flying])
                    result = team.submit(item).result()
                flying.popleft()
                yield _lost(item) if result is _DIED else result
        finally:
            team.stop()


def _lost(item: Any) -> Failure:
    path = str(item[0] if isinstance(item, tuple) else item)
    return Failure(
        path,
        "worker_died",
        f"The process that read '{path}' was killed, by a broken decoder or for want of memory; "
        "convert the photo to another format, or use fewer --workers.",
    )


class _Worker:
    """A process that applies the built function to one item after the other, and this side of its pipe."""

    def __init__(self, build: str, spec: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, its_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(its_end, build, spec), daemon=True)
        with _starting, _single_threaded(), _without_main():
            self._process.start()
        its_end.close()

    def __call__(self, item: Any) -> Any:
        """The function's result, or `_DIED`; what the function raised is raised here."""
        try:
            self._pipe.send(item)
            raised, result = self._pipe.recv()
        except (EOFError, OSError):
            return _DIED
        if raised:
            raise result
        return result

    def stop(self) -> None:
        """Ends the process now: nothing that is worth waiting for is left in it."""
        self._process.kill()  # and not SIGTERM, which pycolmap's crash handler answers with a stack trace
        self._process.join(5)


class _Team:
    """The workers, each asked by a thread of its own, and replaced when it dies."""

    def __init__(self, size: int, build: str, spec: str) -> None:
        self._function = (build, spec)
        self._workers = [_Worker(build, spec) for _ in range(size)]
        self._idle: SimpleQueue[int] = SimpleQueue()
        for place in range(size):
            self._idle.put(place)
        self._changing = Lock()
        self._ended = False
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="worker")

    def submit(self, item: Any) -> Future[Any]:
        return self._threads.submit(self._ask, item)

    def stop(self) -> None:
        with self._changing:
            self._ended = True
            for worker in self._workers:
                worker.stop()
        self._threads.shutdown(cancel_futures=True)

    def _ask(self, item: Any) -> Any:
        place = self._idle.get()
        try:
            result = self._workers[place](item)
            if result is _DIED:
                self._replace(place)
            return result
        finally:
            self._idle.put(place)

    def _replace(self, place: int) -> None:
        with self._changing:
            if not self._ended:
                self._workers[place].stop()
                self._workers[place] = _Worker(*self._function)


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


@contextmanager
def _without_main() -> Iterator[None]:
    """A worker imports what it is built of, and nothing of the program that starts it: multiprocessing would run a
    script again in each worker, which starts workers itself where it is not written with that in mind.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection[Any, Any], build: str, spec: str) -> None:
    """In a new process: leaves interruptions to the parent, builds the function, and answers until the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work = _built(build, spec)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = (False, work(item))
        except Exception as error:  # the parent's to judge
            answer = (True, _with_its_trace(error))
        try:
            pipe.send(answer)
        except BrokenPipeError:
            return
        except Exception as error:  # it cannot be pickled, and nothing of it was sent
            pipe.send((True, _with_its_trace(error)))


def _built(build: str, spec: str) -> Callable[[Any], Any]:
    """The function; where it cannot be built, one that says why with every item."""
    try:
        return resolve(build)(json.loads(spec))
    except Exception as error:
        refused = _with_its_trace(error)

        def refuse(_: Any) -> Any:
            raise refused

        return refuse


def _with_its_trace(error: Exception) -> Exception:
    """An exception loses its traceback on the way between processes; a sentence for the user needs none."""
    if not isinstance(error, RunError):
        error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    return error
