"""Ways between random postures: how many are found, how long it takes, whether they are free.

Every way is looked at anew, with its times, by MuJoCo's collisions, and by differences.
"""

import time

import mujoco
import numpy as np

from benchmarks.harness import Options, Row, at_least, at_most, info, timings
from mimic_core.arrays import FloatArray
from mimic_core.limits import JointLimits
from mimic_description import RobotModel, load_robot
from mimic_description.mujoco_model import robot_indices, robot_spec
from mimic_planning import Planner, PlanningError, TimedPath

ROBOTS = (('iiwa14', 'allegro'), ('panda', 'robotiq_2f85'), ('so101', 'so101_gripper'))
TIMEOUT = 30.0  # [s]
FINE = 0.001  # [m]
PERIOD = 0.002  # [s]
SPEED = 0.3  # [1] of the limits, the default of control/move_to
MIN_FOUND = 95.0  # [%]
TABLE = 'table'


class Contacts:
    """Counts contacts of a robot with itself and the table, in MuJoCo."""

    def __init__(self, robot: RobotModel) -> None:
        """Args: robot: on a table at the height of its base."""
        spec = robot_spec(robot)
        spec.worldbody.add_geom(name=TABLE, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3.0, 3.0, 0.1])
        self._robot = robot
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._indices = robot_indices(robot, self._model)
        below = {f'{robot.prefix}flange'}
        for joint in robot.tree.joints:
            if joint.parent in below:
                below.add(joint.child)
        self._hand = {i for i in range(self._model.nbody) if self._model.body(i).name in below}

    def at(self, q: FloatArray) -> int:
        """Return how many contacts there are at (J,), fingers with fingers left out."""
        self._indices.place(self._robot, self._data, q)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)
        count = 0
        for contact in self._data.contact:
            bodies = {int(self._model.geom_bodyid[g]) for g in contact.geom}
            count += contact.dist < 0.0 and not bodies <= self._hand
        return count


def _free(planner: Planner, rng: np.random.Generator) -> FloatArray:
    """Return (J,) a random posture of the arm that is free, the hand at home."""
    robot, scene = planner.robot, planner.scene
    arms = len(robot.arm_joints)
    scene.admit(robot.home, robot.home)
    while True:
        q = robot.home.copy()
        q[:arms] = rng.uniform(robot.limits.lower[:arms], robot.limits.upper[:arms])
        if scene.free(q):
            return q


def _contacts(checker: Contacts, planner: Planner, path: TimedPath) -> int:
    """Return at how many places there is a contact, each `FINE` of motion of any part."""
    q, _ = path.at(np.arange(0.0, path.duration + 2.0 * PERIOD, PERIOD))
    last, found = q[0], int(checker.at(q[0]) > 0)
    for row in q:
        if planner.scene.reach @ np.abs(row - last) >= FINE:
            last = row
            found += int(checker.at(row) > 0)
    return found


def _worst(path: TimedPath, limits: JointLimits) -> float:
    """Return the largest share of a limit [1] of the speeds and accelerations, by differences."""
    q, _ = path.at(np.arange(0.0, path.duration + 2.0 * PERIOD, PERIOD))
    speed = np.abs(np.diff(q, axis=0)) / PERIOD / limits.max_speed
    acceleration = np.abs(np.diff(q, n=2, axis=0)) / PERIOD**2 / limits.max_acceleration
    return float(max(speed.max(), acceleration.max()))


def _measure(pair: tuple[str, str], options: Options) -> list[Row]:
    robot = load_robot(*pair)
    planner, checker = Planner(robot), Contacts(robot)
    rng = np.random.default_rng(options.seed)
    number = 6 if options.quick else 20
    ends = [(_free(planner, rng), _free(planner, rng)) for _ in range(number)]
    home = [(start, robot.home) for start, _ in ends]
    name = '+'.join(pair)
    return [
        *_plans(f'{name}, anywhere', planner, checker, ends),
        *_plans(f'{name}, home', planner, checker, home),
    ]


def _plans(
    name: str,
    planner: Planner,
    checker: Contacts,
    ends: list[tuple[FloatArray, FloatArray]],
) -> list[Row]:
    limits = planner.robot.limits.scaled(SPEED, SPEED, SPEED)
    times, sampled, moved = [], [], []
    contacts, worst = 0, 0.0
    for start, goal in ends:
        began = time.process_time()
        try:
            plan = planner.plan(start, goal, timeout=TIMEOUT)
        except PlanningError:
            continue
        taken = time.process_time() - began
        path = TimedPath.lines(plan.points, limits, 0.0)
        times.append(taken)
        moved.append(path.duration)
        contacts += _contacts(checker, planner, path)
        worst = max(worst, _worst(path, limits))
        if plan.kind == 'sampled':
            sampled.append(taken)
    rows = [
        at_least(f'{name}: found of {len(ends)}', 100.0 * len(times) / len(ends), '%', MIN_FOUND),
        info(f'{name}: of these not straight', 100.0 * len(sampled) / max(len(times), 1), '%'),
        at_most(f'{name}: places with a contact, by MuJoCo', contacts, '', 0),
        at_most(f'{name}: largest share of a limit', worst, '', 1.0001),
        *timings(f'{name}: processor time', times),
    ]
    if sampled:
        rows += timings(f'{name}: processor time of those not straight', sampled)
    rows.append(info(f'{name}: duration of the motion, median', float(np.median(moved)), 's'))
    return rows


def run(options: Options) -> list[Row]:
    """Plan for three robots."""
    return [row for pair in ROBOTS for row in _measure(pair, options)]
