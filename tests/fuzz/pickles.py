"""Pickles spoilt as programs: their opcodes, what these refer to, and what they build."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from random import Random

from tests.fuzz.mutators import NUMBERS, a_number, cut, mutate_bytes, times

_PROTOCOLS = (0, 1, 2, 3, 4, 5)
_NUMPY = (b"numpy.core.multiarray", b"numpy._core.multiarray")
_CODES = ("u1", "i1", "i8", "f4", "f8", "f2", "c16", "b1", "O8", "O", "V8", "S4", "U4", "M8[ns]")
# What a pickle may ask for that nobody should give it.
_HOSTILE = (
    *((b"os", b"system"), (b"builtins", b"eval"), (b"builtins", b"getattr"), (b"numpy", b"load")),
    *((b"numpy", b"ndarray"), (b"numpy", b"dtype"), (b"numpy", b"memmap"), (b"posix", b"system")),
    *((b"_codecs", b"encode"), (b"__builtin__", b"set"), (b"collections", b"OrderedDict")),
    *((b"copyreg", b"_reconstructor"), (b"copy_reg", b"_reconstructor"), (b"numpy", b"empty")),
    *((b"numpy.core.numeric", b"_frombuffer"), (b"torch._utils", b"_rebuild_tensor_v2")),
    *((b"torch", b"FloatStorage"), (b"torch", b"device"), (b"", b""), (b"a.b", b"c.d.e")),
)
# Each is put between two opcodes: memo games, references to what is not there, sizes that are
# claims, what alters what is built.
SNIPPETS: tuple[bytes, ...] = (
    *(b"0", b"1", b"2", b"(", b")", b"]", b"}", b"N", b"\x8f", b"b", b"bb", b"2b", b"R", b"81"),
    *(b"s", b"u", b"a", b"e", b"t", b"l", b"d", b"\x85", b"\x86", b"\x87", b"\x81", b"\x92"),
    *(b"o", b"q\x00", b"q\xff", b"h\x00", b"h\x01", b"h\xff", b"\x94", b"p-1\n", b"g0\n"),
    *(b"r\xff\xff\xff\x07", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f", b"p99999999\n"),
    *(b"p" + b"9" * 400 + b"\n", b"\x97", b"\x98", b"\x97\x98", b"2\x98", b"2\x980", b"K\x00"),
    *(b"2K\x00K\x01s", b"2K\x00Ns", b"2(K\x00K\x01u", b"2N2K\x00\x86b", b"2}b", b"2)b", b"2Nb"),
    *(b"P0\n", b"Q", b"Pstorage\n", b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"),
    *(b"\x82\x00", b"\x84\xff\xff\xff\xff", b"I01\n", b"I-1\n", b"I" + b"9" * 5000 + b"\n"),
    *(b"L" + b"9" * 5000 + b"L\n", b"Fnan\n", b"F1e999\n", b"Ix\n", b"S'x'\n", b'S"\n', b"Sx\n"),
    *(b"V\\ud800\n", b"V\\U00110000\n", b"S'\\x'\n", b"\x8b\xff\xff\xff\x7f", b"\x8a\xff"),
    *(b"\x8b\x00\x00\x10\x00" + b"\xff" * 64, b"B\xff\xff\xff\xff", b"X\xff\xff\xff\x7f"),
    *(b"\x8e" + b"\xff" * 8, b"\x8e\x00\x00\x00\x00\x01\x00\x00\x00", b"\x96" + b"\xff" * 8),
    *(
        b"\x96\x00\x00\x00\x40\x00\x00\x00\x00",
        b"\x96\x04" + bytes(7) + b"abcd",
        b"T\xff\xff\xff\xff",
    ),
    *(b"\x8d\x00\x00\x00\x40\x00\x00\x00\x00", b"\x95" + b"\xff" * 8, b"\x95" + bytes(8)),
    *(b"\x95\x00\x00\x00\x40\x00\x00\x00\x00", b"\x80\x00", b"\x80\x05", b"\x80\xff", b"."),
    *(b"]2a", b"}2K\x00\x82", b"]q\x07h\x07a", b"(h\x00h\x00t", b"\x8f(K\x01\x90", b"\x91"),
    *(b"K\x01" + b"22\x87" * 40, b"K\x01" + b"22\x87" * 400, b")" + b"\x85" * 3000),
    *(b"]" * 3000 + b"a" * 2999, b"(" * 5000, b"}" + b"2" * 2000, b"N" * 5000, b"(" + b"2" * 900),
    *(b"cos\nsystem\n", b"cos\nsystem\n(S'true'\ntR", b"(S'true'\nios\nsystem\n", b"\x93"),
    *(b"c__builtin__\nset\n", b"\x8c\x02os\x8c\x06system\x93", b"cnumpy\nndarray\n"),
)


def mutate_pickle(random: Random, data: bytes) -> bytes:
    """Spoil a pickle by its opcodes, write another one, or spoil it as bytes."""
    draw = random.random()
    if draw < 0.5:
        return _mutated_program(random, data)
    if draw < 0.85:
        return array_program(random)
    return mutate_bytes(random, data)


def _mutated_program(random: Random, data: bytes) -> bytes:
    try:
        places = [place for _, _, place in pickletools.genops(data)]
    except Exception:
        # What is no pickle, such as the results of another mutator, is spoilt as bytes.
        return mutate_bytes(random, data)
    ops = cut(data, places)
    ops[-1] = ops[-1][:1]
    for _ in range(times(random, 6)):
        _spoil(random, ops)
    return b"".join(ops)


def _spoil(random: Random, ops: list[bytes]) -> None:
    place = random.randrange(len(ops) + 1)
    other = random.randrange(len(ops) + 1)
    match random.randrange(10):
        case 0:
            del ops[place : place + random.choice((1, 1, 2, 5))]
        case 1:
            low, high = sorted((place, other))
            ops[place:place] = ops[low : low + min(high - low, 30)]
        case 2 if place < len(ops) and other < len(ops):
            ops[place], ops[other] = ops[other], ops[place]
        case 3 if place < len(ops):
            ops[place] = mutate_bytes(random, ops[place])
        case 4 if place < len(ops):
            ops[place] = a_value(random)
        case 5 if place < len(ops):
            ops[place] = _other_argument(random, ops[place])
        case 6:
            ops.insert(place, a_value(random))
        case _:
            ops.insert(place, random.choice(SNIPPETS))


def _other_argument(random: Random, op: bytes) -> bytes:
    """An opcode with another number, where it has one."""
    if op[:1] in (b"K", b"M", b"J", b"I", b"L", b"\x8a"):
        return an_integer(random)
    if op[:1] in (b"h", b"q", b"j", b"r"):
        return op[:1].lower() + bytes(random.choices((0, 1, 2, 3, 200), k=len(op) - 1))
    if op[:1] in (b"c", b"i"):
        module, name = random.choice(_HOSTILE)
        return op[:1] + module + b"\n" + name + b"\n"
    return op[:1] + op[2:]


def an_integer(random: Random, number: int | None = None) -> bytes:
    """A whole number, in any of the ways to write it."""
    number = a_number(random) if number is None else number
    ways = [b"I%d\n" % number, b"L%dL\n" % number, b"L%d\n" % number]
    if 0 <= number < 256:
        ways += [b"K" + bytes([number])] * 3
    if 0 <= number < 65536:
        ways.append(b"M" + struct.pack("<H", number))
    if -(2**31) <= number < 2**31:
        ways.append(b"J" + struct.pack("<i", number))
    size = number.bit_length() // 8 + 1
    ways.append(b"\x8a" + bytes([size]) + number.to_bytes(size, "little", signed=True))
    ways.append(b"\x8b" + struct.pack("<i", size) + number.to_bytes(size, "little", signed=True))
    return random.choice(ways)


def a_text(random: Random, text: str) -> bytes:
    """A text, in any of the ways of Python 2 and 3."""
    data = text.encode()
    ways = [
        b"X" + struct.pack("<I", len(data)) + data,
        b"\x8c" + bytes([len(data) % 256]) + data,
        b"\x8d" + struct.pack("<Q", len(data)) + data,
        b"V" + data + b"\n",
        b"S'" + data + b"'\n",
        b"U" + bytes([len(data) % 256]) + data,
        b"T" + struct.pack("<I", len(data)) + data,
    ]
    return random.choice(ways)


def some_bytes(random: Random, data: bytes) -> bytes:
    """Bytes, in any of the ways to write them, some of which are no bytes."""
    size = struct.pack("<I", len(data))
    ways = [
        *([b"B" + size + data] * 4),
        b"\x8e" + struct.pack("<Q", len(data)) + data,
        b"\x96" + struct.pack("<Q", len(data)) + data,
        b"\x96" + struct.pack("<Q", len(data)) + data + b"\x98",
        b"T" + size + data,
        b"c_codecs\nencode\n" + a_text(random, data.hex()) + b"X\x06\x00\x00\x00latin1\x86R",
        b"\x97",
    ]
    if len(data) < 256:
        ways.append(b"C" + bytes([len(data)]) + data)
    return random.choice(ways)


def a_value(random: Random, depth: int = 0) -> bytes:
    """Anything that a pickle may hold."""
    draw = random.randrange(12)
    if depth > 3 or draw < 4:
        return random.choice(
            (
                b"N",
                b"\x88",
                b"\x89",
                b")",
                b"]",
                b"}",
                b"\x8f",
                b"G" + random.randbytes(8),
                b"h\x00",
            )
        )
    if draw < 6:
        return an_integer(random)
    if draw == 6:
        return a_text(random, random.choice(("", "x", "latin1", "cam", "u1", "é")))
    if draw == 7:
        return some_bytes(random, random.randbytes(random.choice((0, 1, 8, 64))))
    if draw == 8:
        return array_expression(random, depth + 1)
    if draw == 9:
        return random.choice(SNIPPETS)
    inner = [a_value(random, depth + 1) for _ in range(random.randrange(4))]
    if draw == 10:
        return b"(" + b"".join(inner) + random.choice((b"t", b"l", b"d"))
    module, name = random.choice(_HOSTILE)
    return (
        b"c"
        + module
        + b"\n"
        + name
        + b"\n("
        + b"".join(inner)
        + b"t"
        + random.choice((b"R", b"\x81"))
    )


def _perhaps(random: Random, good: bytes, odds: float = 0.06) -> bytes:
    """What is right there, or rarely anything."""
    return a_value(random) if random.random() < odds else good


def _tuple(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def _dtype(random: Random, code: str) -> bytes:
    flag = random.choice((b"I00\n", b"\x89", b"K\x00"))
    made = (
        b"cnumpy\ndtype\n" + _tuple(_perhaps(random, a_text(random, code)), flag, b"\x88") + b"R"
    )
    if random.random() < 0.2:
        return made
    inside = [_perhaps(random, b"N", 0.03) for _ in range(3)]
    tail = [an_integer(random, -1), an_integer(random, -1), an_integer(random, 0)]
    order = a_text(random, random.choice(("<", "|", "|", ">", "=", "", "!")))
    return (
        made
        + _tuple(an_integer(random, 3), order, *inside, *tail)
        + b"b" * random.choice((1, 1, 2))
    )


def array_expression(random: Random, depth: int = 0) -> bytes:
    """An array as NumPy writes it, with something else here and there."""
    code = random.choice(_CODES) if random.random() < 0.4 else "u1"
    shape = random.choice(((2, 4, 4), (1, 8, 4), (3, 5, 3), (2, 85), (3,), (), (0,), (1, 1, 1, 1)))
    shape = tuple(random.choice(NUMBERS) if random.random() < 0.04 else each for each in shape)
    total = 1
    for each in shape:
        total *= each
    width = {"i8": 8, "f4": 4, "f8": 8, "f2": 2, "c16": 16}.get(code, 1)
    count = total * width if 0 <= total * width < 4096 else 16
    data = random.randbytes(count) if random.random() < 0.5 else bytes(count)
    given = _tuple(*(_perhaps(random, an_integer(random, each), 0.02) for each in shape))
    if random.random() < 0.05:
        given = b"(" + an_integer(random, 2**63 - 1) * random.choice((100, 5000)) + b"t"
    content = some_bytes(random, data)
    if code.startswith("O"):
        content = b"(" + b"".join(a_value(random, depth + 1) for _ in range(min(total, 8))) + b"l"
    kind = _perhaps(random, _dtype(random, code), 0.03)
    core = random.choice(_NUMPY)
    if random.random() < 0.25:
        order = a_text(random, random.choice(("C", "F", "C", "A")))
        module = core.replace(b"multiarray", b"numeric")
        made = b"c" + module + b"\n_frombuffer\n" + _tuple(content, kind, given, order) + b"R"
    else:
        base = _tuple(
            b"cnumpy\nndarray\n", _tuple(an_integer(random, 0)), some_bytes(random, b"b")
        )
        state = _tuple(
            _perhaps(random, an_integer(random, 1)),
            _perhaps(random, given, 0.04),
            kind,
            random.choice((b"\x89", b"I00\n", b"\x88", b"K\x01")),
            _perhaps(random, content, 0.04),
        )
        made = b"c" + core + b"\n_reconstruct\n" + base + b"R" + state + b"b"
        if random.random() < 0.15:
            made += random.choice(
                (state + b"b", b"2" + state + b"b0", b"\x98", b"2\x98" + state + b"b")
            )
    return made


def array_program(random: Random) -> bytes:
    """A whole pickle of an array, of a list of arrays, or of people's bodies."""
    out = io.BytesIO()
    if random.random() < 0.8:
        out.write(b"\x80" + bytes([random.choice((2, 3, 4, 5))]))
    if random.random() < 0.05:
        out.write(b"\x95" + struct.pack("<Q", abs(a_number(random)) % 2**64))
    draw = random.random()
    if draw < 0.6:
        out.write(array_expression(random))
    elif draw < 0.8:
        cloud = array_expression(random)
        out.write(b"(" + cloud + b"q\x00" + b"h\x00" * random.choice((1, 3, 300, 30000)) + b"l")
    else:
        parts = b"".join(
            a_text(random, part) + array_expression(random) for part in ("cam", "poses", "betas")
        )
        out.write(b"(K\x00(" + parts + b"dd")
    if random.random() < 0.1:
        out.write(random.choice(SNIPPETS))
    out.write(b".")
    return out.getvalue()


def in_protocols(content: object) -> list[bytes]:
    """An object pickled in each protocol."""
    return [pickle.dumps(content, protocol=each) for each in _PROTOCOLS]
