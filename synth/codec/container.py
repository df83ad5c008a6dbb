"""The parts of a .syn file, as docs/format.md has it: after the header blocks with checksums, the MD5, an index.

Nothing here knows how samples are coded. `container_writer` writes such files, `container_reader` reads them.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

MAX_SAMPLES = 1 << 22
"""Frames times channels of a coded block."""
MAX_CONSTANT = 1 << 26
"""Frames of a constant block, or one that repeats some."""
MAX_RAW = 1 << 20
"""Bytes of a raw block, before deflating."""
MAX_BLOCKS = 1 << 20
"""Blocks of an index."""
END, CODED, CONSTANT, RAW = range(4)
MIN_BLOCK = 6
"""Bytes of a block: a tag, a size or a value, the checksum."""


@dataclass(frozen=True)
class Block:
    """A block of the file, with its place in it. `count`: frames, bytes of a raw block, or entries of the index.

    `period`: the first frames, which the payload is of, and which the others repeat; 0 where nothing is repeated, or
    where all have the same `values`. `damage` says what is wrong with it, where its payload can't be used.
    """

    kind: int
    count: int
    payload: bytes = b""
    values: tuple[int, ...] = ()
    at: int = 0
    size: int = 0
    damage: str = ""
    period: int = 0


def checksum(data: bytes, header: int) -> bytes:
    """The checksum of the file's header, of which `header` is that alone, and these bytes."""
    return struct.pack("<I", zlib.crc32(data, header))
