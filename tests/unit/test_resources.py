"""Ask for the resources of a job as the executor and SLURM understand them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gait.config.yaml import read_yaml
from gait.workflow.state import WorkflowState
from tests.unit.configurations import copy_some, flow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_some(tmp_path)


def test_memory_doubles_with_each_attempt(root: Path) -> None:
    resources = read_yaml(root / "config/config.yaml")[0]["resources"]
    memory = flow(root).resources("train")["mem_mb"]
    wanted = resources["train"]["mem_mb"]
    assert [memory(None, attempt) for attempt in (1, 2, 3)] == [wanted, 2 * wanted, 4 * wanted]


class Resources(dict[str, Any]):
    """A job's resources, readable as the executor does."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def sbatch(known: WorkflowState, job: str) -> str:
    """The flags that the executor makes of the resources; fails where it refuses them."""
    submit = pytest.importorskip("snakemake_executor_plugin_slurm.submit_string")
    checks = pytest.importorskip("snakemake_executor_plugin_slurm.validation")
    utils = pytest.importorskip("snakemake_executor_plugin_slurm.utils")
    resources = Resources(
        {
            name: value(None, 1) if callable(value) else value
            for name, value in known.resources(job).items()
        }
    )
    asked = SimpleNamespace(resources=resources, threads=known.threads(job))
    checks.validate_slurm_extra(asked)
    partition = f"-p {resources['slurm_partition']}" if "slurm_partition" in resources else ""
    given = {
        "run_uuid": "run",
        "slurm_logfile": "log",
        "comment_str": "rule_train",
        "account": "",
        "partition": partition,
        "workdir": "",
    }
    settings = SimpleNamespace(requeue=True, no_requeue=False, qos=None, reservation=None)
    flags: str = submit.get_submit_command(asked, given, settings) + utils.set_gres_string(asked)
    return flags


def with_train(root: Path, **settings: Any) -> WorkflowState:
    resources = read_yaml(root / "config/config.yaml")[0]["resources"]
    resources["train"] = {"threads": 6, "mem_mb": 1000, "runtime_min": 90} | settings
    return flow(root, resources=resources)


def test_one_node_without_a_gpu(root: Path) -> None:
    known = with_train(root, processes=2)
    assert (known.nodes("train"), known.processes("train")) == (1, 2)
    flags = sbatch(known, "train").split()
    assert {"--ntasks=1", "--cpus-per-task=6"} < set(flags)
    assert flags[flags.index("-t") + 1] == "90" and flags[flags.index("--mem") + 1] == "1000"
    assert "gpu" not in " ".join(flags)


def test_gpus_on_one_node_are_asked_for_without_tasks(root: Path) -> None:
    # With tasks, the executor would ask for as many of them for each GPU; the plural 'gpus' is
    # ignored by sbatch and then fails inside the job.
    known = with_train(root, gpus=4, nodes=1, partition="accelerated", processes=1)
    assert known.resources("train")["gpu"] == 4
    assert not {"tasks", "gpus", "mpi", "gres"} & set(known.resources("train"))
    flags = sbatch(known, "train")
    assert "--gpus=4" in flags and "-p accelerated" in flags
    assert "ntasks-per-gpu" not in flags
    assert known.processes("train") == 4


def test_several_nodes_share_one_allocation(root: Path) -> None:
    known = with_train(root, gpus=8, nodes=2)
    resources = known.resources("train")
    # A GPU named to the executor would again bring tasks for each GPU.
    assert "gpu" not in resources
    assert resources["mpi"] == "srun" and resources["tasks"] == 2
    flags = sbatch(known, "train").split()
    assert {"--nodes=2", "--ntasks=2", "--cpus-per-task=6", "--gpus-per-node=8"} < set(flags)
    assert (known.nodes("train"), known.processes("train")) == (2, 8)


def test_several_nodes_without_gpus(root: Path) -> None:
    known = with_train(root, nodes=3, processes=2)
    assert "gpu" not in sbatch(known, "train")
    assert known.processes("train") == 2


def test_every_job_of_the_repository_s_configuration_can_be_submitted(root: Path) -> None:
    for job in ("prepare", "train", "embed", "report"):
        assert sbatch(flow(root), job).startswith("sbatch ")


def test_loading_processes(root: Path) -> None:
    assert with_train(root).loader_workers("train") == 0
    assert with_train(root, loader_workers=4).loader_workers("train") == 4


@pytest.mark.parametrize("job", ["train", "embed", "prepare", "report"])
def test_on_one_machine_jobs_that_compute_take_turns_and_on_a_cluster_none(
    root: Path, job: str
) -> None:
    settings = read_yaml(root / "config/config.yaml")[0]
    taking_turns = {"accelerator": 1} if job in ("train", "embed") else {}
    for on_cluster, expected in ((False, taking_turns), (True, {})):
        resources = WorkflowState(root, settings, on_cluster).resources(job)
        found = {key: value for key, value in resources.items() if key == "accelerator"}
        assert found == expected
