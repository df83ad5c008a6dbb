"""The same work on several items at once, on threads: the kernel releases the interpreter's lock while it runs.

The main thread waits meanwhile: there Ctrl-C reaches it at once, inside the kernel only seconds later. Threads that are
in the kernel then are left behind; `synth.cli.entry` ends the process without them.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

GRACE = 0.2
"""Seconds that running work gets at Ctrl-C to clean up after itself."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):
    """Raised by work that found `stop` set; the reason for stopping is what `each` raises."""


def each(work: Callable[[Item], Result], items: Sequence[Item], threads: int, stop: threading.Event) -> list[Result]:
    """`work` of every item, in the order of the items, on up to `threads` threads.

    At the first failure, and at Ctrl-C, `stop` is set, which `work` may look at; items that haven't begun are dropped,
    those that have are waited for (at Ctrl-C for `GRACE`), and the failure is raised.
    """
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor, as_completed, wait

    pool = ThreadPoolExecutor(min(threads, len(items)))
    futures: list[Future[Result]] = []
    try:
        for item in items:
            futures.append(pool.submit(work, item))
        for future in as_completed(futures):
            future.result()
    except BaseException as error:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        begun = [future for future in futures if not future.cancelled()]  # `wait` never sees a cancelled one done
        wait(begun, None if isinstance(error, Exception) else GRACE)
        raise
    pool.shutdown()
    return [future.result() for future in futures]


def _beside(work: Callable[[Item], Result], item: Item) -> Result:
    """`work` of an item, for which the main thread waits."""
    results: list[Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(item))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for failure in failures:
        raise failure
    return results[0]


def ordered(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`work` of every item, in their order, on up to `threads` threads, as they are asked for.

    At most `threads` + 1 items are in memory at a time, on one thread one. When no more results are asked for, work
    that runs is not waited for.
    """
    source = iter(items)
    first = list(islice(source, 2))
    if threads == 1 or len(first) < 2:
        main = threading.current_thread() is threading.main_thread()
        yield from map(functools.partial(_beside, work) if main else work, chain(first, source))
        return
    from concurrent.futures import ThreadPoolExecutor  # takes a while to load

    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in chain(first, source):
            waiting.append(pool.submit(work, item))
            while len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
