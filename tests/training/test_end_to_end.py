"""From a folder of sounds to new ones by the commands; kills at random moments; two processes; a sine by heart."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import small

torch = pytest.importorskip("torch")

from accelerate import Accelerator

import synth
from synth.audio import mulaw
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.nn.quantization import quantize
from synth.training.batches import StreamBatch
from synth.training.config import GeneratorTrainConfig
from synth.training.optimization import TrainState
from synth.training.predictor_fit import predict_codes, predictor_tensors
from synth.training.tasks.generator import train_step

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
STEPS = 60


def start(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """A Python process that finds synth and the tests' helpers; it must end well."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`synth` or `generate-audio`."""
    name, *rest = arguments
    body = {"synth": "main", "generate-audio": "generate_audio_main"}[str(name)]
    return start("-c", f"import sys; from synth.cli.entry import {body} as run; sys.exit(run())", *rest)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.corpus(tmp_path_factory.mktemp("tones") / "in", 24, 4000)


@pytest.fixture(scope="module")
def run(tones: Path) -> Path:
    """A run of the preset `tiny` by `synth train`, one process."""
    path = tones.parent / "run"
    options = ["--preset", "tiny", "--steps", STEPS, "--threads", 1, "-q"]
    command("synth", "train", tones, "-o", path, "--task", "generate", "--labels", small.PATTERN, *options)
    return path


def test_a_folder_of_tones_becomes_a_checkpoint_that_sounds(run: Path, tones: Path, tmp_path: Path) -> None:
    bits = small.state(run)[1]["recent"]
    assert len(bits) == STEPS and np.mean(bits[-5:]) < np.mean(bits[:5]) - 1
    out, began = tmp_path / "tones.safetensors", time.monotonic()
    command("synth", "export", run, out, "-q")
    assert time.monotonic() - began < 120
    before, after = checkpoint.load(out).info["float_and_integer"]["validation"]
    assert after < before * 1.01  # fine-tuning went on from the best weights
    command("generate-audio", tmp_path / "nearest.wav", "-c", out, "-n", 3, "--best", 1, "-d", 0.5, "-s", 3)
    labels = ["--label", "digit=1", "--label", "speaker=ann"]
    done = command("generate-audio", tmp_path / "a.wav", "-c", out, "-d", 1, "-s", 3, "--json", *labels)
    assert json.loads(done.stdout)["labels"] == {"digit": "1", "speaker": "ann"}
    wave, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (rate, len(wave)) == (8000, 8000) and np.abs(wave).max() > 300
    command("generate-audio", tmp_path / "b.wav", "-c", out, "-d", 1, "-s", 3, *labels)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    scored = json.loads(command("synth", "score", *sorted(tones.iterdir())[:4], "-c", out, "--json").stdout)
    assert scored["bits_per_sample"] < 7.8  # 8 is what knowing nothing costs


def test_two_processes_at_half_the_batch_follow_one(run: Path, tones: Path, tmp_path: Path) -> None:
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    two = tmp_path / "two"
    options = ["--preset", "tiny", "--steps", STEPS, "--device", "cpu", "--threads", 1, "-q"]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "synth"]
    start(*launch, "train", tones, "-o", two, "--task", "generate", "--labels", small.PATTERN, *options)
    one_bits, two_bits = (small.state(path)[1]["recent"] for path in (run, two))
    assert len(two_bits) == STEPS  # the same number of steps on the same batches: equal samples
    assert two_bits[0] == pytest.approx(one_bits[0], rel=0.005)
    assert np.mean(two_bits) == pytest.approx(np.mean(one_bits), rel=0.02)
    assert np.mean(two_bits[-10:]) == pytest.approx(np.mean(one_bits[-10:]), rel=0.02)
    one_log, two_log = small.records(run), small.records(two)
    assert [record["step"] for record in two_log] == [record["step"] for record in one_log]
    for key in ("validation", "validation_labels"):
        assert two_log[-1][key] == pytest.approx(one_log[-1][key], rel=0.02)


KILLED = """
import dataclasses, os, random, signal, sys, time
import torch
from torch.utils.tensorboard import SummaryWriter  # so that no child has to import it

from helpers import runs, small
from synth.training import loop
from synth.training.tasks import generator

corpus, whole, broken, seed = sys.argv[1:]
torch.set_num_threads(1)
generator.PRESETS["mini"] = small.MINI[0], dataclasses.replace(small.MINI[1], steps=32)
loop.SAVE_SECONDS = 0.0  # a state after every step

def go(run):
    try:
        runs.train([corpus], run, preset="mini", labels=small.PATTERN, resume=True, quiet=True, threads=1)
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException as error:
        print(error, file=sys.stderr)
        os._exit(1)
    os._exit(0)

def attempt(run, delay, number):
    child = os.fork()
    if child == 0:
        go(run)
    if number:
        time.sleep(delay)
        os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

began = time.monotonic()
assert attempt(whole, 0, 0) == 0
length, draw, ends = time.monotonic() - began, random.Random(int(seed)), []
for turn in range(24):
    number = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    ends.append(attempt(broken, draw.uniform(0, 0.4 * length), number))
    if ends[-1] == 0:
        break
ends.append(attempt(broken, 0, 0))
print(*ends)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_and_ctrl_c_at_random_moments_change_nothing(tmp_path: Path) -> None:
    corpus, seed = small.corpus(tmp_path / "in"), random.randrange(2**32)
    done = start("-c", KILLED, corpus, tmp_path / "whole", tmp_path / "broken", seed)
    ends = [int(end) for end in done.stdout.split()]
    print(f"seed {seed}: {ends}")
    assert set(ends) <= {0, -9, -2, -15, 130, 1} and ends[-1] == 0, done.stderr
    assert ends.count(-9) > 2, f"seed {seed}: {ends}"
    small.same(tmp_path / "whole", tmp_path / "broken")


def test_a_second_of_a_sine_known_by_heart_goes_on(tmp_path: Path) -> None:
    """440 Hz: the codes come again every 200 samples, so the network can know them all, and stay in phase."""
    wave = (16000 * np.sin(2 * np.pi * 440 / 8000 * np.arange(16000))).astype(np.int16)
    second, going_on = wave[:8000], wave[8000:]
    sound = mulaw.decode(mulaw.encode(second)).astype(np.float64)
    past = np.lib.stride_tricks.sliding_window_view(sound, 16)[:-1, ::-1]
    ridge = np.eye(16) * 1e-4 * np.trace(past.T @ past) / 16
    sizes = ModelConfig(8000, frame_units=32, sample_units=32, head_units=32)
    constants = predictor_tensors(sizes, np.linalg.solve(past.T @ past + ridge, past.T @ sound[16:]))
    c = GeneratorTrainConfig(steps=240, streams=8, span=1024, windows=4, window=128, warmup=32, rate=0.01)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    state, accelerator = TrainState.two_tier(sizes, 0, torch.device("cpu")), Accelerator(cpu=True)
    draw = np.random.default_rng(0)
    for step in range(c.steps):
        state.network.quantized = step >= 180
        starts = draw.integers(0, len(second) - c.span, c.streams)
        codes = mulaw.encode(np.stack([second[at : at + c.span] for at in starts]))
        windows = draw.integers(0, (c.span - c.window) // 16 + 1, (c.streams, c.windows)) * 16
        labels = np.zeros((c.streams, c.span // 16, 0), np.int64)
        batch = StreamBatch(codes, codes, labels, windows, np.zeros(c.streams, np.int64))
        train_step(state, c, batch, np.stack(predict_codes(codes, constants), 2), accelerator)
    torch.set_num_threads(threads)
    checkpoint.save(tmp_path / "sine.safetensors", sizes, quantize(state.network, constants), {})
    model = synth.load(tmp_path / "sine.safetensors")
    prime = second if model.engine.name == "native" else second[-2000:]
    made = model.generate(seconds=1, temperature=0, prime=(prime, 8000)).astype(np.float64) * 32768
    snr = 10 * np.log10(np.square(going_on.astype(np.float64)).sum() / np.square(made - going_on).sum())
    assert snr >= 20, snr
