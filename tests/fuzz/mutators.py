"""Ways to spoil bytes and text of which nothing is known, and what all other mutators share."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

Mutate = Callable[[Random, bytes], bytes]

# Where counts, sizes and signs go wrong.
NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 8, 16, 64, 127, 128, 255, 256, 511, 512, 4096, 32767, 32768, 65535),
    *(65536, 2**20, 2**24, 2**27, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**53),
    *(2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -2, -(2**31), -(2**63), 10**12, 10**30),
)
_SIGNS = ("\0", "\r", "\n", "\r\n", "\t", " ", "\ufeff", "\u202e", "\x1b[2J", "'", '"', "\\")
TEXTS = (
    *("", "0", "-1", "1e400", "-0.0", "nan", "inf", "-inf", "0x10", "1_000", "٣", "9" * 400),
    *("1" + "0" * 5000, "null", "true", "~", "[]", "{}", "..", "../../x", "/", "/x", "\\", "."),
    *("CON", "a" * 300, "a/b", "é", "\U0001f600", "2024-01-01", "010", "=1+1", "@x", "1" * 30),
    *_SIGNS,
)
# Nothing may read or write here; the bench watches for the name.
OUTSIDE = "outside-of-the-bench"
PATHS = (
    *(f"../../{OUTSIDE}/x", f"/{OUTSIDE}/x", f"pkl/../../{OUTSIDE}/x", f"..\\..\\{OUTSIDE}"),
    *("", ".", "..", "/", "//", "a//b", "./a", "a/./b", "a\nb", "a\0b", "x" * 5000, "~", "$HOME"),
)


def times(random: Random, most: int = 4) -> int:
    """How often to spoil something: mostly once."""
    number = 1
    while number < most and random.random() < 0.4:
        number += 1
    return number


def a_number(random: Random) -> int:
    """A number that somebody may not have thought of."""
    if random.random() < 0.2:
        return random.getrandbits(random.choice((8, 16, 32, 64)))
    return random.choice(NUMBERS) + random.choice((0, 0, 0, 1, -1))


def packed(random: Random, form: str, number: int | None = None) -> bytes:
    """A number as a field of a header, cut to what fits it."""
    number = a_number(random) if number is None else number
    size = struct.calcsize(form)
    return struct.pack(form, number % 2 ** (8 * size))


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """Spoil bytes of which nothing is known."""
    spoilt = bytearray(data)
    for _ in range(times(random)):
        _spoil(random, spoilt)
    return bytes(spoilt)


def _spoil(random: Random, data: bytearray) -> None:
    place = random.randrange(len(data) + 1)
    length = min(random.choice((1, 1, 2, 4, 8, 16, 64, 512, 4096)), len(data) - place)
    match random.randrange(9):
        case 0 | 1 if data:
            data[place % len(data)] ^= 1 << random.randrange(8)
        case 2 if data:
            data[place % len(data)] = random.randrange(256)
        case 3:
            form = random.choice("BHIQ")
            number = packed(random, random.choice("<>") + form)
            data[place : place + len(number)] = number
        case 4:
            del data[place : place + length]
        case 5:
            data[place:place] = data[place : place + length] * random.choice((1, 1, 3, 100))
        case 6:
            data[place:place] = random.randbytes(random.choice((1, 2, 8, 64)))
        case 7:
            del data[place:]
        case _:
            other = random.randrange(len(data) + 1)
            data[place : place + length] = data[other : other + length]


def mutate_text(random: Random, data: bytes) -> bytes:
    """Spoil a text by its lines, words and numbers, or as bytes."""
    if random.random() < 0.15:
        return mutate_bytes(random, data)
    text = data.decode("utf-8", "surrogateescape")
    for _ in range(times(random)):
        text = _spoil_text(random, text)
    spoilt = text.encode("utf-8", "surrogateescape")
    if random.random() < 0.03:
        spoilt = random.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x1f\x8b")) + spoilt
    if random.random() < 0.03:
        spoilt = spoilt.decode("utf-8", "replace").encode("utf-16")
    return spoilt


def _spoil_text(random: Random, text: str) -> str:
    lines = text.split("\n")
    line = random.randrange(len(lines))
    match random.randrange(8):
        case 0:
            lines[line:line] = [lines[line]] * random.choice((1, 1, 1, 50))
        case 1:
            del lines[line]
        case 2:
            other = random.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
        case 3:
            return text[: random.randrange(len(text) + 1)]
        case 4:
            place = random.randrange(len(text) + 1)
            return text[:place] + random.choice(TEXTS) + text[place:]
        case _:
            lines[line] = _spoil_words(random, lines[line])
    return "\n".join(lines)


def _spoil_words(random: Random, line: str) -> str:
    words = words_of(line)
    if not words:
        return random.choice(TEXTS)
    place = random.randrange(len(words))
    if random.random() < 0.2:
        del words[place]
    elif random.random() < 0.5:
        words[place] = str(a_number(random))
    else:
        words[place] = random.choice(random.choice((TEXTS, PATHS)))
    return "".join(words)


def words_of(line: str) -> list[str]:
    """A line cut where letters and digits meet anything else."""
    words: list[str] = []
    for sign in line:
        if words and sign.isalnum() == words[-1][-1].isalnum() and sign.isalnum():
            words[-1] += sign
        else:
            words.append(sign)
    return words


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The parts of `data` that begin at these places, the first of which is 0."""
    ends = [*places[1:], len(data)]
    return [data[start:end] for start, end in zip(places, ends, strict=True)]
