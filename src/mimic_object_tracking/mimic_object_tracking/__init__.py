"""Frames to 6-DoF poses of known objects."""

from mimic_object_tracking.mesh import ObjectModel, load_object, make_object
from mimic_object_tracking.params import ObjectTrackingParams, SightParams
from mimic_object_tracking.tracker import ObjectTracker
from mimic_object_tracking.view import ObjectEstimate

__all__ = [
    'ObjectEstimate',
    'ObjectModel',
    'ObjectTracker',
    'ObjectTrackingParams',
    'SightParams',
    'load_object',
    'make_object',
]
