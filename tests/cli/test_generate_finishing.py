"""`generate-audio` with what is done to a whole sound: loops, beats, fades, levels, rates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.tools import generate, made, samples


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_bar_loops() -> None:
    done = generate("x.wav", "-s", 3, "--loop", "--beats", 2, "--bpm", 240)
    assert done.returncode == 0 and b"0.5 s at 8000 Hz" in done.stderr
    whole, loop = made(samples=4800, seed=3), samples("x.wav")
    assert len(loop) == 4000
    np.testing.assert_array_equal(loop[800:], whole[800:4000])
    assert b"smpl" in Path("x.wav").read_bytes()[44 + 8000 :]


def test_levels_and_rates_are_said_and_kept() -> None:
    done = generate("x.flac", "-s", 3, "-d", 0.5, "--normalize", -3, "--rate", 22050, "--fade", 0.05, "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["sample_rate"] == 22050 and report["seconds"] == 0.5 and report["normalize"] == -3
    wave, rate = soundfile.read("x.flac", dtype="int16")
    assert rate == 22050 and len(wave) == 11025 == report["files"][0]["samples"]
    assert np.abs(wave.astype(int)).max() == pytest.approx(32767 * 10 ** (-3 / 20), abs=1) and abs(int(wave[0])) < 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--beats", 4), "--bpm"),
        (("--bpm", 120), "--beats"),
        (("--beats", 4, "--bpm", 120, "-d", 1), "--duration"),
        (("--loop", "--fade", 0.1), "--fade"),
        (("--loop", "--play"), "--play"),
        (("--normalize", 3), "--normalize"),
        (("--rate", 5), "--rate"),
    ],
)
def test_what_does_not_fit_is_refused(options: tuple[object, ...], message: str) -> None:
    done = generate("x.wav", *options)
    text = done.stderr.decode()
    assert done.returncode == 2 and message in text and text.count("\n") == 1 and not Path("x.wav").exists()


def test_two_channels_are_two_seeds() -> None:
    done = generate("x.wav", "-n", 2, "-s", 5, "-d", 0.25, "--channels", 2, "--threads", 1)
    assert done.returncode == 0
    for number, seed in ((1, 5), (2, 7)):
        wave, rate = soundfile.read(f"x-{number}.wav", dtype="int16")
        assert wave.shape == (2000, 2) and rate == 8000
        for channel in range(2):
            np.testing.assert_array_equal(wave[:, channel], made(samples=2000, seed=seed + channel))


def test_two_channels_of_a_loop_keep_their_balance() -> None:
    done = generate("x.flac", "-s", 5, "-d", 0.25, "--channels", 2, "--loop", "--normalize", -1)
    assert done.returncode == 0
    wave = soundfile.read("x.flac", dtype="int16")[0].astype(float)[500:]
    plain = np.stack([made(samples=2000, seed=seed) for seed in (5, 6)], 1).astype(float)[500:]
    gain = (wave * plain).sum() / (plain * plain).sum()
    np.testing.assert_allclose(wave, gain * plain, atol=1)


def test_two_channels_in_a_pipe_have_their_header() -> None:
    done = generate("-", "-s", 5, "--samples", 100, "--channels", 2)
    assert done.returncode == 0 and len(done.stdout) == 44 + 400
    assert done.stdout[22:24] == b"\x02\x00" and done.stdout[32:34] == b"\x04\x00"
    raw = generate("-", "-s", 5, "--samples", 100, "--channels", 2, "--format", "raw")
    assert raw.stdout == done.stdout[44:]
