"""Skeletons, and what is computed from poses."""

from __future__ import annotations

import pytest
import torch

from gait.errors import DataError
from gait.layers.graph import hop_adjacency
from gait.prepare.modalities.joints import OPENPOSE_TO_COCO
from gait.skeleton import derived, graph_streams, skeleton_of


@pytest.mark.parametrize("joints", [12, 17, 18])
def test_skeleton_is_whole_and_the_same_on_both_sides(joints: int) -> None:
    skeleton = skeleton_of(joints)
    assert len(set(skeleton.joints)) == len(skeleton.connected) == joints
    mirrored = skeleton.mirrored
    assert [mirrored[each] for each in mirrored] == list(range(joints))
    edges = {frozenset(each) for each in skeleton.edges}
    assert {frozenset(mirrored[each] for each in edge) for edge in edges} == edges
    # From each joint to each other one.
    assert hop_adjacency(skeleton.edges, joints, joints).sum(0).all()


def test_skeleton_without_head_is_part_of_the_whole() -> None:
    whole, part = skeleton_of(17), skeleton_of(12)
    assert part.joints == whole.joints[5:]
    kept = [(first - 5, second - 5) for first, second in whole.edges if min(first, second) >= 5]
    assert {frozenset(each) for each in kept} == {frozenset(each) for each in part.edges}
    assert part.connected[2:] == tuple(each - 5 for each in whole.connected[7:])


def test_joints_picked_of_openpose_are_those_of_coco_by_name() -> None:
    openpose, coco = skeleton_of(18), skeleton_of(17)
    assert tuple(openpose.joints.index(each) for each in coco.joints) == OPENPOSE_TO_COCO


def test_unknown_skeleton() -> None:
    with pytest.raises(DataError, match=r"poses have 25 joints, expected 17 .* 18 .* 12"):
        skeleton_of(25)


def test_hop_adjacency_by_hand() -> None:
    # A chain 0 - 1 - 2 - 3, up to two edges: 3, 4, 4 and 3 neighbours.
    adjacency = hop_adjacency([(0, 1), (1, 2), (2, 3)], 4, 2)
    third, quarter = 1 / 3, 1 / 4
    expected = torch.tensor(
        [
            [[third, 0, 0, 0], [0, quarter, 0, 0], [0, 0, quarter, 0], [0, 0, 0, third]],
            [
                [0, quarter, 0, 0],
                [third, 0, quarter, 0],
                [0, quarter, 0, third],
                [0, 0, quarter, 0],
            ],
            [[0, 0, quarter, 0], [0, 0, 0, third], [third, 0, 0, 0], [0, quarter, 0, 0]],
        ]
    )
    torch.testing.assert_close(adjacency, expected)


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_derived_against_loops(frames: int) -> None:
    places = torch.randn(2, frames, 17, 2)
    connected = skeleton_of(17).connected
    found = derived(places, 3)
    for n in range(2):
        for t in range(frames):
            moves = t < frames - 2
            for v in range(17):
                here = places[n, t, v]
                expected = (
                    here - places[n, t, 3],
                    places[n, t + 1, v] - here if moves else torch.zeros(2),
                    places[n, t + 2, v] - here if moves else torch.zeros(2),
                    here - places[n, t, connected[v]],
                )
                for values, value in zip(found, expected, strict=True):
                    assert torch.equal(values[n, t, v], value)


def test_graph_streams_of_missing_joints_are_finite() -> None:
    streams = graph_streams(torch.zeros(4, 18, 3), 0)
    assert streams.shape == (4, 18, 15)
    assert streams.isfinite().all()
