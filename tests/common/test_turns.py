"""Turns go round in the order of asking, to one thread at a time, and may be asked for again."""

from __future__ import annotations

import threading
import time

import pytest

from synth.common.turns import Turns, in_turns

pytestmark = pytest.mark.timeout(60)


def test_those_who_wait_are_served_in_the_order_in_which_they_came() -> None:
    turns, order = Turns(), []

    def ask(number: int) -> None:
        with turns, turns:
            order.append(number)

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(8)]
    with turns:
        for waiting, thread in enumerate(threads, 1):
            thread.start()
            while len(turns._waiting) < waiting:
                time.sleep(0.001)
    for thread in threads:
        thread.join(20)
    assert order == list(range(8))


def test_a_thread_that_asks_all_the_time_keeps_nobody_waiting() -> None:
    turns, ended, count = Turns(), threading.Event(), [0]

    def greedy() -> None:
        while not ended.is_set():
            with turns:
                count[0] += 1
                time.sleep(0.001)

    thread = threading.Thread(target=greedy, daemon=True)
    thread.start()
    while not count[0]:
        time.sleep(0.001)
    for _ in range(20):
        before = count[0]
        with turns:
            assert count[0] <= before + 3
    ended.set()
    thread.join(20)


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns()
    with pytest.raises(ValueError), turns:
        raise ValueError
    thread = threading.Thread(target=lambda: turns.__enter__(), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


class Owner:
    def __init__(self) -> None:
        self.turns = Turns()


def test_objects_taken_together_in_any_order_never_wait_for_each_other() -> None:
    first, second, done = Owner(), Owner(), []

    @in_turns
    def use(_: object, number: int) -> None:
        done.append(number)

    def again(pair: list[Owner]) -> None:
        for number in range(2000):
            use(pair, number)

    pairs = ([first, second], [second, first], [first, first])
    threads = [threading.Thread(target=again, args=(pair,), daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)
    assert len(done) == 6000
