"""The integer engine once more, from its specification, number by number in plain Python: an oracle for tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.engine.config import ModelConfig

MASK = 0xFFFFFFFF


def sat(x: int) -> int:
    return max(-32768, min(32767, x))


def adds(a: int, b: int) -> int:
    return sat(a + b)


def mulhrs(a: int, b: int) -> int:
    return (a * b + 16384) >> 15


def to8(h: int) -> int:
    return adds(h, 128) >> 8


def encode(sample: int) -> int:
    return int(mulaw.ENCODE[sample + 32768])


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Random123's philox4x32-10, round by round."""
    for turn in range(10):
        if turn:
            key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
        one, two = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(two >> 32) ^ counter[1] ^ key[0], two & MASK, (one >> 32) ^ counter[3] ^ key[1], one & MASK]
    return counter


class Plain:
    """One stream of a network."""

    def __init__(self, config: ModelConfig, tensors: dict[str, NDArray[Any]], seed: int = 0, stream: int = 0) -> None:
        self.config = config
        self.t: dict[str, Any] = {name: tensor.tolist() for name, tensor in tensors.items()}
        self.seed, self.stream, self.position = seed, stream, 0
        self.labels = [0] * len(config.labels)
        self.conditioning = [0] * (3 * config.frame_units)  # then the reflections, where the predictor is steered
        self.conditioning += [0] * ((0 if config.period else config.order) + 3 * config.phases)
        self.codes = [128] * config.window  # newest first
        self.residual = 128
        self.frame = [0] * config.frame_units
        self.sample = [0] * config.sample_units
        self.condition = [0] * (3 * config.sample_units)
        if config.period:
            return
        n = config.order
        self.x, self.w = [0.0] * n, [0.0] * n
        if config.stride:
            return
        prior = self.t["predictor.ridge"][0]
        self.w = list(self.t["predictor.start"])
        self.a = [[prior if i == j else 0.0 for j in range(n)] for i in range(n)]
        self.b = [prior * start for start in self.w]
        self.s = 16.0
        self.taken: list[tuple[list[float], float, float]] = []  # history, target, gain of the frame's samples

    # network

    def linear(self, name: str, x: list[int], row: int) -> int:
        shift = self.t[f"{name}.shift"][0]
        acc = sum(w * v for w, v in zip(self.t[f"{name}.weight"][row], x, strict=True))
        return mulhrs(sat((acc + ((1 << shift) >> 1)) >> shift), self.t[f"{name}.scale"][row])

    def _curve(self, name: str, x: int, bits: int) -> int:
        a = min(abs(max(x, -32767)), (8 << bits) - 1)
        segment, d = a >> bits, (a & ((1 << bits) - 1)) << (15 - bits)
        c0, c1, c2 = (self.t[name][k][segment] for k in range(3))
        return c0 + mulhrs(d, c1 + mulhrs(d, c2))

    def sigmoid(self, x: int) -> int:
        y = self._curve("table.sigmoid", x, 10)
        return y if x >= 0 else 32768 - y

    def tanh(self, x: int) -> int:
        y = self._curve("table.tanh", x, 9)
        return y if x >= 0 else -y

    def gru(self, name: str, gx: list[int], h: list[int]) -> list[int]:
        units, h8, new = len(h), [to8(value) for value in h], []
        gh = [self.linear(name, h8, row) for row in range(3 * units)]
        for u in range(units):
            r = self.sigmoid(adds(gx[u], gh[u]))
            z = self.sigmoid(adds(gx[units + u], gh[units + u]))
            inner = adds(gh[2 * units + u], self.t[f"{name}.bias"][u])
            n = self.tanh(adds(gx[2 * units + u], mulhrs(r, inner)))
            new.append(adds(mulhrs(z, h[u]), mulhrs(32767 - z, n)))
        return new

    def inputs(self) -> tuple[int, int, int]:
        """The predicted sample and the codes of what is predicted and of the residual."""
        if self.config.period:
            return 0, self.codes[self.config.period - 1], self.position % self.config.period
        p = self.predict()
        return p, encode(p), self.residual

    def begin(self) -> tuple[int, list[int]]:
        """The predicted sample, and the hidden layer (0 to 127) for the next sample."""
        t = self.t
        if self.position % 16 == 0:
            if self.config.stride and not self.config.period:
                self._steer()
            elif self.position and not self.config.period:
                self._update()
            x8 = [code - 128 for code in self.codes]
            gx = [adds(self.linear("frame.input", x8, k), bias) for k, bias in enumerate(t["frame.input.bias"])]
            if self.config.stride:
                gx = [adds(value, add) for value, add in zip(gx, self.conditioning[: len(gx)], strict=True)]
            for key, row in enumerate(self.labels):
                gx = [adds(value, add) for value, add in zip(gx, t[f"frame.label.{key}"][row], strict=True)]
            self.frame = self.gru("frame.recurrent", gx, self.frame)
            f8 = [to8(value) for value in self.frame]
            bias = t["frame.output.bias"]
            self.condition = [adds(self.linear("frame.output", f8, k), bias[k]) for k in range(len(bias))]
        p, pc, rc = self.inputs()
        gx = self.condition
        if self.config.phases:
            gx = [adds(value, add) for value, add in zip(gx, t["sample.phase"][self.phase()], strict=True)]
        for name, row in (("code", self.codes[0]), ("predicted", pc), ("residual", rc)):
            gx = [adds(value, add) for value, add in zip(gx, t[f"sample.{name}"][row], strict=True)]
        self.sample = self.gru("sample.recurrent", gx, self.sample)
        h8 = [to8(value) for value in self.sample]
        table = t["head.predicted"][pc]
        q = [adds(self.linear("head.dense", h8, k), table[k]) for k in range(len(table))]
        return p, [min(max(value, 0) >> 5, 127) for value in q]

    def phase(self) -> int:
        """The upper 8 bits of the pitch's phase at the next sample."""
        phase, high, low = (value % 65536 for value in self.conditioning[-3:])
        increment, offset = high * 65536 + low, self.position % (16 * self.config.stride)
        return (phase * 65536 + increment * offset) % 2**32 // 2**24

    def logit(self, q7: list[int], node: int) -> int:
        return adds(self.linear("head.tree", q7, node), self.t["head.tree.bias"][node])

    @staticmethod
    def place(logit: int) -> int:
        return (max(-8192, min(8191, logit)) >> 3) + 1024

    @staticmethod
    def temper(logit: int, inverse: int) -> int:
        return logit if inverse == 4096 else sat((logit * inverse) >> 12)

    def take(self, p: int, code: int) -> None:
        if not self.config.period:
            x = int(mulaw.DECODE[code])
            e = x - p
            self.push(float(x), float(e))
            self.residual = encode(sat(e))
        self.codes = [code, *self.codes[:-1]]
        self.position += 1

    def cost(self, code: int) -> int:
        """Take `code`; its length in 1/65536 bit."""
        p, q7 = self.begin()
        node, total = 1, 0
        for level in range(8):
            bit, index = (code >> (7 - level)) & 1, self.place(self.logit(q7, node))
            total += self.t["table.cost"][index if bit else 2047 - index]
            node = 2 * node + bit
        self.take(p, code)
        return total

    def words(self) -> list[int]:
        """The eight random words of the next sample."""
        low, high = self.position & MASK, self.position >> 32
        return [word for block in (0, 1) for word in philox([low, high, block, 0], [self.seed, self.stream])]

    def draw(self, inverse: int = 4096, top_k: int = 256, top_p: int = 1 << 32) -> int:
        """Draw a code and take it."""
        words = self.words()
        p, q7 = self.begin()
        if inverse and (top_k < 256 or top_p < 1 << 32):
            code = choose(self.leaves(q7, inverse), top_k, top_p, words[0])
        else:
            node = 1
            for word in words:
                logit = self.logit(q7, node)
                chance = self.t["table.probability"][self.place(self.temper(logit, inverse))]
                node = 2 * node + int(logit >= 0 if inverse == 0 else word < chance)
            code = node - 256
        self.take(p, code)
        return code

    def leaves(self, q7: list[int], inverse: int = 4096) -> list[int]:
        """The weights of all codes."""
        weight = {1: MASK}
        for node in range(1, 256):
            chance = self.t["table.probability"][self.place(self.temper(self.logit(q7, node), inverse))]
            weight[2 * node + 1] = (weight[node] * chance) >> 32
            weight[2 * node] = weight[node] - weight[2 * node + 1]
        return [weight[node] for node in range(256, 512)]

    # predictor: doubles, every operation in the written order

    def predict(self) -> int:
        v = [w * x for w, x in zip(self.w, self.x, strict=True)]
        while len(v) > 1:
            half = len(v) // 2
            v = [v[i] + v[i + half] for i in range(half)]
        f = math.floor(v[0] + 0.5)
        return max(-32768, min(32767, f))

    def _steer(self) -> None:
        """Levinson's step up from the reflections."""
        self.w = []
        start = 3 * self.config.frame_units
        for reflection in self.conditioning[start : start + self.config.order]:
            k = reflection / 32768
            self.w = [a - k * b for a, b in zip(self.w, reversed(self.w), strict=True)] + [k]

    def push(self, x: float, e: float) -> None:
        if self.config.stride:
            self.x = [x, *self.x[:-1]]
            return
        self.s = self.s + (abs(e) - self.s) * 0.0625
        self.taken.append((self.x, x, self.t["predictor.powers"][self.position % 16] / (self.s + 1.0)))
        self.x = [x, *self.x[:-1]]

    def _update(self) -> None:
        n, decay = len(self.x), self.t["predictor.decay"][0]
        floor = self.t["predictor.ridge"][1]
        self.b = [value * decay for value in self.b]
        self.a = [[value * decay for value in row] for row in self.a]
        for xs, y, g in self.taken:
            gx = [g * x for x in xs]
            for i in range(n):
                for j in range(i + 1):
                    self.a[i][j] = self.a[i][j] + gx[i] * xs[j]
                self.b[i] = self.b[i] + gx[i] * y
        self.taken = []
        m, y, low = [list(row) for row in self.a], list(self.b), [[0.0] * n for _ in range(n)]
        inverse = [0.0] * n
        for i in range(n):
            m[i][i] = m[i][i] + floor
        for j in range(n):
            d = m[j][j] if m[j][j] >= floor * 0.5 else floor * 0.5
            inverse[j] = 1.0 / d
            column = [m[k][j] for k in range(n)]
            for i in range(j + 1, n):
                low[i][j] = column[i] * inverse[j]
                for k in range(j + 1, i + 1):
                    m[i][k] = m[i][k] - low[i][j] * column[k]
                y[i] = y[i] - low[i][j] * y[j]
        y = [y[i] * inverse[i] for i in range(n)]
        for i in range(n - 1, 0, -1):
            for k in range(i):
                y[k] = y[k] - low[i][k] * y[i]
        self.w = y if all(abs(value) <= 64.0 for value in y) else list(self.t["predictor.start"])


def kept(weights: list[int], top_k: int, top_p: int) -> list[int]:
    """The codes among which top-k and top-p draw, the likeliest first."""
    order = sorted(range(256), key=lambda code: (-weights[code], code))[:top_k]
    total, running = sum(weights[code] for code in order), 0
    for count, code in enumerate(order, 1):
        running += weights[code]
        if running << 32 >= top_p * total:
            return order[:count]
    return order


def choose(weights: list[int], top_k: int, top_p: int, word: int) -> int:
    """One of them, by a random word."""
    order = kept(weights, top_k, top_p)
    target = (word * sum(weights[code] for code in order)) >> 32
    for code in order:
        target -= weights[code]
        if target < 0:
            return code
    return order[-1]


def saved(plain: Plain) -> dict[str, NDArray[Any]]:
    """What an engine's `save` gives of the same state."""
    arrays = {
        "position": np.array([plain.position], np.uint64),
        "seed": np.array([plain.seed, plain.stream], np.uint32),
        "labels": np.array(plain.labels, np.int32),
        "codes": np.array(plain.codes, np.uint8),
        "frame": np.array(plain.frame, np.int16),
        "condition": np.array(plain.condition, np.int16),
        "sample": np.array(plain.sample, np.int16),
    }
    if plain.config.stride:
        arrays["given"] = np.array(plain.conditioning, np.int16)
    return arrays if plain.config.period else {**arrays, **saved_predictor(plain)}


def saved_predictor(plain: Plain) -> dict[str, NDArray[Any]]:
    """The predictor's part of that."""
    residual = {"residual": np.array([plain.residual], np.uint8)}
    if plain.config.stride:
        return {**residual, "history": np.array(plain.x), "weights": np.array(plain.w)}
    n = plain.config.order
    whole = [[plain.a[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)]
    rows, targets, gains = np.zeros((16, n)), np.zeros(16), np.zeros(16)
    for k, (xs, y, g) in enumerate(plain.taken):
        rows[k], targets[k], gains[k] = xs, y, g
    return {
        **residual,
        "history": np.array(plain.x),
        "weights": np.array(plain.w),
        "covariance": np.array(whole),
        "correlation": np.array(plain.b),
        "scale": np.array([plain.s]),
        "rows": rows,
        "targets": targets,
        "gains": gains,
    }
