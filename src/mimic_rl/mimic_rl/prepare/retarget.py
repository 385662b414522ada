"""The person's whole motion as joints of the robot, at the rate of the trajectory."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import MimicError
from mimic_core.frames import inverse
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


def follow(
    postures: Postures, targets: list[FloatArray | None], start: FloatArray, params: PrepareParams
) -> FloatArray:
    """Return (T, A) joints of the arm for base_T_palm at each step, NaN where it is skipped.

    A step is skipped when the hand is not seen (None), the arm misses it by more than is accepted,
    or a joint would jump. The arm goes over from step to step; where that misses, any posture will
    do. After skipped steps a joint may be as many jumps away, up to four.

    Args:
        postures: Of the robot.
        targets: (T) of the palm.
        start: (A,) posture at the first step, whatever its target.
        params: Bounds.
    """
    rng = np.random.default_rng(0)
    q = np.full((len(targets), len(start)), np.nan)
    q[0], last = start, 0
    for row, target in enumerate(targets):
        if target is None or row == 0:
            continue
        jump = params.max_jump * min(row - last, _LONGEST)
        joints, *errors = postures.nearby(target, q[last])
        if not postures.accepted(*errors) or np.abs(joints - q[last]).max() > jump:
            joints, *errors = postures.arm(target, q[last], 2, rng)
        if postures.accepted(*errors) and np.abs(joints - q[last]).max() <= jump:
            q[row], last = joints, row
    return q


def retarget(
    postures: Postures,
    humans: list[HumanHand | None],
    start: FloatArray,
    params: PrepareParams,
) -> Retargeted:
    """Return the robot's motion for the hand at each step of the trajectory.

    Where the arm would have to go faster than it may, it comes as near to the palm as it can; then
    the fingers go to the person's. Steps that `follow` skips are interpolated.

    Args:
        postures: Of the robot.
        humans: (T) the hand at each step.
        start: (J,) posture at the first step.
        params: Bounds.
    """
    arm = len(postures.robot.arm_joints)
    targets = palms(postures, humans)
    wanted = follow(postures, targets, start[:arm], params)
    used = np.isfinite(wanted[:, 0])
    q = np.full((len(humans), len(start)), np.nan)
    q[0], last, slowed = start, 0, 0
    for row, (human, target) in enumerate(zip(humans, targets, strict=True)):
        if row == 0 or not used[row] or human is None or target is None:
            continue
        most = params.joint_speed / params.rate * (row - last)
        joints = wanted[row]
        if np.abs(joints - q[last, :arm]).max() > most:
            joints, *_ = postures.nearby(target, q[last, :arm], most, joints)
            slowed += 1
        fingers, _ = postures.fingers(human, joints, q[last, arm:])
        q[row], last = np.concatenate([joints, fingers]), row
    steps = np.arange(len(q))
    for joint in range(q.shape[1]):
        q[:, joint] = np.interp(steps, steps[used], q[used, joint])
    limits = postures.robot.limits
    return Retargeted(np.clip(q, limits.lower, limits.upper), used, slowed)


def palms(postures: Postures, humans: list[HumanHand | None]) -> list[FloatArray | None]:
    """Return base_T_palm (4, 4) for the hand at each step, None where it is not seen.

    A gripper whose tips are only guessed, as those of a hand around a thing, keeps its place in
    the hand.
    """
    targets: list[FloatArray | None] = []
    hand_T_palm: FloatArray | None = None
    for human in humans:
        target = None if human is None else postures.target(human)
        if human is not None and hand_T_palm is not None and postures.guessed(human):
            target = human.base_T_hand @ hand_T_palm
        elif human is not None and target is not None:
            hand_T_palm = inverse(human.base_T_hand) @ target
        targets.append(target)
    return targets
