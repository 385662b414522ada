"""The one gate that every command passes."""

from mimic_control.gate import Gate
from mimic_control.output import GateOutput, GateStatus, Mode
from mimic_control.params import ControlParams, GateParams

__all__ = ['ControlParams', 'Gate', 'GateOutput', 'GateParams', 'GateStatus', 'Mode']
