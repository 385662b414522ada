"""What can go wrong with the data of a calibration."""

from mimic_core.errors import MimicError


class CalibrationError(MimicError):
    """The data do not allow a calibration; says what is missing and what to do."""


class DetectionError(MimicError):
    """A picture shows no usable board; says why, as far as the picture tells."""
