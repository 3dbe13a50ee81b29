"""Tells what was changed by hand in a raw tree that the workflow rendered itself."""

from __future__ import annotations

import csv
from pathlib import Path

from gait.errors import DataError
from gait.prepare.raw.files import POSES, VIDEOS, state_of, suffix_of, walk

# The renderer's list of its files, `file,size_bytes`, which it writes last.
POPULATION = "population.csv"
# Counts up when the renderer makes other files of the same population: those that are there are
# then rendered anew.
RENDERER = 2


def altered_files(raw: Path) -> set[str]:
    """The videos and poses below `raw` that are not as they were rendered.

    That is: of another size than `population.csv` lists, modified after that list, not listed, or
    listed and gone.

    Args:
        raw: a rendered raw folder, with its `population.csv`.

    Returns:
        Paths below `raw`.

    Raises:
        DataError: the list is missing or is not one.
    """
    path = raw / POPULATION
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            # A line that is cut short lists nothing.
            listed = {row["file"] or "": row["size_bytes"] for row in csv.DictReader(stream)}
        rendered_ns = path.stat().st_mtime_ns
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DataError(
            f"{path}: expected the list of rendered videos with the columns file,size_bytes, got "
            f"{error!r}; delete the file, and the videos are rendered again"
        ) from error
    untouched: set[str] = set()
    altered: set[str] = set()
    for folder in walk(raw):
        for entry in folder.files:
            if suffix_of(entry.name) not in VIDEOS and not entry.name.endswith(POSES):
                continue
            path_below, file = folder.path_of(entry.name), state_of(entry)
            is_same = listed.get(path_below) == str(file.size) and file.mtime_ns <= rendered_ns
            (untouched if is_same else altered).add(path_below)
    return altered | (listed.keys() - untouched)
