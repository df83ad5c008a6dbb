"""What goes wrong while files are compressed: nothing partial under the final name, the input as it was, one line."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import checkpoints
from helpers.packed import form, wav, wav16
from helpers.tools import command, error_line, run

from synth import engine
from synth.checkpoint import registry
from synth.cli import entry
from synth.codec import decoder, encoder
from synth.codec import sources as codec
from synth.codec.container_writer import ContainerWriter
from synth.codec.decoder import Decoder
from synth.codec.header import Header
from synth.common import new_file
from synth.common.errors import CheckpointError, CodecError, OutputError
from synth.generation import checkpoint

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
SEED = 4


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@functools.cache
def noise(seconds: int) -> bytes:
    """A WAV whose every second takes its time; at 1 kHz, so that it has several segments."""
    samples = np.random.default_rng(SEED).integers(-9000, 9000, seconds * 1000).astype("<i2")
    return wav(samples.tobytes(), form(1, 1, 1000, 2))


@functools.cache
def compressed(file: bytes) -> bytes:
    return run("synth", "compress", "-", "--level", "fast", "-q", "--threads", 1, input=file).stdout


def started(*arguments: object) -> subprocess.Popen[bytes]:
    """A command that has begun to write its output."""
    process = subprocess.Popen(command("synth", *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not any(name.endswith(".part") and os.path.getsize(name) for name in os.listdir()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.005)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_a_process_that_is_ended_leaves_no_output(name: str, number: signal.Signals) -> None:
    source, out = ("x.wav", "out.syn") if name == "compress" else ("x.syn", "out.wav")
    content = noise(500) if name == "compress" else compressed(noise(500))
    Path(source).write_bytes(content)
    options = ["--level", "fast"] if name == "compress" else []
    with started(name, source, "-o", out, "-q", *options) as process:
        process.send_signal(number)
        assert process.wait(60) == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)
        assert process.stderr and process.stderr.read() == {signal.SIGINT: f"synth {name}: interrupted\n".encode()}.get(
            number, b""
        )
    left = [left for left in os.listdir() if left != source]
    assert not left or number == signal.SIGKILL and len(left) == 1 and left[0].endswith(".part")
    assert Path(source).read_bytes() == content


@functools.cache
def long(name: str) -> bytes:
    """What keeps the kernel busy for many seconds with its first segment, at effort max."""
    channels, frames = 8, encoder.SAMPLES // 8
    if name == "compress":
        return wav(np.random.default_rng(SEED).bytes(2 * encoder.SAMPLES), form(1, channels, 44100, 2))
    out = io.BytesIO()
    writer = ContainerWriter(out.write, Header("wav", "s16", channels, 44100, "max", frames, plain=True))
    writer.coded(frames, b"\x80" + bytes(99))
    writer.end(bytes(16))
    return out.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="reads what this system tells of a process")
@pytest.mark.parametrize(
    "name,files,threads,number",
    [
        ("compress", 1, 1, signal.SIGINT),
        ("compress", 3, 2, signal.SIGINT),
        ("compress", 3, 2, signal.SIGTERM),
        ("decompress", 1, 2, signal.SIGINT),
        ("decompress", 3, 2, signal.SIGINT),
        ("verify", 1, 1, signal.SIGINT),
    ],
)
def test_a_process_in_the_kernel_ends_at_once(name: str, files: int, threads: int, number: signal.Signals) -> None:
    """One that waited for its segment would take longer."""
    sources = [f"{i}.wav" if name == "compress" else f"{i}.syn" for i in range(files)]
    for source in sources:
        Path(source).write_bytes(long(name))
    options = {"compress": ["--level", "max", "-c", "none"], "decompress": [], "verify": []}[name]
    arguments = command("synth", name, *sources, "-q", "--threads", threads, *options)
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        begun = _seconds(process.pid)
        while _seconds(process.pid) < begun + 2:  # by now it is in the kernel, whatever it had to load
            assert process.poll() is None
            time.sleep(0.02)
        assert sum(left.endswith(".part") for left in os.listdir()) == (0 if name == "verify" else min(files, threads))
        process.send_signal(number)
        sent = time.monotonic()
        assert process.wait(60) == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
        assert time.monotonic() - sent < 2, "half a second, where nothing else runs"
        line = process.stderr.read() if process.stderr else None
    assert line == (f"synth {name}: interrupted\n".encode() if number == signal.SIGINT else b"")
    assert sorted(os.listdir()) == sources


def _seconds(process: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_full_disk_leaves_no_output() -> None:
    """A limit on the size of files stands in for it."""
    import resource

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    for name, content in (("x.wav", noise(10)), ("x.syn", compressed(noise(10)))):
        Path(name).write_bytes(content)
        job = "compress" if name == "x.wav" else "decompress"
        done = run("synth", job, name, "-o", f"out{'.syn' if name == 'x.wav' else '.wav'}", preexec_fn=small)
        assert ": can't be written (File too large)" in error_line(done, 1, f"synth {job}")
        assert os.listdir() == [name] and Path(name).read_bytes() == content
        os.remove(name)


def synth(*arguments: object) -> int:
    """`synth` in this process."""
    return entry.main([str(argument) for argument in arguments])


def test_a_file_that_gets_shorter_while_it_is_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("x.wav").write_bytes(noise(100))
    real = new_file.NewFile.write

    def write(self: new_file.NewFile, data: bytes) -> None:
        os.truncate("x.wav", 70000)
        real(self, data)

    monkeypatch.setattr(new_file.NewFile, "write", write)
    assert synth("compress", "x.wav", "-q", "--level", "fast") == 1
    assert capfd.readouterr().err.startswith("synth compress: error: x.wav: ")
    assert os.listdir() == ["x.wav"]


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_another_name_of_the_input_is_no_output(link: Any, capfd: pytest.CaptureFixture[str]) -> None:
    content = wav16(100)
    Path("x.wav").write_bytes(content)
    link("x.wav", "y.syn")
    assert synth("compress", "x.wav", "-o", "y.syn", "-f") == 2
    assert "y.syn: is the input x.wav too" in capfd.readouterr().err
    assert Path("x.wav").read_bytes() == Path("y.syn").read_bytes() == content


def test_an_output_that_appears_meanwhile_is_kept(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("x.wav").write_bytes(wav16(100))
    real = encoder.compress_stream

    def compress(*arguments: Any, **rest: Any) -> Any:
        Path("x.syn").write_bytes(b"precious")
        return real(*arguments, **rest)

    monkeypatch.setattr(encoder, "compress_stream", compress)
    assert synth("compress", "x.wav", "-q", "--level", "fast") == 1
    assert "x.syn: exists already; -f overwrites it" in capfd.readouterr().err
    assert Path("x.syn").read_bytes() == b"precious" and sorted(os.listdir()) == ["x.syn", "x.wav"]


@pytest.fixture(scope="module")
def listened(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, str]:
    """A WAV, its .syn file with three segments and a network that listens, and the network."""
    path = str(tmp_path_factory.mktemp("network") / f"least{registry.SUFFIX}")
    checkpoint.save(path, checkpoints.NETWORKS["least"][0], checkpoints.tensors("least"), {"licence": "none"})
    file, out = wav16(60, rate=20), io.BytesIO()
    sound = codec.open_sound(io.BytesIO(file), "x.wav", len(file))
    encoder.compress_stream(sound, out.write, network=path, segment=20)
    assert _unpacked(out.getvalue(), path) == file
    return file, out.getvalue(), path


def _unpacked(data: bytes, network: str, salvage: bool = False) -> bytes:
    out = io.BytesIO()
    decoder.decompress_stream(
        Decoder(io.BytesIO(data), "x.syn", checkpoint=network, seekable=salvage, salvage=salvage), out.write
    )
    return out.getvalue()


def test_every_flipped_bit_is_named_with_its_segment(listened: tuple[bytes, bytes, str]) -> None:
    _, data, network = listened
    blocks = Decoder(io.BytesIO(data), "x.syn", seekable=True).blocks()[:-1]
    for at in range(len(data)):
        bad = bytearray(data)
        bad[at] ^= 1 << at % 8
        with pytest.raises((CodecError, CheckpointError), match="^x.syn: ") as caught:
            _unpacked(bytes(bad), network)
        text = str(caught.value)
        for number, block in enumerate(blocks, 1):
            if block.at + 3 <= at < block.at + block.size:
                start = f"segment {number} ({number - 1}.00 s to {number}.00 s) is damaged"
                assert start in text, (at, text)


def test_every_cut_is_refused_and_what_is_before_it_can_be_saved(listened: tuple[bytes, bytes, str]) -> None:
    file, data, network = listened
    blocks = Decoder(io.BytesIO(data), "x.syn", seekable=True).blocks()
    for length in range(len(data)):
        with pytest.raises(CodecError, match="^x.syn: "):
            _unpacked(data[:length], network)
        whole = sum(block.at + block.size <= length for block in blocks[:-1])
        if whole:
            saved = _unpacked(data[:length], network, salvage=True)
            assert saved == file[: 44 + 40 * whole] + bytes(40 * (3 - whole))


def test_a_newer_version_is_refused_by_name(listened: tuple[bytes, bytes, str]) -> None:
    data = listened[1]
    Path("x.syn").write_bytes(data[:3] + b"\x06" + data[4:])
    for name in ("decompress", "verify", "info"):
        text = error_line(run("synth", name, "x.syn"), 1, f"synth {name}")
        assert "x.syn: is of version 6 of the format; this synth reads up to 5: it takes a newer one" in text
    assert os.listdir() == ["x.syn"]


def test_threads_change_no_byte() -> None:
    Path("x.wav").write_bytes(noise(130))
    sums = set()
    for threads in (1, 2, 5):
        assert synth("compress", "x.wav", "-o", "x.syn", "-f", "-q", "--level", "fast", "--threads", threads) == 0
        sums.add(hashlib.sha256(Path("x.syn").read_bytes()).hexdigest())
        assert synth("decompress", "x.syn", "-o", "y.wav", "-f", "-q", "--threads", threads) == 0
        assert Path("y.wav").read_bytes() == noise(130)
    assert len(sums) == 1


def test_a_folder_that_vanishes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir("there")
    with pytest.raises(OutputError, match="there/x.syn: can't be written"), new_file.NewFile("there/x.syn") as new:
        os.remove(Path("there", os.listdir("there")[0]))
        os.rmdir("there")
        new.write(b"data")
