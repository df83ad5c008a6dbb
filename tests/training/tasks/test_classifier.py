"""Training a classifier: the loop's guarantees, targets, tags, what is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small, sounds

torch = pytest.importorskip("torch")

from helpers import runs

from synth.audio.reader import read
from synth.common.errors import CorpusError, RunError, UsageError
from synth.data.build import build
from synth.recognition import classifier as recogniser
from synth.recognition import config as config_module
from synth.training import config as hearing
from synth.training.export import export
from synth.training.tasks import classifier

SPLIT = "validation:take=1"


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    """Small networks and short schedules for the tests of this file, one thread."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            classifier,
            "ClassifierTrainConfig",
            lambda **given: hearing.ClassifierTrainConfig(
                **{"steps": 6, "every": 3, "batch": 6, "longest": 0.2, **given}
            ),
        )
        patch.setattr(classifier, "UNITS", {"gru": 8, "cnn": 8})
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.corpus(tmp_path_factory.mktemp("corpus") / "in")


def begin(corpus: Path, run: Path, **options: Any) -> None:
    given = {"labels": small.PATTERN, "split": SPLIT, "target": ["digit", "speaker"], **options}
    runs.train([corpus], run, **{"task": "classify", "quiet": True, "threads": 1, **given})


go_on = runs.go_on


@pytest.fixture(scope="module")
def whole(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    begin(tones, run)
    return run


def test_a_run_leaves_state_and_log(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert names == {"run.json", "log.jsonl", "lock", "cache", "tensorboard", "last.safetensors", "best.safetensors"}
    log = small.records(whole)
    assert [record["step"] for record in log] == [3, 6]
    for record in log:
        assert record.keys() == {"step", "train", "validation", "digit_accuracy", "speaker_accuracy"}
        assert 0 <= record["digit_accuracy"] <= 1
    assert small.state(whole)[1]["best"] == min(record["validation"] for record in log)


@pytest.mark.parametrize("stops", [[1], [3], [2, 5]])
def test_n_plus_m_steps_equal_n_stop_resume_m(stops: list[int], whole: Path, tones: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(tones, run, until=stops[0])
    for until in [*stops[1:], None]:
        torch.manual_seed(99)  # what was drawn before a stop must not matter
        go_on(run, until=until)
    small.same(whole, run)


def test_a_gru_of_cepstra_goes_on_exactly_too(tones: Path, tmp_path: Path) -> None:
    for name, stop in (("one", None), ("two", 4)):
        begin(tones, tmp_path / name, net="gru", features="mfcc", until=stop)
    go_on(tmp_path / "two")
    small.same(tmp_path / "one", tmp_path / "two")
    model, _ = classifier.configs(small.RunFolder(tmp_path / "one").options())
    assert (model.net, model.features, model.bands) == ("gru", "mfcc", 20)


@pytest.mark.parametrize(
    ("name", "value"),
    [("task", "generate"), ("net", "gru"), ("features", "mfcc"), ("target", ["digit"]), ("steps", 9), ("rate", 16000)]
    + [("preset", "tiny"), ("density", 0.5), ("voice", ["digit"])],
)
def test_other_options_on_resume_are_refused(name: str, value: Any, whole: Path) -> None:
    with pytest.raises(RunError, match=r"made with .*leave it out"):
        go_on(whole, **{name: value})
    go_on(whole, task="classify", target=["digit", "speaker"], net="cnn")  # its own may be given again


def test_it_learns_and_the_checkpoint_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A high and a low tone that end are told apart after sixty steps, by the file that is exported too."""
    schedule = hearing.ClassifierTrainConfig(
        steps=60, every=60, batch=12, longest=0.3, rate=0.01, warp=1.05, dropout=0.0
    )
    monkeypatch.setattr(classifier, "ClassifierTrainConfig", lambda **given: dataclasses.replace(schedule, **given))
    make = sounds.maker(tmp_path / "in")
    for take in range(6):
        for name, hertz in (("low", 300.0), ("high", 2000.0)):
            sound = np.concatenate([sounds.tone(1000, 8000, hertz + 10 * take), np.zeros(1000, np.int16)])
            make(f"{name}_{take}.wav", sound + sounds.noise(2000, take, 300.0))
    begin(tmp_path / "in", tmp_path / "run", labels="{pitch}_{take}", target=["pitch"])
    out = tmp_path / "ear.safetensors"
    facts = export(tmp_path / "run", out, card={"licence": "none"}, quiet=True)
    assert facts["accuracy"]["validation"] == {"pitch_accuracy": 1.0}
    assert facts["steps"] == 60 and facts["licence"] == "none"
    ear = recogniser.load_classifier(out)
    assert ear.info == json.loads(json.dumps(facts))
    for path in (tmp_path / "in").iterdir():
        logs = ear.classify(*read(path)).log_probabilities["pitch"]
        assert ear.targets[0].values[int(logs.argmax())] == path.name.split("_")[0]


def test_the_card_counts_with_the_network_in_numpy(whole: Path, tmp_path: Path) -> None:
    facts = export(whole, tmp_path / "x.safetensors", quiet=True)
    assert facts["accuracy"].keys() == {"validation"}
    last = small.records(whole)
    best = min(last, key=lambda record: record["validation"])
    for name in ("digit_accuracy", "speaker_accuracy"):
        assert facts["accuracy"]["validation"][name] == pytest.approx(best[name], abs=1e-3)
    with pytest.raises(UsageError, match="--steps: a run of --task classify"):
        export(whole, tmp_path / "y.safetensors", steps=3)
    with pytest.raises(UsageError, match="--noise: a run of --task classify"):
        export(whole, tmp_path / "y.safetensors", noise=1.0)


# tags


def tagged(folder: Path, cells: list[str]) -> Path:
    """Files with a CSV of tags; returns the CSV's path."""
    make = sounds.maker(folder)
    lines = ["file,sounds,room"]
    for number, cell in enumerate(cells):
        make(f"{number}.wav", sounds.tone(1500, 8000, 300.0 * (1 + number % 3)))
        lines.append(f"{number}.wav,{cell},{'hall' if number % 2 else 'attic'}")
    (folder / "tags.csv").write_text("\n".join(lines) + "\n")
    return folder / "tags.csv"


def test_tags_are_learned_and_reported(tmp_path: Path) -> None:
    labels = tagged(tmp_path / "in", ["bell;rain", "rain", "", "bell", "rain;bell", "bell", "", "rain"])
    run = tmp_path / "run"
    begin(tmp_path / "in", run, labels=str(labels), target=["sounds", "room"], split="validation:every=4+1")
    model, _ = classifier.configs(small.RunFolder(run).options())
    assert [(t.name, t.kind, t.values) for t in model.targets] == [
        ("sounds", "tags", ("bell", "rain")),
        ("room", "class", ("attic", "hall")),
    ]
    assert {"sounds_map", "room_accuracy"} <= small.records(run)[-1].keys()
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, str(labels))
    answers = {e.name: classifier.answers_of(e, corpus, model.targets)[0].tolist() for e in corpus.entries}
    assert answers["0.wav"] == [1, 1] and answers["1.wav"] == [0, 1] and answers["2.wav"] == [0, 0]


# what is refused


def refused(corpus: Path, run: Path, **options: Any) -> Exception:
    with pytest.raises((CorpusError, UsageError)) as error:
        begin(corpus, run, **options)
    assert not run.exists()  # no run was begun: nothing is left
    return error.value


def test_targets_that_are_not_there(tones: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    cases = [
        ({"target": None}, "--target: "),
        ({"labels": None}, "--labels: "),
        ({"target": ["accent"]}, "--target accent: is not among digit, speaker, take"),
        ({"target": ["digit", "digit"]}, "--target digit: is given twice"),
        ({"voice": ["take"]}, "--voice take: is not among digit, speaker"),
        ({"density": 0.5}, "--density: --task classify does not take it"),
        ({"preset": "tiny"}, "--preset: --task classify does not take it"),
        ({"task": "generate"}, "--target: --task generate does not take it"),
        ({"task": "sing"}, "task sing"),
    ]
    for options, words in cases:
        error = refused(tones, run, **options)
        assert words in str(error) and error.exit_code == 2  # type: ignore[attr-defined]


def test_a_class_with_one_example(tones: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    small.corpus(folder)
    sounds.maker(folder)("9_ann_0.wav")
    error = refused(folder, tmp_path / "run")
    assert "target digit: '9' has one file for training" in str(error)
    assert error.exit_code == 1  # type: ignore[attr-defined]
    only = tmp_path / "only"
    make = sounds.maker(only)
    for take in range(4):
        make(f"1_ann_{take}.wav", sounds.noise(1500, take))
    assert "have 1 values" in str(refused(only, tmp_path / "run"))


def test_a_csv_with_missing_files_columns_or_values(tmp_path: Path) -> None:
    labels = tagged(tmp_path / "in", ["bell", "bell", "rain", "rain"])
    text = labels.read_text()
    run, given = tmp_path / "run", {"labels": str(labels), "split": None, "target": ["sounds"]}
    labels.write_text(text + "9.wav,bell,hall\n")
    assert f"{labels}: 9.wav: not among the files" in str(refused(tmp_path / "in", run, **given))
    labels.write_text(text)
    error = refused(tmp_path / "in", run, **{**given, "target": ["mood"]})
    assert "--target mood: is not among sounds, room" in str(error) and labels.name in str(error)
    labels.write_text("\n".join(f"{line.split(',')[0]},,x" if line[0] in "0123" else line for line in text.split()))
    assert "target sounds: no file of the corpus has a value" in str(refused(tmp_path / "in", run, **given))


def test_a_value_that_only_other_files_have_is_unknown(tmp_path: Path) -> None:
    """A speaker may be left out of training; what no training file has is no class, and an answer of none."""
    run = tmp_path / "run"
    begin(small.corpus(tmp_path / "in", 24), run, split="test:speaker=ann;validation:take=1", target=["digit"], until=1)
    model, _ = classifier.configs(small.RunFolder(run).options())
    corpus = classifier.open_cache(run / "cache")
    assert len(classifier.sounds_of(corpus, "test", model.targets)) == 12
    two = (*model.targets, config_module.Target("digit", "class", ("0", "1")))
    answers = [classifier.answers_of(e, corpus, two) for e in corpus.entries if e.name.startswith("2")]
    assert all(first == 2 and second == -1 for first, second in answers)


def test_a_loss_that_is_no_number_stops_with_the_step(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer_step = classifier.optimizer_step

    def poisoned(state: Any, config: Any, loss: Any, accelerator: Any) -> float:
        return optimizer_step(state, config, loss * float("nan") if state.step == 2 else loss, accelerator)

    monkeypatch.setattr(classifier, "optimizer_step", poisoned)
    with pytest.raises(RunError, match="step 2: the loss is not finite"):
        begin(tones, tmp_path / "run")


def test_several_processes_take_the_step_of_one(whole: Path) -> None:
    """Halves of a batch by length give what the whole batch gives."""
    from accelerate import Accelerator

    folder = small.RunFolder(whole)
    task = classifier.ClassifierTask(folder, folder.options(), torch.device("cpu"))
    clips = task.batches.batch(0)
    task.state.network.eval()
    with torch.no_grad():
        logits = task.state.network(*classifier._tensors(clips, torch.device("cpu")))
    wanted = classifier.loss_of(logits, [torch.from_numpy(a) for a in clips.answers], task.config.smoothing)
    assert task.train_step(Accelerator(cpu=True)) == pytest.approx(float(wanted), rel=1e-4)
    assert np.isfinite(float(wanted))
