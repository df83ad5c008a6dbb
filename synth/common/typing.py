"""Types of arrays, by what an element is; docstrings say shapes and units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]
AnyFloats = NDArray[np.floating[Any]]
AnyIntegers = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt16 = NDArray[np.uint16]
UInt32 = NDArray[np.uint32]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

MonoSamples = Int16
"""16-bit samples of one channel (samples,)."""
ChannelSamples = Int32
"""Samples of every channel (frames, channels), signed, of at most 24 bits."""
Tensors = dict[str, AnyArray]
"""Arrays of a checkpoint or of a saved state by name."""
