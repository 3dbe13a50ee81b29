"""Reads weights that somebody published: of `torch.save` in whatever wrapping, or safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from gait.errors import CheckpointError, DataError
from gait.formats.pickles.weight_types import Opaque, StoredTensor
from gait.formats.seal import check_zip_seal
from gait.formats.weights.compatibility import some
from gait.formats.weights.torch_file import TorchFile, opened
from gait.limits import WEIGHTS_INDEX_BYTES
from gait.screen import shown

# Under which key of a training state the weights lie, the likeliest first.
_WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
)
_PREFIXES = ("module.", "_orig_mod.")
_SEAL = b"gait-sha256:"
_SEAL_BYTES = 128


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights by their names, free of what wraps them.

    Objects beside the weights, such as settings or numbers of NumPy, are passed over: nothing of
    a file is run. The file is left alone whatever it is.

    Raises:
        CheckpointError: the file is missing, damaged, or holds no weights.
    """
    refuse_other_files(path)
    _check_own(path)
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        with opened(path) as file:
            found = unwrapped(file.content)
            if not found:
                raise ValueError(f"it holds {_summary(file.content)}")
            return _tensors(file, found)
    except CheckpointError:
        raise
    except DataError as error:
        raise CheckpointError(str(error)) from None
    except ValueError as error:
        raise CheckpointError(
            f"{path}: cannot be read as weights ({shown(error)}); expected a file of "
            "torch.save or safetensors with tensors by name; fetch it again where it comes from"
        ) from None


def refuse_other_files(path: Path) -> None:
    """Say what a file is that is often taken for weights.

    Raises:
        CheckpointError: it is missing, empty, a pointer of Git LFS, a web page, text or a tar.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected a weights file here, found none") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        is_what, how = "is empty", "fetch it again where it comes from"
    elif start.startswith(b"version https://git-lfs"):
        is_what, how = "is a pointer of Git LFS, not the weights", "fetch them with `git lfs pull`"
    elif start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        is_what, how = "is a web page, not the weights", "download the file that the page offers"
    elif start.startswith((b"{", b"[")):
        is_what, how = "is text, not weights", "fetch it again where it comes from"
    elif head[257:262] == b"ustar":
        is_what = "is a tar archive"
        how = "unpack it, or save weights of torch 0.1 anew with torch.save of a later one"
    elif head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")):
        is_what, how = "is a compressed archive", "unpack it"
    else:
        return
    raise CheckpointError(f"{path}: {is_what}; {how}")


def _check_own(path: Path) -> None:
    """Compare a file of ours with the digest that it carries."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _SEAL_BYTES))
        sealed = _SEAL in file.read(_SEAL_BYTES)
    if sealed:
        check_zip_seal(path, "make it again, or take a copy of it", CheckpointError)


def unwrapped(content: object) -> dict[str, Any]:
    """What a training state holds as its weights, by names that are free of prefixes.

    Args:
        content: tensors by name, or mappings around them. Tensors may be records of a file.

    Returns:
        The mapping that holds the tensors, with whatever else it holds; empty if there is none.
    """
    found = _mapping(content, 0)
    # DistributedDataParallel and torch.compile put them before names, sometimes both.
    while found and (
        prefix := next((p for p in _PREFIXES if all(each.startswith(p) for each in found)), "")
    ):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _mapping(content: object, depth: int) -> dict[str, Any]:
    if not isinstance(content, Mapping) or depth > len(_WRAPPERS):
        return {}
    for key in _WRAPPERS:
        if inner := _mapping(content.get(key), depth + 1):
            return inner
    if any(isinstance(each, (StoredTensor, Tensor)) for each in content.values()):
        return {name: each for name, each in content.items() if isinstance(name, str)}
    return {}


def _tensors(file: TorchFile, found: Mapping[str, object]) -> dict[str, Tensor]:
    tensors = {}
    for name, value in found.items():
        if isinstance(value, StoredTensor):
            tensors[name] = file.tensor(value)
        elif isinstance(value, Opaque) and value.kind.startswith(("torch._utils.", "a tensor")):
            raise ValueError(f"its tensor {shown(name)} is of {value.kind}, not plain numbers")
    return tensors


def _summary(content: object) -> str:
    if isinstance(content, dict):
        return f"no tensors by name, but {some(map(shown, content)) or 'nothing'}"
    if isinstance(content, Opaque):
        return f"an object of {content.kind}, which is not run; save its state_dict() instead"
    return "a single tensor" if isinstance(content, StoredTensor) else "no tensors by name"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise CheckpointError(
            f"{path}: is a file of safetensors, and that library is not installed; install it, or "
            "save the weights with torch.save"
        ) from None
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > path.stat().st_size:
        raise ValueError("it is cut short, or no file of safetensors")
    WEIGHTS_INDEX_BYTES.check(length, path, "a header")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(shown(error)) from None
    return unwrapped(tensors)
