"""The chain behind ros2_control: gate, stand-ins for its controllers and plugin, relay, robot."""

import numpy as np
import pytest

from mimic_description import load_robot

pytestmark = pytest.mark.ros
ROBOT = load_robot('panda', 'robotiq_2f85')
ROBOT_ARGS = {'arm': 'panda', 'hand': 'robotiq_2f85'}
PERIOD = 0.01  # [s]


class ControllerManager:
    """Two trajectory controllers over two topic-based systems, as far as topics show them.

    From the start the plugin sends the initial values of the URDF every period; a controller goes
    to each single point in its time, straight from what it wanted last.
    """

    def __init__(self, world) -> None:
        from sensor_msgs.msg import JointState
        from trajectory_msgs.msg import JointTrajectory

        self._type = JointState
        self._now: dict[str, dict[str, float]] = {}
        for part, joints in (('arm', ROBOT.arm_joints), ('hand', ROBOT.hand_joints)):
            # Not home: a robot that stands at home must not go there either.
            self._now[part] = dict.fromkeys(joints, 0.0)
            out = world.node.create_publisher(JointState, f'{part}_controller/joint_commands', 1)
            world.node.create_subscription(
                JointTrajectory, f'{part}_controller/joint_trajectory',
                lambda msg, part=part: self._take(part, msg), 10,
            )  # fmt: skip
            world.node.create_timer(PERIOD, lambda part=part, out=out: self._write(part, out))

    def _take(self, part: str, msg) -> None:
        self._now[part].update(zip(msg.joint_names, msg.points[-1].positions, strict=True))

    def _write(self, part: str, out) -> None:
        now = self._now[part]
        out.publish(self._type(name=list(now), position=list(now.values())))


def test_a_robot_behind_the_topic_based_plugin(make_world, start):
    from mimic_interfaces.action import MoveTo

    begin = ROBOT.home.copy()
    begin[0], begin[-1] = 0.3, 0.2
    world = make_world(
        ROBOT, begin, ('arm_driver/joint_trajectory', 'hand_driver/joint_trajectory')
    )
    ControllerManager(world)
    relay = start('mimic_moveit.relay_node', **ROBOT_ARGS)
    world.until(lambda: relay.poll() is None and world.node.count_subscribers(
        'arm_controller/joint_commands') > 0, what='for the relay')  # fmt: skip
    world.spin(1.0)
    assert world.path == [], 'initial values moved the robot'

    start('mimic_control.node', **ROBOT_ARGS)
    world.until(lambda: len(world.path) > 20, what='for commands of the gate')
    np.testing.assert_allclose(world.position, begin, atol=1e-6)

    assert world.move.wait_for_server(timeout_sec=60.0)
    future = world.move.send_goal_async(MoveTo.Goal(posture='home', speed_scale=1.0))
    world.until(future.done)
    result = future.result().get_result_async()
    world.until(result.done)
    assert (result.result().result.success, result.result().result.message) == (True, '')
    np.testing.assert_allclose(world.position, ROBOT.home, atol=1e-3)
    steps = np.abs(np.diff(np.array(world.path), axis=0)).max(axis=0)
    # Two messages, of arm and hand, make one step; late ones may come two at once.
    assert (steps <= 4.0 * ROBOT.limits.max_speed * PERIOD + 1e-9).all()
