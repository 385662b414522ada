"""What may be chosen when episodes and videos become a dataset."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class ConvertParams:
    """Checked once, before the first episode."""

    task: str = param('Task that is shown.')
    arm: str = param('Arm of the robot: stem of a file in config/robots.', 'iiwa14')
    hand: str = param('Hand of the robot: stem of a file in config/robots.')
    fps: int = param('Frames of the dataset in a second [Hz].', 10, low=1, high=60)
    height: int = param('Rows of the stored pictures [px]; 0: as recorded.', 180, low=0, high=2160)
    quality: int = param('Of the videos: x264 crf, 0 is lossless.', 20, low=0, high=51)
    max_offset: float = param(
        'Farthest a picture or sample may be from its frame in time [s].',
        0.15,
        low=0.001,
        high=5.0,
    )
    max_idle: float = param(
        'Standing still before the first and after the last motion beyond this is cut off [s].',
        0.5,
        low=0.0,
        high=600.0,
    )
    side: str = param('People: which hand shows the task.', 'right', choices=('right', 'left'))
    max_hands: int = param(
        'People: hands looked for at once; 2 where the other one comes into view: twice the time.',
        1,
        low=1,
        high=2,
    )
    max_gap: float = param(
        'People: a hand unseen for longer splits the video [s]; shorter gaps are interpolated.',
        0.3,
        low=0.0,
        high=5.0,
    )
    min_share: float = param(
        'People: least share of the video that the longest part with a hand must have [1].',
        0.5,
        low=0.0,
        high=1.0,
    )
    min_duration: float = param(
        'Shortest episode, when idle head and tail are cut off [s].', 1.0, low=0.1, high=600.0
    )
    bag_camera: str = param('People: prefix of the camera topics in bags.', 'agent_camera')
    detector: str = param("People: 'mediapipe', or 'module:Class', as in tracking.", 'mediapipe')
    use_depth: bool = param('People: use the depth of bags that have it.', True)
    hand_length: float = param(
        'People: wrist to tip of the straight middle finger [m]; 0: estimated.',
        0.0,
        low=0.0,
        high=0.3,
    )
