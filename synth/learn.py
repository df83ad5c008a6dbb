"""One step of training, of the generator the frame tier over whole streams and the sample tier on random windows."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from synth import sparse
from synth.config import ModelConfig, TrainConfig
from synth.data import Batch, Row
from synth.errors import RunError
from synth.model import TREE_LIMIT, Network
from synth.predicting import predict_codes

BETAS, EPSILON, DECAY, CLIP = (0.9, 0.98), 1e-8, 0.01, 1.0
N = TypeVar("N", bound=torch.nn.Module)
M = TypeVar("M", bound=torch.nn.Module)


@dataclass
class Learner(Generic[N]):
    """A network with the moments of its optimiser (AdamW, arXiv 1711.05101) and the count of steps done."""

    network: N
    optimiser: torch.optim.AdamW
    step: int = 0

    @classmethod
    def of(cls, config: ModelConfig, seed: int, device: torch.device) -> Learner[Network]:
        """A new one that generates; the same seed gives the same weights."""
        torch.manual_seed(seed)
        return Learner.around(Network(config).to(device))

    @staticmethod
    def around(network: M) -> Learner[M]:
        """A new one of any network."""
        # foreach=False: one order of operations, whatever the number of tensors
        optimiser = torch.optim.AdamW(network.parameters(), betas=BETAS, eps=EPSILON, weight_decay=DECAY, foreach=False)
        return Learner(network, optimiser)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and moments, for `load`."""
        found = {f"weight.{k}": v.detach().cpu().numpy().copy() for k, v in self.network.named_parameters()}
        for name, parameter in self.network.named_parameters():
            state = self.optimiser.state.get(parameter, {})
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in state:
                    found[f"{moment}.{name}"] = state[moment].cpu().numpy().copy()
            if "step" in state and int(state["step"]) != self.step:  # it began to learn later than others
                found[f"steps.{name}"] = np.array([int(state["step"])], np.int64)
        return found

    def load(self, arrays: dict[str, NDArray[Any]], step: int) -> None:
        """Go on from what `arrays` gave after `step` steps."""
        for name, parameter in self.network.named_parameters():
            if f"weight.{name}" not in arrays or arrays[f"weight.{name}"].shape != tuple(parameter.shape):
                raise RunError(f"the run's state has no {name} of this network's shape; it was made by other options")
            parameter.data.copy_(torch.from_numpy(arrays[f"weight.{name}"]))
            if f"exp_avg.{name}" in arrays:
                moments = {
                    moment: torch.tensor(arrays[f"{moment}.{name}"], device=parameter.device).view_as(parameter)
                    for moment in ("exp_avg", "exp_avg_sq")
                }
                own = int(arrays[f"steps.{name}"][0]) if f"steps.{name}" in arrays else step
                self.optimiser.state[parameter] = {"step": torch.tensor(float(own)), **moments}
        self.step = step


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Within it tiny numbers are zero: small gradients far back in time made the recurrent products five times slower.

    Afterwards the process computes as before; what else runs in it, the reference engine above all, may rely on them.
    """
    before = sys.float_info.min / 2 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def steady_memory() -> None:
    """Keep freed memory in the process: large tensors come and go every step, and page faults cost a quarter of it."""
    try:
        libc = ctypes.CDLL(None)
        for option, value in ((-1, 2**31 - 1), (-2, 2**28), (-4, 0)):  # trim threshold, top pad, no mmap (glibc)
            libc.mallopt(option, value)
    except (OSError, AttributeError):
        pass


class Schedule(Protocol):
    """What both kinds of network say of their training."""

    @property
    def steps(self) -> int: ...
    @property
    def rate(self) -> float: ...


def rate_at(config: Schedule, step: int) -> float:
    """Learning rate: 100 steps of warm-up, then half a cosine down to a hundredth."""
    warm = min(1.0, (step + 1) / 100)
    return config.rate * warm * (0.505 + 0.495 * math.cos(math.pi * step / config.steps))


def batch_loss(
    network: Network,
    batch: Batch,
    inputs: NDArray[np.uint8],
    warmup: int,
    window: int,
    given: Tensor | None = None,
) -> Tensor:
    """Mean bits a sample over the windows of a batch.

    `inputs` (streams, span, 2) predicted and residual codes; `given` (frames, streams, 3 frame units) for the gates.
    """
    device, hop = network.frame_bias.device, network.config.hop
    codes = torch.from_numpy(batch.codes).to(device).long()
    heard = torch.from_numpy(batch.heard).to(device).long()
    condition, _ = network.frames(heard, torch.from_numpy(batch.labels).to(device), network.start(len(codes)), given)
    starts = torch.from_numpy(batch.windows).to(device).flatten()
    streams = torch.arange(len(codes), device=device).repeat_interleave(batch.windows.shape[1])
    places = starts + torch.arange(window, device=device)[:, None]  # (window, rows)
    padded = torch.cat([network.start(len(codes)).codes[:, :1], heard], 1)
    given = torch.from_numpy(inputs).to(device).long()[streams, places]
    rows = torch.cat([padded[streams, places][:, :, None], given], 2)
    frames = starts // hop + torch.arange(window // hop, device=device)[:, None]
    zeros = network.frame_bias.new_zeros(len(streams), network.config.sample_units)
    logits, _ = network.samples(rows, condition[frames, streams], zeros)
    settled = torch.arange(window, device=device)[:, None] >= torch.where(starts == 0, 0, warmup)
    counted = settled & (places >= torch.from_numpy(batch.first).to(device)[streams])
    bits = network.bits(logits, codes[streams, places])
    return (bits * counted).sum() / counted.sum().clamp_min(1)


def descend(
    learner: Learner[Any],
    config: Schedule,
    loss: Tensor,
    boss: Accelerator,
    masks: Sequence[tuple[Tensor, Tensor]] = (),
) -> float:
    """One step down a loss; returns its mean over all processes. RunError when that is not a number.

    Several processes each bring the loss of their share of the batch; their gradients are averaged, so all take the
    same step. `masks`: (parameter, mask) pairs, gradients are kept where the mask is 1.
    """
    network, optimiser = learner.network, learner.optimiser
    for group in optimiser.param_groups:
        group["lr"] = rate_at(config, learner.step)
    optimiser.zero_grad(set_to_none=False)
    loss.backward()
    parameters = [p for p in network.parameters() if p.grad is not None]
    mean = loss.detach()
    if boss.num_processes > 1:
        flat = torch.cat([*(p.grad.flatten() for p in parameters if p.grad is not None), mean[None]])
        flat = boss.reduce(flat, "mean")
        for p, grad in zip(parameters, flat[:-1].split([p.numel() for p in parameters]), strict=True):
            p.grad = grad.view_as(p).clone()
        mean = flat[-1]
    for matrix, mask in masks:
        if matrix.grad is not None:
            matrix.grad.mul_(mask)
    norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
    if not math.isfinite(float(mean)) or not math.isfinite(float(norm)):
        raise RunError(f"step {learner.step}: the loss is not finite ({float(mean)}); the last good state is kept")
    optimiser.step()
    learner.step += 1
    return float(mean)


def learn(
    learner: Learner[Network], config: TrainConfig, batch: Batch, inputs: NDArray[np.uint8], boss: Accelerator
) -> float:
    """One step of the generator; returns its mean bits a sample over all processes, as `descend` does."""
    network = learner.network
    kept = [(matrix, sparse.zero_mask(matrix)) for matrix in (network.sample_recurrent, network.dense)]
    mean = descend(learner, config, batch_loss(network, batch, inputs, config.warmup, config.window), boss, kept)
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
        due = config.density < 1 and sparse.is_due(learner.step, config.steps)
        for matrix, mask in kept:
            matrix.mul_(mask)  # moments from before a block went would bring it back
            if due:
                matrix.mul_(sparse.block_mask(matrix, sparse.density_at(learner.step, config.steps, config.density)))
    return mean


@torch.inference_mode()
def measure(network: Network, rows: list[Row], tensors: dict[str, NDArray[Any]], labels: bool = False) -> float:
    """Bits a sample of files (from `validation_rows`), each from a fresh state, all samples counted."""
    total, count, hop = 0.0, 0, network.config.hop
    device = network.frame_bias.device
    ordered = sorted(rows, key=lambda row: len(row[0]))
    for at in range(0, len(ordered), 64):
        group = ordered[at : at + 64]
        longest = -(-max(len(codes) for codes, _ in group) // hop) * hop
        codes = np.full((len(group), longest), 128, np.uint8)
        known = np.zeros((len(group), longest // hop, len(network.config.labels)), np.int64)
        for place, (row, label) in enumerate(group):
            codes[place, : len(row)] = row
            if labels:
                known[place] = label
        given = np.stack(predict_codes(codes, tensors), 2)
        inside = torch.arange(longest) < torch.tensor([len(row) for row, _ in group])[:, None]
        state = network.start(len(group))
        for start in range(0, longest, 4096):  # memory stays bounded for long files
            part = slice(start, min(start + 4096, longest))
            bits, state = network(
                torch.from_numpy(codes[:, part]).to(device).long(),
                torch.from_numpy(given[:, part]).to(device).long(),
                torch.from_numpy(known[:, part.start // hop : part.stop // hop]).to(device),
                state,
            )
            total += float((bits.double() * inside[:, part].to(device)).sum())
        count += int(inside.sum())
    return total / max(1, count)
