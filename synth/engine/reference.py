"""The integer engine as specified: NumPy, slow, readable, every rounding and saturation written out.

Formats: gate inputs int16 with 10 fractional bits, states and gate outputs int16 with 15, logits int16 with 9,
probabilities uint32 over 2^32, code lengths uint32 in 1/65536 bit. Values are held in int64 arrays between the
saturations that the specification names; its layers are in `integer_layers`, how it draws in `sampling`. The C++ kernel
must equal this bit for bit, states included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synth.audio import mulaw
from synth.common.typing import Int16, Int64, Tensors, UInt8, UInt32
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.integer_layers import Gru, Linear, eighth, place_of, saturate
from synth.engine.lattice import SteeredPredictor
from synth.engine.layout import check_conditioning, conditioning_units, has_predictor, head_table, sample_tables
from synth.engine.phase import PITCH_UNITS, phase_codes
from synth.engine.predictor import Predictor, PredictorTables
from synth.engine.predictor import predict_codes as predict_all
from synth.engine.sampling import eased, philox, pick
from synth.engine.token_inputs import token_inputs


class ReferenceState:
    """What goes on from one sample to the next. `labels` and `conditioning` take effect at the next frame.

    One thread uses it at a time; a `Stream` sees to that.
    """

    def __init__(self, engine: ReferenceEngine, seed: int, stream: int) -> None:
        self.config = config = engine.config
        self.position, self.seed, self.stream = 0, seed, stream
        self.labels: tuple[int, ...] = (0,) * len(config.labels)
        self._conditioning = np.zeros(conditioning_units(config), np.int16)
        self.codes = np.full(config.window, mulaw.SILENCE, np.int64)  # newest first
        self.residual = mulaw.SILENCE
        self.frame = np.zeros(config.frame_units, np.int64)
        self.condition = np.zeros(3 * config.sample_units, np.int64)
        self.sample = np.zeros(config.sample_units, np.int64)
        self.predictor: Predictor | SteeredPredictor | None = None
        self.hints = (mulaw.SILENCE,) * config.hints  # of the next sample
        if config.codes_are_samples:
            self.predictor = Predictor(engine.predictor, 1) if engine.predictor else SteeredPredictor(config.order)

    @property
    def conditioning(self) -> Int16:
        """The conditioning vector, int16 [conditioning_units].

        With 10 fractional bits what is added to the frame tier's gates, with 15 the predictor's reflections. The pitch
        that may follow (`phase.pack`) is read at each sample, so it takes effect at the next one.
        """
        return self._conditioning.copy()

    @conditioning.setter
    def conditioning(self, vector: Int16) -> None:
        self._conditioning = check_conditioning(self.config, vector)

    def phase_code(self) -> int:
        """The code of the pitch's phase at the next sample, in a network with phases."""
        offset = self.position % (self.config.stride * self.config.hop)
        return int(phase_codes(self._conditioning[-PITCH_UNITS:], np.array([offset]))[0])

    def save(self) -> Tensors:
        """The state as arrays; `restore` of either engine goes on from them."""
        audio, conditioned = self.predictor is not None, self.config.is_conditioned
        return {
            "position": np.array([self.position], np.uint64),
            "seed": np.array([self.seed, self.stream], np.uint32),
            "labels": np.array(self.labels, np.int32),
            **({"given": self.conditioning} if conditioned else {}),
            "codes": self.codes.astype(np.uint8),
            **({"residual": np.array([self.residual], np.uint8)} if audio else {}),
            "frame": self.frame.astype(np.int16),
            "condition": self.condition.astype(np.int16),
            "sample": self.sample.astype(np.int16),
            **self._save_predictor(),
        }

    def _save_predictor(self) -> Tensors:
        p = self.predictor
        if p is None:
            return {}
        shared = {"history": p.history[0].copy(), "weights": p.weights[0].copy()}
        if isinstance(p, SteeredPredictor):
            return shared
        return {
            **shared,
            "covariance": p.covariance[0].copy(),
            "correlation": p.correlation[0].copy(),
            "scale": p.scale.copy(),
            "rows": p.rows[0].copy(),
            "targets": p.targets[0].copy(),
            "gains": p.gains[0].copy(),
        }

    def load(self, saved: Tensors) -> None:
        """Become what `save` gave."""
        p = self.predictor
        self.position, self.seed, self.stream = int(saved["position"][0]), *(int(v) for v in saved["seed"])
        self.labels = tuple(int(row) for row in saved["labels"])
        if self.config.is_conditioned:
            self.conditioning = saved["given"]
        for name in ("codes", "frame", "condition", "sample"):
            setattr(self, name, saved[name].astype(np.int64))
        if p is None:
            return
        self.residual = int(saved["residual"][0])
        steered = isinstance(p, SteeredPredictor)
        more = () if steered else ("covariance", "correlation", "rows", "targets", "gains")
        for name in ("history", "weights", *more):
            setattr(p, name, saved[name].astype(np.float64)[None].copy())
        if isinstance(p, Predictor):
            p.scale = saved["scale"].astype(np.float64).copy()


class ReferenceEngine:
    """The engine interface in NumPy: about a thousand samples a second."""

    name = "reference"
    instruction_set = "numpy"

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        self.config, self.tensors = config, tensors
        self.predictor = PredictorTables.of(tensors) if has_predictor(config) else None
        self._input, self._output = Linear(tensors, "frame.input"), Linear(tensors, "frame.output")
        self._dense, self._tree = Linear(tensors, "head.dense"), Linear(tensors, "head.tree")
        self._frame_gru, self._sample_gru = Gru(tensors, "frame.recurrent"), Gru(tensors, "sample.recurrent")
        self._wide = {
            name: tensors[name].astype(np.int64)
            for name in ("frame.input.bias", "frame.output.bias", head_table(config), "head.tree.bias")
            + ("table.probability", "table.cost", *sample_tables(config))
            + tuple(f"frame.label.{k}" for k in range(len(config.labels)))
        }

    def state(self, seed: int = 0, stream: int = 0) -> ReferenceState:
        """A fresh stream's state."""
        return ReferenceState(self, seed, stream)

    def restore(self, saved: Tensors) -> ReferenceState:
        """The state that `save` gave."""
        state = ReferenceState(self, 0, 0)
        state.load(saved)
        return state

    def predict_codes(self, codes: UInt8) -> tuple[UInt8, UInt8]:
        """Predicted and residual codes, each (streams, time), along codes (streams, time)."""
        if self.config.kind == "tokens":
            return token_inputs(codes, self.config.period)
        return predict_all(codes, self.tensors)

    def _frame_step(self, s: ReferenceState) -> None:
        if isinstance(s.predictor, SteeredPredictor):
            start = 3 * self.config.frame_units
            s.predictor.steer(s.conditioning[start : start + self.config.order])
        elif s.position and s.predictor:
            s.predictor.update()
        gates = saturate(self._input(s.codes - mulaw.SILENCE) + self._wide["frame.input.bias"])
        if self.config.is_conditioned:
            gates = saturate(gates + s.conditioning[: len(gates)].astype(np.int64))
        for k, row in enumerate(s.labels):
            gates = saturate(gates + self._wide[f"frame.label.{k}"][row])
        s.frame = self._frame_gru(gates, s.frame)
        s.condition = saturate(self._output(eighth(s.frame)) + self._wide["frame.output.bias"])

    def inputs(self, s: ReferenceState) -> tuple[int, int, int]:
        """Of the next sample: its predicted value (0 for a token), the predicted code and the residual code."""
        if self.config.kind == "corrector":
            return 0, s.hints[0], s.hints[1]
        if s.predictor is None:
            return 0, int(s.codes[self.config.period - 1]), s.position % self.config.period
        guess = int(s.predictor.predict()[0])
        return guess, int(mulaw.ENCODE[guess + 32768]), s.residual

    def sample_step(self, s: ReferenceState) -> tuple[int, Int64]:
        """Up to the hidden layer of the next sample: its predicted value and the layer (head units,)."""
        if s.position % self.config.hop == 0:
            self._frame_step(s)
        guess, predicted, residual = self.inputs(s)
        code, *tables = (self._wide[name] for name in sample_tables(self.config))
        gates = s.condition
        further = (s.phase_code(),) if self.config.phases else s.hints[2:]
        for table, row in zip(tables[2:], further, strict=True):
            gates = saturate(gates + table[row])
        for table, row in ((code, int(s.codes[0])), (tables[0], predicted), (tables[1], residual)):
            gates = saturate(gates + table[row])
        s.sample = self._sample_gru(gates, s.sample)
        hidden = saturate(self._dense(eighth(s.sample)) + self._wide[head_table(self.config)][predicted])
        return guess, np.minimum(np.maximum(hidden, 0) >> 5, 127)

    def logits(self, hidden: Int64, nodes: Any) -> Int64:
        """Of these nodes of the tree, with 9 fractional bits."""
        return saturate(self._tree(hidden, nodes) + self._wide["head.tree.bias"][nodes])

    def take(self, s: ReferenceState, guess: int, code: int) -> None:
        """Move the state past the sample of `code`."""
        if s.predictor:
            sample = int(mulaw.DECODE[code])
            error = sample - guess
            s.predictor.push(s.position % self.config.hop, np.array([sample], np.int32), np.array([error], np.int32))
            s.residual = int(mulaw.ENCODE[min(max(error, -32768), 32767) + 32768])
        s.codes = np.concatenate([[code], s.codes[:-1]])
        s.position += 1

    def _leaves(self, hidden: Int64, inverse_temperature: int) -> Int64:
        """Weights (256,) of all codes, uint32 products down the tree."""
        logits = self._temper(self.logits(hidden, np.arange(256)), inverse_temperature)
        right = self._wide["table.probability"][place_of(logits)]
        weights = np.array([0xFFFFFFFF], np.uint64)
        for level in range(8):
            node = np.arange(1 << level, 2 << level)
            up = (weights * right[node].astype(np.uint64)) >> np.uint64(32)
            weights = np.stack([weights - up, up], 1).ravel()
        return weights.astype(np.int64)

    @staticmethod
    def _temper(logits: Int64, inverse_temperature: int) -> Int64:
        return logits if inverse_temperature == 4096 else saturate((logits * inverse_temperature) >> 12)

    def _draw(self, s: ReferenceState, hidden: Int64, sampling: SamplingConfig) -> int:
        low, high = s.position & 0xFFFFFFFF, s.position >> 32
        words = philox((low, high, 0, 0), (s.seed, s.stream))
        sampling = eased(sampling, s.codes)
        if sampling.inverse_temperature and (sampling.top_k < 256 or sampling.top_p < 1 << 32):
            return pick(self._leaves(hidden, sampling.inverse_temperature), sampling, words[0])
        words += philox((low, high, 1, 0), (s.seed, s.stream))
        node = 1
        for level in range(8):
            logit = self.logits(hidden, np.array([node]))
            if sampling.inverse_temperature == 0:
                bit = int(logit[0] >= 0)
            else:
                tempered = self._temper(logit, sampling.inverse_temperature)
                bit = int(words[level] < self._wide["table.probability"][place_of(tempered[0])])
            node = 2 * node + bit
        return node - 256

    def generate(self, state: ReferenceState, count: int, sampling: SamplingConfig) -> UInt8:
        """Draw `count` codes and advance the state past them."""
        out = np.empty(count, np.uint8)
        for place in range(count):
            guess, hidden = self.sample_step(state)
            out[place] = self._draw(state, hidden, sampling)
            self.take(state, guess, int(out[place]))
        return out

    def teacher_force(self, state: ReferenceState, codes: UInt8) -> UInt32:
        """Advance the state past known codes (n,); returns the length of each in 1/65536 bit."""
        out = np.empty(len(codes), np.uint32)
        shifts = np.arange(8, 0, -1)
        for place, code in enumerate(int(code) for code in codes):
            guess, hidden = self.sample_step(state)
            index = place_of(self.logits(hidden, (code + 256) >> shifts))
            bits = (code >> (shifts - 1)) & 1
            out[place] = self._wide["table.cost"][np.where(bits == 1, index, 2047 - index)].sum()
            self.take(state, guess, code)
        return out

    def code_lengths(self, state: ReferenceState) -> UInt32:
        """What each code would cost next (256,), in 1/65536 bit; the state stays as it is."""
        _, hidden = self.sample_step(self.restore(state.save()))
        places = place_of(self.logits(hidden, np.arange(256)))
        cost, lengths = self._wide["table.cost"], np.zeros(1, np.int64)
        for level in range(8):
            place = places[1 << level : 2 << level]
            lengths = np.stack([lengths + cost[2047 - place], lengths + cost[place]], 1).ravel()
        return lengths.astype(np.uint32)

    def generate_together(
        self, states: Sequence[ReferenceState], count: int, sampling: SamplingConfig, vectors: Int16 | None = None
    ) -> UInt8:
        """`generate` of several states, one after the other (states, count); `vectors` as in the native engine."""
        if vectors is None:
            return np.stack([self.generate(state, count, sampling) for state in states])
        return np.stack([self._along(*each, count, sampling) for each in zip(states, vectors, strict=True)])

    def _along(self, state: ReferenceState, vectors: Int16, count: int, sampling: SamplingConfig) -> UInt8:
        """`generate` with a conditioning that changes."""
        period = self.config.stride * self.config.hop
        codes = np.empty(count, np.uint8)
        done = 0
        for vector in (*vectors, None):
            part = count - done if vector is None else period - state.position % period
            codes[done : done + part] = self.generate(state, part, sampling)
            done += part
            if vector is not None:
                state.conditioning = vector
        return codes

    def teacher_force_together(self, states: Sequence[ReferenceState], codes: UInt8) -> UInt32:
        """`force` of several states by codes (states, n), one after the other."""
        return np.stack([self.teacher_force(state, row) for state, row in zip(states, codes, strict=True)])

    def distribution(self, state: ReferenceState) -> UInt32:
        """Weights (256,) over 2^32 of the next code; the state stays as it is."""
        peek = self.restore(state.save())
        _, hidden = self.sample_step(peek)
        return self._leaves(hidden, 4096).astype(np.uint32)
