"""Moving sounds from one label to another among a voice's vectors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import voices
from helpers.voices import LABELS, NETWORK

from synth.common.errors import CheckpointError
from synth.common.labels import LabelSet
from synth.generation import checkpoint
from synth.vocoder import label_means
from synth.vocoder.label_means import STRENGTH, measure, moved

AB = LabelSet((("who", ("a", "b")), ("what", ("x", "y", "z"))))
CENTRES = {(who, what): np.array([4.0 * who, 1.0 * what, 0.5], np.float32) for who in (1, 2) for what in (1, 2)}


def heard(rows: tuple[int, ...], seed: int = 0, frames: int = 50) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, (frames, 3))
    return (CENTRES[rows[0], rows[1]] + noise).astype(np.float32)


MEANS = measure(AB, [(rows, heard(rows, seed)) for seed in range(10) for rows in CENTRES])


def test_means_are_those_of_each_value() -> None:
    np.testing.assert_allclose(MEANS["means.label.0"][:, 0], [4, 8], atol=0.05)
    np.testing.assert_allclose(MEANS["means.label.1"][:2, 1], [1, 2], atol=0.05)
    np.testing.assert_allclose(MEANS["means.label.1"][2], [6, 1.5, 0.5], atol=0.05)  # no file is "z": the mean of all
    kinds = {name: (t.dtype.name, t.shape) for name, t in MEANS.items()}
    assert kinds == label_means.layout(AB, 3)


@pytest.mark.parametrize("source", CENTRES)
@pytest.mark.parametrize("wanted", [1, 2])
def test_a_sound_goes_where_the_label_is_and_keeps_the_rest(source: tuple[int, int], wanted: int) -> None:
    vectors = heard(source, 99)
    found = moved(vectors, (wanted, 0), MEANS)
    step = STRENGTH * 4 * (wanted - source[0])
    np.testing.assert_allclose(found - vectors, np.tile([step, 0, 0], (50, 1)), atol=0.2)


def test_nothing_wanted_or_nothing_known_moves_nothing() -> None:
    vectors = heard((1, 2))
    np.testing.assert_array_equal(moved(vectors, (0, 0), MEANS), vectors)
    np.testing.assert_array_equal(moved(vectors, (2, 1), {}), vectors)


def test_checkpoints_hold_them_and_refuse_others() -> None:
    voice = voices.voice(filtered=True)
    found = checkpoint.decode(checkpoint.encode(NETWORK, voices.network(), {}, voice))[3]
    assert found is not None and found.means.keys() == label_means.layout(LABELS, 8).keys()
    for name, value in (("spread", np.zeros(8, np.float32)), ("label.1", np.full((2, 8), np.nan, np.float32))):
        changed = voices.voice(filtered=True)
        changed.means[f"means.{name}"] = value
        with pytest.raises(CheckpointError, match=f"tensor means.{name}"):
            checkpoint.encode(NETWORK, voices.network(), {}, changed)
