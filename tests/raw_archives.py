"""Miniature datasets in the archives that their owners give out, and archives of any tree."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping

import py7zr
import pyzipper

from tests.raw_trees import Tree

PASSWORD = "only for researchers"


def tar(tree: Mapping[str, bytes], compressed: bool = False) -> bytes:
    """A tar file, or a tgz file, with these members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz" if compressed else "w") as archive:
        for name, data in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def zipped(tree: Mapping[str, bytes], password: str = "") -> bytes:
    """A zip file with these members, encrypted by AES where there is a password."""
    stream = io.BytesIO()
    if not password:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in tree.items():
                archive.writestr(name, data)
        return stream.getvalue()
    with pyzipper.AESZipFile(
        stream, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(password.encode())
        for name, data in tree.items():
            archive.writestr(name, data)
    return stream.getvalue()


def seven(tree: Mapping[str, bytes], password: str = "", hides_names: bool = False) -> bytes:
    """A 7z file with these members, encrypted where there is a password."""
    stream = io.BytesIO()
    with py7zr.SevenZipFile(
        stream, "w", password=password or None, header_encryption=hides_names
    ) as archive:
        for name, data in tree.items():
            archive.writestr(data, name)
    return stream.getvalue()


def grouped(tree: Mapping[str, bytes], group: Callable[[str], str]) -> dict[str, Tree]:
    """The tree in parts, by what `group` says of each path."""
    groups: dict[str, Tree] = defaultdict(dict)
    for name, data in tree.items():
        groups[group(name)][name] = data
    return groups


def oumvlp_archives(tree: Mapping[str, bytes], password: str = PASSWORD) -> Tree:
    """One encrypted 7z file a view and sequence."""
    groups = grouped(tree, lambda name: name.split("/")[0])
    return {f"{name}.7z": seven(part, password) for name, part in groups.items()}


def grew_subjects(tree: Mapping[str, bytes]) -> Tree:
    """A tgz file a subject or a probe, in the folders of these."""

    def of(name: str) -> str:
        depth = 2 if name.startswith("train") else 3
        return "/".join(name.split("/")[:depth]).removesuffix("_gei.png")

    archives: Tree = {}
    for path, part in grouped(tree, of).items():
        above = path.rpartition("/")[0] + "/"
        inner = {name.removeprefix(above): data for name, data in part.items()}
        archives[f"{path}.tgz"] = tar(inner, compressed=True)
    return archives


def grew_tgz(tree: Mapping[str, bytes]) -> Tree:
    """`train.tgz` and `test.tgz`, of the tgz files of subjects."""
    halves = grouped(grew_subjects(tree), lambda name: name.split("/")[0])
    return {f"{name}.tgz": tar(part, compressed=True) for name, part in halves.items()}


def grew_archives(tree: Mapping[str, bytes], password: str = PASSWORD) -> Tree:
    """`train.zip` and `test.zip`, encrypted, each of the tgz file of that name."""
    return {
        name.replace(".tgz", ".zip"): zipped({name: data}, password)
        for name, data in grew_tgz(tree).items()
    }


def casia_e_subjects(tree: Mapping[str, bytes]) -> Tree:
    """A tar file a subject."""
    subjects = grouped(tree, lambda name: name.split("/")[1])
    return {f"{subject}.tar": tar(part) for subject, part in subjects.items()}


def casia_e_archives(tree: Mapping[str, bytes]) -> Tree:
    """Zip files of the tar files of subjects."""

    def of(name: str) -> str:
        number = int(name.removesuffix(".tar"))
        if number <= 500:
            return "train001-500.zip"
        return "val501-614.zip" if number <= 614 else "test615-1014.zip"

    return {name: zipped(part) for name, part in grouped(casia_e_subjects(tree), of).items()}


def hid_archives(tree: Mapping[str, bytes], are_inside: bool) -> Tree:
    """Each part of HID in the kind of archive that it comes in.

    Args:
        are_inside: whether the folder that an archive is named for is in it.
    """
    archives: Tree = {}
    for name, part in grouped(tree, lambda path: path.split("/")[0]).items():
        prefix = "" if are_inside else f"{name}/"
        inner = {path.removeprefix(prefix): data for path, data in part.items()}
        if name == "train":
            archives["train.tar"] = tar(inner)
        elif name.startswith("HID"):
            archives[f"{name}.zip"] = zipped({f"{name}/": b""} | inner if are_inside else inner)
        else:
            archives[f"{name}.tar.gz"] = tar(inner, compressed=True)
    return archives
