"""What a classifier is: options that are checked, and JSON that comes back."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import listeners

from synth.common.errors import SynthError, UsageError
from synth.recognition.config import ClassifierConfig, Target, tags_of
from synth.training.config import ClassifierTrainConfig


def test_a_config_comes_back_from_json() -> None:
    import json

    data = json.loads(json.dumps(listeners.TINY.to_json()))
    assert ClassifierConfig.from_json(data) == listeners.TINY


@pytest.mark.parametrize(
    "change",
    [
        {"net": "rnn"},
        {"features": "wave"},
        {"mels": 4},
        {"coefficients": 50},
        {"units": 0},
        {"units": "8"},
        {"embedding": 5000},
        {"sample_rate": 10},
        {"targets": [{"name": "x"}]},
        {"targets": [1]},
        {"targets": {}},
        {"more": 1},
    ],
)
def test_a_config_out_of_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SynthError):
        ClassifierConfig.from_json({**listeners.TINY.to_json(), **change})


def test_targets_and_schedules_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="target path: the name is taken"):
        Target("path", "class", ("a",))
    for given in (("a", "choice", ("x",)), ("a", "class", ()), ("a", "class", ("x", "x"))):
        with pytest.raises(UsageError, match="target a: "):
            Target(*given)
    with pytest.raises(UsageError, match="a target stands twice"):
        ClassifierConfig(targets=(listeners.DIGIT, listeners.DIGIT))
    for change in ({"steps": 0}, {"rate": 2.0}, {"warp": 0.5}, {"dropout": 1.0}, {"longest": 0.0}, {"noise": 1.5}):
        with pytest.raises(UsageError, match=next(iter(change))):
            ClassifierTrainConfig(**change)  # type: ignore[arg-type]


def test_tags_stand_between_semicolons() -> None:
    assert tags_of(" rain; wind ;;bell") == ("rain", "wind", "bell") and tags_of("") == ()
