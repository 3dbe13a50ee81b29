"""What the pickles inside weights files describe: tensors, mappings, and what is left alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gait.formats.pickles.machine import Malformed

_MAX_AXES = 32
_MAX_ARGUMENTS = 8
_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle refers to, such as a function; never looked up."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object that is no plain data; `kind` says of which type it claims to be."""

    kind: str


@dataclass(frozen=True, slots=True)
class Storage:
    """Values that lie elsewhere in the file.

    Attributes:
        key: their name there.
        dtype: name of their type, such as 'FloatStorage'.
        numel: how many there are, by the pickle's account.
    """

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as the pickle describes it; lengths, steps and offset count elements.

    Attributes:
        dtype: the type of its values; that of the storage where it is empty.
    """

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str = ""


def set_items(target: object, entries: list[Any]) -> None:
    """Give a mapping keys and values in turn; others are opaque, and stay so."""
    if isinstance(target, dict):
        for key, value in zip(entries[::2], entries[1::2], strict=True):
            if _is_key(key):
                target[key] = value
    elif not isinstance(target, Opaque):
        raise Malformed("items for something that has none")


def _is_key(key: object) -> bool:
    """Whether it can be looked up at once: tuples cannot, nor can many numbers of one hash."""
    if isinstance(key, int):
        return -(2**63) <= key < 2**64
    return key is None or isinstance(key, (str, float))


def called(function: object, arguments: object, copying: Callable[[int], None]) -> object:
    """What a call stands for: a tensor, a mapping, or an opaque object.

    Args:
        copying: is told how many items are about to be copied, and may refuse.

    Raises:
        Malformed, IndexError: the arguments are not those of the function.
        ValueError: a tensor that cannot be.
    """
    if not isinstance(arguments, tuple):
        raise Malformed("arguments of another function")
    if len(arguments) > _MAX_ARGUMENTS:
        return Opaque(kind_of_value(function))
    match function:
        case Global("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"):
            # What follows are flags, such as of being conjugated, that change the values.
            return Opaque("a tensor with flags") if any(arguments[6:]) else _tensor(arguments)
        case Global("torch._utils", "_rebuild_tensor_v3"):
            dtype = arguments[6]
            if not isinstance(dtype, Global) or any(arguments[7:]):
                return Opaque("a tensor with flags")
            return _tensor(arguments, dtype.name)
        case Global("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"):
            return arguments[0]
        case Global("torch._tensor", "_rebuild_from_type_v2"):
            inner = arguments[0]
            if inner == function:
                return Opaque(kind_of_value(inner))
            return called(inner, arguments[2], copying)
        case Global("torch", "Size"):
            return arguments[0]
        case Global("collections", "OrderedDict"):
            made: dict[Any, Any] = {}
            pairs = arguments[0] if arguments else []
            if not isinstance(pairs, (list, tuple)):
                return Opaque("collections.OrderedDict")
            copying(len(pairs))
            set_items(made, [each for pair in pairs for each in _pair(pair)])
            return made
        case Global("collections", "defaultdict"):
            return {}
        case Global("collections", "Counter"):
            # The milestones of a scheduler.
            given = arguments[0] if arguments else {}
            if isinstance(given, dict):
                copying(len(given))
                if all(type(each) is int for each in given.values()):
                    return Counter(given)
            return Opaque("collections.Counter")
        case _:
            return Opaque(kind_of_value(function))


def _pair(given: object) -> tuple[Any, Any]:
    if not (isinstance(given, (list, tuple)) and len(given) == 2):
        raise Malformed("arguments of another function")
    return given[0], given[1]


def _tensor(arguments: tuple[Any, ...], dtype: str = "") -> StoredTensor | Opaque:
    storage, offset, size, stride = arguments[:4] if len(arguments) > 3 else (None,) * 4
    if isinstance(storage, Opaque):
        return storage
    if not (
        isinstance(storage, Storage) and isinstance(size, tuple) and isinstance(stride, tuple)
    ):
        raise Malformed("arguments of another function")
    if len(size) != len(stride) or len(size) > _MAX_AXES:
        raise ValueError(f"it has a tensor of {len(size)} axes and {len(stride)} strides")
    if not all(type(each) is int and 0 <= each < 1 << 62 for each in (offset, *size, *stride)):
        raise ValueError("it has a tensor whose shape, strides or offset are no numbers from 0 on")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and (last >= storage.numel or count > storage.numel):
        raise ValueError(f"it has a tensor of {list(size)} with {storage.numel:,} values stored")
    return StoredTensor(storage, offset, size, stride, dtype)


def kind_of_value(given: object) -> str:
    if isinstance(given, Global):
        # Cut short: the same long name again and again would be a bomb.
        return f"{given.module[:_NAME_LENGTH]}.{given.name[:_NAME_LENGTH]}"
    return given.__name__ if isinstance(given, type) else type(given).__name__
