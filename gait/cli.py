"""The command line: one subcommand for each arrow of the flow, and a few for people."""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gait import __version__
from gait.errors import ConfigError, GaitError, nearest
from gait.modalities import MODALITIES, SILHOUETTES

if TYPE_CHECKING:
    from gait.config.experiment import Resolved


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
    as_is = "as_is"
    resize = "resize"


app = typer.Typer(
    help="Gait recognition from raw video to a metric table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ExperimentName = Annotated[
    str,
    typer.Argument(
        help="<dataset>/<model>/<save_name> or .../on-<dataset>, or the path of a config.yaml."
    ),
]
Packed = Annotated[Path, typer.Option(help="The dataset's packed store.")]
Root = Annotated[Path, typer.Option(help="The dataset's folder, data/<dataset>.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that load data.")]


def main() -> None:
    """Run a subcommand; an error a user can mend is one sentence, last on the screen."""
    warnings.formatwarning = lambda message, *_, **__: f"gait: warning: {message}\n"
    try:
        app()
    except GaitError as error:
        for line in str(error).splitlines():
            print(f"gait: error: {line}", file=sys.stderr)
        sys.exit(1)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Gait recognition from raw video to a metric table."""
    if show:
        print(__version__)
        raise typer.Exit


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
    from gait.prepare.synthetic import synthesize

    if population is not None:
        walkers = validated(Population, _mapping(population, "--population"), "--population")
    else:
        definition, _ = load_dataset(Path(), dataset)
        if definition.population is None:
            raise ConfigError(f"datasets/{dataset}/dataset.yaml: has no population to render")
        walkers = definition.population
    target = raw if raw is not None else Path("data") / dataset / "raw"
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
    from gait.errors import DataError
    from gait.files import write_if_changed
    from gait.prepare.check import check

    definition, _ = load_dataset(Path(), dataset)
    report = check(root or Path("data") / dataset, definition)
    if output is not None:
        write_if_changed(output, report.table)
    print(report)
    if report.errors:
        raise DataError("\n".join(map(str, report.errors)))


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
    from gait.prepare import catalogue

    match = re.fullmatch(r"(\d+)-of-(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"--shard: expected <i>-of-<n> such as 1-of-8, got {shard!r}")
    definition, _ = load_dataset(Path(), dataset)
    number, of = int(match[1]), int(match[2])
    obtain, beside = definition.obtain, definition.beside
    print(catalogue.rearrange(raw, definition.layouts, output, number, of, obtain, beside))
    if materialise is not None:
        count = catalogue.materialise(output, raw, tree, materialise.value)
        print(f"{count} sequences in {tree}")


@app.command()
def gather(
    shards: Annotated[list[Path], typer.Argument(help="The shards' tables of sequences.")],
    output: Annotated[Path, typer.Option(help="The table of all sequences to write.")],
) -> None:
    """Put the shards' tables together to the catalogue, sequences.csv."""
    from gait.prepare.catalogue import gather

    print(f"{gather(shards, output)} sequences")


@app.command()
def segment(
    shard: Annotated[Path, typer.Argument(help="A shard of the catalogue.")],
    root: Root,
    output: Annotated[Path, typer.Option(help="The shard's table of silhouettes.")],
    segmenter: Annotated[str, typer.Option(help="Name and parameters, as YAML.")],
) -> None:
    """Extract silhouettes from the videos of a shard."""
    from gait.prepare.segment import segment_shard

    settings = _mapping(segmenter, "--segmenter")
    print(segment_shard(shard, root / "raw", root, output, settings))


@app.command()
def pretreat(
    shard: Annotated[Path, typer.Argument(help="A shard of images, or of segmented videos.")],
    root: Root,
    output: Annotated[Path, typer.Option(help="The shard's table of pkl files.")],
    size_px: Annotated[int, typer.Option(help="Height and width of a frame.")] = 64,
    kind: Annotated[Kind, typer.Option(help="How frames are aligned.")] = Kind.normalise,
    least_frames: Annotated[int, typer.Option(help="Shorter sequences are dropped.")] = 1,
    frame_order: Annotated[Order, typer.Option(help="How names are sorted.")] = Order.lexical,
) -> None:
    """Align the silhouettes of a shard and write them as pkl sequences."""
    from gait.prepare.pretreat import pretreat_shard

    summary = pretreat_shard(
        shard,
        root / "raw",
        root,
        output,
        size_px,
        kind.value,
        least_frames,
        frame_order.value,
    )
    print(summary)


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

    from gait.prepare.latents import LatentSettings, write_latents

    settings = LatentSettings(weights, step, height_px, width_px, frames_per_batch)
    print(
        write_latents(root, settings, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    )


@app.command()
def adopt(
    root: Root,
    output: Annotated[Path, typer.Option(help="The table of its pkl files to write.")],
    pkl: Annotated[
        str, typer.Option(help="What files <view>.pkl hold, as `pkl` in dataset.yaml.")
    ] = SILHOUETTES,
) -> None:
    """Take over a pkl tree that OpenGait, or anything else, has written."""
    from gait.files import write_if_changed
    from gait.prepare.adopt import manifest_of_tree
    from gait.prepare.manifest import manifest_text

    if pkl not in MODALITIES:
        raise ConfigError(f"--pkl {pkl}: is no modality; {nearest(pkl, MODALITIES)}")
    tree = manifest_of_tree(root, pkl)
    write_if_changed(output, manifest_text(tree.rows))
    for modality, number in sorted(Counter(row.modality for row in tree.rows).items()):
        print(f"{number} sequences of {modality}")
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


@app.command()
def config(
    experiment: Annotated[
        str, typer.Argument(help="<dataset>/<model>/<save_name> or .../on-<dataset>.")
    ],
    origin: Annotated[bool, typer.Option("--origin", help="Show each value's file.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the resolved file.")] = None,
) -> None:
    """Check an experiment and show every value of it."""
    from gait.config.load import describe, load_named
    from gait.config.yaml import write_yaml
    from gait.files import write_if_changed

    resolved, origins = load_named(Path(), experiment)
    if output is not None:
        write_if_changed(output, write_yaml(resolved.model_dump(mode="json")))
    elif origin:
        print(describe(resolved.experiment, origins))
    else:
        print(write_yaml(resolved.experiment.model_dump(mode="json")), end="")


@app.command()
def train(
    experiment: ExperimentName,
    packed: Packed,
    model: Annotated[Path, typer.Option(help="The weights to write, model.pt.")],
    workers: Workers = 0,
) -> None:
    """Train a model; run under torchrun for more than one process."""
    from gait.engine.distributed import guarded
    from gait.engine.trainer import train

    resolved = _resolved(experiment)
    if resolved.trained_on:
        raise ConfigError(f"{resolved.identity}: is tested only; train what stands before /on-")
    guarded(lambda: train(resolved, packed, model.parent, model, workers=workers))


@app.command()
def embed(
    experiment: ExperimentName,
    packed: Packed,
    model: Annotated[Path, typer.Option(help="The weights, model.pt.")],
    embeddings: Annotated[Path, typer.Option(help="The file to write, embeddings.npz.")],
    subjects: Annotated[
        list[str] | None, typer.Option(help="Subjects, ranges or '*'; the test subjects.")
    ] = None,
    workers: Workers = 0,
) -> None:
    """Embed the test sequences of an experiment, or any subjects of any packed dataset."""
    from gait.engine.distributed import guarded
    from gait.engine.embed import embed

    resolved = _resolved(experiment)
    if subjects:
        resolved = resolved.testing_on(subjects)
    guarded(lambda: embed(resolved, packed, model, embeddings, workers=workers))


@app.command()
def score(
    experiment: ExperimentName,
    embeddings: Annotated[Path, typer.Option(help="The embeddings to score.")],
    metrics: Annotated[Path, typer.Option(help="The file to write, metrics.json.")],
) -> None:
    """Score embeddings by the dataset's protocols."""
    from gait.evaluation.score import score

    score(_resolved(experiment), embeddings, metrics)


@app.command()
def tabulate(
    experiment: ExperimentName,
    metrics: Annotated[Path, typer.Option(help="The metrics, metrics.json.")],
    report: Annotated[Path, typer.Option(help="The table to write.")],
    views: Annotated[Path, typer.Option(help="The table of view pairs to write.")],
    figures: Annotated[Path, typer.Option(help="The folder of figures to write.")],
) -> None:
    """Write an experiment's tables and figures."""
    from gait.report import report as write_report

    write_report(_resolved(experiment), metrics, report, views, figures)


@app.command()
def submit(
    metrics: Annotated[Path, typer.Argument(help="The metrics, metrics.json.")],
    protocol: Annotated[str, typer.Option(help="The dataset's protocol, a submission.")],
    output: Annotated[Path, typer.Option(help="The file to write.")],
) -> None:
    """Write the file that a challenge scores."""
    from gait.report.submission import write_submission

    print(f"{write_submission(metrics, protocol, output)} probes")


@app.command()
def combine(
    output: Annotated[Path, typer.Option(help="The table to write.")],
    reports: Annotated[
        list[Path] | None, typer.Argument(help="Tables to put under each other.")
    ] = None,
    note: Annotated[list[str] | None, typer.Option(help="<experiment>: why it is absent")] = None,
) -> None:
    """Put tables under each other."""
    from gait.report import combine

    combine(reports or [], output, note or [])


@app.command()
def matrix(
    output: Annotated[Path, typer.Option(help="The table to write.")],
    metrics: Annotated[
        list[Path] | None, typer.Argument(help="metrics.json of runs on the datasets tested.")
    ] = None,
    note: Annotated[list[str] | None, typer.Option(help="<experiment>: why it is absent")] = None,
) -> None:
    """Compare experiments trained and tested on several datasets, with several seeds."""
    from gait.report import tabulate_matrix

    tabulate_matrix(metrics or [], output, note or [])


@app.command()
def show(report: Annotated[Path, typer.Argument(help="A report.csv or a matrix.csv.")]) -> None:
    """Print a table of results."""
    from gait.report import show

    show(report)


@app.command()
def models(
    output: Annotated[
        Path | None, typer.Option(help="Write a page, docs/zoo.md, instead of printing.")
    ] = None,
) -> None:
    """List the models: what they read, their size and cost, papers and published figures."""
    from gait.engine.zoo import page, show, zoo
    from gait.files import write_if_changed

    found = zoo(Path())
    if output is None:
        show(found)
    else:
        write_if_changed(output, page(found))


@app.command()
def quality(
    dataset: Annotated[str, typer.Argument(help="The dataset's name.")],
    root: Root,
    table: Annotated[Path, typer.Option(help="The table to write.")],
    output: Annotated[Path, typer.Option(help="The page to write.")],
) -> None:
    """Sum up what was kept and dropped of a packed dataset, with a contact sheet."""
    from gait.report.quality_page import write_quality

    write_quality(dataset, root / "manifest.csv", root / "packed", table, output)


@app.command()
def page(
    output: Annotated[Path, typer.Option(help="The page to write.")],
    reports: Annotated[list[Path] | None, typer.Argument(help="Tables of experiments.")] = None,
    matrix: Annotated[Path | None, typer.Option(help="A matrix.csv to begin with.")] = None,
    quality: Annotated[
        list[Path] | None, typer.Option(help="<dataset>/quality.html, to be linked to.")
    ] = None,
) -> None:
    """Write the page people look at."""
    from gait.report import page

    page(reports or [], output, matrix, quality or [])


@app.command()
def import_checkpoint(
    source: Annotated[Path, typer.Argument(help="An OpenGait checkpoint, .pt.")],
    config: Annotated[Path, typer.Option(help="The OpenGait YAML it was trained with.")],
    output: Annotated[Path, typer.Option(help="The weights file to write.")],
) -> None:
    """Turn a published OpenGait checkpoint into weights an experiment can start from."""
    from gait.compat.opengait import import_checkpoint

    import_checkpoint(source, config, output)


@app.command()
def import_config(
    source: Annotated[Path, typer.Argument(help="An OpenGait YAML.")],
    output: Annotated[Path | None, typer.Option(help="The experiment to write.")] = None,
) -> None:
    """Turn an OpenGait YAML into an experiment; keys without effect there are reported."""
    from gait.compat.opengait import import_config
    from gait.files import write_if_changed

    text = import_config(source)
    if output is None:
        print(text, end="")
    else:
        write_if_changed(output, text)


def _resolved(experiment: str) -> Resolved:
    from gait.config.load import load_named, read_resolved

    if experiment.endswith(".yaml"):
        return read_resolved(Path(experiment))
    return load_named(Path(), experiment)[0]


def _mapping(text: str, option: str) -> dict[str, Any]:
    from gait.config.yaml import parse_yaml

    return parse_yaml(text, Path(option))[0]
