#!/usr/bin/env python3
"""How corrector-2 and corrector-large-2 were trained, where `synth train --task corrector` would take days.

.ci/corrector-gpu trace CORPORA WORK [--copies N]    traces of the training files and of copies, both levels, all cores
.ci/corrector-gpu train PRESET WORK OUT --seconds N  from all traces, on the GPU; steps as time allows
.ci/corrector-gpu settle PRESET WORK FROM OUT        steps with rounding on the CPU, mostly from copies at other speeds

Copies are at other speeds and levels (16 kHz), or resampled to 1.4 to 3 times the rate with noise, as recordings at
44.1 or 48 kHz are. OUT is the `best.safetensors` of a run's folder, for `synth export RUN --steps 0`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
from accelerate import Accelerator
from safetensors.numpy import load_file, save_file
from torch.nn import functional as F

from synth.codec import lossless, network_choice
from synth.training.tasks import corrector
from synth.nn import two_tier
from synth.training import corrector_traces
from synth.codec.lossless import HINTS
from synth.training.tasks.corrector import AT_START, CROP, PRESETS, SETTLE
from synth.training.optimization import denormals_flushed
from synth.audio.mulaw import SILENCE

PIECE = 30 * 16000
STREAMS, WINDOWS, RATE, POLL = 128, 8, 0.003, 6.0
SETS = {
    "fsdd-8k": 1.0,
    "picovoice-multispeaker-16k": 1.0,
    "kathleen-arctic-16k": 0.5,
    "piano-headroom-giantmidi-16k": 0.5,
}
"""Which, and the share of the files of which there is a copy at another speed."""
RAISED = {"fsdd-8k": 0.1}
"""The share of which there is one at a higher rate, where it is not 0.3."""
UP_SHARE, UP_WEIGHT = 0.3, 0.6


def is_training(corpus: str, path: Path, place: int, prompts: list[str]) -> bool:
    if corpus == "fsdd-8k":
        return int(path.stem.split("_")[-1]) >= 7
    number = prompts.index(path.stem.rpartition("_")[0]) % 20 if corpus.startswith("kathleen") else place % 10
    return number > 1


def copy_of(path: Path, kind: str, salt: int) -> np.ndarray:
    """int16 samples of a file as it is, or a copy of it."""
    wave, _ = soundfile.read(path, dtype="int16")
    if kind == "original":
        return wave
    draw = np.random.default_rng([zlib.crc32(f"{path.name}-{kind}".encode()), salt])
    moved = wave.astype(np.float32)
    if kind == "speed":
        moved = soxr.resample(moved, 16000 * np.exp(draw.uniform(np.log(0.72), np.log(1.4))), 16000)
        moved = moved * np.exp(draw.uniform(np.log(0.2), np.log(1.1)))
    elif kind == "up":
        first = int(draw.integers(0, max(1, len(wave) - 5 * 16000)))
        moved = soxr.resample(moved[first : first + 5 * 16000], 16000, 16000 * draw.uniform(1.4, 3.0))
        moved = moved * np.exp(draw.uniform(np.log(0.3), np.log(1.1)))
        moved = moved + draw.standard_normal(len(moved)) * np.exp(draw.uniform(np.log(0.4), np.log(30)))
    else:
        moved = moved * np.exp(draw.uniform(np.log(0.1), np.log(1.6)))
    return np.clip(np.rint(moved + draw.uniform(-0.5, 0.5, len(moved))), -32768, 32767).astype(np.int16)


def write_one(path: Path, kind: str, salt: int, level: str, out: Path) -> int:
    """Traces of one copy at one level; the samples."""
    wave = copy_of(path, kind, salt)
    for at in range(0, len(wave), PIECE):
        records = corrector_traces.trace(wave[at : at + PIECE], level)
        if len(records) >= 256:
            name = f"{kind}-{salt}-{path.stem}-{at // PIECE}.npy"
            np.save(out / f".{name}", records)
            os.replace(out / f".{name}", out / name)
    return len(wave)


def trace(corpora: Path, work: Path, copies: int) -> None:
    """Traces of all training files, in an order by chance."""
    random, tasks = np.random.default_rng(3), []
    for corpus, share in SETS.items():
        paths = sorted((corpora / corpus).glob("*.flac"))
        prompts = sorted({path.stem.rpartition("_")[0] for path in paths})
        for place, path in enumerate(paths):
            if not is_training(corpus, path, place, prompts):
                continue
            kinds = [("original", 0)]
            for salt in range(copies):
                kinds += [("speed", salt)] * (random.random() < share)
                kinds += [("up", salt)] * (random.random() < RAISED.get(corpus, UP_SHARE))
                kinds += [("gain", salt)] * corpus.startswith("pico")
            tasks += [(path, *kind, level, work / level) for level in lossless.LEVELS[1:] for kind in kinds]
    for level in lossless.LEVELS[1:]:
        (work / level).mkdir(parents=True, exist_ok=True)
    random.shuffle(tasks)
    with ProcessPoolExecutor() as pool:
        print(sum(pool.map(write_one, *zip(*tasks, strict=True), chunksize=4)), "samples")


class OnesNetwork(two_tier.TwoTierNetwork):
    """The network, with tables as products of ones, since their gradient is one then too."""

    def samples(self, rows: torch.Tensor, condition: torch.Tensor, state: torch.Tensor) -> tuple[Any, Any]:
        """As in `model.TwoTierNetwork`, without rounding."""
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
        self.cells = torch.zeros(most, dtype=torch.uint8, device=device)
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
            if last > len(self.cells):
                break
            self.cells[first:last] = torch.from_numpy(records["cell"].copy()).to(self.device)
            self.hints[first:last] = torch.from_numpy(records["hints"].copy()).to(self.device)
            both = np.stack([records["low"], records["high"]], 1).astype(np.int32)
            self.bounds[first:last] = torch.from_numpy(both).to(self.device)
            self.starts.append(last)
            self.weights.append(math.sqrt(len(records)) * (UP_WEIGHT if path.name.startswith("up-") else 1.0))
        self.chances, self.edges = np.cumsum(self.weights), np.array(self.starts)


def draw_windows(store: Store, config: Any, hop: int, random: Any) -> list[torch.Tensor]:
    """Of each stream where it begins in the store and how long it is, and its windows: as `corrector_task.batch`."""
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
    """The loss of a step, as `corrector_task.batch_loss`, from what lies on the device."""
    begin, end, windows = draw_windows(store, config, network.config.hop, random)
    times = torch.arange(config.span, device=store.device)
    inside = times < end[:, None]
    places = (begin[:, None] + times).clamp_max(len(store.cells) - 1)
    cells = torch.where(inside, store.cells[places].long(), SILENCE)
    hints = torch.where(inside[:, :, None], store.hints[places].long(), SILENCE)
    low, high = store.bounds[places].unbind(-1)
    drawn = low + (torch.rand(places.shape, device=store.device) * (high - low + 1)).int()
    targets = torch.where(inside, (drawn >> 8).clamp(0, 255).long(), SILENCE)
    sizes = {"warmup": config.warmup, "window": config.window}
    return corrector.windows_loss(network, cells, targets, hints, windows, end, **sizes)


def save(network: Any, out: Path, step: int) -> None:
    arrays = {f"weight.{name}": value.detach().cpu().numpy().copy() for name, value in network.named_parameters()}
    save_file(arrays, out, metadata={"info": json.dumps({"step": step})})


def train(preset: str, work: Path, out: Path, seconds: float) -> None:
    """A half cosine of learning rates over the time."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    sizes, config = PRESETS[preset]
    network = OnesNetwork(sizes).to(device)
    network.load_state_dict(corrector.new(sizes, 0, device).network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), eps=1e-8, weight_decay=0.01)
    store = Store(work / network_choice.level_of(sizes.sample_units), 190_000_000, device)
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


def settle(preset: str, work: Path, start: Path, out: Path, steps: int, rate: float, decay: float, most: int) -> None:
    """Fine-tuning with the engine's rounding: copies that it has not seen unlearn what it knew of single files."""
    sizes, config = PRESETS[preset]
    config = dataclasses.replace(config, steps=steps, rate=rate, seed=11)
    learner = corrector.new(sizes, 0, torch.device("cpu"))
    weights = load_file(start)
    for name, value in learner.network.named_parameters():
        value.data.copy_(torch.from_numpy(weights[f"weight.{name}"]))
    for group in learner.optimizer.param_groups:
        group["weight_decay"] = decay
    pieces, edges = [], [0]
    for path in sorted(
        (work / network_choice.level_of(sizes.sample_units)).glob("[!.]*.npy"), key=lambda p: zlib.crc32(p.name.encode())
    ):
        pieces.append(np.load(path))
        edges.append(edges[-1] + len(pieces[-1]))
        if edges[-1] > most:
            break
    if not pieces:
        raise SystemExit(f"{work}: holds no traces; `trace` makes them")
    found = corrector_traces.Traces(np.concatenate(pieces), np.array(edges))
    learner.network.quantized, accelerator = True, Accelerator(cpu=True)
    with denormals_flushed():
        for _ in range(steps):
            loss = corrector.learn(learner, config, found, accelerator)
            if learner.step % 100 == 0:
                print(learner.step, f"{loss:.4f}", flush=True)
    save(learner.network, out, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("trace")
    one.add_argument("corpora", type=Path)
    one.add_argument("work", type=Path)
    one.add_argument("--copies", type=int, default=1)
    two = commands.add_parser("train")
    three = commands.add_parser("settle")
    for each in (two, three):
        each.add_argument("preset", choices=PRESETS)
        each.add_argument("work", type=Path)
    two.add_argument("out", type=Path)
    two.add_argument("--seconds", type=float, default=480)
    three.add_argument("start", type=Path, metavar="FROM")
    three.add_argument("out", type=Path)
    three.add_argument("--steps", type=int, default=1200)
    three.add_argument("--rate", type=float, default=0.0009)
    three.add_argument("--decay", type=float, default=0.05)
    three.add_argument("--most", type=int, default=32_000_000, help="samples")
    options = parser.parse_args()
    if options.command == "trace":
        trace(options.corpora, options.work, options.copies)
    elif options.command == "train":
        train(options.preset, options.work, options.out, options.seconds)
    else:
        chosen = (options.preset, options.work, options.start, options.out)
        settle(*chosen, options.steps, options.rate, options.decay, options.most)


if __name__ == "__main__":
    main()
