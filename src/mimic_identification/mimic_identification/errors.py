"""Errors of mimic_identification."""

from mimic_core.errors import MimicError


class IdentificationError(MimicError):
    """A record does not say how a joint answers; says which joint and why."""
