"""Submissions have the columns that are wanted, a line a probe, and say what they lack."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Submission
from gait.errors import DataError
from gait.evaluation import score, score_embeddings
from gait.evaluation.distance import part_distance
from gait.evaluation.rerank import rerank
from gait.evaluation.submission import SubmissionScore, nearest_of_gallery
from gait.report.metrics import read_metrics
from gait.report.submission import write_submission
from gait.report.tables import report_rows
from tests.unit.scores import an_experiment, arrays, sealed_npz


def protocol(**changes: Any) -> Submission:
    return Submission(
        **{
            "kind": "submission",
            "title": "for others to score",
            "gallery": {"subject": ["!probe"]},
            "probes": {"subject": ["probe"]},
            "columns": "video first second third",
        }
        | changes
    )


def records(probes: int = 5, gallery: int = 8) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(2)
    total = probes + gallery
    return {
        "embeddings": generator.standard_normal((total, 4, 2)).astype(np.float32),
        "subject": np.array(["probe"] * probes + [f"{i // 2:03d}" for i in range(gallery)]),
        "condition": np.array([f"c{i}" for i in range(total)]),
        "view": np.array([f"v{i}" for i in range(probes)] + ["default"] * gallery),
    }


def scored(given: dict[str, np.ndarray], **changes: Any) -> SubmissionScore:
    result = score_embeddings(*given.values(), {"submission": protocol(**changes)})["submission"]
    assert isinstance(result, SubmissionScore)
    return result


def test_lines_equal_a_slow_ranking() -> None:
    given = records(40, 60)
    distance = part_distance(given["embeddings"][:40], given["embeddings"][40:])
    lines = scored(given).lines
    assert lines[0] == "video,first,second,third"
    for number, line in enumerate(lines[1:]):
        order = sorted(range(60), key=lambda column: (distance[number, column], column))
        wanted = [f"v{number}", *(given["subject"][40 + column] for column in order[:3])]
        assert line.split(",") == wanted


def test_lines_of_a_re_ranked_gallery_are_in_its_order() -> None:
    given = records(6, 9)
    distance = part_distance(given["embeddings"], given["embeddings"])
    order = np.argsort(rerank(distance, 6), axis=1, kind="stable")
    lines = scored(given, rerank=True).lines
    assert [line.split(",")[1:] for line in lines[1:]] == given["subject"][6:][
        order[:, :3]
    ].tolist()
    assert scored(records(2, 2), rerank=True).lines[1].endswith(",")


def test_equal_distances_rank_in_gallery_order() -> None:
    distance = np.array([[2, 1, 2, 1, -0.0, 0.0, 2]], np.float32)
    assert nearest_of_gallery(distance, 5).tolist() == [[4, 5, 1, 3, 0]]
    assert nearest_of_gallery(np.zeros((3, 9), np.float32), 9).tolist() == [list(range(9))] * 3


def test_many_rows_at_a_time_are_ranked_alike() -> None:
    distance = np.random.default_rng(0).random((300, 5000)).astype(np.float32)
    order = np.argsort(distance, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(nearest_of_gallery(distance, 20), order)


def test_a_small_gallery_leaves_cells_empty_and_says_so() -> None:
    result = scored(records(2, 2))
    assert [line.count(",") for line in result.lines] == [3, 3, 3]
    assert [line.split(",")[3] for line in result.lines[1:]] == ["", ""]
    assert result.note == "the gallery holds 2 sequences, fewer than the 3 ranks of a line"


def test_probes_are_called_by_their_condition_where_views_tell_nothing() -> None:
    given = records()
    given["view"][:3] = "default"
    names = [line.split(",")[0] for line in scored(given).lines[1:]]
    assert names == ["c0", "c1", "c2", "v3", "v4"]
    given["condition"][:2] = "c9"
    with pytest.raises(DataError, match="several probes are called c9; expected"):
        scored(given)


def test_subjects_as_numbers() -> None:
    given = records()
    rows = [line.split(",") for line in scored(given, labels="number").lines[1:]]
    assert {cell for row in rows for cell in row[1:]} <= {"0", "1", "2", "3"}
    given["subject"][-1] = "12a"
    with pytest.raises(DataError, match=r"subjects of the gallery that are numbers, got '12a'"):
        scored(given, labels="number")


def test_a_phase_whose_probes_are_not_there_is_empty_and_never_a_file(tmp_path: Path) -> None:
    resolved = an_experiment()
    gallery = {"condition": ["nm-01"]}
    there, absent = {"condition": ["nm-02"], "subject": ["000"]}, {"subject": ["probe_phase2"]}
    protocols = {
        "submission-phase1": protocol(gallery=gallery, probes=there),
        "submission-phase2": protocol(gallery=gallery, probes=absent),
    }
    dataset = resolved.dataset.model_copy(update={"protocols": protocols})
    sealed_npz(tmp_path / "embeddings.npz", **arrays())
    metrics = tmp_path / "metrics.json"
    score(resolved.model_copy(update={"dataset": dataset}), tmp_path / "embeddings.npz", metrics)
    assert write_submission(metrics, "submission-phase1", tmp_path / "first.csv") == 3
    output = tmp_path / "second.csv"
    with pytest.raises(DataError, match=r"submission-phase2 is empty, no sequence .*probe_phase2"):
        write_submission(metrics, "submission-phase2", output)
    assert not output.exists()
    rows = report_rows(read_metrics(metrics), [])
    assert [(row.protocol, row.n_probe) for row in rows] == [
        ("submission-phase1", "3"), ("submission-phase2", "0"),
    ]  # fmt: skip
    assert "no sequence with subject probe_phase2" in rows[1].note


def test_a_missing_gallery_is_told() -> None:
    with pytest.raises(DataError, match=r"protocol submission: none of the 13 .* gallery"):
        scored(records(), gallery={"subject": ["x*"]})


@pytest.mark.parametrize("rerank", [False, True])
def test_the_file_is_written_and_the_same_again(tmp_path: Path, rerank: bool) -> None:
    resolved = an_experiment()
    changed = protocol(
        gallery={"condition": ["nm-01"], "view": ["090"]},
        probes={"condition": ["nm-02"], "subject": ["000"]},
        rerank=rerank,
    )
    dataset = resolved.dataset.model_copy(update={"protocols": {"submission": changed}})
    resolved = resolved.model_copy(update={"dataset": dataset})
    sealed_npz(tmp_path / "embeddings.npz", **arrays())
    written = []
    for name in ("a", "b"):
        score(resolved, tmp_path / "embeddings.npz", tmp_path / f"{name}.json")
        output = tmp_path / name / "submission.csv"
        assert write_submission(tmp_path / f"{name}.json", "submission", output) == 3
        written.append(output.read_bytes())
    assert written[0] == written[1]
    rows = list(csv.DictReader(written[0].decode().splitlines()))
    assert [row["video"] for row in rows] == ["000", "054", "090"]
    assert all(list(row) == ["video", "first", "second", "third"] for row in rows)
    with pytest.raises(DataError, match="holds no submission 'submision'; did you mean"):
        write_submission(tmp_path / "a.json", "submision", tmp_path / "c.csv")
