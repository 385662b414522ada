"""The whole tracker on a video of a real right hand, colour only."""

import cv2
import numpy as np
import pytest

from mimic_core.camera import Intrinsics
from mimic_hand_tracking import HandTracker, TrackingParams, draw_hand, make_detector

FRAMES = 240


@pytest.fixture(scope='module')
def tracked(request):
    path = request.getfixturevalue('shared') / 'data' / 'human_hand_video.mp4'
    if not path.exists():
        pytest.skip('no video of a real hand')
    video = cv2.VideoCapture(str(path))
    tracker = HandTracker(TrackingParams())
    found, last = [], None
    for i in range(FRAMES):
        ok, bgr = video.read()
        assert ok
        last = cv2.cvtColor(cv2.resize(bgr, (640, 360)), cv2.COLOR_BGR2RGB)
        camera = Intrinsics.from_fov(640, 360, 0.75)
        found.append(tracker.process(last, None, camera, i / 30))
    tracker.close()
    return found, last


def test_there_is_one_hand_in_nearly_every_image(tracked):
    found, _ = tracked
    assert sum(len(hands) == 1 for hands in found) >= 0.99 * FRAMES
    assert max(len(hands) for hands in found) == 1


def test_it_is_the_same_right_hand_all_the_time(tracked):
    found, _ = tracked
    assert {(h.track_id, h.side) for hands in found for h in hands} == {(1, 'right')}


def test_it_moves_smoothly_and_stays_within_reach(tracked):
    found, _ = tracked
    points = np.array([hands[0].keypoints for hands in found if hands])
    wrist = points[:, 0]
    assert ((wrist[:, 2] > 0.2) & (wrist[:, 2] < 1.5)).all()
    step = np.linalg.norm(np.diff(wrist[5:], axis=0), axis=1)
    assert np.percentile(step, 95) < 0.015  # 0.45 m/s: the hand stays in place
    bones = np.linalg.norm(points[60:, 9] - points[60:, 0], axis=1)
    assert bones.std() / bones.mean() < 0.05


@pytest.mark.parametrize(
    'change', [{'complexity': 0}, {'mirrored': True}, {'min_detection_score': 0.99}]
)
def test_each_parameter_of_the_detector_changes_what_it_finds(tracked, change):
    _, image = tracked
    usual, changed = (
        make_detector(TrackingParams(**values)).detect(image, 0.0) for values in ({}, change)
    )
    assert len(usual) == 1

    def said(found):
        return [(d.right_probability, d.pixels.tolist()) for d in found]

    assert said(changed) != said(usual)


def test_drawing_marks_the_hand_and_leaves_the_image_alone(tracked):
    found, image = tracked
    before = image.copy()
    drawn = draw_hand(image, found[-1][0])
    assert np.array_equal(image, before)
    u, v = np.rint(found[-1][0].pixels[8]).astype(int)
    assert np.abs(drawn[v, u].astype(int) - image[v, u]).max() > 20
    far = (drawn != image).any(axis=2).sum() / image[..., 0].size
    assert 0.0 < far < 0.15
