"""Coders: each makes of WAVs what its decoder gives back, and says how large what it coded is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from parametric.files import RATE, read, resampled, write

Coded = tuple[Path, int, int | None]
"""A decoded WAV, bytes of the coded file, and of its packets alone where there are some."""
Coder = Callable[[list[Path], Path], Iterator[Coded]]
"""From WAVs and the folder that what is coded goes into."""


class Refused(Exception):
    """A coder is not there, or will not do it; the reason."""


def run(*command: object) -> None:
    """Run a program; Refused with the last line that it said where it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Refused(lines[-1])


def need(*programs: str) -> None:
    """Refused where a program is not installed."""
    if missing := [name for name in programs if not shutil.which(name)]:
        raise Refused(f"not installed: {', '.join(missing)}")


def codec2(mode: str, wavs: list[Path], folder: Path) -> Iterator[Coded]:
    """At 8 kHz; the bare stream of bits is counted. What is coded ends with silence, for whole frames and the delay."""
    need("c2enc", "c2dec")
    for path in wavs:
        out, bits = folder / path.name, folder / f"{path.stem}.bit"
        if not out.exists():
            low = resampled(read(path) / 32768, RATE, 8000)
            raw = folder / f"{path.stem}.raw"
            raw.write_bytes(np.pad(low, (0, -len(low) % 320 + 320)).astype("<i2").tobytes())
            run("c2enc", mode, raw, bits)
            run("c2dec", mode, bits, raw)
            write(out, resampled(np.frombuffer(raw.read_bytes(), "<i2") / 32768, 8000, RATE))
            raw.unlink()
        size = bits.stat().st_size - 40 * int(mode) // 8000  # 40 ms of silence, which a stream does not need
        yield out, size, size


def opus(rate: str, wavs: list[Path], folder: Path) -> Iterator[Coded]:
    """opusenc's defaults, but no comments and no 512 bytes kept for later ones; opusdec takes the pre-skip out."""
    need("opusenc", "opusdec")
    for path in wavs:
        out, coded = folder / path.name, folder / f"{path.stem}.opus"
        if not out.exists():
            part = folder / f"part-{os.getpid()}.wav"
            run("opusenc", "--quiet", "--bitrate", rate, "--discard-comments", "--padding", 0, path, coded)
            run("opusdec", "--quiet", "--rate", RATE, "--no-dither", coded, part)
            part.replace(out)
        yield out, coded.stat().st_size, packets(coded.read_bytes())


def packets(data: bytes) -> int:
    """Bytes of an Ogg stream's packets after the two of its head."""
    at, sizes, going = 0, [], 0
    while at < len(data):
        count = data[at + 26]
        table = data[at + 27 : at + 27 + count]
        for lacing in table:
            going += lacing
            if lacing < 255:
                sizes.append(going)
                going = 0
        at += 27 + count + sum(table)
    return sum(sizes[2:])


def ours(rate: str, python: str, checkpoint: str, wavs: list[Path], folder: Path) -> Iterator[Coded]:
    """Always anew: the checkpoint may be another one."""
    for old in [*folder.glob("*.syn"), *folder.glob("*.wav")]:
        old.unlink()
    compress = (python, "-m", "synth", "compress", "--mode", "parametric", "--bitrate", rate, "-c", checkpoint)
    # a checkpoint that is a file has to be named to the decoder as well
    named = ("-c", checkpoint) if Path(checkpoint).suffix else ()
    for group in (wavs[:1], wavs[1:]):  # one first: where the command refuses, it does so soon
        if group:
            coded = [folder / f"{path.stem}.syn" for path in group]
            target = folder if len(group) > 1 else coded[0]
            run(*compress, "-q", "-f", "-o", target, *group)
            back = folder if len(group) > 1 else folder / group[0].name
            run(python, "-m", "synth", "decompress", *named, "-q", "-f", "-o", back, *coded)
    for path in wavs:
        yield folder / path.name, (folder / f"{path.stem}.syn").stat().st_size, None


def coders(python: str, checkpoint: str) -> dict[str, Coder]:
    """All coders by name, in the order of the table."""
    named: dict[str, Coder] = {}
    for rate in ("0.8k", "1.6k", "3.2k", "6.4k"):
        named[f"synth {rate}"] = partial(ours, rate, python, checkpoint)
    for mode in ("1600", "3200"):
        named[f"codec2 {mode}"] = partial(codec2, mode)
    for rate in ("6", "9", "12"):
        named[f"Opus {rate}k"] = partial(opus, rate)
    return named
