"""Pickles of arrays: whatever NumPy writes is read, and nothing that was forged."""

from __future__ import annotations

import pickle
import random
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gait.errors import DataError
from gait.formats.pickles.arrays import unpickled

ARRAYS: list[Any] = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    np.arange(4, dtype=">i4"),
    np.arange(24, dtype=">f8").reshape(2, 3, 4).transpose(1, 2, 0),
    np.zeros((0, 5), np.float16),
    np.array(7.5),
    np.array([True, False]),
    np.asfortranarray(np.eye(3, dtype=bool)[:2]),
    np.array([1 + 2j], np.complex64),
    np.arange(256, dtype=np.uint8),
    np.arange(10)[::-2],
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS)
def test_arrays_come_back(array: np.ndarray[Any, Any], protocol: int) -> None:
    read: Any = unpickled(pickle.dumps(array, protocol=protocol), "x.pkl")
    assert type(read) is np.ndarray
    assert read.flags.writeable and read.flags.c_contiguous
    assert read.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_inside_of_python_s_own_values(protocol: int) -> None:
    content = [
        {"cam": np.arange(3.0), 5: (np.float32(2.5), "täxt\n", None), "": ()},
        np.uint8(7),
        [True, -(2**40), 2**63, 1.5, 255, 65535, -1],
        b"bytes\0\xff",
        b"",
    ]
    read: Any = unpickled(pickle.dumps(content, protocol=protocol), "x.pkl")
    np.testing.assert_array_equal(read[0].pop("cam"), [0.0, 1.0, 2.0])
    assert read[0] == {5: (2.5, "täxt\n", None), "": ()}
    assert read[1:] == content[1:]
    assert read[0][5][0].dtype == np.float32 and read[2][0] is True


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_objects_are_lists(protocol: int) -> None:
    def read(content: Any) -> Any:
        return unpickled(pickle.dumps(content, protocol=protocol), "x.pkl")

    [first, second] = read(np.array([{"a": np.arange(2)}, None], object))
    assert second is None and first["a"].tolist() == [0, 1]
    assert read(np.array({0: "a"}, object)) == {0: "a"}
    assert read(np.arange(6).astype(object).reshape(3, 2)) == [[0, 1], [2, 3], [4, 5]]
    assert read(np.arange(6).astype(object).reshape(2, 3).T) == [[0, 3], [1, 4], [2, 5]]
    assert read(np.array([], object)) == []


# As Python 2.7 with NumPy 1.16 wrote them: bytes are text, and NumPy's names are those of NumPy 1.
ARRAY_OF_PYTHON_2 = {
    0: b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\n"
    b"Rp5\n(I1\n(I2\nI3\ntp6\ncnumpy\ndtype\np7\n(S'u1'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'|'\np11\n"
    b"NNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x00\\\\\\'\"\\n\\xff'\np13\ntp14\nb.",
    2: b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
    b"\x87Rq\x03(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|"
    b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06\x00\\'\"\n\xfftb.",
}


@pytest.mark.parametrize("protocol", ARRAY_OF_PYTHON_2)
def test_python_2_is_read(protocol: int) -> None:
    read = unpickled(ARRAY_OF_PYTHON_2[protocol], "x.pkl")
    np.testing.assert_array_equal(read, np.array([[0, 92, 39], [34, 10, 255]], np.uint8))
    table = b"(dp0\nS'k\\xe9y'\np1\nL12L\nsS\"it's\"\nF1.5\ns."
    assert unpickled(table, "x.pkl") == {"k\xe9y": 12, "it's": 1.5}


class Call:
    """Pickled as a call, and then an alteration, of something."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


POINTER = b"\x01" * 8
RECONSTRUCT: Callable[..., Any] = np.empty(0).__reduce__()[0]  # type: ignore[assignment]
FROM_BUFFER: Callable[..., Any] = np.empty(0).__reduce_ex__(5)[0]  # type: ignore[assignment]
SCALAR: Callable[..., Any] = np.uint8(0).__reduce__()[0]  # type: ignore[assignment]
OBJECT = np.dtype("O")
EMPTY = (np.ndarray, (0,), b"b")
NO_OBJECTS = Call(np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0))
RECORD = Call(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0))
BYTES = np.dtype("u1")


@pytest.mark.parametrize(
    "forged",
    [
        Call(np.ndarray, ((1,), OBJECT, POINTER)),
        Call(FROM_BUFFER, (POINTER, OBJECT, (1,), "C")),
        Call(FROM_BUFFER, (POINTER, NO_OBJECTS, (1,), "C")),
        Call(FROM_BUFFER, (POINTER, BYTES, (9,), "C")),
        Call(FROM_BUFFER, (POINTER, BYTES, (-1,), "C")),
        Call(FROM_BUFFER, (POINTER, BYTES, (8.0,), "C")),
        Call(FROM_BUFFER, (POINTER, BYTES, (True, 8), "C")),
        Call(FROM_BUFFER, (POINTER, BYTES, (2, 4), "K", (0, 0))),
        Call(FROM_BUFFER, (POINTER, BYTES, (2, 4), "K", (1,))),
        Call(FROM_BUFFER, (POINTER, BYTES, (2, 4), "K", ((), ()))),
        Call(FROM_BUFFER, (np.zeros(8, np.uint8), BYTES, (8,), "C")),
        Call(SCALAR, (OBJECT, POINTER)),
        Call(SCALAR, (np.dtype("f8"), POINTER[:4])),
        Call(RECONSTRUCT, EMPTY),
        Call(RECONSTRUCT, EMPTY, (1, (1,), OBJECT, False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (1,), NO_OBJECTS, False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (5,), OBJECT, False, [1])),
        Call(RECONSTRUCT, EMPTY, (1, (2**40, 0), OBJECT, False, [])),
        Call(RECONSTRUCT, EMPTY, (1, (2,), np.dtype("f8"), False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (-1,), np.dtype("f8"), False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (1,) * 65, np.dtype("f8"), False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (0, 2**62, 2**62), np.dtype("f8"), False, b"")),
        Call(RECONSTRUCT, EMPTY, (1, (2**32, 2**32), np.dtype("u1"), False, b"")),
        Call(RECONSTRUCT, EMPTY, (1, (1,), RECORD, False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (1,), "f8", False, POINTER)),
        Call(np.dtype, ([("a", "O")],)),
        Call(np.dtype, ("u0",)),
        np.dtype("f4"),
        np.ndarray,
        np.zeros(2, [("a", "f4")]),
        np.array(["text"]),
        np.array([b"text"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, np.longdouble),
        {(1, 2): 3},
        {1.5: 3},
        2**64,
        -(2**63) - 1,
        [10**5000],
        {1, 2},
        1j,
    ],
)
@pytest.mark.parametrize("protocol", [3, 5])
def test_what_was_forged_is_refused(forged: object, protocol: int) -> None:
    with pytest.raises(ValueError) as told:
        unpickled(pickle.dumps(forged, protocol=protocol), "x.pkl")
    assert len(str(told.value)) < 300


ARRAY = pickle.dumps(np.arange(200, dtype=np.uint8), 3)[:-1]


@pytest.mark.parametrize(
    "data",
    [
        # An array that is filled twice: what pointed at the first bytes points at freed ones.
        ARRAY + pickle.dumps((1, (1,), BYTES, False, b"x"), 3)[2:-1] + b"b.",
        # A view of it, from one of protocol 5's own opcodes; one from outside the file.
        ARRAY + b"\x98.",
        b"\x80\x05\x97.",
        # Items put into an array, a type, or what stands for a name.
        ARRAY + b"K\x00K\x01s.",
        ARRAY + b"(K\x00K\x01u.",
        ARRAY + b"K\x01a.",
        b"cnumpy\ndtype\n}K\x01K\x02sb.",
        pickle.dumps(BYTES, 3)[:-1] + pickle.dumps((3, ">") + (None,) * 3, 3)[2:-1] + b"b.",
        # Registered extensions, instances, persistent ones, sets, and what nobody writes.
        b"\x80\x02\x82\x01.",
        b"(i__builtin__\nlist\n.",
        b"(c__builtin__\nlist\no.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"P1\n.",
        b"K\x01Q.",
        b"\x80\x04\x8f.",
        b"K\x012\x86.",
        b"K\x01K\x020.",
        b"K\x01(1.",
        # Values and marks that are not there, or left over, and bytes after the end.
        b".",
        b"(.",
        b"K\x01(t.",
        b"K\x01(a.",
        b"](K\x01\x85a.",
        b"K\x01K\x02.",
        b"h\x00.",
        b"q\x00.",
        b"(K\x01d.",
        b"K\x01.K\x01.",
        b"\x80\x06N.",
        b"\x80\x04\x95\x00",
        *(code + b"\x01" for code in (b"J", b"M", b"G", b"j", b"r", b"X", b"\x8b", b"\x8e")),
        *(b"N" + bytes([code]) for code in range(256) if code != ord(".")),
        # A value inside of itself, and one that has no end.
        b"]q\x00h\x00a.",
        b"}q\x00\x8c\x01ah\x00s.",
        b"]q\x00(h\x00tq\x01a.",
        b"]" + b"]" * 100 + b"a" * 100 + b".",
        b"N" + b"\x85" * 100_000 + b".",
        # Numbers and texts that no writer leaves.
        b"I" + b"9" * 4000 + b"\n.",
        b"L" + b"9" * 10**6 + b"L\n.",
        b"\x8b\xff\xff\xff\x7f.",
        b"\x8b" + struct.pack("<I", 10**6) + b"\x7f" * 10**6 + b".",
        b"F1" + b"0" * 10**6 + b"\n.",
        b"T\xff\xff\xff\xff.",
        b"S'\\N{BULLET}'\n.",
        b"S'\\9'\n.",
        b"S'\n.",
        b"V\\u12\n.",
        b"X\x01\x00\x00\x00\xff.",
        b"g99999999999999999999999999999999999\n.",
    ],
)
def test_opcodes_that_no_writer_of_arrays_needs(data: bytes) -> None:
    with pytest.raises((ValueError, DataError)) as told:
        unpickled(data, "x.pkl")
    assert len(str(told.value)) < 300 and str(told.value).isprintable()


@pytest.mark.parametrize("deep", [7, 30, 60])
@pytest.mark.parametrize("times", [2, 10])
def test_few_bytes_do_not_become_much(deep: int, times: int) -> None:
    made = [b"\x8c\x03lolq\x00a"]
    for level in range(deep):
        made.append(b"(" + b"h%c" % level * times + b"tq%ca" % (level + 1))
    woven = b"]" + b"".join(made)
    started = time.process_time()
    if times**deep < 2**20:
        assert unpickled(woven + b".", "x.pkl")
    else:
        with pytest.raises(ValueError, match="again and again"):
            unpickled(woven + b".", "x.pkl")
    # The same as a shape, a type, what is called, a state, and the key of a dict.
    last = b"h%c" % deep
    for use in (
        b"}" + last + b"Nsa.",
        last + last + b"Ra.",
        b"cnumpy\ndtype\n" + last + b"Ra.",
        b"cnumpy\ndtype\n\x8c\x02u1\x85R" + last + b"ba.",
        b"cnumpy.core.numeric\n_frombuffer\n(C\x01xcnumpy\ndtype\n\x8c\x02u1\x85R"
        + last
        + b"\x8c\x01CtRa.",
        b"cnumpy.core.numeric\n_frombuffer\n(C\x01xcnumpy\ndtype\n\x8c\x02u1\x85RK\x01\x85"
        + last
        + b"tRa.",
        b"\x8c\x05numpy" + last + b"\x93a.",
    ):
        with pytest.raises((ValueError, DataError)) as told:
            unpickled(woven + use, "x.pkl")
        assert len(str(told.value)) < 300
    assert time.process_time() - started < 2


def test_places_in_the_memo_take_nothing() -> None:
    assert unpickled(b"\x80\x04Nr\x00\x00\x00\x08p4294967295\n.", "x.pkl") is None


def test_bytes_that_serve_many_arrays_do_not_become_many() -> None:
    shared = b"]B" + struct.pack("<I", 10**6) + bytes(10**6) + b"q\x00a"
    first = b"cnumpy.core.numeric\n_frombuffer\nq\x01(h\x00cnumpy\ndtype\n(\x8c\x02u1tRq\x02"
    shape = b"J" + struct.pack("<i", 10**6) + b"\x85q\x03\x8c\x01Cq\x04tRa"
    array = b"h\x01(h\x00h\x02h\x03h\x04tRa"
    few: Any = unpickled(shared + first + shape + array * 5 + b".", "x.pkl")
    assert [len(each) for each in few] == [10**6] * 7
    with pytest.raises(ValueError, match="again and again"):
        unpickled(shared + first + shape + array * 5000 + b".", "x.pkl")


def test_shapes_of_many_huge_numbers() -> None:
    shape = b"(" + (b"\x8a\x08" + b"\xff" * 7 + b"\x7f") * 16_000 + b"t"
    data = b"cnumpy.core.numeric\n_frombuffer\n(C\x01xcnumpy\ndtype\n\x8c\x02u1\x85R" + shape
    with pytest.raises(ValueError, match="axes"):
        unpickled(data + b"\x8c\x01CtR.", "x.pkl")


def test_more_opcodes_than_a_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIT_MAX_PICKLE_STEPS", "1000")
    data = pickle.dumps([0.5] * 2000)
    with pytest.raises(DataError, match=r"x\.pkl: .*GAIT_MAX_PICKLE_STEPS=\d+ in"):
        unpickled(data, "x.pkl")
    monkeypatch.setenv("GAIT_MAX_PICKLE_STEPS", str(len(data)))
    assert unpickled(data, "x.pkl") == [0.5] * 2000


def test_truth_values_are_true_or_false() -> None:
    data = pickle.dumps(np.array([True, False]), 3).replace(b"\x01\x00q", b"\x02\x00q")
    read: Any = unpickled(data, "x.pkl")
    assert read.view(np.uint8).tolist() == [1, 0]


def test_anything_else_is_not_run() -> None:
    with pytest.raises(DataError, match=r"x\.pkl: .*asks for builtins\.print, which was not run"):
        unpickled(pickle.dumps(Call(print, ("run",)), protocol=3), "x.pkl")
    with pytest.raises(DataError, match=r"asks for os\\x1b\]0;\.\\u202esystem, which") as told:
        unpickled(b"\x8c\x06os\x1b]0;\x8c\x09\xe2\x80\xaesystem\x93.", "x.pkl")
    assert str(told.value).isprintable()


def test_random_programs_give_values_or_a_reason() -> None:
    """Opcodes with fitting and unfitting arguments, in any order, and games with the memo."""
    rng = random.Random(7)
    blank = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    kind = b"cnumpy\ndtype\n\x8c\x02u1\x85R"
    state = b"(K\x01K\x08\x85%s\x89C\x08abcdefghtb"
    array = blank + b"q\x02" + state % (kind + b"q\x01")
    values = [
        *(b"%cq%c" % (kind_of, index) for kind_of in b"]}N)" for index in (0, 3)),
        *(b"h%c" % index for index in (0, 2, 3)),
        *(b"h%ch%c\x86q%c" % (index, index, index) for index in (0, 3)),
        *(b"(" + b"h%c" % index * 4 + b"lq%c" % index for index in (0, 3)),
        *(b"K\x02", b"J\xff\xff\xff\xff", b"I00\n", b"\x8a\x08abcdefg0", b"Gabcdefgh"),
        *(b"C\x08abcdefgh", b"\x8c\x03abc", b"U\x02u1", b"S'C'\n", b"V\\u0041\n"),
        *(blank + state % b"h\x01", b"\x96\x02" + bytes(9), b"}\x8c\x01ah\x00s"),
        b"cnumpy.core.multiarray\nscalar\n(h\x01C\x01atR",
    ]
    further = [
        *(bytes([code]) for code in b"()]}NlatsdeuRb.012oQ"),
        *(bytes([code]) for code in b"\x81\x85\x86\x87\x88\x89\x93\x94\x97\x98"),
        *(blank, kind, b"h\x01", state % kind, b"h\x02" + state % b"h\x01"),
        *(b"cos\nsystem\n", b"\x82\x01"),
    ]
    read = 0
    for _ in range(1500):
        made = rng.choices(values, k=rng.randrange(1, 60))
        made = [b"]", *(each + b"a" for each in (array, b"Nq\x00", b"]q\x03", *made))]
        for _ in range(rng.choice((0, 0, 1, 1, 5))):
            made.insert(rng.randrange(1, len(made) + 1), rng.choice(further))
        data = bytearray(b"".join(made) + b".")
        if rng.random() < 0.3:
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            content = unpickled(bytes(data), "x.pkl")
        except ValueError as error:
            assert len(str(error)) < 300
        else:
            read += 1
            assert len(repr(content)) < 2**26
    assert read > 150
