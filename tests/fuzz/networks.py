"""Networks in the ONNX format spoilt by their fields, with the lengths around these made anew."""

from __future__ import annotations

import struct
from random import Random

from tests.fuzz.mutators import OUTSIDE, a_number, mutate_bytes, times

# A field of protocol buffers: its number, how it is written, and what it holds.
Field = tuple[int, int, object]

_NAMES = (
    b"Conv",
    b"ArgMax",
    b"Transpose",
    b"Loop",
    b"If",
    b"Reshape",
    b"Identity",
    b"Resize",
    b"Expand",
    b"Tile",
    b"Gather",
    b"ConstantOfShape",
    b"",
    b"x",
    b"ai.onnx.ml",
)


def mutate_onnx(random: Random, data: bytes) -> bytes:
    """Spoil a network."""
    if random.random() < 0.15:
        return mutate_bytes(random, data)
    fields = _parsed(data, 0)
    if fields is None:
        return mutate_bytes(random, data)
    for _ in range(times(random)):
        _spoil(random, fields)
    return _written(fields)


def varint(number: int) -> bytes:
    """A whole number as protocol buffers have it."""
    number %= 2**64
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if place >= len(data) or shift > 63:
            raise ValueError("no number")
        number |= (data[place] & 127) << shift
        shift += 7
        place += 1
        if data[place - 1] < 128:
            return number, place


def _parsed(data: bytes, depth: int) -> list[Field] | None:
    """The fields of a message; None for what is none."""
    fields: list[Field] = []
    place = 0
    try:
        while place < len(data):
            tag, place = _read(data, place)
            number, kind = tag >> 3, tag & 7
            if not 0 < number < 100:
                return None
            if kind == 0:
                value, place = _read(data, place)
                fields.append((number, kind, value))
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
                fields.append((number, kind, data[place : place + size]))
                place += size
            elif kind == 2:
                size, place = _read(data, place)
                part = data[place : place + size]
                if len(part) != size:
                    return None
                inner = _parsed(part, depth + 1) if depth < 8 and len(part) > 1 else None
                fields.append((number, kind, part if inner is None else inner))
                place += size
            else:
                return None
    except ValueError:
        return None
    return fields


def _written(fields: list[Field]) -> bytes:
    out = b""
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if isinstance(value, int):
            out += varint(value)
        else:
            part = _written(value) if isinstance(value, list) else value
            assert isinstance(part, bytes)
            out += (varint(len(part)) if kind == 2 else b"") + part
    return out


def _spoil(random: Random, fields: list[Field]) -> None:
    if not fields:
        return
    place = random.randrange(len(fields))
    number, kind, value = fields[place]
    draw = random.random()
    if isinstance(value, list) and value and draw < 0.8:
        _spoil(random, value)
    elif draw < 0.2:
        fields.insert(random.randrange(len(fields)), fields[place])
    elif draw < 0.3:
        del fields[place]
    elif draw < 0.4:
        fields[place] = random.randrange(1, 20), kind, value
    elif isinstance(value, int):
        fields[place] = number, kind, random.choice((a_number(random), random.randrange(20)))
    elif kind == 5:
        special = (float("nan"), float("inf"), 0.0, 1e38)
        fields[place] = number, kind, struct.pack("<f", random.choice(special))
    elif isinstance(value, bytes):
        others = (mutate_bytes(random, value), *_NAMES, f"../{OUTSIDE}/x".encode(), b"\xff")
        fields[place] = number, kind, random.choice((others[0], *others))
