"""Hand-eye calibration from samples to a refined solution."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mimic_calibration.detection import solve_view
from mimic_calibration.errors import CalibrationError
from mimic_calibration.hand_eye import (
    MIN_POSES,
    HandEye,
    Mount,
    RotationSpread,
    Sample,
    best_of,
    check_motion,
    solve_closed_form,
)
from mimic_calibration.kinematics import Arm
from mimic_calibration.refine import Assumptions, Refined, refine
from mimic_core.camera import Intrinsics

_SUBSETS: Final = 8  # starts from a part of the poses, since some may be wrong
_SUBSET_SIZE: Final = 8
_WRONG_SIZE: Final = 0.01  # [1] beyond the tolerance of any printer
_LOOSE_SCALE: Final = 0.3  # [1]


@dataclass(frozen=True)
class HandEyeResult:
    """Everything that a calibration found out."""

    refined: Refined
    solvers: dict[str, HandEye]  # closed forms on all poses
    start: str  # the one that was refined
    spread: RotationSpread
    samples: tuple[Sample, ...]


def calibrate_hand_eye(
    mount: Mount,
    samples: Sequence[Sample],
    arm: Arm,
    intrinsics: Intrinsics,
    rng: np.random.Generator,
    assumptions: Assumptions | None = None,
) -> HandEyeResult:
    """Return the pose of the camera: closed forms for a start, then a joint refinement.

    Args:
        mount: Where the camera is.
        samples: Pictures and joints.
        arm: Its kinematics.
        intrinsics: Of the camera.
        rng: Chooses parts of the poses for starts.
        assumptions: How exact robot, print and intrinsics are.

    Raises:
        CalibrationError: The data allow no calibration; says why and what to do.
    """
    given = Assumptions() if assumptions is None else assumptions
    flanges = [arm.flange_pose(s.q) for s in samples]
    spread = check_motion(flanges)
    seen = [solve_view(s.detection, intrinsics).camera_T_board for s in samples]
    solvers = solve_closed_form(mount, flanges, seen)
    starts = dict(solvers)
    size = max(MIN_POSES, min(_SUBSET_SIZE, len(samples) // 2))
    for number in range(_SUBSETS if len(samples) > size else 0):
        chosen = rng.choice(len(samples), size, replace=False)
        try:
            part = solve_closed_form(
                mount, [flanges[i] for i in chosen], [seen[i] for i in chosen]
            )
        except CalibrationError:
            continue  # these poses turn too little
        starts.update({f'{name} of part {number + 1}': value for name, value in part.items()})
    start = best_of(starts, samples, arm, intrinsics)
    loose_scale = replace(given, scale=_LOOSE_SCALE)
    loose = refine(starts[start], samples, arm, intrinsics, loose_scale, hold_out=False)
    if given.scale < _WRONG_SIZE < abs(loose.scale - 1.0) - _doubt(loose):
        raise CalibrationError(
            f'the board is {100 * loose.scale:.1f} % of the size that was given: measure a square '
            'and say its real size'
        )
    refined = refine(loose.solution, samples, arm, intrinsics, given)
    return HandEyeResult(refined, solvers, start, spread, tuple(samples))


def _doubt(refined: Refined) -> float:
    """Return a bound on what noise does to the scale [1]: error of the pose over the distance."""
    distance = float(np.linalg.norm(refined.solution.reference_T_camera[:3, 3]))
    return 2.0 * refined.shift_error / max(distance, 0.1)
