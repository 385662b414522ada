"""The tracker over time: identity, jumps, faults. Detections are scripted; depth is geometry."""

from dataclasses import replace

import numpy as np
import pytest
from capsule_hand import CAMERA, ScriptedDetector, depth_of, detect, hand, spoil
from scipy.spatial.transform import Rotation

from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import NotFiniteError, ShapeError, StaleInputError
from mimic_core.params import from_mapping
from mimic_hand_tracking.detector import Detection
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import HandTracker

GRAY = np.full((480, 640, 3), 120, dtype=np.uint8)
AT_ONCE = {'confirm_frames': 1, 'filter_cutoff': 0.0}


def track(script, depths=None, stamps=None, **params):
    tracker = HandTracker(from_mapping(TrackingParams, params), ScriptedDetector(script))
    depths = depths if depths is not None else [None] * len(script)
    stamps = stamps if stamps is not None else np.arange(len(script)) / 30
    return [
        tracker.process(GRAY, depth, CAMERA, float(stamp))
        for depth, stamp in zip(depths, stamps, strict=True)
    ]


def test_a_moving_hand_keeps_its_identity_and_is_accurate():
    rng = np.random.default_rng(0)
    truth = [hand((0.1 * np.sin(i / 15), 0, 0.6 + 0.05 * np.sin(i / 20))) for i in range(40)]
    depths = [spoil(depth_of(joints), rng, holes=0.02, flying=0.5) for joints in truth]
    shown = track([[detect(joints, rng)] for joints in truth], depths, **AT_ONCE)
    assert {(h.track_id, h.side, h.method) for hands in shown for h in hands} == {
        (1, 'right', 'depth')
    }
    errors = [
        np.linalg.norm(hands[0].keypoints - joints, axis=1).mean()
        for hands, joints in zip(shown, truth, strict=True)
    ]
    assert np.mean(errors[10:]) < 0.006


def test_the_size_of_a_hand_is_learned_from_depth():
    rng = np.random.default_rng(1)
    tracker = HandTracker(TrackingParams(), ScriptedDetector([]))
    truth = [
        hand((0.05 * np.sin(i / 9), 0, 0.6), curl=0.3 + 0.2 * np.sin(i), scale=1.15)
        for i in range(40)
    ]
    tracker._detector.script = [[detect(joints, rng)] for joints in truth]
    for i, joints in enumerate(truth):
        tracker.process(GRAY, depth_of(joints, scale=1.15), CAMERA, i / 30)
    assert tracker.tracks[0].hand_length == pytest.approx(0.19 * 1.15, rel=0.05)


def test_two_hands_keep_their_sides_when_labels_flip():
    rng = np.random.default_rng(2)
    script = []
    for i in range(60):
        right, left = hand((0.13, 0, 0.6)), hand((-0.13, 0, 0.6), left=True)
        wrong = 20 <= i < 28
        pair = [
            detect(right, rng, right=0.1 if wrong else 0.95),
            detect(left, rng, right=0.9 if wrong else 0.05),
        ]
        script.append(pair if i % 2 else pair[::-1])  # the detector's order means nothing
    for hands in track(script, **AT_ONCE):
        by_side = {h.side: h for h in hands}
        assert set(by_side) == {'left', 'right'}
        assert by_side['right'].keypoints[9, 0] > 0 > by_side['left'].keypoints[9, 0]
        assert (by_side['right'].track_id, by_side['left'].track_id) in {(1, 2), (2, 1)}
    assert len({(h.track_id, h.side) for hands in track(script) for h in hands}) == 2


def test_crossing_hands_do_not_swap():
    rng = np.random.default_rng(3)
    script, depths = [], []
    for i in range(60):
        x = 0.16 - 0.32 * i / 59
        near = hand((x, 0.01, 0.5))
        far = hand((-x, -0.01, 0.7), left=True)
        script.append([detect(near, rng, right=0.9), detect(far, rng, right=0.1)])
        if abs(x) < 0.035:  # over each other the detector sees the near one, twice, and guesses
            script[-1] = [detect(near, rng, right=0.3, score=0.8), detect(near, rng, right=0.6)]
        depths.append(np.minimum(depth_of(near), depth_of(far)))
    shown = track(script, depths, **AT_ONCE)
    first, last = ({h.side: h for h in shown[i]} for i in (0, -1))
    for side in ('right', 'left'):
        assert first[side].track_id == last[side].track_id
    assert last['right'].keypoints[9, 2] < 0.6 < last['left'].keypoints[9, 2]
    assert all(len({h.side for h in hands}) == len(hands) for hands in shown)


def test_a_jump_of_a_metre_is_a_new_hand_and_never_a_path():
    rng = np.random.default_rng(4)
    near, far = hand((0.0, 0.0, 0.6)), hand((0.3, 0.1, 1.6))
    truth = [near] * 10 + [far] * 10
    shown = track([[detect(j, rng)] for j in truth], [depth_of(j, background=3) for j in truth])
    assert not shown[10]  # not confirmed yet
    before, after = shown[9][0], shown[12][0]
    assert before.track_id != after.track_id
    for hands in shown:
        for h in hands:
            z = h.keypoints[9, 2]
            assert abs(z - 0.6) < 0.08 or abs(z - 1.6) < 0.1


def test_one_wild_image_changes_nothing():
    rng = np.random.default_rng(5)
    joints = hand((0.0, 0.0, 0.6))
    truth = [joints] * 10 + [hand((0.3, 0.1, 1.6))] + [joints] * 10
    shown = track([[detect(j, rng)] for j in truth], [depth_of(j, background=3) for j in truth])
    assert not shown[10]
    assert {h.track_id for hands in shown for h in hands} == {1}
    assert np.nanmax([abs(h.keypoints[:, 2] - 0.6) for hands in shown for h in hands]) < 0.1


def test_a_lost_hand_is_not_published_and_comes_back_as_itself():
    rng = np.random.default_rng(6)
    joints = hand((0.0, 0.0, 0.6))
    seen = [[detect(joints, rng)] for _ in range(30)]
    seen[10:15] = [[] for _ in range(5)]
    shown = track(seen, **AT_ONCE)
    assert all(hands == () for hands in shown[10:15])
    assert {h.track_id for hands in shown for h in hands} == {1}
    gone = track(seen, stamps=[i / 30 + (2.0 if i >= 15 else 0.0) for i in range(30)], **AT_ONCE)
    assert gone[15][0].track_id == 2


def test_a_hand_out_of_the_image_is_no_hand_and_its_parts_are_nan():
    rng = np.random.default_rng(7)
    out = hand((0.45, 0.0, 0.6))
    partly = hand((0.28, 0.0, 0.6))
    assert track([[detect(out, rng)]], **AT_ONCE) == [()]
    (shown,) = track([[detect(partly, rng)]], **AT_ONCE)
    outside = CAMERA.project(partly)[:, 0] > 645
    assert 0 < outside.sum() < 10
    assert np.isnan(shown[0].keypoints[outside]).all()
    assert (shown[0].confidence[outside] == 0).all()
    inside = CAMERA.project(partly)[:, 0] < 634
    assert np.isfinite(shown[0].keypoints[inside]).all()


@pytest.mark.parametrize('fill', [0, 1])
def test_black_images_are_not_even_searched(fill):
    detector = ScriptedDetector([[detect(hand((0, 0, 0.6)), np.random.default_rng(8))]] * 5)
    tracker = HandTracker(TrackingParams(confirm_frames=1), detector)
    black = np.full((480, 640, 3), fill, dtype=np.uint8)
    assert tracker.process(black, None, CAMERA, 0.0) == ()
    assert detector.asked == 0


@pytest.mark.parametrize('where', ['pixels', 'world'])
def test_detections_with_nan_are_dropped(where):
    good = detect(hand((0, 0, 0.6)), np.random.default_rng(9))
    pixels, world = good.pixels.copy(), good.world.copy()
    (pixels if where == 'pixels' else world)[3] = np.nan
    assert track([[Detection(pixels, world, 0.9, 0.9)]], **AT_ONCE) == [()]


def test_sizes_that_do_not_fit_are_refused():
    tracker = HandTracker(TrackingParams(), ScriptedDetector([]))
    with pytest.raises(ShapeError, match='colour image'):
        tracker.process(GRAY[:240], None, CAMERA, 0.0)
    with pytest.raises(ShapeError, match='depth image'):
        tracker.process(GRAY, np.zeros((240, 320), dtype=np.uint16), CAMERA, 0.0)
    with pytest.raises(ShapeError, match='depth image'):
        tracker.process(GRAY, np.full((480, 640), np.nan), CAMERA, 0.0)
    with pytest.raises(NotFiniteError):
        tracker.process(GRAY, None, CAMERA, float('nan'))


def test_a_changed_size_starts_the_detector_anew_and_goes_on():
    rng = np.random.default_rng(10)
    small = Intrinsics(320, 240, 300.0, 300.0, 159.5, 119.5)
    joints = hand((0.0, 0.0, 0.6))
    detector = ScriptedDetector(
        [[detect(joints, rng)]] * 3 + [[detect(joints, rng, camera=small, pixel_noise=0.7)]] * 3
    )
    tracker = HandTracker(TrackingParams(confirm_frames=1), detector)
    shown = [tracker.process(GRAY, None, CAMERA, i / 30) for i in range(3)]
    shown += [tracker.process(GRAY[:240, :320], None, small, i / 30) for i in range(3, 6)]
    assert detector.resets == 1
    assert {h.track_id for hands in shown for h in hands} == {1}


def test_time_backwards():
    detector = ScriptedDetector([[detect(hand((0, 0, 0.6)), np.random.default_rng(0))]] * 9)
    tracker = HandTracker(TrackingParams(confirm_frames=1), detector)
    assert tracker.process(GRAY, None, CAMERA, 10.0)[0].track_id == 1
    for stamp in (10.0, 9.97):
        with pytest.raises(StaleInputError):
            tracker.process(GRAY, None, CAMERA, stamp)
    assert tracker.process(GRAY, None, CAMERA, 0.0)[0].track_id == 2  # a bag that begins again
    assert detector.resets == 1


@pytest.mark.parametrize('first', [1, 4, 12])
def test_several_frames_at_once_are_as_one_by_one(first):
    """Also where the clock was set back among them, and where hands come and go."""
    rng = np.random.default_rng(8)
    truth = [hand((0.02 * i, 0, 0.6)) for i in range(12)]
    script = [[] if i == 4 else [detect(joints, rng)] for i, joints in enumerate(truth)]
    stamps = [5.0 + i / 30 for i in range(7)] + [i / 30 for i in range(5)]
    depths = [depth_of(joints) for joints in truth]
    single = track(script, depths, stamps)
    tracker = HandTracker(TrackingParams(), ScriptedDetector(script))
    frames = [Frame(GRAY, CAMERA, t, '', depth) for t, depth in zip(stamps, depths, strict=True)]
    together = tracker.process_frames(frames[:first]) + tracker.process_frames(frames[first:])
    for one, several in zip(single, together, strict=True):
        assert [(h.track_id, h.side) for h in one] == [(h.track_id, h.side) for h in several]
        for a, b in zip(one, several, strict=True):
            np.testing.assert_array_equal(a.keypoints, b.keypoints)
    assert {h.track_id for hands in single for h in hands} == {1, 2}  # set back: another hand
    with pytest.raises(StaleInputError):
        tracker.process_frames([frames[-1]])


@pytest.mark.parametrize('tilt', [1.0, 1.4])
def test_depth_that_fails_for_a_while_does_not_make_the_hand_jump(tilt):
    rng = np.random.default_rng(11)
    turn = Rotation.from_rotvec((0.5, 0.0, 0.0))
    truth = [hand((0.0, 0.0, 0.6 + 0.002 * i), turn) for i in range(60)]
    script = []
    for joints in truth:
        found = detect(joints, rng)
        # A detector that takes a hand for more tilted than it is has its size wrong too.
        script.append([replace(found, world=found.world * (1.0, 1.0, tilt))])
    depths = [depth_of(joints) for joints in truth]
    for i in range(40, 50):
        depths[i] = np.zeros_like(depths[i])
    shown = track(script, depths, **AT_ONCE)
    z = np.array([hands[0].keypoints[9, 2] for hands in shown])
    assert [hands[0].method for hands in shown[40:50]] == ['pnp'] * 10
    assert np.abs(np.diff(z[5:])).max() < 0.03
    assert len({hands[0].track_id for hands in shown}) == 1


def test_something_of_the_wrong_size_is_not_a_hand():
    rng = np.random.default_rng(12)
    picture = hand((0.0, 0.0, 0.6))  # a hand on a screen that is 2 m away
    wall = np.full((480, 640), 2000, dtype=np.uint16)
    assert track([[detect(picture, rng)]] * 5, [wall] * 5) == [()] * 5


@pytest.fixture(scope='module')
def scenario():
    """Everything that a parameter can change, as one list of numbers."""
    rng = np.random.default_rng(13)
    script, depths = [], []
    for i in range(24):
        one = hand((0.1 + 0.004 * i, 0.0, 0.6), curl=0.1 + 0.02 * i)
        two = hand((-0.15 + (0.12 if i > 18 else 0.0), 0.0, 0.7), left=True)
        script.append([] if 10 <= i < 14 else [detect(one, rng), detect(two, rng, right=0.1)])
        depths.append(np.minimum(depth_of(one), depth_of(two)))

    def run(params):
        return [
            (h.track_id, h.side, h.method, *h.keypoints.ravel().tolist())
            for hands in track(script, depths, **params)
            for h in hands
        ]

    return run


@pytest.fixture(scope='module')
def usual(scenario):
    return scenario({})


def test_the_same_images_give_the_same_hands(scenario, usual):
    assert scenario({}) == usual


@pytest.mark.parametrize(
    'change',
    [
        {'max_hands': 1},
        {'use_depth': False},
        {'hand_length': 0.22},
        {'max_speed': 0.5},
        {'confirm_frames': 5},
        {'max_gap': 0.05},
        {'filter_cutoff': 8.0},
        {'filter_beta': 0.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_parameter_changes_the_result(scenario, usual, change):
    assert scenario(change) != usual
