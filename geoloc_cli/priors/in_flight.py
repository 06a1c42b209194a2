"""One question about many items, put by several threads: answers in order, and few items in hand.

The threads die with the program: those of ThreadPoolExecutor are waited for at its end, and a server may be silent for
minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# As many items wait for their turn as are under way, so that no thread waits while results are taken in order.
_IN_HAND = 2
# What is under way at an early end has been paid for, and gets so long to arrive.
_GRACE_S = 2.0


def in_order(work: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in their order; raises what it raises.

    Closed early, it begins nothing more and leaves behind what is not done in two seconds.
    """
    waiting = iter(items)
    flying: deque[tuple[Item, Future[Result]]] = deque()
    tasks: SimpleQueue[tuple[Item, Future[Result]] | None] = SimpleQueue()
    for _ in range(at_once):
        Thread(target=_take, args=(work, tasks), daemon=True).start()
    try:
        while True:
            for item in islice(waiting, _IN_HAND * at_once - len(flying)):
                flying.append((item, Future()))
                tasks.put(flying[-1])
            if not flying:
                return
            item, future = flying[0]
            result = future.result()
            flying.popleft()
            yield item, result
    finally:
        for _ in range(at_once):
            tasks.put(None)
        wait([future for _, future in flying if not future.cancel()], _GRACE_S)


def _take(work: Callable[[Item], Result], tasks: SimpleQueue[tuple[Item, Future[Result]] | None]) -> None:
    while task := tasks.get():
        item, future = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(work(item))
        except BaseException as error:  # whatever it is, it is raised where the result is asked for
            future.set_exception(error)
