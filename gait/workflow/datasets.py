"""The state of the datasets as the workflow sees it."""

from __future__ import annotations

import hashlib
import re
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from gait.config.dataset import Dataset
from gait.config.load import dataset_names, load_dataset
from gait.config.yaml import read_text
from gait.errors import ConfigError, DataError
from gait.formats.catalogue import CatalogueRow, RowKind, rows_digest, rows_text
from gait.limits import YAML_BYTES
from gait.prepare.catalogue.available import modalities_of_raw, modalities_of_tree
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.remembered import remembered_scan
from gait.prepare.catalogue.shards import deal
from gait.prepare.raw.files import fingerprint, state_of, walk
from gait.synthgait.raw_state import RENDERER, altered_files
from gait.types import SequenceKey
from gait.workflow.missing import MissingModalities
from gait.workflow.slices import canonical_json


class DatasetsState:
    """The workflow's view of the datasets below `root`.

    Attributes:
        root: the working folder.
        settings: the contents of `config/config.yaml`, validated against its schema.
        data_root: the folder that holds the datasets' own.

    Raises:
        ConfigError: the name of that folder cannot stand in the workflow's files.
    """

    def __init__(self, root: Path, settings: dict[str, Any]) -> None:
        self.root = root
        self.settings = settings
        self.data_root = _data_root(settings["data_root"])
        self.dataset = cache(self._dataset)
        self.raw_rows = cache(self._raw_rows)
        self.raw_states = cache(self._raw_states)
        self.dealt = cache(self._dealt)
        self.modalities = cache(self._modalities)
        self.keys = cache(self._keys)

    @cached_property
    def datasets(self) -> list[str]:
        return dataset_names(self.root)

    @property
    def rendered(self) -> str:
        """A regular expression for the datasets that the workflow renders by itself."""
        names = [each for each in self.datasets if self._is_rendered(each)]
        return "|".join(map(re.escape, names)) or "(?!)"

    @property
    def shards(self) -> list[str]:
        """Names of the shards, `<i>-of-<n>`."""
        count = self.settings["shards"]
        return [f"{index}-of-{count}" for index in range(1, count + 1)]

    def folder(self, dataset: str) -> Path:
        """Where a dataset lies."""
        return self.data_root / dataset

    def population(self, dataset: str) -> str:
        """The parameters of a dataset that the workflow renders, as canonical JSON."""
        population = self.dataset(dataset).population
        assert population is not None
        return canonical_json(population.model_dump(mode="json"))

    def raw_input(self, dataset: str) -> list[str]:
        """What the renderer writes last; nothing for raw material that has to be there already.

        Raises:
            DataError: it is not there, or has no known layout; the message says how to obtain it.
        """
        raw = self.folder(dataset) / "raw"
        if self.dataset(dataset).population is not None:
            return [str(raw / "population.csv")]
        self.raw_rows(dataset)
        return []

    def shard_state(self, dataset: str, shard: str) -> str:
        """Changes when a raw file of that shard does, and with nothing else."""
        return self.raw_states(dataset)[self.shards.index(shard)]

    def checked_input(self, dataset: str) -> list[str]:
        """What has to be there before the dataset can be checked; see `raw_input`."""
        return [] if self.is_imported(dataset) else self.raw_input(dataset)

    def checked_state(self, dataset: str) -> str:
        """Changes when a file of the dataset does, or what its files are compared with."""
        imported = self.is_imported(dataset)
        definition = self.dataset(dataset)
        keys = {"layouts", "files", "pkl", "partition"}
        if not imported:
            # A tree is taken over again whenever it is checked, which these are no reason for.
            keys |= {"pretreat", "protocols"}
        compared = {
            "state": self.pkl_state(dataset) if imported else self.raw_states(dataset),
            "whole": definition.whole.model_dump(mode="json"),
            **definition.model_dump(mode="json", include=keys),
        }
        return hashlib.sha256(canonical_json(compared).encode()).hexdigest()[:16]

    def awaits_check(self, dataset: str, shard: str) -> bool:
        """Whether a shard's table is to be made, which is not before the dataset was checked.

        Snakemake runs whatever waits for a job that runs, so that no other shard may wait.
        """
        rows = self.raw_rows(dataset)
        folder = self.root / self.folder(dataset)
        table = folder / "shards" / f"{shard}.csv"
        if rows is None or not table.is_file() or not (folder / "check.csv").is_file():
            return True
        listed = rows_text(self.dealt(dataset)[self.shards.index(shard)])
        return table.read_bytes() != listed.encode()

    def is_video(self, dataset: str) -> bool:
        """Whether the raw material is videos, to be segmented, or silhouettes already."""
        rows = self.raw_rows(dataset)
        return rows is None or rows[0].kind is RowKind.VIDEO

    def _raw_rows(self, dataset: str) -> list[CatalogueRow] | None:
        """The raw tree as its layout sees it; None for one that has not been rendered yet."""
        raw = self.root / self.folder(dataset) / "raw"
        definition = self.dataset(dataset)
        if definition.population is not None and not (raw / "population.csv").is_file():
            return None
        root = self.root / self.folder(dataset)
        return remembered_scan(raw, RawForm.of(definition), root).rows

    def _raw_states(self, dataset: str) -> list[str]:
        rows = self.raw_rows(dataset)
        population = self.dataset(dataset).population
        if population is None:
            return [rows_digest(shard) for shard in self.dealt(dataset)]
        # What a renderer makes is known by its parameters before it is there; a file that
        # somebody replaced afterwards counts on top.
        rendered = f"{self.population(dataset)} {RENDERER} "
        if rows is None:
            return [rendered] * len(self.shards)
        altered = altered_files(self.root / self.folder(dataset) / "raw")
        lost = altered - {file for row in rows for file in _files(row)}
        dealt = [[row for row in shard if _files(row) & altered] for shard in self.dealt(dataset)]
        return [
            rendered + (rows_digest(shard) if shard else "") + " ".join(sorted(lost))
            for shard in dealt
        ]

    def pretreatment(self, dataset: str) -> list[str]:
        """The options by which `gait pretreat` does what the dataset wants."""
        options = self.dataset(dataset).pretreat.model_dump(mode="json", exclude_none=True)
        return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]

    def _dealt(self, dataset: str) -> list[list[CatalogueRow]]:
        """The rows of each shard, of raw material that is there."""
        return deal(self.raw_rows(dataset) or [], len(self.shards))

    def pkl_tables(self, dataset: str) -> list[str]:
        """The tables of pkl files to pack: one per shard, or that of an imported tree."""
        names = ["imported"] if self.is_imported(dataset) else self.shards
        return [str(self.folder(dataset) / "shards" / f"{name}.pkl.csv") for name in names]

    def catalogue(self, dataset: str) -> list[str]:
        """The table of what has to be packed, or accounted for; none for an imported tree."""
        if self.is_imported(dataset):
            return []
        return [str(self.folder(dataset) / "sequences.csv")]

    def is_imported(self, dataset: str) -> bool:
        """Whether there is a pkl tree, from OpenGait for instance, and nothing to make it from."""
        folder = self.root / self.folder(dataset)
        rendered = self.dataset(dataset).population is not None
        return (folder / "pkl").is_dir() and not (folder / "raw").exists() and not rendered

    def pkl(self, dataset: str) -> str:
        """Which pkl files hold what, as `gait import-pkl` takes it."""
        pkl = self.dataset(dataset).pkl
        return pkl if isinstance(pkl, str) else canonical_json(pkl)

    def is_absent(self, dataset: str) -> bool:
        """Whether nothing lies where the dataset should, and the workflow does not render it."""
        folder = self.root / self.folder(dataset)
        rendered = self.dataset(dataset).population is not None
        return not (rendered or (folder / "raw").exists() or (folder / "pkl").exists())

    def pkl_state(self, dataset: str) -> str:
        """Changes when a file of an imported pkl tree does."""
        tree = walk(self.root / self.folder(dataset) / "pkl")
        return fingerprint(
            state_of(file)._replace(name=folder.path_of(file.name))
            for folder in tree
            for file in folder.files
        )

    def missing_modalities(self, dataset: str, wanted: set[str]) -> MissingModalities | None:
        """Which of some modalities a dataset does not have, if that can be told and is so."""
        available = self.modalities(dataset)
        if available is None or wanted <= available:
            return None
        tree = self.folder(dataset) / ("pkl" if self.is_imported(dataset) else "raw")
        return MissingModalities(dataset, tree, wanted - available, available)

    def _modalities(self, dataset: str) -> set[str] | None:
        """What a dataset holds of each sequence; None where that cannot be told yet, or at all.

        What is wrong with its files is told when they are asked for.
        """
        try:
            if self.is_imported(dataset):
                tree = self.root / self.folder(dataset) / "pkl"
                return modalities_of_tree(tree, self.dataset(dataset).pkl)
            rows = self.raw_rows(dataset)
        except DataError:
            return None
        return None if rows is None else modalities_of_raw(rows)

    def _keys(self, dataset: str) -> list[SequenceKey] | None:
        """The sequences that a dataset has; None where that cannot be told yet, or at all.

        What is wrong with its files is told when they are asked for.
        """
        try:
            if self.is_imported(dataset):
                # Looking at files takes libraries that starting the workflow should not wait for.
                from gait.prepare.check.pkl_tree import list_tree

                tree = self.root / self.folder(dataset) / "pkl"
                return list(list_tree(tree, self.dataset(dataset).pkl).files)
            rows = self.raw_rows(dataset)
        except DataError:
            return None
        return None if rows is None else [row.key for row in rows]

    def _is_rendered(self, dataset: str) -> bool:
        path = self.root / "datasets" / dataset / "dataset.yaml"
        try:
            # To parse all files would take half a second at each start of Snakemake.
            if "population" not in read_text(path, YAML_BYTES):
                return False
            return self.dataset(dataset).population is not None
        except ConfigError:
            # Another dataset's mistake is reported when that one is asked for.
            return False

    def _dataset(self, name: str) -> Dataset:
        return load_dataset(self.root, name)[0]


def _data_root(given: str) -> Path:
    """The folder of all data; `~` is the user's own folder, as it is in a shell.

    Raises:
        ConfigError: Snakemake or a command would take the name for something else than a folder.
    """
    wrong = [each for each in given if each in "{}" or not each.isprintable()]
    if wrong or given.startswith("-") or given != given.strip():
        got = f"{wrong[0]!r} in {given!r}" if wrong else repr(given)
        raise ConfigError(
            "config/config.yaml: data_root: expected a folder without braces, control characters, "
            f"blanks at either end and a '-' in front, got {got}; rename it, or name a link to it"
        )
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"config/config.yaml: data_root: {given!r}: {error}") from None


def _files(row: CatalogueRow) -> set[str]:
    """What a sequence is made from, below the raw folder."""
    return {str(row.source), row.background, row.pose} - {""}
