"""Bags that were written without ROS are read as those of the recorder."""

import numpy as np
import pytest

from mimic_bringup.trial_bag import EPOCH, NANOSECONDS, TrialRecorder
from mimic_control import GateOutput, Mode
from mimic_core.frames import BASE, inverse
from mimic_description import load_robot
from mimic_recording import Episode, EpisodeInfo, RecordingError
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams

pytest.importorskip('std_msgs', reason='the definitions of messages are not installed')

TICKS, PERIOD = 40, 0.01


@pytest.fixture(scope='module')
def recorded():
    robot = load_robot('iiwa14', 'robotiq_2f85')
    twin = Twin(robot, params=TwinParams(width=64, height=48, depth=False))
    recorder = TrialRecorder(robot, rate=10.0)
    for k in range(TICKS):
        q = robot.home + 0.001 * k
        publish = k >= 10  # the gate is silent at first
        output = GateOutput(q, np.zeros(len(q)), publish, k == 10, Mode.SHADOW, '', ())
        recorder.tick(twin, output, twin.joint_state()[0])
        if publish:
            twin.command(q)
        twin.step(PERIOD)
    yield robot, twin, recorder.bag
    twin.close()


def test_what_was_recorded_is_read(recorded, tmp_path):
    robot, twin, bag = recorded
    info = EpisodeInfo('trial', 'pick_place', ('hand=robotiq_2f85',))
    outcome = bag.write(tmp_path, info)
    with Episode(outcome.path) as episode:
        assert episode.task == 'pick_place' and not episode.problem
        assert episode.custom['tag.hand'] == 'robotiq_2f85'
        read = {}
        for message, decoded in episode.read():
            read.setdefault(message.topic, []).append((message.publish_time, decoded))
    times = [time for time, _ in read['/joint_states']]
    steps = np.arange(TICKS) * round(PERIOD * NANOSECONDS)
    np.testing.assert_allclose(times, EPOCH * NANOSECONDS + steps, atol=1000)
    assert len(read['/arm_controller/joint_trajectory']) == TICKS - 10
    commands = {}
    for part in ('arm', 'hand'):
        _, last = read[f'/{part}_controller/joint_trajectory'][-1]
        commands |= dict(zip(last.joint_names, last.points[0].positions, strict=True))
        ahead = last.points[0].time_from_start
        assert ahead.sec == 0 and ahead.nanosec == pytest.approx(1e7, abs=1e3)
    wanted = robot.home + 0.001 * (TICKS - 1)
    np.testing.assert_allclose([commands[name] for name in robot.joint_names], wanted)
    # Each camera at its own rate, from the first moment on.
    pictures = read['/agent_camera/color/image_raw']
    assert len(pictures) == len(read['/wrist_camera/color/image_raw']) == 4
    assert np.diff([time for time, _ in pictures]) == pytest.approx(1e8, abs=1e3)
    image = pictures[0][1]
    assert (image.height, image.width, image.encoding, len(image.data)) == (48, 64, 'rgb8', 9216)
    calibration = read['/agent_camera/color/camera_info'][0][1]
    assert calibration.k[0] == pytest.approx(twin.intrinsics('agent').fx)
    place = read['/tf_static'][0][1].transforms[0]
    expected = inverse(robot.fk(robot.home, BASE)) @ twin.camera_pose('agent')
    where = place.transform.translation
    assert (where.x, where.y, where.z) == pytest.approx(tuple(expected[:3, 3]))
    assert place.header.frame_id == 'base_link' and place.child_frame_id == image.header.frame_id


def test_a_name_that_is_taken_is_refused(recorded, tmp_path):
    bag = recorded[2]
    bag.write(tmp_path, EpisodeInfo('one'))
    with pytest.raises(RecordingError, match="an episode 'one'"):
        bag.write(tmp_path, EpisodeInfo('one'))
