"""Where the frames of a FLAC stream end, against libsndfile's encoder and frames made by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from helpers import flac_streams as flac
from helpers.packed import tones
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.audio.formats.crc16 import Crc16Sums, crc16
from synth.audio.formats.file_view import FileView, read_at
from synth.audio.formats.flac_frames import FrameError, FrameSpan, parse_header, span_frames


def plain_crc(data: bytes) -> int:
    """The CRC-16 bit by bit."""
    state = 0
    for byte in data:
        state ^= byte << 8
        for _ in range(8):
            state = state << 1 ^ (0x18005 if state & 0x8000 else 0)
    return state


@given(st.binary(max_size=40))
def test_the_crc(data: bytes) -> None:
    assert crc16(data) == plain_crc(data)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=8), st.integers(500, 2500), st.integers(0, 99))
def test_sums_are_equal_around_what_has_its_crc(lengths: list[int], block: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [random.integers(0, 256, length).astype(np.uint8).tobytes() for length in lengths]
    data, places = b"", [0]
    for part in parts:
        data += part + crc16(part).to_bytes(2, "big")
        places.append(len(data))
    sums, values = Crc16Sums(), []
    for at in range(0, len(data), block):
        values += sums.push(
            data[at : at + block], [place - at for place in places if at <= place < min(at + block, len(data))]
        )
    assert len(set(values)) == 1 and len(values) == len(parts)


@given(st.integers(0, (1 << 31) - 1), st.integers(1, 400), st.booleans())
def test_a_header_is_read(number: int, samples: int, variable: bool) -> None:
    data = flac.frame(np.zeros(samples, np.int16), number, variable=variable)
    header = parse_header(data[:16])
    assert header is not None and (header.variable, header.number, header.samples) == (variable, number, samples)
    assert parse_header(data[:4] + bytes([data[4] ^ 1]) + data[5:16]) is None


def encoded(subtype: str, channels: int, frames: int) -> tuple[bytes, int]:
    """A FLAC file of libsndfile, and where its frames begin."""
    file = io.BytesIO()
    soundfile.write(file, tones(frames, channels, 24) << 8, 44100, subtype, format="FLAC")
    data = file.getvalue()
    return data, 4 + sum(4 + len(body) for _, body in flac.metadata_blocks(data))


def span(data: bytes, start: int, bits: int = 16) -> FrameSpan:
    return span_frames(read_at(io.BytesIO(data)), start, len(data), bits)


@pytest.mark.parametrize("subtype,bits", [("PCM_S8", 8), ("PCM_16", 16), ("PCM_24", 24)])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("frames", [1, 4096, 30001])
def test_the_end_of_what_libsndfile_writes(subtype: str, bits: int, channels: int, frames: int) -> None:
    data, start = encoded(subtype, channels, frames)
    junk = np.random.default_rng(0).integers(0, 256, 3000).astype(np.uint8).tobytes()
    for tail in (b"", flac.ID3V1, data, b"\xff\xf8", junk):
        assert span(data + tail, start, bits) == FrameSpan(frames, len(data))
    for cut in (1, 2, 3):
        with pytest.raises(FrameError) as caught:
            span(data[:-cut], start, bits)
        assert caught.value.cut


def test_frames_with_any_numbers() -> None:
    samples = flac.sound(5000)
    parts = [samples[at : at + 1000] for at in range(0, 5000, 1000)]
    for numbers in ([5, 6, 7, 8, 9], [0, 1, 0, 1, 0], [3, 3, 3, 3, 3]):
        body = b"".join(flac.frame(part, number) for part, number in zip(parts, numbers, strict=True))
        assert span(body + flac.ID3V1, 0) == FrameSpan(5000, len(body))
    body, at = b"", 0
    for size in (16, 4096, 192, 696):
        body += flac.frame(samples[at : at + size], at, variable=True)
        at += size
    assert span(body, 0) == FrameSpan(5000, len(body))


def test_damage_is_no_end() -> None:
    body = flac.frames(flac.sound(5000))
    for place in (3000, 4022, 9000):  # in a frame, in a header
        damaged = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(FrameError) as caught:
            span(damaged, 0)
        assert not caught.value.cut
    with pytest.raises(FrameError):
        span(b"no frame at all" * 9, 0)


def test_a_view_reads_as_a_file() -> None:
    source = bytes(range(100))
    view, whole = FileView(read_at(io.BytesIO(source)), b"head", 20, 50), io.BytesIO(b"head" + source[20:50])
    for offset, whence, count in [(0, 0, 3), (0, 1, 9), (-5, 2, 99), (2, 0, 40), (0, 0, -1)]:
        assert view.seek(offset, whence) == whole.seek(offset, whence)
        assert view.read(count) == whole.read(count) and view.tell() == whole.tell()
    assert view.seek(-9) == 0 and view.read(2) == b"he"
    assert read_at(io.BytesIO(source))(1 << 70, 5) == b""
