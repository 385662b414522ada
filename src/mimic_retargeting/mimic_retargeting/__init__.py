"""Retargeting: from the landmarks of a human hand to joint positions of arm and hand."""

from mimic_retargeting.arm_ik import ArmIK, IkResult
from mimic_retargeting.clutch import Clutch
from mimic_retargeting.dexterous import DexterousRetargeter
from mimic_retargeting.gripper import Aperture, ApertureReading, Gripper
from mimic_retargeting.hand_solver import HandSolution, HandSolver
from mimic_retargeting.human import HumanHand, PinchPoint, observe
from mimic_retargeting.params import RetargetingParams
from mimic_retargeting.shadow import Shadow, ShadowResult

__all__ = [
    'Aperture',
    'ApertureReading',
    'ArmIK',
    'Clutch',
    'DexterousRetargeter',
    'Gripper',
    'HandSolution',
    'HandSolver',
    'HumanHand',
    'IkResult',
    'PinchPoint',
    'RetargetingParams',
    'Shadow',
    'ShadowResult',
    'observe',
]
