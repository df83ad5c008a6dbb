"""A .syn file taken apart into what docs/format.md names, changed, and put together again with right checksums."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

from synth.codec import container, varint

MAGIC_SIZE = 4
"""With the version, of which there are as many."""
VERSIONS = 5


@dataclass
class Unit:
    """The header, a block or the end: its fields, varints or bytes, and whether a CRC and a size follow."""

    fields: list[bytes]
    crc: bool = True
    size: bool = False

    def copy(self) -> Unit:
        return Unit(list(self.fields), self.crc, self.size)

    def joined(self, header: bytes, right: bool) -> bytes:
        data = b"".join(self.fields)
        if self.crc:
            data += (zlib.crc32(header + data) ^ (not right)).to_bytes(4, "little")
        return data + ((len(data) + 4) % 2**32).to_bytes(4, "little") if self.size else data


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> tuple[bytes, int]:
        start = self.at
        while self.data[self.at] & 128:
            self.at += 1
        self.at += 1
        field = self.data[start : self.at]
        return field, sum((byte & 127) << 7 * i for i, byte in enumerate(field))


def parse(data: bytes) -> list[Unit]:
    """The units of a sound file."""
    cursor = _Cursor(data)
    fields = [cursor.take(MAGIC_SIZE), cursor.take(1), cursor.take(1)]
    what, how = fields[1][0], fields[2][0]
    fields += [cursor.varint()[0], cursor.varint()[0]]
    if what & 128:
        field, size = cursor.varint()
        fields += [field, cursor.take(size)]
    if how & 64:
        fields.append(cursor.take(8))
    units = [Unit(fields, crc=False)]
    while cursor.at < len(data):
        units.append(_block(cursor, (how & 7) + 1, len(units) == 1, fields[0][3]))
        if units[-1].fields[0][0] >> 2 == 0 and units[-1].fields[0][0] & 3 in (container.CODED, container.CONSTANT):
            units.append(Unit([cursor.take(16)], crc=False))  # the end, without its tag
    assert cursor.at == len(data)
    return units


def _block(cursor: _Cursor, channels: int, first: bool, version: int) -> Unit:
    field, tag = cursor.varint()
    kind, count = tag & 3, tag >> 2
    if kind == container.END:
        unit = Unit([field, cursor.take(16)], crc=count > 0 or first, size=count > 0)
        unit.fields += [cursor.varint()[0] for _ in range(2 * count)]
        cursor.take(8 if count else 4 if first else 0)
        return unit
    if kind == container.CONSTANT:
        period, repeated = cursor.varint() if version > 1 else (b"", 0)
        if repeated:
            size_field, size = cursor.varint()
            unit = Unit([field, period, size_field, cursor.take(size)])
        else:
            unit = Unit([field, *[period] * bool(period), *(cursor.varint()[0] for _ in range(channels))])
    elif kind == container.CODED and not count:
        unit = Unit([field, cursor.take(len(cursor.data) - 20 - cursor.at)])
    else:
        size_field, size = cursor.varint()
        unit = Unit([field, size_field, cursor.take(size or count)])
    cursor.take(4)
    return unit


_NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 64, 127, 128, 255, 256, 300, 1000, 1023, 1024, 4095, 4096, 65535]
_NUMBERS += [sign + (1 << bits) for bits in (20, 22, 24, 26, 27, 28, 31, 32, 49, 52, 55, 62) for sign in (-1, 0, 1, 2)]


def _number(draw: random.Random, field: bytes) -> bytes:
    """Another varint: near to the old one, or one of those around a limit; sometimes longer than it need be."""
    old = sum((byte & 127) << 7 * i for i, byte in enumerate(field[:9]))
    value = max(0, old + draw.choice([-4, -2, -1, 1, 2, 3, 4, 8])) if draw.random() < 0.5 else draw.choice(_NUMBERS)
    made = varint.encode(value)
    if draw.random() < 0.1:
        made = made[:-1] + bytes([made[-1] | 128]) + b"\x80" * draw.randrange(3) + b"\0"
    return made


def _change(draw: random.Random, field: bytes, is_number: bool) -> bytes:
    if is_number and draw.random() < 0.8:
        return _number(draw, field)
    kind, changed = draw.randrange(6), bytearray(field)
    at = draw.randrange(max(1, min(len(field), draw.choice([4, 1 << 20]))))
    if kind < 3 and changed:
        changed[at] ^= 1 << draw.randrange(8)
    elif kind == 3 and changed:
        changed[at] = draw.choice([0, 1, 127, 128, 254, 255, draw.randrange(256)])
    elif kind == 4:
        del changed[at : at + draw.choice([1, 1, 4, 1 << 20])]
    else:
        changed[at:at] = draw.randbytes(draw.choice([1, 2, 8]))
    return bytes(changed)


def forge(draw: random.Random, units: list[Unit], others: list[Unit]) -> bytes:
    """Another file of changed units, with right checksums for most of them."""
    made = [unit.copy() for unit in units]
    for _ in range(draw.choice([1, 1, 2, 3])):
        place = draw.randrange(len(made))
        unit, kind = made[place], draw.randrange(14)
        if kind == 0 and len(made) > 1:
            del made[place]
        elif kind == 1:
            made.insert(place, unit.copy())
        elif kind == 2:
            other = draw.randrange(len(made))
            made[place], made[other] = made[other], unit
        elif kind == 3:
            made[place] = draw.choice(others).copy()
        elif place == 0 and kind == 4:
            unit.fields[0] = unit.fields[0][:3] + bytes([1 + draw.randrange(VERSIONS)])
        elif unit.fields:
            field = draw.randrange(len(unit.fields))
            length = len(unit.fields[field])
            if kind == 4:
                del unit.fields[field]
            else:
                unit.fields[field] = _change(draw, unit.fields[field], length != 16 and length < 6)
    wrong = draw.randrange(len(made)) if draw.random() < 0.05 else -1
    header = b"".join(made[0].fields)
    return b"".join(unit.joined(header, place != wrong) for place, unit in enumerate(made))


def damage(draw: random.Random, data: bytes) -> bytes:
    """The file with some bytes changed, checksums as they were."""
    bad = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        at, kind = draw.randrange(len(bad) + 1), draw.randrange(5)
        if kind == 0:
            del bad[at:]
        elif kind == 1:
            bad[at:at] = draw.randbytes(draw.choice([1, 2, 100]))
        elif kind == 2:
            del bad[at : at + draw.choice([1, 4, 40])]
        elif at < len(bad):
            bad[at] ^= 1 << draw.randrange(8)
    return bytes(bad)
