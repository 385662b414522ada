"""Frames to 21 hand landmarks in metres."""

from mimic_hand_tracking.detector import Detection, HandDetector, make_detector
from mimic_hand_tracking.drawing import draw_hand
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import HandTracker

__all__ = [
    'Detection',
    'HandDetector',
    'HandTracker',
    'TrackingParams',
    'draw_hand',
    'make_detector',
]
