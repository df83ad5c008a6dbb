"""Ctrl-C works in the tests' child processes even where a runner in the background has it ignored; machines are shared,
so that no example of a property test has a deadline."""

import signal

from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
