"""What is found of the walker is averaged over frames, however long the sequences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gait.config.protocol import Segmentation
from gait.errors import DataError
from gait.evaluation import score, score_embeddings
from gait.layers.overlap import intersection_over_union
from tests.unit.scores import an_experiment, sealed_npz

PROTOCOL = Segmentation(kind="segmentation", title="overlap")


def scored(overlaps: np.ndarray, frames: np.ndarray | None) -> object:
    count = len(overlaps)
    names = np.array([f"{number:03d}" for number in range(count)])
    given = (overlaps.astype(np.float32), names, names, names)
    return score_embeddings(*given, {"it": PROTOCOL}, frames=frames)["it"]


def test_it_is_the_mean_over_frames_not_over_sequences() -> None:
    generator = np.random.default_rng(0)
    masks = generator.random((2, 9, 6, 5)) > 0.5
    masks[:, 4] = False
    shares = intersection_over_union(*torch.from_numpy(masks).float()).numpy()
    slow = []
    for found, truth in zip(*masks, strict=True):
        union = np.sum(found | truth)
        slow.append(np.sum(found & truth) / union if union else 1)
    np.testing.assert_allclose(shares, slow, rtol=1e-6)
    frames = np.array([2, 6, 1])
    overlaps = np.array([part.mean() for part in np.split(shares, [2, 8])])
    got = scored(overlaps.reshape(3, 1, 1), frames)
    assert got.miou_pct == pytest.approx(100 * np.mean(slow), rel=1e-6)  # type: ignore[attr-defined]
    assert (got.n_sequences, got.n_frames) == (3, 9)  # type: ignore[attr-defined]


def test_what_is_no_overlap_is_refused() -> None:
    for wrong in (np.full((2, 4, 1), 0.5), np.full((2, 1, 1), 1.5), np.full((2, 1, 1), -0.5)):
        with pytest.raises(DataError, match=r"expected one overlap in 0\.\.1"):
            scored(wrong, np.array([1, 1]))
    with pytest.raises(DataError, match="expected the number of frames"):
        scored(np.full((2, 1, 1), 0.5), None)


def test_the_file_of_embeddings_tells_the_frames(tmp_path: Path) -> None:
    resolved = an_experiment(output="iou")
    dataset = resolved.dataset.model_copy(
        update={"protocols": {**resolved.dataset.protocols, "segmentation": PROTOCOL}}
    )
    resolved = resolved.model_copy(update={"dataset": dataset})
    names = np.array(["a", "b"])
    arrays = {"subject": names, "condition": names, "view": names}
    overlaps = np.array([0.5, 1.0], np.float32).reshape(2, 1, 1)
    sealed_npz(
        tmp_path / "e.npz", embeddings=overlaps, frames=np.array([3, 1], np.int32), **arrays
    )
    score(resolved, tmp_path / "e.npz", tmp_path / "metrics.json")
    protocols = json.loads((tmp_path / "metrics.json").read_text())["protocols"]
    assert list(protocols) == ["segmentation"], "the others compare, and nothing is compared"
    assert protocols["segmentation"]["miou_pct"] == 62.5
