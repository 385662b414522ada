"""An untrained policy through the real gate to a small robot with two cameras."""

import time

import numpy as np
import pytest
from node_process import running_node
from policy_networks import save_tiny

from mimic_description import load_robot

pytestmark = pytest.mark.ros
WAIT = 40.0  # [s]
ARM, HAND = 'arm_controller/joint_trajectory', 'hand_controller/joint_trajectory'
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


class Robot:
    """Follows what the gate commands, at once; says where it is and what it sees."""

    def __init__(self, robot):
        import rclpy
        from rclpy.action import ActionClient
        from rclpy.executors import SingleThreadedExecutor
        from sensor_msgs.msg import Image, JointState
        from std_msgs.msg import Bool
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core.ros import COMMAND_QOS, SENSOR_PUBLISHER_QOS, subscription_qos
        from mimic_interfaces.action import RunPolicy
        from mimic_interfaces.msg import ControlStatus, PolicyStatus

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('robot', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.q = dict(zip(robot.joint_names, robot.home, strict=True))
        self.cameras = {'agent', 'wrist'}
        self.commands, self.gate, self.policy = [], [], []
        self.states = self.node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)
        self.views = {
            name: self.node.create_publisher(
                Image, f'{name}_camera/color/image_raw', SENSOR_PUBLISHER_QOS
            )
            for name in sorted(self.cameras)
        }
        self.enable = self.node.create_publisher(Bool, 'control/enable', COMMAND_QOS)
        self.held = None
        for kind, topic, take in (
            (JointTrajectory, ARM, self.obey),
            (JointTrajectory, HAND, self.obey),
            (JointTrajectory, 'policy/command', lambda m: self.commands.append(self.now())),
            (ControlStatus, 'control/status', self.gate.append),
            (PolicyStatus, 'policy/status', self.policy.append),
        ):
            self.node.create_subscription(kind, topic, take, subscription_qos(topic))
        self.node.create_timer(0.01, self.tell)
        self.node.create_timer(1 / 30, self.show)
        self.action = ActionClient(self.node, RunPolicy, 'policy/run')

    def now(self):
        return self.node.get_clock().now().nanoseconds * 1e-9

    def obey(self, msg):
        self.q.update(zip(msg.joint_names, msg.points[-1].positions, strict=True))

    def tell(self):
        from sensor_msgs.msg import JointState

        msg = JointState(name=list(self.q), position=list(self.q.values()))
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(msg)

    def show(self):
        from std_msgs.msg import Bool

        from mimic_core.ros import image_to_msg

        stamp = self.node.get_clock().now().to_msg()
        for name in self.cameras:
            self.views[name].publish(image_to_msg(PICTURE, stamp, name))
        if self.held is not None:
            self.enable.publish(Bool(data=self.held))

    def until(self, condition, what):
        deadline = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < deadline, f'waited for {what}'
            self.executor.spin_once(timeout_sec=0.1)

    def wait(self, future):
        self.until(future.done, 'an answer')
        return future.result()

    def run(self, duration=0.0):
        from mimic_interfaces.action import RunPolicy

        assert self.action.wait_for_server(WAIT)
        handle = self.wait(self.action.send_goal_async(RunPolicy.Goal(duration=duration)))
        assert handle.accepted
        return handle

    def does(self, state):
        self.until(lambda: self.policy and self.policy[-1].state == state, f'policy {state}')
        return self.policy[-1]

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def world(ros_domain, tmp_path):
    folder = save_tiny(tmp_path / 'run')
    model = load_robot('panda', 'robotiq_2f85')
    names = {'arm': 'panda', 'hand': 'robotiq_2f85'}
    # An untrained network wants to be anywhere, and at another place each time.
    loose = {'checkpoint': folder, 'max_lag': 1.0, 'max_lead': 10.0, 'max_age': 5.0}
    with (
        running_node('mimic_control.node', **names),
        running_node('mimic_policy.node', **loose),
    ):
        robot = Robot(model)
        yield robot
        robot.close()


def test_it_runs_holds_gives_way_and_ends(world):
    from mimic_interfaces.msg import ControlStatus, PolicyStatus

    # One run to its end
    result = world.wait(world.run(2.0).get_result_async()).result
    assert result.success, result.message
    assert 1.9 < result.duration < 4.0 and result.commands > 20 and result.chunks > 1
    world.until(lambda: world.gate[-1].mode == ControlStatus.IDLE, 'idle')
    assert any(status.source == 'policy/command' for status in world.gate)
    # A camera goes and comes back
    handle = world.run()
    world.does(PolicyStatus.RUNNING)
    world.cameras.discard('wrist')
    held = world.does(PolicyStatus.HOLD)
    assert 'wrist camera: the last picture is' in held.reason
    world.until(lambda: world.gate[-1].state == ControlStatus.HOLD, 'the gate to hold')
    world.cameras.add('wrist')
    world.does(PolicyStatus.RUNNING)
    # A person takes over and hands back
    world.held = True
    world.does(PolicyStatus.PERSON)
    assert world.gate[-1].mode == ControlStatus.POLICY
    world.until(lambda: 'a person took over' in world.gate[-1].reason, 'the person')
    world.held = False
    world.does(PolicyStatus.RUNNING)
    # It is cancelled
    world.wait(handle.cancel_goal_async())
    result = world.wait(handle.get_result_async()).result
    assert not result.success and result.message == 'cancelled' and result.holds >= 1
    world.until(lambda: world.gate[-1].mode == ControlStatus.IDLE, 'idle')
    world.does(PolicyStatus.IDLE)


def test_leaving_the_mode_ends_a_run(world):
    from mimic_interfaces.msg import PolicyStatus
    from mimic_interfaces.srv import SetMode

    handle = world.run()
    world.does(PolicyStatus.RUNNING)
    client = world.node.create_client(SetMode, 'control/set_mode')
    assert client.wait_for_service(WAIT)
    assert world.wait(client.call_async(SetMode.Request(mode=0))).success
    result = world.wait(handle.get_result_async()).result
    assert not result.success and result.message.startswith('mode policy was left')


@pytest.mark.parametrize(
    ('parameters', 'text'),
    [
        ({}, "'checkpoint' of policy is required"),
        ({'checkpoint': '/nowhere'}, 'no checkpoint'),
        ({'checkpoint': None, 'hand': 'fin_ray'}, "hand: the policy is for 'robotiq_2f85'"),
        ({'checkpoint': None, 'task': 'push'}, "task: the policy is for 'pick_place'"),
    ],
)
def test_what_does_not_fit_ends_the_start(ros_domain, tmp_path, parameters, text):
    if 'checkpoint' in parameters and parameters['checkpoint'] is None:
        parameters = parameters | {'checkpoint': save_tiny(tmp_path / 'run')}
    with running_node('mimic_policy.node', **parameters) as process:
        _, said = process.communicate(timeout=WAIT)
    assert process.returncode == 1 and text in said
