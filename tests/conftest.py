"""Ctrl-C works in the tests' child processes even where a runner in the background has it ignored."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
