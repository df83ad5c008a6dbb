"""Reads damaged and forged .syn files: a clear error or right audio, and no more memory than a bound.

python tests/fuzz/files.py COUNT SEED [wide]

`wide`: of samples of 32 bits alone. Under AddressSanitizer (a kernel built with it, its runtime preloaded) memory is
not bounded. Files are of 64 to 256 samples, of every kind, layout and effort. The most that a block may hold is made
small here, so that no file takes long. Ends with 1, and says which file did it, where something else happens.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

# E402: as a script it finds these only from here on
from fuzz.forge import Unit, damage, forge, parse
from golden import checkpoints
from helpers.packed import chunk, form, tones, wav

from synth.audio import mulaw
from synth.audio.formats import pcm
from synth.checkpoint import registry
from synth.codec import api, container, decoder, encoder, segments, sources
from synth.codec.decoder import Decoder
from synth.common.errors import CheckpointError, CodecError, OutputError
from synth.generation import checkpoint

MEMORY = 192 << 20
"""Bytes of address space that the process may take beyond what it has when it begins."""
SECONDS, MAX_BACK = 2, 1 << 18
WIDE = ("float32", "int32")
CODES = {"u8": 1, "s16": 1, "s24": 1, "s32": 1, "f32": 3, "alaw": 6, "mulaw": 7, "float32": 3, "int32": 1}


@dataclass(frozen=True)
class Case:
    """A .syn file and what it must give."""

    data: bytes
    units: list[Unit]
    bytes_back: bytes
    checkpoint: str


class Long(Exception):
    """More than `MAX_BACK` frames come back: a few bytes can say that hours are silent, or lost."""


class Sink(io.BytesIO):
    """What comes back."""

    frames = 0

    def tick(self, frames: int) -> None:
        self.frames += frames
        if self.frames > MAX_BACK:
            raise Long


def small_checkpoint(folder: str) -> str:
    """A network that listens to some of the files."""
    name, path = "least", Path(folder, f"least{registry.SUFFIX}")
    checkpoint.save(path, checkpoints.NETWORKS[name][0], checkpoints.tensors(name), {"licence": "none"})
    return str(path)


def _samples(draw: random.Random, frames: int, channels: int, bits: int) -> Any:
    kind = draw.randrange(8)
    samples = tones(frames, channels, bits, draw.randrange(1000))
    if kind == 1:
        samples[:] = samples[:1]
    elif kind == 2:
        samples[:] = samples[:, :1] * np.resize([1, -1], channels)
    elif kind == 3 and bits == 16:
        samples = mulaw.DECODE[mulaw.ENCODE[samples + 32768]].astype(np.int32)
    elif kind == 4:
        samples = np.resize(np.sort(samples[:, 0]), 9)[samples % 9]
    elif kind == 5:
        samples = samples >> 3 << 3
    elif kind == 6:
        samples = samples[np.arange(frames) % draw.choice([2, 3, 7, max(2, frames // 3)])]
    elif kind == 7:
        samples = np.frombuffer(draw.randbytes(4 * samples.size), np.int32).reshape(samples.shape) >> 32 - bits
    return samples


def _flac(samples: Any) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int16), 8000, "PCM_16", format="FLAC")
    return file.getvalue()


def make_case(draw: random.Random, network: str, encodings: Sequence[str] = tuple(sorted(CODES))) -> Case:
    """A file of 64 to 256 samples."""
    encoding, channels = draw.choice(encodings), draw.choice([1, 1, 1, 2, 2, 3, 8])
    effort = draw.choice(["fast", "fast", "fast", "balanced", "max"])
    frames = draw.choice([64, 64, 80, 100, 256]) // channels
    bits = pcm.BITS[encoding]
    samples = _samples(draw, frames, channels, bits)
    if encoding == "float32" and draw.random() < 0.8:
        gain = draw.choice([2.0**-31, 2.0**-30 / 3, 1.0])
        samples = ((samples >> draw.choice([0, 8, 16])) * gain).astype(np.float32).view(np.int32)
    shape = form(CODES[encoding], channels, 8000, pcm.WIDTH[encoding], draw.random() < 0.3)
    around = (chunk(b"bext", b"abc"), chunk(b"LIST", b"INFO" * 9)) if draw.random() < 0.3 else (b"", b"")
    file = wav(pcm.pack(samples, encoding, False), shape, *around)
    if encoding == "s16" and draw.random() < 0.2:
        file = _flac(samples)
    listening = network if effort != "fast" and draw.random() < 0.4 else "none"
    out = io.BytesIO()
    sound = sources.open_sound(io.BytesIO(file), "x.wav", None if draw.random() < 0.5 else len(file))
    segment = draw.choice([None, 20, 31, 64])
    mode = "lossless" if draw.random() < 0.9 else "mulaw"
    encoder.compress_stream(sound, out.write, effort=effort, mode=mode, network=listening, segment=segment)
    back = io.BytesIO()
    decoder.decompress_stream(Decoder(io.BytesIO(out.getvalue()), "x.syn", checkpoint=network), back.write)
    assert file[:4] == b"fLaC" or mode == "mulaw" or back.getvalue() == file
    return Case(out.getvalue(), parse(out.getvalue()), back.getvalue(), network)


def attempt(draw: random.Random, case: Case, data: bytes, forged: bool) -> str:
    """What became of a file: refused, right, saved or long; AssertionError where that is not what it should be."""
    way = draw.choice(["whole", "whole", "whole", "samples", "array", "salvage", "part"])
    out = Sink()
    try:
        if way == "array":
            api.decompress(data, checkpoint=case.checkpoint)
            return "right"
        seekable = way in ("salvage", "part")
        opened = Decoder(
            io.BytesIO(data), "x.syn", seekable=seekable, salvage=way == "salvage", checkpoint=case.checkpoint
        )
        if way == "samples":
            return _hashed(opened, data)
        decoder.decompress_stream(opened, out.write, opened.limit(0.001, 0.01) if way == "part" else None, out.tick)
    except (CodecError, CheckpointError, OutputError) as error:
        text = str(error)
        assert "\n" not in text and text.startswith(("x.syn: ", "compressed audio: ")), text
        assert not isinstance(error, OutputError) or "FLAC" in text or "can't be written" in text, text
        return "refused"
    except Long:
        assert forged, "more came back than there was"
        return "long"
    assert forged or way != "whole" or out.getvalue() == case.bytes_back, "another file came back"
    assert way != "salvage" or all("\n" not in text for text in opened.damages)
    return "saved" if way == "salvage" else "right"


def _hashed(opened: Decoder, data: bytes) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    for piece in opened.pieces():
        if not isinstance(piece, bytes):
            md5.update(pcm.hashed_bytes(piece, opened.header.encoding))
    assert md5.digest() in data, "samples that don't have the file's MD5"
    return "right"


def fuzz(
    count: int, seed: int, network: str, per_file: int = 100, encodings: Sequence[str] = tuple(sorted(CODES))
) -> Counter[str]:
    """What became of `count` mutants."""
    tally: Counter[str] = Counter()
    for number in range(-(-count // per_file)):
        draw = random.Random(f"{seed} {number}")
        case, other = make_case(draw, network, encodings), make_case(draw, network, encodings)
        for i in range(per_file):
            forged = draw.random() < 0.85
            data = forge(draw, case.units, other.units) if forged else damage(draw, case.data)
            try:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                tally[attempt(draw, case, data, forged)] += 1
                signal.setitimer(signal.ITIMER_PROF, 0)
            except BaseException:
                print(f"seed {seed}, file {number}, mutant {i}: {data.hex()}", file=sys.stderr)
                raise
    return tally


def _late(*_: object) -> None:
    raise TimeoutError(f"took more than {SECONDS} s of processor time")


def main(count: int, seed: int, encodings: Sequence[str] = tuple(sorted(CODES))) -> int:
    """`fuzz` in bounds of memory and time."""
    container.MAX_SAMPLES, container.MAX_CONSTANT, segments.MIN_SAVED = 4096, 1 << 14, 8
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _late)
    with tempfile.TemporaryDirectory() as folder:
        network = small_checkpoint(folder)
        fuzz(200, seed + 1, network)  # loads all that will be used
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        if "asan" not in os.environ.get("LD_PRELOAD", ""):
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
        try:
            tally = fuzz(count, seed, network, encodings=encodings)
        except BaseException:
            traceback.print_exc()
            return 1
    print(f"{sum(tally.values())} mutants: " + ", ".join(f"{tally[what]} {what}" for what in sorted(tally)))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), WIDE if sys.argv[3:] == ["wide"] else sorted(CODES)))
