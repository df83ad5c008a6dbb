"""One state, several threads: nobody waits for ever, and each call is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.tools import tiny_checkpoint

from synth import engine
from synth.engine.config import SamplingConfig
from synth.generation import checkpoint

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")


def read(player: Any, state: Any) -> None:
    player.generate(state, 40, SamplingConfig())


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "read": read,
    "position": lambda player, state: state.position,
    "labels": lambda player, state: state.labels,
    "set labels": lambda player, state: setattr(state, "labels", (1, 1)),
    "save": lambda player, state: state.save(),
    "distribution": lambda player, state: player.distribution(state),
    "force": lambda player, state: player.teacher_force(state, np.full(30, 128, np.uint8)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", CALLS)
def test_a_reader_and_another_thread_never_wait_for_each_other_for_ever(name: str) -> None:
    loaded = checkpoint.load(tiny_checkpoint())
    player = engine.create(loaded.config, loaded.tensors)
    state = player.state(seed=1)
    failures: list[BaseException] = []

    def again(call: Callable[[Any, Any], object]) -> None:
        try:
            for _ in range(1500):
                call(player, state)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=again, args=(call,), daemon=True) for call in (read, CALLS[name])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    assert not failures
    assert state.position == 1500 * 40 * (2 if name == "read" else 1) + (1500 * 30 if name == "force" else 0)
