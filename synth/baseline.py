"""The same network stepped one sample at a time in PyTorch: what the engine is compared with."""

from __future__ import annotations

import time

import torch
from torch.nn import functional as F

from synth.checkpoint import Checkpoint
from synth.model import Network


@torch.inference_mode()
def samples_per_second(loaded: Checkpoint, samples: int = 4000) -> float:
    """Samples a second of eager PyTorch, one thread, one stream, without the linear predictor, random weights.

    Every sample: the frame tier where it is due, one GRU step, the head, the walk down the tree.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = Network(loaded.config).eval()
        _step_many(network, 200)
        began = time.perf_counter()
        _step_many(network, samples)
        return samples / (time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)


def _step_many(network: Network, samples: int) -> None:
    config = network.config
    frame = torch.nn.GRUCell(config.window, config.frame_units)
    sample = torch.nn.GRUCell(config.sample_units, config.sample_units)  # its input product is left out below
    hidden, slow = torch.zeros(1, config.sample_units), torch.zeros(1, config.frame_units)
    past = torch.zeros(1, config.window)
    tables = network.tables.view(3, 256, -1)
    code, condition = 128, torch.zeros(1, 3 * config.sample_units)
    for t in range(samples):
        if t % config.hop == 0:
            slow = frame(past, slow)
            condition = F.linear(slow, network.frame_output, network.frame_output_bias)
        gates = condition + tables[0, code] + tables[1, code] + tables[2, code]
        r, z, n = gates.chunk(3, 1)
        ur, uz, un = F.linear(hidden, sample.weight_hh, sample.bias_hh).chunk(3, 1)
        update = torch.sigmoid(z + uz)
        new = torch.tanh(n + torch.sigmoid(r + ur) * un)
        hidden = new + update * (hidden - new)
        top = torch.relu(F.linear(hidden, network.dense) + network.dense_table[code])
        logits = F.linear(top, network.tree, network.tree_bias)[0].sigmoid().tolist()
        draws = torch.rand(8).tolist()
        node = 1
        for level in range(8):
            node = 2 * node + int(draws[level] < logits[node])
        code = node - 256
        past = torch.cat([past[:, 1:], past.new_full((1, 1), (code - 128) / 128)], 1)
