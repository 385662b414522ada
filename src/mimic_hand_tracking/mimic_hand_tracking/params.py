"""Parameters of the hand tracker."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class TrackingParams:
    """Checked once, when the node starts."""

    detector: str = param(
        "'mediapipe' (models inside its package), 'task' (a .task file) or 'module:Class'.",
        'mediapipe',
    )
    task_file: str = param("File of the hand landmarker, for detector 'task'.", '')
    complexity: int = param('Landmark model: 0 fast, 1 accurate.', 1, low=0, high=1)
    max_hands: int = param('Hands looked for at once.', 2, low=1, high=2)
    min_detection_score: float = param('To start with a hand [1].', 0.5, low=0.05, high=0.99)
    min_tracking_score: float = param('To go on with a hand [1].', 0.3, low=0.05, high=0.99)
    mirrored: bool = param('The picture is mirrored, as that of a selfie camera.', False)
    use_depth: bool = param('Fit to the depth image where there is one.', True)
    depth_wait: float = param(
        'Longest wait for the depth of a colour image [s].', 0.010, low=0.0, high=0.1
    )
    hand_length: float = param(
        'Wrist to tip of the straight middle finger [m]; 0: estimated.', 0.0, low=0.0, high=0.30
    )
    max_speed: float = param('Fastest hand; faster is a jump [m/s].', 5.0, low=0.5, high=20.0)
    confirm_frames: int = param('Images before a new hand is published.', 2, low=1, high=30)
    max_gap: float = param(
        'A hand keeps its identity this long unseen [s].', 0.5, low=0.0, high=5.0
    )
    filter_cutoff: float = param(
        'Cut-off of the filter for a hand at rest [Hz]; 0: no filter.', 2.0, low=0.0, high=30.0
    )
    filter_beta: float = param(
        'Growth of the cut-off with speed [Hz per m/s].', 80.0, low=0.0, high=1000.0
    )
