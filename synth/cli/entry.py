"""The commands `generate-audio` and `synth`: exit codes, and all that is printed.

Exit codes: 0 done, 1 runtime or data, 2 usage, 130 interrupted. stdout carries audio, JSON, or what `synth info`,
`score` and `bench` were asked for; everything else goes to stderr. A command's module is loaded when the command was
typed, and what it needs is imported inside its `run`, so that errors and Ctrl-C become a line there too: `--help` loads
no NumPy, `generate-audio` no torch.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from synth.cli.console import Console, one_line, print_json, print_text, progress, say
from synth.common.errors import SynthError

if TYPE_CHECKING:
    from synth.cli.report import Report

INTERRUPTED = 130


class _Terminated(BaseException):
    """The process was told to end, by the signal in `args`: what is half written is to be removed first."""


def generate_audio_main(argv: Sequence[str] | None = None) -> int:
    """The command `generate-audio`; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return _run("generate-audio", _generate_audio, arguments, argv is None)


def main(argv: Sequence[str] | None = None) -> int:
    """The command `synth`; its exit code."""
    from synth.cli.parser import COMMANDS

    arguments = list(sys.argv[1:] if argv is None else argv)
    name = f"synth {arguments[0]}" if arguments and arguments[0] in COMMANDS else "synth"
    return _run(name, _synth, arguments, argv is None)


def _run(name: str, body: Callable[[str, list[str]], int], arguments: list[str], alone: bool) -> int:
    """Runs `body`, with every way that it can end turned into a line on stderr and an exit code.

    `alone`: the process is there for nothing else.
    """
    if alone:
        _occupy_closed_descriptors()
    debug = "--debug" in arguments[: arguments.index("--") if "--" in arguments else len(arguments)]
    try:
        with _terminable(), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: say(f"{name}: warning: {message}")
            code = body(name, arguments)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        _silence(sys.stdout)
        say(f"{name}: interrupted")
        return _leave(INTERRUPTED, alone)
    except _Terminated as ended:
        _silence(sys.stdout)
        return _leave(128 + ended.args[0], alone)
    except BrokenPipeError:  # whoever read has had enough
        _silence(sys.stdout)
        return 1
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        _complain(name, error)
        _settle(sys.stdout)
        return error.exit_code if isinstance(error, SynthError) else 1


def _occupy_closed_descriptors() -> None:
    """Leads descriptors 0 to 2 that are closed nowhere, so that no file gets one and what a library prints."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest one that is free


def _leave(code: int, alone: bool) -> int:
    """The exit code; a process that is there for the command alone ends here if threads are left inside the kernel.

    The interpreter would wait for them, seconds at level max.
    """
    if alone and any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        from synth.common import new_file

        new_file.abandon_all()
        os._exit(code)
    return code


@contextmanager
def _terminable() -> Iterator[None]:
    """Within it SIGTERM, and SIGHUP where it isn't ignored, raise _Terminated."""

    def end(number: int, _: object) -> None:
        raise _Terminated(number)

    before = {}
    for word in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, word, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # not in the main thread: signals stay as they are
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _generate_audio(name: str, argv: list[str]) -> int:
    """Parses and runs `generate-audio`, which prints its report itself."""
    from synth.cli import generate

    return generate.run(name, argv)


def _synth(name: str, argv: list[str]) -> int:
    """Parses, runs the subcommand, and prints what it reports."""
    from synth.cli.parser import COMMANDS, synth_parser

    parser = synth_parser(argv)
    options = parser.parse_args(argv)
    if options.command is None:
        *names, last = COMMANDS
        parser.error(f"a command is missing: {', '.join(names)} or {last}")
    quiet = options.quiet
    console = Console(lambda samples: progress(samples, quiet), lambda text: None if quiet else say(f"{name}: {text}"))
    report: Report | None = options.run(options, console)
    return 0 if report is None else _print_report(name, report, vars(options).get("json", False))


def _print_report(name: str, report: Report, as_json: bool) -> int:
    """Prints what a subcommand reports, JSON or lines, then its failures; the exit code."""
    try:
        if report.data is not None and as_json:
            print_json(report.data, sys.stderr if report.aside else sys.stdout)
        elif report.data is not None and report.lines:
            print_text("\n".join(one_line(line) for line in report.lines), sys.stdout)
    finally:
        for failure in report.failures:
            _complain(name, failure)
    return 1 if report.failures else 0


def _complain(name: str, error: Exception) -> None:
    """The line of an error on stderr."""
    say(f"{name}: error: {_describe(error)}")


def _describe(error: Exception) -> str:
    """An error as the text after "error: "."""
    if isinstance(error, SynthError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'standard output'}: {error.strerror}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _settle(stream: TextIO | None) -> None:
    """Lets out what a stream still holds, or drops it when it can't go out."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        _silence(stream)


def _silence(stream: TextIO | None) -> None:
    """Drops what a stream still holds, so that nothing is complained about when the interpreter ends."""
    if stream is None:
        return
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
