"""The recurrent layer with its handwritten gradient: against PyTorch's cell, against finite differences."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from synth.nn.gru import GruFunction, fused, to_eighth

TIME, BATCH, UNITS = 7, 3, 5


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def arguments() -> tuple[torch.Tensor, ...]:
    """Gate inputs, first state, recurrent weight, inner bias, all with gradients."""
    shapes = [(TIME, BATCH, 3 * UNITS), (BATCH, UNITS), (3 * UNITS, UNITS), (UNITS,)]
    return tuple(values(*shape, seed=k).requires_grad_() for k, shape in enumerate(shapes))


def cell_states(gates: torch.Tensor, state: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The same by torch.nn.GRUCell, whose input product is made the identity."""
    cell = torch.nn.GRUCell(3 * UNITS, UNITS, dtype=torch.float64)
    inner = torch.cat([torch.zeros(2 * UNITS, dtype=torch.float64), bias])
    given = {"weight_ih": torch.eye(3 * UNITS, dtype=torch.float64), "bias_ih": torch.zeros_like(inner)}
    given |= {"weight_hh": weight, "bias_hh": inner}
    states = []
    for step in gates:
        state = torch.func.functional_call(cell, given, (step, state))
        states.append(state)
    return torch.stack(states)


def test_equals_pytorchs_cell() -> None:
    torch.testing.assert_close(GruFunction.apply(*arguments(), False), cell_states(*arguments()), rtol=0, atol=1e-12)


def test_every_gradient_is_that_of_pytorchs_cell() -> None:
    weights = values(TIME, BATCH, UNITS, seed=9)
    ours, theirs = arguments(), arguments()
    (GruFunction.apply(*ours, False) * weights).sum().backward()
    (cell_states(*theirs) * weights).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-11)


def test_pytorchs_layer_which_gpus_take_is_the_same() -> None:
    weights = values(TIME, BATCH, UNITS, seed=9)
    ours, theirs = arguments(), arguments()
    states, others = GruFunction.apply(*ours, False), fused(*theirs)
    torch.testing.assert_close(states, others, rtol=0, atol=1e-12)
    (states * weights).sum().backward()
    (others * weights).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-11)


def test_gradients_are_those_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda *given: GruFunction.apply(*given, False), arguments())


def test_states_rounded_to_8_bits_enter_the_product_and_the_gradient_passes_straight_through() -> None:
    gates, state, weight, bias = arguments()
    state = state.detach().clamp(-0.99, 0.99).requires_grad_()
    states = GruFunction.apply(gates, state, weight, bias, True)
    product = to_eighth(state) @ weight.t()
    r, z = torch.sigmoid(gates[0, :, : 2 * UNITS] + product[:, : 2 * UNITS]).split(UNITS, 1)
    n = torch.tanh(gates[0, :, 2 * UNITS :] + r * (product[:, 2 * UNITS :] + bias))
    torch.testing.assert_close(states[0], n + z * (state - n), rtol=0, atol=1e-12)
    # to first order in the rounding, the gradients are those without it
    plain = [given.detach().clone().requires_grad_() for given in (gates, state, weight, bias)]
    GruFunction.apply(*plain, False).sum().backward()
    states.sum().backward()
    for mine, other in zip((gates, state, weight, bias), plain, strict=True):
        assert mine.grad is not None and other.grad is not None
        assert (mine.grad - other.grad).norm() < 0.05 * other.grad.norm() and not torch.equal(mine.grad, other.grad)


def test_to_eighth_is_round_half_up_within_8_bits() -> None:
    given = torch.tensor([-1.0, -0.5 / 128, 0.0, 0.49 / 128, 0.5 / 128, 1.5 / 128, 1.0])
    assert (to_eighth(given) * 128).tolist() == [-128, 0, 0, 0, 1, 2, 127]
