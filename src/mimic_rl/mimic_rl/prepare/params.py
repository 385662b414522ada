"""Parameters of `prepare`."""

from dataclasses import dataclass

from mimic_core.params import param
from mimic_object_tracking import SightParams


@dataclass(frozen=True, kw_only=True)
class PrepareParams(SightParams):
    """From a video to a run. Published values are those of Human2Sim2Robot."""

    rate: float = param('Of the trajectory that is practised [Hz].', 15.0, low=5.0, high=60.0)
    smoothing: float = param('Length of the window over which paths are smoothed [s].', 0.3,
                             low=0.0, high=1.0)  # fmt: skip
    speed_threshold: float = param('The object moves when it is faster [m/s].', 0.05,
                                   low=0.005, high=1.0)  # fmt: skip
    sustained: float = param('For at least this long [s].', 0.2, low=0.0, high=2.0)
    least_motion: float = param('By which some point of the object must have moved [m].', 0.02,
                                low=0.002, high=0.5)  # fmt: skip
    lead: int = param('Frames of the video by which the start lies before the motion.', 30,
                      low=0, high=300)  # fmt: skip
    earlier: int = param(
        'Frames by which the start may lie earlier still, until the robot touches nothing.', 30,
        low=0, high=300,
    )  # fmt: skip
    tail: float = param('That is kept after the last motion [s].', 0.5, low=0.0, high=5.0)
    hand_gap: float = param('Longest time from the start to a look at the hand [s].', 0.35,
                            low=0.0, high=2.0)  # fmt: skip
    object_gap: float = param('Longest time for which the object may be hidden [s].', 1.0,
                              low=0.0, high=10.0)  # fmt: skip
    side: str = param("The person's hand.", 'right', choices=('right', 'left'))
    starts: int = param('Seeds of the search for a posture.', 64, low=1, high=2000)
    accept_distance: float = param('What a posture may miss [m].', 0.05, low=0.0, high=0.3)
    accept_angle: float = param('What a posture may miss [rad].', 0.052, low=0.0, high=1.0)
    max_jump: float = param(
        'A step that turns a joint farther is skipped; after skipped ones up to four times this '
        '[rad].', 0.262, low=0.01, high=3.0,
    )  # fmt: skip
    joint_speed: float = param('Of the arm in the retargeted motion [rad/s].', 0.785,
                               low=0.05, high=6.0)  # fmt: skip
    symmetry: str = param(
        "Turns of the object that look the same: 'auto', 'none', a round axis ('z'), or axes with "
        "counts ('x2,z4'). A round axis also for what a hand hides: it then has fewer anchors.",
        'auto',
    )
    mass: float = param('Of the object [kg].', 0.3, low=0.005, high=10.0)
    friction: float = param('Of the object [1].', 0.8, low=0.05, high=3.0)
    shape_error: float = param('By which primitives may differ from the mesh [m].', 0.01,
                               low=0.0, high=0.1)  # fmt: skip
    open_mesh: bool = param('Accept a mesh with holes: its primitives close them.', False)
