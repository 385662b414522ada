"""MoveIt Servo in the place of our IK: bridge, gate and robot, with a stand-in for Servo."""

import signal

import numpy as np
import pytest

from mimic_core.frames import BASE, PALM
from mimic_description import load_robot

pytestmark = pytest.mark.ros
ROBOT = load_robot('iiwa14', 'robotiq_2f85')
NAMES = ROBOT.joint_names
ARGS = {'arm': 'iiwa14', 'hand': 'robotiq_2f85'}
STAND_IN = ('servo_stand_in.py', '--arm', 'iiwa14', '--hand', 'robotiq_2f85')


class Retargeting:
    """Publishes what mimic_retargeting does with arm_backend servo: a pose, the hand's joints."""

    def __init__(self, world) -> None:
        from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

        from mimic_interfaces.msg import ShadowStatus

        self._world, self._point = world, JointTrajectoryPoint
        self._types = ShadowStatus, JointTrajectory
        self.target = ROBOT.fk(ROBOT.home, PALM, BASE)
        self.fingers, self.engaged = 0.0, True
        topics = world.ros.publisher_qos
        self._status = world.node.create_publisher(
            ShadowStatus, 'shadow/status', topics('shadow/status')
        )
        self._hand = world.node.create_publisher(
            JointTrajectory, 'retargeting/hand_command', topics('retargeting/hand_command')
        )
        world.node.create_timer(1.0 / 30.0, self._publish)

    def _publish(self) -> None:
        status_type, trajectory_type = self._types
        now = self._world.ros.now(self._world.node)
        stamp = self._world.ros.to_stamp(now - 0.04)  # the camera and the tracker
        hand = trajectory_type(joint_names=list(ROBOT.hand_joints))
        hand.header.stamp = stamp
        hand.points.append(self._point(positions=[self.fingers]))
        self._hand.publish(hand)
        status = status_type(engaged=self.engaged, tracking=True, reason='')
        status.header.stamp, status.header.frame_id = stamp, BASE
        status.target = self._world.ros.pose_to_msg(self.target)
        self._status.publish(status)


def palm(world) -> np.ndarray:
    return ROBOT.fk(world.position, PALM, BASE)


def test_the_robot_follows_through_servo(make_world, start):
    from trajectory_msgs.msg import JointTrajectory

    from mimic_interfaces.msg import ControlStatus
    from mimic_interfaces.srv import SetMode

    topics = ('arm_controller/joint_trajectory', 'hand_controller/joint_trajectory')
    world = make_world(ROBOT, ROBOT.home, topics)
    commands, statuses = [], []
    world.node.create_subscription(JointTrajectory, 'shadow/command', commands.append, 10)
    world.node.create_subscription(
        ControlStatus, 'control/status', statuses.append, world.ros.LATCHED_QOS
    )
    retargeting = Retargeting(world)
    bridge = start('mimic_moveit.servo_bridge_node', **ARGS)
    start('mimic_control.node', **ARGS, enable_timeout=0.3)
    servo = start(*STAND_IN)
    reply = world.call(SetMode, 'control/set_mode', mode=ControlStatus.SHADOW)
    assert reply.success, reply.message
    world.until(lambda: commands, what='for commands')
    world.until(
        lambda: statuses and statuses[-1].state == ControlStatus.SHADOW, what='for the gate'
    )

    retargeting.target = retargeting.target.copy()
    retargeting.target[:3, 3] += [0.06, 0.08, -0.05]
    retargeting.fingers = 0.4
    away = lambda: np.linalg.norm(palm(world)[:3, 3] - retargeting.target[:3, 3])  # noqa: E731
    world.until(lambda: away() < 0.002 and abs(world.position[-1] - 0.4) < 1e-3, 20.0, 'to arrive')
    assert tuple(commands[-1].joint_names) == NAMES
    stamps = [world.ros.seconds(c.header.stamp) for c in commands]
    assert (np.diff(stamps) > 0.0).all(), 'one command for each look'
    steps = np.abs(np.diff(np.array(world.path), axis=0)).max(axis=0)
    assert (steps <= 4.0 * ROBOT.limits.max_speed * 0.01 + 1e-9).all()
    assert 0.0 < statuses[-1].latency < 0.25

    retargeting.engaged = False  # the clutch opens: nothing more is sent, and the gate holds
    count = len(commands)
    world.spin(0.3)
    assert len(commands) <= count + 2
    world.until(lambda: statuses[-1].state == ControlStatus.HOLD, 5.0, 'for the gate to hold')
    retargeting.engaged = True
    world.until(lambda: statuses[-1].state == ControlStatus.SHADOW, 5.0, 'to go on')

    servo.send_signal(signal.SIGINT)  # started anew, Servo has no command type: it is set again
    servo.communicate(timeout=20)
    world.until(lambda: statuses[-1].state == ControlStatus.HOLD, 5.0, 'for the gate to hold')
    start(*STAND_IN)
    world.until(lambda: statuses[-1].state == ControlStatus.SHADOW, 40.0, 'for the new Servo')
    retargeting.target[:3, 3] -= [0.06, 0.0, -0.05]
    world.until(lambda: away() < 0.002, 20.0, 'to arrive again')
    bridge.send_signal(signal.SIGINT)
    errors = bridge.communicate(timeout=20)[1]
    assert errors.count('Servo follows poses') >= 2
    assert 'Traceback' not in errors


def test_an_arm_of_five_joints_is_refused(start):
    process = start('mimic_moveit.servo_bridge_node', arm='so101', hand='so101_gripper')
    errors = process.communicate(timeout=40)[1]
    assert process.returncode == 1
    assert 'arm of 6 joints or more, not 5' in errors
