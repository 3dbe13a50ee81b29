"""Digests that the files of numbers carry, so that a flipped bit is an error and no result.

What carries one, and where:

- zip containers (`.npz`, `.pt`): in the archive's comment, see `seal_zip`;
- JSON: under its last key, see `sealed_json`; of JSON lines, each line, see `sealed_line`;
- YAML that a stage writes: in a comment on its last line, see `sealed_yaml`;
- CSV: in a file beside the table, as `sha256sum` writes it, see `write_sealed_table`.

A digest finds damage. It keeps nobody from writing a file of their own with a digest that is
right, so what is read is still checked and bounded.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from gait.errors import DataError, GaitError
from gait.files import write_if_changed
from gait.limits import FILE_BYTES, JSON_BYTES, Limit

_CHUNK_BYTES = 1 << 20
_HEX_DIGITS = 64
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_ZIP_MARK = b"gait-sha256:"
# The comment of a sealed archive, from its length on.
_ZIP_START = (len(_ZIP_MARK) + _HEX_DIGITS).to_bytes(2, "little") + _ZIP_MARK
_JSON_KEY = b'"sha256": "'
_JSON_END = b'"\n}\n'
_YAML_MARK = b"# sha256: "
_LINE_KEY = ', "crc32": "'
_LINE_END = '"}'


def seal_zip(path: Path) -> None:
    """Write the digest of a zip archive, such as an `.npz`, into the comment at its end.

    The digest covers every byte before the comment's length. To be called on the temporary file,
    before it replaces the one that others read. Readers of zip archives ignore the comment.

    Raises:
        ValueError: the file is no zip archive, or has a comment.
        OSError: it cannot be read or written.
    """
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _ZIP_END_BYTES))
        record = file.read()
        if not (record.startswith(_ZIP_END) and record.endswith(b"\0\0")):
            raise ValueError(f"{path}: expected a zip archive without a comment")
        comment = _ZIP_MARK + _digest(file, end - 2).encode()
        file.seek(end - 2)
        file.write(len(comment).to_bytes(2, "little") + comment)


def has_zip_seal(path: Path) -> bool:
    """Whether a file ends with a digest, as every zip archive of ours does; it is not compared.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_ZIP_START) - _HEX_DIGITS))
        return file.read().startswith(_ZIP_START)


def check_zip_seal(path: Path, remedy: str, error: type[GaitError] = DataError) -> None:
    """Refuse a zip archive of ours that differs from its digest, or carries none.

    The file is read once as a whole, in pieces.

    Args:
        path: the archive.
        remedy: how to make it again, such as 'make it again with `gait embed`'.
        error: what is raised.

    Raises:
        GaitError: the file is missing, damaged, or of a version that wrote no digest.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END) - len(_ZIP_START) - _HEX_DIGITS
            file.seek(max(0, end))
            trailer = file.read()
            if end < 0 or not trailer.startswith(_ZIP_START):
                raise error(_without(path, remedy))
            found = _digest(file, end)
    except OSError as problem:
        raise error(_unreadable(path, problem, remedy)) from None
    if trailer != _ZIP_START + found.encode():
        raise error(_damaged(path, remedy))


def sealed_json(data: Mapping[str, Any], indent: int | None = 1) -> str:
    """A mapping as JSON whose last key, `sha256`, is the digest of all bytes before that key.

    Raises:
        ValueError: it has that key already, or holds a number that is not finite.
    """
    if "sha256" in data:
        raise ValueError("expected a mapping without the key 'sha256'")
    text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
    text = text.removesuffix("}").rstrip() + (",\n " if data else "\n ")
    end = _JSON_KEY + hashlib.sha256(text.encode()).hexdigest().encode() + _JSON_END
    return text + end.decode()


def read_sealed_json(
    path: Path, remedy: str, error: type[GaitError] = DataError, limit: Limit = JSON_BYTES
) -> dict[str, Any]:
    """The mapping that `sealed_json` wrote, without the digest.

    Args:
        path: the file.
        remedy: how to make it again.
        error: what is raised.
        limit: how large it may be.

    Raises:
        GaitError: the file is missing, too large, damaged, or of a version that wrote no digest.
    """
    try:
        with path.open("rb") as file:
            data = _read(file, limit, path, "JSON")
    except OSError as problem:
        raise error(_unreadable(path, problem, remedy)) from None
    end = len(data) - len(_JSON_KEY) - _HEX_DIGITS - len(_JSON_END)
    if end < 0 or not data.startswith(_JSON_KEY, end):
        raise error(_without(path, remedy))
    seal = _JSON_KEY + hashlib.sha256(data[:end]).hexdigest().encode() + _JSON_END
    if data[end:] != seal:
        raise error(_damaged(path, remedy))
    try:
        # A digest that is right does not mean that we wrote it.
        read: dict[str, Any] = json.loads(data, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}: cannot be used ({problem}); {remedy}") from None
    del read["sha256"]
    return read


def sealed_line(data: Mapping[str, Any]) -> str:
    """A mapping as one line of JSON, with its newline; the last key, `crc32`, is its checksum.

    Raises:
        ValueError: the mapping is empty, or has that key already.
    """
    if not data or "crc32" in data:
        raise ValueError("expected a mapping with keys, but without 'crc32'")
    text = json.dumps(data)[:-1]
    return f"{text}{_LINE_KEY}{zlib.crc32(text.encode()):08x}{_LINE_END}\n"


def read_line(line: str) -> dict[str, Any]:
    """The mapping that `sealed_line` wrote, without the checksum; the newline may be there.

    Raises:
        ValueError: the line is damaged or carries no checksum.
    """
    text, key, end = line.removesuffix("\n").rpartition(_LINE_KEY)
    if not key or end != f"{zlib.crc32(text.encode(errors='surrogatepass')):08x}{_LINE_END}":
        raise ValueError("differs from its checksum, or carries none")
    try:
        read = json.loads(text + "}")
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if not isinstance(read, dict):
        raise ValueError("expected a mapping")
    return read


def sealed_yaml(text: str) -> str:
    """YAML with one more line, a comment that is the digest of all bytes before it."""
    text = text if text.endswith("\n") else text + "\n"
    return text + (_YAML_MARK + hashlib.sha256(text.encode()).hexdigest().encode()).decode() + "\n"


def check_yaml_seal(
    path: Path, data: bytes, remedy: str, error: type[GaitError] = DataError
) -> None:
    """Refuse YAML that differs from the digest on its last line; without one it may be anybody's.

    Args:
        path: the file, as the message names it.
        data: what it holds.
        remedy: how to make it again.
        error: what is raised.

    Raises:
        GaitError: the content differs from the digest.
    """
    before, mark, digest = data.rpartition(_YAML_MARK)
    if mark and digest != hashlib.sha256(before).hexdigest().encode() + b"\n":
        raise error(
            f"{path}: differs from the digest on its last line; {remedy}; if it was changed on "
            "purpose, remove that line"
        )


def sidecar(table: Path) -> Path:
    """The file beside a table that holds its digest."""
    return table.with_name(f"{table.name}.sha256")


def sidecar_line(name: str, data: bytes) -> bytes:
    """What the `sidecar` of a table holds: a line of `sha256sum`, which marks escaped names."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return os.fsencode(f"{mark}{hashlib.sha256(data).hexdigest()}  {escaped}\n")


def write_sealed_table(path: Path, content: str | bytes) -> bool:
    """Write a table as `write_if_changed` does, and its digest beside it; tells whether it wrote.

    A table that stays as it is keeps its modification time. What is cut short leaves a table
    without a digest, never one whose digest differs.

    Raises:
        DataError: a file cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    line = sidecar_line(path.name, data)
    beside = sidecar(path)
    if _sidecar_text(beside) != line:
        # What cannot be removed cannot be replaced either, which is said below.
        with suppress(OSError):
            beside.unlink()
    wrote = write_if_changed(path, data)
    write_if_changed(beside, line)
    return wrote


def remove_sealed_table(path: Path) -> None:
    """Remove a table, if it is there, and the digest beside it."""
    sidecar(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def check_sidecar(
    path: Path, data: bytes, remedy: str, error: type[GaitError] = DataError
) -> None:
    """Refuse a table that differs from the digest beside it; without one it may be anybody's.

    Args:
        path: the table.
        data: what it holds.
        remedy: how to make it again.
        error: what is raised.

    Raises:
        GaitError: the digest differs, or cannot be read.
    """
    beside = sidecar(path)
    line = sidecar_line(path.name, data)
    try:
        with beside.open("rb") as file:
            stated = file.read(len(line) + 1)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise error(_unreadable(beside, problem, remedy)) from None
    if stated != line:
        raise error(
            f"{path}: differs from its digest in {beside.name}; {remedy}; if it was changed on "
            f"purpose, remove {beside.name}"
        )


def read_sealed_table(path: Path, remedy: str, error: type[GaitError] = DataError) -> bytes:
    """The bytes of a table, checked against the digest beside it if there is one.

    Args:
        path: the table.
        remedy: how to make it again.
        error: what is raised.

    Raises:
        GaitError: the table is missing, too large, or differs from its digest.
    """
    try:
        with path.open("rb") as file:
            data = _read(file, FILE_BYTES, path, "a table")
    except OSError as problem:
        raise error(_unreadable(path, problem, remedy)) from None
    check_sidecar(path, data, remedy, error)
    return data


def _digest(file: BinaryIO, end: int) -> str:
    """The SHA-256 of the first `end` bytes of a file, in hexadecimal."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    file.seek(0)
    while end > 0 and (count := file.readinto(buffer[:end])):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
        end -= count
    return digest.hexdigest()


def _read(file: BinaryIO, limit: Limit, path: Path, what: str) -> bytes:
    # As many bytes as are asked for are reserved, so the bound itself is not.
    size = os.fstat(file.fileno()).st_size
    limit.check(size, path, what)
    return file.read(size)


def _sidecar_text(beside: Path) -> bytes | None:
    with suppress(OSError):
        return beside.read_bytes()
    return None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {text[:40]}")
    return number


def _damaged(path: Path, remedy: str) -> str:
    return f"{path}: is damaged: it differs from the digest that it carries; {remedy}"


def _without(path: Path, remedy: str) -> str:
    return (
        f"{path}: carries no digest where one of ours does: it is cut short, damaged, of a former "
        f"version or saved by another program; {remedy}"
    )


def _unreadable(path: Path, problem: OSError, remedy: str) -> str:
    return f"{path}: cannot be read ({problem.strerror or problem}); {remedy}"
