"""The mask of a hand covers the hand and spares the object."""

import numpy as np
import pytest

from benchmarks.object_scenes import MOTIONS
from mimic_core.hand import TrackedHand
from mimic_object_tracking.hands import hand_mask


@pytest.mark.parametrize('time', [0.3, 1.2])
def test_the_hand_is_covered_and_the_box_is_not(box_stage, time):
    motion = MOTIONS['pushed by a hand']
    frame, truth = box_stage.at(motion, time)
    pose = motion.pose(time, box_stage.half)
    alone, _ = box_stage.still(pose, time)
    hand = TrackedHand(
        1, 'right', 'depth', truth.keypoints, np.ones(21), truth.pixels, 1.0
    )  # fmt: skip
    mask = hand_mask([hand], frame.depth, frame.intrinsics)
    difference = np.abs(frame.depth.astype(int) - alone.depth) > 20
    of_hand = difference & (frame.depth > 0) & (alone.depth > 0)
    v, u = np.nonzero(of_hand)  # of the hand itself: its keypoints are not far
    apart = np.linalg.norm(np.stack([u, v], axis=1)[:, None] - truth.pixels, axis=2).min(axis=1)
    near = np.zeros_like(of_hand)
    near[v[apart < 25], u[apart < 25]] = True
    assert (mask & near).sum() > 0.93 * near.sum()
    red = (frame.color[..., 0] > 140) & (frame.color[..., 2] < 90)  # the top of the box
    assert red.sum() > 1500
    assert (mask & red).sum() < 0.25 * red.sum()


def test_unknown_keypoints_and_hands_behind_the_camera_are_no_trouble(box_stage):
    frame, truth = box_stage.at(MOTIONS['pushed by a hand'], 0.3)
    lost = np.full((21, 3), np.nan)
    behind = truth.keypoints - np.array([0.0, 0.0, 2.0])
    half = truth.keypoints.copy()
    half[5:] = np.nan
    for points, empty in ((lost, True), (behind, True), (half, False)):
        hand = TrackedHand(1, 'left', 'pnp', points, np.zeros(21), truth.pixels, 0.5)
        mask = hand_mask([hand], frame.depth, frame.intrinsics)
        assert mask.any() != empty
    assert not hand_mask([], frame.depth, frame.intrinsics).any()
