"""What every schema of the configuration shares."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

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


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """Each problem of a failed validation as (dotted path, what is wrong)."""
    found = []
    for each in error.errors():
        path = ".".join(str(part) for part in each["loc"])
        if each["type"] == "extra_forbidden":
            what = f"unknown key; {nearest(str(each['loc'][-1]), _keys(model, each['loc'][:-1]))}"
        elif each["type"] == "missing":
            what = "is missing"
        else:
            message = each["msg"].removeprefix("Value error, ")
            what = f"{message[0].lower()}{message[1:]}, got {_short(each['input'])}"
        found.append((path, what))
    return found


def _short(value: Any) -> str:
    """A value as it is written; of a long one, such as a whole record, only the beginning."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _keys(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    """The keys known at `loc` inside `model`."""
    for part in loc:
        fields = getattr(model, "model_fields", {})
        annotation = fields[part].annotation if part in fields else model
        model = _record(annotation)
    return list(getattr(model, "model_fields", {}))


def _record(annotation: Any) -> Any:
    """The schema class inside an annotation such as `dict[str, X]` or `X | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _record(argument)) is not None:
            return found
    return None
