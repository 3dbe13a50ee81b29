"""What every schema of the configuration shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from gait.config.yaml import Origin, Origins, place_of
from gait.errors import nearest

# Characters of a wrong value that an error shows.
_LONGEST = 200


class Strict(BaseModel):
    """A frozen record that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Component(BaseModel):
    """A registered component: its name, and its parameters as further keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """Name and parameters, as the registry takes them."""
        return self.model_dump(mode="json")


def problems_of(
    error: ValidationError, model: type[BaseModel], origins: Origins | None = None
) -> list[tuple[str, str]]:
    """Each problem of a failed validation as (dotted path, what is wrong).

    Args:
        origins: where values were written, and as what, where that is known.
    """
    found = []
    for each in error.errors():
        *around, last = each["loc"] or ("",)
        _, record = _followed(model, around)
        path, _ = _followed(model, each["loc"])
        if each["type"] == "extra_forbidden":
            what = f"unknown key; {nearest(str(last), getattr(record, 'model_fields', {}))}"
        elif each["type"] == "missing":
            what = "is missing"
        elif each["type"] == "string_type" and isinstance(each["input"], (int, float, type(None))):
            place = place_of(origins or {}, ".".join(path), Path())
            written = place.text if isinstance(place, Origin) else ""
            text = written or _short(each["input"])
            what = f"expected text, got {text}, which is read as none; put it in quotes: '{text}'"
        else:
            message = each["msg"].removeprefix("Value error, ")
            what = f"{message[0].lower()}{message[1:]}, got {_short(each['input'])}"
        found.append((".".join(path), what))
    return found


def mistaken_booleans(data: Any, valid: Any, path: str = "") -> Iterator[str]:
    """Paths of booleans that a schema took for numbers, such as 1 for `on`.

    Args:
        data: what was validated.
        valid: what became of it; what it has in another form is not followed.
    """
    if isinstance(data, bool) and isinstance(valid, int | float) and not isinstance(valid, bool):
        yield path
    within: Iterable[tuple[str, Any, Any]] = ()
    if isinstance(data, Mapping):
        inner = valid if isinstance(valid, Mapping) else getattr(valid, "__dict__", {})
        within = ((key, each, inner.get(key)) for key, each in data.items())
    elif isinstance(data, list) and isinstance(valid, list | tuple) and len(data) == len(valid):
        within = ((str(place), *pair) for place, pair in enumerate(zip(data, valid, strict=True)))
    for key, each, one in within:
        yield from mistaken_booleans(each, one, f"{path}.{key}" if path else key)


def _short(value: Any) -> str:
    """A value as it is written; of a long one, such as a whole record, only the beginning."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _followed(annotation: Any, parts: Iterable[int | str]) -> tuple[list[str], Any]:
    """The keys on the way to a place, and what is expected there.

    Where a key of the record tells its schema, pydantic's path holds that value too; here it is
    left out, as nobody wrote it there.
    """
    path = []
    for part in parts:
        alternatives = {_kind_of(each): each for each in _records(annotation)}
        if len(alternatives) > 1 and part in alternatives:
            annotation = alternatives[str(part)]
            continue
        path.append(str(part))
        annotation = _inside(annotation, part)
    records = _records(annotation)
    return path, records[0] if records else None


def _inside(annotation: Any, part: int | str) -> Any:
    """What is expected at a key of a record or mapping, or at a place of a list."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inside(arguments[0], part)
    if origin in (dict, list):
        return arguments[-1]
    for record in _records(annotation):
        if part in record.model_fields:
            return record.model_fields[str(part)].annotation
    members = [each for each in arguments if get_origin(each) in (dict, list)]
    return _inside(members[0], part) if members else None


def _records(annotation: Any) -> list[type[BaseModel]]:
    """Models in an annotation, possibly a union; not those of the elements it contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _records(arguments[0])
    if origin in (Union, UnionType):
        return [record for each in arguments for record in _records(each)]
    return []


def _kind_of(record: type[BaseModel]) -> str | None:
    """The value of `kind` that tells a schema from others, if it has one."""
    field = record.model_fields.get("kind")
    return None if field is None else str(get_args(field.annotation)[0])
