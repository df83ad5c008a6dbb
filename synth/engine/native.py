"""The C++ engine behind the interface of the reference: the same results bit for bit, a thousand times as fast."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from synth.common.errors import CheckpointError, EngineError
from synth.common.typing import Int16, Tensors, UInt8, UInt32
from synth.engine import _kernel
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import check, check_conditioning
from synth.engine.token_inputs import token_inputs


def instruction_sets() -> list[str]:
    """The instruction sets that this build has and this machine can run, slowest first."""
    return list(_kernel.instruction_sets())


def chosen_set() -> str:
    """The set that SYNTH_ISA names, or the best one; EngineError when the machine lacks it."""
    sets = instruction_sets()
    wanted = os.environ.get("SYNTH_ISA", "")
    if wanted and wanted not in sets:
        raise EngineError(f"SYNTH_ISA={wanted}: this machine or build lacks it; it has {', '.join(sets)}")
    return wanted or sets[-1]


def predict_codes(codes: UInt8, tensors: Tensors, order: int | None = None, hop: int = 16) -> tuple[UInt8, UInt8]:
    """Predicted and residual codes (uint8 [S, T] each) of rows of codes (uint8 [S, T]), every row from a fresh state.

    Needs the `predictor.*` tensors only; rows run one after the other without the interpreter's lock.
    """
    codes = np.ascontiguousarray(codes, np.uint8)
    if codes.ndim != 2 or hop != 16 or order not in (None, len(tensors["predictor.start"])):
        raise EngineError(f"predict_codes: needs codes [S, T], hop 16 and start weights of order {order}")
    predicted, residual = np.empty_like(codes), np.empty_like(codes)
    constants = {name: np.ascontiguousarray(tensors[name]) for name in tensors if name.startswith("predictor.")}
    try:
        _kernel.predict_codes(chosen_set(), constants, codes, predicted, residual)
    except ValueError as error:
        raise CheckpointError(f"tensor {error}") from None
    return predicted, residual


class NativeState:
    """What goes on from one sample to the next. `labels` and `conditioning` take effect at the next frame.

    Each call is whole, whatever other threads do.
    """

    def __init__(self, config: ModelConfig, kernel: _kernel.Stream) -> None:
        self.config, self.kernel = config, kernel

    @property
    def position(self) -> int:
        """Samples done."""
        return int(self.kernel.position)

    @property
    def seed(self) -> int:
        """Random seed, the first word of the generator's key."""
        return int(self.kernel.seed)

    @property
    def stream(self) -> int:
        """Number of the stream, the second word of the generator's key."""
        return int(self.kernel.stream)

    @property
    def labels(self) -> tuple[int, ...]:
        """Row of each label key's table: 0 none, 1 + j for value j."""
        return tuple(self.kernel.labels)

    @labels.setter
    def labels(self, label_ids: Sequence[int]) -> None:
        try:
            self.kernel.labels = [int(label) for label in label_ids]
        except ValueError as error:
            raise EngineError(str(error)) from None

    @property
    def conditioning(self) -> Int16:
        """The conditioning vector, int16 [conditioning_units].

        With 10 fractional bits what is added to the frame tier's gates, with 15 the predictor's reflections. The pitch
        that may follow (`phase.pack`) is read at each sample, so it takes effect at the next one.
        """
        return self.kernel.given

    @conditioning.setter
    def conditioning(self, vector: Int16) -> None:
        self.kernel.given = check_conditioning(self.config, vector)

    def save(self) -> Tensors:
        """The state as arrays; `restore` of either engine goes on from them."""
        return dict(self.kernel.save())

    def copy(self) -> NativeState:
        """An independent state that goes on in the same way."""
        return NativeState(self.config, self.kernel.copy())


class NativeEngine:
    """The engine interface over the C++ kernel. May be shared by threads; a state's calls run one at a time."""

    name = "native"

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        check(config, tensors)
        self.config = config
        self.instruction_set = chosen_set()
        self._constants = {name: tensors[name] for name in tensors if name.startswith("predictor.")}
        sizes = (config.window, config.frame_units, config.sample_units, config.head_units)
        kind = (config.order, config.stride, config.period, config.hints)
        counts = [len(values) for values in config.labels.values()]
        arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        try:
            phases = {"phases": config.phases} if config.phases else {}
            self.network = _kernel.network(self.instruction_set, *sizes, *kind, counts, arrays, **phases)
        except ValueError as error:
            raise CheckpointError(f"tensor {error}") from None

    def state(self, seed: int = 0, stream: int = 0) -> NativeState:
        """A fresh stream's state."""
        return NativeState(self.config, _kernel.Stream(self.network, seed, stream))

    def restore(self, saved: Tensors) -> NativeState:
        """The state that `save` gave; EngineError when it is damaged or of another network."""
        arrays = {name: np.ascontiguousarray(value) for name, value in saved.items()}
        try:
            state = NativeState(self.config, _kernel.restore(self.network, arrays))
        except ValueError as error:
            raise EngineError(f"saved state: {error}") from None
        for name, value in state.save().items():
            if value.tobytes() != arrays[name].tobytes():
                raise EngineError(f"saved state: {name} contradicts the rest")
        return state

    def generate(self, state: NativeState, count: int, sampling: SamplingConfig) -> UInt8:
        """Draw `count` codes (uint8 [count]) and advance the state past them."""
        return self.generate_together([state], count, sampling)[0]

    def generate_together(
        self, states: Sequence[NativeState], count: int, sampling: SamplingConfig, vectors: Int16 | None = None
    ) -> UInt8:
        """`generate` of several states (uint8 [states, count]) that share what they can, on one thread.

        `vectors`: int16 (states, changes, conditioning units), the conditioning from each multiple of `stride` frames
        on that lies behind the first of these samples, of states at the same sample. None: it does not change.
        """
        kernels = [state.kernel for state in states]
        draw = (sampling.inverse_temperature, sampling.top_k, sampling.top_p, sampling.eases_at_rest)
        codes = _kernel.generate(kernels, count, *draw, vectors)
        return codes.reshape(len(kernels), count)

    def teacher_force(self, state: NativeState, codes: UInt8) -> UInt32:
        """Advance the state past known codes (n,); returns the length of each in 1/65536 bit."""
        return self.teacher_force_together([state], codes[None])[0]

    def teacher_force_together(self, states: Sequence[NativeState], codes: UInt8) -> UInt32:
        """`force` of several states by codes (states, n) that share what they can, on one thread."""
        rows = np.ascontiguousarray(codes, np.uint8)
        return _kernel.force([state.kernel for state in states], rows).reshape(rows.shape)

    def product(self, state: NativeState, count: int) -> None:
        """The sample tier's recurrent product alone, `count` times, to be timed; the state stays as it is."""
        _kernel.product(state.kernel, count)

    def distribution(self, state: NativeState) -> UInt32:
        """Weights (256,) over 2^32 of the next code; the state stays as it is."""
        return state.kernel.distribution()

    def predict_codes(self, codes: UInt8) -> tuple[UInt8, UInt8]:
        """Predicted and residual codes, each (streams, time), along codes (streams, time)."""
        if self.config.kind == "tokens":
            return token_inputs(codes, self.config.period)
        return predict_codes(codes, self._constants)
