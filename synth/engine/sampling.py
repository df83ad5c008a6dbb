"""How a code is drawn, as specified: random numbers by counter, and a choice among cut and weighted codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth.common.typing import Int64
from synth.engine.config import SamplingConfig

REST_CODES, REST_SPAN = 16, 8
REST = SamplingConfig(4551, 64, (1 << 32) - (1 << 21))
"""The strictest draw at rest: temperature 0.9, 64 codes, all but 2^-11 of the probability."""


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Four uint32 of Philox 4x32-10 (Salmon et al., SC 2011)."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (q >> 32) ^ b ^ k0, q & 0xFFFFFFFF, (p >> 32) ^ d ^ k1, p & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [a, b, c, d]


def pick(weights: Int64, sampling: SamplingConfig, word: int) -> int:
    """A code drawn from 256 weights among the likeliest `top_k`, of those the fewest that hold `top_p` of the rest."""
    order = np.lexsort((np.arange(256), -weights))[: sampling.top_k]
    running = [int(value) for value in np.cumsum(weights[order])]
    keep = 1 + next(
        (i for i, cum in enumerate(running) if (cum << 32) >= sampling.top_p * running[-1]), len(running) - 1
    )
    target = (word * running[keep - 1]) >> 32
    return int(order[next((i for i, cum in enumerate(running[:keep]) if cum > target), keep - 1)])


def at_rest(codes: Int64) -> bool:
    """Whether the last `REST_CODES` codes (newest first) lie within `REST_SPAN` of each other, as silence does."""
    last = codes[:REST_CODES]
    return bool(last.max() - last.min() <= REST_SPAN)


def eased(sampling: SamplingConfig, codes: Int64) -> SamplingConfig:
    """How the code after `codes` (newest first) is drawn: no more strictly than by `REST` where that is asked for.

    A greedy draw looks at no top-k and no top-p, and draws from all codes at rest.
    """
    if not sampling.eases_at_rest or not at_rest(codes):
        return sampling
    if sampling.inverse_temperature == 0:
        return SamplingConfig(REST.inverse_temperature)
    return replace(
        sampling,
        inverse_temperature=min(sampling.inverse_temperature, REST.inverse_temperature),
        top_k=max(sampling.top_k, REST.top_k),
        top_p=max(sampling.top_p, REST.top_p),
    )
