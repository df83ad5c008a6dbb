"""The kinds of error that synth raises on purpose; each message is one line that names the file, option or value."""

from __future__ import annotations

from collections.abc import Iterable


class SynthError(Exception):
    """Something is wrong with what was given; `exit_code` is what a command returns for it."""

    exit_code = 1


class UsageError(SynthError):
    """An option or argument that can't be used as it was given."""

    exit_code = 2


class AudioError(SynthError):
    """An audio file or array that can't be read or used."""


class OutputError(SynthError):
    """A place that can't be written to."""


class CheckpointError(SynthError):
    """A checkpoint that is missing, damaged, or not one of ours."""


class CorpusError(SynthError):
    """A training corpus that can't be used."""


class RunError(SynthError):
    """A training run that can't go on."""


class EngineError(SynthError):
    """An engine or instruction set that can't be used here."""


class CodecError(SynthError):
    """Audio that can't be compressed, or bytes that are no compressed audio."""


def require(ok: bool, message: str) -> None:
    """Raise UsageError with `message` unless `ok`."""
    if not ok:
        raise UsageError(message)


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """ "did you mean NAME? " of the name that `text` is most like; empty where none is near."""
    from difflib import get_close_matches  # what nothing but an error needs

    near = get_close_matches(text, list(names), 1, 0.7)
    return f"did you mean {near[0]}? " if near else ""
