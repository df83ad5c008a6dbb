"""Types of the compiled module (bind.cpp)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class Network:
    @property
    def instruction_set(self) -> str: ...

class Stream:
    labels: list[int]
    given: NDArray[np.int16]
    def __init__(self, network: Network, seed: int, stream: int) -> None: ...
    @property
    def position(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def stream(self) -> int: ...
    def copy(self) -> Stream: ...
    def save(self) -> dict[str, NDArray[Any]]: ...
    def distribution(self) -> NDArray[np.uint32]: ...

class Postfilter:
    def filter(
        self,
        samples: NDArray[np.int16],
        levels: NDArray[np.int32],
        total: NDArray[np.int64],
        place: int,
        out: NDArray[np.int16],
    ) -> None: ...

class Layer:
    def values(self, x: NDArray[np.int8], out: NDArray[np.int16]) -> None: ...
    def hidden(self, x: NDArray[np.int8], out: NDArray[np.int8]) -> None: ...

class Books:
    def search(self, vectors: NDArray[np.int8], tokens: NDArray[np.uint8]) -> None: ...

class Oscillators:
    def render(
        self,
        starts: NDArray[np.uint32],
        increments: NDArray[np.int32],
        slopes: NDArray[np.int32],
        amplitudes: NDArray[np.int32],
        out: NDArray[np.int32],
    ) -> None: ...

def network(
    set: str,
    window: int,
    frame_units: int,
    sample_units: int,
    head_units: int,
    order: int,
    stride: int,
    period: int,
    hints: int,
    label_values: list[int],
    tensors: dict[str, NDArray[Any]],
    phases: int = 0,
) -> Network: ...
def generate(
    streams: list[Stream],
    count: int,
    inverse_temperature: int,
    top_k: int,
    top_p: int,
    eases_at_rest: bool = False,
    vectors: NDArray[np.int16] | None = None,
) -> NDArray[np.uint8]: ...
def force(streams: list[Stream], codes: NDArray[np.uint8]) -> NDArray[np.uint32]: ...
def product(stream: Stream, count: int) -> None: ...
def restore(network: Network, saved: dict[str, NDArray[Any]]) -> Stream: ...
def instruction_sets() -> list[str]: ...
def predict_codes(
    set: str,
    tensors: dict[str, NDArray[Any]],
    codes: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    residual: NDArray[np.uint8],
) -> None: ...
def encode_segment(set: str, samples: NDArray[np.int32], bits: int, level: int, network: Network | None) -> bytes: ...
def decode_segment(
    set: str, data: bytes, frames: int, channels: int, bits: int, level: int, network: Network | None
) -> NDArray[np.int32]: ...
def trace(
    set: str,
    samples: NDArray[np.int32],
    bits: int,
    level: int,
    hints: NDArray[np.uint8],
    cells: NDArray[np.uint8],
    bounds: NDArray[np.uint16],
) -> bool: ...
def encode_tokens(network: Network, tokens: NDArray[np.uint8]) -> bytes: ...
def decode_tokens(network: Network, data: bytes, tokens: NDArray[np.uint8]) -> None: ...
def encode_residuals(residuals: NDArray[np.int32], classes: NDArray[np.uint8], channels: int) -> bytes: ...
def decode_residuals(data: bytes, classes: NDArray[np.uint8], channels: int, residuals: NDArray[np.int32]) -> None: ...
def postfilter(set: str, hop: int, mels: int, tensors: dict[str, NDArray[Any]]) -> Postfilter: ...
def layer(set: str, name: str, tensors: dict[str, NDArray[Any]]) -> Layer: ...
def books(set: str, tensors: dict[str, NDArray[Any]]) -> Books: ...
def oscillators(set: str, length: int, cosine: NDArray[np.int16]) -> Oscillators: ...
def de_emphasise(samples: NDArray[np.int16], state: int, out: NDArray[np.int32]) -> int: ...
