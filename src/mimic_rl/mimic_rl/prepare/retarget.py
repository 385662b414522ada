"""The person's whole motion as joints of the robot, at the rate of the trajectory."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import MimicError
from mimic_core.hand import Side
from mimic_retargeting import HumanHand, observe
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.posture import Postures
from mimic_rl.prepare.watch import Watched, hand_at

_MIN_CONFIDENCE: Final = 0.0  # [1], what is guessed counts little, but it counts
# Steps for which a joint may go on at the greatest jump after steps that were skipped: with the
# defaults 60 deg. A hand that was away seldom turns an arm farther; another solution of the arm,
# with elbow or wrist turned over, mostly is.
_LONGEST: Final = 4


@dataclass(frozen=True)
class Retargeted:
    """The motion and what was wrong with it."""

    q: FloatArray  # (T, J)
    used: BoolArray  # (T,) found from the hand; the others lie between
    slowed: int  # steps in which a joint would have been faster than it may


def human_at(
    watched: Watched,
    motion: tuple[FloatArray, FloatArray],
    stamp: float,
    side: Side,
    base_T_camera: FloatArray,
    longest_gap: float,
) -> HumanHand | None:
    """Return the hand near a stamp [s] in the robot's base, None if it is not seen."""
    hand = hand_at(watched, motion, stamp, side, longest_gap)
    if hand is None:
        return None
    try:
        return observe(hand, base_T_camera, _MIN_CONFIDENCE)
    except MimicError:
        return None


def retarget(
    postures: Postures,
    humans: list[HumanHand | None],
    start: FloatArray,
    params: PrepareParams,
) -> Retargeted:
    """Return the robot's motion for the hand at each step of the trajectory.

    A step is skipped when the hand is not seen, the arm misses it by more than is accepted, or a
    joint of the arm would jump; skipped steps are interpolated. After skipped steps a joint may
    be as many jumps away, up to four. Then the arm is slowed down to its greatest speed.

    Args:
        postures: Of the robot.
        humans: (T) the hand at each step.
        start: (J,) posture at the first step.
        params: Bounds.
    """
    arm = len(postures.robot.arm_joints)
    rng = np.random.default_rng(0)
    q = np.full((len(humans), len(start)), np.nan)
    q[0], last, last_row = start, start.copy(), 0
    for row, human in enumerate(humans):
        target = None if human is None or row == 0 else postures.target(human)
        if human is None or target is None:
            continue
        joints, place, angle = postures.arm(target, last[:arm], 2, rng)
        jump = params.max_jump * min(row - last_row, _LONGEST)
        if place > params.accept_distance or angle > params.accept_angle:
            continue
        if np.abs(joints - last[:arm]).max() > jump:
            continue
        fingers, _ = postures.fingers(human, joints, last[arm:])
        last, last_row = np.concatenate([joints, fingers]), row
        q[row] = last
    used = np.isfinite(q).all(axis=1)
    steps = np.arange(len(q))
    for joint in range(q.shape[1]):
        q[:, joint] = np.interp(steps, steps[used], q[used, joint])
    slowed = _slow_down(q[:, :arm], params.joint_speed / params.rate)
    limits = postures.robot.limits
    return Retargeted(np.clip(q, limits.lower, limits.upper), used, slowed)


def _slow_down(q: FloatArray, most: float) -> int:
    """Bound the change of joints (T, A) from row to row, in place; return how often it was."""
    count = 0
    for row in range(1, len(q)):
        change = q[row] - q[row - 1]
        bounded = np.clip(change, -most, most)
        count += int(np.any(np.abs(change) > most + 1e-12))
        q[row] = q[row - 1] + bounded
    return count
