"""One stream, several threads: nobody waits for ever, every call is whole, and nothing is lost or given twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.tools import tiny_checkpoint

import synth
from synth.generation.stream import Stream
from synth.generation.together import pcm_together

pytestmark = pytest.mark.timeout(120)
CALLS = 120
COUNT = 50


def make(kind: str, seed: int = 1) -> Stream:
    if kind == "plain":
        return synth.load(tiny_checkpoint()).stream(seed=seed)
    return voices.load(filtered=kind == "filtered").stream(seed=seed)


KINDS = ("plain", "voice", "filtered")


def at_once(*works: Callable[[], Any]) -> None:
    """Each work, CALLS times, on a thread of its own; fails when one does or waits for ever."""
    failures: list[BaseException] = []
    begin = threading.Barrier(len(works))

    def again(work: Callable[[], Any]) -> None:
        try:
            begin.wait(20)
            for _ in range(CALLS):
                work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=again, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    assert not failures, failures


@pytest.mark.parametrize("kind", KINDS)
def test_the_blocks_of_two_readers_are_the_streams_samples_in_the_order_of_their_turns(kind: str) -> None:
    stream, blocks = make(kind), []

    def read() -> None:
        with stream.turns:
            blocks.append(stream.pcm(COUNT))

    at_once(read, read)
    whole = make(kind).pcm(2 * CALLS * COUNT)
    assert np.array_equal(np.concatenate(blocks), whole)
    assert stream.position == 2 * CALLS * COUNT


@pytest.mark.parametrize("kind", KINDS)
def test_each_block_of_two_readers_is_contiguous_sound(kind: str) -> None:
    stream = make(kind)
    mine: list[list[bytes]] = [[], []]
    at_once(*(lambda blocks=blocks: blocks.append(stream.pcm(COUNT).tobytes()) for blocks in mine))  # type: ignore[misc]
    whole = make(kind).pcm(2 * CALLS * COUNT)
    expected = [whole[at : at + COUNT].tobytes() for at in range(0, len(whole), COUNT)]
    assert sorted(mine[0] + mine[1]) == sorted(expected)
    for blocks in mine:  # each thread hears time go forward
        rest = iter(expected)
        assert all(block in rest for block in blocks)


def forced(stream: Stream) -> None:
    stream.teacher_force(np.full(20, 128, np.uint8))


OTHERS: dict[str, Callable[[Stream], Any]] = {
    "position": lambda stream: stream.position,
    "labels": lambda stream: stream.labels,
    "save": lambda stream: stream.save(),
    "fork": lambda stream: stream.fork(2).read(10),
    "distribution": lambda stream: stream.distribution(),
    "codes": lambda stream: stream.codes(20),
    "next": next,
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_call_goes_beside_a_reader(kind: str, name: str) -> None:
    stream = make(kind)
    at_once(lambda: stream.read(COUNT), lambda: OTHERS[name](stream))
    assert stream.position >= CALLS * COUNT


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_set_beside_a_reader(kind: str) -> None:
    stream = make(kind)
    key, values = next(iter(stream.checkpoint.config.labels.items()))

    def relabel() -> None:
        stream.labels = {key: values[0]}

    at_once(lambda: stream.read(COUNT), relabel)
    assert stream.labels[key] == values[0]


def test_sound_is_forced_beside_a_reader() -> None:
    stream = make("plain")
    at_once(lambda: stream.read(COUNT), lambda: forced(stream))
    assert stream.position == CALLS * (COUNT + 20)


@pytest.mark.parametrize("kind", KINDS)
def test_streams_drawn_together_in_two_orders(kind: str) -> None:
    first, second = make(kind, 1), make(kind, 2)
    at_once(lambda: pcm_together([first, second], COUNT), lambda: pcm_together([second, first], COUNT))
    assert first.position == second.position == 2 * CALLS * COUNT
    again = make(kind, 2)
    again.read(2 * CALLS * COUNT)
    assert np.array_equal(second.pcm(COUNT), again.pcm(COUNT))


@pytest.mark.parametrize("kind", KINDS)
def test_streams_of_one_model_do_not_meet(kind: str) -> None:
    model = synth.load(tiny_checkpoint()) if kind == "plain" else voices.load(filtered=kind == "filtered")
    streams = [model.stream(seed=seed) for seed in (1, 2)]
    blocks: list[list[Any]] = [[], []]
    at_once(*(lambda s=s, to=to: to.append(s.pcm(COUNT)) for s, to in zip(streams, blocks, strict=True)))  # type: ignore[misc]
    for seed, own in zip((1, 2), blocks, strict=True):
        assert np.array_equal(np.concatenate(own), make(kind, seed).pcm(CALLS * COUNT))
