"""Frames in: RealSense, webcam, video file, bag and twin behind one protocol."""

from mimic_camera.bag import BagSource
from mimic_camera.calibration import CAMERA_FILE, Calibration, load_calibration
from mimic_camera.params import CameraParams
from mimic_camera.realsense import RealSenseSource
from mimic_camera.source import EndOfStreamError, Reader, ReaderStatus, Source
from mimic_camera.sources import open_source
from mimic_camera.video import VideoSource
from mimic_camera.webcam import WebcamSource

__all__ = [
    'CAMERA_FILE',
    'BagSource',
    'Calibration',
    'CameraParams',
    'EndOfStreamError',
    'Reader',
    'ReaderStatus',
    'RealSenseSource',
    'Source',
    'VideoSource',
    'WebcamSource',
    'load_calibration',
    'open_source',
]
