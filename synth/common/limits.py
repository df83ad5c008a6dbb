"""Bounds that the parsers of commands and the library share."""

from __future__ import annotations

MOST_RATE = 10_000_000
MOST_CHANNELS = 8
MOST_COUNT = 100000
LEAST_BITRATE, MOST_BITRATE = 100, 100_000

MOST_SEED = 2**32 - 1
