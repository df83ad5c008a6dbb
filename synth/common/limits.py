"""Bounds and choices that commands' parsers and the library share, each defined here alone."""

from __future__ import annotations

MAX_RATE = 10_000_000
"""Sample rate of a sound file or array in Hz; the least is 1."""
MIN_NETWORK_RATE, MAX_NETWORK_RATE = 1000, 384_000
"""Sample rate of a network and of features in Hz."""
MAX_CHANNELS = 8
"""Channels of a sound that is compressed."""
MAX_WAV_SAMPLES = ((1 << 32) - 1 - 36) // 2
"""16-bit mono samples of a WAV file, whose sizes are of 32 bits."""
MAX_COUNT = 100_000
"""Files that one command makes."""
MAX_MINUTES = 7 * 24 * 60
"""Of a training's budget: a week."""
MAX_SEED = 2**32 - 1
MAX_TOP_K = 256
"""The codes of a sample: of as many top-k can choose."""
MAX_THREADS = 4096
MIN_BITRATE, MAX_BITRATE = 100, 100_000
"""Bits a second of mode parametric."""
MIN_SEGMENT, MAX_SEGMENT = 0.1, 600
"""Seconds of a segment of a .syn file that can be asked for."""
OUTPUT_FORMATS = ("wav", "flac", "ogg", "raw")
"""Formats of generated sound, which are the suffixes of files too."""
LEVELS = ("fast", "balanced", "max")
"""Compression efforts, the fastest first; a file's header has the place."""
