"""The whole graph: the demo in short form, and what happens when a part of it is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]
ENOUGH = 60  # pictures of the demonstration, which takes about ten seconds
DEMO = 'import sys; from mimic_bringup.demo import main; sys.exit(main())'


def demo(*arguments, timeout=220):
    return subprocess.run(
        [sys.executable, '-c', DEMO, *arguments], capture_output=True, text=True, timeout=timeout
    )


def test_the_demo_leaves_video_report_and_episode(ros_domain, tmp_path):
    from rosbags.rosbag2 import Reader

    out = tmp_path / 'demo'
    done = demo('--hand', 'robotiq_2f85', '--seconds', '6', '--out', str(out))
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ('demo.mp4', 'report.html', 'report.json', 'episode'):
        assert str(out / name) in done.stdout
    with av.open(str(out / 'demo.mp4')) as video:
        pictures = [frame.to_ndarray(format='rgb24') for frame in video.decode(video=0)]
    assert len(pictures) > 20 and pictures[0].shape[1] == 1280
    moved = np.abs(pictures[-1].astype(int) - pictures[0]).mean(axis=(0, 2))
    assert moved[:640].max() > 2 and moved[640:].max() > 2  # the hand and the robot
    report = json.loads((out / 'report.json').read_text())
    assert report['hand_found_percent'] > 80
    assert 0 < report['latency_ms']['camera to gate output']['median'] < 2000
    assert report['tracking_error_mm']['visible']['median'] < 30
    page = (out / 'report.html').read_text()
    assert '<video src="demo.mp4"' in page and 'data:image/png' in page
    with Reader(out / 'episode') as bag:
        topics = {c.topic for c in bag.connections}
        assert {'/camera/color/image_raw', '/joint_states', '/tf_static'} <= topics
        assert bag.message_count > 500


def test_the_demo_says_what_is_wrong(tmp_path):
    for arguments, sentence in (
        (['--hand', 'alegro'], "Did you mean 'allegro'"),
        (['--video', str(tmp_path / 'none.mp4')], 'there is no video file'),
        (['--task', 'pick_plaice'], 'pick_place'),
    ):
        done = demo(*arguments, '--out', str(tmp_path / 'out'))
        assert done.returncode == 1
        assert sentence in ' '.join(done.stderr.split()) and 'Traceback' not in done.stderr


class Listener:
    """Hears what the gate does."""

    def __init__(self, domain):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core.ros import subscription_qos
        from mimic_interfaces.msg import ControlStatus

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node('listener', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status, self.outputs = None, []
        self.node.create_subscription(
            ControlStatus, 'control/status', self._keep, subscription_qos('control/status')
        )
        topic = 'arm_controller/joint_trajectory'
        self.node.create_subscription(
            JointTrajectory, topic, self.outputs.append, subscription_qos(topic)
        )

    def _keep(self, msg):
        self.status = msg

    def state(self):
        return -1 if self.status is None else self.status.state

    def wait(self, done, timeout):
        end = time.monotonic() + timeout
        while not done() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.1)
        return done()

    def close(self):
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def listener(ros_domain):
    one = Listener(ros_domain)
    yield one
    one.close()


def pid_of(log, name):
    found = re.search(rf'\[{name}-\d+\]: process started with pid \[(\d+)\]', log.read_text())
    assert found, log.read_text()
    return int(found.group(1))


@pytest.mark.parametrize('victim', ['tracking', 'twin', 'recorder'])
def test_a_part_that_is_killed_stops_no_other_and_moves_nothing(listener, tmp_path, victim):
    from mimic_bringup.graph import graph
    from mimic_description import load_robot
    from mimic_interfaces.msg import ControlStatus

    log, robot = tmp_path / 'launch.log', load_robot('iiwa14', 'robotiq_2f85')
    arguments = {
        'hand': 'robotiq_2f85', 'viewer': 'false', 'record': 'true', 'auto_start': 'true',
        'episodes': tmp_path / 'episodes',
    }  # fmt: skip
    with graph('shadow', arguments, log) as process:
        assert listener.wait(lambda: listener.state() == ControlStatus.SHADOW, 90), log.read_text()
        listener.wait(lambda: False, 2.0)
        os.kill(pid_of(log, victim), signal.SIGKILL)
        if victim != 'recorder':
            assert listener.wait(lambda: listener.state() == ControlStatus.HOLD, 5)
            assert listener.status.reason
        listener.wait(lambda: False, 1.5)
        assert process.poll() is None
        assert re.search(rf'{victim}-\d+\].*(died|exit code)', log.read_text())
    assert process.returncode is not None
    assert victim == 'tracking' or 'Traceback' not in log.read_text()
    # Every output stayed within the limits of position and speed.
    path = np.array([list(m.points[-1].positions) for m in listener.outputs])
    speed = np.array([list(m.points[-1].velocities) for m in listener.outputs])
    limits = robot.limits.select(list(range(7)))
    assert len(path) > 100
    assert all(limits.contains(q, 1e-6) for q in path)
    assert (np.abs(speed) <= limits.max_speed + 1e-6).all()
    if victim == 'recorder':
        from mimic_recording import Episode, recover_directory

        recover_directory(tmp_path / 'episodes')
        saved = [p.parent for p in (tmp_path / 'episodes').glob('*/metadata.yaml')]
        assert len(saved) == 1
        with Episode(saved[0]) as episode:
            assert not episode.problem and episode.duration > 1.0
            assert episode.topics['/joint_states'].count > 5  # a busy machine makes few


def practise(*arguments):
    """Return what a command of `./mimic practise` prints; it has to succeed."""
    command = 'import sys; from mimic_rl.practise import main; sys.exit(main())'
    done = subprocess.run(
        [sys.executable, '-c', command, *map(str, arguments)],
        capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_demonstration_of_a_bare_hand_is_recorded_and_becomes_a_run(ros_domain, tmp_path):
    """`./mimic launch collect mode:=demonstrate`, then `./mimic practise prepare` of its bag."""
    from mimic_bringup.graph import graph
    from mimic_recording import Episode
    from mimic_rl import load_run
    from mimic_rl.shown import shown_task

    arguments = {
        'mode': 'demonstrate', 'task': 'box_push', 'episodes': tmp_path / 'episodes',
        'demonstrations': '1',
    }  # fmt: skip
    with graph('collect', arguments, tmp_path / 'launch.log') as process:
        assert process.wait(timeout=150) == 0, (tmp_path / 'launch.log').read_text()[-2000:]
    (folder,) = (tmp_path / 'episodes').iterdir()
    with Episode(folder) as episode:
        assert episode.task == 'box_push'
        phases = {
            episode.decode(message).phase for message in episode.messages(['/demonstrator/status'])
        }
        assert {'rest', 'reach', 'carry', 'done'} <= phases
        for ending in ('color/image_raw', 'aligned_depth_to_color/image_raw'):
            assert episode.topics[f'/camera/{ending}'].count > 5  # a busy machine makes few
        pictures = episode.topics['/camera/aligned_depth_to_color/image_raw'].count
    if pictures < ENOUGH:
        pytest.skip(f'a machine this busy made {pictures} pictures: too few to follow the box')
    mesh, out = tmp_path / 'box.obj', tmp_path / 'run'
    practise('mesh', mesh, '--task', 'box_push')
    said = practise('prepare', folder, '--object', mesh, '--hand', 'robotiq_2f85', '--out', out)
    assert 'look at its pictures, then ./mimic practise train' in said
    run = load_run(out)
    assert (run.arm, run.hand, run.task) == ('iiwa14', 'robotiq_2f85', 'box_push')
    # The box goes as it was shown, and the hand was seen.
    shown = [shown_task('box_push').path[row][:3, 3] for row in (0, -1)]
    np.testing.assert_allclose(run.trajectory[[0, -1], :3], shown, atol=0.02)  # [m]
    assert run.demonstration is not None and len(run.trajectory) > 15
    assert {'hand_at_start.png', 'object_track.png', 'robot_at_start.png'} <= {
        path.name for path in out.iterdir()
    }


def test_a_practised_policy_is_launched_and_decides(listener, tmp_path):
    """`./mimic practise train`, then `./mimic launch policy`; what it learned does not matter."""
    pytest.importorskip('torch', reason='what learning needs is not installed')
    from mimic_bringup.graph import graph
    from mimic_core.ros import subscription_qos
    from mimic_interfaces.msg import PolicyStatus
    from mimic_rl import save_run
    from mimic_rl.shown import show

    run, log, told = tmp_path / 'run', tmp_path / 'launch.log', []
    save_run(show('box_push', 'iiwa14', 'robotiq_2f85'), run)
    small = ('environments=2', 'horizon=4', 'layers=[8]', 'memory=4', 'critic_layers=[8]',
             'level=1.0')  # fmt: skip
    values = [word for text in (*small, 'minibatches=1') for word in ('--set', text)]
    practise('train', run, '--steps', 8, '--threads', 1, '--film-every', 0, *values)
    topic = 'policy/status'
    listener.node.create_subscription(PolicyStatus, topic, told.append, subscription_qos(topic))
    arguments = {
        'checkpoint': run, 'track_object': 'false', 'agent_camera_rate': '0.0', 'viewer': 'false',
        'record': 'false',
    }  # fmt: skip
    with graph('policy', arguments, log) as process:
        decided = listener.wait(lambda: told and told[-1].chunks > 0, 90)
        said = told[-1].reason if told else 'nothing'
        assert decided, f'the policy says {said}\n{log.read_text()[-2000:]}'
        assert process.poll() is None and listener.outputs
    assert 'Traceback' not in log.read_text()
