"""Runs without a video: the object's path and the hand beside it as a person would show them.

For tests, for measuring, and to practise without a camera. A run that a video gives has the same
form.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.frames import BASE, GRASP_CENTER, PALM, transform
from mimic_core.primitives import Primitive
from mimic_description import RobotModel, load_robot
from mimic_retargeting import ArmIK
from mimic_rl.run_folder import PracticeObject, PracticeRun, axes_anchors
from mimic_rl.surroundings import Surroundings
from mimic_sim.tasks import SceneObject, WorkArea, box_pivot, box_push, pitcher_pour, plate_push
from mimic_sim.twin import work_area

RATE: Final = 15.0  # [Hz]
_AREA: Final = WorkArea((0.55, 0.0), 0.18)  # [m], where a person shows
_AREA_DIGITS: Final = 6  # of an arm's, as of a run.json
_GAP: Final = 0.035  # [m], from the tips' frames to the face before contact
_PAD: Final = 0.012  # [m], of it that the pads themselves fill
_TILT: Final = 0.75  # [rad] of a gripper, so that its tips push and not the thick fingers above
_LIFTS: Final = (0.0, 0.01, 0.02, 0.03, 0.04)  # [m] of a hand that would reach into the table
_CLOSE_TIME: Final = 0.4  # [s] in which a person closes it
# A whole hand holds a thing nearer to its palm and wrist than where it pinches.
_INTO, _DOWN = 0.4, 0.02  # [1], of the way to the straight fingers; [m]
_DEPTHS: Final = (1.0, 0.5, 0.0)  # [1], of both: deeper first
_TURNS: Final = (0.0, 0.25 * np.pi, -0.25 * np.pi, 0.5 * np.pi)  # [rad], about the vertical
_MISS: Final = (0.05, 0.052)  # [m], [rad], as prepare accepts


@dataclass(frozen=True)
class Shown:
    """What is shown: an object, where it goes, and how the hand is held."""

    object: PracticeObject
    path: FloatArray  # (T, 4, 4) world_T_object
    direction: tuple[float, float]  # unit vector of the push, horizontal
    contact: tuple[float, float, float]  # [m] in world, where the finger tips push
    turn_share: float  # [1], of the object's rotation that the hand follows
    symmetry: tuple[str, ...] = ()
    fixtures: tuple[Primitive, ...] = ()
    start_box: tuple[float, float, float, float] | None = None
    grasp: bool = False  # the hand closes about the contact instead of pushing it


def known_shown() -> list[str]:
    """Return the names of the tasks that can be shown, sorted."""
    return sorted(_TASKS)


def shown_task(task: str, area: WorkArea = _AREA) -> Shown:
    """Return what is shown of a task.

    Args:
        task: Its name.
        area: Of the table, where it is shown.

    Raises:
        UnknownNameError: There is no such task.
    """
    if task not in _TASKS:
        raise UnknownNameError('shown task', task, _TASKS)
    return _TASKS[task](area)


def show(task: str, arm: str, hand: str) -> PracticeRun:
    """Return the run of a task that is shown without a video, where the twin of the arm has it.

    Raises:
        UnknownNameError: There is no such task.
        ConfigError: The arm cannot move the hand with the object.
    """
    robot = load_robot(arm, hand)
    shown = shown_task(task, _area_of(robot))
    runs: list[PracticeRun] = []
    missed: list[ConfigError] = []
    holds = itertools.product(_TURNS, _DEPTHS) if shown.grasp else [(0.0, 0.0)]
    for turn, depth in holds:
        try:
            for lift in _LIFTS:
                joints = _motion(robot, shown, lift, turn, depth)
                runs.append(_run(shown, task, robot, (arm, hand), joints))
                if not Surroundings(runs[-1], robot).touched(runs[-1].start):
                    return runs[-1]
        except ConfigError as error:
            missed.append(error)
    if not runs:
        raise missed[0]
    return runs[-1]


def _area_of(robot: RobotModel) -> WorkArea:
    area = work_area(robot)
    x, y = (round(value, _AREA_DIGITS) for value in area.centre)
    return WorkArea((x, y), round(area.radius, _AREA_DIGITS))


def _run(
    shown: Shown, task: str, robot: RobotModel, names: tuple[str, str], joints: FloatArray
) -> PracticeRun:
    """Return the run of a task with the joints (T, J) that were shown."""
    trajectory = [[*p[:3, 3], *Rotation.from_matrix(p[:3, :3]).as_quat()] for p in shown.path]
    arm, hand = names
    return PracticeRun(
        arm=arm,
        hand=hand,
        task=task,
        object=shown.object,
        trajectory=np.array(trajectory),
        rate=RATE,
        start=joints[0],
        joint_names=robot.joint_names,
        anchors=axes_anchors(shown.symmetry),
        fixtures=shown.fixtures,
        demonstration=joints,
        start_box=shown.start_box,
    )


@dataclass(frozen=True)
class _Hold:
    """How a hand is held beside an object."""

    posture: FloatArray  # (J,) home of the arm, and of the hand before contact
    closed: FloatArray  # (H,) after it
    palm_R: FloatArray  # (3, 3) world_R_palm
    point: FloatArray  # (3,) in palm [m], that goes to the contact
    gap: float  # [m], from there to the contact at first


def _hold(robot: RobotModel, shown: Shown, depth: float) -> _Hold:
    """Push with the finger tips, pointing down; or take it from the side, thumb up, so deep."""
    parallel = robot.hand is not None and robot.hand.grasp is not None
    parallel = parallel and robot.hand.grasp.kind == 'parallel'  # type: ignore[union-attr]
    push = np.array([*shown.direction, 0.0])
    right = np.array([push[1], -push[0], 0.0])
    before = ('open' if shown.grasp else 'closed') if parallel else 'home'
    posture = robot.posture(hand=before)
    tips = {f: robot.fk(posture, link, PALM)[:3, 3] for f, link in robot.tip_frames().items()}
    if shown.grasp:
        x, z = (right, push) if parallel else (push, right)
        point = robot.fk(posture, GRASP_CENTER, PALM)[:3, 3].copy()
        if not parallel:  # with the whole hand, not between the tips of a pinch
            straight = robot.posture(hand='open')
            fingers = [f for f in tips if f != 'thumb']
            ends = [robot.fk(straight, robot.tip_frames()[f], PALM)[0, 3] for f in fingers]
            point[0] -= depth * _INTO * (point[0] - np.mean(ends))
            point[1] = np.mean([tips[f][1] for f in fingers])
            point[2] -= depth * _DOWN
        closed, gap = robot.hand_posture('closed'), 0.0
    else:
        tilt, down = _TILT if parallel else 0.0, np.array([0.0, 0.0, -1.0])
        x = np.cos(tilt) * push - np.sin(tilt) * down
        z = np.sin(tilt) * push + np.cos(tilt) * down
        point = np.mean([tips[f] for f in tips if parallel or f != 'thumb'], axis=0)
        closed, gap = posture[len(robot.arm_joints) :], _GAP
    return _Hold(posture, closed, np.stack([x, np.cross(z, x), z], axis=1), point, gap)


def _motion(
    robot: RobotModel, shown: Shown, lift: float, turned: float, depth: float
) -> FloatArray:
    """Return (T, J) joints of a hand that moves the object along its path.

    Args:
        robot: Whose.
        shown: What it does.
        lift: Of the hand [m].
        turned: Of the hand about the object, round the vertical [rad].
        depth: Of the object in a whole hand, 0 to 1: from a pinch to the palm.

    Raises:
        ConfigError: The arm does not reach the start, or cannot go along.
    """
    ik, arm, hold = ArmIK(robot, PALM), len(robot.arm_joints), _hold(robot, shown, depth)
    base_T_world = np.linalg.inv(robot.fk(robot.home, BASE))
    push = np.array([*shown.direction, 0.0])
    first = shown.path[0]
    start = np.array(shown.contact) - hold.gap * push + [0.0, 0.0, lift]
    joints, q, open_ = [], hold.posture[:arm], hold.posture[arm:]
    held_R = Rotation.from_euler('z', turned).as_matrix() @ hold.palm_R
    for row, pose in enumerate(shown.path):
        share = min(1.0, row / RATE / _CLOSE_TIME)
        closing = max(hold.gap - _PAD, 0.0) * share * push
        turn = pose[:3, :3] @ first[:3, :3].T
        part = Rotation.from_rotvec(
            shown.turn_share * Rotation.from_matrix(turn).as_rotvec()
        ).as_matrix()
        contact = pose[:3, 3] + turn @ (start + closing - first[:3, 3])
        palm_R = part @ held_R
        world_T_palm = transform(palm_R, contact - palm_R @ hold.point)
        result = ik.solve(base_T_world @ world_T_palm, q, max_starts=60 if row == 0 else 2)
        missed = result.position_error > _MISS[0] or result.rotation_error > _MISS[1]
        if missed or (row == 0 and not result.reached):
            what = f'the motion after {row / RATE:.1f} s' if row else 'the start'
            raise ConfigError(
                f'{what} is out of reach: the palm misses it by '
                f'{result.position_error * 1e3:.0f} mm and {result.rotation_error:.2f} rad'
            )
        q = result.q
        joints.append(np.concatenate([q, open_ + share * (hold.closed - open_)]))
    return np.array(joints)


def _eased(frames: int) -> FloatArray:
    """Return (T,) shares from 0 to 1, at rest at both ends."""
    t = np.linspace(0.0, 1.0, frames)
    shares: FloatArray = t**3 * (10 - 15 * t + 6 * t**2)
    return shares


def _slide(start: FloatArray, end: FloatArray, seconds: float) -> FloatArray:
    """Return (T, 4, 4) a motion between two poses."""
    turn = Slerp([0.0, 1.0], Rotation.from_matrix([start[:3, :3], end[:3, :3]]))
    shares = _eased(round(seconds * RATE) + 1)
    return np.array(
        [
            transform(turn(s).as_matrix(), start[:3, 3] + s * (end[:3, 3] - start[:3, 3]))
            for s in shares
        ]
    )


def _flat(x: float, y: float, z: float, yaw: float = 0.0) -> FloatArray:
    return transform(Rotation.from_euler('z', yaw).as_matrix(), np.array([x, y, z]))


def practice_object(thing: SceneObject) -> PracticeObject:
    """Return the object of a task of the twin, as a run holds it."""
    pieces = [Primitive(thing.form, thing.size)]
    pieces += [Primitive(p.form, p.size, p.position) for p in thing.parts if p.mass > 0.0]
    mass = thing.mass + sum(p.mass for p in thing.parts)
    return PracticeObject(thing.name, tuple(pieces), mass, thing.friction)


def _box_push(area: WorkArea) -> Shown:
    box = box_push.BOX
    (x, y), (to_x, to_y) = area.at(*box_push.START), area.at(*box_push.TARGET)
    return Shown(
        practice_object(box),
        _slide(_flat(x, y, box.height), _flat(to_x, to_y, box.height), 3.0),
        (0.0, 1.0),
        (x, y - 0.5 * box.size[1], 0.035),
        1.0,
    )


def _plate_push(area: WorkArea) -> Shown:
    plate = plate_push.PLATE
    (x, y), (to_x, to_y) = area.at(*plate_push.START), area.at(*plate_push.TARGET)
    return Shown(
        practice_object(plate),
        _slide(_flat(x, y, plate.height), _flat(to_x, to_y, plate.height), 3.0),
        (0.0, 1.0),
        (x, y - plate.size[0], 0.02),
        1.0,
        symmetry=('z',),
    )


def _box_pivot(area: WorkArea) -> Shown:
    box, wall = box_pivot.BOX, box_pivot.WALL
    x, face = area.at(0.0, box_pivot.FACE)
    edges = (box.size[0], box.size[1], box.size[2])
    half = 0.5 * edges[1]
    start = _flat(x, face - half - box_pivot.GAP, box.height)
    at_wall = _flat(x, face - half, box.height)
    edge = np.array([x, face, 0.0])
    pivot = []
    for share in _eased(round(2.0 * RATE) + 1)[1:]:
        turn = Rotation.from_euler('x', -0.5 * np.pi * share).as_matrix()
        pose = transform(turn, edge + turn @ (at_wall[:3, 3] - edge))
        # A box that stands on its end does not go through the wall: it slides off it.
        overlap = (pose[:3, :3] @ _corners(edges) + pose[:3, 3:])[1].max() - face
        pose[1, 3] -= max(overlap, 0.0)
        pivot.append(pose)
    place = (x, face + 0.5 * wall.size[1], wall.height)
    return Shown(
        practice_object(box),
        np.concatenate([_slide(start, at_wall, 1.2), np.array(pivot)]),
        (0.0, 1.0),
        (x, float(start[1, 3]) - half, 0.03),
        0.3,
        fixtures=(Primitive(wall.form, wall.size, place),),
        start_box=(-box_pivot.SPREAD, box_pivot.SPREAD, box_pivot.BACK, box_pivot.FORTH),
    )


def _pitcher_pour(area: WorkArea) -> Shown:
    pitcher, bowl = pitcher_pour.PITCHER, pitcher_pour.BOWL
    (x, y), (to_x, to_y) = area.at(*pitcher_pour.START), area.at(*pitcher_pour.TARGET)
    start = _flat(x, y, pitcher.height)
    lifted = _flat(x, y, pitcher.height + pitcher_pour.LIFT)
    turn = Rotation.from_euler('x', -pitcher_pour.TILT).as_matrix()
    mouth = turn @ np.array([0.0, 0.0, 0.5 * pitcher.size[1]])
    over = np.array([to_x - mouth[0], to_y - mouth[1], pitcher.height + pitcher_pour.LIFT])
    parts = [
        _slide(start, start, 0.6),
        _slide(start, lifted, 1.2)[1:],
        _slide(lifted, transform(turn, over), 1.8)[1:],
    ]
    return Shown(
        practice_object(pitcher),
        np.concatenate(parts),
        (0.0, 1.0),
        (x, y, pitcher.height + 0.01),
        1.0,
        fixtures=(Primitive(bowl.form, bowl.size, (to_x, to_y, bowl.height)),),
        start_box=(
            -pitcher_pour.SPREAD,
            pitcher_pour.SPREAD,
            -pitcher_pour.SPREAD,
            pitcher_pour.FORTH,
        ),
        grasp=True,
    )


def _corners(edges: tuple[float, float, float]) -> FloatArray:
    """Return (3, 8) the corners of a box [m]."""
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]).T
    corners: FloatArray = 0.5 * np.array(edges)[:, None] * signs
    return corners


_TASKS: Final[dict[str, Callable[[WorkArea], Shown]]] = {
    'box_pivot': _box_pivot,
    'box_push': _box_push,
    'pitcher_pour': _pitcher_pour,
    'plate_push': _plate_push,
}
