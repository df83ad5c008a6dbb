"""The mu-law tables: integer literals that must be the formula's, and torchaudio's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.audio import mulaw

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


def test_both_are_torchaudios() -> None:
    torch = pytest.importorskip("torch")
    try:
        from torchaudio.functional import mu_law_decoding, mu_law_encoding
    except (ImportError, OSError) as error:  # built for another torch than the one installed
        pytest.skip(f"torchaudio can't be loaded: {error}")
    wave = torch.from_numpy(ALL / 32768.0)
    np.testing.assert_array_equal(mulaw.encode(ALL.astype(np.int16)), mu_law_encoding(wave, 256).numpy())
    back = mu_law_decoding(torch.from_numpy(CODES), 256).double().numpy() * 32768
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
