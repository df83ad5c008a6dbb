"""Objects made again from what they give when they are pickled, without unpickling anything."""

from __future__ import annotations

from typing import Any


def again(reduced: Any) -> Any:
    """The object of what its `__reduce__` gave: a callable and its arguments."""
    make, arguments = reduced
    return make(*arguments)
