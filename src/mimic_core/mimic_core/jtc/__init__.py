"""Arms that stand behind a vendor's ROS 2 stack and its joint_trajectory_controller."""

from mimic_core.jtc.device import JtcDevice, Link, Session, StateSample
from mimic_core.jtc.params import JtcParams, Stack

__all__ = ['JtcDevice', 'JtcParams', 'Link', 'Session', 'Stack', 'StateSample']
