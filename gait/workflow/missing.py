"""What a model reads and a dataset does not have, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gait.modalities import LATENT, POSE, RGB, SKELETON_MAPS


@dataclass(frozen=True, slots=True)
class MissingModalities:
    """Modalities that a dataset does not have.

    Attributes:
        dataset: its name.
        tree: what it is made from: its folder `raw`, or `pkl` where that is taken over.
        modalities: those that it lacks.
        available: those that it has.
    """

    dataset: str
    tree: Path
    modalities: set[str]
    available: set[str]

    @property
    def cause(self) -> str:
        """For a sentence about the experiment."""
        return (
            f"reads {_joined(self.modalities)}, which {self.tree} does not have, only "
            f"{', '.join(sorted(self.available))}"
        )

    @property
    def remedy(self) -> str:
        """What to do: where files go, and what can be made of those that are there."""
        definition = f"datasets/{self.dataset}/dataset.yaml"
        raw, is_imported = self.tree.with_name("raw"), self.tree.name == "pkl"
        if is_imported:
            files = _joined({f"<view>-{each}.pkl" for each in self.modalities})
            told = (
                f"add {files} to each sequence there, or name files of other names under 'pkl' in "
                f"{definition}"
            )
        else:
            told = (
                "add files that give them, and say where they lie under 'files', or 'pkl' for "
                f"arrays, in {definition}"
            )
        if is_imported and SKELETON_MAPS in self.modalities and POSE in self.available:
            told += (
                f"; or move the tree to {raw}, where skeleton maps are drawn of poses, with a "
                "layout of pkl files under 'layouts'"
            )
        if LATENT in self.modalities and RGB in self.available:
            told += f"; or let gait latents make them of {RGB}"
            if not is_imported:
                told += f" and move {raw} away, so that its pkl tree is taken over"
        return told


def _joined(names: set[str]) -> str:
    return " and ".join(sorted(names))
