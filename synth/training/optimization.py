"""The state of a training run and one step of its optimizer, for a network of any kind."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from synth.common.cpus import available_cpus
from synth.common.errors import RunError
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.nn.two_tier import TwoTierNetwork

BETAS, EPSILON, DECAY, CLIP = (0.9, 0.98), 1e-8, 0.01, 1.0
WARMUP_STEPS = 100
MOMENTS = ("exp_avg", "exp_avg_sq")
N = TypeVar("N", bound=torch.nn.Module)
M = TypeVar("M", bound=torch.nn.Module)


@dataclass
class TrainState(Generic[N]):
    """A network with the moments of its optimizer (AdamW, arXiv 1711.05101) and the count of steps done."""

    network: N
    optimizer: torch.optim.AdamW
    step: int = 0

    @staticmethod
    def of(network: M) -> TrainState[M]:
        """A new one of any network."""
        # foreach=False: one order of operations, whatever the number of tensors
        optimizer = torch.optim.AdamW(network.parameters(), betas=BETAS, eps=EPSILON, weight_decay=DECAY, foreach=False)
        return TrainState(network, optimizer)

    @classmethod
    def two_tier(cls, config: ModelConfig, seed: int, device: torch.device) -> TrainState[TwoTierNetwork]:
        """A new one of a two-tier network; the same seed gives the same weights."""
        torch.manual_seed(seed)
        return TrainState.of(TwoTierNetwork(config).to(device))

    def arrays(self) -> Tensors:
        """Weights and moments, for `load`."""
        arrays = {f"weight.{k}": v.detach().cpu().numpy().copy() for k, v in self.network.named_parameters()}
        for name, parameter in self.network.named_parameters():
            state = self.optimizer.state.get(parameter, {})
            for moment in MOMENTS:
                if moment in state:
                    arrays[f"{moment}.{name}"] = state[moment].cpu().numpy().copy()
            if "step" in state and int(state["step"]) != self.step:  # it began to learn later than others
                arrays[f"steps.{name}"] = np.array([int(state["step"])], np.int64)
        return arrays

    def load(self, arrays: Tensors, step: int) -> None:
        """Go on from what `arrays` gave after `step` steps; RunError when they are of another network."""
        for name, parameter in self.network.named_parameters():
            weight = arrays.get(f"weight.{name}")
            if weight is None or weight.shape != tuple(parameter.shape):
                raise RunError(f"the run's state has no {name} of this network's shape; it was made by other options")
            parameter.data.copy_(torch.from_numpy(weight))
            if f"exp_avg.{name}" in arrays:
                moments = {
                    moment: torch.tensor(arrays[f"{moment}.{name}"], device=parameter.device).view_as(parameter)
                    for moment in MOMENTS
                }
                own = int(arrays[f"steps.{name}"][0]) if f"steps.{name}" in arrays else step
                self.optimizer.state[parameter] = {"step": torch.tensor(float(own)), **moments}
        self.step = step


def use_threads(count: int | None) -> None:
    """Lets torch compute on `count` CPU threads; None for OMP_NUM_THREADS, or the processors this process may use."""
    if count is not None:
        torch.set_num_threads(count)
    elif "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > available_cpus():  # a quota
        torch.set_num_threads(available_cpus())


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


class LearningSchedule(Protocol):
    """What the learning rate depends on: `steps` in all, where they began anew, and the highest `rate`."""

    @property
    def steps(self) -> int: ...
    @property
    def begin(self) -> int: ...
    @property
    def rate(self) -> float: ...


def rate_at(config: LearningSchedule, step: int) -> float:
    """Learning rate: half a cosine down to a hundredth, after 100 steps of warm-up from the beginning, or going on."""
    warm = min(1.0, (max(0, step - config.begin) + 1) / WARMUP_STEPS)
    return config.rate * warm * (0.505 + 0.495 * math.cos(math.pi * step / config.steps))


def optimizer_step(
    state: TrainState[Any],
    config: LearningSchedule,
    loss: Tensor,
    accelerator: Accelerator,
    masks: Sequence[tuple[Tensor, Tensor]] = (),
) -> float:
    """One step down a loss; returns its mean over all processes. RunError when that is not a number.

    Several processes each bring the loss of their share of the batch; their gradients are averaged, so all take the
    same step. `masks`: (parameter, mask) pairs, gradients are kept where the mask is 1.
    """
    for group in state.optimizer.param_groups:
        group["lr"] = rate_at(config, state.step)
    state.optimizer.zero_grad(set_to_none=False)
    loss.backward()
    parameters = [p for p in state.network.parameters() if p.grad is not None]
    mean = _averaged(parameters, loss.detach(), accelerator)
    for matrix, mask in masks:
        if matrix.grad is not None:
            matrix.grad.mul_(mask)
    norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
    if not math.isfinite(float(mean)) or not math.isfinite(float(norm)):
        raise RunError(f"step {state.step}: the loss is not finite ({float(mean)}); the last good state is kept")
    state.optimizer.step()
    state.step += 1
    return float(mean)


def _averaged(parameters: Sequence[Tensor], loss: Tensor, accelerator: Accelerator) -> Tensor:
    """The mean loss over all processes; the parameters' gradients become their means too."""
    if accelerator.num_processes == 1:
        return loss
    flat = torch.cat([*(p.grad.flatten() for p in parameters if p.grad is not None), loss[None]])
    flat = accelerator.reduce(flat, "mean")
    for p, grad in zip(parameters, flat[:-1].split([p.numel() for p in parameters]), strict=True):
        p.grad = grad.view_as(p).clone()
    return flat[-1]
