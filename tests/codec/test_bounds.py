"""What compressing never exceeds: the size of what can't be compressed, and memory however long the sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.packed import form, packed, tones, unpacked, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import engine
from synth.audio.formats import pcm
from synth.codec.lossless.rangecoder import RangeEncoder
from synth.common import limits

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
CODES = {"u8": 1, "s16": 1, "s24": 1}


@pytest.mark.parametrize("effort", limits.LEVELS)
@pytest.mark.parametrize("encoding", CODES)
@pytest.mark.parametrize("channels", [1, 2])
def test_random_bytes_cost_at_most_half_a_percent(effort: str, encoding: str, channels: int) -> None:
    """White noise at full scale is the same thing."""
    width = pcm.WIDTH[encoding]
    file = wav(np.random.default_rng(3).bytes(8000 * width), form(1, channels, 8000, width))
    data = packed(file, effort=effort, network="none")
    assert len(data) <= 1.005 * 8000 * width
    assert unpacked(data) == file


@pytest.mark.parametrize("effort", limits.LEVELS)
def test_quiet_noise_is_as_small_as_its_distribution(effort: str) -> None:
    """Even values of 6 of 16 bits: 6 bits a sample, and what finding that out costs."""
    noise = np.random.default_rng(3).integers(-32, 32, 8000).astype("<i2")
    assert len(packed(wav(noise.tobytes(), form(1, 1, 8000, 2)), effort=effort, network="none")) <= 1.04 * 6000


@pytest.mark.parametrize("value", [0, -32768, 32767, 5])
def test_an_hour_of_one_value_is_a_few_bytes(value: int) -> None:
    file = wav(np.full(3600 * 8000, value, "<i2").tobytes(), form(1, 1, 8000, 2))
    assert len(packed(file)) <= 60


@pytest.mark.parametrize("effort", limits.LEVELS)
@pytest.mark.parametrize("half", [7, 100])
def test_a_square_wave_is_small(effort: str, half: int) -> None:
    """Ten seconds, a segment."""
    square = np.where(np.arange(10 * 4000) // half % 2, 32767, -32768).astype("<i2")
    file = wav(square.tobytes(), form(1, 1, 4000, 2))
    assert len(packed(file, effort=effort, network="none")) <= 500


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["balanced", "max"]),
    st.sampled_from(["lossless", "mulaw"]),
    st.sampled_from(sorted(CODES)),
    st.integers(1, 8),
    st.sampled_from([0, 1, 2, 23, 24, 25, 72]),
    st.sampled_from([1, 3]),
)
def test_other_levels_and_modes_come_back(
    effort: str, mode: str, encoding: str, channels: int, frames: int, threads: int
) -> None:
    samples = tones(frames, channels, pcm.BITS[encoding])
    shape = form(1, channels, 8000, pcm.WIDTH[encoding])
    file = wav(pcm.pack(samples, encoding, False), shape)
    options = {"effort": effort, "mode": mode, "network": "none", "segment": 24}
    data = packed(file, threads=threads, **options)
    assert data == packed(file, **options)
    back = unpacked(data, threads=threads)
    if mode == "lossless":
        assert back == file
    else:
        assert back == unpacked(packed(back, **options)) and len(back) == 44 + 2 * samples.size


def test_the_range_coder_is_as_good_as_another_one() -> None:
    """The same bits at the same probabilities, by constriction's range coder."""
    constriction = pytest.importorskip("constriction")
    random = np.random.default_rng(5)
    odds = np.clip(random.beta(0.3, 0.3, 50000) * 65536, 1, 65535).astype(int)
    bits = random.random(50000) * 65536 < odds
    ours = RangeEncoder()
    for bit, p in zip(bits, odds, strict=True):
        ours.code(bool(bit), int(p))
    theirs = constriction.stream.queue.RangeEncoder()
    theirs.encode(bits.astype(np.int32), constriction.stream.model.Bernoulli(), odds / 65536)
    size = len(ours.finish()) * 8
    assert abs(size / theirs.num_bits() - 1) < 0.001
    ideal = -np.log2(np.where(bits, odds, 65536 - odds) / 65536).sum()
    assert ideal <= size <= 1.001 * ideal + 16


_MEASURED = """
import sys
from pathlib import Path
from synth import cli
assert cli.main(sys.argv[1:]) == 0
text = Path("/proc/self/status").read_text()
print(text.split("VmHWM:")[1].split()[0])
"""


def peak(*arguments: object) -> int:
    """Megabytes that a command had at most."""
    command = [sys.executable, "-c", _MEASURED, *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=3000).stdout) // 1024


def long_file(path: Path, minutes: int) -> None:
    """Stereo of 44.1 kHz, of which every 32nd segment is noise and the others one value."""
    frames, most = minutes * 60 * 44100, 1 << 19
    noise = np.random.default_rng(1).integers(-3000, 3000, (most, 2)).astype("<i2")
    with open(path, "wb") as file:
        head = wav(b"", form(1, 2, 44100, 2))
        file.write(head[:4] + (36 + 4 * frames).to_bytes(4, "little") + head[8:40] + (4 * frames).to_bytes(4, "little"))
        for number, at in enumerate(range(0, frames, most)):
            block = noise if number % 32 == 3 else np.full((most, 2), number % 7, "<i2")
            file.write(block[: frames - at].tobytes())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as this system tells it")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks = []
    for minutes in (2, 8):
        source, made, back = (tmp_path / name for name in ("x.wav", "x.syn", "y.wav"))
        long_file(source, minutes)
        options = ["--threads", 2, "-q", "-f"]
        peaks.append(
            (
                peak("compress", source, "-o", made, "--level", "fast", *options),
                peak("decompress", made, "-o", back, *options),
            )
        )
        assert source.read_bytes() == back.read_bytes()
    for short, long in zip(*peaks, strict=True):
        assert long <= 300 and long <= short + 20, peaks
