"""Patterns by which a dataset.yaml says which files are what."""

from __future__ import annotations

from string import Formatter

from gait.errors import nearest
from gait.modalities import ARRAYS, COMPANIONS, MODALITIES

_KEY_FIELDS = ("subject", "condition", "view")
_PLACE_FIELDS = ("folder", "place", *_KEY_FIELDS)


def check_files(patterns: dict[str, str]) -> dict[str, str]:
    """Check the paths of companion files, by kind; see `Dataset.files`.

    Raises:
        ValueError: the message says what is wrong with one of them.
    """
    made: dict[str, str] = {}
    for kind, pattern in patterns.items():
        if kind not in COMPANIONS:
            raise ValueError(f"{kind!r} is no kind of files; {nearest(kind, COMPANIONS)}")
        folder, _, name = pattern.rpartition("/")
        fields = _fields(kind, pattern, folder, _PLACE_FIELDS)
        leads_out = pattern.startswith("/") or ".." in folder.split("/")
        if not fields or not name or "{" in name or leads_out:
            raise ValueError(
                f"{kind}: expected a path below the raw folder that depends on the sequence, such "
                f"as poses/{{subject}}/{{condition}}/{{view}}/*.txt, got {pattern!r}"
            )
        # Arrays are another form of the same data; which form is there, only the files tell.
        for modality in () if kind.startswith(ARRAYS) else COMPANIONS[kind]:
            if other := made.get(modality):
                raise ValueError(f"{other} and {kind} both give {modality}; keep one of them")
            made[modality] = kind
    return patterns


def check_pkl(value: str | dict[str, str]) -> str | dict[str, str]:
    """A modality, or names of pkl files by their modality; see `Dataset.pkl`.

    Raises:
        ValueError: the message says what is wrong with it.
    """
    for modality in [value] if isinstance(value, str) else value:
        if modality not in MODALITIES:
            raise ValueError(f"{modality!r} is no modality; {nearest(modality, MODALITIES)}")
    if isinstance(value, dict):
        if not value:
            raise ValueError("it names no modality; expected one, or names of files by modality")
        for modality, pattern in value.items():
            _fields(modality, pattern, pattern, _KEY_FIELDS)
            if "/" in pattern or not pattern.endswith(".pkl"):
                raise ValueError(
                    f"{modality}: expected the name of a pkl file in a sequence's folder, such as "
                    f"{{view}}-sils.pkl, got {pattern!r}"
                )
    return value


def _fields(name: str, pattern: str, text: str, known: tuple[str, ...]) -> set[str]:
    """The fields to be filled in `text`, which is all of a pattern or a part of it."""
    try:
        fields = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ValueError(f"{name}: {pattern!r} is no pattern ({error})") from None
    if unknown := sorted(fields - set(known)):
        raise ValueError(f"{name}: {{{unknown[0]}}} is unknown; {nearest(unknown[0], known)}")
    return fields
