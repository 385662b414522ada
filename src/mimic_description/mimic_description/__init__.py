"""Robots of mimic: registry, URDF, kinematic and physics models."""

from mimic_description.model import RobotModel, UnknownFrameError, hand_model, load_robot
from mimic_description.registry import Device, UnknownDeviceError, known_devices, load_device
from mimic_description.site import known_joints, site_limits, with_site
from mimic_description.urdf import render_urdf

__all__ = [
    'Device',
    'RobotModel',
    'UnknownDeviceError',
    'UnknownFrameError',
    'hand_model',
    'known_devices',
    'known_joints',
    'load_device',
    'load_robot',
    'render_urdf',
    'site_limits',
    'with_site',
]
