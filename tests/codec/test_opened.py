"""One way to open a .syn file: what both formats give by the same names."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.packed import packed, wav16

import synth
from synth import engine
from synth.codec.container_file import ContainerFile
from synth.codec.opened import open_syn
from synth.codec.syn_file import SynFile
from synth.common.errors import CodecError
from synth.common.input_file import InputFile

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
RATE = 8000


def _container() -> bytes:
    return packed(wav16(2000, 2, RATE), network="none")


def _parametric() -> bytes:
    data: bytes = synth.compress(voices.sound(2000), RATE, mode="parametric", checkpoint=voices.path())
    return data


def opened(data: bytes, **options: Any) -> SynFile:
    return open_syn(InputFile("x.syn", io.BytesIO(data), len(data)), "x.syn", checkpoint=voices.path(), **options)


@pytest.mark.parametrize(("make", "channels"), [(_container, 2), (_parametric, 1)])
def test_both_formats_give_the_same_things(make: Any, channels: int) -> None:
    data = make()
    syn = opened(data)
    assert isinstance(syn, ContainerFile) == (make is _container)
    assert (syn.kind, syn.name_suffix, syn.channels, syn.rate) == ("wav", ".wav", channels, RATE)
    assert bool(syn.checkpoint_digest) == (make is _parametric)
    assert opened(data).verify() == 2000
    facts = opened(data, seekable=True).facts()
    assert (facts["path"], facts["samples"], facts["bytes"]) == ("x.syn", 2000, len(data))
    array, out, ticks = opened(data).array(), io.BytesIO(), []
    assert syn.decode_to(out, tick=ticks.append) == sum(ticks) == len(array) == 2000
    assert out.getvalue()[44:] == array.astype("<i2").tobytes() and syn.damages == []


@pytest.mark.parametrize("make", [_container, _parametric])
def test_both_formats_give_parts(make: Any) -> None:
    data, out = make(), io.BytesIO()
    syn = opened(data, seekable=True)
    syn.limit(0.1, 0.2)
    assert syn.decode_to(out) == 800
    assert out.getvalue()[44:] == opened(data).array()[800:1600].astype("<i2").tobytes()
    with pytest.raises(CodecError, match=r"^x.syn: has nothing from 9 s to 0.25 s$"):
        opened(data, seekable=True).limit(9, None)


@pytest.mark.parametrize("data", [b"", b"\xb5", b"RIFF", b"\xb5SY\x03\x01\x00\x00"])
def test_what_is_no_file_of_either_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="^x.syn: "):
        opened(data)


def test_a_parametric_file_is_read_when_it_is_decoded() -> None:
    """Its name and kind are known without its header, so that a batch goes on past a damaged one."""
    syn = opened(_parametric()[:7])
    assert (syn.kind, syn.name_suffix) == ("wav", ".wav")
    with pytest.raises(CodecError, match="^x.syn: is cut short$"):
        syn.verify()
    np.testing.assert_equal(syn.damages, [])
