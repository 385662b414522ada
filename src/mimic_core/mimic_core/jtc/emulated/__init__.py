"""A vendor's stack that is not there: controllers, a session, motors."""

from mimic_core.jtc.emulated.controller import TrajectoryController
from mimic_core.jtc.emulated.stack import EmulatedStack, StackOptions

__all__ = ['EmulatedStack', 'StackOptions', 'TrajectoryController']
