"""Damaged and forged .syn files and segments: a clear error or right audio, in bounded time and memory."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz import files, forge
from fuzz import run as fuzzing
from golden import run as golden
from helpers.segments import SHAPES

from synth import engine
from synth.codec import lossless
from synth.common.errors import CodecError

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as this system tells it")
def test_files() -> None:
    """10,000, in a process of bounded memory."""
    done = subprocess.run([sys.executable, files.__file__, "10000", "1"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.match(r"10000 mutants: .*\d{4} refused, \d{3,} right, \d{3,} saved\n", done.stdout), done.stdout


def test_segments() -> None:
    """10,000 by the compiled codec; segments.cpp does the same under sanitizers."""
    draw = random.Random(1)
    for number in range(250):
        name, effort = draw.choice([name for name in SHAPES if name != "nothing"]), draw.choice(["fast"] * 6 + ["max"])
        samples, bits = SHAPES[name]
        data = lossless.encode_segment(samples, bits, effort)
        bound = 1 << (bits - 1)
        for _ in range(40):
            bad = forge.damage(draw, data)
            try:
                back = lossless.decode_segment(bad, *samples.shape, bits, effort)
            except CodecError as error:
                assert str(error) == "segment: damaged", number
            else:
                assert -bound <= back.min() and back.max() < bound and back.shape == samples.shape, number


def test_what_is_taken_apart_goes_together_again(tmp_path: Path) -> None:
    draw, network = random.Random(2), files.small_checkpoint(str(tmp_path))
    for _ in range(30):
        case = files.make_case(draw, network)
        header = b"".join(case.units[0].fields)
        assert b"".join(unit.joined(header, True) for unit in case.units) == case.data


def test_a_fault_in_the_reader_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that lets other samples pass."""
    from synth.codec import decoder

    monkeypatch.setattr(decoder.Decoder, "_check_end", lambda *_: None)
    monkeypatch.setattr(
        lossless, "decode_segment", lambda data, frames, channels, *_: np.zeros((frames, channels), int)
    )
    with pytest.raises(AssertionError):
        files.fuzz(2000, 3, files.small_checkpoint(str(tmp_path)))


@pytest.mark.slow
@pytest.mark.timeout(900)  # it compiles twice, beside other tests
def test_segments_under_sanitizers() -> None:
    if reason := fuzzing.lacking():
        pytest.skip(reason)
    program = fuzzing.build(golden.FOLDER)
    for done in (fuzzing.segments(program, 20_000, 9), fuzzing.residuals(program, 20_000, 9)):
        assert done.returncode == 0, done.stdout
        assert done.stdout.startswith("200")
