"""Parameters of the virtual demonstrator."""

import math
from dataclasses import dataclass, replace

from mimic_core.params import param

LOOKS = ('tidy', 'varied', 'cluttered', 'occluded')


@dataclass(frozen=True, kw_only=True)
class DemonstratorParams:
    """Who shows what, seen from where; checked once, when the demonstrator starts."""

    arm: str = param(
        'Arm before which the person works: stem of a file in config/robots.', 'iiwa14'
    )
    task: str = param(
        'A task of the twin (its object is carried to its target), or free: hand gymnastics.',
        'pick_place',
    )
    seed: int = param('Of the start of the task, the motion and the looks.', 0, low=0)
    provider: str = param(
        "'module:function' that gives the task's pictures instead of the twin's; empty: none.",
        '',
    )
    side: str = param("The person's hand.", 'right', choices=('right', 'left'))
    look: str = param(
        'tidy: one usual laboratory; varied: skin, size, light, table by seed; cluttered: with '
        'things on the table too; occluded: with a post before the hand too.',
        'tidy',
        choices=LOOKS,
    )
    speed: float = param('Speed of the motion over a usual one [1].', 1.0, low=0.2, high=3.0)
    tremor: float = param('Tremor of the hand over a usual one [1].', 1.0, low=0.0, high=10.0)
    detours: float = param(
        'How far long ways through the air bend aside, of their length [1].',
        0.0,
        low=0.0,
        high=2.0,
    )
    props: bool = param(
        'The person has a small cube of their own where one is carried; else they mime.', False
    )
    eyes: bool = param('The person watches the robot (twin/status) and corrects.', True)
    loop: bool = param('Begin again after the end, each time with the next seed.', False)
    wait: bool = param('Rest until demonstrator/show asks for the task.', False)
    start_delay: float = param('Rest before the first motion [s].', 1.0, low=0.0, high=60.0)
    rate: float = param('Pictures a second [Hz].', 30.0, low=1.0, high=120.0)
    width: int = param('Of the pictures [px].', 640, low=64, high=1920)
    height: int = param('Of the pictures [px].', 480, low=48, high=1080)
    depth: bool = param('Give depth beside colour.', True)
    focal: float = param(
        'Focal length over the width of the picture [1].', 0.9375, low=0.4, high=3.0
    )
    camera_azimuth: float = param(
        'Of the camera about the workspace, from world x to y; mirrored for a left hand [rad].',
        1.25,
        low=-3.15,
        high=3.15,
    )
    camera_elevation: float = param(
        'Of the camera over the table [rad].', 0.55, low=0.05, high=1.5
    )
    camera_distance: float = param('Camera to workspace [m].', 0.68, low=0.3, high=2.0)

    def shown(self, rounds: int) -> 'DemonstratorParams':
        """Return the same person after the task was asked for so many times.

        Each time the task begins anew, with the next seed. Who waits has not begun before the
        first time.
        """
        if self.wait and not rounds:
            return replace(self, start_delay=math.inf)
        return replace(self, seed=self.seed + rounds - self.wait)
