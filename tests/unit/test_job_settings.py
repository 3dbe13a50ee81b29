"""What a job may use, as config/config.yaml says it, is what it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gait.config.settings import check_settings
from gait.config.yaml import read_yaml
from gait.errors import ConfigError
from gait.workflow.state import WorkflowState

REPOSITORY = Path(__file__).parents[2]
SCHEMA = REPOSITORY / "workflow/schemas/config.schema.yaml"
JOBS = ("prepare", "train", "embed", "report")
COMPUTING = ("train", "embed")


def configured(job: str, **settings: Any) -> WorkflowState:
    """The workflow with other resources for a kind of job, checked as at its start."""
    stated = read_yaml(REPOSITORY / "config/config.yaml")[0]
    stated["resources"][job] |= settings
    check_settings(stated, SCHEMA)
    return WorkflowState(REPOSITORY, stated, on_cluster=True)


@pytest.mark.parametrize("job", JOBS)
def test_each_kind_of_job_asks_for_what_it_is_given(job: str) -> None:
    state = configured(job, threads=3, mem_mb=123, runtime_min=45, partition="fast", gpus=2)
    resources = state.resources(job)
    assert state.threads(job) == 3
    assert [resources["mem_mb"](None, attempt) for attempt in (1, 2)] == [123, 246]
    assert {**resources, "mem_mb": 0} == {
        "mem_mb": 0,
        "runtime": 45,
        "slurm_partition": "fast",
        "gpu": 2,
        "nodes": 1,
    }
    # And no other one does.
    for other in set(JOBS) - {job}:
        assert (state.threads(other), state.resources(other)["runtime"]) != (3, 45)
        assert "slurm_partition" not in state.resources(other)


@pytest.mark.parametrize("job", JOBS)
def test_jobs_that_compute_have_processes_and_others_are_told_so(job: str) -> None:
    settings = {"gpus": 0, "processes": 3, "loader_workers": 5}
    if job in COMPUTING:
        state = configured(job, **settings)
        assert (state.processes(job), state.loader_workers(job)) == (3, 5)
        # Where there are GPUs, there is a process for each.
        assert configured(job, **settings | {"gpus": 2}).processes(job) == 2
        text = (REPOSITORY / "workflow/rules").glob("*.smk")
        rules = "".join(each.read_text(encoding="utf-8") for each in text)
        assert f'state.processes("{job}")' in rules and f'state.loader_workers("{job}")' in rules
    else:
        for key in ("processes", "loader_workers"):
            with pytest.raises(ConfigError, match=rf"resources\.{job}\.{key}: unknown key"):
                configured(job, **{key: 2})
