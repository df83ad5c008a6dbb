"""Label keys with their known values."""

from __future__ import annotations

Labels = tuple[tuple[str, tuple[str, ...]], ...]
