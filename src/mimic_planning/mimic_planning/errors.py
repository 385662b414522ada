"""Why there is no plan."""

from mimic_core.errors import MimicError


class PlanningError(MimicError):
    """No motion was found; says what is in the way."""
