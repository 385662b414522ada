"""Runs without a video: the object's path and the hand beside it as a person would show them.

For tests, for measuring, and to practise without a camera. A run that a video gives has the same
form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.frames import BASE, PALM, transform
from mimic_description import RobotModel, load_robot
from mimic_retargeting import ArmIK
from mimic_rl.run_folder import Part, PracticeObject, PracticeRun, axes_anchors

RATE: Final = 15.0  # [Hz]
_CENTRE: Final = (0.55, 0.0)  # [m], middle of the table's part that the arm works on
_GAP: Final = 0.035  # [m], from the tips' frames to the face before contact
_PAD: Final = 0.012  # [m], of it that the pads themselves fill
_CLOSE_TIME: Final = 0.4  # [s] in which a person closes it


@dataclass(frozen=True)
class Shown:
    """What is shown: an object, where it goes, and how the hand is held."""

    object: PracticeObject
    path: FloatArray  # (T, 4, 4) world_T_object
    direction: tuple[float, float]  # unit vector of the push, horizontal
    contact: tuple[float, float, float]  # [m] in world, where the finger tips push
    turn_share: float  # [1], of the object's rotation that the hand follows
    symmetry: tuple[str, ...] = ()
    fixtures: tuple[Part, ...] = ()
    start_box: tuple[float, float, float, float] | None = None


def known_shown() -> list[str]:
    """Return the names of the tasks that can be shown, sorted."""
    return sorted(_TASKS)


def shown_task(task: str) -> Shown:
    """Return what is shown of a task.

    Raises:
        UnknownNameError: There is no such task.
    """
    if task not in _TASKS:
        raise UnknownNameError('shown task', task, _TASKS)
    return _TASKS[task]()


def show(task: str, arm: str, hand: str) -> PracticeRun:
    """Return the run of a task that is shown without a video.

    Raises:
        UnknownNameError: There is no such task.
        ConfigError: The arm does not reach the start.
    """
    shown = shown_task(task)
    robot = load_robot(arm, hand)
    joints = _motion(robot, shown)
    trajectory = [[*p[:3, 3], *Rotation.from_matrix(p[:3, :3]).as_quat()] for p in shown.path]
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


def _motion(robot: RobotModel, shown: Shown) -> FloatArray:
    """Return (T, J) joints of a hand that pushes the object along its path."""
    ik, arm = ArmIK(robot, PALM), len(robot.arm_joints)
    base_T_world = np.linalg.inv(robot.fk(robot.home, BASE))
    parallel = robot.hand is not None and robot.hand.grasp is not None
    parallel = parallel and robot.hand.grasp.kind == 'parallel'  # type: ignore[union-attr]
    posture = robot.posture(hand='closed' if parallel else 'home')
    fingers = [f for f in robot.tip_frames() if parallel or f != 'thumb']
    tips = [robot.fk(posture, robot.tip_frames()[f], PALM)[:3, 3] for f in fingers]
    push = np.array([*shown.direction, 0.0])
    down = np.array([0.0, 0.0, -1.0])
    palm_R = np.stack([push, np.cross(down, push), down], axis=1)
    first = shown.path[0]
    tip_start = np.array(shown.contact) - _GAP * push
    joints, q = [], posture[:arm]
    for row, pose in enumerate(shown.path):
        closing = (_GAP - _PAD) * min(1.0, row / RATE / _CLOSE_TIME) * push
        turn = pose[:3, :3] @ first[:3, :3].T
        part = Rotation.from_rotvec(
            shown.turn_share * Rotation.from_matrix(turn).as_rotvec()
        ).as_matrix()
        tip = pose[:3, 3] + turn @ (tip_start + closing - first[:3, 3])
        world_T_palm = transform(part @ palm_R, tip - part @ palm_R @ np.mean(tips, axis=0))
        result = ik.solve(base_T_world @ world_T_palm, q, max_starts=60 if row == 0 else 2)
        if row == 0 and not result.reached:
            raise ConfigError(
                f'the start is out of reach: the palm misses it by '
                f'{result.position_error * 1e3:.0f} mm and {result.rotation_error:.2f} rad'
            )
        q = result.q
        joints.append(np.concatenate([q, posture[arm:]]))
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


def _box_push() -> Shown:
    x, y = _CENTRE
    edges = (0.14, 0.07, 0.10)
    start, end = _flat(x, y - 0.10, 0.05), _flat(x, y + 0.12, 0.05)
    return Shown(
        PracticeObject('box', (Part('box', edges),), 0.3),
        _slide(start, end, 3.0),
        (0.0, 1.0),
        (x, y - 0.10 - 0.5 * edges[1], 0.035),
        1.0,
    )


def _plate_push() -> Shown:
    x, y = _CENTRE
    radius, height = 0.09, 0.02
    start, end = _flat(x, y - 0.10, 0.01), _flat(x, y + 0.12, 0.01)
    return Shown(
        PracticeObject('plate', (Part('cylinder', (radius, height)),), 0.35),
        _slide(start, end, 3.0),
        (0.0, 1.0),
        (x, y - 0.10 - radius, 0.02),
        1.0,
        symmetry=('z',),
    )


def _box_pivot() -> Shown:
    x, y = _CENTRE
    edges = (0.12, 0.16, 0.05)
    half_y, half_z = 0.5 * edges[1], 0.5 * edges[2]
    wall = y + 0.14  # [m], its face
    start = _flat(x, wall - half_y - 0.06, half_z)
    at_wall = _flat(x, wall - half_y, half_z)
    edge = np.array([x, wall, 0.0])
    pivot = []
    for share in _eased(round(2.0 * RATE) + 1)[1:]:
        turn = Rotation.from_euler('x', -0.5 * np.pi * share).as_matrix()
        pose = transform(turn, edge + turn @ (at_wall[:3, 3] - edge))
        # A box that stands on its end does not go through the wall: it slides off it.
        overlap = (pose[:3, :3] @ _corners(edges) + pose[:3, 3:])[1].max() - wall
        pose[1, 3] -= max(overlap, 0.0)
        pivot.append(pose)
    return Shown(
        PracticeObject('box', (Part('box', edges),), 0.25),
        np.concatenate([_slide(start, at_wall, 1.2), np.array(pivot)]),
        (0.0, 1.0),
        (x, float(start[1, 3]) - half_y, 0.03),
        0.3,
        fixtures=(Part('box', (0.5, 0.02, 0.16), (x, wall + 0.01, 0.08)),),
        start_box=(-0.1, 0.1, -0.08, 0.03),
    )


def _corners(edges: tuple[float, float, float]) -> FloatArray:
    """Return (3, 8) the corners of a box [m]."""
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]).T
    corners: FloatArray = 0.5 * np.array(edges)[:, None] * signs
    return corners


_TASKS: Final[dict[str, Callable[[], Shown]]] = {
    'box_pivot': _box_pivot,
    'box_push': _box_push,
    'plate_push': _plate_push,
}
