"""Work on threads: results in order, and a failure that ends it whatever was not begun."""

from __future__ import annotations

import threading

import pytest

from synth.common import threads


def test_results_come_in_the_order_of_the_items() -> None:
    assert threads.each(lambda item: item * item, range(20), 3, threading.Event()) == [i * i for i in range(20)]
    assert list(threads.ordered(lambda item: item * item, range(20), 3)) == [i * i for i in range(20)]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failure_ends_it_though_items_wait_that_no_thread_will_take(failing: int) -> None:
    """Every thread is busy until `stop` is set, so that most items are given up before any thread has seen them."""
    stop = threading.Event()
    begun = threading.Semaphore(0)

    def work(item: int) -> None:
        begun.release()
        if item == failing:
            for _ in range(2):  # others are at work
                begun.acquire()
            raise ValueError(item)
        if not stop.wait(20):
            raise AssertionError("stop was never set")

    with pytest.raises(ValueError, match=str(failing)):
        threads.each(work, range(200), 4, stop)


@pytest.mark.timeout(30)
def test_ordered_that_is_left_in_the_middle_takes_nothing_more() -> None:
    taken: list[int] = []
    results = threads.ordered(lambda item: taken.append(item) or item, range(1000), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 20
