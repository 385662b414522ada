"""Drift: does a stored calibration still fit what the camera sees?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_calibration.detection import solve_view
from mimic_calibration.errors import CalibrationError
from mimic_calibration.files import StoredHandEye
from mimic_calibration.hand_eye import Sample, project
from mimic_calibration.kinematics import Arm
from mimic_core.frames import apply

State = Literal['ok', 'drifting', 'moved']

# Of one view: noise of joints and PnP is in it, that of several views averages out.
_VIEW_SHIFT: Final = 0.003  # [m]
_VIEW_TURN: Final = float(np.radians(0.4))  # [rad]
_MOVED: Final = 2.5  # [1] times the tolerance: no longer to be used


@dataclass(frozen=True)
class Drift:
    """What a check found."""

    state: State
    shift: float  # [m] median distance of the board from where it should be
    turn: float  # [rad] median
    pixels: float  # [px] median
    tolerance_shift: float  # [m]
    tolerance_turn: float  # [rad]
    views: int
    sentence: str

    @property
    def exit_code(self) -> int:
        """0 ok, 2 drifting, 3 moved; 1 is that of an error."""
        return {'ok': 0, 'drifting': 2, 'moved': 3}[self.state]


def check_drift(stored: StoredHandEye, samples: Sequence[Sample], arm: Arm) -> Drift:
    """Compare one or several views of the board with a stored calibration.

    The board must hang where it hung when the calibration was made.

    Raises:
        CalibrationError: No views, or another robot.
    """
    if not samples:
        raise CalibrationError('no view of the board to check with')
    if len(stored.joint_offsets) != len(arm.joints) or stored.robot.arm != arm.name:
        raise CalibrationError(
            f'the calibration is of {stored.robot.arm}, the joint states are of {arm.name}'
        )
    shifts, turns, pixels = [], [], []
    for sample in samples:
        points = stored.scale * sample.detection.points
        detection = replace(sample.detection, points=points)
        base_T_flange = arm.flange_pose(sample.q + stored.joint_offsets)
        predicted = stored.solution.board_in_camera(base_T_flange)
        seen = solve_view(detection, stored.intrinsics).camera_T_board
        middle = points.mean(axis=0)
        off = apply(seen, middle) - apply(predicted, middle)
        turned = Rotation.from_matrix(seen[:3, :3] @ predicted[:3, :3].T).as_rotvec()
        # What moved is constant in its own axes: the camera in the first, the board in the second.
        axes = np.stack([np.eye(3), predicted[:3, :3].T])
        shifts.append(axes @ off)  # (2, 3)
        turns.append(axes @ turned)
        errors = project(predicted, points, stored.intrinsics) - detection.pixels
        pixels.append(float(np.sqrt(np.mean(np.sum(errors**2, axis=1)))))
    count = np.sqrt(len(samples))
    shift = float(np.linalg.norm(np.median(shifts, axis=0), axis=1).max())
    turn = float(np.linalg.norm(np.median(turns, axis=0), axis=1).max())
    tolerance_shift = float(np.hypot(_VIEW_SHIFT / count, 2.0 * stored.expected_shift))
    tolerance_turn = float(np.hypot(_VIEW_TURN / count, 2.0 * stored.expected_turn))
    ratio = max(shift / tolerance_shift, turn / tolerance_turn)
    state: State = 'ok' if ratio <= 1.0 else 'drifting' if ratio <= _MOVED else 'moved'
    text = f'the board is {1e3 * shift:.1f} mm and {np.degrees(turn):.2f}° off'
    sentence = {
        'ok': f'the calibration of {stored.when} still fits: {text}',
        'drifting': f'the calibration drifts: {text}; calibrate again soon',
        'moved': f'camera, board or robot base has moved: {text}; calibrate again',
    }[state]
    return Drift(
        state, shift, turn, float(np.median(pixels)), tolerance_shift, tolerance_turn,
        len(samples), sentence,
    )  # fmt: skip
