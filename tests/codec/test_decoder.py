"""Damaged .syn files: a clear error that names the segment, or the right sound; what can be saved of them."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from helpers.packed import chunk, form, packed, salvaged, tones, unpacked, wav, wav16
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.codec import container, lossless, varint
from synth.codec.container_reader import ContainerReader
from synth.codec.container_writer import ContainerWriter
from synth.codec.decoder import SILENT_BLOCKS, Decoder
from synth.codec.header import Header, pack_header
from synth.common.errors import CodecError, SynthError

RATE = 100
SEGMENT = 50
"""Half a second at this rate."""


@pytest.fixture(autouse=True)
def plain_coder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are coded by zlib here: this is about what surrounds them."""

    def encode(samples: NDArray[Any], bits: int, effort: str, network: object) -> bytes:
        return zlib.compress(samples.astype("<i4").tobytes())

    def decode(data: bytes, frames: int, channels: int, bits: int, effort: str, network: object) -> NDArray[np.int32]:
        try:
            samples = np.frombuffer(zlib.decompress(data), "<i4").astype(np.int32).reshape(-1, channels)
        except (zlib.error, ValueError):
            samples = np.zeros((0, channels), np.int32)
        if len(samples) != frames:
            raise CodecError("segment: it can't be decoded")
        return samples

    monkeypatch.setattr(lossless, "encode_segment", encode)
    monkeypatch.setattr(lossless, "decode_segment", decode)


def small(segments: int = 4, head: bool = True) -> tuple[bytes, bytes]:
    """A WAV and its .syn file."""
    samples = tones(segments * SEGMENT - 7, 1, 16).astype("<i2").tobytes()
    extra = {"before": chunk(b"LIST", b"abcd" * 3), "after": chunk(b"cue ", b"xyz")} if head else {}
    file = wav(samples, form(1, 1, RATE, 2), **extra)
    return file, packed(file, segment=SEGMENT)


def segment_spans(data: bytes) -> list[tuple[int, int, int]]:
    """Kind, begin and end of every block."""
    blocks = Decoder(io.BytesIO(data), "x.syn", seekable=True).blocks()
    return [(block.kind, block.at, block.at + block.size) for block in blocks]


@pytest.mark.parametrize("segments,head", [(1, False), (1, True), (3, True)])
def test_a_file_that_is_cut_anywhere_is_refused(segments: int, head: bool) -> None:
    file, data = small(segments, head)
    assert unpacked(data) == file
    for length in range(len(data)):
        with pytest.raises(CodecError) as caught:
            unpacked(data[:length])
        assert str(caught.value).startswith("x.syn: "), length
    with pytest.raises(CodecError, match="x.syn: (has bytes after its end|segment 1 .* its checksum is wrong)"):
        unpacked(data + b"\0")


@pytest.mark.parametrize("segments,head", [(1, False), (3, True)])
def test_every_flipped_bit_is_found_or_harmless(segments: int, head: bool) -> None:
    file, data = small(segments, head)
    spans = segment_spans(data)
    for at in range(len(data)):
        for bit in (at % 8, (at + 3) % 8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            with pytest.raises(CodecError) as caught:
                unpacked(bytes(bad))
            text = str(caught.value)
            assert text.startswith("x.syn: ") and "\n" not in text
            coded = [span for span in spans if span[0] == container.CODED]
            for number, (_, begin, end) in enumerate(coded, 1):
                if begin + 3 <= at < end:
                    assert f"segment {number} (" in text, (at, text)


def test_damage_is_named_with_its_seconds() -> None:
    _, data = small(4)
    _, begin, end = [span for span in segment_spans(data) if span[0] == container.CODED][2]
    bad = data[: end - 9] + b"\x55" + data[end - 8 :]
    with pytest.raises(CodecError, match=r"x.syn: segment 3 \(1.00 s to 1.50 s\) is damaged: its checksum is wrong"):
        unpacked(bad)


@pytest.mark.parametrize(("segments", "head"), [(1, False), (1, True), (4, True)])
def test_the_header_may_be_what_is_damaged_as_long_as_no_block_was_whole(segments: int, head: bool) -> None:
    _, data = small(segments, head)
    with pytest.raises(CodecError, match=r"x.syn: .* is damaged: its checksum is wrong, or its header is damaged$"):
        unpacked(data[:5] + bytes([data[5] ^ 1]) + data[6:])
    _, _, end = segment_spans(data)[-2]
    if segments > 1:
        with pytest.raises(CodecError, match=r"is damaged: its checksum is wrong$"):
            unpacked(data[: end - 1] + bytes([data[end - 1] ^ 1]) + data[end:])


def test_salvage_puts_silence_where_damage_is() -> None:
    file, data = small(4)
    spans = [span for span in segment_spans(data) if span[0] == container.CODED]
    start = file.index(b"data") + 8
    for number, (_, begin, end) in enumerate(spans):
        for at in (begin, begin + 2, end - 9):
            bad = bytearray(data)
            bad[at] ^= 0x41
            saved, damages = salvaged(bytes(bad))
            assert len(damages) == 1 and f"segment {number + 1} (" in damages[0] and "silence" in damages[0]
            first, last = start + 100 * number, min(start + 100 * number + 100, start + 386)
            assert saved == file[:first] + bytes(last - first) + file[last:]
    assert salvaged(data) == (file, [])


def test_salvage_of_a_cut_file_gives_its_first_segments() -> None:
    file, data = small(4, head=False)
    spans = [span for span in segment_spans(data) if span[0] == container.CODED]
    saved, damages = salvaged(data[: spans[2][1] + 5])
    assert saved == file[: 44 + 200] + bytes(186) and len(damages) == 1


def test_salvage_without_the_head_makes_one() -> None:
    file, data = small(2)
    _, begin, end = segment_spans(data)[0]
    bad = data[: end - 6] + b"\x55" + data[end - 5 :]
    saved, damages = salvaged(bad)
    start = file.index(b"data") + 8
    assert saved[44 : 44 + 186] == file[start : start + 186] and saved[:4] == b"RIFF"
    assert "what is before its samples is damaged" in damages[0]


def test_parts_come_from_their_segments_alone() -> None:
    _, data = small(4)
    bad = bytearray(data)
    spans = [span for span in segment_spans(data) if span[0] == container.CODED]
    bad[spans[0][2] - 9] ^= 1
    assert unpacked(bytes(bad), start=0.5, end=1.5) == unpacked(data, start=0.5, end=1.5)
    with pytest.raises(CodecError, match="segment 1 "):
        unpacked(bytes(bad), start=0.4)
    with pytest.raises(CodecError, match="x.syn: has nothing from 50 s"):
        unpacked(data, start=50)


def test_a_newer_version_and_other_files_are_refused_by_name() -> None:
    _, data = small(1)
    with pytest.raises(
        CodecError, match="x.syn: is of version 6 of the format; this synth reads up to 5: it takes a newer"
    ):
        unpacked(data[:3] + b"\x06" + data[4:])
    with pytest.raises(CodecError, match="x.syn: its header is damaged: version 3 of the format is of mode parametric"):
        unpacked(data[:3] + b"\x03" + data[4:])
    for other in (b"", b"RIFF", wav16(10)):
        with pytest.raises(CodecError, match="x.syn: is (empty|not a .syn file)"):
            unpacked(other)


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("silent", [0, 1, 3])
def test_a_header_that_tells_of_years_gives_no_years_of_silence(
    index: bool, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right checksums everywhere, and one block whose bytes can't be decoded, or the rest that is not there."""
    monkeypatch.setattr(container, "MAX_SAMPLES", 100)
    monkeypatch.setattr(container, "MAX_CONSTANT", 20000)
    out = io.BytesIO()
    writer = ContainerWriter(out.write, Header("wav", "s16", 1, RATE, "fast", 1 << 50, plain=True))
    for _ in range(silent):
        writer.constant(50, (7,))
    for _ in range(4 if index else 1):
        writer._block(20000 << 2 | container.CONSTANT, b"\x80" * 9 + b"\0")  # a number that is too long
        writer.segments += 1
    if index:
        writer.end(bytes(16))
    if not silent and not index:
        with pytest.raises(CodecError, match="nothing of it is whole"):
            salvaged(out.getvalue())
        return
    saved, damages = salvaged(out.getvalue())
    most = SILENT_BLOCKS * 100 * (1 + silent)
    assert len(saved) == 44 + 2 * (50 * silent + min(most, 80000 if index else 1 << 50))
    assert saved[44 : 44 + 100 * silent] == b"\7\0" * 50 * silent and not any(saved[44 + 100 * silent :])
    assert any("of 1125899906842624 samples" in text for text in damages)


def test_an_index_of_blocks_that_can_not_be_is_none() -> None:
    for tags in ([(5000 << 2 | container.CODED, 20), (1 << 62, 9)], [((1 << 40) << 2 | 2, 9)], [(9 << 2 | 2, 0)] * 3):
        out = io.BytesIO()
        writer = ContainerWriter(out.write, Header("wav", "s16", 1, RATE, "fast", 100))
        writer.constant(50, (7,))
        writer.constant(50, (8,))
        writer._index += tags
        writer.end(bytes(16))
        assert ContainerReader(io.BytesIO(out.getvalue()), "x.syn").index() is None


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_forged_blocks_are_refused_or_read(data: st.DataObject) -> None:
    """Bytes with right checksums that no writer made: no crash, no long work."""
    header = Header("wav", "s16", data.draw(st.integers(1, 8)), 8000, "fast", data.draw(st.sampled_from([None, 0, 5])))
    file = head = pack_header(header)
    for _ in range(data.draw(st.integers(0, 4))):
        kind = data.draw(st.sampled_from([container.END, container.CODED, container.RAW, container.CONSTANT]))
        most = [0, 1, 5, 100] if kind == container.CONSTANT else [0, 1, 5, 100, 1 << 23, 1 << 27, 1 << 50]
        count = data.draw(st.sampled_from(most))
        body = varint.encode(count << 2 | kind) + data.draw(st.binary(max_size=24))
        file += body + zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "little")
    for attempt in (unpacked, salvaged):
        try:
            attempt(file)  # type: ignore[operator]
        except SynthError as error:
            assert str(error).startswith("x.syn: ")


def test_constant_blocks_are_merged_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_CONSTANT", 120)
    file = wav(bytes(2 * 300), form(1, 1, RATE, 2))
    data = packed(file, segment=SEGMENT)
    assert unpacked(data) == file
    assert [kind for kind, _, _ in segment_spans(data)] == [container.CONSTANT] * 3 + [container.END]
