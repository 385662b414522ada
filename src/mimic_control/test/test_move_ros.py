"""control/move_to over real topics: our planner, MoveIt's service by a stand-in, cancelling."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from node_process import start_node, stop_node

from mimic_description import load_robot

pytestmark = pytest.mark.ros
ROBOT = load_robot('panda', 'robotiq_2f85')
NAMES = list(ROBOT.joint_names)
LIMIT = 60.0  # [s]


class World:
    """A robot that goes where it is sent, a client of the action, and a stand-in for move_group.

    The stand-in offers `plan_kinematic_path` as move_group does: a time-parameterised way for the
    joints of the group that the request names, from the start state to the joint constraints.
    """

    def __init__(self, *, moveit: bool) -> None:
        import rclpy
        from moveit_msgs.srv import GetMotionPlan
        from rclpy.action import ActionClient
        from sensor_msgs.msg import JointState
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros
        from mimic_interfaces.action import MoveTo

        self.ros, self.JointState = ros, JointState
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('world', context=self.context)
        self.executor = ros.make_executor(self.context)
        self.executor.add_node(self.node)
        self.q = dict(zip(NAMES, ROBOT.home, strict=True))
        self.requests: list[object] = []
        self.error_code = 1
        self.states = self.node.create_publisher(JointState, 'joint_states', 10)
        for part in ('arm', 'hand'):
            self.node.create_subscription(
                JointTrajectory, f'{part}_controller/joint_trajectory', self._on_output, 50
            )
        if moveit:
            self.node.create_service(GetMotionPlan, 'plan_kinematic_path', self._on_plan)
        self.node.create_timer(0.01, self._state)
        self.client = ActionClient(self.node, MoveTo, 'control/move_to')
        self.goal_type = MoveTo.Goal

    def _state(self) -> None:
        msg = self.JointState(name=NAMES, position=[float(self.q[n]) for n in NAMES])
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(msg)

    def _on_output(self, msg) -> None:
        self.q.update(zip(msg.joint_names, msg.points[-1].positions, strict=True))

    def _on_plan(self, request, response):
        from builtin_interfaces.msg import Duration
        from trajectory_msgs.msg import JointTrajectoryPoint

        wish = request.motion_plan_request
        self.requests.append(wish)
        answer = response.motion_plan_response
        answer.error_code.val = self.error_code
        state = wish.start_state.joint_state
        start = dict(zip(state.name, state.position, strict=True))
        goal = {c.joint_name: c.position for c in wish.goal_constraints[0].joint_constraints}
        trajectory = answer.trajectory.joint_trajectory
        trajectory.joint_names = list(goal)
        for i in range(21 if self.error_code == 1 else 0):
            s = 0.5 - 0.5 * np.cos(np.pi * i / 20)
            point = JointTrajectoryPoint(
                positions=[start[n] + s * (goal[n] - start[n]) for n in goal],
                time_from_start=Duration(sec=i // 10, nanosec=i % 10 * 10**8),
            )
            trajectory.points.append(point)
        return response

    def spin(self, future):
        end = time.monotonic() + LIMIT
        while not future.done():
            assert time.monotonic() < end, 'no answer'
            self.executor.spin_once(timeout_sec=0.05)
        return future.result()

    def send(self, **wish):
        """Send a goal once the node is there and knows the robot; returns its handle."""
        assert self.client.wait_for_server(timeout_sec=LIMIT)
        return self.spin(self.client.send_goal_async(self.goal_type(**wish)))

    def move(self, **wish):
        end = time.monotonic() + LIMIT
        while True:
            result = self.spin(self.send(**wish).get_result_async()).result
            early = 'no joint state' in result.message or 'not known' in result.message
            if not early or time.monotonic() > end:
                return result
            time.sleep(0.1)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def start(ros_domain: int):
    """Starts the node with parameters, and the world; returns the world and the process."""
    worlds, processes = [], []

    def begin(*, moveit: bool, **params: object):
        robot = {'arm': 'panda', 'hand': 'robotiq_2f85'}
        processes.append(start_node('mimic_control.node', **{**robot, **params}))
        worlds.append(World(moveit=moveit))
        return worlds[-1], processes[-1]

    yield begin
    for process in processes:
        stop_node(process)
    for world in worlds:
        world.close()


def _children(pid: int) -> list[int]:
    text = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True)
    return [int(word) for word in text.stdout.split()]


def _near(world: World, joint: int, by: float) -> dict[str, object]:
    q = ROBOT.home.copy()
    q[joint] += by
    return {'joint_names': NAMES, 'position': q.tolist(), 'speed_scale': 1.0}


def test_our_planner_says_what_is_in_the_way_and_ends_with_the_node(start):
    world, process = start(moveit=False)
    result = world.move(**_near(world, 1, 2.3))
    assert not result.success
    assert result.message.startswith(('goal in collision: ', 'goal outside the workspace: '))
    result = world.move(**_near(world, 0, 0.2))
    assert (result.success, result.message) == (True, '')
    assert abs(world.q[NAMES[0]] - ROBOT.home[0] - 0.2) < 1e-3
    (worker,) = _children(process.pid)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=20)[1]
    assert 'control/move_to: direct, 1 straight line' in errors
    assert 'Traceback' not in errors
    time.sleep(0.2)
    assert not Path(f'/proc/{worker}').exists(), 'the planner outlives the node'


def test_a_plan_of_moveit_is_gone(start):
    world, process = start(moveit=True, planner='moveit')
    end = time.monotonic() + LIMIT
    while True:  # until the node has found the service
        result = world.move(**_near(world, 0, 0.2))
        if 'move_group does not offer' not in result.message or time.monotonic() > end:
            break
    assert (result.success, result.message) == (True, '')
    assert abs(world.q[NAMES[0]] - ROBOT.home[0] - 0.2) < 1e-3
    (wish,) = world.requests
    assert (wish.group_name, wish.pipeline_id) == ('arm', 'ompl')
    assert wish.start_state.is_diff
    assert list(wish.start_state.joint_state.name) == NAMES
    (constraints,) = wish.goal_constraints
    assert [c.joint_name for c in constraints.joint_constraints] == NAMES[:7]
    assert 0.0 < wish.max_velocity_scaling_factor <= 1.0

    world.error_code = -1
    result = world.move(posture='home', speed_scale=1.0)
    assert (result.success, result.message) == (True, '')
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=20)[1]
    assert 'a way of MoveIt' in errors
    assert 'MoveIt: PLANNING_FAILED; direct' in errors


def test_cancelled_while_planning(start):
    world, _ = start(moveit=False)
    world.move(**_near(world, 0, 0.05))
    handle = world.send(**_near(world, 0, 0.6))
    world.spin(handle.cancel_goal_async())
    result = world.spin(handle.get_result_async()).result
    assert (result.success, result.message) == (False, 'cancelled')


def test_without_moveit_a_wish_for_it_is_refused(start):
    world, _ = start(moveit=False, planner='moveit')
    result = world.move(posture='home')
    assert not result.success
    assert "planner is 'moveit', but move_group does not offer its service" in result.message
