"""Poses for a hand-eye calibration: diverse, in view, within limits, free of collisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import coal  # noqa: F401  # pinocchio's distances are coal's
import numpy as np
import pinocchio as pin
from scipy.spatial.transform import Rotation

from mimic_calibration.board import Board
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import HandEye, project
from mimic_calibration.kinematics import Arm
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.frames import BASE, inverse, transform
from mimic_description import RobotModel, load_robot

_TRIES_PER_POSE: Final = 12
_LIMIT_MARGIN: Final = 0.05  # [rad] or [m] kept from the joint limits
_IMAGE_MARGIN: Final = 0.06  # [1] of the picture kept free around the board
_TILT: Final = (np.radians(8.0), np.radians(42.0))  # [rad] of the board to the line of sight
_FILL: Final = (0.22, 0.6)  # [1] the board's diagonal over the picture's
_IK_STEPS: Final = 80
_IK_TOLERANCE: Final = 1e-4  # [m] and [rad]; a pose need not be met exactly, joints are measured
_PATH_STEP: Final = 0.05  # [rad] between looks for collisions on the way
_TURN_UNIT, _PIXEL_UNIT, _DISTANCE_UNIT = 0.5, 0.4, 0.3  # [rad], [1] of the width, [1]


@dataclass(frozen=True)
class Surroundings:
    """What the robot must not touch."""

    table_height: float = 0.0  # [m] in base_link
    clearance: float = 0.02  # [m] of all parts and of the board


class Clear:
    """Tells whether a posture is free of collisions with the robot itself and the table."""

    def __init__(self, robot: RobotModel, board: Board, surroundings: Surroundings) -> None:
        self._robot, self._surroundings = robot, surroundings
        self._geometry = robot.collision_model(within_hand=False)
        self._data, self._places = robot.pin_model.createData(), self._geometry.createData()
        width, height = board.size
        self._corners = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0.0]])
        self._base = robot.frame(BASE)
        root = {robot.pin_model.frames[self._base].parentJoint}
        self._moving = [i for i, g in enumerate(self._geometry.geometryObjects)
                        if g.parentJoint not in root]  # fmt: skip

    def check(self, q: FloatArray, flange_T_board: FloatArray | None) -> bool:
        """Return whether (A,) arm positions are free, with the board where it is on the flange."""
        robot = self._robot
        full = robot.full(np.concatenate([q, robot.home[len(q) :]]))
        pin.updateGeometryPlacements(
            robot.pin_model, self._data, self._geometry, self._places, full
        )
        pin.updateFramePlacements(robot.pin_model, self._data)
        if pin.computeCollisions(self._geometry, self._places, True):
            return False
        base = self._data.oMf[self._base]
        floor = self._surroundings.table_height + self._surroundings.clearance
        for number in self._moving:
            shape = self._geometry.geometryObjects[number].geometry
            placed = base.actInv(self._places.oMg[number])
            shape.computeLocalAABB()
            half = 0.5 * (np.asarray(shape.aabb_local.max_) - np.asarray(shape.aabb_local.min_))
            middle = placed.act(np.asarray(shape.aabb_center))
            if middle[2] - np.abs(placed.rotation[2]) @ half < floor:
                return False
        if flange_T_board is not None:
            flange = base.actInv(self._data.oMf[robot.frame('flange')]).homogeneous
            corners = self._corners @ (flange @ flange_T_board)[:3, :3].T
            if (corners[:, 2] + (flange @ flange_T_board)[2, 3]).min() < floor:
                return False
        return True

    def path(self, start: FloatArray, end: FloatArray, board: FloatArray | None) -> bool:
        """Return whether the straight way in joint space is free."""
        steps = max(2, int(np.ceil(np.abs(end - start).max() / _PATH_STEP)) + 1)
        ways = np.linspace(0.0, 1.0, steps)
        return all(self.check(start + w * (end - start), board) for w in ways)


def solve_ik(
    arm: Arm, base_T_flange: FloatArray, seeds: Sequence[FloatArray]
) -> FloatArray | None:
    """Return (A,) positions within the limits that reach a pose, or None: damped least squares."""
    limits = arm.robot.limits
    low, high = limits.lower + _LIMIT_MARGIN, limits.upper - _LIMIT_MARGIN
    for seed in seeds:
        q = np.clip(seed, low, high)
        for _ in range(_IK_STEPS):
            delta = inverse(arm.flange_pose(q)) @ base_T_flange
            error = pin.log6(pin.SE3(delta)).vector
            if np.abs(error).max() < _IK_TOLERANCE:
                return q
            slope = arm.jacobian(q)
            damping = 1e-4 + 0.02 * float(error @ error)
            step = slope.T @ np.linalg.solve(slope @ slope.T + damping * np.eye(6), error)
            q = np.clip(q + step * min(1.0, 0.4 / np.abs(step).max()), low, high)
    return None


def propose(
    arm: Arm,
    hand: str,
    board: Board,
    guess: HandEye,
    intrinsics: Intrinsics,
    count: int,
    rng: np.random.Generator,
    *,
    q_start: FloatArray | None = None,
    surroundings: Surroundings | None = None,
) -> list[FloatArray]:
    """Return arm positions at which the camera should see the board well, in a short order.

    Args:
        arm: The arm.
        hand: What it carries, for collisions.
        board: What is looked at.
        guess: Where camera and board are, to some centimetres and degrees.
        intrinsics: Of the camera.
        count: How many poses.
        rng: Chooses among the possible ones.
        q_start: (A,) where the robot stands; default: home.
        surroundings: What it must not touch.

    Raises:
        CalibrationError: Fewer than three poses are possible.
    """
    home = arm.robot.home[: len(arm.joints)]
    start = home if q_start is None else q_start
    robot = load_robot(arm.name, hand, arm.robot.prefix)
    clear = Clear(robot, board, surroundings or Surroundings())
    carried = guess.carrier_T_board if guess.mount == 'eye_to_hand' else None
    found: list[FloatArray] = []
    features: list[FloatArray] = []
    for _ in range(_TRIES_PER_POSE * count):
        camera_T_board = random_view(board, intrinsics, rng)
        motion = guess.reference_T_camera @ camera_T_board @ inverse(guess.carrier_T_board)
        flange = motion if guess.mount == 'eye_to_hand' else inverse(motion)
        near = sorted(found, key=lambda q: float(
            np.linalg.norm(arm.flange_pose(q)[:3, 3] - flange[:3, 3])
        ))[:1]  # fmt: skip
        q = solve_ik(arm, flange, [*near, start, home])
        if q is None or not clear.check(q, carried):
            continue
        if not is_seen(board, camera_T_board, intrinsics):
            continue
        found.append(q)
        features.append(_feature(camera_T_board, board, intrinsics))
        if len(found) >= 4 * count:
            break
    if len(found) < 3:
        raise CalibrationError(
            f'only {len(found)} poses are within reach and in view: is the camera where the '
            'guess says? move the board by hand instead'
        )
    chosen = _diverse(np.array(features), count)
    return _ordered([found[i] for i in chosen], start, clear, carried)


def around(
    arm: Arm,
    hand: str,
    board: Board,
    q_now: FloatArray,
    count: int,
    rng: np.random.Generator,
    *,
    surroundings: Surroundings | None = None,
) -> list[FloatArray]:
    """Return arm positions around the present one, for a start without any guess.

    The flange turns by 12 to 25 degrees about ever other axes and moves by up to 4 cm, so a board
    that is in the middle of the picture mostly stays in it.

    Raises:
        CalibrationError: Fewer than three are possible.
    """
    clear = Clear(
        load_robot(arm.name, hand, arm.robot.prefix), board, surroundings or Surroundings()
    )
    base_T_flange = arm.flange_pose(q_now)
    found: list[FloatArray] = []
    for number in range(_TRIES_PER_POSE * count):
        axis = np.eye(3)[number % 3] * (1 if number // 3 % 2 else -1) + rng.normal(
            scale=0.3, size=3
        )
        turn = np.radians(rng.uniform(12.0, 25.0)) * axis / np.linalg.norm(axis)
        delta = transform(Rotation.from_rotvec(turn).as_matrix(), rng.uniform(-0.04, 0.04, 3))
        q = solve_ik(arm, base_T_flange @ delta, [q_now])
        if q is not None and clear.path(q_now, q, None):
            found.append(q)
        if len(found) == count:
            break
    if len(found) < 3:
        raise CalibrationError('the robot cannot turn here: bring it to a freer pose')
    return found


def random_view(board: Board, optics: Intrinsics, rng: np.random.Generator) -> FloatArray:
    """Return a camera_T_board that shows the board somewhere, tilted somehow."""
    diagonal = float(np.hypot(*board.size))
    picture = float(np.hypot(optics.width / optics.fx, optics.height / optics.fy))
    distance = diagonal / (picture * rng.uniform(*_FILL))
    u, v = rng.uniform(0.15, 0.85, 2) * (optics.width, optics.height)
    ray = np.array([(u - optics.cx) / optics.fx, (v - optics.cy) / optics.fy, 1.0])
    direction = rng.uniform(0.0, 2 * np.pi)
    tilt = rng.uniform(*_TILT)
    lean = Rotation.from_rotvec(tilt * np.array([np.cos(direction), np.sin(direction), 0.0]))
    roll = Rotation.from_rotvec([0.0, 0.0, rng.uniform(-np.pi, np.pi)])
    rotation = (lean * roll).as_matrix()
    return transform(rotation, distance * ray / np.linalg.norm(ray) - rotation @ board.centre())


def is_seen(board: Board, camera_T_board: FloatArray, optics: Intrinsics) -> bool:
    """Return whether a camera sees a board as a whole."""
    width, height = board.size
    corners = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0.0]])
    if (corners @ camera_T_board[2, :3] + camera_T_board[2, 3]).min() < 0.05:
        return False
    u, v = (project(camera_T_board, corners, optics) / (optics.width, optics.height)).T
    low, high = _IMAGE_MARGIN, 1.0 - _IMAGE_MARGIN
    return bool(min(u.min(), v.min()) > low and max(u.max(), v.max()) < high)


def _feature(camera_T_board: FloatArray, board: Board, optics: Intrinsics) -> FloatArray:
    """Return (12,) in which far apart means different to a calibration."""
    middle = camera_T_board[:3, :3] @ board.centre() + camera_T_board[:3, 3]
    place = middle[:2] / middle[2] * (optics.fx, optics.fy) / optics.width / _PIXEL_UNIT
    turn = camera_T_board[:3, :3].ravel() / (np.sqrt(2.0) * _TURN_UNIT)
    return np.concatenate([turn, place, [np.log(middle[2]) / _DISTANCE_UNIT]])


def _diverse(features: FloatArray, count: int) -> list[int]:
    """Return numbers of rows, each as far as possible from those before."""
    chosen = [int(np.argmin(np.linalg.norm(features - features.mean(axis=0), axis=1)))]
    distance = np.linalg.norm(features - features[chosen[0]], axis=1)
    while len(chosen) < min(count, len(features)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(features - features[chosen[-1]], axis=1))
    return chosen


def _ordered(
    poses: list[FloatArray], start: FloatArray, clear: Clear, board: FloatArray | None
) -> list[FloatArray]:
    """Return the poses by nearest neighbour, without those that have no free way."""
    left, now, order = list(poses), start, []
    while left:
        left.sort(key=lambda q: float(np.abs(q - now).max()))
        index = next((i for i, q in enumerate(left[:6]) if clear.path(now, q, board)), None)
        if index is None:
            # From home there may be a way: whoever moves the robot goes round by a planner.
            index = 0
        now = left.pop(index)
        order.append(now)
    return order
