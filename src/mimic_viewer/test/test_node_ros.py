"""The node draws a robot whose arm and hand have drivers of their own; its buttons send goals."""

import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros


def test_joint_states_of_two_drivers_and_of_a_stranger_make_one_robot(ros_domain, free_port):
    import rclpy
    from sensor_msgs.msg import JointState

    from mimic_description import load_robot
    from mimic_viewer.node import ViewerNode

    robot, drawn = load_robot('iiwa14', 'robotiq_2f85'), []
    context = rclpy.Context()
    arguments = ['--ros-args', '-p', 'hand:=robotiq_2f85', '-p', f'port:={free_port}']
    rclpy.init(context=context, domain_id=ros_domain, args=arguments)
    node = ViewerNode(context=context)
    try:
        node._page.show_joints = drawn.append
        wanted = robot.home + 0.1
        node._on_joints(JointState(name=['joint_a1'], position=[3.0]))
        node._on_joints(JointState(name=list(robot.arm_joints), position=list(wanted[:7])))
        node._draw()
        assert drawn == [], 'the hand is not known yet'
        node._on_joints(JointState(name=list(robot.hand_joints), position=list(wanted[7:])))
        node._draw()
        node._draw()
        assert len(drawn) == 1
        np.testing.assert_allclose(drawn[0], wanted)
        node._on_joints(JointState(name=list(robot.hand_joints), position=[0.7]))
        node._draw()
        np.testing.assert_allclose(drawn[1], [*wanted[:7], 0.7])
    finally:
        node.destroy_node()
        context.try_shutdown()


class World:
    """The viewer beside a gate and a policy, which serve the actions in the same process."""

    def __init__(self, domain, port):
        import rclpy

        from mimic_core import ros
        from mimic_viewer.node import ViewerNode

        self.context = rclpy.Context()
        arguments = ['--ros-args', '-p', f'port:={port}', '-p', 'task:=pick_place']
        rclpy.init(context=self.context, domain_id=domain, args=arguments)
        self.viewer = ViewerNode(context=self.context)
        self.other = rclpy.create_node('other', context=self.context, use_global_arguments=False)
        self.executor = ros.make_executor(self.context)
        for node in (self.viewer, self.other):
            self.executor.add_node(node)
        self.goals, self.episodes, self.accepts = [], [], True

    def serve(self):
        from rclpy.action import ActionServer, CancelResponse, GoalResponse

        from mimic_interfaces.action import MoveTo, RunPolicy
        from mimic_interfaces.srv import StartEpisode

        def start(request, response):
            self.episodes.append(request.task)
            response.success = True
            return response

        def wanted(_):
            return GoalResponse.ACCEPT if self.accepts else GoalResponse.REJECT

        def allowed(_):
            return CancelResponse.ACCEPT

        self.servers = [
            ActionServer(
                self.other, kind, name, course, goal_callback=wanted, cancel_callback=allowed
            )
            for kind, name, course in (
                (MoveTo, 'control/move_to', self._move),
                (RunPolicy, 'policy/run', self._run),
            )
        ]
        self.other.create_service(StartEpisode, 'episode/start', start)

    async def _move(self, goal):
        from mimic_interfaces.action import MoveTo

        self.goals.append(goal.request)
        goal.abort()
        return MoveTo.Result(success=False, message='mode is shadow, not idle')

    async def _run(self, goal):
        from rclpy.task import Future

        from mimic_interfaces.action import RunPolicy

        self.goals.append(goal.request)
        self.cancelled = Future()
        self.other.create_timer(0.05, lambda: goal.is_cancel_requested and self._done())
        await self.cancelled
        goal.canceled()
        return RunPolicy.Result(success=False, message='cancelled')

    def _done(self):
        if not self.cancelled.done():
            self.cancelled.set_result(None)

    def said(self, text):
        """Wait until the page's row of the last button has a text."""
        limit = time.monotonic() + 30.0
        while (row := self.viewer._rows.get('last button', '')) != text:
            assert time.monotonic() < limit, f'{row!r}, not {text!r}'
            self.executor.spin_once(timeout_sec=0.05)

    def spin(self, duration):
        limit = time.monotonic() + duration
        while time.monotonic() < limit:
            self.executor.spin_once(timeout_sec=0.05)

    def close(self):
        self.executor.shutdown()
        for node in (self.viewer, self.other):
            node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def world(ros_domain, free_port):
    world = World(ros_domain, free_port)
    yield world
    world.close()


def test_buttons_send_goals_and_tell_how_they_went(world, press):
    page = world.viewer._page
    press(page, 'home')
    world.said('nobody offers control/move_to')
    press(page, 'policy', 'start')
    world.said('nobody offers policy/run')
    press(page, 'reset', 'hand')
    world.said('nobody offers hand_driver/reset')
    world.serve()
    while 'mode is shadow' not in world.viewer._rows['last button']:
        press(page, 'home')
        world.spin(0.5)
    assert (world.goals[-1].posture, world.goals[-1].speed_scale) == ('home', 0.0)
    world.said('control/move_to: mode is shadow, not idle')

    press(page, 'policy', 'start')
    world.said('policy/run: under way')
    assert (world.goals[-1].duration, world.goals[-1].start_posture) == (0.0, '')
    world.accepts = False
    press(page, 'policy', 'start')
    world.said('policy/run: refused; is one under way?')
    press(page, 'policy', 'stop')  # the first one all the same
    world.said('policy/run: cancelled')
    press(page, 'policy', 'stop')
    world.said('policy/run: this page sent none; mode idle ends what others sent')

    world.accepts = True
    press(page, 'policy', 'start')
    press(page, 'policy', 'stop')  # before the server has answered
    world.said('policy/run: cancelled')

    press(page, 'episode', 'start')
    world.said('episode/start: ok')
    assert world.episodes == ['pick_place']
