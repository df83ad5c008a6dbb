"""The examples in the docstrings of the public names are what a reader gets who types them in."""

from __future__ import annotations

import doctest

import pytest

import synth
from synth import engine

NAMES = [name for name in synth.__all__ if callable(getattr(synth, name)) and name != "SynthError"]
FUNCTIONS = [name for name in NAMES if not isinstance(getattr(synth, name), type)]


def _examples(name: str) -> list[doctest.DocTest]:
    """Those of a public name, of its methods too."""
    tests = doctest.DocTestFinder(exclude_empty=True).find(getattr(synth, name), name, globs={})
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
def test_examples_give_what_they_show(
    name: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(str(tmp_path))
    failed = [test.name for test in _examples(name) if doctest.DocTestRunner().run(test).failed]
    assert not failed, capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_public_names_have_an_example(name: str) -> None:
    assert _examples(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_say_what_they_take_and_raise(name: str) -> None:
    text = getattr(synth, name).__doc__ or ""
    for section in ("Parameters", "Raises", "Examples"):
        assert f"    {section}\n    {'-' * len(section)}\n" in text
