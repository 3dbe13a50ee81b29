"""Reads `embeddings.npz`, by memory map where the file allows it."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.evaluation.distance import Floats
from gait.evaluation.protocols import Texts

_LOCAL_HEADER_BYTES = 30
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embedded sequences: float32 [n, c, p] and the three parts of each one's key, [n].

    Attributes:
        frames: frames that each was embedded from, [n], where the file tells them.
    """

    embeddings: Floats
    subject: Texts
    condition: Texts
    view: Texts
    frames: NDArray[np.int32] | None


def read_embeddings(path: Path) -> Embeddings:
    """The embeddings that `gait embed` wrote.

    Raises:
        DataError: the file is missing, is no such archive, lacks an array, or holds values that
            cannot be compared.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = {"embeddings", "subject", "condition", "view"}
            if missing := sorted(wanted - set(archive.files)):
                raise DataError(
                    f"{path}: holds the arrays {', '.join(archive.files)} and not "
                    f"{', '.join(missing)}; write it again with gait embed"
                )
            subject, condition, view = (archive[name] for name in ("subject", "condition", "view"))
            frames = archive["frames"] if "frames" in archive.files else None
            mapped = _mapped(path, "embeddings.npy")
            embeddings = archive["embeddings"] if mapped is None else mapped
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: expected an archive of embeddings, which cannot be read ({error}); "
            "write it again with gait embed"
        ) from None
    check(embeddings, subject, condition, view, str(path))
    return Embeddings(
        embeddings, subject.astype(str), condition.astype(str), view.astype(str), frames
    )


def check(embeddings: Floats, subject: Texts, condition: Texts, view: Texts, where: str) -> None:
    """Refuse embeddings that cannot be scored.

    Raises:
        DataError: a wrong shape or type, no sequence at all, or a value that is not finite, with
            the sequence it belongs to.
    """
    shape, kind = embeddings.shape, embeddings.dtype
    if embeddings.ndim != 3 or kind != np.float32 or 0 in shape:
        raise DataError(f"{where}: expected float32 embeddings [n, c, p], got {kind} {shape}")
    if not len(subject) == len(condition) == len(view) == len(embeddings):
        raise DataError(
            f"{where}: expected a subject, a condition and a view for each of the "
            f"{len(embeddings)} embeddings, got {len(subject)}, {len(condition)}, {len(view)}"
        )
    for start in range(0, len(embeddings), _ROWS_AT_ONCE):
        finite = np.isfinite(embeddings[start : start + _ROWS_AT_ONCE]).all(axis=(1, 2))
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise DataError(
                f"{where}: the embedding of {subject[row]}/{condition[row]}/{view[row]} holds "
                "values that are not finite; check the weights and the embedding precision"
            )


def _mapped(path: Path, member: str) -> Floats | None:
    """An array of an archive as a memory map; None when it is compressed."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(member)
    if entry.compress_type != zipfile.ZIP_STORED:
        return None
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        name, extra = struct.unpack_from("<HH", file.read(_LOCAL_HEADER_BYTES), 26)
        file.seek(name + extra, 1)
        version = np.lib.format.read_magic(file)
        read: Any = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, kind = read(file)
        # An empty map is an error of the operating system; the caller refuses an empty array.
        if 0 in shape:
            return np.empty(shape, kind)
        order: Literal["C", "F"] = "F" if fortran else "C"
        start = file.tell()
    return np.memmap(path, dtype=kind, mode="r", offset=start, shape=shape, order=order)
