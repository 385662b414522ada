"""Parameters of the node that watches a calibration."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class WatchParams:
    """Checked once, when the node starts."""

    calibration: str = param('YAML file of a camera with a hand-eye calibration.')
    period: float = param('Time between two looks at a picture [s].', 2.0, low=0.1, high=3600.0)
    views: int = param('Looks that are judged together [1].', 5, low=1, high=100)
