import numpy as np
import pytest
from capsule_hand import hand

from mimic_hand_tracking.bone_lengths import (
    HAND_LENGTHS,
    BoneLengths,
)
from mimic_hand_tracking.hand_model import EDGES


def true_lengths(joints):
    return np.linalg.norm(joints[EDGES[:, 1]] - joints[EDGES[:, 0]], axis=1)


def test_lengths_become_those_of_the_hand_and_stay():
    joints = hand((0, 0, 0.6), scale=1.1)
    rng = np.random.default_rng(0)
    bones = BoneLengths()
    sigma_new = bones.sigma
    for _ in range(200):
        bones.learn(joints + rng.normal(0, 0.002, (21, 3)), np.ones(21), metric=True)
    # A quarter of the average hand stays in it: 0.185 m against 0.209 m.
    np.testing.assert_allclose(bones.lengths, true_lengths(joints), rtol=0.08)
    assert bones.hand_length == pytest.approx(0.75 * 0.209 + 0.25 * 0.185, rel=0.01)
    assert (bones.sigma < 0.3 * sigma_new).all()
    before = bones.lengths
    bones.learn(joints + rng.normal(0, 0.002, (21, 3)), np.ones(21), metric=True)
    np.testing.assert_allclose(bones.lengths, before, rtol=5e-3)


def test_without_depth_only_proportions_are_learned():
    bones = BoneLengths()
    size = bones.lengths.sum()
    for _ in range(50):
        bones.learn(hand((0, 0, 0.6), scale=1.3), np.ones(21), metric=False)
    assert bones.lengths.sum() == pytest.approx(size)


def test_a_known_size_is_kept():
    bones = BoneLengths(0.2)
    size = bones.lengths.sum()
    bones.rescale(1.2)
    for _ in range(50):
        bones.learn(hand((0, 0, 0.6), scale=0.8), np.ones(21), metric=True)
    assert bones.lengths.sum() == pytest.approx(size)


def test_size_stays_that_of_a_hand():
    bones = BoneLengths()
    bones.rescale(100.0)
    assert bones.hand_length == pytest.approx(HAND_LENGTHS[1])
    bones.rescale(0.001)
    assert bones.hand_length == pytest.approx(HAND_LENGTHS[0])


def test_joints_of_no_confidence_teach_nothing():
    bones = BoneLengths(0.185)
    before = bones.lengths
    bones.learn(hand((0, 0, 0.6), scale=0.5, curl=1.0), np.zeros(21), metric=True)
    np.testing.assert_allclose(bones.lengths, before)
