"""The schema of what a whole dataset holds, which `gait check` compares with what is there."""

from __future__ import annotations

from pydantic import Field, PositiveInt, field_validator

from gait.config.protocol import Names
from gait.config.schema import Strict
from gait.errors import nearest
from gait.modalities import MODALITIES


class Expected(Strict):
    """What a whole dataset holds; what is not known for certain is left out, and not checked.

    The subjects themselves are those of the partition, unless that takes all there are.

    Attributes:
        subjects: how many there are.
        sequences: how many there are of all subjects.
        views: names, or shell-style patterns of names; each is there, and no other view.
        conditions: number of sequences that each subject has, in all views together, by a
            shell-style pattern of their condition; null where subjects differ. There is no
            condition that no pattern matches.
        modalities: what the files of a pkl tree hold of each sequence.
    """

    subjects: PositiveInt | None = None
    sequences: PositiveInt | None = None
    views: Names = Field(default_factory=list)
    conditions: dict[str, PositiveInt | None] = Field(default_factory=dict)
    modalities: Names = Field(default_factory=list)

    @field_validator("modalities")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for each in value:
            if each not in MODALITIES:
                raise ValueError(f"{each!r} is no modality; {nearest(each, MODALITIES)}")
        return value
