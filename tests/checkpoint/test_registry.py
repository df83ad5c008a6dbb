"""A name means one thing: what each bundled name stands for, its kind, and what a command says that needs another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synth.checkpoint import registry
from synth.cli import entry
from synth.generation import checkpoint


def test_every_plain_name_has_a_kind_and_stands_for_the_newest() -> None:
    kinds = {name: registry.kind_of(registry.find(name)) for name in registry.bundled(*registry.KINDS)}
    assert kinds["digits"] == kinds["speech"] == "voice"
    assert kinds["digits-plain"] == kinds["piano"] == "generator"
    assert kinds["digits-classifier"] == "classifier" and kinds["corrector"] == "corrector"
    assert registry.stands_for("digits-5") == "digits" and registry.stands_for("digits-plain-1") == "digits-plain"
    for name, kind in kinds.items():
        if kind in ("voice", "generator", "corrector"):
            loaded = checkpoint.load(name)
            assert (loaded.voice is not None) == (kind == "voice")
            assert bool(loaded.config.hints) == (kind == "corrector")


def test_a_former_name_is_understood() -> None:
    assert registry.find("digits-2") == registry.find("digits-plain-1") and "digits-2" not in registry.names()


def test_what_is_named_after_a_checkpoint_is_proposed_first() -> None:
    assert registry.instead("digits", "generator") == registry.instead("digits-5", "generator") == "digits-plain"
    assert registry.instead("/a/digits.safetensors", "generator") == "digits-plain"
    assert registry.instead("speech", "classifier") == "digits-classifier"
    assert set(registry.instead("mine", "voice").split(" or ")) == {"digits", "speech"}


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("score x.wav -c digits", "digits-5: is a voice.*digits-plain"),
        ("classify x.wav -c digits", "digits-5: is a voice.*digits-plain"),
        ("compress x.wav -c digits", "digits: is a voice.*digits-plain"),
        ("vocode x.wav -o y.wav -c digits-plain", "digits-plain: is no voice.*speech"),
        ("morph x.wav -o y.wav -c digits-plain", "digits-plain: is no voice.*speech"),
    ],
)
def test_a_command_that_needs_another_kind_names_one(
    command: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("x.wav", np.random.default_rng(1).normal(0, 0.1, 800), 8000)
    assert entry.main(command.split()) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    import re

    assert re.search(hint, error), error
    assert {path.name for path in tmp_path.iterdir()} == {"x.wav"}


def test_score_is_of_the_plain_network_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("x.wav", np.random.default_rng(1).normal(0, 0.1, 800), 8000)
    assert entry.main(["score", "x.wav", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checkpoint"] == "digits-plain-1"


def test_info_tells_kinds_and_what_plain_names_stand_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["info", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checkpoints"]}
    assert (listed["digits-5"]["kind"], listed["digits-5"]["stands_for"]) == ("voice", "digits")
    assert (listed["digits-plain-1"]["kind"], listed["digits-plain-1"]["stands_for"]) == ("generator", "digits-plain")
    assert listed["digits-classifier-1"]["kind"] == "classifier" and listed["corrector-2"]["kind"] == "corrector"
    assert entry.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["digits", "digits-5", "voice"] for line in lines)
