"""Reads `embeddings.npz`, by memory map where the file allows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.evaluation.distance import Floats
from gait.evaluation.protocols import Texts
from gait.formats.arrays import read_members
from gait.formats.seal import check_zip_seal

_AGAIN = "write it again with gait embed, or delete it and run the workflow again"
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
        DataError: the file is missing or damaged, is no such archive, lacks an array, or holds
            values that cannot be compared.
    """
    check_zip_seal(path, _AGAIN)
    arrays = read_members(path, "an archive of embeddings", _AGAIN)
    wanted = ("embeddings", "subject", "condition", "view")
    if missing := [name for name in wanted if name not in arrays]:
        raise DataError(
            f"{path}: holds the arrays {', '.join(arrays)[:200]} and not {', '.join(missing)}; "
            f"{_AGAIN}"
        )
    embeddings, *key = (arrays[name] for name in wanted)
    frames = arrays.get("frames")
    for name, array, kinds in (
        *zip(wanted[1:], key, "UUU", strict=True),
        ("frames", frames, "iu"),
    ):
        if array is not None and (array.ndim != 1 or array.dtype.kind not in kinds):
            raise DataError(
                f"{path}: expected a {name} of each embedding, got {array.dtype} of shape "
                f"{list(array.shape)}; {_AGAIN}"
            )
    try:
        # Copies, as texts and counts are looked up all over.
        subject, condition, view = (each.astype(str) for each in key)
    except ValueError as error:
        raise DataError(f"{path}: holds names that are no text ({error}); {_AGAIN}") from None
    for each in (subject, condition, view):
        # Halves of a surrogate pair: an array can hold them, and no file.
        if ((each.view(np.uint32) & 0xFFFFF800) == 0xD800).any():
            raise DataError(f"{path}: holds names that are no text (surrogates); {_AGAIN}")
    check_embeddings(embeddings, subject, condition, view, str(path))
    if frames is not None and len(frames) != len(embeddings):
        raise DataError(
            f"{path}: expected the frames of each of the {len(embeddings)} embeddings, got "
            f"{len(frames)}; {_AGAIN}"
        )
    return Embeddings(
        embeddings, subject, condition, view, None if frames is None else frames.astype(np.int32)
    )


def check_embeddings(
    embeddings: Floats, subject: Texts, condition: Texts, view: Texts, where: str
) -> None:
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
