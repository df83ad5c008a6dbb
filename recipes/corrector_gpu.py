#!/usr/bin/env python3
"""How corrector-2 and corrector-large-2 were trained, where `synth train --task corrector` would take days.

    python recipes/corrector_gpu.py trace CORPORA WORK [--copies N]    traces of training files and copies, all cores
    python recipes/corrector_gpu.py train PRESET WORK OUT --seconds N  from all traces, on the GPU, steps as time allows
    python recipes/corrector_gpu.py settle PRESET WORK FROM OUT        steps with rounding on the CPU

OUT is the `best.safetensors` of a run's folder, for `synth export RUN NAME --steps 0`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.numpy import load_file, save_file
from torch.nn import functional as F

import corrector_copies
from synth.audio.mulaw import SILENCE
from synth.codec import network_choice
from synth.codec.lossless import HINTS
from synth.nn import two_tier
from synth.training import corrector_traces
from synth.training.config import GeneratorTrainConfig
from synth.training.corrector_batches import AT_START, CROP, SETTLE
from synth.training.optimization import denormals_flushed
from synth.training.tasks import corrector
from synth.training.tasks.corrector import PRESETS

STREAMS, WINDOWS, RATE = 128, 8, 0.003
MAX_SAMPLES = 190_000_000  # that lie on the device
POLL = 6.0  # seconds between two looks for new traces
RAISED_WEIGHT = 0.6  # of copies at a higher rate among what is drawn


class OnesNetwork(two_tier.TwoTierNetwork):
    """The network, with tables as products of ones, since their gradient is one then too."""

    def samples(self, rows: torch.Tensor, condition: torch.Tensor, state: torch.Tensor) -> tuple[Any, Any]:
        """As in `TwoTierNetwork`, without rounding."""
        count = rows.shape[2]
        places = (rows + 256 * torch.arange(count, device=rows.device)).reshape(-1, count)
        ones = torch.zeros(len(places), 256 * count, device=rows.device).scatter_(1, places, 1.0)
        gates = (ones @ self.tables).view(*rows.shape[:2], -1)
        gates = (gates.view(-1, self.config.hop, *gates.shape[1:]) + condition[:, None]).view_as(gates)
        states = two_tier.run(gates, state, self.sample_recurrent, self.sample_inner, False)
        hidden = F.linear(states, self.dense) + (ones[:, 256:512] @ self.dense_table).view(*rows.shape[:2], -1)
        return F.linear(hidden.clamp(0, two_tier.HIDDEN_LIMIT), self.tree, self.tree_bias), states


class Store:
    """All traces of a level, on the device; those that come later are read when they are there."""

    def __init__(self, folder: Path, most: int, device: torch.device) -> None:
        self.folder, self.seen, self.device = folder, set[str](), device
        self.bins = torch.zeros(most, dtype=torch.uint8, device=device)
        self.hints = torch.zeros(most, HINTS, dtype=torch.uint8, device=device)
        self.bounds = torch.zeros(most, 2, dtype=torch.int32, device=device)
        self.starts, self.weights = [0], list[float]()
        self.read()

    def read(self) -> None:
        """What is new in the folder, as far as there is room."""
        for path in sorted(self.folder.glob("[!.]*.npy")):
            if path.name in self.seen:
                continue
            self.seen.add(path.name)
            records = np.load(path)
            first, last = self.starts[-1], self.starts[-1] + len(records)
            if last > len(self.bins):
                break
            self.bins[first:last] = torch.from_numpy(records["bin"].copy()).to(self.device)
            self.hints[first:last] = torch.from_numpy(records["hints"].copy()).to(self.device)
            both = np.stack([records["low"], records["high"]], 1).astype(np.int32)
            self.bounds[first:last] = torch.from_numpy(both).to(self.device)
            self.starts.append(last)
            self.weights.append(math.sqrt(len(records)) * (RAISED_WEIGHT if path.name.startswith("up-") else 1.0))
        self.chances, self.edges = np.cumsum(self.weights), np.array(self.starts)


def draw_windows(store: Store, config: Any, hop: int, random: Any) -> list[torch.Tensor]:
    """Of each stream where it begins in the store and how long it is, and its windows: as `corrector.batch`."""
    picked = np.searchsorted(store.chances, random.random(STREAMS) * store.chances[-1], "right")
    begin, length = store.edges[picked], store.edges[picked + 1] - store.edges[picked]
    crop = (length > config.span) & (random.random(STREAMS) < CROP)
    room = np.maximum(length - config.span, 0) + 1
    first = np.where(crop, (random.random(STREAMS) * room).astype(np.int64) // hop * hop, 0)
    end = np.minimum(length - first, config.span)
    last = np.maximum(0, -(-(end - config.window) // hop))
    least = np.minimum(np.where(first > 0, SETTLE, 0), last)
    places = (random.random((STREAMS, WINDOWS)) * (last - least + 1)[:, None]).astype(np.int64)
    windows = (least[:, None] + places) * hop
    windows[(first == 0) & (random.random(STREAMS) < AT_START), 0] = 0
    return [torch.from_numpy(x).to(store.device) for x in (begin + first, end, windows)]


def loss_of(network: Any, store: Store, config: Any, random: Any) -> torch.Tensor:
    """The loss of a step, as `corrector.batch_loss`, from what lies on the device."""
    begin, end, windows = draw_windows(store, config, network.config.hop, random)
    times = torch.arange(config.span, device=store.device)
    inside = times < end[:, None]
    places = (begin[:, None] + times).clamp_max(len(store.bins) - 1)
    bins = torch.where(inside, store.bins[places].long(), SILENCE)
    hints = torch.where(inside[:, :, None], store.hints[places].long(), SILENCE)
    low, high = store.bounds[places].unbind(-1)
    drawn = low + (torch.rand(places.shape, device=store.device) * (high - low + 1)).int()
    targets = torch.where(inside, (drawn >> 8).clamp(0, 255).long(), SILENCE)
    sizes = {"warmup": config.warmup, "window": config.window}
    return corrector.windows_loss(network, bins, targets, hints, windows, end, **sizes)


def save(network: Any, out: Path, step: int) -> None:
    arrays = {f"weight.{name}": value.detach().cpu().numpy().copy() for name, value in network.named_parameters()}
    save_file(arrays, out, metadata={"info": json.dumps({"step": step})})


def train(preset: str, work: Path, out: Path, seconds: float) -> None:
    """A half cosine of learning rates over the time."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    sizes, config = PRESETS[preset]
    network = OnesNetwork(sizes).to(device)
    network.load_state_dict(corrector.new_state(sizes, 0, device).network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), eps=1e-8, weight_decay=0.01)
    store = Store(work / network_choice.effort_of(sizes.sample_units), MAX_SAMPLES, device)
    if not store.weights:
        raise SystemExit(f"{store.folder}: holds no traces; `trace` makes them")
    random, step, losses = np.random.default_rng(7), 0, []
    began = polled = time.time()
    while (now := time.time()) < began + seconds:
        for group in optimizer.param_groups:
            curve = 0.5 * (1 + math.cos(math.pi * (now - began) / seconds)) * 0.995 + 0.005
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * curve
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(network, store, config, random)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            network.tree.clamp_(-two_tier.TREE_LIMIT, two_tier.TREE_LIMIT)
        losses.append(loss.detach())
        step += 1
        if now - polled > POLL:
            polled = now
            store.read()
            print(step, f"{float(torch.stack(losses).mean()):.4f}", flush=True)
            losses = []
    save(network, out, step)


def some_traces(folder: Path, least: int) -> corrector_traces.Traces:
    """Traces of a folder in an order by their names' digests, until there are more than `least` samples."""
    pieces, edges = [], [0]
    for path in sorted(folder.glob("[!.]*.npy"), key=lambda path: zlib.crc32(path.name.encode())):
        pieces.append(np.load(path))
        edges.append(edges[-1] + len(pieces[-1]))
        if edges[-1] > least:
            break
    if not pieces:
        raise SystemExit(f"{folder}: holds no traces; `trace` makes them")
    return corrector_traces.Traces(np.concatenate(pieces), np.array(edges))


def settle(
    preset: str, traces: corrector_traces.Traces, start: Path, out: Path, config: GeneratorTrainConfig, decay: float
) -> None:
    """Fine-tuning with the engine's rounding: copies that it has not seen unlearn what it knew of single files."""
    state = corrector.new_state(PRESETS[preset][0], 0, torch.device("cpu"))
    weights = load_file(start)
    for name, value in state.network.named_parameters():
        value.data.copy_(torch.from_numpy(weights[f"weight.{name}"]))
    for group in state.optimizer.param_groups:
        group["weight_decay"] = decay
    state.network.quantized, accelerator = True, Accelerator(cpu=True)
    with denormals_flushed():
        for _ in range(config.steps):
            loss = corrector.train_step(state, config, traces, accelerator)
            if state.step % 100 == 0:
                print(state.step, f"{loss:.4f}", flush=True)
    save(state.network, out, config.steps)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = result.add_subparsers(dest="command", required=True)
    trace = commands.add_parser("trace", help="traces of the training files and of copies of them")
    trace.add_argument("corpora", type=Path, metavar="CORPORA")
    trace.add_argument("work", type=Path, metavar="WORK")
    trace.add_argument("--copies", type=int, default=1, metavar="N", help="of each kind (default: 1)")
    train, settle = (
        commands.add_parser("train", help="from all traces"),
        commands.add_parser("settle", help="with rounding"),
    )
    for command in (train, settle):
        command.add_argument("preset", choices=PRESETS)
        command.add_argument("work", type=Path, metavar="WORK")
    settle.add_argument("start", type=Path, metavar="FROM")
    for command in (train, settle):
        command.add_argument("out", type=Path, metavar="OUT")
    train.add_argument("--seconds", type=float, default=480, help="(default: %(default)s)")
    settle.add_argument("--steps", type=int, default=1200, help="(default: %(default)s)")
    settle.add_argument("--rate", type=float, default=0.0009, help="of learning (default: %(default)s)")
    settle.add_argument("--decay", type=float, default=0.05, help="of weights (default: %(default)s)")
    settle.add_argument("--most", type=int, default=32_000_000, help="samples (default: %(default)s)")
    return result


def main() -> None:
    options = parser().parse_args()
    if options.command == "trace":
        corrector_copies.trace(options.corpora, options.work, options.copies)
    elif options.command == "train":
        train(options.preset, options.work, options.out, options.seconds)
    else:
        sizes, config = PRESETS[options.preset]
        config = dataclasses.replace(config, steps=options.steps, rate=options.rate, seed=11)
        traces = some_traces(options.work / network_choice.effort_of(sizes.sample_units), options.most)
        settle(options.preset, traces, options.start, options.out, config, options.decay)


if __name__ == "__main__":
    main()
