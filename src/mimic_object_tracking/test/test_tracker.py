"""Objects through rendered videos: exact, half hidden, gone, back; and useless pictures."""

from concurrent.futures import wait
from dataclasses import replace
from itertools import count
from threading import Event

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.object_scenes import MOTIONS, ObjectStage, model_of
from mimic_core.camera import Frame
from mimic_core.errors import ConfigError, SourceError, StaleInputError
from mimic_core.frames import transform
from mimic_core.hand import TrackedHand
from mimic_object_tracking import ObjectTracker, ObjectTrackingParams, kernels

PARAMS = ObjectTrackingParams(objects=('box.obj',))
HERE = transform(Rotation.from_euler('z', 0.5).as_matrix(), np.array([0.02, 0.0, 0.03]))


def hands_of(truth):
    if not np.isfinite(truth.keypoints).all():
        return ()
    return (
        TrackedHand(
            1, truth.side, 'depth', truth.keypoints, np.ones(21), truth.pixels, 1.0
        ),
    )  # fmt: skip


def error(model, estimate, truth):
    """Return distance [m] and angle [rad]."""
    return model.symmetry.difference(estimate.camera_T_object, truth.objects[model.name])


def follow(tracker, stage, motion, step=2, last=None):
    for index in range(0, int(30 * (last or motion.duration)), step):
        frame, truth = stage.at(motion, index / 30.0)
        yield tracker.process(frame, hands_of(truth)), truth


@pytest.mark.parametrize('motion', ['push', 'pushed by a hand', 'lifted by a hand'])
def test_a_moving_box_is_followed(box, box_stage, motion):
    tracker = ObjectTracker([box], PARAMS)
    errors = []
    for found, truth in follow(tracker, box_stage, MOTIONS[motion], step=3):
        assert [estimate.name for estimate in found] == ['box']
        errors.append(error(box, found[0], truth))
        assert 0.3 < found[0].confidence <= 1.0
    distance, angle = np.max(errors, axis=0)
    assert distance < (0.005 if motion == 'push' else 0.008) and angle < np.radians(1.5)
    assert tracker.tracks[0].state == 'tracked'


@pytest.mark.parametrize(('name', 'last'), [('can', 0.9), ('plate', 0.9), ('pitcher', 1.3)])
def test_other_shapes_are_found_and_followed(name, last):
    model, stage = model_of(name), ObjectStage(name)
    tracker = ObjectTracker([model], PARAMS)
    for found, truth in follow(tracker, stage, MOTIONS['push'], last=last):
        distance, angle = error(model, found[0], truth)
        assert distance < 0.004 and angle < np.radians(1.5)
    stage.close()


def test_the_name_of_a_turn_is_the_same_at_each_start(box, box_stage):
    """Four turns of a box look the same; whatever is found first, one of them is said."""
    said = []
    for seed in range(3):
        frame, _ = box_stage.still(HERE, time=0.1 * seed)  # other noise
        (found,) = ObjectTracker([box], PARAMS).process(frame)
        said.append(found.camera_T_object)
    np.testing.assert_allclose(said[1], said[0], atol=0.01)
    np.testing.assert_allclose(said[2], said[0], atol=0.01)


def test_a_hand_before_it_hides_it_and_it_is_found_again(box, box_stage):
    tracker = ObjectTracker([box], PARAMS)
    states = []
    for found, truth in follow(tracker, box_stage, MOTIONS['hand passes before it'], step=1,
                               last=2.6):  # fmt: skip
        states.append(tracker.tracks[0].state)
        assert (states[-1] == 'tracked') == bool(found)
        if found:
            assert error(box, found[0], truth)[0] < 0.012
    assert 'hidden' in states and states[-1] == 'tracked'


def test_what_is_taken_away_is_lost_and_found_elsewhere(box, box_stage):
    tracker = ObjectTracker([box], PARAMS)
    assert tracker.process(box_stage.still(HERE, 0.0)[0])
    for index in range(1, 4):
        assert tracker.process(box_stage.still(None, index / 30.0)[0]) == ()
    assert tracker.tracks[0].state == 'lost' and 'behind' in tracker.tracks[0].reason
    elsewhere = transform(Rotation.from_euler('z', -1.0).as_matrix(), np.array([-0.1, 0.1, 0.03]))
    frame, truth = box_stage.still(elsewhere, 1.0)
    (found,) = tracker.process(frame)
    assert error(box, found, truth)[0] < 0.004


def test_an_object_that_leaves_the_picture_is_told(box, box_stage):
    tracker = ObjectTracker([box], PARAMS)
    side = np.array([0.62, 0.78, 0.0])  # to the right in the picture
    for index in range(60):
        moved = HERE.copy()
        moved[:3, 3] += 0.014 * index * side
        if not tracker.process(box_stage.still(moved, index / 30.0)[0]):
            break
    assert tracker.tracks[0].state == 'lost'
    assert tracker.tracks[0].reason == 'it has left the picture'


def test_nothing_of_its_size_is_not_found(box, box_stage):
    tracker = ObjectTracker([box], PARAMS)
    assert tracker.process(box_stage.still(None)[0]) == ()
    assert tracker.tracks[0].state == 'searching'
    assert 'nothing of its size' in tracker.tracks[0].reason


def test_another_thing_of_its_size_is_not_taken_for_it(box_stage):
    can = model_of('can')
    tracker = ObjectTracker([can], PARAMS)
    assert tracker.process(box_stage.still(HERE)[0]) == ()
    assert 'not found' in tracker.tracks[0].reason


def test_two_objects(box, box_stage):
    frame, _ = box_stage.still(HERE)
    tracker = ObjectTracker([box, model_of('can')], PARAMS)
    assert [estimate.name for estimate in tracker.process(frame)] == ['box']
    assert tracker.tracks[1].state == 'searching'


def test_a_distorted_lens(box, box_stage):
    """The picture of an ideal lens, named distorted, is rectified: the pose moves accordingly."""
    frame, truth = box_stage.still(HERE)
    bent = replace(frame.intrinsics, distortion=(0.08, 0.0, 0.0, 0.0, 0.0))
    ideal = ObjectTracker([box], PARAMS).process(frame)[0]
    (found,) = ObjectTracker([box], PARAMS).process(replace(frame, intrinsics=bent))
    assert error(box, ideal, truth)[0] < 0.002
    assert 0.0002 < error(box, found, truth)[0] < 0.02


def test_pictures_that_are_no_use(box, box_stage):
    frame, _ = box_stage.still(HERE, 5.0)
    tracker = ObjectTracker([box], PARAMS)
    with pytest.raises(SourceError, match=r'no depth.* box '):
        tracker.process(replace(frame, depth=None))
    assert tracker.process(frame)
    with pytest.raises(StaleInputError, match=r'5\.000 s is not newer'):
        tracker.process(frame)
    blind = Frame(frame.color, frame.intrinsics, 5.1, '', np.zeros_like(frame.depth))
    assert tracker.process(blind) == ()
    assert tracker.tracks[0].state == 'hidden'
    earlier, truth = box_stage.still(HERE, 0.5)  # a video that begins again
    assert error(box, tracker.process(earlier)[0], truth)[0] < 0.003


def test_the_same_pictures_give_the_same_poses(box, box_stage):
    runs = []
    for _ in range(2):
        tracker = ObjectTracker([box], PARAMS)
        poses = [found[0].camera_T_object
                 for found, _ in follow(tracker, box_stage, MOTIONS['push'], 3, 0.9)]  # fmt: skip
        runs.append(np.array(poses))
    np.testing.assert_array_equal(runs[0], runs[1])


def test_names_and_thresholds_are_checked(box):
    with pytest.raises(ConfigError, match='names of their own'):
        ObjectTracker([box, box], PARAMS)
    with pytest.raises(ConfigError, match='names of their own'):
        ObjectTracker([], PARAMS)
    with pytest.raises(ConfigError, match='least_confidence'):
        ObjectTracker([box], replace(PARAMS, least_confidence=0.9))


# Each parameter changes something ---------------------------------------------------------


def test_clearance(box, box_stage):
    """Of a box of 6 cm little is left above 5 cm."""
    frame, _ = box_stage.still(HERE)
    shares = []
    for clearance in (0.006, 0.05):
        (found,) = ObjectTracker([box], replace(PARAMS, clearance=clearance)).process(frame)
        shares.append(found.look.agree)
    assert shares[1] < 0.75 * shares[0]


def test_farthest(box, box_stage):
    frame, _ = box_stage.still(HERE)
    assert not ObjectTracker([box], replace(PARAMS, farthest=0.4)).process(frame)


def test_start_confidence(box, box_stage):
    frame, _ = box_stage.still(HERE)
    assert not ObjectTracker([box], replace(PARAMS, start_confidence=0.99)).process(frame)


def _covered(frame: Frame, share: float) -> Frame:
    """Put a card 20 cm nearer before the left part of the box."""
    depth = frame.depth.copy()
    depth[:, : int(320 + (share - 0.5) * 190)] -= 200
    return replace(frame, depth=depth)


def test_least_confidence(box, box_stage):
    first, _ = box_stage.still(HERE, 0.0)
    second, _ = box_stage.still(HERE, 1 / 30)
    for least, seen in ((0.05, 1), (0.54, 0)):
        tracker = ObjectTracker([box], replace(PARAMS, least_confidence=least))
        tracker.process(first)
        assert len(tracker.process(_covered(second, 0.85))) == seen, least


def test_max_gap_and_search_period(box, box_stage):
    first, _ = box_stage.still(HERE, 0.0)
    blind = replace(first, depth=np.zeros_like(first.depth))
    states = {}
    for gap in (0.2, 2.0):
        tracker = ObjectTracker([box], replace(PARAMS, max_gap=gap))
        tracker.process(first)
        for index in range(1, 16):
            tracker.process(replace(blind, stamp=index / 30))
        states[gap] = tracker.tracks[0].state
    assert states == {0.2: 'lost', 2.0: 'hidden'}
    again, _ = box_stage.still(HERE, 0.3)
    for period, seen in ((0.1, 1), (1.0, 0)):
        tracker = ObjectTracker([box], replace(PARAMS, search_period=period))
        assert tracker.process(replace(blind, stamp=0.0)) == ()
        assert len(tracker.process(again)) == seen


def test_hide_hands(box, box_stage):
    """Without the hand's pixels left out, hand and box are one thing of another size."""
    frame, truth = box_stage.at(MOTIONS['pushed by a hand'], 0.0)
    seen = {
        hide: len(
            ObjectTracker([box], replace(PARAMS, hide_hands=hide)).process(frame, hands_of(truth))
        )
        for hide in (True, False)
    }
    assert seen == {True: 1, False: 0}


# The search in the background ---------------------------------------------------------------


class Waiting:
    """The method of a track, whose search ends when it is told to."""

    def __init__(self, track):
        self._method, track._method = track._method, self
        self.go, self.begun = Event(), 0
        self.track = track

    def find(self, *arguments):
        self.begun += 1
        assert self.go.wait(60.0)
        return self._method.find(*arguments)

    def follow(self, *arguments):
        return self._method.follow(*arguments)

    def end(self):
        """Let the search that goes on come to its end."""
        self.go.set()
        wait([self.track._search[0]], 60.0)


@pytest.fixture
def background(box):
    made = ObjectTracker([box, model_of('can')], PARAMS, background=True)
    yield made
    made.close()


def test_a_search_holds_up_no_picture(background, box_stage):
    """While the can is searched for, the box is followed at the rate of the pictures."""
    frame, _ = box_stage.still(HERE)
    box, can = (Waiting(track) for track in background.tracks)
    stamps = count(0.0, 1 / 30)

    def show():
        found = background.process(replace(frame, stamp=next(stamps)))
        return [estimate.name for estimate in found]

    assert show() == []  # at once, though nothing is known
    box.end()
    assert show() == ['box']
    for _ in range(20):
        assert show() == ['box']
    can.end()  # it is not there
    can.go.clear()
    for _ in range(9):  # the period counts from the end
        assert show() == ['box'] and can.begun == 1
    for _ in range(3):
        assert show() == ['box']
    can.end()
    assert can.begun == 2 and box.begun == 1


@pytest.mark.parametrize('there', [True, False])
def test_what_a_search_found_is_followed_to_the_present(background, box, box_stage, there):
    search = Waiting(background.tracks[0])
    assert background.process(box_stage.still(HERE, 0.0)[0]) == ()
    search.end()
    moved = HERE.copy()
    moved[:2, 3] += 0.012
    frame, truth = box_stage.still(moved if there else None, 0.5)
    found = background.process(frame)
    if there:
        assert error(box, found[0], truth)[0] < 0.003
    else:
        assert found == () and background.tracks[0].state == 'lost'


def test_a_search_for_what_is_seen_again_is_dropped(background, box_stage):
    frame, _ = box_stage.still(HERE)
    blind = replace(frame, depth=np.zeros_like(frame.depth))
    search = Waiting(background.tracks[0])
    background.process(frame)
    search.end()
    background.process(replace(frame, stamp=0.1))
    search.go.clear()
    for stamp in (0.2, 0.4, 0.5):
        assert background.process(replace(blind, stamp=stamp)) == ()
    assert background.tracks[0]._search is not None
    assert len(background.process(replace(frame, stamp=0.6))) == 1
    assert background.tracks[0]._search is None
    search.go.set()


def test_loops_let_other_threads_run():
    compiled = [loop for loop in vars(kernels).values() if hasattr(loop, 'targetoptions')]
    assert len(compiled) > 8
    assert all(loop.targetoptions['nogil'] for loop in compiled)
