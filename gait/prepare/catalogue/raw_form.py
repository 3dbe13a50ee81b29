"""What a dataset says of the form of its raw tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gait.config.dataset import Dataset
from gait.prepare.catalogue.pkl_names import Pkl


@dataclass(frozen=True, slots=True)
class RawForm:
    """The form of a raw tree.

    Attributes:
        layouts: names of the layouts that it may have; without any there is nothing to find, and
            the message says what is expected instead.
        obtain: how the data can be had, for messages.
        files: patterns of companion files by kind, as in a dataset.yaml.
        pkl: which pkl files in the folders of sequences hold what, as there.
    """

    layouts: Sequence[str]
    obtain: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    pkl: Pkl | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> RawForm:
        """Take it from a dataset's definition."""
        return cls(dataset.layouts, dataset.obtain, dataset.files, dataset.pkl)
