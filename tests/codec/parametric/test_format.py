"""Files of the mode parametric: round trip of the tokens, the bit rate, every fault, golden bytes."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers import voices
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.codec import varint
from synth.codec.header import PARAMETRIC_START
from synth.codec.opened import open_syn
from synth.codec.parametric import coder, format, voice_choice
from synth.codec.parametric.coder import decode_audio, decode_latents, encode
from synth.codec.parametric.format import ParametricReader
from synth.common import input_file
from synth.common.errors import CheckpointError, CodecError, UsageError
from synth.generation.voice import Voice


def vectors_of(reader: ParametricReader, model: Voice, salvage: bool = False) -> tuple[NDArray[np.int64], list[str]]:
    damages: list[str] = []
    return np.concatenate(list(decode_latents(reader, model, damages if salvage else None))), damages


def coded(count: int, bitrate: float = 1e5, seed: int = 0) -> bytes:
    return encode(voices.load(), voices.sound(count, seed), bitrate)[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 5), st.sampled_from([200.0, 900.0, 1e5]))
def test_what_is_decoded_is_what_the_tokens_stand_for(count: int, seed: int, bitrate: float) -> None:
    sound = voices.sound(count, seed)
    data, tokens = encode(voices.load(), sound, bitrate)
    reader = ParametricReader(data, "x.syn")
    vocoder = voices.vocoder()
    assert (
        reader.header.samples == count
        and reader.header.tokens_per_frame == tokens.shape[1]
        and data.startswith(PARAMETRIC_START)
    )
    found, damages = vectors_of(reader, voices.load())
    np.testing.assert_array_equal(
        found, vocoder.latents(vocoder.beam_search_tokens(vocoder.encode_sound(sound), tokens.shape[1]))
    )
    np.testing.assert_array_equal(found, vocoder.latents(tokens))
    assert damages == []


def test_the_rate_is_kept_and_used() -> None:
    sizes = [8 * len(coded(80000, rate)) / 10 for rate in (1500, 100_000)]
    assert sizes[0] <= 1500 < sizes[1]
    assert ParametricReader(coded(80000, 100_000), "x").header.tokens_per_frame == 2  # all that the planner has
    assert ParametricReader(coded(80000, 100), "x").header.tokens_per_frame == 1  # the least there is


def test_the_sound_does_not_depend_on_where_it_is_cut() -> None:
    reader = ParametricReader(coded(2000), "x")
    vectors, _ = vectors_of(reader, voices.load())
    whole = np.concatenate(list(decode_audio(voices.load(), vectors, 2000)))
    part = np.concatenate(list(decode_audio(voices.load(), vectors, 1777, first=333)))
    assert len(whole) == 2000
    np.testing.assert_array_equal(part, whole[333:1777])
    slow = voices.load(engine="reference")
    np.testing.assert_array_equal(np.concatenate(list(decode_audio(slow, vectors, 500))), whole[:500])


def test_segments_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SEGMENT", 4)
    sound = voices.sound(11 * voices.HOP - 5)
    data = bytearray(encode(voices.load(), sound, 1e5)[0])
    whole, _ = vectors_of(ParametricReader(bytes(data), "x"), voices.load())
    start = ParametricReader(bytes(data), "x").start
    data[start + 2] ^= 16  # in the first of three
    with pytest.raises(CodecError, match=r"segment 1 \(0.00 s to 0.08 s\) is damaged: its checksum is wrong"):
        vectors_of(ParametricReader(bytes(data), "x"), voices.load())
    saved, damages = vectors_of(ParametricReader(bytes(data), "x"), voices.load(), salvage=True)
    assert len(damages) == 1 and "silence is in its place" in damages[0]
    np.testing.assert_array_equal(saved[4:], whole[4:])
    assert (saved[:4] == saved[0]).all()


def test_verify_names_every_damaged_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SEGMENT", 4)
    data = bytearray(encode(voices.load(), voices.sound(11 * voices.HOP - 5), 1e5)[0])
    data[ParametricReader(bytes(data), "x").start + 2] ^= 16
    data[-6] ^= 16
    (tmp_path / "x.syn").write_bytes(data)
    with input_file.open_input(str(tmp_path / "x.syn")) as source, pytest.raises(CodecError) as error:
        open_syn(source, "x.syn", checkpoint=voices.path()).verify()
    first, last = str(error.value).split("; ")
    assert first == "x.syn: segment 1 (0.00 s to 0.08 s) is damaged: its checksum is wrong"
    assert last == "segment 3 (0.16 s to 0.22 s) is damaged: its checksum is wrong"
    monkeypatch.setattr(coder, "MAX_REPORTED", 1)
    with (
        input_file.open_input(str(tmp_path / "x.syn")) as source,
        pytest.raises(CodecError, match="wrong; and 1 more$"),
    ):
        open_syn(source, "x.syn", checkpoint=voices.path()).verify()


def test_every_flipped_bit_is_found() -> None:
    data = coded(400)
    for place in range(5, len(data)):
        for bit in (0, 3, 7):
            bad = bytearray(data)
            bad[place] ^= 1 << bit
            with pytest.raises((CodecError, CheckpointError)):
                reader = ParametricReader(bytes(bad), "x.syn")
                voice_choice.find_by_digest(reader.header.digest, [voices.path()], "x.syn")
                vectors_of(reader, voices.load())


def test_every_cut_is_found() -> None:
    data = coded(400)
    for size in range(len(data)):
        with pytest.raises(CodecError):
            vectors_of(ParametricReader(data[:size], "x.syn"), voices.load())
    with pytest.raises(CodecError):
        vectors_of(ParametricReader(data + b"\0", "x.syn"), voices.load())


def forged(data: bytes, samples: int, more: bytes = b"") -> bytes:
    """A file whose only segment is whole, of a header that tells of more samples, and what follows."""
    head = ParametricReader(data, "x").header
    header = format.ParametricHeader(head.rate, samples, head.tokens_per_frame, head.digest).pack()
    coded = data[len(head.pack()) : -4]
    return (
        header + varint.encode(len(coded)) + coded + zlib.crc32(header + bytes(8) + coded).to_bytes(4, "little") + more
    )


@pytest.mark.parametrize("samples", [60000 * voices.RATE, 1 << 40])
@pytest.mark.parametrize("more", [b"", bytes(16000), b"\xff" * 16000])
def test_a_header_can_t_ask_for_silence(samples: int, more: bytes) -> None:
    reader = ParametricReader(forged(coded(400), samples, more), "x")
    segment = format.SEGMENT * voices.HOP
    heard, total = format.salvaged_samples(reader, voices.HOP)
    assert segment < heard <= total == 3 * segment  # what is whole, as much again, and once more
    damages: list[str] = []
    assert sum(len(found) for found in decode_latents(reader, voices.load(), damages)) * voices.HOP == heard
    assert 1 <= len(damages) <= 3


def test_nothing_is_salvaged_where_no_segment_is_whole() -> None:
    data = coded(400)
    head = ParametricReader(data, "x").header
    header = format.ParametricHeader(head.rate, 1 << 40, head.tokens_per_frame, head.digest).pack()
    for rest in (data[len(head.pack()) :], bytes(16000), b""):
        with pytest.raises(CodecError, match="no segment is whole, nothing can be salvaged"):
            vectors_of(ParametricReader(header + rest, "x"), voices.load(), salvage=True)


def test_whole_segments_are_kept_behind_silence_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SEGMENT", 4)
    data = bytearray(encode(voices.load(), voices.sound(23 * voices.HOP - 5), 1e5)[0])
    whole, _ = vectors_of(ParametricReader(bytes(data), "x"), voices.load())
    at = ParametricReader(bytes(data), "x").start
    for _ in range(5):  # all but the last of six
        size = data[at]
        data[at + 2] ^= 16
        at += 1 + size + 4
    reader = ParametricReader(bytes(data), "x")
    saved, damages = vectors_of(reader, voices.load(), salvage=True)
    assert len(saved) == 4 + 4 + 3 and format.salvaged_samples(reader, voices.HOP) == (11 * voices.HOP - 5,) * 2
    np.testing.assert_array_equal(saved[-3:], whole[-3:])
    assert len(damages) == 3 and damages[-1] == "x: 3 more damaged segments are left out"


def test_what_a_cut_file_has_lost_is_digital_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SEGMENT", 4)
    data = encode(voices.load(), voices.sound(23 * voices.HOP - 5), 1e5)[0]
    at = ParametricReader(data, "x").start
    for _ in range(3):
        at += 1 + data[at] + 4
    (tmp_path / "x.syn").write_bytes(data[: at + 3])
    with input_file.open_input(str(tmp_path / "x.syn")) as source:
        out, opened = io.BytesIO(), open_syn(source, "x", salvage=True, checkpoint=voices.path())
        frames = opened.decode_to(out)
    found = np.frombuffer(out.getvalue()[44:], "<i2")
    assert len(found) == frames == 23 * voices.HOP - 5 and len(opened.damages) == 1
    assert found[: 16 * voices.HOP].any() and not found[16 * voices.HOP :].any()


def test_a_voice_without_planner_is_refused() -> None:
    with pytest.raises(UsageError, match="takes a voice with a planner"):
        encode(voices.load(0), voices.sound(400), 1600)


def test_the_bytes_are_golden() -> None:
    """A file of this version decodes to these samples for ever, on every machine."""
    tokens = np.random.default_rng(3).integers(0, 256, (9, 2)).astype(np.uint8)
    vectors = voices.vocoder().latents(tokens)
    sound = np.concatenate(list(decode_audio(voices.load(), vectors, 1400)))
    assert hashlib.sha256(sound.astype("<i2").tobytes()).hexdigest()[:16] == GOLDEN_SOUND
    from synth.codec.parametric import token_coding

    assert token_coding.encode(voices.load().runtime.planner, tokens).hex() == GOLDEN_TOKENS  # type: ignore[union-attr]


GOLDEN_SOUND = "f0b4ce91a57cabfe"
GOLDEN_TOKENS = "0a7e65ec4e4b5318579cb6749a24c329db51378a0a4b87fde15040e6835b1445fc"
