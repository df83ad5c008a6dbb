"""The codec beside other lossless coders on files of one's own: whole files, in bytes and in time."""

from __future__ import annotations

import io
import lzma
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.audio.formats import pcm, riff_header
from synth.codec import decoder, encoder, network_choice, sources
from synth.codec.decoder import Decoder
from synth.common import files, input_file, limits
from synth.common.errors import AudioError, CodecError

PROGRAMS = (
    ("flac -8", "flac -8 -s -f --no-padding -o {out} {wav}", "flac -d -s -f -o {back} {out}"),
    ("wavpack -hhx6", "wavpack -hhx6 -q -y {wav} -o {out}", "wvunpack -q -y {out} -o {back}"),
    ("Monkey's Audio extra high", "mac {wav} {out} -c4000", "mac {out} {back} -d"),
    ("OptimFROG", "ofr --encode --silent {wav} --output {out}", "ofr --decode --silent {out} --output {back}"),
    ("sac", "sac --encode {wav} {out}", "sac --decode {out} {back}"),
)
"""Coders that are used where their program is found: name, how it encodes, how it decodes."""

Coder = Callable[[bytes, Path], tuple[int, float, float]]
"""From a WAV and an empty folder to the bytes that it takes, and the seconds of encoding and decoding."""


@dataclass(frozen=True)
class Sound:
    """A file's samples, in a plain WAV that every coder is given."""

    wav: bytes
    samples: int


def read(path: str) -> Sound:
    """The samples of a WAV, AIFF or FLAC file; AudioError or CodecError with its name."""
    files.check_input(path)
    with input_file.open_input(path) as source:
        sound = sources.open_sound(source, path, source.size)
        samples = sound.read(1 << 40 if sound.frames is None else sound.frames)
    if sound.encoding == "s8":
        raise AudioError(f"{path}: signed 8-bit samples, which no WAV has")
    if not len(samples):
        raise AudioError(f"{path}: has no samples")
    wav = riff_header.plain_head(sound, len(samples)) + pcm.pack(samples, sound.encoding, False)
    return Sound(wav + b"\0" * (len(wav) & 1), samples.size)


def run(paths: Sequence[str], tick: Callable[[int], Any]) -> dict[str, Any]:
    """What `synth bench --codec --json` reports: of each coder bytes, bits per sample, ratio, samples a second.

    Times are of one thread's wall clock, and of whole processes for the other coders. `tick` counts files.
    """
    sounds = [read(path) for path in paths]
    rows, failed = [], []
    for name, coder in coders():
        try:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(_row(name, coder, sounds, Path(folder), tick))
        except (OSError, subprocess.SubprocessError) as error:
            failed.append(f"{name}: {error}")
    whole = {"samples": sum(sound.samples for sound in sounds), "bytes": sum(len(sound.wav) for sound in sounds)}
    return {"files": len(sounds), **whole, "results": rows, "failed": failed}


def coders() -> list[tuple[str, Coder]]:
    """Ours at every level, without and with a network, the others that are found here, and xz."""
    coders: list[tuple[str, Coder]] = []
    for level in limits.LEVELS:
        for network in (
            (network_choice.NONE,) if level == limits.LEVELS[0] else (network_choice.NONE, network_choice.AUTO)
        ):
            coders.append((f"synth {level} -c {network}", _ours(level, network)))
    for name, encode, decode in PROGRAMS:
        if shutil.which(encode.split()[0]) and shutil.which(decode.split()[0]):
            coders.append((name, _theirs(encode, decode)))
    return [*coders, ("xz -9e", _xz)]


def _row(name: str, coder: Coder, sounds: Sequence[Sound], folder: Path, tick: Callable[[int], Any]) -> dict[str, Any]:
    size, encoding, decoding = 0, 0.0, 0.0
    for sound in sounds:
        one = coder(sound.wav, folder)
        size, encoding, decoding = size + one[0], encoding + one[1], decoding + one[2]
        tick(1)
    samples = sum(sound.samples for sound in sounds)
    return {
        "name": name,
        "bytes": size,
        "bits_per_sample": 8 * size / samples,
        "ratio": sum(len(sound.wav) for sound in sounds) / size,
        "encoded_samples_per_second": samples / encoding,
        "decoded_samples_per_second": samples / decoding,
    }


def _ours(level: str, network: str) -> Coder:
    def code(wav: bytes, _: Path) -> tuple[int, float, float]:
        out, back = io.BytesIO(), io.BytesIO()
        begin = time.perf_counter()
        sound = sources.open_sound(io.BytesIO(wav), "sound", len(wav))
        encoder.compress_stream(sound, out.write, effort=level, network=network)
        middle = time.perf_counter()
        decoder.decompress_stream(Decoder(io.BytesIO(out.getvalue()), "sound"), back.write)
        end = time.perf_counter()
        if back.getvalue() != wav:
            raise CodecError("what was written does not give the sound back; please report this")
        return len(out.getvalue()), middle - begin, end - middle

    return code


def _theirs(encode: str, decode: str) -> Coder:
    def code(wav: bytes, folder: Path) -> tuple[int, float, float]:
        names = {"wav": folder / "sound.wav", "out": folder / "coded", "back": folder / "back.wav"}
        names["wav"].write_bytes(wav)
        times = [time.perf_counter()]
        for command in (encode, decode):
            words = [word.format(**names) for word in shlex.split(command)]
            subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
            times.append(time.perf_counter())
        made = next(iter(folder.glob("coded*")))  # some add a suffix of their own
        size = made.stat().st_size
        for path in folder.iterdir():
            path.unlink()
        return size, times[1] - times[0], times[2] - times[1]

    return code


def _xz(wav: bytes, _: Path) -> tuple[int, float, float]:
    begin = time.perf_counter()
    data = lzma.compress(wav, preset=9 | lzma.PRESET_EXTREME)
    middle = time.perf_counter()
    lzma.decompress(data)
    return len(data), middle - begin, time.perf_counter() - middle
