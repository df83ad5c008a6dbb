"""The mu-law tables: integer literals that must be the formula's, and torchaudio's."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth import mulaw

ALL = np.arange(-32768, 32768)
CODES = np.arange(256)


def companded(samples: np.ndarray) -> np.ndarray:
    """-1 to 1 of 16-bit samples, in float64."""
    x = samples / 32768.0
    return np.sign(x) * np.log1p(255 * np.abs(x)) / np.log1p(255)


def test_encode_is_the_formula() -> None:
    formula = np.floor((companded(ALL) + 1) / 2 * 255 + 0.5)
    np.testing.assert_array_equal(mulaw.encode(ALL.astype(np.int16)), formula)
    np.testing.assert_array_equal(mulaw.ENCODE, formula)


def test_decode_is_the_formula() -> None:
    y = CODES / 255 * 2 - 1
    x = np.sign(y) * (np.exp(np.abs(y) * np.log1p(255)) - 1) / 255
    np.testing.assert_array_equal(mulaw.decode(CODES.astype(np.uint8)), np.clip(np.rint(x * 32768), -32768, 32767))


def torchaudio_functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """torchaudio's encoder and decoder; where its library can't be loaded, compiled from its installed source alone."""
    torch = pytest.importorskip("torch")
    try:
        from torchaudio.functional import mu_law_decoding, mu_law_encoding

        return mu_law_encoding, mu_law_decoding
    except (ImportError, OSError) as error:
        found = importlib.util.find_spec("torchaudio")
        source = Path(found.origin).parent / "functional" / "functional.py" if found and found.origin else None
        if source is None or not source.is_file():
            pytest.skip(f"torchaudio can't be loaded: {error}")
        names = {"mu_law_encoding", "mu_law_decoding"}
        tree = ast.parse(source.read_text("utf-8"))
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
        if len(tree.body) != 2:
            pytest.skip(f"torchaudio can't be loaded: {error}")
        space: dict[str, Any] = {"torch": torch, "Tensor": torch.Tensor}
        exec(compile(tree, str(source), "exec"), space)
        return space["mu_law_encoding"], space["mu_law_decoding"]


def test_both_are_torchaudios() -> None:
    torch = pytest.importorskip("torch")
    encoding, decoding = torchaudio_functions()
    wave = torch.from_numpy(ALL / 32768.0)
    np.testing.assert_array_equal(mulaw.encode(ALL.astype(np.int16)), encoding(wave, 256).numpy())
    back = decoding(torch.from_numpy(CODES), 256).double().numpy() * 32768
    assert np.abs(mulaw.decode(CODES.astype(np.uint8)) - np.clip(back, -32768, 32767)).max() < 0.51


def test_a_code_survives_decoding_and_encoding() -> None:
    codes = CODES.astype(np.uint8)
    np.testing.assert_array_equal(mulaw.encode(mulaw.decode(codes)), codes)


@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_coding_twice_changes_nothing_more(values: list[int]) -> None:
    once = mulaw.decode(mulaw.encode(np.array(values, np.int16)))
    np.testing.assert_array_equal(mulaw.decode(mulaw.encode(once)), once)


def test_silence_types_shapes_and_order() -> None:
    assert mulaw.encode(np.zeros(1, np.int16))[0] == mulaw.SILENCE == 128
    assert mulaw.encode(np.array([-32768, 32767], np.int16)).tolist() == [0, 255]
    shaped = mulaw.encode(np.zeros((3, 4), np.int16))
    assert shaped.shape == (3, 4) and shaped.dtype == np.uint8
    assert mulaw.decode(shaped).shape == (3, 4) and mulaw.decode(shaped).dtype == np.int16
    assert (np.diff(mulaw.ENCODE.astype(int)) >= 0).all() and (np.diff(mulaw.DECODE.astype(int)) > 0).all()


@pytest.mark.parametrize("table", ["ENCODE", "DECODE"])
def test_the_tables_cannot_be_changed(table: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(mulaw, table)[0] = 1
