"""Policies without a network, for what runs one."""

import os
import signal

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError, NotFiniteError
from mimic_core.frames import PALM
from mimic_dataset.axis_angle import continuous
from mimic_description import RobotModel, load_robot
from mimic_policy.interface import Observation
from mimic_policy.meta import PolicyMeta, Range
from mimic_retargeting import ArmIK

FPS = 10.0
HORIZON = 32


def meta_of(robot: RobotModel, *, fps: float = FPS, steps: int = 2, cameras=('agent', 'wrist')):
    arms, joints = len(robot.arm_joints), len(robot.hand_joints)
    return PolicyMeta(
        task='pick_place', arm=robot.arm.name, hand=robot.hand.name, joint_names=robot.hand_joints,
        joint_lower=tuple(robot.limits.lower[arms:]), joint_upper=tuple(robot.limits.upper[arms:]),
        frame=PALM, cameras=dict.fromkeys(cameras, (24, 32)),
        recorded=dict.fromkeys(cameras, (480, 640)), fps=fps, observation_steps=steps,
        horizon=HORIZON, action=Range((-1.0,) * (6 + joints), (1.0,) * (6 + joints)),
        state=Range((-1.0,) * (9 + joints), (1.0,) * (9 + joints)),
        rotation_reference=(0.0, 0.0, 0.0), method='robot_only',
    )  # fmt: skip


def actions_of(robot: RobotModel, times, q, fps: float = FPS):
    """Return (T, 6 + J) actions of (N, J) commands at (N,) times, as a dataset holds them."""
    ik, arms = ArmIK(robot, PALM), len(robot.arm_joints)
    moments = np.arange(0.0, times[-1], 1.0 / fps)
    sampled = np.array([np.interp(moments, times, column) for column in q.T]).T
    poses = np.array([ik.pose(joints[:arms]) for joints in sampled])
    turns = Rotation.from_matrix(poses[:, :3, :3]).as_rotvec()
    return np.hstack([poses[:, :3, 3], continuous(turns, turns[0]), sampled[:, arms:]])


class Recorded:
    """Knows what was commanded once; it is told the time that no observation holds."""

    def __init__(self, robot: RobotModel, rows, fps: float = FPS, **options) -> None:
        self.meta = meta_of(robot, fps=fps, **options)
        self.rows, self.time = rows, 0.0
        self.fail = ''
        self.seen: list[Observation] = []

    def check(self, robot, cameras) -> None:
        self.meta.check(robot, cameras)

    def predict(self, observation: Observation, rng: np.random.Generator):
        self.seen.append(observation)
        if self.fail:
            raise NotFiniteError(self.fail)
        place = np.clip(self.time * self.meta.fps + np.arange(HORIZON), 0, len(self.rows) - 1)
        low = np.floor(place).astype(int)
        share = (place - low)[:, None]
        high = np.minimum(low + 1, len(self.rows) - 1)
        return (1.0 - share) * self.rows[low] + share * self.rows[high]


def stays_home() -> Recorded:
    """Return a policy that commands what it first saw; processes can load it."""
    robot = load_robot('iiwa14', 'robotiq_2f85')
    times = np.array([0.0, 1.0])
    return Recorded(robot, actions_of(robot, times, np.array([robot.home, robot.home])))


def dies():
    """Kill the process that asks for a policy."""
    os.kill(os.getpid(), signal.SIGKILL)


def damaged():
    """Be a policy that cannot be loaded."""
    raise ConfigError('weights.safetensors: damaged')
