"""Markers on objects: poses without depth, sure starts with it, and files that are wrong."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import ConfigError, SourceError, UnknownNameError
from mimic_core.frames import transform
from mimic_object_tracking import ObjectTracker, ObjectTrackingParams
from mimic_object_tracking.markers import load_markers

OPTICS = Intrinsics(640, 480, 600.0, 600.0, 319.5, 239.5)
# On the top (id 3) and on the front (id 7) of the box of 14 x 9 x 6 cm.
FILE = """
dictionary: 4x4_50
objects:
  box:
    - {id: 3, size: 0.06, xyz: [0.02, 0.0, 0.03], rpy: [0.0, 0.0, 0.4]}
    - {id: 7, size: 0.05, xyz: [0.0, -0.045, 0.0], rpy: [1.5708, 0.0, 0.0]}
"""
TURN = Rotation.from_euler('xz', [2.4, 0.5]).as_matrix()  # seen from above and before
POSE = transform(TURN, np.array([0.03, 0.02, 0.55]))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'markers.yaml'
    path.write_text(FILE)
    return path


def picture(finder, camera_T_object, ids=(3, 7), family=cv2.aruco.DICT_4X4_50):
    """Draw the markers as a pinhole camera sees them, four times finer, then smaller."""
    scale, side = 4, 240
    canvas = np.full((480 * scale, 640 * scale), 170, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(family)
    for number, marker in finder._markers['box'].items():
        if number not in ids:
            continue
        print_ = np.full((side + 80, side + 80), 255, np.uint8)
        print_[40:-40, 40:-40] = cv2.aruco.generateImageMarker(dictionary, number, side)
        corners = marker.corners @ camera_T_object[:3, :3].T + camera_T_object[:3, 3]
        target = (OPTICS.project(corners) + 0.5) * scale - 0.5
        low, high = 39.5, side + 39.5
        source = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32)
        matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
        size = canvas.shape[::-1]
        warped = cv2.warpPerspective(print_, matrix, size)
        cover = cv2.warpPerspective(np.full_like(print_, 255), matrix, size)
        canvas[cover > 127] = warped[cover > 127]
    small = cv2.resize(canvas, (640, 480), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)


@pytest.mark.parametrize('name', ['4x4_50', 'apriltag_36h11', 'apriltag_25h9'])
@pytest.mark.parametrize(
    ('ids', 'distance', 'angle'), [((3, 7), 0.002, 0.012), ((3,), 0.004, 0.08)]
)
def test_a_pose_without_depth(file, box, ids, distance, angle, name):
    file.write_text(FILE.replace('4x4_50', name))
    finder = load_markers(file, ['box'])
    family = getattr(cv2.aruco, f'DICT_{name.upper()}')
    frame = Frame(picture(finder, POSE, ids, family), OPTICS, 1.0, 'camera')
    tracker = ObjectTracker([box], ObjectTrackingParams(objects=('box.obj',), markers=str(file)))
    (found,) = tracker.process(frame)
    assert found.look is None and found.confidence > 0.5
    apart = np.linalg.norm(found.camera_T_object[:3, 3] - POSE[:3, 3])
    turned = Rotation.from_matrix(found.camera_T_object[:3, :3].T @ POSE[:3, :3]).magnitude()
    assert apart < distance and turned < angle
    # A picture without them: hidden, then lost.
    for stamp, state in ((1.5, 'hidden'), (2.5, 'lost')):
        blank = Frame(np.full((480, 640, 3), 90, np.uint8), OPTICS, stamp, 'camera')
        assert tracker.process(blank) == ()
        assert tracker.tracks[0].state == state


def test_with_depth_a_marker_starts_and_the_shape_refines(file, box, box_stage):
    """The marker says which of the turns that look the same it is, and is a little off."""
    pose = transform(Rotation.from_euler('z', 2.8).as_matrix(), np.array([0.0, 0.0, 0.03]))
    frame, truth = box_stage.still(pose)
    finder = load_markers(file, ['box'])
    rough = truth.objects['box'].copy()
    rough[:3, 3] += 0.008
    drawn = picture(finder, rough)
    marked = replace(frame, color=np.where(drawn == 170, frame.color, drawn).astype(np.uint8))
    params = ObjectTrackingParams(objects=('box.obj',), markers=str(file))
    (found,) = ObjectTracker([box], params).process(marked)
    true = truth.objects['box']
    assert found.look is not None
    assert np.linalg.norm(found.camera_T_object[:3, 3] - true[:3, 3]) < 0.003
    angle = Rotation.from_matrix(found.camera_T_object[:3, :3].T @ true[:3, :3]).magnitude()
    assert angle < 0.02  # not just one that looks the same


def marked(finder, frame, truth, stamp):
    """Return a picture of the box with its markers, later."""
    drawn = picture(finder, truth.objects['box'], (3,))
    color = np.where(drawn == 170, frame.color, drawn).astype(np.uint8)
    return replace(frame, color=color, stamp=stamp)


def turned(found, true):
    return Rotation.from_matrix(found[:3, :3].T @ true[:3, :3]).magnitude()


# Of a marker of 2.5 cm at this turn the solution that projects better is tilted the wrong way.
@pytest.mark.parametrize(('size', 'yaw'), [('0.06', 2.8), ('0.025', 3.94)])
def test_a_marker_that_is_seen_later_tells_the_half_turn(file, box, box_stage, size, yaw):
    file.write_text(FILE.replace('0.06', size))
    finder = load_markers(file, ['box'])
    pose = transform(Rotation.from_euler('z', yaw).as_matrix(), np.array([0.0, 0.0, 0.03]))
    frame, truth = box_stage.still(pose)
    true = truth.objects['box']
    tracker = ObjectTracker([box], ObjectTrackingParams(objects=('box.obj',), markers=str(file)))
    (found,) = tracker.process(replace(frame, stamp=1.0))
    assert turned(found.camera_T_object, true) > 3.1  # the half turn, which depth cannot tell
    (found,) = tracker.process(marked(finder, frame, truth, 1.0 + 1 / 30))
    assert found.look is not None and turned(found.camera_T_object, true) < 0.02


def test_depth_tells_how_a_single_marker_is_tilted(file, box, box_stage):
    file.write_text(FILE.replace('0.06', '0.025'))
    finder = load_markers(file, ['box'])
    pose = transform(Rotation.from_euler('z', 1.25).as_matrix(), np.array([0.0, 0.0, 0.03]))
    frame, truth = box_stage.still(pose)
    true = truth.objects['box']
    picture_ = marked(finder, frame, truth, 1.0)
    said = finder.find(picture_.color, frame.intrinsics)['box']
    assert turned(said.camera_T_object, true) > 1.0 and turned(said.other, true) < 0.1
    tracker = ObjectTracker([box], ObjectTrackingParams(objects=('box.obj',), markers=str(file)))
    for stamp in (1.0, 1.0 + 1 / 30):
        (found,) = tracker.process(replace(picture_, stamp=stamp))
        assert found.look is not None and turned(found.camera_T_object, true) < 0.02


def test_without_depth_a_single_marker_does_not_tip_over(file, box):
    """From afar both tilts project alike: it is the one of a moment ago."""
    finder = load_markers(file, ['box'])
    turn = Rotation.from_euler('xz', [2.6, 0.5]).as_matrix()
    near, far = (transform(turn, np.array([0.03, 0.02, z])) for z in (0.7, 1.3))
    said = finder.find(picture(finder, far, (3,)), OPTICS)['box']
    assert turned(said.camera_T_object, far) > 1.0
    tracker = ObjectTracker([box], ObjectTrackingParams(objects=('box.obj',), markers=str(file)))
    for stamp, pose in ((1.0, near), (1.1, far)):
        (found,) = tracker.process(Frame(picture(finder, pose, (3,)), OPTICS, stamp, 'camera'))
        assert turned(found.camera_T_object, pose) < 0.05


def test_an_object_without_markers_needs_depth(file, box, tmp_path):
    finder = load_markers(file, ['box'])
    frame = Frame(picture(finder, POSE), OPTICS, 1.0, 'camera')
    other = replace(box, name='other')
    tracker = ObjectTracker(
        [box, other], ObjectTrackingParams(objects=('a', 'b'), markers=str(file))
    )
    with pytest.raises(SourceError, match='other'):
        tracker.process(frame)


@pytest.mark.parametrize(
    ('old', 'new', 'error', 'says'),
    [
        ('4x4_50', '4x4_51', UnknownNameError, '4x4_51'),
        ('box:', 'bax:', UnknownNameError, "Did you mean 'box'"),
        ('size: 0.06', 'size: 60', ConfigError, r'box\[0\]: size is 60.*metres'),
        ('id: 7', 'id: 3', ConfigError, 'share an id'),
        ('id: 7', 'id: left', ConfigError, r'box\[1\]: id'),
        ('id: 7', 'id: true', ConfigError, r'box\[1\]: id is True'),
        ('id: 7', 'id: 50', ConfigError, 'marker 50: 4x4_50 has ids 0 to 49 only'),
        ('size: 0.06', 'edge: 0.06', UnknownNameError, 'edge'),
        ('objects:', 'things:', ConfigError, "'objects'"),
        ('dictionary', '[', ConfigError, 'cannot be read'),
    ],
)
def test_files_that_are_wrong(file, old, new, error, says):
    file.write_text(FILE.replace(old, new))
    with pytest.raises(error, match=says):
        load_markers(file, ['box'])
    with pytest.raises(ConfigError, match='cannot be read'):
        load_markers(file.parent / 'none.yaml', ['box'])
