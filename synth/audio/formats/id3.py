"""ID3v2 tags, which some programs put before files of any format (https://id3.org/id3v2.4.0-structure, section 3.1)."""

from __future__ import annotations

HEADER = 10
"""Bytes of a tag's header."""


def tag_length(start: bytes) -> int:
    """Bytes of the ID3v2 tag that begins with `start` (10 bytes or more), its header and footer among them; 0: none."""
    if len(start) < HEADER or start[:3] != b"ID3" or 0xFF in start[3:5] or max(start[6:10]) > 127:
        return 0
    size = start[6] << 21 | start[7] << 14 | start[8] << 7 | start[9]
    return HEADER + size + (HEADER if start[5] & 0x10 else 0)
