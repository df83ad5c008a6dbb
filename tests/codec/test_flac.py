"""FLAC through the codec and back: metadata of any size, what is around the stream, streams without a length."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import flac_streams as flac
from helpers.packed import packed, unpacked, wav16

from synth import engine
from synth.codec import batch, container_writer
from synth.codec.batch import CodecOptions
from synth.codec.header import SURROUNDED_VERSION
from synth.codec.job_plan import Job
from synth.common.errors import AudioError, CodecError, OutputError

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")


def restored(file: bytes, *, before: int = 0) -> bytes:
    """A FLAC file that went through the codec, without what stands before it; its samples are checked."""
    back = unpacked(packed(file))
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(back[before:]), dtype="int16")[0], flac.sound())
    return back


@pytest.mark.parametrize("md5", [None, bytes(16)])
def test_a_stream_without_a_length_comes_back(md5: bytes | None) -> None:
    samples = flac.sound()
    file = flac.stream(samples, total=0, md5=md5)
    assert packed(file) == packed(flac.stream(samples))  # the same, to the byte, as with the length
    restored(file)


def test_a_long_stream_without_a_length_is_read_in_many_parts() -> None:
    samples = np.tile(flac.sound(), 40)
    back = unpacked(packed(flac.stream(samples, total=0), segment=1000))
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(back), dtype="int16")[0], samples)


@pytest.mark.parametrize("first", [[5, 6, 7, 8, 9, 10, 11, 12], [0, 1, 2, 0, 1, 2, 0, 1]])
def test_streams_cut_out_of_others_are_read_in_many_parts(first: list[int]) -> None:
    samples = flac.sound()
    body = b"".join(flac.frame(samples[1000 * i : 1000 * i + 1000], number) for i, number in enumerate(first))
    back = unpacked(packed(flac.stream(samples, body), segment=700))
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(back), dtype="int16")[0], samples)


@pytest.mark.parametrize("tail", [flac.ID3V1, b"APETAGEX" + bytes(40), flac.stream(flac.sound(100)), bytes(3 << 20)])
@pytest.mark.parametrize("before", [b"", flac.ID3V2, flac.ID3V2 * 2])
@pytest.mark.parametrize("total", [None, 0])
def test_what_is_around_a_stream_comes_back(tail: bytes, before: bytes, total: int | None) -> None:
    file = before + flac.stream(flac.sound(), total=total) + tail
    assert packed(file)[3] == SURROUNDED_VERSION
    back = restored(file, before=len(before))
    assert back.startswith(before + b"fLaC") and back.endswith(tail)
    alone = unpacked(packed(flac.stream(flac.sound())))
    assert back[len(before) : len(back) - len(tail)] == alone


def test_a_tag_alone_before_a_stream_comes_back() -> None:
    file = flac.ID3V2 + flac.stream(flac.sound(), blocks=())
    assert restored(file, before=len(flac.ID3V2)).startswith(flac.ID3V2 + b"fLaC\x80")


def test_a_part_has_no_tail() -> None:
    made = packed(flac.stream(flac.sound()) + flac.ID3V1, segment=1000)
    part = unpacked(made, start=0.25, end=0.5)
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(part), dtype="int16")[0], flac.sound()[2000:4000])
    assert not part.endswith(flac.ID3V1)


def test_what_stands_before_a_stream_is_checked_when_it_is_written() -> None:
    made = bytearray(packed(flac.ID3V2 + flac.stream(flac.sound())))
    made[3] = 1  # every checksum is of the header too
    with pytest.raises(CodecError):
        unpacked(bytes(made))


def test_metadata_of_any_size_come_back() -> None:
    picture = bytes(range(256)) * (60 << 10)
    blocks = [(2, picture[:15_000_000] + bytes([i])) for i in range(5)] + [flac.TITLE, (1, bytes(77))]
    back = restored(flac.stream(flac.sound(), blocks=blocks))
    assert flac.metadata_blocks(back)[1:] == blocks


def test_many_blocks_come_back_without_the_seek_table() -> None:
    blocks = [(2, b"appl" + bytes([i])) for i in range(200)] + [flac.TITLE, (3, bytes(18)), (2, b"appl")]
    back = restored(flac.stream(flac.sound(), blocks=blocks))
    assert flac.metadata_blocks(back)[1:] == [block for block in blocks if block[0] != 3]


@pytest.mark.parametrize(
    "file,words",
    [
        (flac.stream(flac.sound())[:-5000], "is cut short: its last frame is not whole"),
        (flac.stream(flac.sound(), total=0)[:-1], "is cut short: its last frame is not whole"),
        (flac.stream(flac.sound(), flac.frames(flac.sound(5000))), "is cut short: 5000 of 8000 samples"),
        (flac.stream(flac.sound(), total=7000), "its header tells of 7000 samples, its frames hold 8000"),
        (flac.stream(flac.sound(), b""), "is cut short: no frame follows its metadata"),
        (flac.stream(flac.sound(), b"x" * 99), "is damaged: one of its frames is not whole"),
        (flac.stream(flac.sound(), md5=b"x" * 16), "its samples don't have the MD5 that it gives"),
        (flac.stream(flac.sound(), blocks=[(4, bytes(99))])[:80], "is cut short: it ends in its metadata"),
        (flac.stream(flac.sound(), blocks=[flac.TITLE, (0, bytes(34))]), "have a block that FLAC has not"),
        (flac.stream(flac.sound(), blocks=[(127, b"")]), "have a block that FLAC has not"),
        (b"fLaC" + bytes([0, 0, 0, 9]) + bytes(99), "is not FLAC, or is damaged"),
        (flac.ID3V2 + b"\xff\xfb" + bytes(99), "is not WAV, AIFF or FLAC behind its ID3v2 tag"),
        (flac.ID3V2[:15], "is cut short: it ends in the ID3v2 tag"),
    ],
)
def test_what_is_refused(file: bytes, words: str) -> None:
    with pytest.raises((AudioError, OutputError), match=f"^x.wav: .*{words}"):
        packed(file)


def test_a_wav_behind_a_tag_comes_back() -> None:
    file = wav16(500)
    for piped in (False, True):
        assert unpacked(packed(flac.ID3V2 + file, piped=piped)) == flac.ID3V2 + file
    part = unpacked(packed(flac.ID3V2 + file), start=0.01, end=0.02)
    assert part[:4] == b"RIFF" and part[44:] == file[44 + 160 : 44 + 320]


@pytest.mark.parametrize("rate,taken", [(1, True), (65535, True), (65537, False), (96010, True), (655360, False)])
def test_a_rate_with_which_no_flac_can_be_written_is_refused(rate: int, taken: bool) -> None:
    file = bytearray(flac.stream(flac.sound()))
    file[18:21] = (rate << 4 | file[20] & 15).to_bytes(3, "big")
    if taken:
        assert soundfile.info(io.BytesIO(unpacked(packed(bytes(file))))).samplerate == rate
        return
    with pytest.raises(AudioError, match=f"^x.wav: has a sample rate of {rate} Hz"):
        packed(bytes(file))


FROZEN = """
tVNZBAoAAHljEPN0MWZhAAEuBjhI80l0BgCtUskYcxtjYWCQYGVgYMhNzE4tYgQy2IE4xDPEx9U2EQBC3pQX4QOYAQAM//2I3YhY
L3eA+RqljqCWZmb3XGY0L8QRP7BY9JOWiD2g/49MZDTp55Yox69BVFZfCm2G0h9165gAFQDO+hhGLIMo09dYIVnIX6jQM1LsFGTz
rC97KJH2R0xcnboP/zvkk3oxs5ndthJnaNgaPmB/98w9PgzXjKhsiX1huQAMtDOXEUNQky8s0j8orc2GxQHSu68ZoEJAQuJ2U3sM
C3F0L8ksyUllwAoAT5IOVQAJx9N2P/odI8ALZ1c6+gin
"""


def test_a_frozen_file_of_version_4_decodes_and_is_written_again() -> None:
    """FLAC's frames are the installed library's, so that the file itself can't be frozen as those of tests/frozen."""
    samples = ((np.arange(120) * 37 % 251 - 125) * 40).astype(np.int16)
    made = base64.b64decode(FROZEN)
    back = unpacked(made)
    assert back.startswith(flac.ID3V2 + b"fLaC") and back.endswith(flac.ID3V1[:30])
    assert flac.metadata_blocks(back[len(flac.ID3V2) :])[1:] == [flac.TITLE]
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(back[len(flac.ID3V2) :]), dtype="int16")[0], samples)
    assert packed(flac.ID3V2 + flac.stream(samples) + flac.ID3V1[:30]) == made


def test_verify_compares_what_is_beside_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, options = tmp_path / "x.flac", CodecOptions(threads=1, effort="fast", verify=True)

    def compress(name: str) -> None:
        batch.compress_one(Job(str(source), str(tmp_path / name)), options, threads=1, tick=lambda done: None)

    source.write_bytes(flac.ID3V2 + flac.stream(flac.sound()) + flac.ID3V1)
    compress("x.syn")
    deflate = container_writer._deflate
    monkeypatch.setattr(container_writer, "_deflate", lambda data: deflate(data.replace(b"title", b"elitt")))
    with pytest.raises(CodecError, match="what was written does not give it back"):
        compress("y.syn")
    assert not (tmp_path / "y.syn").exists()
