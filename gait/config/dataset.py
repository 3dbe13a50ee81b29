"""The schema of `datasets/<name>/dataset.yaml`: layouts, partition, protocols, results."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from gait.config.schema import Strict
from gait.types import SequenceKey

# Names of datasets, protocols, models and experiments: file names everywhere, and never a path.
NAME = r"[A-Za-z0-9][A-Za-z0-9_.+=-]*"


class Pretreat(Strict):
    """Settings of the alignment; `size_px` is the height and width of an aligned frame."""

    size_px: PositiveInt = 64

    @field_validator("size_px")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("size_px must be even")
        return value


class Partition(Strict):
    """Subjects of the training and the test set: names, and ranges such as '001-074'."""

    train: list[str]
    test: list[str]

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        train, test = (
            {subject for pattern in patterns for subject in _expanded(pattern)}
            for patterns in (self.train, self.test)
        )
        both = sorted(train & test) or (["*"] if train and test and "*" in train | test else [])
        if both:
            raise ValueError(f"the training and the test set share subjects, such as {both[0]}")
        return self


class Selection(Strict):
    """Sequences, by shell-style patterns on their condition and view; None for any.

    A pattern is matched against the whole name, upper and lower case apart: `*` is any text, `?`
    any character, `[ab]` one of those. A sequence is selected when its condition matches any of
    the condition patterns and its view any of the view patterns.
    """

    condition: list[str] | None = None
    view: list[str] | None = None

    def matches(self, key: SequenceKey) -> bool:
        """Whether a sequence is selected."""
        return all(
            patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
            for name, patterns in ((key.condition, self.condition), (key.view, self.view))
        )


class Protocol(Strict):
    """How a dataset is scored.

    Attributes:
        title: what the table's caption calls it.
        gallery: the enrolled sequences of the test subjects.
        probes: the sequences to identify, by the name of the row they are reported in; a sequence
            may belong to several rows.
        cells: 'view_pair' scores each pair of probe view and gallery view, then averages over
            gallery views and probe views; 'probe_view' scores each probe view against all gallery
            views and averages; 'pooled' scores all at once. A cell in which nothing can be
            compared is empty and takes no part in the averages.
        exclude: gallery items not compared with a probe. 'identical_view' leaves out cells (or
            items) of the probe's own view; 'same_subject_view' only those of its own subject;
            'none' compares everything but the sequence itself.
        unmatched: a probe whose subject is absent from what it is compared with (its cell's
            gallery) counts as a 'miss' of the ranks or is left out of them ('skip'). Mean average
            precision and mean inverse negative penalty are averages over the probes with a match
            either way, and unmatched probes are counted.
        ranks: the ranks reported; 1 and 5 always are. A gallery smaller than a rank is searched
            whole.
        round_cells: decimals each cell's percentage is rounded to before averaging, as published
            tables of some datasets do; None for exact averages.
    """

    title: str
    gallery: Selection
    probes: dict[str, Selection] = Field(min_length=1)
    cells: Literal["view_pair", "probe_view", "pooled"]
    exclude: Literal["identical_view", "same_subject_view", "none"]
    unmatched: Literal["miss", "skip"] = "miss"
    ranks: list[PositiveInt] = Field(default_factory=lambda: [1, 5])
    round_cells: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "mean" in self.probes:
            raise ValueError("probes: 'mean' is the row of their averages; choose another name")
        if self.cells == "view_pair" and self.exclude == "same_subject_view":
            raise ValueError(
                "exclude: same_subject_view leaves no match in the cells of identical views; with "
                "cells: view_pair choose identical_view or none"
            )
        return self


class Published(Strict):
    """Published rank-1 in percent by probe, with the source.

    Attributes:
        model: the model it is compared with, by its name in `config/models`.
        protocol: one of the dataset's protocols.
        rank1_pct: percent by the protocol's probe names; probes without a figure are left out.
    """

    model: str
    protocol: str
    rank1_pct: dict[str, float]
    source: str


class Population(Strict):
    """A synthetic population of walkers.

    Attributes:
        subjects: how many walkers; named 001, 002, ...
        views_deg: camera views; 0 sees the walker come, 90 from the side, 180 go.
        sequences: number of sequences of each condition.
        width_px: width of the video, even as the codec wants it; height_px likewise.
        duration_s: length of a clip, before the walker's own cadence varies it.
    """

    seed: NonNegativeInt = 0
    subjects: Annotated[int, Field(ge=1, le=999)]
    views_deg: Annotated[list[Annotated[int, Field(ge=0, le=359)]], Field(min_length=1)]
    sequences: Annotated[
        dict[Literal["nm", "bg", "cl"], Annotated[int, Field(ge=1, le=99)]], Field(min_length=1)
    ]
    width_px: Annotated[int, Field(ge=32, multiple_of=2)] = 320
    height_px: Annotated[int, Field(ge=32, multiple_of=2)] = 240
    fps: PositiveFloat = 25.0
    duration_s: PositiveFloat = 2.0

    @field_validator("views_deg")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) < len(value):
            raise ValueError("a view must be listed once")
        return value


class Dataset(Strict):
    """A dataset: what it looks like raw, how it is cut, how it is scored."""

    name: str
    title: str
    licence: str
    obtain: str
    layouts: list[str]
    pretreat: Pretreat = Pretreat()
    partition: Partition
    protocols: dict[str, Protocol]
    categories: dict[str, Selection] = Field(default_factory=dict)
    published: list[Published] = Field(default_factory=list)
    baselines: list[Annotated[str, Field(pattern=f"^{NAME}/{NAME}$")]] = Field(
        default_factory=list
    )
    population: Population | None = None

    @field_validator("name")
    @classmethod
    def _path_safe(cls, value: str) -> str:
        if not re.fullmatch(NAME, value):
            raise ValueError(f"a name must match {NAME}")
        return value

    @field_validator("protocols")
    @classmethod
    def _protocols_name_files(cls, value: dict[str, Protocol]) -> dict[str, Protocol]:
        if wrong := [name for name in value if not re.fullmatch(NAME, name)]:
            raise ValueError(f"the name {wrong[0]!r} of a protocol must match {NAME}")
        return value

    @model_validator(mode="after")
    def _published_rows_exist(self) -> Self:
        unknown = {each.protocol for each in self.published} - set(self.protocols)
        if unknown:
            raise ValueError(f"published: no protocol is named {', '.join(sorted(unknown))}")
        for each in self.published:
            if absent := sorted(set(each.rank1_pct) - set(self.protocols[each.protocol].probes)):
                raise ValueError(
                    f"published: the protocol {each.protocol} has no probe {', '.join(absent)}"
                )
        return self


def matching_subjects(subjects: list[str], patterns: list[str]) -> list[str]:
    """The subjects named by `patterns`, in the order of `subjects`.

    A pattern is a name, a range of equally long numbers such as '001-074', or '*' for all.
    """
    wanted = {subject for pattern in patterns for subject in _expanded(pattern)}
    return [subject for subject in subjects if "*" in wanted or subject in wanted]


def absence(subjects: list[str], patterns: list[str], which: str) -> str:
    """A sentence naming the subjects of `patterns` that `subjects` lack; empty if there is none.

    Args:
        which: the set they are missing from, 'training' or 'test'.
    """
    wanted = {subject for pattern in patterns for subject in _expanded(pattern)} - {"*"}
    absent = sorted(wanted - set(subjects))
    if not absent:
        return ""
    named = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
    return f"the data lack {len(absent)} of {len(wanted)} {which} subjects: {named}"


def _expanded(pattern: str) -> list[str]:
    """The subjects of a range such as '001-074'; anything else stands for itself."""
    ends = re.fullmatch(r"(\d+)-(\d+)", pattern)
    if ends is None or len(ends[1]) != len(ends[2]):
        return [pattern]
    return [f"{each:0{len(ends[1])}d}" for each in range(int(ends[1]), int(ends[2]) + 1)]
