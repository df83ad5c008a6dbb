"""The same network stepped one sample at a time in PyTorch, eager and compiled: what the engine is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from synth.benchmarking import timing
from synth.generation.checkpoint import Checkpoint
from synth.nn.two_tier import TwoTierNetwork

Pair = tuple[Tensor, Tensor]


def speeds(loaded: Checkpoint, samples: int) -> list[tuple[str, list[float]]]:
    """Titles and samples a second, several times each: eager PyTorch and `torch.compile`, the latter where it works.

    One thread, one stream, random weights, without the linear predictor. Every sample: the frame tier where it is due,
    one GRU step, the head, the walk down the tree.
    """
    with torch.inference_mode(), _one_thread():
        rows = [("PyTorch eager, one thread", _measure(Stepper(loaded, None), samples))]
        try:
            rows.append(("torch.compile, one thread", _measure(Stepper(loaded, torch.compile), samples)))
        except Exception as error:  # no compiler, an unsupported Python: whatever kept torch from it
            rows.append((f"torch.compile: {str(error).splitlines()[0][:60]}", [0.0]))
        return rows


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _measure(stepper: Stepper, samples: int) -> list[float]:
    stepper(100)
    speeds = []
    for _ in range(timing.REPEATS):
        began = time.perf_counter()
        stepper(samples)
        speeds.append(samples / (time.perf_counter() - began))
    return speeds


class Stepper:
    """A network of random weights with its state, moved sample by sample; `wrap` is what its two steps go through."""

    def __init__(self, loaded: Checkpoint, wrap: Callable[[Callable[..., Pair]], Callable[..., Pair]] | None) -> None:
        self.config = config = loaded.config
        self.network = TwoTierNetwork(config).eval()
        self.frame_cell = torch.nn.GRUCell(config.window, config.frame_units)
        self.recurrent = torch.nn.Linear(config.sample_units, 3 * config.sample_units)
        self.frame_step = wrap(self._frame) if wrap else self._frame
        self.sample_step = wrap(self._sample) if wrap else self._sample

    def _frame(self, past: Tensor, slow: Tensor) -> Pair:
        slow = self.frame_cell(past, slow)
        return slow, F.linear(slow, self.network.frame_output, self.network.frame_output_bias)

    def _sample(self, rows: Tensor, dense_row: Tensor, condition: Tensor, hidden: Tensor) -> Pair:
        """The next state, and the probabilities (256,) of the tree's nodes."""
        r, z, n = (condition + rows.sum(0)).chunk(3, 1)
        ur, uz, un = self.recurrent(hidden).chunk(3, 1)
        update = torch.sigmoid(z + uz)
        new = torch.tanh(n + torch.sigmoid(r + ur) * un)
        hidden = new + update * (hidden - new)
        top = torch.relu(F.linear(hidden, self.network.dense) + dense_row)
        return hidden, F.linear(top, self.network.tree, self.network.tree_bias)[0].sigmoid()

    def __call__(self, samples: int) -> None:
        config, tables = self.config, self.network.tables.view(3, 256, -1)
        hidden, slow = torch.zeros(1, config.sample_units), torch.zeros(1, config.frame_units)
        past = torch.zeros(1, config.window)
        code, condition = 128, torch.zeros(1, 3 * config.sample_units)
        for t in range(samples):
            if t % config.hop == 0:
                slow, condition = self.frame_step(past, slow)
            hidden, right = self.sample_step(tables[:, code], self.network.dense_table[code], condition, hidden)
            chances, draws = right.tolist(), torch.rand(8).tolist()
            node = 1
            for level in range(8):
                node = 2 * node + int(draws[level] < chances[node])
            code = node - 256
            past = torch.cat([past[:, 1:], past.new_full((1, 1), (code - 128) / 128)], 1)
