"""What commands print: a bar, a line, JSON, and text that no terminal trips over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, TextIO

from synth.common.errors import OutputError

JSON_VERSION = 1
"""Of the shape of `--json`: another one where a key goes or means something else; keys may be added within one."""


@contextmanager
def progress(samples: int | None, quiet: bool) -> Iterator[Callable[[int], Any]]:
    """A bar on stderr for `samples` samples (None: not known), where that is a terminal.

    Gives a function that moves it on by a number of samples; it does nothing where there is no bar.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done: None
        return
    from tqdm import tqdm

    with tqdm(total=samples, unit=" samples", unit_scale=True, leave=False) as bar:
        yield bar.update


def print_json(report: dict[str, Any], stream: TextIO | None) -> None:
    """The report as JSON in one line, with the version of its shape; OutputError where the stream is closed."""
    import json

    print(json.dumps({**report, "version": JSON_VERSION}), file=_need_open(stream), flush=True)


def print_text(text: str, stream: TextIO | None) -> None:
    """A text, with escapes for what the stream's encoding doesn't have; OutputError where the stream is closed."""
    stream = _need_open(stream)
    coding = stream.encoding or "utf-8"
    print(text.encode(coding, "backslashreplace").decode(coding), file=stream, flush=True)


def _need_open(stream: TextIO | None) -> TextIO:
    if stream is None:
        raise OutputError("-: the stream for the results is closed")
    return stream


def say(text: str) -> None:
    """A line on stderr, if there is one."""
    try:
        if sys.stderr is not None:
            print(one_line(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


class Console(NamedTuple):
    """What a command may show while it runs: `progress(samples)`, a bar as below, and `say`, for a note to people."""

    progress: Callable[[int | None], AbstractContextManager[Callable[[int], Any]]]
    say: Callable[[str], None]


def one_line(text: str) -> str:
    """`text` with every character that would break a line or steer a terminal written as an escape."""
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else c.encode("unicode_escape").decode() for c in text
    )
