"""The shadow: from a tracked hand to joint positions of the whole robot."""

import math
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import MimicError
from mimic_core.frames import FLANGE, GRASP_CENTER, PALM, transform
from mimic_core.hand import TrackedHand
from mimic_description import RobotModel
from mimic_retargeting.approach import Approach, ClosingLine, Orientation, reaches
from mimic_retargeting.arm_ik import ArmIK
from mimic_retargeting.clutch import Clutch, Mode
from mimic_retargeting.dexterous import DexterousRetargeter, Method
from mimic_retargeting.grip import Grip
from mimic_retargeting.gripper import Aperture, Gripper
from mimic_retargeting.human import HumanHand, PinchPoint, observe
from mimic_retargeting.jumps import JumpGuard
from mimic_retargeting.params import RetargetingParams

_MIN_DT: Final = 1e-3  # [s]
_MAX_DT: Final = 0.1  # [s] after a longer gap the robot goes on as slowly as after this one
_HELD_AFTER: Final = 0.25  # [s]
_CLOCK_SET_BACK: Final = 1.0  # [s] a stamp that is older than the last one by more begins anew
_NAN: Final = float('nan')


@dataclass(frozen=True)
class ShadowResult:
    """What one look at the hand led to."""

    q: FloatArray | None  # (J,) arm and hand [rad] or [m]; None: no command
    reason: str  # why there is none; empty when there is one
    engaged: bool  # the clutch is closed
    tracking: bool  # a usable hand of the wanted side was there
    target: FloatArray | None = None  # (4, 4) wanted pose of palm in base_link
    position_error: float = _NAN  # [m] palm of the command against the target
    orientation_error: float = _NAN  # [rad]
    tip_error: float = _NAN  # [m] mean of the finger tips, dexterous hands only
    aperture: float = _NAN  # [m] of the human hand


class Shadow:
    """Joint positions that make the robot follow a hand; J joints, arm then hand.

    What follows what: the robot's `grasp_center` follows the point between the person's thumb tip
    and index tip, because that is where things are held; `Approach` gives the orientation of the
    palm. The fingers close on `grasp_center`, so the arm rests while they do.
    """

    def __init__(
        self, robot: RobotModel, params: RetargetingParams, base_T_camera: FloatArray
    ) -> None:
        """Prepare and compile all solvers.

        Args:
            robot: Robot with an arm, a hand, or both.
            params: Parameters.
            base_T_camera: (4, 4) optical frame of the camera in the robot's base_link.
        """
        self.robot: Final = robot
        self.params: Final = params
        self.base_T_camera = checked(base_T_camera, (4, 4), 'base_T_camera')
        self._count: Final = len(robot.arm_joints)
        self._frame: Final = PALM if robot.hand is not None else FLANGE
        self._dexterous: DexterousRetargeter | None = None
        self._gripper: Gripper | None = None
        if robot.hand is not None:
            if robot.hand.grasp is not None and robot.hand.grasp.kind == 'parallel':
                self._gripper = Gripper(robot)
            else:
                self._dexterous = DexterousRetargeter(
                    robot,
                    cast(Method, params.method),
                    smoothing=params.smoothing,
                    pinch_closed=params.pinch_closed,
                    pinch_open=params.pinch_open,
                    pinch_weight=params.pinch_weight,
                    max_squeeze=params.max_squeeze,
                )
        half = self._gripper.human_half if self._gripper is not None else _NAN
        self._aperture: Final = Aperture(half, params.aperture_hold)
        self._pinch_point: Final = PinchPoint()
        self._closing_line: Final = ClosingLine()
        self._grip: Final = self._find_grip()
        self._ik: Final = (
            ArmIK(robot, self._frame, posture_speed=params.posture_speed) if self._count else None
        )
        self._approach: Final = self._find_approach()
        workspace = robot.arm.workspace if robot.arm is not None else None
        self._box: Final = (
            None
            if workspace is None
            else np.array([workspace.box_min, workspace.box_max], dtype=np.float64)
        )
        self._clutch: Final = Clutch(
            cast(Mode, params.mode),
            scale=params.position_scale,
            centre=None if workspace is None else np.array(workspace.centre),
            min_duration=params.engage_time,
            speed=params.engage_speed,
        )
        self._jumps: Final = JumpGuard(params.max_hand_speed)
        self._q: FloatArray = robot.home.copy()  # last command
        self._start: FloatArray = robot.home.copy()  # command at which the clutch closed
        self._fingers: FloatArray = robot.home[self._count :].copy()  # last solution, not blended
        self._engage_box: FloatArray | None = None
        self._last_stamp: float | None = None  # of any look
        self._last_seen: float | None = None  # of the last usable hand [s]
        self._rotation: FloatArray | None = None  # (3, 3) of it, smoothed
        self._last_command: float = 0.0  # [s]

    @property
    def engaged(self) -> bool:
        """The clutch is closed."""
        return self._clutch.engaged

    def disengage(self) -> None:
        """Open the clutch; the next usable hand closes it anew, without a motion."""
        self._clutch.disengage()

    def reset(self) -> None:
        """Forget everything that was seen, also the time."""
        self.disengage()
        self._jumps.reset()
        self._pinch_point.reset()
        self._aperture.reset()
        self._last_stamp = self._last_seen = None

    def step(
        self,
        hand: TrackedHand | None,
        q_measured: FloatArray,
        stamp: float,
        engaged: bool = True,
        sent: FloatArray | None = None,
    ) -> ShadowResult:
        """Return what the robot should do for one look at the hand.

        Args:
            hand: The hand in the camera's optical frame; None: none is seen.
            q_measured: (J,) where the robot is.
            stamp: Capture time of the look [s]; must grow. After a clock that was set back the
                clutch closes anew.
            engaged: The person wants the robot to follow.
            sent: (J,) what was sent to the robot last, by whomever; NaN where nothing was. When
                the clutch closes the hand begins there: fingers on a thing stand before their
                command, and would let go of it if they were sent to where they are. None: they
                begin where they are.

        Returns:
            Joint positions within limits, or none and the reason. Bad input never raises.
        """
        if self._last_stamp is not None and self._last_stamp - stamp > _CLOCK_SET_BACK:
            self.reset()
        if not np.isfinite(stamp) or (self._last_stamp is not None and stamp <= self._last_stamp):
            last = 'none' if self._last_stamp is None else f'{self._last_stamp:.3f}'
            return self._nothing(f'stamp {stamp:.3f} is not after {last}', hand is not None)
        self._last_stamp = stamp
        try:
            measured = checked(q_measured, self._q.shape, 'measured joints')
        except MimicError as error:
            self.disengage()
            return self._nothing(f'{error}', hand is not None)
        if not engaged:
            self.disengage()
            return self._nothing('the clutch is open', hand is not None)
        human, reason = self._look(hand, stamp)
        if human is None:
            if self._last_seen is None or stamp - self._last_seen > self.params.lost_timeout:
                self.disengage()
            return self._nothing(reason, False)
        place = self._pinch_point.update(human)
        if place is None:
            return self._nothing('neither tips nor joints of thumb and index were seen', False)
        if self._last_seen is not None and stamp - self._last_seen > self.params.lost_timeout:
            self.disengage()
            self._rotation = None
        closing = self._closing_line.update(human, stamp)
        if not self._clutch.engaged and self._ik is not None:
            palm = self._ik.pose(self.robot.limits.clip(measured)[: self._count])
            self._approach.engage(palm[:3, :3], closing)
            self._rotation = None
        rotation = self._approach.rotation(human.base_T_hand[:3, :3], closing)
        follow = transform(self._smooth_rotation(rotation, stamp), place)
        if self._clutch.engaged and (late := self._behind(measured)):
            self.disengage()
            return self._nothing(late, True)
        if not self._clutch.engaged:
            fingers = measured[self._count :]
            if sent is not None:
                hand_sent = sent[self._count :]
                fingers = np.where(np.isfinite(hand_sent), hand_sent, fingers)
            start = np.concatenate([measured[: self._count], fingers])
            self._engage(follow, start, stamp)
        return self._follow(human, follow, measured, stamp)

    # How it works ---------------------------------------------------------------------------

    def _nothing(self, reason: str, tracking: bool) -> ShadowResult:
        return ShadowResult(None, reason, self._clutch.engaged, tracking)

    def _look(self, hand: TrackedHand | None, stamp: float) -> tuple[HumanHand | None, str]:
        """Return the hand if it is usable, else the reason why not."""
        if hand is None:
            return None, 'no hand is seen'
        if hand.side != self.params.side:
            return None, f'the hand is the {hand.side} one, not the {self.params.side}'
        try:
            human = observe(hand, self.base_T_camera, self.params.min_confidence)
        except MimicError as error:
            return None, f'the palm is not usable: {error}'
        verdict = self._jumps.check(human.wrist, stamp)
        if verdict.moved:
            # It stays at the new place: another hand, or a tracker that lost it for a while.
            self.disengage()
            self._pinch_point.reset()
        return (human, '') if not verdict.reason else (None, verdict.reason)

    def _behind(self, measured: FloatArray) -> str:
        """Return a sentence if the arm is far from the last command, else nothing."""
        if self.params.arm_backend == 'servo':
            return ''  # the arm's commands are not made here
        lead = np.abs(self._q - measured)[: self._count]
        if self._count == 0 or lead.max() <= self.params.max_lead:
            return ''
        worst = int(np.argmax(lead))
        return (
            f'{self.robot.joint_names[worst]} is {lead[worst]:.2f} behind its command, '
            f'more than {self.params.max_lead:.2f}: the clutch closes anew'
        )

    def _engage(self, follow: FloatArray, start: FloatArray, stamp: float) -> None:
        """Close the clutch with the robot at (J,) joints."""
        self._q = self.robot.limits.clip(start)
        self._start = self._q.copy()
        self._fingers = self._q[self._count :].copy()
        robot_T = self._tool_pose()
        self._clutch.engage(follow, robot_T, stamp)
        if self._ik is not None:
            self._ik.reset()
        if self._box is not None:
            here = robot_T[:3, 3]
            self._engage_box = np.stack(
                [np.minimum(self._box[0], here), np.maximum(self._box[1], here)]
            )
        self._last_command = stamp

    def _smooth_rotation(self, rotation: FloatArray, stamp: float) -> FloatArray:
        """Return (3, 3) a rotation after a low pass; arms turn more slowly than hands tremble."""
        before, last = self._rotation, self._last_seen
        if before is not None and last is not None and self.params.orientation_time > 0.0:
            share = 1.0 - math.exp(-(stamp - last) / self.params.orientation_time)
            left = Rotation.from_matrix(before.T @ rotation).as_rotvec()
            rotation = before @ Rotation.from_rotvec(share * left).as_matrix()
        self._rotation, self._last_seen = rotation, stamp
        return rotation

    def _find_grip(self) -> Grip:
        """Return where and how the robot holds things."""
        if self._dexterous is not None:
            return self._dexterous.grip
        centre = np.zeros(3)
        if self.robot.hand is not None:
            centre = self.robot.fk(self.robot.home, GRASP_CENTER, PALM)[:3, 3]
        # Parallel grippers close along palm x, the thumb on its positive side.
        return Grip(centre, np.array([-1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))

    def _find_approach(self) -> Approach:
        """Return how the palm is turned.

        A `turn` counts where the arm can make it for a person who reaches straight out, whose
        closing line is along x.
        """
        entry = None if self.robot.hand is None else self.robot.hand.retargeting
        turn = None if entry is None else entry.turn
        grip, frame = self._grip, self._frame

        def approach(orientation: Orientation) -> Approach:
            return Approach(self.robot, orientation, frame, grip.closing, grip.reach, turn or 0.0)

        if self.params.orientation != 'auto':
            return approach(cast(Orientation, self.params.orientation))
        if self._dexterous is None:
            return approach('yaw_only')
        if turn is not None:
            asked = approach('yaw_only').rotation(np.eye(3), np.array([1.0, 0.0, 0.0]))
            if reaches(self.robot, asked, frame, grip.centre):
                return approach('yaw_only')
        return approach('yaw_relative')

    def _tool_pose(self) -> FloatArray:
        """Return (4, 4) the pose of that point in base_link at the command."""
        if self._ik is None:
            return np.eye(4)
        return self._ik.pose(self._q[: self._count], self._grip.centre)

    def _follow(
        self, human: HumanHand, follow: FloatArray, measured: FloatArray, stamp: float
    ) -> ShadowResult:
        """Return the command for a hand with the clutch closed."""
        first = stamp == self._last_command
        gap = stamp - self._last_command
        dt = min(max(gap, _MIN_DT), _MAX_DT)
        if gap > _HELD_AFTER and self._ik is not None:
            self._ik.reset()  # without commands the gate has stopped the robot
        self._last_command = stamp
        aperture = self._aperture.update(human, stamp).value
        fingers, tip_error = self._solve_fingers(human, aperture, measured[self._count :])
        q = self._q.copy()
        if not first and len(fingers):
            share = self._finger_share(stamp)
            wanted = self._start[self._count :] + share * (fingers - self._start[self._count :])
            reach = self.robot.limits.max_speed[self._count :] * dt
            last = self._q[self._count :]
            if self._dexterous is not None:
                lead = self.params.max_finger_lead
                there = measured[self._count :]
                wanted = np.clip(wanted, there - lead, there + lead)
            q[self._count :] = np.clip(wanted, last - reach, last + reach)
        self._q = self.robot.limits.clip(q)
        if self._ik is None:
            return ShadowResult(
                self._q.copy(), '', True, True, tip_error=tip_error, aperture=aperture
            )
        target = self._clutch.target(follow, stamp)
        if self._engage_box is not None:
            target[:3, 3] = np.clip(target[:3, 3], self._engage_box[0], self._engage_box[1])
        tool = self._grip.centre
        if self.params.arm_backend == 'servo':
            arm = self.robot.limits.clip(measured)[: self._count]
            self._q = np.concatenate([arm, self._q[self._count :]])
        elif not first:
            arm = self._ik.step(self._q[: self._count], target, dt, tool=tool).q
            self._q = np.concatenate([arm, self._q[self._count :]])
        palm = target.copy()
        palm[:3, 3] -= target[:3, :3] @ tool
        here = self._ik.pose(self._q[: self._count])
        cosine = 0.5 * (float(np.trace(palm[:3, :3].T @ here[:3, :3])) - 1.0)
        return ShadowResult(
            q=self._q.copy(),
            reason='',
            engaged=True,
            tracking=True,
            target=palm,
            position_error=float(np.linalg.norm(palm[:3, 3] - here[:3, 3])),
            orientation_error=float(np.arccos(np.clip(cosine, -1.0, 1.0))),
            tip_error=tip_error,
            aperture=aperture,
        )

    def _finger_share(self, stamp: float) -> float:
        """Return how far the fingers are on their way to the solution: 0 to 1."""
        time = self.params.engage_time
        if time <= 0.0:
            return 1.0
        t = min(max((stamp - self._clutch.engaged_at) / time, 0.0), 1.0)
        return t * t * (3.0 - 2.0 * t)

    def _solve_fingers(
        self, human: HumanHand, aperture: float, measured: FloatArray
    ) -> tuple[FloatArray, float]:
        """Return (J of the hand,) finger joints and the mean error of the tips [m]."""
        if self._gripper is not None:
            return self._gripper.joints(aperture), _NAN
        if self._dexterous is None:
            return np.zeros(0), _NAN
        solution = self._dexterous.solve(human, self._fingers, aperture, measured)
        self._fingers = solution.q
        return solution.q, self._dexterous.tip_error(solution, human, aperture)
