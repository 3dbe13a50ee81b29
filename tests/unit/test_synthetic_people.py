"""SynthGait's people: who they are, what they carry, and how their joints move."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from gait.synthgait.kinematics import JOINTS, Skeleton, walk_cycle
from gait.synthgait.outfit import BAGS, burdened
from gait.synthgait.people import draw_subject, draw_takes
from gait.synthgait.traits import Floats
from tests.unit.synthetic import TINY


def plain_walk(subject: int = 1, frames: int = 60) -> Skeleton:
    person = draw_subject(TINY, subject)
    return walk_cycle(person.body, person.motion, frames, 25.0, 0.3)


# People


def test_people_differ_and_stay_themselves() -> None:
    first, again, other = (draw_subject(TINY, subject) for subject in (1, 1, 2))
    lengths = ("height_m", "leg", "thigh_share", "hip_width", "shoulder_width", "upper_arm")
    for name in lengths:
        assert getattr(first.body, name) == getattr(again.body, name)
        assert getattr(first.body, name) != getattr(other.body, name)
    for each in fields(first.motion):
        assert np.array_equal(getattr(first.motion, each.name), getattr(again.motion, each.name))
        assert not np.array_equal(
            getattr(first.motion, each.name), getattr(other.motion, each.name)
        )


def test_walks_of_a_person_share_the_bones_and_differ_in_the_rest() -> None:
    takes = draw_takes(TINY.model_copy(update={"sequences": {"nm": 3}}), 1)
    thighs = [bones(take.skeleton)["thigh"][0] for take in takes]
    assert np.ptp(thighs) == pytest.approx(0.0, abs=1e-9)
    starts = [take.skeleton.at("pelvis")[0, 0] for take in takes]
    assert np.ptp(starts) > 0.05
    assert takes[0].outfit.colours != takes[1].outfit.colours


def test_a_condition_puts_on_a_bag_or_a_coat() -> None:
    takes = {take.condition: take for take in draw_takes(TINY, 1)}
    assert takes["nm-01"].outfit.bag is None and takes["nm-01"].outfit.coat is None
    bag = takes["bg-01"].outfit.bag
    assert bag is not None and bag.kind in BAGS
    motion = draw_subject(TINY, 1).motion
    changed = burdened(motion, takes["bg-01"].outfit).arm_swing / motion.arm_swing
    assert changed[bag.side] < 0.7 and changed[bag.side] < changed[1 - bag.side]
    assert takes["cl-01"].outfit.coat is not None


# Kinematics


def bones(skeleton: Skeleton) -> dict[str, Floats]:
    ends = {
        "thigh": ("hip", "knee"),
        "shank": ("knee", "ankle"),
        "upper arm": ("shoulder", "elbow"),
        "forearm": ("elbow", "wrist"),
        "foot": ("heel", "ball"),
    }
    return {
        name: np.linalg.norm(skeleton.sides(first) - skeleton.sides(second), axis=-1).ravel()
        for name, (first, second) in ends.items()
    }


def test_joints_begin_with_those_of_coco() -> None:
    assert plain_walk().joints.shape == (60, len(JOINTS), 3)
    assert JOINTS[0] == "nose" and JOINTS[5] == "left_shoulder" and JOINTS[16] == "right_ankle"


def test_bones_keep_their_length() -> None:
    person = draw_subject(TINY, 1)
    found = bones(plain_walk())
    for lengths in found.values():
        assert np.ptp(lengths) < 1e-9
    assert found["thigh"][0] == pytest.approx(person.body.thigh_m)
    assert found["shank"][0] == pytest.approx(person.body.shank_m)


@pytest.mark.parametrize("subject", range(1, 9))
def test_feet_stay_on_the_ground_and_do_not_slide(subject: int) -> None:
    skeleton = plain_walk(subject)
    soles = np.concatenate([skeleton.sides("heel"), skeleton.sides("ball")], axis=1)
    lowest = soles[..., 2].min(axis=1)
    assert np.abs(lowest).max() < 0.02
    # Between two frames a sole on the ground moves much less than the walker.
    standing = np.maximum(soles[1:, :, 2], soles[:-1, :, 2]) < 0.01
    moved = np.abs(np.diff(soles[..., 0], axis=0))
    advance = np.diff(skeleton.at("pelvis")[:, 0])
    assert (advance > 0.012).all()
    assert np.median(moved[standing]) < 0.5 * advance.mean()


@pytest.mark.parametrize("subject", range(1, 9))
def test_knees_bend_backwards_and_elbows_forwards(subject: int) -> None:
    skeleton = plain_walk(subject)

    def bend(first: str, second: str, third: str) -> Floats:
        upper = skeleton.sides(second) - skeleton.sides(first)
        lower = skeleton.sides(third) - skeleton.sides(second)
        pitch = [np.arctan2(limb[..., 0], -limb[..., 2]) for limb in (upper, lower)]
        return np.asarray(np.degrees(pitch[1] - pitch[0]))

    knee = bend("hip", "knee", "ankle")
    assert knee.max() < 4.0 and -95.0 < knee.min() < -35.0
    elbow = bend("shoulder", "elbow", "wrist")
    assert elbow.min() > -4.0 and elbow.max() < 95.0


def test_arms_swing_against_the_legs_and_legs_against_each_other() -> None:
    skeleton = plain_walk()
    foot = skeleton.sides("ankle")[..., 0] - skeleton.at("pelvis")[:, None, 0]
    hand = skeleton.sides("wrist")[..., 0] - skeleton.at("pelvis")[:, None, 0]
    assert np.corrcoef(foot[:, 0], foot[:, 1])[0, 1] < -0.7
    for side in range(2):
        assert np.corrcoef(foot[:, side], hand[:, side])[0, 1] < -0.7


def test_people_walk_at_the_pace_of_people() -> None:
    for subject in range(1, 9):
        skeleton = plain_walk(subject)
        speed = np.diff(skeleton.at("pelvis")[:, 0]).mean() * 25.0
        assert 0.7 < speed < 2.0
