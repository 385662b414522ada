"""A practised policy through the real gate to the twin; somebody tells where the box is."""

import sys
import time

import numpy as np
import pytest
from node_process import running_node

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from mimic_core.frames import BASE, WORLD, from_xyz_quat  # noqa: E402
from mimic_description import load_robot  # noqa: E402
from mimic_rl import practise  # noqa: E402
from mimic_rl.run_folder import load_run  # noqa: E402

pytestmark = pytest.mark.ros
WAIT = 60.0  # [s]
ARM, HAND = 'iiwa14', 'robotiq_2f85'
TINY = ['environments=4', 'horizon=8', 'layers=[16]', 'memory=8', 'critic_layers=[16]',
        'minibatches=2']  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A run folder whose policy has learned nothing."""
    path, threads = tmp_path_factory.mktemp('run'), torch.get_num_threads()
    values = [word for text in TINY for word in ('--set', text)]
    train = ['train', path, '--steps', 32, '--threads', 1, '--film-every', 0, *values]
    for words in (['draft', path, '--task', 'box_push', '--hand', HAND], train):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(sys, 'argv', ['practise', *map(str, words)])
            practise.main()
    torch.set_num_threads(threads)
    return path


class Person:
    """Tells where the box is, starts the run, and watches everything."""

    def __init__(self, pose):
        import rclpy
        from rclpy.action import ActionClient
        from rclpy.executors import SingleThreadedExecutor
        from sensor_msgs.msg import JointState
        from tf2_msgs.msg import TFMessage

        from mimic_core import ros
        from mimic_interfaces.action import RunPolicy
        from mimic_interfaces.msg import ControlStatus, ObjectPoseArray, PolicyStatus

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('person', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.pose, self.name, self.sees = pose, 'box', True
        self.measured, self.gate, self.policy = [], [], []
        objects = 'object_tracking/objects'
        self.objects = self.node.create_publisher(
            ObjectPoseArray, objects, ros.publisher_qos(objects)
        )
        self.frames = self.node.create_publisher(TFMessage, '/tf_static', ros.LATCHED_QOS)
        self.stand(0.1)
        for kind, topic, take in (
            (JointState, 'joint_states', self.measured.append),
            (ControlStatus, 'control/status', self.gate.append),
            (PolicyStatus, 'policy/status', self.policy.append),
        ):
            self.node.create_subscription(kind, topic, take, ros.subscription_qos(topic))
        self.node.create_timer(1 / 30, self.tell)
        self.action = ActionClient(self.node, RunPolicy, 'policy/run')

    def stand(self, height):
        """Tell how high over the table the robot stands [m]."""
        from tf2_msgs.msg import TFMessage

        from mimic_core import ros

        there = np.eye(4)
        there[2, 3] = height
        still = ros.transform_to_msg(there, WORLD, BASE, ros.to_stamp(0.0))
        self.frames.publish(TFMessage(transforms=[still]))

    def tell(self):
        from mimic_core import ros
        from mimic_interfaces.msg import ObjectPose, ObjectPoseArray

        msg = ObjectPoseArray()
        msg.header.stamp, msg.header.frame_id = self.node.get_clock().now().to_msg(), WORLD
        if self.sees:
            thing = ObjectPose(name=self.name, pose=ros.pose_to_msg(self.pose), confidence=0.9)
            msg.objects.append(thing)
        self.objects.publish(msg)

    def until(self, condition, what):
        deadline = time.monotonic() + WAIT
        while not condition():
            said = self.policy[-1].reason if self.policy else ''
            assert time.monotonic() < deadline, f'waited for {what}; the policy says: {said}'
            self.executor.spin_once(timeout_sec=0.1)

    def wait(self, future):
        self.until(future.done, 'an answer')
        return future.result()

    def run(self):
        from mimic_interfaces.action import RunPolicy

        assert self.action.wait_for_server(WAIT)
        handle = self.wait(self.action.send_goal_async(RunPolicy.Goal()))
        assert handle.accepted
        return handle

    def does(self, state, text=''):
        self.until(
            lambda: self.policy and self.policy[-1].state == state
            and text in self.policy[-1].reason, f'{state} {text}',
        )  # fmt: skip
        return self.policy[-1]

    def path(self, names):
        """Return (T,) times [s] and (T, J) measured joints so far."""
        from mimic_core.ros import seconds

        times = np.array([seconds(m.header.stamp) for m in self.measured])
        q = np.array([[m.position[list(m.name).index(n)] for n in names] for m in self.measured])
        return times, q

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


def test_it_goes_beside_the_box_follows_and_stops_when_the_box_is_lost(ros_domain, folder):
    from mimic_interfaces.msg import ControlStatus, PolicyStatus

    run, robot = load_run(folder), load_robot(ARM, HAND)
    names = {'arm': ARM, 'hand': HAND}
    with (
        running_node('mimic_control.node', **names),
        running_node('mimic_sim.twin_node', task='box_push', **names),
        running_node('mimic_rl.practice_node', checkpoint=folder, approach_speed=0.6),
    ):
        first = run.trajectory[0]
        person = Person(from_xyz_quat(first[:3], first[3:]))
        person.name = 'cup'
        handle = person.run()
        person.does(PolicyStatus.HOLD, "'box' was not seen yet (seen: cup)")
        person.name = 'box'
        person.does(PolicyStatus.HOLD, 'base_link is 0.100 m above the table')
        person.stand(0.0)
        person.does(PolicyStatus.RUNNING)
        person.until(lambda: person.policy[-1].chunks >= 5, 'steps of the policy')
        assert 0.0 <= person.policy[-1].age < 0.4
        # It is lost
        person.sees = False
        held = person.does(PolicyStatus.HOLD, "'box' is lost")
        steps = held.chunks
        person.until(lambda: person.gate[-1].state == ControlStatus.HOLD, 'the gate to hold')
        count = len(person.measured) + 50
        person.until(lambda: len(person.measured) > count + 50, 'rest')
        _, q = person.path(robot.arm_joints)
        assert np.abs(q[count:] - q[count]).max() < 2e-3  # it stands
        assert person.policy[-1].chunks == steps
        # and seen again where it was: goes on to the end
        person.sees = True
        result = person.wait(handle.get_result_async()).result
        assert result.success, result.message
        assert result.holds >= 1 and result.chunks > steps and result.commands > 4 * steps
        person.until(lambda: person.gate[-1].mode == ControlStatus.IDLE, 'idle')
        times, q = person.path(robot.joint_names)
        limits = robot.limits
        assert limits.contains(q.min(axis=0), 0.02) and limits.contains(q.max(axis=0), 0.02)
        window = 10  # messages, 0.1 s
        speed = np.abs(q[window:] - q[:-window]) / (times[window:] - times[:-window])[:, None]
        assert (speed.max(axis=0) <= 1.1 * limits.max_speed).all()
        assert np.abs(q[:, :7] - q[0, :7]).max() > 0.2
        # The other end: it comes back elsewhere
        handle = person.run()
        person.until(lambda: 2 <= person.policy[-1].chunks < 20, 'steps of the policy')
        person.sees = False
        person.does(PolicyStatus.HOLD, "'box' is lost")
        person.pose = person.pose.copy()
        person.pose[0, 3] += 0.15
        person.sees = True
        result = person.wait(handle.get_result_async()).result
        assert not result.success and 'from where it was lost' in result.message
        person.close()


@pytest.mark.parametrize(
    ('parameters', 'text'),
    [
        ({'checkpoint': '/nowhere'}, 'is no run folder'),
        ({'hand': 'leap'}, f'the run is of {ARM} with {HAND}, not of {ARM} with leap'),
        ({'task': 'plate_push'}, "task: 'box_push' was practised, not 'plate_push'"),
        ({'training': 'other'}, 'nothing was practised in'),
    ],
)
def test_what_does_not_fit_ends_the_start(ros_domain, folder, parameters, text):
    with running_node('mimic_rl.practice_node', **{'checkpoint': folder, **parameters}) as process:
        _, said = process.communicate(timeout=WAIT)
    assert process.returncode == 1 and text in said
