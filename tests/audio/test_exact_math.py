"""Cosines, logarithms, products, Fourier transforms that do not depend on the machine: right, and of a frame alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.audio.exact_math import ExactProduct, cosines, log, logistic
from synth.audio.fft import power, transform


@pytest.mark.parametrize("count", [1, 2, 3, 4, 25, 400, 551, 512, 16384])
def test_cosines(count: int) -> None:
    found = cosines(count)
    np.testing.assert_allclose(found, np.cos(2 * np.pi * np.arange(count) / count), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(found[1:], found[:0:-1])
    if count % 4 == 0:
        assert found[0] == 1 and found[count // 4] == 0 and found[count // 2] == -1
        np.testing.assert_array_equal(found[count // 2 :], -found[: count // 2])


def test_logarithms() -> None:
    edges = np.ldexp(np.array([1.0, np.sqrt(0.5), np.sqrt(2.0)])[:, None], np.arange(-40, 40)).ravel()
    x = np.concatenate([np.geomspace(1e-9, 1e9, 10001), edges, np.nextafter(edges, 0), np.nextafter(edges, 9e99)])
    np.testing.assert_allclose(log(x), np.log(x), rtol=0, atol=1e-12)
    assert log(np.ones(1))[0] == 0


def test_logistic_curve() -> None:
    x = np.concatenate([np.linspace(-40, 40, 10001), np.array([0.0, 1e-300, -1e300, 1e300, np.inf, -np.inf])])
    before = x.copy()
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(logistic(x), 1 / (1 + np.exp(-x)), rtol=1e-8, atol=1e-17)
    np.testing.assert_array_equal(x, before)
    assert logistic(np.zeros(1))[0] == 0.5


@given(st.integers(0, 2**32 - 1), st.integers(1, 4096), st.integers(-140, 127))
def test_products_are_exact_whatever_the_order(seed: int, columns: int, exponent: int) -> None:
    """At their bound too: of the greatest inputs and weights, all of one sign."""
    random = np.random.default_rng(seed)
    weight = np.ldexp(random.uniform(-1, 1, (3, columns)), exponent).astype(np.float32)
    weight[0] = np.ldexp(np.float32(1 - 2**-24), exponent)
    x = random.normal(0, 1, (4, columns)) * random.choice([1e-3, 1.0, 40.0, 1e9], (4, 1))
    x[0] = 1e30
    product = ExactProduct(weight)
    found = product(x)
    order = random.permutation(columns)
    np.testing.assert_array_equal(found, ExactProduct(weight[:, order])(x[:, order]))
    whole = np.rint(np.clip(x, -128, 128) * 65536).astype(int)
    scaled = np.abs(whole).astype(object) @ np.abs(product._weight).astype(int).astype(object)
    assert scaled.max() < 2**53
    exact = whole.astype(object) @ product._weight.astype(int).astype(object)
    np.testing.assert_array_equal(found, np.ldexp(exact.astype(float), math.frexp(product._unit)[1] - 1 - 16))


def test_products_are_near_and_of_nothing_nothing() -> None:
    random = np.random.default_rng(0)
    weight, x = random.normal(0, 0.05, (64, 768)).astype(np.float32), random.normal(0, 2, (50, 768))
    np.testing.assert_allclose(ExactProduct(weight)(x), x @ weight.T, rtol=0, atol=3e-5)
    np.testing.assert_array_equal(ExactProduct(np.zeros((2, 3), np.float32))(x[:, :3]), 0)


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 128, 256, 2048])
def test_transforms(n: int) -> None:
    re, im = np.random.default_rng(n).normal(0, 1, (2, n, 3))
    expected = np.fft.fft(re + 1j * im, axis=0)
    found = transform(re, im)
    np.testing.assert_allclose(found, (expected.real, expected.imag), rtol=0, atol=1e-12 * n)


@pytest.mark.parametrize("fft", [4, 8, 32, 512, 16384])
def test_powers(fft: int) -> None:
    frames = np.random.default_rng(fft).normal(0, 1, (fft, 5))
    expected = np.abs(np.fft.rfft(frames, axis=0)) ** 2
    found = power(frames)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    for k in range(5):  # as if it were alone
        np.testing.assert_array_equal(power(frames[:, k : k + 1].copy())[:, 0], found[:, k])
