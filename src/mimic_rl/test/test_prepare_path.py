import numpy as np
import pytest

from mimic_core.frames import transform
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.path import (
    NoMotionError,
    ObjectNotSeenError,
    object_path,
    poses_at,
    smooth,
    smooth_poses,
)
from mimic_rl.run_folder import axes_anchors

STAMPS = np.arange(120) / 30.0  # [s]
MOVES = 2.0  # [s]
PARAMS = PrepareParams()


def pushed(speed=0.2, noise=0.0):
    """Return poses (N, 4, 4) that stand still and then go along y at a speed [m/s]."""
    rng = np.random.default_rng(0)
    y = np.clip(STAMPS - MOVES, 0.0, 1.5) * speed
    poses = np.array([transform(np.eye(3), np.array([0.5, v, 0.05])) for v in y])
    poses[:, :3, 3] += noise * rng.normal(size=(len(poses), 3))
    return poses


def test_the_path_begins_a_lead_before_the_sustained_motion():
    path = object_path(STAMPS, pushed(noise=0.0005), axes_anchors(), PARAMS)
    assert path.moved == pytest.approx(MOVES, abs=0.12)  # smoothing blurs by its window
    assert path.start == pytest.approx(path.moved - PARAMS.lead / 30.0, abs=1e-6)
    assert np.allclose(np.diff(path.stamps), 1.0 / PARAMS.rate)
    assert path.stamps[-1] >= 3.5
    shorter = object_path(STAMPS, pushed(), axes_anchors(), PrepareParams(lead=6, rate=30.0))
    assert shorter.start == pytest.approx(shorter.moved - 0.2, abs=1e-6)
    assert np.allclose(np.diff(shorter.stamps), 1.0 / 30.0)


def test_a_turn_without_a_way_is_a_motion_too():
    poses = np.tile(np.eye(4), (len(STAMPS), 1, 1))
    angle = np.clip(STAMPS - MOVES, 0.0, 1.0)
    poses[:, 0, 0] = poses[:, 2, 2] = np.cos(angle)
    poses[:, 0, 2], poses[:, 2, 0] = np.sin(angle), -np.sin(angle)
    path = object_path(STAMPS, poses, axes_anchors(), PARAMS)
    assert path.moved == pytest.approx(MOVES, abs=0.12)


def test_smoothing_lowers_noise_and_keeps_rotations_and_parabolas():
    clean = pushed()
    clean[:, 1, 3] = 0.1 * STAMPS**2
    assert np.allclose(smooth_poses(STAMPS, clean, 0.3), clean, atol=1e-9)
    noise = np.random.default_rng(1).normal(size=(len(STAMPS), 3)) * 0.002
    noisy = clean.copy()
    noisy[:, :3, 3] += noise
    smoothed = smooth_poses(STAMPS, noisy, 0.3)
    assert np.std(smoothed[:, :3, 3] - clean[:, :3, 3]) < 0.6 * np.std(noise)
    turns = smoothed[:, :3, :3]
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-12)


@pytest.mark.parametrize('lost', [range(72, 77), range(72, 90), range(62, 110, 2)])
def test_frames_that_were_lost_bend_nothing(lost):
    """Measured before smoothing knew of stamps: 56 mm and twice the speed for 18 lost frames."""
    kept = np.delete(np.arange(len(STAMPS)), lost)
    poses = pushed(speed=0.25)
    angle = np.clip(STAMPS - MOVES, 0.0, 1.5) * 0.6
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(angle)
    poses[:, 1, 0], poses[:, 0, 1] = np.sin(angle), -np.sin(angle)
    path = object_path(STAMPS[kept], poses[kept], axes_anchors(), PARAMS)
    truth = poses_at(STAMPS, poses, path.stamps)
    # Smoothing alone rounds the corner at the beginning by 3 mm.
    assert np.abs(path.poses[:, :3, 3] - truth[:, :3, 3]).max() < 0.005
    assert np.abs(path.poses[:, :3, :3] - truth[:, :3, :3]).max() < 0.02
    assert np.abs(np.diff(path.poses[:, 1, 3])).max() * PARAMS.rate < 0.27  # [m/s]
    turns = path.poses[:, :3, :3]
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-9)


def test_the_hand_is_smoothed_over_lost_frames_too():
    kept = np.delete(np.arange(len(STAMPS)), np.arange(72, 90))
    way = pushed(speed=0.25)[kept, :3, 3]
    assert np.abs(smooth(STAMPS[kept], way, 0.3) - way).max() < 0.005


def test_poses_between_and_beyond():
    poses = poses_at(STAMPS, pushed(), np.array([-1.0, 2.0 + 1.0 / 60.0, 99.0]))
    assert poses[0, 1, 3] == 0.0
    assert poses[1, 1, 3] == pytest.approx(0.2 / 60.0, rel=1e-6)
    assert poses[2, 1, 3] == pytest.approx(0.3)


def test_an_object_that_never_moves_is_refused_with_its_speed():
    with pytest.raises(NoMotionError, match=r'never moves.*cm/s.*speed_threshold'):
        object_path(STAMPS, pushed(speed=0.02, noise=0.0002), axes_anchors(), PARAMS)
    with pytest.raises(NoMotionError, match='never moves'):
        object_path(STAMPS, pushed(speed=0.0), axes_anchors(), PARAMS)


def test_a_single_jump_is_no_motion():
    poses = pushed(speed=0.0)
    poses[60:63, 1, 3] += 0.01
    with pytest.raises(NoMotionError):
        object_path(STAMPS, poses, axes_anchors(), PARAMS)


def test_gaps():
    poses = pushed()
    poses[70:75] = np.nan  # hidden for a moment: bridged
    path = object_path(STAMPS, poses, axes_anchors(), PARAMS)
    where = poses_at(path.stamps, path.poses, np.array([72 / 30.0]))[0, 1, 3]
    assert where == pytest.approx(0.2 * (72 / 30.0 - MOVES), abs=0.003)
    poses[65:100] = np.nan
    with pytest.raises(ObjectNotSeenError, match='while it moves, object_gap'):
        object_path(STAMPS, poses, axes_anchors(), PARAMS)
    late = pushed()
    late[:80] = np.nan
    with pytest.raises(ObjectNotSeenError, match='must lie still'):
        object_path(STAMPS, late, axes_anchors(), PrepareParams(speed_threshold=0.01))
    with pytest.raises(ObjectNotSeenError, match='seen in 0 of 120 frames'):
        object_path(STAMPS, np.full((120, 4, 4), np.nan), axes_anchors(), PARAMS)


@pytest.mark.parametrize('smoothing', [0.0, 0.3])
@pytest.mark.parametrize(('speed', 'noise'), [(0.06, 0.0), (0.06, 0.0003), (0.2, 0.0005)])
def test_what_leaves_the_picture_while_it_moves_is_refused(speed, noise, smoothing):
    poses = pushed(speed, noise)
    poses[105:] = np.nan  # from 3.5 s to the end
    params = PrepareParams(smoothing=smoothing)
    with pytest.raises(ObjectNotSeenError, match=r'lost at 3\.47 s while it moves'):
        object_path(STAMPS, poses, axes_anchors(), params)


@pytest.mark.parametrize('smoothing', [0.0, 0.3])
@pytest.mark.parametrize(('speed', 'noise'), [(0.06, 0.0), (0.06, 0.0003), (0.2, 0.0005)])
def test_what_comes_into_the_picture_while_it_moves_is_refused(speed, noise, smoothing):
    poses = pushed(speed, noise)
    poses[:75] = np.nan  # until 2.5 s
    params = PrepareParams(smoothing=smoothing)
    with pytest.raises(ObjectNotSeenError, match=r'first seen at 2\.50 s, when it moves already'):
        object_path(STAMPS, poses, axes_anchors(), params)
    with pytest.raises(ObjectNotSeenError, match=r'first seen at 0\.00 s, when it moves already'):
        object_path(STAMPS[:45], pushed(speed, noise)[75:], axes_anchors(), params)


@pytest.mark.parametrize('smoothing', [0.0, 0.3])
def test_what_is_lost_at_rest_stays_where_it_was(smoothing):
    poses = pushed(0.2, noise=0.0003)
    poses[:, 1, 3] = np.minimum(poses[:, 1, 3], 0.2)  # it stops at 3.0 s
    poses[105:] = np.nan
    poses[:15] = np.nan
    path = object_path(STAMPS, poses, axes_anchors(), PrepareParams(smoothing=smoothing))
    assert path.ended == pytest.approx(3.0, abs=0.15)
    assert path.poses[-1, 1, 3] == pytest.approx(0.2, abs=0.002)
    assert path.poses[0, 1, 3] == pytest.approx(0.0, abs=0.002)


def test_a_video_may_end_while_it_moves():
    path = object_path(STAMPS[:100], pushed()[:100], axes_anchors(), PARAMS)
    assert path.stamps[-1] == pytest.approx(STAMPS[99], abs=1.0 / PARAMS.rate)


def test_what_is_outside_the_picture_is_refused():
    poses = pushed()
    poses[4:] = np.nan  # as good as never in it
    with pytest.raises(
        ObjectNotSeenError, match=r'seen in 4 of 120 frames: it must be in the.*= 2 m'
    ):
        object_path(STAMPS, poses, axes_anchors(), PrepareParams(farthest=2.0))
    poses = pushed()
    poses[60:] = np.nan  # it goes at once
    with pytest.raises(NoMotionError, match='never moves'):
        object_path(STAMPS, poses, axes_anchors(), PARAMS)


def test_thresholds_count():
    slow = pushed(speed=0.03)
    with pytest.raises(NoMotionError):
        object_path(STAMPS, slow, axes_anchors(), PARAMS)
    assert object_path(STAMPS, slow, axes_anchors(), PrepareParams(speed_threshold=0.015))
    short = pushed(speed=0.2)
    short[:, 1, 3] = np.minimum(short[:, 1, 3], 0.015)
    with pytest.raises(NoMotionError):
        object_path(STAMPS, short, axes_anchors(), PrepareParams(sustained=0.0))
    assert object_path(
        STAMPS, short, axes_anchors(), PrepareParams(sustained=0.0, least_motion=0.01)
    )
    no_tail = object_path(STAMPS, pushed(), axes_anchors(), PrepareParams(tail=0.0))
    tail = object_path(STAMPS, pushed(), axes_anchors(), PARAMS)
    assert tail.stamps[-1] > no_tail.stamps[-1]
