"""Samples as files hold them, and as the codec takes them: int32 [frames, channels]."""

from __future__ import annotations

import functools

import numpy as np

from synth.common.errors import CodecError
from synth.common.typing import AnyArray, ChannelSamples, Int32, UInt8

BITS = {"u8": 8, "s8": 8, "s16": 16, "s24": 24, "s32": 24, "f32": 24, "alaw": 16, "mulaw": 16, "f32i": 24}
BITS |= {"float32": 32, "int32": 32}
"""Of the coded samples. s32 is coded without its lowest eight bits, f32 in units of 2^-23, f32i in units of 1, G.711 as
the 16-bit samples that it stands for; of float32 and int32, which are what f32 and s32 can't hold, all bits are."""
WIDTH = {"u8": 1, "s8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "alaw": 1, "mulaw": 1, "f32i": 4}
WIDTH |= {"float32": 4, "int32": 4}
"""Bytes of a sample in a file."""
_REFUSALS = {
    "s32": "32-bit samples that use more than 24 bits can't be compressed; convert it to 24 bits",
    "f32": "float samples that are no 24-bit integers can't be compressed; convert it to 24-bit PCM",
}
_REFUSALS["f32i"] = _REFUSALS["f32"]
_UNITS = {"f32": 1 << 23, "f32i": 1}


def _g711(alaw: bool) -> Int32:
    """The 16-bit samples of ITU-T G.711's 256 codes, all different: of mu-law's two zeros the negative one is -1."""
    codes = np.arange(256, dtype=np.int32) ^ (0x55 if alaw else 0xFF)
    step, exponent = codes & 15, codes >> 4 & 7
    if alaw:
        size = np.where(exponent == 0, step * 16 + 8, step * 16 + 264 << np.maximum(exponent - 1, 0))
        return np.where(codes & 128, size, -size).astype(np.int32)
    size = (step * 8 + 132 << exponent) - 132
    return np.where(codes & 128, np.where(size, -size, -1), size).astype(np.int32)


_LAWS = {"alaw": _g711(True), "mulaw": _g711(False)}


@functools.cache
def _codes_of(law: str) -> UInt8:
    """The codes of all 16-bit samples: of those between two values the next above, as of silence where it has none."""
    order = np.argsort(_LAWS[law])
    places = np.searchsorted(_LAWS[law][order], np.arange(-32768, 32768))
    return order.astype(np.uint8)[np.minimum(places, 255)]


def unpack(data: bytes, encoding: str, big: bool, channels: int) -> ChannelSamples:
    """Samples (frames, channels) of a file's bytes, in units as `BITS` says; `big`: they are big-endian.

    CodecError, without a name, for samples that are no integers of 24 bits.
    """
    order = ">" if big else "<"
    if encoding == "u8":
        flat = np.frombuffer(data, np.uint8).astype(np.int32) - 128
    elif encoding in _LAWS:
        flat = _LAWS[encoding][np.frombuffer(data, np.uint8)]
    elif encoding == "s24":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, :: -1 if big else 1]
        flat = wide.view("<i4")[:, 0].astype(np.int32) >> 8
    elif encoding == "s32":
        flat = np.frombuffer(data, f"{order}i4").astype(np.int32) >> 8
    elif encoding in _UNITS:
        with np.errstate(invalid="ignore"):
            scaled = np.frombuffer(data, f"{order}f4").astype(np.float64) * _UNITS[encoding]
            flat = np.clip(np.nan_to_num(scaled), -(1 << 23), (1 << 23) - 1).astype(np.int32)
    else:
        flat = np.frombuffer(data, f"{order}i{WIDTH[encoding]}").astype(np.int32)
    samples = flat.reshape(-1, channels)
    if encoding in _REFUSALS and pack(samples, encoding, big) != data:
        raise CodecError(_REFUSALS[encoding])
    return samples


def pack(samples: ChannelSamples, encoding: str, big: bool) -> bytes:
    """A file's bytes of samples (frames, channels); the opposite of `unpack`."""
    order = ">" if big else "<"
    flat = samples.reshape(-1)
    if encoding == "u8":
        return (flat + 128).astype(np.uint8).tobytes()
    if encoding in _LAWS:
        return _codes_of(encoding)[flat + 32768].tobytes()
    if encoding == "s24":
        return _three_bytes(flat, big)
    if encoding == "s32":
        return (flat << 8).astype(f"{order}i4").tobytes()
    if encoding in _UNITS:
        return (flat * (1.0 / _UNITS[encoding])).astype(f"{order}f4").tobytes()
    return flat.astype(f"{order}i{WIDTH[encoding]}").tobytes()


def to_24_bits(samples: ChannelSamples, encoding: str) -> ChannelSamples:
    """The nearest samples of 24 bits of float32 and int32, clipped; NaN is 0."""
    if encoding == "int32":
        return samples >> 8
    values = samples.view(np.float32).astype(np.float64) * _UNITS["f32"]
    return np.clip(np.rint(np.nan_to_num(values)), -(1 << 23), (1 << 23) - 1).astype(np.int32)


def hashed_bytes(samples: ChannelSamples, encoding: str) -> bytes:
    """The bytes that the MD5 is of: the coded samples, signed, little-endian, in whole bytes, as FLAC's."""
    bits = BITS[encoding]
    return _three_bytes(samples.reshape(-1), False) if bits == 24 else samples.astype(f"<i{bits // 8}").tobytes()


def to_array(samples: ChannelSamples, encoding: str) -> AnyArray:
    """Samples (frames, channels) in the type of the file's: 24 bits as int32, G.711 as its codes (uint8)."""
    if encoding == "s24":
        return samples
    types = {"u8": "u1", "s8": "i1", "s16": "i2", "s32": "i4", "f32": "f4", "alaw": "u1", "mulaw": "u1", "f32i": "f4"}
    types |= {"float32": "f4", "int32": "i4"}
    flat = np.frombuffer(bytearray(pack(samples, encoding, False)), f"<{types[encoding]}")
    return flat.astype(types[encoding], copy=False).reshape(samples.shape)


def _three_bytes(flat: ChannelSamples, big: bool) -> bytes:
    """Samples as three bytes each."""
    bytes_ = np.ascontiguousarray(flat).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]
    return bytes_[:, :: -1 if big else 1].tobytes()
