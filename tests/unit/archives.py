"""A small tree, packed in every kind of archive, and what is read of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gait.prepare.raw.archives import (
    Contents,
    NameFilter,
    read_archive,
)
from gait.prepare.raw.files import is_frame
from tests.raw_archives import seven, tar, zipped
from tests.raw_trees import Tree

TREE: Tree = {
    f"a/{folder}/{number}.png": f"{folder}{number}".encode() * 200
    for folder in ("x", "y", "z")
    for number in range(4)
}

MAKERS = {
    "1.tar": tar,
    "1.tgz": lambda tree: tar(tree, compressed=True),
    "1.zip": zipped,
    "1.7z": seven,
}


def images(folders: Iterable[str]) -> dict[str, NameFilter]:
    """Ask for the images of some folders."""
    return dict.fromkeys(folders, is_frame)


def images_of(contents: Contents) -> dict[str, int]:
    """The number of images in each folder."""
    return {name: counts[".png"] for name, counts in contents.folders.items()}


def read(path: Path, folders: set[str]) -> dict[str, tuple[bytes, str]]:
    """The images of some folders of an archive, each with its problem."""
    return {
        f"{member.folder}/{member.name}": member.read()
        for member in read_archive(path, images(folders))
    }


def whole(tree: Tree, *folders: str) -> dict[str, tuple[bytes, str]]:
    """What `read` gives where nothing is amiss."""
    return {name: (data, "") for name, data in tree.items() if name.rpartition("/")[0] in folders}
