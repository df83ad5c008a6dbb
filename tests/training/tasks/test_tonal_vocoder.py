"""Training a voice with a tonal bed: exact resume, a checkpoint that speaks, a cache that is made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import tonal_voices

torch = pytest.importorskip("torch")

from helpers import bed_training

from synth.common.errors import CorpusError
from synth.data.corpus import open_cache
from synth.training.locked_batches import LockedBatches, louder
from synth.training.locked_corpus import narrowed, open_locked
from synth.training.tasks import vocoder as vocoder_task
from synth.vocoder.config import VocoderConfig
from synth.vocoder.tonal import SoundAnalysis

TINY_RUN = bed_training.tiny_run(VocoderConfig(mels=8, latent=9, quantisers=3, encoder_units=16, units=16, tones=16))


@pytest.fixture(scope="module")
def whole(sounds_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tonal") / "run"
    TINY_RUN.begin(sounds_folder, run)
    return run


def test_a_run_goes_on_exactly(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    bed_training.check_resume(TINY_RUN, whole, sounds_folder, tmp_path / "run")


def test_the_export_speaks(whole: Path, tmp_path: Path) -> None:
    bed_training.check_export(whole, tmp_path / "voice.safetensors", tonal_voices.vowel(4000))


def test_batches_are_a_function_of_seed_and_step(whole: Path) -> None:
    corpus = open_cache(whole / "cache")
    config = VocoderConfig.from_json(vocoder_task.configs(small_options(whole))[2].to_json())
    locked = open_locked(corpus, config)
    whole_numbers = {"streams": 3, "span": 640, "windows": 2, "window": 64, "hop": 16, "seed": 1}
    batches = [LockedBatches(locked, config, 2, 8000, **whole_numbers, gain_db=6.0, noise=2.0) for _ in range(2)]
    one, two = (each.batch(5) for each in batches)
    assert one.features is not None and two.features is not None and one.phases is not None
    for name in ("codes", "input_codes", "features", "phases", "windows", "labels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.features.shape == (3, 8, config.inputs) and one.phases.shape == (3, 640)
    assert np.isfinite(one.features).all() and len(np.unique(one.phases)) > 20


def small_options(run: Path) -> dict[str, object]:
    from synth.training.run_folder import RunFolder

    return RunFolder(run).options()


def test_features_of_louder_sound_are_computed() -> None:
    sound, config = tonal_voices.vowel(4000), tonal_voices.VOCODER
    rows = []
    for gain in (1, 2):
        analysis = SoundAnalysis(config, 8000)
        rows.append(np.concatenate([analysis.push((sound * gain).astype(np.int16)), analysis.finish()]))
    np.testing.assert_allclose(louder(rows[0], 2.0, config), rows[1], atol=0.3)  # faint tones are rounded


def test_files_come_a_second_time_at_half_the_rate(whole: Path, tmp_path: Path) -> None:
    for name in ("audio.i16", "index.json"):
        (tmp_path / name).write_bytes((whole / "cache" / name).read_bytes())
    corpus, config = open_cache(tmp_path), vocoder_task.configs(small_options(whole))[2]
    plain = open_locked(open_cache(whole / "cache"), config)
    locked = open_locked(corpus, config, narrow=0.5)
    counts = [len(each.split("train")) for each in (plain, locked)]
    assert counts[0] < counts[1] < 2 * counts[0]
    assert [len(each.split("validation")) for each in (plain, locked)] == [len(plain.split("validation"))] * 2
    names = [file.name for file in locked.split("train")]
    again = next(file for at, file in enumerate(locked.files) if file.name in [f.name for f in locked.files[:at]])
    assert names.count(again.name) == 2
    first = next(file for file in locked.files if file.name == again.name)
    bands = [
        np.asarray(locked.features[f.start // locked.hop : (f.start + f.length) // locked.hop, : config.mels]).max(0)
        for f in (first, again)
    ]
    assert bands[1][-1] < bands[0][-1] - 2 and abs(bands[1][0] - bands[0][0]) < 1
    with pytest.raises(CorpusError, match="delete it"):
        open_locked(corpus, config)


def test_half_the_rate_leaves_what_is_low() -> None:
    draw = np.random.Generator(np.random.Philox(key=[1, 0]))
    time = np.arange(4001)
    low, high = (8000 * np.sin(2 * np.pi * place * time) for place in (0.05, 0.4))
    after = narrowed(np.rint(low + high).astype(np.int16), 0.0, draw)
    assert after.dtype == np.int16 and len(after) == 4001
    np.testing.assert_allclose(after[200:-200], low[200:-200], atol=100)
    noisy = narrowed(np.zeros(4000, np.int16), 30.0, draw)
    assert 10 < noisy.std() < 30
