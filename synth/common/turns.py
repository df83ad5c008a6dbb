"""Turns at an object that threads share: whoever asks first is first, and who has the turn may ask again."""

from __future__ import annotations

import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Concatenate, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_A = TypeVar("_A")
_R = TypeVar("_R")
_T = TypeVar("_T", bound="TakesTurns")
_numbers = itertools.count()


class Turns:
    """A lock that goes to those who wait in the order in which they came; a thread may take it several times.

    A plain lock goes to anybody: a thread that reads all the time would keep another waiting without end. `number`
    orders locks that are taken together. Use it in a `with` statement.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self._guard = threading.Lock()  # of the fields below, held for a moment only
        self._owner, self._depth = 0, 0
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> Turns:
        me = threading.get_ident()
        if self._owner == me:  # nobody else makes it so, or changes it then
            self._depth += 1
            return self
        with self._guard:
            if not self._depth:
                self._owner, self._depth = me, 1
                return self
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append((me, mine))
        try:
            mine.acquire()
        except BaseException:  # interrupted: the turn may have come all the same
            self._leave(me, mine)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._depth > 1:
            self._depth -= 1
            return
        with self._guard:
            self._pass_on()

    def _pass_on(self) -> None:
        """Gives the turn to the next; the guard is held."""
        self._owner, self._depth = 0, 0
        if self._waiting:
            self._owner, lock = self._waiting.popleft()
            self._depth = 1
            lock.release()

    def _leave(self, me: int, mine: threading.Lock) -> None:
        with self._guard:
            if (me, mine) in self._waiting:
                self._waiting.remove((me, mine))
            else:
                self._pass_on()


class TakesTurns(Protocol):
    """What threads use one after the other."""

    @property
    def turns(self) -> Turns: ...


def in_turn(method: Callable[Concatenate[_T, _P], _R]) -> Callable[Concatenate[_T, _P], _R]:
    """The method as a call that waits for its object's turn."""

    @functools.wraps(method)
    def call(self: _T, /, *arguments: _P.args, **options: _P.kwargs) -> _R:
        with self.turns:
            return method(self, *arguments, **options)

    return call


def in_turns(function: Callable[[Sequence[_T], _A], _R]) -> Callable[[Sequence[_T], _A], _R]:
    """The function of several objects as a call that waits for all their turns.

    They are taken in the order in which they were made, so that two calls never wait for each other.
    """

    @functools.wraps(function)
    def call(objects: Sequence[_T], argument: _A) -> _R:
        if len(objects) == 1:
            with objects[0].turns:
                return function(objects, argument)
        with ExitStack() as stack:
            for turns in sorted({one.turns for one in objects}, key=lambda each: each.number):
                stack.enter_context(turns)
            return function(objects, argument)

    return call
