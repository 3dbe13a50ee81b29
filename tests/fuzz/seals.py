"""Digests put right again after a file was spoilt, so that what lies behind them is tried too."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from gait.errors import DataError
from gait.formats.blocks import DIGESTS, write_digests
from tests.fuzz.mutators import Mutate

_ZIP_END = b"PK\5\6"
_ZIP_END_BYTES = 22
# Of so many cases, the digest is as it should be.
_SHARE = 0.85

Seal = Callable[[bytes], bytes]


def sealing(mutate: Mutate, seal: Seal) -> Mutate:
    """Spoils files as `mutate` does, with a digest that is mostly right."""

    def mutate_and_seal(random: Random, data: bytes) -> bytes:
        spoilt = mutate(random, data)
        return seal(spoilt) if random.random() < _SHARE else spoilt

    return mutate_and_seal


def seal_zip(data: bytes) -> bytes:
    """A zip file with the digest in its comment, if there is an end that can have one."""
    place = data.rfind(_ZIP_END)
    if place < 0 or len(data) < place + _ZIP_END_BYTES:
        return data
    whole = data[: place + _ZIP_END_BYTES - 2]
    comment = b"gait-sha256:" + hashlib.sha256(whole).hexdigest().encode()
    return whole + len(comment).to_bytes(2, "little") + comment


def seal_json(data: bytes) -> bytes:
    """A mapping with the digest under its last key."""
    place = data.rfind(b',\n "sha256": "')
    text = data[:place] if place >= 0 else data.rstrip().removesuffix(b"}").rstrip()
    text += b",\n "
    return text + b'"sha256": "' + hashlib.sha256(text).hexdigest().encode() + b'"\n}\n'


def seal_lines(data: bytes) -> bytes:
    """Lines that are mappings, each with its checksum."""
    return b"".join(map(_sealed_line, data.splitlines(keepends=True)))


def _sealed_line(line: bytes) -> bytes:
    text, end = line.removesuffix(b"\n"), b"\n" if line.endswith(b"\n") else b""
    text = text.partition(b', "crc32": "')[0].removesuffix(b"}")
    return text + b', "crc32": "%08x"}' % zlib.crc32(text) + end


def seal_yaml(data: bytes) -> bytes:
    """A text with the digest in a comment on its last line."""
    text = data.partition(b"# sha256: ")[0]
    text = text if text.endswith(b"\n") else text + b"\n"
    return text + b"# sha256: " + hashlib.sha256(text).hexdigest().encode() + b"\n"


def seal_store(path: Path) -> None:
    """Write the digests of the arrays beside a file of a packed store."""
    arrays = {each.name: each for each in path.parent.glob("*.npy")}
    # Of what is no array at all, there is no digest.
    with suppress(DataError, ValueError, OSError):
        write_digests(path.parent / DIGESTS, arrays)
