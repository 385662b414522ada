"""Parameters of the twin."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class TwinParams:
    """How the twin looks, and how its joints answer."""

    width: int = param('Width of the pictures [px].', 640, low=16, high=1920)
    height: int = param('Height of the pictures [px].', 480, low=16, high=1080)
    fovy: float = param('Vertical field of view, agent camera [rad].', 0.75, low=0.2, high=1.6)
    wrist_fovy: float = param(
        'Vertical field of view, wrist camera [rad].', 1.13, low=0.2, high=1.6
    )
    samples: int = param(
        'Samples for each pixel against jagged edges [1]; 0 is fastest.', 0, low=0, high=16
    )
    shadows: bool = param('Draw shadows: pictures take about four times as long.', False)
    depth: bool = param('Give depth beside colour.', True)
    response: str = param(
        'File of ./mimic identify, how the joints answer their commands; empty: quickly.', ''
    )


@dataclass(frozen=True, kw_only=True)
class TwinNodeParams(TwinParams):
    """Checked once, when the node starts."""

    arm: str = param('Stem of a file in config/robots, or none.', 'iiwa14')
    hand: str = param('Stem of a file in config/robots, or none.', 'allegro')
    prefix: str = param('Put before every joint and link name.', '')
    task: str = param('Name of a task.', 'pick_place')
    seed: int = param('Seed of the first random start.', 0, low=0)
    rate: float = param(
        'Control rate: joint states, /clock, tactile [Hz].', 100.0, low=10, high=500
    )
    real_time_factor: float = param(
        'Simulated over wall time [1]; 0 is as fast as possible.', 1.0, low=0.0, high=20.0
    )
    agent_camera_rate: float = param(
        'Pictures of the agent camera in a simulated second [Hz]; 0 is off.', 0.0, low=0, high=60
    )
    wrist_camera_rate: float = param(
        'Pictures of the wrist camera in a simulated second [Hz]; 0 is off.', 0.0, low=0, high=60
    )
    publish_objects: bool = param(
        'Publish true object poses on object_tracking/objects, as a perfect tracker would.', False
    )
