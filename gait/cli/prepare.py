"""The commands from raw material to the packed store."""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gait.cli.app import Root, app
from gait.errors import ConfigError
from gait.modalities import SILHOUETTES
from gait.project import project_root


class How(StrEnum):
    """How a tree is made."""

    symlink = "symlink"
    copy = "copy"


class Order(StrEnum):
    """How frames are sorted by their file names, see `gait.config.dataset.Pretreat`."""

    lexical = "lexical"
    natural = "natural"


class Kind(StrEnum):
    """How silhouettes become frames, see `gait.config.dataset.Pretreat`."""

    normalise = "normalise"
    ccpg = "ccpg"
    as_is = "as_is"
    resize = "resize"
    resize_bicubic = "resize_bicubic"


class Joints(StrEnum):
    """Which joints poses keep, see `gait.config.dataset.Pretreat`."""

    coco = "coco"


@app.command()
def synthesize(
    dataset: Annotated[str, typer.Argument(help="A dataset with a population.")] = "SynthGait",
    raw: Annotated[Path | None, typer.Option(help="Where videos go; data/<dataset>/raw.")] = None,
    population: Annotated[str | None, typer.Option(help="Population, as YAML.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Clips rendered side by side.")] = 1,
    truth: Annotated[Path | None, typer.Option(help="Folder for ground-truth masks.")] = None,
) -> None:
    """Render a population of walkers as raw videos in CASIA-B's file layout."""
    from gait.config.dataset import Population
    from gait.config.load import load_dataset, validated
    from gait.synthgait.population import synthesize

    if population is not None:
        walkers = validated(Population, _mapping(population, "--population"), "--population")
    else:
        definition, _ = load_dataset(project_root(), dataset)
        if definition.population is None:
            raise ConfigError(f"datasets/{dataset}/dataset.yaml: has no population to render")
        walkers = definition.population
    target = raw if raw is not None else project_root() / "data" / dataset / "raw"
    synthesize(target, walkers, processes=processes, truth=truth)


@app.command()
def check(
    dataset: Annotated[str, typer.Argument(help="The dataset's name.")],
    root: Annotated[
        Path | None, typer.Option(help="The dataset's folder; data/<dataset>.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The table of findings to write.")] = None,
) -> None:
    """Compare what is there of a dataset with what it should hold."""
    from gait.config.load import load_dataset
    from gait.data.store import verify_store
    from gait.errors import DataError
    from gait.formats.manifest import damaged_tables
    from gait.formats.seal import write_sealed_table
    from gait.prepare.check import check
    from gait.report.damage import damaged_results

    definition, _ = load_dataset(project_root(), dataset)
    folder = root or project_root() / "data" / dataset
    report = check(folder, definition)
    if output is not None:
        write_sealed_table(output, report.table)
    print(report)
    damaged = [*verify_store(folder / "packed"), *damaged_tables(folder)]
    if output is None:
        # The workflow's own check is about the data; it writes a table.
        damaged += damaged_results(project_root() / "results", dataset)
    if not report.findings and not damaged:
        print("nothing is amiss")
    if errors := [*map(str, report.errors), *damaged]:
        raise DataError(errors)


@app.command()
def rearrange(
    dataset: Annotated[str, typer.Argument(help="The dataset's name.")],
    raw: Annotated[Path, typer.Option(help="The raw tree; only read.")],
    output: Annotated[Path, typer.Option(help="The table of sequences to write.")],
    shard: Annotated[str, typer.Option(help="<i>-of-<n>: some of the subjects.")] = "1-of-1",
    materialise: Annotated[
        How | None, typer.Option(help="Make a subject/condition/view tree as well.")
    ] = None,
    tree: Annotated[Path, typer.Option(help="Where that tree is made.")] = Path("tree"),
) -> None:
    """Turn a raw tree into a table of sequences; no file is moved."""
    from gait.config.load import load_dataset
    from gait.prepare.catalogue import shards
    from gait.prepare.catalogue.materialise import materialise as lay_tree
    from gait.prepare.catalogue.raw_form import RawForm

    match = re.fullmatch(r"(\d+)-of-(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"--shard: expected <i>-of-<n> such as 1-of-8, got {shard!r}")
    definition, _ = load_dataset(project_root(), dataset)
    number, of = int(match[1]), int(match[2])
    print(shards.rearrange(raw, RawForm.of(definition), output, number, of))
    if materialise is not None:
        count = lay_tree(output, raw, tree, materialise.value)
        print(f"{count} sequences in {tree}")


@app.command()
def merge_catalogue(
    shards: Annotated[list[Path], typer.Argument(help="The shards' tables of sequences.")],
    output: Annotated[Path, typer.Option(help="The table of all sequences to write.")],
) -> None:
    """Put the shards' tables together to the catalogue, sequences.csv."""
    from gait.prepare.catalogue.shards import merge_catalogue

    print(f"{merge_catalogue(shards, output)} sequences")


@app.command()
def segment(
    shard: Annotated[Path, typer.Argument(help="A shard of the catalogue.")],
    root: Root,
    output: Annotated[Path, typer.Option(help="The shard's table of silhouettes.")],
    segmenter: Annotated[str, typer.Option(help="Name and parameters, as YAML.")],
) -> None:
    """Extract silhouettes from the videos of a shard."""
    from gait.prepare.silhouettes.segment import segment_shard

    settings = _mapping(segmenter, "--segmenter")
    print(segment_shard(shard, root / "raw", root, output, settings))


@app.command()
def pretreat(
    shard: Annotated[Path, typer.Argument(help="A shard of images, or of segmented videos.")],
    root: Root,
    output: Annotated[Path, typer.Option(help="The shard's table of pkl files.")],
    size_px: Annotated[int, typer.Option(help="Height and width of a frame.")] = 64,
    kind: Annotated[Kind, typer.Option(help="How frames are aligned.")] = Kind.normalise,
    min_frames: Annotated[int, typer.Option(help="Shorter sequences are dropped.")] = 1,
    frame_order: Annotated[Order, typer.Option(help="How names are sorted.")] = Order.lexical,
    joints: Annotated[Joints | None, typer.Option(help="Which joints poses keep; all.")] = None,
) -> None:
    """Align the silhouettes of a shard and write them as pkl sequences."""
    from gait.config.dataset import Pretreat
    from gait.config.load import validated
    from gait.prepare.sequences.pretreat import pretreat_shard

    given: dict[str, Any] = {
        "size_px": size_px,
        "kind": kind.value,
        "min_frames": min_frames,
        "frame_order": frame_order.value,
        "joints": joints.value if joints else None,
    }
    rules = validated(Pretreat, given, "the options")
    print(pretreat_shard(shard, root / "raw", root, output, rules))


@app.command()
def latents(
    root: Root,
    weights: Annotated[str, typer.Option(help="Stable Diffusion 1.5: a folder or a hub name.")],
    step: Annotated[int, typer.Option(help="The time step that the network is told.")] = 700,
    height_px: Annotated[int, typer.Option(help="Height that crops are scaled to.")] = 768,
    width_px: Annotated[int, typer.Option(help="Width that crops are scaled to.")] = 384,
    frames_per_batch: Annotated[int, typer.Option(help="Frames worked on at a time.")] = 8,
) -> None:
    """Make DenoisingGait's latents from the colour crops of a pkl tree."""
    import torch

    from gait.prepare.sequences.latents import LatentSettings, write_latents

    settings = LatentSettings(weights, step, height_px, width_px, frames_per_batch)
    print(
        write_latents(root, settings, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    )


@app.command()
def import_pkl(
    root: Root,
    output: Annotated[Path, typer.Option(help="The table of its pkl files to write.")],
    pkl: Annotated[
        str, typer.Option(help="Which files hold what, as `pkl` in dataset.yaml.")
    ] = SILHOUETTES,
    convert: Annotated[
        bool,
        typer.Option(help="Write silhouettes of other values than 0 and 255 anew."),
    ] = False,
) -> None:
    """Take over a pkl tree that OpenGait, or anything else, has written."""
    from gait.config.patterns import check_pkl
    from gait.formats.manifest import manifest_text
    from gait.formats.seal import write_sealed_table
    from gait.prepare.sequences.import_tree import manifest_of_tree

    try:
        known = check_pkl(_mapping(pkl, "--pkl") if pkl.startswith("{") else pkl)
    except ValueError as error:
        raise ConfigError(f"--pkl {pkl}: {error}") from None
    tree = manifest_of_tree(root, known, convert)
    write_sealed_table(output, manifest_text(tree.rows))
    for modality, number in sorted(Counter(row.modality for row in tree.rows).items()):
        print(f"{number} sequences of {modality}")
    guessed = sum((Counter(row.guessed) for row in tree.rows), Counter[str]())
    for what, number in sorted(guessed.items()):
        print(f"written anew: {what}: {number} frames")
    for kind, number in tree.ignored.items():
        print(f"not used: {kind}: {number}")


@app.command()
def pack(
    manifests: Annotated[list[Path], typer.Argument(help="Tables of pkl files.")],
    root: Root,
    manifest: Annotated[Path, typer.Option(help="The table of all pkl files.")],
    catalogue: Annotated[
        Path | None, typer.Option(help="The sequences to account for, sequences.csv.")
    ] = None,
) -> None:
    """Gather pkl sequences into the memory-mapped store that training reads."""
    from gait.prepare.pack import pack

    print(pack(manifests, root, manifest, root / "packed", catalogue))


def _mapping(text: str, option: str) -> dict[str, Any]:
    from gait.config.yaml import parse_yaml

    return parse_yaml(text, Path(option))[0]
