"""Inverse kinematics of the arms against PyBullet, mink and pink.

Random reachable poses are those of uniform random joints within limits, so every pose has a
solution; the smooth paths are those of slow sines of the joints, sampled at 30 Hz. Every solver
starts at home and has the same tolerance and the same joint limits; the peers get the loops that
their documentation shows, and up to 20 random starts. Peers see fewer poses, because they are
slower.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.harness import Options, Row, at_least, at_most, info, timings
from mimic_core.arrays import FloatArray
from mimic_core.frames import BASE, FLANGE, to_quat_xyzw
from mimic_description import RobotModel, load_robot
from mimic_retargeting import ArmIK

ARMS = ('iiwa14', 'panda', 'so101')
POSITION = 0.5e-3  # [m]
ROTATION = np.deg2rad(0.5)  # [rad]
DT = 1.0 / 30.0  # [s]
STARTS = 20
ITERATIONS = 30


def run(options: Options) -> list[Row]:
    """Return success rates, errors and times for each arm and solver."""
    rows: list[Row] = []
    for arm in ARMS:
        robot = load_robot(arm, 'none')
        rng = np.random.default_rng(options.seed)
        ik = ArmIK(robot)
        poses = random_poses(robot, ik, rng, 1000 if options.quick else 5000)
        paths = smooth_paths(robot, ik, rng, 10 if options.quick else 60)
        rows += global_rows(arm, robot, ik, poses)
        rows += path_rows(arm, ik, paths)
        rows += out_of_reach_rows(arm, robot, ik, rng, 300 if options.quick else 2000)
        for make in (Bullet, Mink, Pink):
            try:
                peer = make(robot)
            except ImportError as error:
                print(f'without {make.__name__}: {error}')
                continue
            rows += peer_rows(
                f'{arm}, {peer.name}', robot, ik, peer, poses[: 40 if options.quick else 200],
                paths[: 2 if options.quick else 10], rng,
            )  # fmt: skip
    return rows


# What is asked for ---------------------------------------------------------------------------


def random_poses(
    robot: RobotModel, ik: ArmIK, rng: np.random.Generator, count: int
) -> list[FloatArray]:
    """Return poses (4, 4) that joints within limits reach."""
    lower, upper = robot.limits.lower, robot.limits.upper
    return [ik.pose(rng.uniform(lower, upper)) for _ in range(count)]


def smooth_paths(
    robot: RobotModel, ik: ArmIK, rng: np.random.Generator, count: int
) -> list[tuple[FloatArray, FloatArray, list[FloatArray]]]:
    """Return (first joints, first speeds, poses) of paths of 200 poses at 30 Hz."""
    lower, upper = robot.limits.lower, robot.limits.upper
    size, paths = len(lower), []
    for _ in range(count):
        middle = lower + (upper - lower) * rng.uniform(0.3, 0.7, size)
        amplitude = np.minimum(rng.uniform(0.0, 0.3, size), 0.25 * (upper - lower))
        rate, phase = rng.uniform(0.1, 0.3, size), rng.uniform(0.0, 2 * np.pi, size)
        angle = 2 * np.pi * rate * DT * np.arange(201)[:, None] + phase
        q = middle + amplitude * np.sin(angle)
        paths.append((q[0], (q[1] - q[0]) / DT, [ik.pose(row) for row in q[1:]]))
    return paths


# Ours ----------------------------------------------------------------------------------------


def global_rows(arm: str, robot: RobotModel, ik: ArmIK, poses: Sequence[FloatArray]) -> list[Row]:
    """Return rows of the global search."""
    times, reached, inside = [], 0, True
    for pose in poses:
        started = time.perf_counter()
        result = ik.solve(pose, position_tolerance=POSITION, rotation_tolerance=ROTATION)
        times.append(time.perf_counter() - started)
        reached += check(robot, result.q, pose)
        inside = inside and robot.limits.contains(result.q, 0.0)
    return [
        at_least(f'{arm}, random poses: reached', 100 * reached / len(poses), '%', 99.9),
        at_most(f'{arm}, random poses: mean time', 1e3 * float(np.mean(times)), 'ms', 0.5),
        *timings(f'{arm}, random poses', times),
        at_least(f'{arm}, random poses: joints within limits', float(inside), '1', 1.0),
    ]


def path_rows(
    arm: str, ik: ArmIK, paths: Sequence[tuple[FloatArray, FloatArray, list[FloatArray]]]
) -> list[Row]:
    """Return rows of following smooth paths with speed and acceleration limits."""
    times, errors, turns = [], [], []
    for q, speed, poses in paths:
        ik.reset(speed)
        for pose in poses:
            started = time.perf_counter()
            result = ik.step(q, pose, DT)
            times.append(time.perf_counter() - started)
            q = result.q
            errors.append(result.position_error)
            turns.append(result.rotation_error)
    mm, degrees = 1e3 * np.array(errors), np.rad2deg(turns)
    return [
        at_most(f'{arm}, path: position error, p99', float(np.percentile(mm, 99)), 'mm', 0.01),
        at_most(f'{arm}, path: position error, mean', float(np.mean(mm)), 'mm', 0.01),
        # Beyond the target only where a speed limit or a singularity is met; that share:
        info(f'{arm}, path: position error, largest', float(np.max(mm)), 'mm'),
        info(f'{arm}, path: steps above 0.01 mm', 100 * float(np.mean(mm > 0.01)), '%'),
        info(f'{arm}, path: rotation error, p99', float(np.percentile(degrees, 99)), '°'),
        *timings(f'{arm}, path, one step', times, 0.1),
    ]


def out_of_reach_rows(
    arm: str, robot: RobotModel, ik: ArmIK, rng: np.random.Generator, count: int
) -> list[Row]:
    """Return rows of reachable positions with orientations that are out of reach there."""
    errors, times = [], []
    for pose in random_poses(robot, ik, rng, count):
        pose[:3, :3] = Rotation.random(random_state=rng).as_matrix()
        started = time.perf_counter()
        result = ik.solve(pose, position_tolerance=POSITION, rotation_tolerance=ROTATION)
        if not result.reached:
            times.append(time.perf_counter() - started)
            errors.append(1e3 * result.position_error)
    return [
        info(f'{arm}, orientation out of reach: poses', len(errors), ''),
        at_most(
            f'{arm}, orientation out of reach: largest position error', max(errors), 'mm', 1.0
        ),
        *timings(f'{arm}, orientation out of reach', times),
    ]


def check(robot: RobotModel, q: FloatArray, pose: FloatArray) -> bool:
    """Tell whether joints reach a pose within limits, by pinocchio."""
    if not robot.limits.contains(q, 1e-6):
        return False
    here = robot.fk(q, FLANGE, BASE)
    angle = np.arccos(np.clip(0.5 * (np.trace(here[:3, :3].T @ pose[:3, :3]) - 1.0), -1.0, 1.0))
    offset = np.linalg.norm(here[:3, 3] - pose[:3, 3])
    return bool(offset < POSITION and angle < ROTATION)


# Peers ---------------------------------------------------------------------------------------


class Peer(Protocol):
    """Another library: several iterations from a start, and one step along a path."""

    name: str

    def solve(self, q: FloatArray, pose: FloatArray, reached: Callable[[FloatArray], bool]) -> Any:
        """Return (J,) joints after up to ITERATIONS from `q`, sooner when they are `reached`."""
        ...

    def step(self, q: FloatArray, pose: FloatArray) -> FloatArray:
        """Return (J,) joints one step later on a path."""
        ...


def peer_rows(
    name: str,
    robot: RobotModel,
    ik: ArmIK,
    peer: Peer,
    poses: Sequence[FloatArray],
    paths: Sequence[tuple[FloatArray, FloatArray, list[FloatArray]]],
    rng: np.random.Generator,
) -> list[Row]:
    """Return rows of a peer; none has a target."""
    lower, upper = robot.limits.lower, robot.limits.upper
    first, reached, times = 0, 0, []
    for pose in poses:
        started = time.perf_counter()
        for start in range(STARTS):
            q = robot.home if start == 0 else rng.uniform(lower, upper)

            def near(joints: FloatArray, pose: FloatArray = pose) -> bool:
                here = ik.pose(joints)
                cosine = 0.5 * (np.trace(here[:3, :3].T @ pose[:3, :3]) - 1.0)
                return bool(
                    np.linalg.norm(here[:3, 3] - pose[:3, 3]) < POSITION
                    and np.arccos(np.clip(cosine, -1.0, 1.0)) < ROTATION
                )

            q = peer.solve(q, pose, near)
            if check(robot, q, pose):
                first += start == 0
                reached += 1
                break
        times.append(time.perf_counter() - started)
    errors, steps = [], []
    for q, _, targets in paths:
        for pose in targets:
            started = time.perf_counter()
            q = peer.step(q, pose)
            steps.append(time.perf_counter() - started)
            errors.append(1e3 * np.linalg.norm(ik.pose(robot.limits.clip(q))[:3, 3] - pose[:3, 3]))
    return [
        info(f'{name}: reached from the first start', 100 * first / len(poses), '%'),
        info(f'{name}: reached with {STARTS} starts', 100 * reached / len(poses), '%'),
        info(f'{name}: mean time', 1e3 * float(np.mean(times)), 'ms'),
        info(f'{name}, path: position error, mean', float(np.mean(errors)), 'mm'),
        *timings(f'{name}, path, one step', steps),
    ]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what C code prints."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


class Bullet:
    """PyBullet: damped least squares. Its null-space mode for limits reaches no pose to 0.5 mm."""

    name = 'PyBullet'

    def __init__(self, robot: RobotModel) -> None:
        import pybullet

        self._api, self._client = pybullet, pybullet.connect(pybullet.DIRECT)
        with tempfile.TemporaryDirectory() as folder:
            urdf = Path(folder) / 'arm.urdf'
            urdf.write_text(robot.urdf)
            with quiet():  # it warns of every frame without mass
                self._body = pybullet.loadURDF(
                    str(urdf), useFixedBase=True, physicsClientId=self._client
                )
        count = pybullet.getNumJoints(self._body, physicsClientId=self._client)
        names, links = {}, {}
        for i in range(count):
            data = pybullet.getJointInfo(self._body, i, physicsClientId=self._client)
            names[data[1].decode()], links[data[12].decode()] = i, i
        self._joints = [names[name] for name in robot.arm_joints]
        self._link = links[FLANGE]

    def _iterate(self, q: FloatArray, pose: FloatArray, count: int) -> FloatArray:
        for joint, value in zip(self._joints, q, strict=True):
            self._api.resetJointState(
                self._body, joint, float(value), physicsClientId=self._client
            )
        return np.array(
            self._api.calculateInverseKinematics(
                self._body, self._link, pose[:3, 3].tolist(), to_quat_xyzw(pose).tolist(),
                maxNumIterations=count, residualThreshold=1e-5, physicsClientId=self._client,
            )
        )  # fmt: skip

    def solve(
        self, q: FloatArray, pose: FloatArray, reached: Callable[[FloatArray], bool]
    ) -> FloatArray:
        """Return joints after ten times ITERATIONS: its iterations are small and cheap."""
        return self._iterate(q, pose, 10 * ITERATIONS)

    def step(self, q: FloatArray, pose: FloatArray) -> FloatArray:
        """Return joints after its default of 20 iterations."""
        return self._iterate(q, pose, 20)


class Mink:
    """mink: differential inverse kinematics as a QP, on the MuJoCo model."""

    name = 'mink'

    def __init__(self, robot: RobotModel) -> None:
        import mink

        from mimic_description.mujoco_model import robot_spec

        self._api = mink
        model = robot_spec(robot).compile()
        self._configuration = mink.Configuration(model)
        self._task = mink.FrameTask(FLANGE, 'site', position_cost=1.0, orientation_cost=1.0)
        self._limits = [mink.ConfigurationLimit(model)]

    def _move(self) -> None:
        velocity = self._api.solve_ik(
            self._configuration, [self._task], 1.0, solver='daqp', damping=1e-6,
            limits=self._limits,
        )  # fmt: skip
        self._configuration.integrate_inplace(velocity, 1.0)

    def solve(
        self, q: FloatArray, pose: FloatArray, reached: Callable[[FloatArray], bool]
    ) -> FloatArray:
        """Return joints after up to ITERATIONS QPs."""
        self._configuration.update(q)
        self._task.set_target(self._api.SE3.from_matrix(pose))
        for _ in range(ITERATIONS):
            self._move()
            if reached(self._configuration.q):
                break
        return self._configuration.q.copy()

    def step(self, q: FloatArray, pose: FloatArray) -> FloatArray:
        """Return joints after one QP."""
        self._configuration.update(q)
        self._task.set_target(self._api.SE3.from_matrix(pose))
        self._move()
        return self._configuration.q.copy()


class Pink:
    """pink: the same on the pinocchio model."""

    name = 'pink'

    def __init__(self, robot: RobotModel) -> None:
        import pink
        import pinocchio

        self._api, self._pin = pink, pinocchio
        model = robot.pin_model
        self._configuration = pink.Configuration(model, model.createData(), robot.home)
        self._task = pink.FrameTask(FLANGE, position_cost=1.0, orientation_cost=1.0)
        self._limits = [pink.limits.ConfigurationLimit(model, config_limit_gain=1.0)]

    def _move(self) -> None:
        velocity = self._api.solve_ik(
            self._configuration, [self._task], 1.0, solver='daqp', damping=1e-6,
            limits=self._limits, safety_break=False,
        )  # fmt: skip
        self._configuration.integrate_inplace(velocity, 1.0)

    def solve(
        self, q: FloatArray, pose: FloatArray, reached: Callable[[FloatArray], bool]
    ) -> FloatArray:
        """Return joints after up to ITERATIONS QPs."""
        self._configuration.update(q)
        self._task.set_target(self._pin.SE3(pose))
        for _ in range(ITERATIONS):
            self._move()
            if reached(self._configuration.q):
                break
        return self._configuration.q.copy()

    def step(self, q: FloatArray, pose: FloatArray) -> FloatArray:
        """Return joints after one QP."""
        self._configuration.update(q)
        self._task.set_target(self._pin.SE3(pose))
        self._move()
        return self._configuration.q.copy()
