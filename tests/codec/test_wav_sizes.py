"""WAV and AIFF files whose sizes are unknown, wrong or of 4 GiB and more, through the codec and back."""

from __future__ import annotations

import struct

import pytest
from helpers.flac_streams import sound
from helpers.packed import chunk, form, packed, unpacked

from synth import engine
from synth.audio.formats import riff
from synth.common.errors import AudioError

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
DATA = sound().astype("<i2").tobytes()
FORM = chunk(b"fmt ", form(1, 1, 8000, 2))
ONES = b"\xff" * 4


def file_of(*parts: bytes, size: int | None = None, magic: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(parts)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def sizes64(whole: int, data: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", whole, data, data // 2, 0))


UNKNOWN = {
    "0 and the head's size": file_of(FORM, b"data\0\0\0\0" + DATA, size=36),
    "zeros": file_of(FORM, b"data\0\0\0\0" + DATA, size=0),
    "ones": file_of(FORM, b"data" + ONES + DATA, size=0xFFFFFFFF),
    "RF64 of zeros": file_of(sizes64(0, 0), FORM, b"data" + ONES + DATA, size=0xFFFFFFFF, magic=b"RF64"),
    "RF64 of ones": file_of(sizes64(2**64 - 1, 2**64 - 1), FORM, b"data" + ONES + DATA, size=0xFFFFFFFF, magic=b"RF64"),
    "an AIFF of zeros": b"FORM\0\0\0\0AIFFCOMM"
    + struct.pack(">IhIhHQ", 18, 1, 0, 16, 16383 + 12, 8000 << 51)
    + b"SSND"
    + bytes(12)
    + sound().astype(">i2").tobytes(),
    "an odd chunk without padding": file_of(FORM, b"LIST\7\0\0\0INFOabc", chunk(b"data", DATA)),
}


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_the_samples_are_coded(name: str, piped: bool) -> None:
    plain = len(packed(file_of(FORM, chunk(b"data", DATA))))
    made = packed(UNKNOWN[name], piped=piped)
    assert unpacked(made) == UNKNOWN[name]
    assert len(made) < plain + 120


@pytest.mark.parametrize("piped", [False, True])
def test_an_empty_file_stays_one(piped: bool) -> None:
    file = file_of(FORM, b"data\0\0\0\0")
    made = packed(file, piped=piped)
    assert unpacked(made) == file and len(made) == 29


class Zeros:
    """A file of so many bytes: a head, then zeros, which nobody holds."""

    def __init__(self, head: bytes, size: int) -> None:
        self._head, self._left = head, size - len(head)

    def read(self, count: int = -1, /) -> bytes:
        data, self._head = self._head[:count], self._head[count:]
        more = min(count - len(data), self._left)
        self._left -= more
        return data + bytes(more)

    def seek(self, at: int, whence: int = 0, /) -> int:
        raise OSError

    def fileno(self) -> int:
        raise OSError


LONG = (1 << 32) + 400_000


@pytest.mark.parametrize(
    "head,frames",
    [
        (file_of(sizes64(LONG + 72, LONG), FORM, b"data" + ONES, size=0xFFFFFFFF, magic=b"RF64"), LONG // 2),
        (file_of(FORM, b"data" + ONES, size=0xFFFFFFFF), LONG // 2),
        (file_of(FORM, b"data" + struct.pack("<I", 400_000), size=400_036), LONG // 2),
    ],
)
def test_all_samples_of_more_than_4_gib_are_known(head: bytes, frames: int) -> None:
    size = len(head) + LONG
    start = head[:12]
    sound = riff.WaveReader(Zeros(head[12:], size - 12), "x.wav", size, start)
    assert sound.frames == frames


def test_a_cut_rf64_is_refused() -> None:
    for data in (len(DATA), 3 << 30, LONG):
        file = file_of(sizes64(data + 72, data), FORM, b"data" + ONES + DATA[:9000], size=0xFFFFFFFF, magic=b"RF64")
        for piped in (False, True):
            with pytest.raises(AudioError, match="^x.wav: is cut short"):
                packed(file, piped=piped)


def test_the_message_about_a_damaged_chunk_names_it() -> None:
    file = file_of(FORM, b"abcd" + struct.pack("<I", 1 << 27), DATA)
    with pytest.raises(AudioError, match="^x.wav: is cut short or damaged: it ends in its chunk 'abcd'$"):
        packed(file)
