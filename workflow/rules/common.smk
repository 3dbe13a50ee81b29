import atexit
import json
import os
import sys
from pathlib import Path

from gait.config.dataset import SUBMISSION
from gait.config.load import misnamed_experiments
from gait.config.settings import check_settings
from gait.files import check_writable
from gait.workflow import matrix as matrices
from gait.workflow.guard import OrExit, or_exit
from gait.workflow.state import MATRIX, WorkflowState, find_programs
from gait.workflow.lock import take_over
from gait.workflow.messages import failures, left_out
from gait.workflow.slices import setting_names
from gait.workflow.targets import check_targets
from gait.synthgait.raw_state import RENDERER
from gait.processes import WORKFLOW
from gait.screen import printable

find_programs(Path(sys.executable).parent, Path(workflow.basedir) / "scripts")


if workflow.is_main_process:
    take_over(Path(".snakemake"))
    # Jobs on this machine end when this process is killed; on others nobody could tell.
    if workflow.nodes is None:
        os.environ[WORKFLOW] = str(os.getpid())

or_exit(
    check_settings,
    config,
    Path(workflow.basedir) / "schemas/config.schema.yaml",
    [path for path in map(Path, workflow.configfiles) if path.is_file()],
    workflow.config_settings.config,
)
# --jobs counts a cluster's jobs; on one machine it is another name of --cores.
workflow_state = or_exit(WorkflowState, Path(), config, workflow.nodes is not None)
or_exit(check_targets, sys.argv[1:], workflow_state)
state = OrExit(workflow_state)
if workflow.is_main_process:
    for sentence in misnamed_experiments(Path()):
        print(f"gait: {printable(sentence)}", file=sys.stderr)

DATA = str(state.data_root)
RESULT = "results/{dataset}/{model}/{save_name}"
# Where it is tested: `on` is empty, or /on-<dataset> for another dataset than it is trained on.
TESTED = "results/{dataset}/{model}/{save_name}{on}"
# As many as --cores allows, which lowers it; what is configured on a cluster.
RENDERING_THREADS = state.threads("prepare") if state.on_cluster else os.cpu_count()


# Seconds of work, done where Snakemake runs.
localrules:
    resolve,
    merge_catalogue,
    report,
    submit,
    merge_experiments,
    merge_models,
    matrix,
    html_report,


wildcard_constraints:
    dataset=state.pattern(),
    model=state.pattern(1),
    save_name=state.pattern(2),
    # Any name, so that an unknown dataset is told of as such.
    on=r"(?:/on-[^/]+)?",
    shard=r"\d+-of-\d+",
    submission=SUBMISSION,


def outputs_to_make():
    """The files of every job that has to run."""
    return [file for job in workflow.dag.needrun_jobs() for file in job.output]


def get_root(wildcards):
    return f"{DATA}/{wildcards.dataset}"


def get_population(wildcards):
    return state.population(wildcards.dataset)


def get_raw(wildcards):
    return state.raw_input(wildcards.dataset)


def get_checked(wildcards):
    return state.checked_input(wildcards.dataset)


def get_findings(wildcards):
    findings = f"{DATA}/{wildcards.dataset}/check.csv"
    if state.awaits_check(wildcards.dataset, wildcards.shard):
        return findings
    return ancient(before_update(findings))


def get_checked_state(wildcards):
    return state.checked_state(wildcards.dataset)


def get_shard_state(wildcards):
    return state.shard_state(wildcards.dataset, wildcards.shard)


def get_layouts(wildcards):
    return state.dataset(wildcards.dataset).layouts


def get_pretreatment(wildcards):
    return state.pretreatment(wildcards.dataset)


def get_pkl(wildcards):
    return state.pkl(wildcards.dataset)


# Videos are segmented first; silhouettes are aligned as they come.
def get_silhouettes(wildcards):
    shard = f"{DATA}/{wildcards.dataset}/shards/{wildcards.shard}"
    if state.is_video(wildcards.dataset):
        return f"{shard}.silhouettes.csv"
    return f"{shard}.csv"


def get_pkl_state(wildcards):
    return state.pkl_state(wildcards.dataset)


def get_pkl_tables(wildcards):
    return state.pkl_tables(wildcards.dataset)


def get_catalogue(wildcards):
    return state.catalogue(wildcards.dataset)


def get_weights(wildcards):
    weights = state.initial_weights(*wildcards)
    state.check_scorable(*wildcards)
    return weights


def get_other_indices(wildcards):
    return state.other_indices(*wildcards)


def get_test_index(wildcards):
    state.check_scorable(*wildcards)
    return state.test_index(*wildcards)


def get_settings(stage):
    """Parameters of a job, one for each setting that it depends on."""

    def get_setting(name):
        return lambda wildcards: state.slice(stage, *wildcards)[name]

    return {name: get_setting(name) for name in setting_names(stage)}


def get_reports(wildcards):
    return state.reports(wildcards.dataset, wildcards.model)


def get_submissions(wildcards):
    return state.submissions(wildcards.dataset, wildcards.model)


def get_submitted(wildcards):
    return state.submitted(*wildcards)


def get_notes(wildcards):
    notes = state.notes(wildcards.dataset, wildcards.model)
    return [f"--note={note}" for note in notes]


def get_model_reports(wildcards):
    return expand(
        "results/{dataset}/{model}/report.csv",
        dataset=wildcards.dataset,
        model=state.models(wildcards.dataset),
    )


def get_page_reports(wildcards):
    return state.page_reports()


def get_matrix_metrics(wildcards):
    return or_exit(matrices.metrics, workflow_state)


def get_matrix_notes(wildcards):
    return [f"--note={note}" for note in or_exit(matrices.notes, workflow_state)]


def get_page_qualities(wildcards):
    return expand("results/{dataset}/quality.html", dataset=state.page_datasets())
