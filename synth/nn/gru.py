"""A gated recurrent layer with its gradient written out: one product a step, all weight gradients in one at the end.

On a GPU cuDNN's: there the loop over time would be all kernel launches.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")  # of `fused`


def to_eighth(h: Tensor) -> Tensor:
    """A state as the integer engine's product sees it: 8 bits, steps of 1/128."""
    return torch.clamp(torch.floor(h * 128 + 0.5), -128, 127) / 128


class GruFunction(torch.autograd.Function):
    """h[t] = n + z (h[t-1] - n), gates r, z, n in PyTorch's order and form (Cho et al., arXiv 1406.1078, reset after).

    `apply(gates, state, weight, bias, eighth)`: `gates` (time, batch, 3 units) are the inputs to the gates, biases
    included; `state` (batch, units); `weight` (3 units, units); `bias` (units,) stands inside the reset gate's product.
    With `eighth` the product sees the state rounded to 8 bits (the gradient passes straight through). Returns the
    states (time, batch, units).
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, state: Tensor, weight: Tensor, bias: Tensor, eighth: bool) -> Tensor:
        time, batch, width = gates.shape
        units = width // 3
        states = gates.new_empty(time + 1, batch, units)
        seen = gates.new_empty(time, batch, units) if eighth else states
        kept = gates.new_empty(time, batch, width)  # r, z, n
        inner = gates.new_empty(time, batch, units)  # recurrent part of n, before the reset gate
        states[0] = state
        product = gates.new_empty(batch, width)
        transposed = weight.t().contiguous()
        for t in range(time):
            if eighth:
                seen[t] = to_eighth(states[t])
            torch.mm(seen[t], transposed, out=product)
            both = kept[t, :, : 2 * units]
            torch.add(gates[t, :, : 2 * units], product[:, : 2 * units], out=both)
            both.sigmoid_()
            torch.add(product[:, 2 * units :], bias, out=inner[t])
            new = kept[t, :, 2 * units :]
            torch.addcmul(gates[t, :, 2 * units :], both[:, :units], inner[t], out=new)
            new.tanh_()
            torch.lerp(new, states[t], both[:, units:], out=states[t + 1])
        ctx.save_for_backward(states, seen, kept, inner, weight)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        states, seen, kept, inner, weight = ctx.saved_tensors
        outputs = grads[0]
        time, batch, units = inner.shape
        r, z, n = kept.split(units, 2)
        from_z = (states[:-1] - n) * z * (1 - z)
        from_n = (1 - z) * (1 - n * n)
        from_r = inner * r * (1 - r)
        into = inner.new_empty(time, batch, 3 * units)  # gradient of the recurrent product
        new = inner.new_empty(time, batch, units)  # gradient of the candidate's input
        carried = inner.new_zeros(batch, units)
        for t in range(time - 1, -1, -1):
            carried += outputs[t]
            torch.mul(carried, from_n[t], out=new[t])
            torch.mul(new[t], from_r[t], out=into[t, :, :units])
            torch.mul(carried, from_z[t], out=into[t, :, units : 2 * units])
            torch.mul(new[t], r[t], out=into[t, :, 2 * units :])
            carried *= z[t]
            carried.addmm_(into[t], weight)
        rows = into.view(-1, 3 * units)
        weight_grad = rows.t() @ seen[:time].reshape(-1, units)
        bias_grad = rows[:, 2 * units :].sum(0)
        into[:, :, 2 * units :] = new  # from here on the gradient of the gates' inputs
        return into, carried, weight_grad, bias_grad, None


def fused(gates: Tensor, state: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`GruFunction.apply` without `eighth`, by PyTorch's own layer: the gates' inputs go through an identity."""
    width, units = weight.shape
    inner = torch.cat([bias.new_zeros(2 * units), bias])
    weights = [torch.eye(width, device=gates.device, dtype=gates.dtype), weight, torch.zeros_like(inner), inner]
    # one layer with biases, no dropout, in training, one direction, time first
    states: Tensor = torch.gru(gates, state[None].contiguous(), weights, True, 1, 0.0, True, False, False)[0]
    return states


def run(gates: Tensor, state: Tensor, weight: Tensor, bias: Tensor, eighth: bool) -> Tensor:
    """States (time, batch, units), as `GruFunction` says, by whichever is fast on the tensors' device."""
    if gates.is_cuda and not eighth:
        return fused(gates, state, weight, bias)
    states: Tensor = GruFunction.apply(gates, state, weight, bias, eighth)
    return states
