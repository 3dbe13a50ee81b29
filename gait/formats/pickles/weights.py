"""Reads the pickles inside weights files without running anything that they ask for.

torch's own reader keeps a list of what it calls, and still reserves whatever a file claims. Here
no function of a file is called at all: tensors come out as records of where their values lie, and
whatever else is not plain data as `Opaque`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gait.formats.pickles.machine import Builder, Machine, Malformed
from gait.formats.pickles.opcodes import steps
from gait.formats.pickles.weight_types import (
    Global,
    Opaque,
    Storage,
    called,
    kind_of_value,
    set_items,
)

_STORAGE_ID_FIELDS = (5, 6)
# What torch.save has written, in any of its protocols.
_STEPS = steps(
    b"(012N\x88\x89\x80\x95JKM\x8aGTUX\x8c\x8dBC\x8e"
    b"]}ld)t\x85\x86\x87\x8f\x90\x91aesuqr\x94hjc\x93R\x81\x92bQ"
)


@dataclass(frozen=True, slots=True)
class Pickle:
    """What a pickle holds.

    Attributes:
        content: plain values, lists, tuples, mappings, `StoredTensor` and `Opaque`.
        end: where it ends in the bytes that were given.
        storages: by their keys.
    """

    content: object
    end: int
    storages: dict[str, Storage]


def read_pickle(data: bytes, start: int = 0) -> Pickle:
    """Read a pickle.

    Args:
        data: holds the pickle, and may go on behind it.
        start: where it begins.

    Raises:
        ValueError: it is cut short, malformed, or of a kind that no weights file is.
    """
    tensors = _Tensors(len(data))
    machine = Machine(data, tensors, start)
    try:
        return Pickle(machine.run(_STEPS), machine.at, tensors.storages)
    except (Malformed, IndexError, UnicodeError):
        raise ValueError("its pickle is malformed or cut short") from None


class _Tensors(Builder):
    """Makes records of tensors, and mappings.

    Args:
        size: how many items may be copied, all together.
    """

    # As long as one that tells its length in a byte can be.
    longest_int = 8 * 255

    def __init__(self, size: int) -> None:
        self.storages: dict[str, Storage] = {}
        self._left = size

    def refusal(self, code: int, place: int) -> str:
        return f"its pickle has the opcode 0x{code:02x}, which weights need not"

    def name(self, module: str, name: str) -> Global:
        return Global(module, name)

    def call(self, function: object, arguments: object) -> object:
        return called(function, arguments, self._copying)

    def fill(self, target: object, state: object) -> None:
        # Attributes of a mapping, such as the version of modules, nothing else.
        pass

    def mapping(self) -> dict[Any, Any]:
        return {}

    def update(self, target: object, entries: list[Any]) -> None:
        set_items(target, entries)

    def extend(self, target: object, values: list[Any]) -> None:
        if not isinstance(target, Opaque):
            super().extend(target, values)

    def content(self, view: memoryview) -> bytes:
        return bytes(view)

    def new(self, kind: object) -> Opaque:
        return Opaque(kind_of_value(kind))

    def persistent(self, given: object) -> Storage:
        if not (isinstance(given, tuple) and len(given) in _STORAGE_ID_FIELDS):
            raise Malformed("a storage that is described in another way")
        tag, kind, key, _, numel, *view = given
        if (
            tag != "storage"
            or not isinstance(kind, Global)
            or any(each is not None for each in view)
        ):
            raise ValueError(
                "its tensors lie in a form of another age; save it anew with torch.save"
            )
        if not isinstance(key, (str, int)) or type(numel) is not int or numel < 0:
            raise Malformed("a storage that is described in another way")
        return self.storages.setdefault(str(key), Storage(str(key), kind.name, numel))

    def _copying(self, items: int) -> None:
        """Count what is copied: the same list again and again would be a bomb."""
        self._left -= items
        if self._left < 0:
            raise ValueError("its pickle copies more than it holds")
