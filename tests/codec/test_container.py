"""The bytes of the container: written down once, with segments that no coder made."""

from __future__ import annotations

import functools
import hashlib
import io
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.codec import container, varint
from synth.codec.container import Block
from synth.codec.container_reader import ContainerReader
from synth.codec.container_writer import ContainerWriter
from synth.codec.header import ENCODINGS_OF_KIND, KINDS, RATES, WIDE_ENCODINGS, WIDE_VERSION, Header, pack_header
from synth.common.errors import CodecError
from synth.common.limits import LEVELS, MAX_RATE


def crc(header: bytes, data: bytes) -> bytes:
    return zlib.crc32(header + data).to_bytes(4, "little")


def test_a_file_is_what_format_md_says() -> None:
    out = io.BytesIO()
    header = Header("wav", "s16", 2, 44100, "max", 1000, plain=True, suffix=".WAV")
    writer = ContainerWriter(out.write, header)
    writer.coded(600, b"coded")
    writer.constant(400, (5, -1))
    writer.raw(b"tail")
    writer.end(bytes(range(16)))
    start = b"\xb5SY\x01" + bytes([0 | 2 << 2 | 1 << 6 | 1 << 7, 1 | 2 << 3]) + b"\x07" + b"\xe9\x07" + b"\x04.WAV"
    one = b"\xe1\x12" + b"\x05coded"
    two = b"\xc2\x0c" + b"\x0a\x01"
    three = b"\x13" + b"\x00tail"
    end = b"\x0c" + bytes(range(16)) + b"\xe1\x12\x0c" + b"\xc2\x0c\x08" + b"\x13\x0a"
    end += crc(start, end)
    end += (len(end) + 4).to_bytes(4, "little")
    parts = [start, *(block + crc(start, block) for block in (one, two, three)), end]
    assert out.getvalue() == b"".join(parts)
    assert writer.size == len(out.getvalue())


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from([(kind, encoding) for kind in KINDS for encoding in ENCODINGS_OF_KIND[kind]]),
    st.builds(
        functools.partial(Header, "wav", "s16"),
        st.integers(1, 8),
        st.one_of(st.sampled_from(RATES), st.integers(1, MAX_RATE)),
        st.sampled_from(LEVELS),
        st.one_of(st.none(), st.integers(0, 1 << 50)),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, "", ".wav", ".x"]),
        checkpoint=st.sampled_from([b"", b"8 bytes!"]),
    ),
)
def test_headers_come_back(kind: tuple[str, str], header: Header) -> None:
    version = WIDE_VERSION if kind[1] in WIDE_ENCODINGS else header.version
    header = replace(header, kind=kind[0], encoding=kind[1], plain=header.plain and kind[0] == "wav", version=version)
    data = pack_header(header)
    assert ContainerReader(io.BytesIO(data), "x").header == header


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1 << 56))
def test_varints_come_back(value: int) -> None:
    data = varint.encode(value)
    reader = ContainerReader(io.BytesIO(pack_header(Header("wav", "s16", 1, 8000, "fast")) + data), "x")
    assert reader._varint() == value


def test_the_index_finds_every_block_and_raw_bytes_are_deflated_in_blocks() -> None:
    out = io.BytesIO()
    writer = ContainerWriter(out.write, Header("wav", "s16", 1, 8000, "fast"))
    raw = bytes(container.MAX_RAW + 5)
    writer.raw(raw)
    writer.coded(10, b"a")
    writer.coded(20, b"bb")
    writer.end(hashlib.md5(b"").digest())
    assert len(out.getvalue()) < 1300
    reader = ContainerReader(io.BytesIO(out.getvalue()), "x")
    blocks = reader.index()
    assert blocks is not None and [block.count for block in blocks] == [container.MAX_RAW, 5, 10, 20, 4]
    read: list[Block] = []
    for block in blocks:
        reader.seek(block.at, 0)
        read.append(reader.next())
    assert b"".join(block.payload for block in read[:2]) == raw
    assert [block.payload for block in read[2:4]] == [b"a", b"bb"]


def test_one_segment_needs_no_index() -> None:
    out = io.BytesIO()
    writer = ContainerWriter(out.write, Header("wav", "s16", 1, 8000, "fast", 10, plain=True))
    writer.coded(10, b"a")
    writer.end(bytes(16))
    assert ContainerReader(io.BytesIO(out.getvalue()), "x").index() is None


@pytest.mark.parametrize("at,value", [(4, 0x08), (4, 0x04), (4, 0x02), (4, 0x49), (5, 0x18), (5, 0x80), (6, 15)])
def test_what_this_version_does_not_know_is_refused(at: int, value: int) -> None:
    data = bytearray(pack_header(Header("wav", "mulaw", 1, 8000, "fast")))
    data[at] = value
    try:
        header = ContainerReader(io.BytesIO(bytes(data)), "x.syn").header
    except CodecError as error:
        assert str(error) == "x.syn: its header is damaged: it has what this version does not know"
    else:
        assert (at, header.encoding) == (4, "s16")
