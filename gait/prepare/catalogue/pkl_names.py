"""Tells by their names what the pkl files in a sequence's folder hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import filter as matching_names
from glob import escape
from pathlib import Path

from gait.errors import DataError
from gait.modalities import ARRAYS, LATENT, MODALITIES, SILHOUETTES, SKELETON_MAPS
from gait.types import SequenceKey

# As `pkl` in a dataset.yaml.
Pkl = str | Mapping[str, str]

# What OpenGait's tools call the files of trees that they make of any dataset.
_OF_TOOLS = {
    SKELETON_MAPS: "0_heatmap.pkl",
    SILHOUETTES: "1_sil.pkl",
    LATENT: "00-DenoisingFea_*.pkl",
    "masks": "01-Sils_*.pkl",
}


def main_modality(pkl: Pkl) -> str:
    """What a file holds whose name does not say it: what `pkl` is, or names first."""
    return pkl if isinstance(pkl, str) else next(iter(pkl))


def places_of_arrays(pkl: Pkl) -> dict[str, str]:
    """Where arrays lie in a sequence's own folder, by their kind, as under `files`."""
    names = patterns_of_arrays(pkl).items()
    return {f"{ARRAYS}{modality}": f"{{folder}}/{name}" for modality, name in names}


def any_name(pattern: str) -> str:
    """A pattern of names for those of any sequence."""
    return re.sub(r"\{\w+\}", "*", pattern)


def patterns_of_arrays(pkl: Pkl) -> dict[str, str]:
    """The name of each modality's file, with `{subject}`, `{condition}`, `{view}` and `*`."""
    return {pkl: "{view}.pkl"} if isinstance(pkl, str) else dict(pkl)


def filled_name(pattern: str, key: SequenceKey) -> str:
    """A pattern with the names of a sequence in it, which stand for themselves."""
    return pattern.format(**{field: escape(name) for field, name in key._asdict().items()})


def named_files(leaf: Path, names: Collection[str], pkl: Pkl) -> dict[str, str]:
    """The file of each modality, as far as names tell.

    What `pkl` names comes first, then what tools of OpenGait call so. `<view>-<modality>.pkl` is
    that modality, and `<view>.pkl` the main one, or silhouettes where that one has a file besides.

    Args:
        leaf: the folder `<subject>/<condition>/<view>`.
        names: of the pkl files in it.
        pkl: as in the dataset.yaml.

    Raises:
        DataError: a pattern fits several files, or a file several patterns.
    """
    key = SequenceKey(*leaf.parts[-3:])
    found: dict[str, str] = {}
    for modality, pattern in ({} if isinstance(pkl, str) else pkl).items():
        match sorted(matching_names(names, filled_name(pattern, key))):
            case []:
                pass
            case [name]:
                found[modality] = name
            case several:
                raise DataError(
                    f"{leaf}: expected one file of {modality}, {pattern}, got "
                    f"{', '.join(several)}; name one of them under `pkl` in dataset.yaml"
                )
    twice = sorted(name for name in found.values() if list(found.values()).count(name) > 1)
    if twice:
        both = " and ".join(modality for modality, name in found.items() if name == twice[0])
        raise DataError(
            f"{leaf / twice[0]}: expected to be of one modality, got {both}; name it once under "
            "`pkl` in dataset.yaml"
        )
    left = {name for name in names if name not in found.values()}
    for modality, pattern in _OF_TOOLS.items():
        if modality not in found and (fitting := matching_names(left, pattern)):
            found[modality] = min(fitting)
            left.remove(found[modality])
    own = {each: f"{leaf.name}-{each}.pkl" for each in MODALITIES}
    own = {each: name for each, name in own.items() if name in left}
    main = main_modality(pkl)
    if f"{leaf.name}.pkl" in left:
        own[SILHOUETTES if main in own or main in found else main] = f"{leaf.name}.pkl"
    return own | found


def is_told_by_shape(others: int, named: Collection[str], pkl: Pkl) -> bool:
    """Whether the single unnamed pkl file must be opened to infer its modality.

    Args:
        others: how many such files a sequence has.
        named: the modalities that names tell.
        pkl: as in the dataset.yaml.
    """
    if others != 1 or not named:
        return others == 1
    main = main_modality(pkl)
    return isinstance(pkl, str) and (SILHOUETTES if main in named else main) not in named
