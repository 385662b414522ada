"""Episodes of joints of known response, written without ROS."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from mimic_description import load_robot
from mimic_description.response import JointResponse
from mimic_identification.excitation import excite, room
from mimic_identification.plant import Sensor
from mimic_identification.simulation import simulate
from mimic_recording import EpisodeInfo, EpisodeWriter, Topic
from mimic_recording.definitions import Definition
from mimic_recording.writer import MIB, WriterOptions

TRAJECTORY, STATE = 'trajectory_msgs/msg/JointTrajectory', 'sensor_msgs/msg/JointState'
T0 = 1_800_000_000.0  # [s]
NANO = 1_000_000_000
NONE = np.zeros(0)


class EpisodeMaker:
    """Writes what the gate sent to one joint, and what its driver measured."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = get_typestore(Stores.ROS2_JAZZY)

    def definition(self, kind: str) -> Definition:
        text, _ = self.store.generate_msgdef(kind, ros_version=2)
        return Definition(kind, text, '')

    def command(self, joint: str, q: float) -> bytes:
        types = self.store.types
        stamp = types['builtin_interfaces/msg/Time'](0, 0)
        duration = types['builtin_interfaces/msg/Duration'](0, 10_000_000)
        point = types['trajectory_msgs/msg/JointTrajectoryPoint'](
            np.array([q]), NONE, NONE, NONE, duration
        )
        header = types['std_msgs/msg/Header'](stamp, '')
        message = types[TRAJECTORY](header, [joint], [point])
        return bytes(self.store.serialize_cdr(message, TRAJECTORY))

    def state(self, joints, q, time: float) -> bytes:
        types, ns = self.store.types, round(time * NANO)
        stamp = types['builtin_interfaces/msg/Time'](ns // NANO, ns % NANO)
        message = types[STATE](
            types['std_msgs/msg/Header'](stamp, ''), list(joints), np.array(q), NONE, NONE
        )
        return bytes(self.store.serialize_cdr(message, STATE))

    def write(self, rows, name: str = 'episode') -> Path:
        """Write (topic, type, time [s], data) rows."""
        options = WriterOptions(min_free_bytes=MIB)
        writer = EpisodeWriter(self.directory, EpisodeInfo(name), options)
        channels = {}
        for topic, kind, time, data in sorted(rows, key=lambda row: row[2]):
            if topic not in channels:
                channels[topic] = writer.add_topic(Topic(topic, self.definition(kind)))
            ns = round(time * NANO)
            writer.write(channels[topic], ns, ns, data)
        writer.close()
        return writer.wait().path

    def rows(self, response: JointResponse, joint: str = 'iiwa_joint_2', sensor=None):
        """Return the rows of a test motion of one joint; a second one stands still."""
        robot = load_robot('iiwa14', 'none')
        index = robot.joint_names.index(joint) if joint in robot.joint_names else 1
        start = float(robot.home[index])
        motion = excite(robot.limits, index, start, *room(robot.limits, index, start))
        sensor = sensor or Sensor(100.0)
        stamps = np.arange(0.3, motion.duration, 1.0 / sensor.rate)
        q = simulate(response, motion.times, motion.positions, stamps)
        command, state = '/arm_controller/joint_trajectory', '/joint_states'
        rows = [
            (command, TRAJECTORY, T0 + t - 0.01, self.command(joint, p))
            for t, p in zip(motion.times, motion.positions, strict=True)
        ]
        for t, p in zip(stamps, q, strict=True):
            data = self.state([joint, 'iiwa_joint_7'], [p, 0.0], T0 + t)
            rows.append((state, STATE, T0 + t + 0.001, data))
        return rows


@pytest.fixture
def maker(tmp_path):
    return EpisodeMaker(tmp_path)
