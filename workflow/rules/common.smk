import atexit
import json
import os
import sys
from pathlib import Path

from gait.config.dataset import SUBMISSION
from gait.config.load import misnamed_experiments
from gait.config.settings import check_settings
from gait import matrix as matrices
from gait.errors import GaitError
from gait.files import check_writable
from gait.flow import MATRIX, Flow, find_programs
from gait.flow.lock import take_over
from gait.flow.messages import failures, left_out
from gait.flow.slices import setting_names
from gait.flow.targets import check_targets
from gait.synthgait.raw_state import RENDERER
from gait.processes import WORKFLOW
from gait.screen import printable

find_programs(Path(sys.executable).parent, Path(workflow.basedir) / "scripts")


def told(function, *arguments):
    """The value, or the end: Snakemake would wrap the sentence in places of no interest."""
    try:
        return function(*arguments)
    except GaitError as error:
        sys.exit("\n".join(f"gait: error: {problem}" for problem in error.problems))


if workflow.is_main_process:
    take_over(Path(".snakemake"))
    # Jobs on this machine end when this process is killed; on others nobody could tell.
    if workflow.nodes is None:
        os.environ[WORKFLOW] = str(os.getpid())

told(
    check_settings,
    config,
    Path(workflow.basedir) / "schemas/config.schema.yaml",
    [path for path in map(Path, workflow.configfiles) if path.is_file()],
    workflow.config_settings.config,
)
# --jobs counts a cluster's jobs; on one machine it is another name of --cores.
flow = told(Flow, Path(), config, workflow.nodes is not None)
told(check_targets, sys.argv[1:], flow)
if workflow.is_main_process:
    for sentence in misnamed_experiments(Path()):
        print(f"gait: {printable(sentence)}", file=sys.stderr)

DATA = str(flow.data_root)
RESULT = "results/{dataset}/{model}/{save_name}"
# Where it is tested: `on` is empty, or /on-<dataset> for another dataset than it is trained on.
TESTED = "results/{dataset}/{model}/{save_name}{on}"
# As many as --cores allows, which lowers it; what is configured on a cluster.
RENDERING_THREADS = flow.threads("prepare") if flow.on_cluster else os.cpu_count()


# Seconds of work, done where Snakemake runs.
localrules:
    resolve,
    gather,
    tabulate,
    submit,
    combine_experiments,
    combine_models,
    matrix,
    page,


wildcard_constraints:
    dataset=told(flow.pattern),
    model=told(flow.pattern, 1),
    save_name=told(flow.pattern, 2),
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
    return told(flow.population, wildcards.dataset)


def get_raw(wildcards):
    return told(flow.raw_input, wildcards.dataset)


def get_checked(wildcards):
    return told(flow.checked_input, wildcards.dataset)


def get_findings(wildcards):
    findings = f"{DATA}/{wildcards.dataset}/check.csv"
    if told(flow.awaits_check, wildcards.dataset, wildcards.shard):
        return findings
    return ancient(before_update(findings))


def get_checked_state(wildcards):
    return told(flow.checked_state, wildcards.dataset)


def get_shard_state(wildcards):
    return told(flow.shard_state, wildcards.dataset, wildcards.shard)


def get_layouts(wildcards):
    return told(flow.dataset, wildcards.dataset).layouts


def get_pretreatment(wildcards):
    return told(flow.pretreatment, wildcards.dataset)


def get_pkl(wildcards):
    return told(flow.pkl, wildcards.dataset)


# Videos are segmented first; silhouettes are aligned as they come.
def get_silhouettes(wildcards):
    shard = f"{DATA}/{wildcards.dataset}/shards/{wildcards.shard}"
    if told(flow.is_video, wildcards.dataset):
        return f"{shard}.silhouettes.csv"
    return f"{shard}.csv"


def get_pkl_state(wildcards):
    return told(flow.pkl_state, wildcards.dataset)


def get_pkl_tables(wildcards):
    return told(flow.pkl_tables, wildcards.dataset)


def get_catalogue(wildcards):
    return told(flow.catalogue, wildcards.dataset)


def get_weights(wildcards):
    weights = told(flow.initial_weights, *wildcards)
    told(flow.check_scorable, *wildcards)
    return weights


def get_other_indices(wildcards):
    return told(flow.other_indices, *wildcards)


def get_test_index(wildcards):
    told(flow.check_scorable, *wildcards)
    return told(flow.test_index, *wildcards)


def get_settings(stage):
    """Parameters of a job, one for each setting that it depends on."""

    def get_setting(name):
        return lambda wildcards: told(flow.slice, stage, *wildcards)[name]

    return {name: get_setting(name) for name in setting_names(stage)}


def get_reports(wildcards):
    return told(flow.reports, wildcards.dataset, wildcards.model)


def get_submissions(wildcards):
    return told(flow.submissions, wildcards.dataset, wildcards.model)


def get_submitted(wildcards):
    return told(flow.submitted, *wildcards)


def get_notes(wildcards):
    notes = told(flow.notes, wildcards.dataset, wildcards.model)
    return [f"--note={note}" for note in notes]


def get_model_reports(wildcards):
    return expand(
        "results/{dataset}/{model}/report.csv",
        dataset=wildcards.dataset,
        model=flow.models(wildcards.dataset),
    )


def get_page_reports(wildcards):
    return told(flow.page_reports)


def get_matrix_metrics(wildcards):
    return told(matrices.metrics, flow)


def get_matrix_notes(wildcards):
    return [f"--note={note}" for note in told(matrices.notes, flow)]


def get_page_qualities(wildcards):
    return expand("results/{dataset}/quality.html", dataset=told(flow.page_datasets))
