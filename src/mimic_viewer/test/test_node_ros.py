"""The node draws a robot whose arm and hand have drivers of their own."""

import socket

import numpy as np
import pytest

pytestmark = pytest.mark.ros


def test_joint_states_of_two_drivers_and_of_a_stranger_make_one_robot(ros_domain):
    import rclpy
    from sensor_msgs.msg import JointState

    from mimic_description import load_robot
    from mimic_viewer.node import ViewerNode

    robot, drawn = load_robot('iiwa14', 'robotiq_2f85'), []
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    context = rclpy.Context()
    arguments = ['--ros-args', '-p', 'hand:=robotiq_2f85', '-p', f'port:={port}']
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
