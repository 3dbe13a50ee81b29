"""What the Snakemake rules ask, answered over a configuration in a temporary folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from gait.config.yaml import read_yaml
from gait.errors import ConfigError, DataError
from gait.formats.manifest import ManifestRow, manifest_text
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.shards import rearrange
from gait.seal import seal_zip
from gait.types import SequenceKey
from gait.workflow.messages import failures, left_out
from gait.workflow.slices import SLICES, setting_names
from gait.workflow.state import WorkflowState
from gait.workflow.targets import check_targets

REPOSITORY = Path(__file__).parents[2]

GAITSET = ("SynthGait", "GaitSet")
DEMO = ("SynthGait", "GaitSet", "demo")
STAGES = ("all", "training", "embedding", "scoring")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    for model in (tmp_path / "config/experiments/SynthGait").iterdir():
        if model.name not in ("GEI", "GaitBase", "GaitSet"):
            shutil.rmtree(model)
    return tmp_path


def flow(root: Path, **changes: Any) -> WorkflowState:
    """A new one, as each start of Snakemake makes it; answers are kept for its lifetime."""
    return WorkflowState(root, read_yaml(root / "config/config.yaml")[0] | changes)


def write(root: Path, path: str, data: Any) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def edit(root: Path, path: str, **changes: Any) -> None:
    write(root, path, read_yaml(root / path)[0] | changes)


def experiment(root: Path, name: str, **data: Any) -> None:
    write(root, f"config/experiments/{name}.yaml", data)


def sealed_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some", "thing")
    seal_zip(path)


def table(*key: str) -> str:
    return f"results/{'/'.join(key)}/report.csv"


# Names.


def test_patterns_match_the_known_names_and_nothing_else(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/x+y.1")
    known = flow(root)
    assert known.datasets == sorted(path.name for path in (root / "datasets").iterdir())
    assert ("SynthGait", "GaitSet", "x+y.1") in known.experiments
    assert re.fullmatch(known.pattern(), "CASIA-B")
    assert re.fullmatch(known.pattern(1), "GaitSet")
    assert re.fullmatch(known.pattern(2), "x+y.1")
    for position, other in ((None, "CASIA-B/x"), (1, "Gait"), (2, "xxy.1"), (2, "x+y-1")):
        assert not re.fullmatch(known.pattern(position), other)


def test_only_a_dataset_with_a_population_is_rendered(root: Path) -> None:
    assert flow(root).rendered == "SynthGait"


def test_without_names_a_pattern_matches_nothing(root: Path) -> None:
    shutil.rmtree(root / "config/experiments")
    shutil.rmtree(root / "datasets")
    empty = flow(root)
    for pattern in (empty.pattern(), empty.pattern(2), empty.rendered):
        assert not re.search(pattern, "anything") and not re.search(pattern, "")


def test_shards_are_named_from_one(root: Path) -> None:
    assert flow(root, shards=3).shards == ["1-of-3", "2-of-3", "3-of-3"]


def test_an_unusable_segmenter_is_refused_with_the_file_to_change(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"config/config\.yaml: segmenter.*'[Bb]ackground'"):
        flow(root, segmenter={"name": "backgroud"})
    with pytest.raises(ConfigError, match=r"config/config\.yaml: segmenter\.treshold"):
        flow(root, segmenter={"name": "background", "treshold": 3})


def test_questions_are_answered_without_torch(root: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from gait.config.yaml import read_yaml\n"
        "from gait.workflow.state import WorkflowState\n"
        "flow = WorkflowState(Path(), read_yaml(Path('config/config.yaml'))[0])\n"
        "flow.page_reports(), flow.slice('training', 'SynthGait', 'GaitSet', 'demo')\n"
        "flow.raw_states('SynthGait')\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "False"


# The slices of an experiment that jobs depend on.


@pytest.mark.parametrize("stage", STAGES)
def test_a_slice_is_given_setting_by_setting_each_of_them_short(root: Path, stage: str) -> None:
    resolved = flow(root).experiment(*DEMO)
    found = flow(root).slice(stage, *DEMO)
    assert sorted(found) == sorted(setting_names(stage))
    assert all(len(each) < 300 for each in found.values())
    whole = SLICES[stage](resolved)
    optimizer = whole.get("experiment", {}).get("optimizer")
    if optimizer:
        text = found["experiment_optimizer"]
        assert text.startswith("optimizer: ")
        assert json.loads(text.removeprefix("optimizer: ")) == optimizer


def test_a_long_setting_tells_its_change_by_a_digest(root: Path) -> None:
    def protocols() -> str:
        return flow(root).slice("scoring", *DEMO)["protocols"]

    before = protocols()
    changed = read_yaml(root / "datasets/SynthGait/dataset.yaml")[0]["protocols"]
    changed["single_view"]["unmatched"] = "skip"
    edit(root, "datasets/SynthGait/dataset.yaml", protocols=changed)
    after = protocols()
    assert before != after and before.split("... (sha256")[0] == after.split("... (sha256")[0]


@pytest.mark.parametrize("stage", STAGES)
def test_comments_and_order_change_no_slice(root: Path, stage: str) -> None:
    before = flow(root).slice(stage, *DEMO)

    def reordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reordered(value[key]) for key in reversed(value)}
        return value

    for path in ("config/defaults.yaml", "config/models/GaitSet.yaml"):
        write(root, path, reordered(read_yaml(root / path)[0]))
    write(
        root,
        "datasets/SynthGait/dataset.yaml",
        reordered(read_yaml(root / "datasets/SynthGait/dataset.yaml")[0]),
    )
    file = root / "config/experiments/SynthGait/GaitSet/demo.yaml"
    write(root, str(file.relative_to(root)), reordered(read_yaml(file)[0]))
    file.write_text("# Why so.\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert flow(root).slice(stage, *DEMO) == before


def changed_stages(root: Path, change: Callable[[], None]) -> set[str]:
    before = {stage: flow(root).slice(stage, *DEMO) for stage in STAGES}
    change()
    return {stage for stage in STAGES if flow(root).slice(stage, *DEMO) != before[stage]}


def test_a_change_reaches_the_stages_that_depend_on_it(root: Path) -> None:
    demo, dataset = "config/experiments/SynthGait/GaitSet/demo.yaml", "datasets/SynthGait"

    def partition(**sets: list[str]) -> None:
        edit(root, f"{dataset}/partition.yaml", **sets)

    def protocols(**changes: Any) -> None:
        known = read_yaml(root / f"{dataset}/dataset.yaml")[0]["protocols"]
        known["single_view"] |= changes
        edit(root, f"{dataset}/dataset.yaml", protocols=known)

    for change, expected in (
        (lambda: edit(root, demo, logging={"log_every": 3}), set()),
        (lambda: edit(root, demo, embedding={"frames_limit": 9}), {"embedding"}),
        (lambda: edit(root, demo, evaluation={"bootstrap": 9}), {"scoring"}),
        (lambda: edit(root, demo, precision="bf16"), {"training"}),
        (lambda: edit(root, demo, iterations=9), {"training"}),
        (lambda: edit(root, demo, seed=9), {"training", "scoring"}),
        (lambda: partition(train=["001-010"]), {"training"}),
        (lambda: partition(test=["021-030"]), {"embedding"}),
        (lambda: protocols(unmatched="skip"), {"scoring"}),
        (lambda: edit(root, f"{dataset}/dataset.yaml", obtain="ask"), set()),
    ):
        # The resolved experiment shows every value, so it is written again each time.
        assert changed_stages(root, change) == expected | {"all"}


def test_another_experiment_has_slices_of_its_own(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/other", iterations=3)
    assert changed_stages(root, lambda: experiment(root, "SynthGait/GaitSet/other")) == set()


# Experiments tested on another dataset.


def adopt(root: Path, dataset: str, *files: str) -> None:
    """A pkl tree of one sequence; what is in the files plays no part here."""
    leaf = root / "data" / dataset / "pkl/001/nm-01/090"
    leaf.mkdir(parents=True)
    for file in files:
        (leaf / file).touch()


def test_tested_elsewhere_what_counts_is_the_other_dataset(root: Path) -> None:
    adopt(root, "OUMVLP", "090.pkl")
    edit(root, "config/experiments/SynthGait/GaitSet/demo.yaml", evaluation={"bootstrap": 3})
    known = flow(root)
    on = (*DEMO, "/on-OUMVLP")
    assert known.test_index(*on) == "data/OUMVLP/packed/index.csv"
    assert known.test_index(*DEMO, "") == "data/SynthGait/packed/index.csv"
    own, other = known.slice("embedding", *DEMO), known.slice("embedding", *on)
    assert {name for name in own if own[name] != other[name]} == {"test"}
    tested = known.evaluated(*on)
    assert tested.embedding_slice()["test"] == known.dataset("OUMVLP").partition.test
    scoring = tested.scoring_slice()
    assert set(scoring["protocols"]) == set(known.dataset("OUMVLP").protocols)
    assert scoring["evaluation"]["bootstrap"] == 3
    assert (tested.dataset.name, tested.trained_on) == ("OUMVLP", "SynthGait")
    # What was published for it is of models trained on it.
    assert known.dataset("OUMVLP").published and tested.dataset.published == []


def test_a_change_of_either_dataset_stays_where_it_belongs(root: Path) -> None:
    adopt(root, "OUMVLP", "090.pkl")
    on = (*DEMO, "/on-OUMVLP")
    stages = [("training", DEMO)] + [
        (stage, key) for key in (DEMO, on) for stage in ("embedding", "scoring")
    ]

    def slices() -> list[dict[str, str]]:
        known = flow(root)
        return [known.slice(stage, *key) for stage, key in stages]

    def changed(path: str, **changes: Any) -> list[Any]:
        before = slices()
        edit(root, path, **changes)
        return [stage for stage, a, b in zip(stages, before, slices(), strict=True) if a != b]

    protocols = read_yaml(root / "datasets/OUMVLP/dataset.yaml")[0]["protocols"]
    next(iter(protocols.values()))["unmatched"] = "skip"
    assert changed("datasets/OUMVLP/dataset.yaml", protocols=protocols) == [("scoring", on)]
    assert changed("datasets/OUMVLP/partition.yaml", train=[]) == []
    own = ["single_view"]
    demo = "config/experiments/SynthGait/GaitSet/demo.yaml"
    # A choice among the protocols of its own dataset means nothing elsewhere.
    assert changed(demo, evaluation={"protocols": own}) == [("scoring", DEMO)]
    assert changed("datasets/SynthGait/partition.yaml", test=["031-032"]) == [("embedding", DEMO)]


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ("OUMVPL", "no dataset is named 'OUMVPL'.*did you mean 'OUMVLP'"),
        ("SynthGait", "is trained on SynthGait itself; ask for SynthGait/GaitSet/demo$"),
        ("GaitLU-1M", "GaitLU-1M has no protocol to be scored by; add 'protocols' to datasets/"),
    ],
)
def test_what_cannot_be_tested_on_is_refused(root: Path, on: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        flow(root).slice("embedding", *DEMO, f"/on-{on}")


def test_a_dataset_without_the_model_s_input_is_refused_where_that_can_be_told(
    root: Path,
) -> None:
    experiment(root, "SynthGait/GaitSet/joined", inputs=["skeleton_maps+silhouettes"])
    on = (*GAITSET, "joined", "/on-CASIA-B")
    film(root, "CASIA-B")
    with pytest.raises(ConfigError, match="reads skeleton_maps, which data/CASIA-B/raw does not"):
        flow(root).test_index(*on)
    shutil.rmtree(root / "data")
    adopt(root, "CASIA-B", "090.pkl", "090-skeleton_maps.pkl")
    assert flow(root).modalities("CASIA-B") == {"silhouettes", "skeleton_maps"}
    assert flow(root).test_index(*on) == "data/CASIA-B/packed/index.csv"
    shutil.rmtree(root / "data")
    # The contents of such a file decide, which are not read here.
    adopt(root, "CASIA-B", "090-pose.pkl", "other.pkl")
    assert flow(root).modalities("CASIA-B") is None
    assert flow(root).test_index(*on)
    # Nothing is known of what has not been rendered yet.
    assert flow(root).modalities("SynthGait") is None


def test_settings_of_preparation_that_are_not_set_change_no_command(root: Path) -> None:
    options = flow(root).pretreatment("OUMVLP-Pose")
    # As before there were others: a new option would prepare every dataset anew.
    usual = ["--kind=normalise", "--size-px=64", "--min-frames=1", "--frame-order=lexical"]
    assert options == usual
    assert flow(root).pretreatment("OUMVLP-Pose17") == [*usual, "--joints=coco"]


# Tables, and experiments that cannot run.


def test_a_pair_s_tables_are_its_experiments_and_the_baselines(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/another")
    known = flow(root)
    baseline = table("SynthGait", "GEI", "baseline")
    assert known.reports(*GAITSET) == [
        table(*GAITSET, "another"),
        table(*DEMO),
        baseline,
    ]
    assert known.reports("SynthGait", "GEI") == [baseline]
    assert known.models("SynthGait") == ["GEI", "GaitBase", "GaitSet"]


def test_weights_that_are_not_there_are_a_note_above(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": "weights/published.pt"})
    known = flow(root)
    assert known.missing(*DEMO) is None
    assert "weights/published.pt" in (known.missing(*GAITSET, "tuned") or "")
    assert table(*GAITSET, "tuned") not in known.reports(*GAITSET)
    [note] = known.notes(*GAITSET)
    assert note.startswith("SynthGait/GaitSet/tuned: ") and "weights/published.pt" in note
    with pytest.raises(ConfigError, match=r"tuned\.yaml.*change init\.weights"):
        known.initial_weights(*GAITSET, "tuned")
    assert known.initial_weights(*DEMO) == []

    (root / "weights").mkdir()
    sealed_archive(root / "weights/published.pt")
    there = flow(root)
    assert there.notes(*GAITSET) == []
    assert table(*GAITSET, "tuned") in there.reports(*GAITSET)
    assert there.initial_weights(*GAITSET, "tuned") == ["weights/published.pt"]


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("weights", {"weights": "weights/60000.pt"}),
        ("init.weights", {"init": {"weights": "weights/60000.pt"}}),
    ],
)
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 as torch writes it", b"\x80\x02}q\x00."])
def test_weights_of_another_program_are_told_of_before_anything_runs(
    root: Path, key: str, given: dict[str, Any], content: bytes
) -> None:
    experiment(root, "SynthGait/GaitSet/published", **given)
    file = root / "weights/60000.pt"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(
        ConfigError,
        match=r"published\.yaml: weights/60000\.pt was not written by this software, or is cut "
        rf"short; turn .* with `gait import-checkpoint` and name that file in {key}$",
    ):
        flow(root).initial_weights(*GAITSET, "published")
    sealed_archive(file)
    assert flow(root).initial_weights(*GAITSET, "published") == ["weights/60000.pt"]


def test_weights_that_the_workflow_makes_are_not_missing(root: Path) -> None:
    made = f"results/{'/'.join(DEMO)}/model.pt"
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": made})
    experiment(root, "SynthGait/GaitSet/lost", init={"weights": made.replace("demo", "dmo")})
    for name, source in (("after", "lost"), ("itself", "itself")):
        weights = made.replace("demo", source)
        experiment(root, f"SynthGait/GaitSet/{name}", init={"weights": weights})
    known = flow(root)
    assert known.missing(*GAITSET, "tuned") is None
    for name in ("lost", "after", "itself"):
        assert known.missing(*GAITSET, name) is not None


LIDAR = ("SUSTech1K", "LidarGait", "paper")
CAMERA = ("06-090-Camera-Sils_aligned.pkl", "03-090-Camera-Pose.pkl")


def refused(root: Path, *key: str) -> str:
    """The sentence for who asks for an experiment by itself."""
    with pytest.raises(ConfigError) as raised:
        flow(root).initial_weights(*key)
    [problem] = raised.value.problems
    return problem


def test_a_modality_that_the_dataset_lacks_is_a_note_above(root: Path) -> None:
    experiment(root, "SUSTech1K/LidarGait/outlines", inputs=["silhouettes"])
    adopt(root, "SUSTech1K", *CAMERA)
    known = flow(root)
    why = "reads depth, which data/SUSTech1K/pkl does not have, only pose, silhouettes"
    assert known.notes(*LIDAR[:2]) == [f"{'/'.join(LIDAR)}: {why}"]
    assert known.reports(*LIDAR[:2]) == [table(*LIDAR[:2], "outlines")]
    assert refused(root, *LIDAR) == (
        f"config/experiments/{'/'.join(LIDAR)}.yaml: {why}; add <view>-depth.pkl to each "
        "sequence there, or name files of other names under 'pkl' in "
        "datasets/SUSTech1K/dataset.yaml"
    )
    (root / "data/SUSTech1K/pkl/001/nm-01/090/090-depth.pkl").touch()
    assert flow(root).notes(*LIDAR[:2]) == []
    assert flow(root).initial_weights(*LIDAR) == []


def test_a_modality_that_raw_material_does_not_give(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/joined", inputs=["silhouettes+parsing", "smpl"])
    film(root, "CASIA-B")
    assert refused(root, "CASIA-B", "GaitSet", "joined").endswith(
        "joined.yaml: reads parsing and smpl, which data/CASIA-B/raw does not have, only "
        "silhouettes; add files that give them, and say where they lie under 'files', or 'pkl' "
        "for arrays, in datasets/CASIA-B/dataset.yaml"
    )


def test_every_dataset_that_is_trained_on_has_to_have_what_is_read(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/both", inputs=["pose"], train_on=["OUMVLP"])
    adopt(root, "CASIA-B", "090-pose.pkl")
    adopt(root, "OUMVLP", "090.pkl")
    assert "reads pose, which data/OUMVLP/pkl" in refused(root, "CASIA-B", "GaitSet", "both")
    # What starts from its weights cannot run either.
    weights = "results/CASIA-B/GaitSet/both/model.pt"
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": weights})
    assert flow(root).missing(*GAITSET, "tuned") == (
        "starts from CASIA-B/GaitSet/both, which reads pose, which data/OUMVLP/pkl does not "
        "have, only silhouettes"
    )
    (root / weights).parent.mkdir(parents=True)
    (root / weights).touch()
    assert flow(root).missing(*GAITSET, "tuned") is None


@pytest.mark.parametrize(
    ("lacking", "files", "hint"),
    [
        ("skeleton_maps", ["090-pose.pkl"], "; or move the tree to data/CASIA-B/raw, where skel"),
        ("skeleton_maps", ["090.pkl"], ""),
        ("latent", ["090-rgb.pkl"], "; or let gait latents make them of rgb"),
        ("latent", ["090.pkl"], ""),
    ],
)
def test_what_can_be_made_of_an_adopted_tree_is_told(
    root: Path, lacking: str, files: list[str], hint: str
) -> None:
    experiment(root, "CASIA-B/GaitSet/other", inputs=[lacking])
    adopt(root, "CASIA-B", *files)
    _, before, after = refused(root, "CASIA-B", "GaitSet", "other").partition("dataset.yaml")
    assert before and after[: len(hint)] == hint and bool(after) == bool(hint)


@pytest.mark.parametrize("files", [(), ("090-pose.pkl", "other.pkl"), ("a.pkl",)])
def test_of_what_cannot_be_told_yet_nothing_is_said(root: Path, files: tuple[str, ...]) -> None:
    experiment(root, "CASIA-B/GaitSet/deep", inputs=["depth"])
    if files:
        adopt(root, "CASIA-B", *files)
    assert flow(root).missing("CASIA-B", "GaitSet", "deep") is None


def test_what_is_wrong_with_the_data_is_told_by_who_prepares_them(root: Path) -> None:
    edit(root, "datasets/CASIA-B/dataset.yaml", pkl={"silhouettes": "*.pkl"})
    adopt(root, "CASIA-B", "a.pkl", "b.pkl")
    assert flow(root).modalities("CASIA-B") is None
    shutil.rmtree(root / "data")
    (root / "data/CASIA-B/raw").mkdir(parents=True)
    assert flow(root).modalities("CASIA-B") is None


def test_every_problem_of_every_experiment_of_a_pair_is_reported_at_once(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/one", iteration=3)
    experiment(root, "SynthGait/GaitSet/two", optimiser={"name": "SGD"})
    with pytest.raises(ConfigError) as raised:
        flow(root).reports(*GAITSET)
    text = str(raised.value)
    assert "one.yaml" in text and "'iterations'" in text
    assert "two.yaml" in text and "'optimizer'" in text


def test_an_unknown_experiment_names_the_nearest(root: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'SynthGait/GaitSet/demo'"):
        flow(root).slice("training", *GAITSET, "dem")


def test_the_page_holds_what_is_behind_the_targets_each_once(root: Path) -> None:
    targets = [table("SynthGait"), table(*GAITSET), "results/report.html"]
    pages = flow(root, targets=targets).page_reports()
    assert sorted(pages) == sorted(
        {
            table(*DEMO),
            table("SynthGait", "GaitBase", "demo"),
            table("SynthGait", "GEI", "baseline"),
        }
    )
    assert len(pages) == len(set(pages))
    for own in (table(*DEMO), table(*DEMO, "on-OUMVLP")):
        assert flow(root, targets=[own]).page_reports() == [own]
    with pytest.raises(ConfigError, match=r"config\.yaml: .*'targets'"):
        flow(root, targets=["results/report.html", ""]).page_reports()


# Resources.


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


# The raw material.

SUBJECTS = [f"{number:03d}" for number in range(1, 13)]


def film(root: Path, dataset: str) -> Path:
    """A raw tree of videos; what is in them plays no part here."""
    raw = root / "data" / dataset / "raw"
    raw.mkdir(parents=True)
    for subject in SUBJECTS:
        for name in (f"{subject}-bkgrd-090.avi", f"{subject}-nm-01-090.avi"):
            (raw / name).write_bytes(b"video")
            os.utime(raw / name, (1_000_000_000, 1_000_000_000))
    return raw


def list_rendered(raw: Path) -> None:
    """What the renderer writes last."""
    videos = sorted(raw.glob("*.avi"))
    lines = [f"{video.name},{video.stat().st_size}\n" for video in videos]
    (raw / "population.csv").write_text("file,size_bytes\n" + "".join(lines), encoding="utf-8")
    os.utime(raw / "population.csv", (1_000_000_001, 1_000_000_001))


def differing(before: list[str], after: list[str]) -> list[int]:
    return [
        index for index, pair in enumerate(zip(before, after, strict=True)) if len(set(pair)) > 1
    ]


def test_a_further_dataset_that_is_not_there_is_a_note_above(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/both", train_on=["OUMVLP", "SynthGait"])
    film(root, "CASIA-B")
    known = flow(root)
    why = "is trained on OUMVLP as well, which is not in data/OUMVLP"
    assert f"CASIA-B/GaitSet/both: {why}" in known.notes("CASIA-B", "GaitSet")
    assert table("CASIA-B", "GaitSet", "both") not in known.reports("CASIA-B", "GaitSet")
    assert table("CASIA-B", "GaitSet", "paper") in known.reports("CASIA-B", "GaitSet")
    sentence = refused(root, "CASIA-B", "GaitSet", "both")
    assert sentence.startswith(f"config/experiments/CASIA-B/GaitSet/both.yaml: {why}; ask for")
    assert sentence.endswith("or take it from 'train_on'")
    adopt(root, "OUMVLP", "090.pkl")
    assert flow(root).notes("CASIA-B", "GaitSet") == []


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "SynthGit/GaitSet/report.csv",
            "no dataset is named 'SynthGit'; did you mean 'SynthGait'",
        ),
        ("SynthGit/quality.html", "no dataset is named 'SynthGit'; did you mean 'SynthGait'"),
        (
            "SynthGait/GaitSett/report.csv",
            "SynthGait has no experiment of a model 'GaitSett'; did you mean 'GaitSet'",
        ),
        (
            "SynthGait/GaitSet/dmo/model.pt",
            "config/experiments/SynthGait/GaitSet has no experiment 'dmo'; did you mean 'demo'",
        ),
    ],
)
def test_a_name_in_a_target_that_nobody_knows(root: Path, target: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_targets(["--cores", "2", f"results/{target}"], flow(root))
    assert str(raised.value).startswith(f"results/{target}: {sentence}")


def test_targets_that_are_known_and_arguments_that_are_none(root: Path) -> None:
    known = [
        "--report",
        "results/elsewhere/page.html",
        "results/report.html",
        "results/matrix.csv",
        "results/SynthGait/report.csv",
        "results/SynthGait/GaitSet/demo@3/on-CASIA-B/report.csv",
        "data/SynthGit/manifest.csv",
        "./results/SynthGit/report.csv/more",
        "",
    ]
    check_targets(known, flow(root))


def test_a_missing_raw_folder_says_what_to_do(root: Path) -> None:
    with pytest.raises(DataError) as raised:
        flow(root).raw_input("CASIA-B")
    sentence = str(raised.value)
    for part in ("data/CASIA-B/raw", "CASIA Gait Database", table(*GAITSET)):
        assert part in sentence
    assert "\n" not in sentence


def test_a_rendered_tree_waits_for_what_is_written_last(root: Path) -> None:
    assert flow(root).raw_input("SynthGait") == ["data/SynthGait/raw/population.csv"]
    film(root, "CASIA-B")
    assert flow(root).raw_input("CASIA-B") == []


def test_data_may_lie_anywhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    raw = film(root, "CASIA-B")
    raw.parent.rename(elsewhere / "CASIA-B")
    known = flow(root, data_root=str(elsewhere))
    assert known.raw_input("CASIA-B") == []
    assert known.is_video("CASIA-B")
    assert known.folder("CASIA-B") == elsewhere / "CASIA-B"


def test_videos_are_told_from_silhouettes(root: Path) -> None:
    # Not rendered yet, and known to become videos.
    assert flow(root).is_video("SynthGait")
    raw = film(root, "CASIA-B")
    assert flow(root).is_video("CASIA-B")
    shutil.rmtree(raw)
    (raw / "001/nm-01/090").mkdir(parents=True)
    (raw / "001/nm-01/090/001-nm-01-090-001.png").write_bytes(b"image")
    assert not flow(root).is_video("CASIA-B")


def test_a_replaced_video_changes_the_state_of_its_shard_only(root: Path) -> None:
    raw = film(root, "CASIA-B")
    before = flow(root).raw_states("CASIA-B")
    assert len(before) == len(flow(root).shards)
    assert flow(root).raw_states("CASIA-B") == before
    touched = set()
    for subject in SUBJECTS:
        (raw / f"{subject}-nm-01-090.avi").write_bytes(b"another video")
        after = flow(root).raw_states("CASIA-B")
        [shard] = differing(before, after)
        assert flow(root).shard_state("CASIA-B", f"{shard + 1}-of-{len(before)}") == after[shard]
        touched.add(shard)
        before = after
    # Twelve subjects fill four shards.
    assert touched == set(range(len(before)))


def test_a_touched_video_counts_as_replaced_and_a_stray_file_does_not(root: Path) -> None:
    raw = film(root, "CASIA-B")
    before = flow(root).raw_states("CASIA-B")
    (raw / "notes.txt").touch()
    assert flow(root).raw_states("CASIA-B") == before
    os.utime(raw / "003-nm-01-090.avi")
    assert len(differing(before, flow(root).raw_states("CASIA-B"))) == 1


def test_an_absent_rendered_tree_is_as_an_untouched_one(root: Path) -> None:
    absent = flow(root).raw_states("SynthGait")
    raw = film(root, "SynthGait")
    # Half-rendered, which is as absent.
    assert flow(root).raw_states("SynthGait") == absent
    list_rendered(raw)
    assert flow(root).raw_states("SynthGait") == absent


def test_a_replaced_rendered_video_changes_its_shard(root: Path) -> None:
    list_rendered(raw := film(root, "SynthGait"))
    before = flow(root).raw_states("SynthGait")
    (raw / "003-nm-01-090.avi").write_bytes(b"another")
    [video] = differing(before, once := flow(root).raw_states("SynthGait"))
    # Replaced once more: not merely 'altered'.
    (raw / "003-nm-01-090.avi").write_bytes(b"yet another")
    assert differing(once, flow(root).raw_states("SynthGait")) == [video]
    (raw / "003-bkgrd-090.avi").write_bytes(b"another")
    [background] = differing(once, flow(root).raw_states("SynthGait"))
    assert background == video


def test_another_population_changes_every_shard(root: Path) -> None:
    before = flow(root).raw_states("SynthGait")
    population = read_yaml(root / "datasets/SynthGait/dataset.yaml")[0]["population"]
    edit(root, "datasets/SynthGait/dataset.yaml", population=population | {"seed": 9})
    assert len(differing(before, flow(root).raw_states("SynthGait"))) == len(before)


def test_a_deleted_rendered_video_is_noticed(root: Path) -> None:
    list_rendered(raw := film(root, "SynthGait"))
    before = flow(root).raw_states("SynthGait")
    (raw / "003-nm-01-090.avi").unlink()
    assert flow(root).raw_states("SynthGait") != before


# The check that comes first.


def test_only_a_shard_whose_table_is_not_as_the_raw_files_waits_for_the_check(root: Path) -> None:
    film(root, "CASIA-B")
    folder = root / "data/CASIA-B"
    shards = flow(root).shards

    def waiting() -> list[str]:
        return [each for each in shards if flow(root).awaits_check("CASIA-B", each)]

    assert waiting() == shards
    for number, shard in enumerate(shards, 1):
        rearrange(
            folder / "raw", RawForm(["casia_b_videos"]), folder / f"shards/{shard}.csv", number, 4
        )
    assert waiting() == shards
    (folder / "check.csv").write_text("severity\n", encoding="utf-8")
    assert waiting() == []
    state = flow(root).checked_state("CASIA-B")
    (folder / "raw/003-nm-01-090.avi").write_bytes(b"another film")
    [changed] = waiting()
    assert "003," in (folder / f"shards/{changed}.csv").read_text(encoding="utf-8")
    assert flow(root).checked_state("CASIA-B") != state


def test_what_is_checked_of_an_adopted_tree(root: Path) -> None:
    tree = pkl_tree(root, "CASIA-B")
    assert flow(root).checked_input("CASIA-B") == []
    before = flow(root).checked_state("CASIA-B")
    # Which is taken over again whenever it is checked.
    edit(root, "datasets/CASIA-B/dataset.yaml", protocols={}, published=[])
    assert flow(root).checked_state("CASIA-B") == before
    (tree / "002/nm-01/090/090.pkl").write_bytes(b"other frames")
    assert flow(root).checked_state("CASIA-B") != before


# A pkl tree that was there before.


def pkl_tree(root: Path, dataset: str) -> Path:
    tree = root / "data" / dataset / "pkl"
    for subject in ("001", "002"):
        (tree / subject / "nm-01/090").mkdir(parents=True)
        (tree / subject / "nm-01/090/090.pkl").write_bytes(b"frames")
    return tree


def test_a_pkl_tree_without_raw_material_is_taken_as_it_is(root: Path) -> None:
    assert not flow(root).is_imported("CASIA-B")
    pkl_tree(root, "CASIA-B")
    assert flow(root).is_imported("CASIA-B")
    assert flow(root).pkl_tables("CASIA-B") == ["data/CASIA-B/shards/imported.pkl.csv"]
    (root / "data/CASIA-B/raw").mkdir()
    assert not flow(root).is_imported("CASIA-B")
    shards = [f"data/CASIA-B/shards/{index}-of-4.pkl.csv" for index in range(1, 5)]
    assert flow(root, shards=4).pkl_tables("CASIA-B") == shards


def test_what_the_workflow_renders_is_never_adopted(root: Path) -> None:
    pkl_tree(root, "SynthGait")
    assert not flow(root).is_imported("SynthGait")


def test_an_adopted_tree_s_state_changes_with_its_files(root: Path) -> None:
    tree = pkl_tree(root, "CASIA-B")
    before = flow(root).pkl_state("CASIA-B")
    assert flow(root).pkl_state("CASIA-B") == before
    (tree / "002/nm-01/090/090.pkl").write_bytes(b"other frames")
    replaced = flow(root).pkl_state("CASIA-B")
    assert replaced != before
    (tree / "002").rename(tree / "003")
    assert flow(root).pkl_state("CASIA-B") not in (before, replaced)


# What is told at the end.


def test_sentences_come_from_the_logs_of_this_run_each_once(root: Path) -> None:
    logs = root / "logs/train/SynthGait"
    logs.mkdir(parents=True)
    (logs / "old.log").write_text("gait: error: of yesterday\n", encoding="utf-8")
    os.utime(logs / "old.log", (1_000_000_000, 1_000_000_000))
    known = flow(root)
    assert "of yesterday" not in failures(known)
    said = "Traceback\ngait: error: the disk is full\nmore\ngait: error: the disk is full\n"
    (logs / "one.log").write_text(said, encoding="utf-8")
    (logs / "two.log").write_bytes(b"\xff\xfe\ngait: error: no such file\n")
    assert failures(known).splitlines() == [
        "gait: error: the disk is full",
        "gait: error: no such file",
    ]
    (logs / "three.log").write_text("told to stop: saved after iteration 3; go on\n")
    assert failures(known).splitlines()[1] == "told to stop: saved after iteration 3; go on"


def test_what_was_left_out_is_told_at_the_end_of_the_run_that_did_so(root: Path) -> None:
    known = flow(root)
    tables = [root / each for each in known.pkl_tables("SynthGait")]
    tables[0].parent.mkdir(parents=True)
    rows = [
        ManifestRow(SequenceKey("001", "nm-01", "090"), "a.pkl", 10, 8, {"no walker": 2}),
        ManifestRow(SequenceKey("001", "nm-02", "090"), "", 7, 0, {"truncated video": 7}),
        ManifestRow(SequenceKey("001", "nm-03", "090"), "", 9, 0, {"a": 1, "camera moves": 8}),
        ManifestRow(SequenceKey("001", "nm-04", "090"), "b.pkl", 1000, 1000),
    ]
    tables[0].write_text(manifest_text(rows))
    tables[1].write_text("damaged")
    assert left_out(known) == ""
    log = root / "logs/segment/SynthGait/1-of-2.log"
    log.parent.mkdir(parents=True)
    log.touch()
    assert left_out(known) == (
        "gait: SynthGait: 1,008 of 1,026 frames kept; "
        "dropped: 8 camera moves, 7 truncated video, 2 no walker, 1 a; "
        "2 of 4 sequences dropped as a whole: 1 camera moves, 1 truncated video; "
        "see data/SynthGait/manifest.csv\n"
    )
    tables[0].write_text(manifest_text(rows[3:]))
    assert left_out(known) == ""


def test_a_job_that_died_without_a_word_is_told_as_such(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = flow(root)
    assert "without a word: interrupted, or killed" in failures(known)
    monkeypatch.setattr("gait.workflow.messages._FULL_BYTES", 2**60)
    assert re.search(r"without a word, as the disk of .* is full \([\d,]+ bytes", failures(known))


def test_a_check_is_of_the_files_and_of_what_they_are_compared_with(root: Path) -> None:
    film(root, "CASIA-B")
    path = "datasets/CASIA-B/dataset.yaml"

    def changes_it(**changes: Any) -> bool:
        before = flow(root).checked_state("CASIA-B")
        shards = flow(root).raw_states("CASIA-B")
        edit(root, path, **changes)
        assert flow(root).raw_states("CASIA-B") == shards, "nothing is prepared again"
        return flow(root).checked_state("CASIA-B") != before

    assert not changes_it(title="another", published=[], obtain="ask")
    assert changes_it(protocols={})
    assert changes_it(pretreat={"frame_order": "natural"})
    assert changes_it(expected={"subjects": 7})
    assert changes_it(layouts=["casia_b_videos"])
    assert changes_it(pkl="pose")
    before = flow(root).checked_state("CASIA-B")
    edit(root, "datasets/CASIA-B/partition.yaml", test=["075-123"])
    assert flow(root).checked_state("CASIA-B") != before


# Submissions.


def test_files_for_challenges_are_those_of_experiments_that_can_run(root: Path) -> None:
    experiment(root, "HID2022/GaitBase/weights", weights="absent.pt")
    experiment(root, "HID2022/GaitBase/plain", evaluation={"protocols": ["submission"]})
    assert flow(root).submissions("HID2022", "GaitBase") == [
        "results/HID2022/GaitBase/paper/submission.csv",
        "results/HID2022/GaitBase/paper/submission-reranked.csv",
        "results/HID2022/GaitBase/plain/submission.csv",
    ]
    assert flow(root).submissions(*GAITSET) == []


def test_a_file_for_a_challenge_comes_from_the_metrics_of_where_it_is_tested(root: Path) -> None:
    adopt(root, "HID2022", "090.pkl")
    known = flow(root)
    own = ("HID2022", "GaitBase", "paper", "")
    assert known.submitted(*own, "submission") == "results/HID2022/GaitBase/paper/metrics.json"
    assert known.submitted(*DEMO, "/on-HID2022", "submission-reranked") == (
        f"results/{'/'.join(DEMO)}/on-HID2022/metrics.json"
    )
    with pytest.raises(ConfigError, match=r"on-HID2022: .* 'submission-x'.*'submission'"):
        known.submitted(*DEMO, "/on-HID2022", "submission-x")
    with pytest.raises(ConfigError, match=r"no submission 'submission'.*SynthGait.*none is known"):
        known.submitted(*DEMO, "", "submission")


# What cannot be scored.


WALKS = ("nm-01", "nm-02", "nm-05", "bg-01", "bg-02", "cl-01", "cl-02")


def lay_tree(root: Path, dataset: str, *keys: str) -> None:
    """A pkl tree of these sequences; what is in the files plays no part here."""
    for key in keys:
        leaf = root / "data" / dataset / "pkl" / key
        leaf.mkdir(parents=True)
        (leaf / f"{leaf.name}.pkl").touch()


def test_what_cannot_be_scored_is_refused_before_anything_runs(root: Path) -> None:
    experiment(root, "CASIA-B/GaitSet/mine", iterations=1)
    paper = ("CASIA-B", "GaitSet", "mine")
    # Nothing is known yet.
    flow(root).check_scorable(*paper)
    views = ("000", "090")
    whole = [f"{who}/{walk}/{view}" for who in ("075", "076") for walk in WALKS for view in views]
    lay_tree(root, "CASIA-B", *[each for each in whole if each.endswith("000")])
    with pytest.raises(
        ConfigError, match=r"^CASIA-B/GaitSet/mine: protocol .*: exclude: "
    ) as told:
        flow(root).check_scorable(*paper)
    assert "in dataset.yaml; or do without scores" in str(told.value)
    lay_tree(root, "CASIA-B", *[each for each in whole if each.endswith("090")])
    flow(root).check_scorable(*paper)
    with pytest.raises(ConfigError, match=r"on-CASIA-B: protocol .*: none of the test subjects"):
        edit(root, "datasets/CASIA-B/partition.yaml", test=["900-901"])
        flow(root).check_scorable(*DEMO, "/on-CASIA-B")
    edit(root, "config/experiments/CASIA-B/GaitSet/mine.yaml", evaluation={"protocols": []})
    flow(root).check_scorable(*paper)


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
