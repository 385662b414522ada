import threading
from dataclasses import replace

import numpy as np
import pytest

from mimic_core.frames import apply, inverse
from mimic_description import load_robot
from mimic_sim.pictures import render_scene
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams
from mimic_sim.view import ViewThread, camera_frame

SMALL = TwinParams(width=320, height=240)


@pytest.fixture(scope='module')
def twin():
    twin = Twin(load_robot('iiwa14', 'robotiq_2f85'), params=SMALL)
    yield twin
    twin.close()


def _pixel_and_depth(twin: Twin, camera: str, point: np.ndarray) -> tuple[int, int, float]:
    in_camera = apply(inverse(twin.camera_pose(camera)), point)
    u, v = np.rint(twin.intrinsics(camera).project(in_camera)).astype(int)
    return u, v, float(in_camera[2])


@pytest.mark.parametrize('camera', ['agent', 'wrist'])
def test_depth_and_pixels_are_where_geometry_says(twin: Twin, camera: str) -> None:
    twin.reset(0)
    pose = twin.objects()['cube']
    pose[:2, 3] = twin.grasp_center()[:2, 3] + (0.09, 0.0)
    twin.set_state(twin.robot.home, {'cube': pose})
    frame = twin.render(camera)
    top = pose[:3, 3] + (0.0, 0.0, 0.0225)
    u, v, z = _pixel_and_depth(twin, camera, top)
    assert frame.depth is not None
    assert abs(float(frame.depth[v, u]) - 1000 * z) < 3.0  # [mm], half a pixel on a slanted face
    red, green, blue = frame.color[v, u].astype(int)
    assert red > 1.5 * green and red > 1.5 * blue
    edge = int(0.02 * twin.intrinsics(camera).fx / z)  # 20 mm of the 45 mm cube, in pixels
    assert edge > 5
    assert frame.color[v, u - edge, 0] > 1.3 * frame.color[v, u - edge, 2]


def test_deprojected_table_is_flat_at_zero(twin: Twin) -> None:
    twin.reset(0)
    frame = twin.render('agent')
    v, u = np.mgrid[160:236:4, 4:316:4]
    z = frame.depth[v, u] / 1000.0
    points = frame.intrinsics.deproject(np.stack([u, v], -1).astype(float), z)
    heights = apply(twin.camera_pose('agent'), points)[..., 2]
    assert (np.abs(heights) < 0.0025).mean() > 0.8  # [m]: depth in whole millimetres, flat marks
    assert heights.min() > -0.0025  # nothing is below the table


def test_names_frames_and_stamps(twin: Twin) -> None:
    twin.reset(0)
    twin.step(0.25)
    frame = twin.render('agent')
    assert frame.frame_id == 'agent_camera_color_optical_frame'
    assert frame.stamp == pytest.approx(0.25)
    assert camera_frame('wrist', 'left_') == 'left_wrist_camera_color_optical_frame'
    wrist = twin.camera_pose('wrist')
    expected = twin.robot.fk(twin.joint_state()[0], 'wrist_camera_color_optical_frame')
    np.testing.assert_allclose(wrist, expected, atol=1e-5)


def test_same_state_same_pixels_also_in_a_thread(twin: Twin) -> None:
    twin.reset(0)
    direct = {camera: twin.render(camera) for camera in ('agent', 'wrist')}
    twin.close()
    seen, done = {}, threading.Event()

    def keep(camera, frame):
        seen[camera] = frame
        if len(seen) == 2:
            done.set()

    views = ViewThread(twin.new_view(), keep)
    snapshot = twin.snapshot(12.5)
    views.request('agent', snapshot)
    views.request('wrist', snapshot)
    assert done.wait(20.0)
    views.close()
    for camera, frame in seen.items():
        np.testing.assert_array_equal(frame.color, direct[camera].color)
        np.testing.assert_array_equal(frame.depth, direct[camera].depth)
        assert frame.stamp == 12.5


def test_pictures_that_come_too_early_are_dropped(twin: Twin) -> None:
    release, seen = threading.Event(), []
    begun = threading.Semaphore(0)

    def slow(camera, frame):
        seen.append(frame.stamp)
        begun.release()
        release.wait(20.0)

    views = ViewThread(twin.new_view(), slow)
    for stamp in (1.0, 2.0, 3.0, 4.0):
        views.request('agent', twin.snapshot(stamp))
        if stamp == 1.0:
            assert begun.acquire(timeout=20.0)
    release.set()
    assert begun.acquire(timeout=20.0)
    views.close()
    assert seen == [1.0, 4.0]
    assert views.dropped == 2


@pytest.mark.parametrize(
    'change',
    [
        {'width': 200},
        {'height': 200},
        {'fovy': 0.5},
        {'wrist_fovy': 0.8},
        {'samples': 4},
        {'shadows': True},
        {'depth': False},
    ],
)
def test_every_parameter_changes_the_picture(change: dict[str, object]) -> None:
    robot = load_robot('iiwa14', 'robotiq_2f85')
    camera = 'wrist' if 'wrist_fovy' in change else 'agent'
    frames = []
    for params in (SMALL, replace(SMALL, **change)):
        twin = Twin(robot, params=params)
        frames.append(twin.render(camera))
        twin.close()
    first, second = frames
    if 'depth' in change:
        assert second.depth is None
    elif first.color.shape == second.color.shape:
        assert (first.color != second.color).any(axis=-1).mean() > 0.001
    else:
        assert second.color.shape[:2] == (second.intrinsics.height, second.intrinsics.width)


def test_a_picture_for_a_document() -> None:
    robot = load_robot('so101', 'so101_gripper')
    image = render_scene(robot, robot.home, size=(320, 240), samples=2)
    assert image.shape == (240, 320, 3)
    assert image.std() > 10  # not one colour
