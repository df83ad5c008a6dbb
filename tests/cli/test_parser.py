"""The registry of subcommands: a module of its own each, loaded when it was typed."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from synth.cli.parser import COMMANDS, synth_parser


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_its_options_and_what_it_does(name: str) -> None:
    module = import_module(f"synth.cli.{name}")
    assert callable(module.add_options) and callable(module.run)
    assert COMMANDS[name] in " ".join(synth_parser([name]).format_help().split())


@pytest.mark.parametrize(
    ("argv", "loaded"), [([], []), (["--help"], []), (["info"], ["info"]), (["-x", "score"], ["score"])]
)
def test_only_the_module_of_the_command_that_was_typed_is_loaded(argv: list[str], loaded: list[str]) -> None:
    code = "import sys; from synth.cli.parser import COMMANDS, synth_parser; synth_parser(sys.argv[1:])"
    code += "; print(*[name for name in COMMANDS if f'synth.cli.{name}' in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == loaded, done.stderr
