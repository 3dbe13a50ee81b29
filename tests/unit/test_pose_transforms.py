from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gait import registry
from gait.data.transforms.flip_sequence import FlipSequence
from gait.data.transforms.gait_graph_input import GaitGraphInput
from gait.data.transforms.gait_tr_input import GaitTRInput
from gait.data.transforms.inverse_poses import InversePoses
from gait.data.transforms.joint_noise import JointNoise
from gait.data.transforms.mirror_poses import MirrorPoses
from gait.data.transforms.msgg_input import JOINTS, MsGGInput
from gait.data.transforms.normalize_empty import NormalizeEmpty
from gait.data.transforms.point_noise import PointNoise
from gait.data.transforms.random_move import RandomMove
from gait.errors import ConfigError, DataError
from gait.skeleton import skeleton_of

Pose = np.ndarray
# Each with the shape that it makes of [s, 17, 3].
ALL: dict[str, tuple[Callable[..., Callable[..., Pose]], tuple[int, int]]] = {
    "NormalizeEmpty": (NormalizeEmpty, (17, 3)),
    "FlipSequence": (lambda: FlipSequence(1.0), (17, 3)),
    "MirrorPoses": (lambda: MirrorPoses(1.0), (17, 3)),
    "InversePoses": (InversePoses, (17, 3)),
    "JointNoise": (JointNoise, (17, 3)),
    "PointNoise": (PointNoise, (17, 3)),
    "RandomMove": (RandomMove, (17, 3)),
    "GaitGraphInput": (GaitGraphInput, (17, 15)),
    "GaitTRInput": (GaitTRInput, (17, 10)),
    "MsGGInput": (MsGGInput, (12, 3)),
}


def poses(frames: int, joints: int = 17) -> Pose:
    made = np.random.default_rng(0).normal(size=(frames, joints, 3)).astype(np.float32)
    made.setflags(write=False)
    return made


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_shape_type_and_determinism(name: str, frames: int) -> None:
    make, shape = ALL[name]
    assert registry.get("transform", name) is type(make())
    given = poses(frames)
    once, again = make()(given, rng(5)), make()(given, rng(5))
    assert once.shape == (frames, *shape)
    assert once.dtype == np.float32
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(given, poses(frames))


@pytest.mark.parametrize("name", ALL)
def test_a_view_is_as_good_as_an_array(name: str) -> None:
    transform = ALL[name][0]()
    backwards = poses(5)[::-1]
    np.testing.assert_array_equal(
        transform(backwards, rng(1)), transform(np.ascontiguousarray(backwards), rng(1))
    )


@pytest.mark.parametrize("make", [FlipSequence, MirrorPoses, InversePoses])
def test_probabilities(make: Callable[[float], Callable[..., Pose]]) -> None:
    given = poses(3)
    for seed in range(20):
        np.testing.assert_array_equal(make(0.0)(given, rng(seed)), given)
    draws = rng()
    changed = sum((make(0.3)(poses(2), draws) != poses(2)).any() for _ in range(400))
    # Frames are decided on one by one where sides are exchanged: of two, 0.51 change.
    expected = 400 * (1 - 0.7**2 if make is InversePoses else 0.3)
    # Three standard deviations.
    assert abs(changed - expected) < 30
    with pytest.raises(ConfigError, match=r"probability is 1\.5, expected .* 0 to 1"):
        make(1.5)


def test_normalize_empty_by_hand() -> None:
    given = np.full((1, 17, 3), 2, dtype=np.float32)
    given[0, 4] = (0, 19, 1)
    found = NormalizeEmpty()(given, rng())
    assert found[0, 4].tolist() == pytest.approx([2 * 16 / 17, (2 * 16 + 19) / 17, 0])
    np.testing.assert_array_equal(np.delete(found, 4, axis=1), np.delete(given, 4, axis=1))


def test_flip_is_exact() -> None:
    np.testing.assert_array_equal(FlipSequence(1.0)(poses(4), rng()), poses(4)[::-1])


def test_mirror_keeps_the_middle_and_the_height() -> None:
    given, found = poses(4), MirrorPoses(1.0)(poses(4), rng())
    np.testing.assert_array_equal(found[..., 1:], given[..., 1:])
    np.testing.assert_allclose(found[..., 0].mean(1), given[..., 0].mean(1), atol=1e-6)
    np.testing.assert_allclose(MirrorPoses(1.0)(found, rng()), given, atol=1e-6)


def test_inverse_exchanges_sides_of_single_frames() -> None:
    given, found = poses(200), InversePoses(0.3)(poses(200), rng())
    exchanged = given[:, skeleton_of(17).mirrored]
    changed = (found == exchanged).all((1, 2))
    assert ((found == given).all((1, 2)) ^ changed).all()
    assert 40 < changed.sum() < 80


def test_noise_of_joints_lasts_and_noise_of_points_does_not() -> None:
    given = poses(400)
    by_joint = JointNoise(0.5)(given, rng()) - given
    by_point = PointNoise(0.5)(given, rng()) - given
    for noise in (by_joint, by_point):
        assert not noise[..., 2].any()
        assert noise[..., :2].std() == pytest.approx(0.5, rel=0.3)
    assert by_joint.std(0).max() < 1e-5
    assert by_point[..., :2].std(0).min() > 0.4


def test_move_is_one_shift_within_reach() -> None:
    given = poses(5)
    shifts = np.stack([RandomMove([4, 1])(given, rng(seed)) - given for seed in range(300)])
    np.testing.assert_allclose(shifts, np.broadcast_to(shifts[:, :1, :1], shifts.shape), atol=1e-6)
    for side in (1, -1):
        farthest = (side * shifts).max((0, 1, 2))
        assert farthest == pytest.approx([4, 1, 0], rel=0.05)
        assert (farthest <= [4 + 1e-5, 1 + 1e-5, 0]).all()


@pytest.mark.parametrize("joints", [12, 17, 18])
def test_msgg_takes_the_same_joints_of_every_skeleton(joints: int) -> None:
    names = skeleton_of(joints).joints
    found = MsGGInput()(poses(2, joints), rng())
    for index, name in enumerate(JOINTS):
        np.testing.assert_array_equal(found[:, index], poses(2, joints)[:, names.index(name)])
    # What becomes a limb is one joint next to the trunk with its counterpart, or one limb's ends.
    pairs = [{JOINTS[index], JOINTS[index + 6]} for index in range(6)]
    assert {"left_hip", "right_hip"} in pairs and {"left_knee", "left_ankle"} in pairs


def test_msgg_may_take_the_places_of_another_skeleton() -> None:
    found = MsGGInput(skeleton=17)(poses(2, 18), rng())
    np.testing.assert_array_equal(found, MsGGInput()(poses(2, 18)[:, :17], rng()))


def test_unknown_skeletons_are_refused() -> None:
    for transform in (GaitGraphInput(), GaitTRInput(), MsGGInput(), InversePoses()):
        with pytest.raises(DataError, match="poses have 21 joints"):
            transform(poses(2, 21), rng())
