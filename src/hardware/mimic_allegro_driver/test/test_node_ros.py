"""The real node of the Allegro Hand: on an emulated bus, and behind an emulated stack."""

import threading
import time

import numpy as np
import pytest
from spun_node import SpunNode, wait

from mimic_allegro_driver.emulator import start

pytestmark = pytest.mark.ros
NAMES = [f'allegro_joint_{i}' for i in range(16)]
PATIENCE = 15.0  # [s]


def bench_of(*parameters: str) -> SpunNode:
    from mimic_allegro_driver.node import AllegroNode

    return SpunNode(AllegroNode, *parameters, patience=PATIENCE)


def test_on_the_bus(ros_domain):
    with start(interface='virtual', channel='node') as emulator:
        parameters = ['interface:=virtual', 'channel:=node', 'arm:=iiwa14']
        parameters += ['gravity_compensation:=true', f'limits.{NAMES[1]}.upper:=0.7']
        # The loop shares the interpreter with the emulator here.
        parameters += ['reply_timeout:=0.3', 'lost_after:=1.0']
        with bench_of(*parameters) as bench:
            bench.wait(lambda: len(bench.states) > 50)
            assert (np.diff(bench.stamps()) > 0).all()
            assert bench.states[0].name == NAMES
            assert len(bench.states[0].effort) == 16

            def there():
                bench.send('hand', allegro_joint_1=1.2)
                return emulator.plant.position[1] > 0.6

            bench.wait(there)
            time.sleep(0.3)
            assert emulator.plant.position[1] < 0.75  # the site's bound
            assert 'SAH040BR' in bench.told('hand_driver')['device']
            bench.clean_up()
            bench.wait(lambda: not emulator.plant.torque.any())


def test_the_topics_have_a_node_with_a_name_of_its_own(ros_domain):
    import rclpy
    from rclpy.node import Node

    from mimic_allegro_driver.topics import STACKS
    from mimic_allegro_driver.topics_node import RosWire

    remaps = ('__node:=left_hand', '__ns:=/left', 'allegroHand_0/joint_states:=bridge/states')
    rclpy.init(args=['--ros-args', *(text for remap in remaps for text in ('-r', remap))])
    owner = Node('hand_driver')
    wire = RosWire(owner)
    try:
        wire.open(STACKS['allegro_hand_ros'], lambda state: None)
        names = wait(lambda: len(owner.get_node_names()) > 1 and owner.get_node_names(), PATIENCE)
        assert sorted(names) == ['left_hand', 'left_hand_stack']
        assert owner.count_subscribers('/left/bridge/states') == 1
        assert owner.count_publishers('/left/allegroHand_0/joint_cmd') == 1
    finally:
        wire.close()
        owner.destroy_node()
        rclpy.shutdown()


def test_behind_allegro_hand_ros(ros_domain):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from mimic_allegro_driver.topics_emulator_node import StackNode

    context = rclpy.Context()
    rclpy.init(context=context)
    stack = StackNode(context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(stack)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    parameters = ['backend:=topics', 'rate:=100', 'lost_after:=1.0', 'reply_timeout:=0.3']
    parameters += ['discovery_timeout:=15.0']
    try:
        with bench_of(*parameters) as bench:
            bench.wait(lambda: len(bench.states) > 20)
            assert bench.states[0].name == NAMES

            def there():
                bench.send('hand', allegro_joint_14=0.9)
                return abs(stack.plant.position[14] - 0.9) < 0.01

            bench.wait(there)
            assert stack.words[0] == 'pdControl'
        wait(lambda: stack.words[-1] == 'off', PATIENCE)
    finally:
        executor.shutdown()
        spinning.join()
        stack.destroy_node()
        rclpy.shutdown(context=context)
