"""What a voice hears is the same on every machine, by any linear algebra: the hashes in listened.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import listened

LIBRARY = np._core if hasattr(np, "_core") else np.core  # type: ignore[attr-defined]
DISPATCHED = " ".join(LIBRARY._multiarray_umath.__cpu_dispatch__)
"""What NumPy may be told to leave out: all that is not taken for granted of a processor."""


def test_the_sound_is_loud_faint_and_silent() -> None:
    for rate in (8000, 16000):
        sound = listened.sound(rate, 3 * rate)
        levels = np.abs(sound.astype(int)).reshape(16, -1).max(1)
        assert levels.max() > 20000 and levels[0] < 300 and levels[11] == 0 and len(np.unique(sound)) > 5000


def test_what_is_heard_is_what_other_machines_hear() -> None:
    assert listened.hashes() == listened.EXPECTED


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"},
        {"NPY_DISABLE_CPU_FEATURES": DISPATCHED},
    ],
)
def test_what_is_heard_by_any_library_and_instructions(variables: dict[str, str]) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS", "NPY_", "OMP_"))}
    program = [sys.executable, "-W", "ignore", str(Path(listened.__file__))]
    paths = os.pathsep.join(sys.path[:1] + [str(Path(listened.synth.__file__).parent.parent)])
    done = subprocess.run(program, env={**clean, "PYTHONPATH": paths, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = dict(line.strip(' ",').split('": "') for line in done.stdout.splitlines())
    assert found == listened.EXPECTED
