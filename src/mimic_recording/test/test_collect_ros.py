"""The collector with a real recorder; who shows, the twin and the gate are stand-ins."""

import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from mimic_recording import Episode

from .test_recorder_ros import recorder

pytestmark = pytest.mark.ros
CODE = 'from mimic_recording.collect_node import main; main()'
LONGEST = 90.0  # [s]


class World:
    """Answers what the collector asks, and notes it; the task fails at the seeds of `fails`."""

    def __init__(self, robot: bool, fails: tuple[int, ...] = ()) -> None:
        import rclpy
        from rclpy.action import ActionServer
        from std_srvs.srv import Trigger
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core.ros import make_plain_executor, publisher_qos
        from mimic_interfaces.action import MoveTo
        from mimic_interfaces.msg import ControlStatus, DemonstratorStatus, TwinStatus
        from mimic_interfaces.srv import ResetTwin, SetMode

        self.asked: list[object] = []
        self.seed, self.mode, self.fails = -1, 0, fails
        self.shown = -1e9  # [s] when the person began
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = node = rclpy.create_node('world', context=self.context)
        self.executor = make_plain_executor(self.context)
        self.executor.add_node(node)
        node.create_service(Trigger, 'demonstrator/show', self.show)
        kinds = {'demonstrator/status': DemonstratorStatus}
        if robot:
            kinds |= {
                'twin/status': TwinStatus, 'control/status': ControlStatus,
                'shadow/command': JointTrajectory,
            }  # fmt: skip
            node.create_service(ResetTwin, 'twin/reset', self.reset)
            node.create_service(SetMode, 'control/set_mode', self.set_mode)
            self.moves = ActionServer(node, MoveTo, 'control/move_to', self.move)
        self.publishers = {
            topic: (kind, node.create_publisher(kind, topic, publisher_qos(topic)))
            for topic, kind in kinds.items()
        }
        node.create_timer(0.05, self.tick)

    def show(self, _, response):
        self.asked.append('show')
        self.shown = time.monotonic()
        response.success = True
        return response

    def reset(self, request, response):
        self.asked.append(('reset', request.seed))
        self.seed = request.seed
        response.success = True
        return response

    def set_mode(self, request, response):
        self.asked.append(('mode', request.mode))
        self.mode = request.mode
        response.success = True
        return response

    def move(self, goal):
        from mimic_interfaces.action import MoveTo

        self.asked.append(('move', goal.request.posture))
        goal.succeed()
        return MoveTo.Result(success=True)

    def tick(self):
        since = time.monotonic() - self.shown
        phase = 'reach' if 0.2 < since < 0.6 else 'done' if 0.6 < since < 100.0 else 'rest'
        fields = {
            'demonstrator/status': {'phase': phase},
            'twin/status': {'success': phase == 'done' and self.seed not in self.fails},
            'control/status': {'mode': self.mode, 'state': self.mode},
            'shadow/command': {},
        }
        for topic, (kind, publisher) in self.publishers.items():
            publisher.publish(kind(**fields[topic]))

    def close(self):
        self.node.destroy_node()
        self.context.try_shutdown()


@contextmanager
def world(**options):
    made = World(**options)
    try:
        yield made
    finally:
        made.close()


def collect(place: World, folder, **params) -> tuple[int, str]:
    """Run the collector beside a recorder; return its exit code and what it said."""
    arguments = [part for key, value in params.items() for part in ('-p', f'{key}:={value}')]
    command = [sys.executable, '-c', CODE, '--ros-args', '-p', 'task:=push', *arguments]
    with recorder(folder):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        end = time.monotonic() + LONGEST
        while process.poll() is None and time.monotonic() < end:
            place.executor.spin_once(timeout_sec=0.02)
        process.kill()
        text = process.communicate()[0]
    return process.returncode, text


def test_demonstrations_of_a_robot(ros_domain, tmp_path):
    with world(robot=True, fails=(4,)) as place:
        code, text = collect(place, tmp_path, count=2, seed=3, arm='iiwa7', hand='fin_ray')
    assert code == 0, text
    each = [('mode', 0), ('move', 'home'), ('reset', 3), ('mode', 1), 'show']
    rounds = [place.asked[i : i + 5] for i in (0, 5, 10)]
    assert rounds[0] == each and len(place.asked) == 15
    assert [one[2] for one in rounds] == [('reset', 3), ('reset', 4), ('reset', 5)]
    assert 'not kept: the task did not succeed' in text and '2 of 2 are recorded' in text
    folders = [path for path in tmp_path.iterdir() if (path / 'metadata.yaml').is_file()]
    assert len(folders) == len(list(tmp_path.iterdir())) == 2
    tags = set()
    for path in folders:
        with Episode(path) as episode:
            assert episode.task == 'push'
            tags.add(episode.custom['tag.seed'])
            robot = episode.custom['tag.arm'], episode.custom['tag.hand']
            assert robot == ('iiwa7', 'fin_ray')
    assert tags == {'3', '5'}


def test_a_task_that_nobody_can_do_ends(ros_domain, tmp_path):
    with world(robot=True, fails=(0, 1)) as place:
        code, text = collect(place, tmp_path, count=1, tries=2)
    assert code == 1 and '0 of 2 trials succeeded, 1 are wanted' in text
    assert list(tmp_path.iterdir()) == []


def test_a_bare_hand_needs_no_robot(ros_domain, tmp_path):
    with world(robot=False) as place:
        code, text = collect(place, tmp_path, count=1, teleoperated='false', arm='iiwa7')
    assert code == 0, text
    (folder,) = tmp_path.iterdir()
    with Episode(folder) as episode:
        assert 'tag.arm' not in episode.custom
    assert place.asked == ['show']
