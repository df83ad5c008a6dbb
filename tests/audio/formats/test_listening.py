"""What libsndfile would misread is read right, or refused: FLAC of any kind, tags, unknown and cut lengths."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import flac_streams as flac
from helpers.packed import chunk, form

from synth.audio.formats.declared import declared_end
from synth.audio.formats.file_view import read_at
from synth.audio.formats.riff_sizes import find_span, samples_size
from synth.audio.reader import AudioReader, read
from synth.common.errors import AudioError

SOUND = flac.sound()
DATA = SOUND.astype("<i2").tobytes()
FORM = chunk(b"fmt ", form(1, 1, 8000, 2))
ONES = b"\xff" * 4


def riff(*parts: bytes, size: int | None = None, magic: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(parts)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def sizes64(whole: int, data: int, frames: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", whole, data, frames, 0))


def heard(tmp_path: Path, data: bytes) -> None:
    """The file is read as SOUND: by name, as an open file, from another begun pass."""
    path = tmp_path / "x.sound"
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path)[0], SOUND)
    np.testing.assert_array_equal(read(path, file=io.BytesIO(data))[0], SOUND)
    with AudioReader(path) as reader:
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate(list(reader.blocks(700))), SOUND)
            next(reader.blocks(10))


def refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.sound"
    path.write_bytes(data)
    with pytest.raises(AudioError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)


def numbered(numbers: list[int]) -> bytes:
    return b"".join(flac.frame(SOUND[1000 * i : 1000 * i + 1000], number) for i, number in enumerate(numbers))


FLAC = {
    "no length": flac.stream(SOUND, total=0),
    "no length, no MD5": flac.stream(SOUND, total=0, md5=bytes(16)),
    "no length, a tag": flac.stream(SOUND, total=0) + flac.ID3V1,
    "a second stream": flac.stream(SOUND) + flac.stream(SOUND),
    "no length, a second stream": flac.stream(SOUND, total=0) + flac.stream(SOUND),
    "cut out of a stream": flac.stream(SOUND, numbered([5, 6, 7, 8, 9, 10, 11, 12])),
    "put together": flac.stream(SOUND, numbered([0, 1, 2, 0, 1, 2, 0, 1])),
    "another rate": flac.stream(
        SOUND, b"".join(flac.frame(SOUND[i : i + 800], i // 800, rate=5) for i in range(0, 8000, 800))
    ),
    "behind a tag": flac.ID3V2 + flac.stream(SOUND),
    "behind tags, no length": flac.ID3V2 * 3 + flac.stream(SOUND, total=0),
    "much metadata": flac.stream(SOUND, blocks=[(2, bytes(1 << 20))] * 9),
}
WAVS = {
    "both unknown": riff(FORM, b"data" + ONES + DATA, size=0xFFFFFFFF),
    "sox": riff(FORM, b"data\0\xf0\xff\x7f" + DATA, size=0x7FFFF024),
    "both 0": riff(FORM, b"data\0\0\0\0" + DATA, size=0),
    "an empty file's head": riff(FORM, b"data\0\0\0\0" + DATA, size=36),
    "RF64": riff(sizes64(len(DATA) + 72, len(DATA), 8000), FORM, b"data" + ONES + DATA, size=0xFFFFFFFF, magic=b"RF64"),
    "RF64 of zeros": riff(sizes64(0, 0, 0), FORM, b"data" + ONES + DATA, size=0xFFFFFFFF, magic=b"RF64"),
    "RF64 of ones": riff(sizes64(2**64 - 1, 2**64 - 1, 0), FORM, b"data" + ONES + DATA, size=0xFFFFFFFF, magic=b"RF64"),
    "an odd chunk without padding": riff(FORM, b"LIST\7\0\0\0INFOabc", chunk(b"data", DATA)),
    "an odd chunk": riff(FORM, chunk(b"LIST", b"INFOabc"), chunk(b"data", DATA), chunk(b"LIST", b"INFO")),
    "behind a tag": flac.ID3V2 + riff(FORM, chunk(b"data", DATA)),
    "behind tags, both unknown": flac.ID3V2 * 2 + riff(FORM, b"data" + ONES + DATA, size=0xFFFFFFFF),
}


@pytest.mark.parametrize("name", sorted(FLAC))
def test_flac(tmp_path: Path, name: str) -> None:
    heard(tmp_path, FLAC[name])


@pytest.mark.parametrize("name", sorted(WAVS))
def test_wav(tmp_path: Path, name: str) -> None:
    heard(tmp_path, WAVS[name])


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_an_aiff_of_a_pipe(tmp_path: Path, size: int) -> None:
    common = struct.pack(">hIhHQ", 1, 0, 16, 16383 + 12, 8000 << 51)
    data = b"FORM" + struct.pack(">I", size) + b"AIFFCOMM" + struct.pack(">I", 18) + common
    data += b"SSND" + struct.pack(">III", size, 0, 0) + SOUND.astype(">i2").tobytes()
    heard(tmp_path, data)


@pytest.mark.parametrize(
    "file,words",
    [
        (flac.stream(SOUND)[:9000], "is cut short: its last frame is not whole"),
        (flac.stream(SOUND, total=0)[:9000], "is cut short: its last frame is not whole"),
        (flac.stream(SOUND, total=9000), "is cut short: 8000 of 9000 samples"),
        (flac.ID3V2 + flac.stream(SOUND)[:9000], "is cut short"),
        (riff(FORM, chunk(b"data", DATA))[:9000], "is cut short: 8956 of 16000 bytes of audio"),
        (flac.ID3V2 + riff(FORM, chunk(b"data", DATA))[:9000], "is cut short: 8956 of 16000 bytes of audio"),
        (WAVS["RF64"][:9000], "is cut short"),
        (riff(FORM, b"data\0\0\0\0", size=36), "holds no samples"),
    ],
)
def test_what_is_refused(tmp_path: Path, file: bytes, words: str) -> None:
    refused(tmp_path, file, words)


@pytest.mark.parametrize(
    "format", ["WAV", "AIFF", "FLAC", "OGG", "CAF", "RF64", "W64", "AU", "NIST", "AVR", "VOC", "SVX", "WVE"]
)
@pytest.mark.parametrize("part", [0.5, 0.999])
def test_a_cut_file_of_any_format_is_refused(tmp_path: Path, format: str, part: float) -> None:
    subtype = {"WVE": "ALAW", "OGG": "VORBIS"}.get(format, "PCM_16")
    file = io.BytesIO()
    soundfile.write(file, SOUND, 8000, subtype, format=format)
    data = file.getvalue()
    assert abs(len(read("x", file=io.BytesIO(data))[0]) - 8000) < 2
    refused(tmp_path, data[: int(len(data) * part)], "cut short")


@pytest.mark.parametrize("magic,order", [(b".snd", ">"), (b"dns.", "<")])
def test_an_au_of_a_pipe_does_not_say(magic: bytes, order: str) -> None:
    head = magic + struct.pack(f"{order}IIIII", 24, 0xFFFFFFFF, 3, 8000, 1)
    assert declared_end(read_at(io.BytesIO(head + bytes(99)))) is None
    assert declared_end(read_at(io.BytesIO(head[:8] + struct.pack(f"{order}I", 99) + head[12:]))) == 123
    for length in range(16):
        declared_end(read_at(io.BytesIO(head[:length])))


GIB4 = 1 << 32


@pytest.mark.parametrize(
    "told,whole,at,left,large,size",
    [
        (100, 136, 44, 100, None, 100),
        (100, 136, 44, 60, None, 100),  # cut short
        (0xFFFFFFFF, 0xFFFFFFFF, 44, GIB4 + 400, None, None),
        (0xFFFFFFFF, 0xFFFFFFFF, 80, GIB4 + 400, GIB4 + 400, GIB4 + 400),
        (0xFFFFFFFF, 0xFFFFFFFF, 80, GIB4 - 400, GIB4 + 400, GIB4 + 400),  # cut short
        (0xFFFFFFFF, 0xFFFFFFFF, 80, 400, 0, None),
        (0xFFFFFFFF, 0xFFFFFFFF, 80, 400, (1 << 64) - 1, None),
        (400, 436, 44, GIB4 + 400, None, GIB4 + 400),  # what is left of a size of more than 32 bits
        (400, 436 + 20, 44, 2 * GIB4 + 420, None, 2 * GIB4 + 400),
        (400, 436, 44, GIB4 + 5000, None, 400),  # followed by something else
        (0x7FFFF000, 0x7FFFF024, 44, 3 << 30, None, None),
        (0x7FFFF000, 0x7FFFF024 + 30, 44, 0x7FFFF000 + 30, None, 0x7FFFF000),
        (0, 36, 44, 2000, None, None),
        (0, 36, 44, 100, None, 0),  # a tag, as it may be
        (0, 36 + 20, 44, 20, None, 0),
        (0, 36, 44, None, None, None),
        (0x80000000, 0x80000024, 44, None, None, None),
        (100, 136, 44, None, None, 100),
    ],
)
def test_what_sizes_mean(told: int, whole: int, at: int, left: int | None, large: int | None, size: int | None) -> None:
    assert samples_size(told, whole, at, left, large) == size


def test_a_view_of_more_than_4_gib_is_rf64() -> None:
    head = riff(FORM, b"data" + ONES, size=0xFFFFFFFF)

    def read(at: int, count: int) -> bytes:
        return head[at : at + count].ljust(count, b"\0")

    span = find_span(read, len(head) + GIB4 + 400)
    assert span is not None and not span.is_plain and span.length == GIB4 + 400
    with soundfile.SoundFile(span.view(read)) as sound:
        assert sound.frames == (GIB4 + 400) // 2 and sound.format == "RF64"


def test_a_file_of_zeros_is_no_sound(tmp_path: Path) -> None:
    for magic in (b"RIFF", b"FORM", b"fLaC", b"riff", b".snd", b"OggS", b"ID3\4\0\0\0\0\0\0fLaC", b"ID3\4\0\0\0\0\0\0"):
        refused(tmp_path, magic + bytes(100), "")
        refused(tmp_path, magic, "")
