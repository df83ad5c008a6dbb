"""The SHA-256 of checkpoint files: how outputs and compressed files say with which checkpoint they were made."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from pathlib import Path

SHORT = 8
"""Bytes of a digest that a .syn file keeps."""
_SETTLED_NS = 2_000_000_000
"""A file that was changed less than that long ago may change again with the same time, and is hashed anew."""


def of_bytes(data: bytes) -> str:
    """The SHA-256 of a checkpoint's bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a checkpoint's file, read once as long as it keeps its size and its time; OSError without one."""
    state = os.stat(path)
    if abs(time.time_ns() - state.st_mtime_ns) < _SETTLED_NS:
        return of_bytes(Path(path).read_bytes())
    return _remembered(os.path.abspath(path), state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _remembered(path: str, size: int, modified_ns: int) -> str:
    return of_bytes(Path(path).read_bytes())


def short(sha256: str) -> bytes:
    """The bytes that a .syn file keeps of a digest in hexadecimal digits."""
    return bytes.fromhex(sha256)[:SHORT]
