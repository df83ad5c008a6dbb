"""The same work on several things at once, on threads: the kernel lets go of the interpreter while it runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):
    """Raised by work that found `stop` set; the reason for stopping is what `each` raises."""


def each(work: Callable[[Item], Result], items: Sequence[Item], threads: int, stop: threading.Event) -> list[Result]:
    """`work` of every item, in the order of the items, on up to `threads` threads.

    At the first failure, and at Ctrl-C, `stop` is set for `work` to look at, what hasn't begun is given up, what has is
    waited for, and the failure is raised.
    """
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def ordered(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`work` of every item, in their order, on up to `threads` threads; at most `threads` + 1 are held at a time."""
    source = iter(items)
    first = [item for _, item in zip(range(2), source, strict=False)]
    if threads == 1 or len(first) < 2:
        yield from map(work, first)
        yield from map(work, source)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads)
    try:
        waiting = deque(pool.submit(work, item) for item in first)
        for item in source:
            while len(waiting) > threads:
                yield waiting.popleft().result()
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
