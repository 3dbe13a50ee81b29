"""The commands of one experiment: its configuration, training, embedding, scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gait.cli.app import ExperimentName, Packed, Workers, app
from gait.errors import ConfigError
from gait.project import project_root

if TYPE_CHECKING:
    from gait.config.resolved import Resolved


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
    from gait.formats.seal import sealed_yaml

    resolved, origins = load_named(project_root(), experiment)
    if output is not None:
        write_if_changed(output, sealed_yaml(write_yaml(resolved.model_dump(mode="json"))))
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
    import os

    from gait.engine.outlook import outlook
    from gait.engine.runtime.distributed import run_with_error_report
    from gait.engine.trainer import train

    resolved = _resolved(experiment)
    if resolved.trained_on:
        raise ConfigError(f"{resolved.identity}: is tested only; train what stands before /on-")

    def run() -> None:
        notes = outlook(resolved, packed)
        if os.environ.get("RANK", "0") == "0":
            for note in notes:
                print(f"gait: note: {note}", flush=True)
        train(resolved, packed, model.parent, model, workers=workers)

    run_with_error_report(run)


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
    from gait.engine.embed import embed
    from gait.engine.runtime.distributed import run_with_error_report

    resolved = _resolved(experiment)
    if subjects:
        resolved = resolved.testing_on(subjects)
    run_with_error_report(lambda: embed(resolved, packed, model, embeddings, workers=workers))


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
def report(
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


def _resolved(experiment: str) -> Resolved:
    from gait.config.load import load_named, read_resolved

    if experiment.endswith(".yaml"):
        return read_resolved(Path(experiment))
    return load_named(project_root(), experiment)[0]
