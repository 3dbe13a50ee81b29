"""Arrays and weights spoilt: headers that claim other numbers, records and pickles of torch."""

from __future__ import annotations

import io
import struct
import zipfile
from random import Random

import numpy as np

from tests.fuzz.mutators import a_number, mutate_bytes, mutate_text, times
from tests.fuzz.pickles import mutate_pickle
from tests.fuzz.zips import zip_mutator, zip_of

_MAGIC = b"\x93NUMPY"
_DESCRIPTIONS = (
    *("'|u1'", "'<f4'", "'<f8'", "'>f4'", "'|O'", "'<U8'", "'|S4'", "'|V8'", "'<c16'", "'|b1'"),
    *("'<i8'", "'<M8[ns]'", "'x'", "''", "None", "3", "[('a', '<f4')]", "[('a', '|O')]", "'<f2'"),
    *("'<U99999999999'", "('<f4', (1000, 1000, 1000))", "[('a', '<f4', (9999999, 9999999))]"),
    *("'<u8'", "'O'", "'|i1'", "'<i4'", "'<U0'", "'|V0'"),
)


def npy_of(array: np.ndarray) -> bytes:
    """A sound .npy file."""
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def npz_of(**arrays: object) -> bytes:
    """A sound .npz file."""
    return zip_of({f"{name}.npy": npy_of(np.asarray(each)) for name, each in arrays.items()})


def mutate_npy(random: Random, data: bytes) -> bytes:
    """Spoil an array file: what its header claims, or the numbers behind it."""
    if random.random() < 0.2 or not data.startswith(_MAGIC):
        return mutate_bytes(random, data)
    form = "<H" if data[6] == 1 else "<I"
    start = 8 + struct.calcsize(form)
    size = struct.unpack_from(form, data, 8)[0]
    header, body = data[start : start + size].decode("latin-1"), data[start + size :]
    for _ in range(times(random, 3)):
        header = _spoilt_header(random, header)
    if random.random() < 0.15:
        body = mutate_bytes(random, body)
    told = header.encode("latin-1", "replace")
    version = random.choice(((1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (4, 0), (0, 0)))
    form = "<H" if version == (1, 0) and len(told) < 65536 else "<I"
    length = a_number(random) if random.random() < 0.05 else len(told)
    length %= 2 ** (8 * struct.calcsize(form))
    return _MAGIC + bytes(version) + struct.pack(form, length) + told + body


def _spoilt_header(random: Random, header: str) -> str:
    match random.randrange(6):
        case 0:
            return _with(header, "'descr': ", ", 'fortran", random.choice(_DESCRIPTIONS))
        case 1:
            which = random.choice(("True", "False", "1", "None"))
            return _with(header, "'fortran_order': ", ", 'shape", which)
        case 2:
            return mutate_text(random, header.encode("latin-1", "replace")).decode("latin-1")
        case 3:
            return header.replace("{", "{" * random.choice((1, 2, 300)))
        case _:
            return _with(header, "'shape': ", ", }", _a_shape(random))


def _a_shape(random: Random) -> str:
    sizes = [str(a_number(random)) for _ in range(random.choice((0, 1, 1, 2, 3, 4, 70)))]
    some = [str(random.randrange(5)) for _ in range(random.randrange(4))]
    each = random.choice((sizes, some, some[:1] + sizes[:1] + some[1:]))
    odd = ("None", "()", "(,)", "(1.5,)", "'x'", "(True, 3)", "(" * 200, "-(1)", "(10**9,)")
    return random.choice(odd) if random.random() < 0.1 else f"({', '.join(each)},)"


def _with(text: str, before: str, after: str, new: str) -> str:
    head, found, rest = text.partition(before)
    _, ended, tail = rest.partition(after)
    return head + found + new + ended + tail if ended else text


def npz_stored(**arrays: object) -> bytes:
    """A sound .npz file that is not compressed."""
    files = {f"{name}.npy": npy_of(np.asarray(each)) for name, each in arrays.items()}
    return zip_of(files, zipfile.ZIP_STORED)


mutate_npz = zip_mutator(mutate_npy)


def _mutate_record(random: Random, data: bytes) -> bytes:
    """Spoil a part of a torch file: the pickle, numbers, or the small ones."""
    is_pickle = data[:1] == b"\x80" and data[-1:] == b"."
    return mutate_pickle(random, data) if is_pickle else mutate_bytes(random, data)


_mutate_torch_zip = zip_mutator(_mutate_record)


def mutate_torch(random: Random, data: bytes) -> bytes:
    """Spoil a file of torch, of the form of today or of before; or give what people mix up."""
    if random.random() < 0.02:
        return random.choice(
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
                b"<!DOCTYPE html><html>Not found</html>",
                b"",
                b"PK\5\6" + bytes(18),
                zip_of({"archive/data.pkl": b"\x80\x02}.", "archive/version": b"3\n"}),
            )
        )
    if data.startswith(b"PK"):
        return _mutate_torch_zip(random, data)
    # Five pickles follow each other; the first two are a number and a version.
    return mutate_pickle(random, data) if random.random() < 0.5 else mutate_bytes(random, data)
