"""Where a camera is and how it projects: boards, solvers, refinement, drift."""

from mimic_calibration.board import Board
from mimic_calibration.calibrate import HandEyeResult, calibrate_hand_eye
from mimic_calibration.check import Drift, check_drift
from mimic_calibration.detection import Detection, Detector, solve_view
from mimic_calibration.errors import CalibrationError, DetectionError
from mimic_calibration.hand_eye import HandEye, Sample
from mimic_calibration.intrinsics import IntrinsicsResult, calibrate_intrinsics
from mimic_calibration.kinematics import Arm
from mimic_calibration.proposal import propose
from mimic_calibration.refine import Assumptions, Refined
from mimic_calibration.verdict import Verdict, judge_hand_eye, judge_intrinsics

__all__ = [
    'Arm',
    'Assumptions',
    'Board',
    'CalibrationError',
    'Detection',
    'DetectionError',
    'Detector',
    'Drift',
    'HandEye',
    'HandEyeResult',
    'IntrinsicsResult',
    'Refined',
    'Sample',
    'Verdict',
    'calibrate_hand_eye',
    'calibrate_intrinsics',
    'check_drift',
    'judge_hand_eye',
    'judge_intrinsics',
    'propose',
    'solve_view',
]
