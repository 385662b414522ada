"""Take a pitcher, lift it and tilt it over a bowl."""

import numpy as np

from mimic_sim.tasks.task import (
    BLUE,
    PALE_GREY,
    PURPLE,
    Marker,
    Part,
    SceneObject,
    Start,
    Task,
    TaskState,
    pose_on_table,
)

PITCHER = SceneObject(
    'pitcher', 'cylinder', (0.032, 0.15), 0.25, PURPLE, friction=1.0,
    parts=(Part('box', (0.02, 0.02, 0.012), (0.04, 0.0, 0.062), 0.01, PURPLE),),
)  # fmt: skip
BOWL = SceneObject('bowl', 'cylinder', (0.05, 0.03), 1.5, BLUE)
START, TARGET = (0.0, -0.3), (0.0, 0.6)  # radii: x, y
SPREAD = 0.1  # [m]: the published range of starts
FORTH = 0.06  # [m], of that range along y: the bowl is in the way
LIFT = 0.12  # [m] of the pitcher's centre over its start while it pours
TILT = 1.2  # [rad] about x, away from the hand
NEAR, TILTED = 0.06, 0.9  # [m] of the spout from the bowl's middle; [rad], enough to pour


class PitcherPour(Task):
    """The pitcher stands on the right, the bowl on the left."""

    name = 'pitcher_pour'
    description = 'Take the purple pitcher and pour over the blue bowl.'

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """The pitcher and the bowl."""
        return (PITCHER, BOWL)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Under the bowl."""
        return (Marker('target', 'cylinder', (0.06,), PALE_GREY, self.area.at(*TARGET)),)

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        """Return a pitcher anywhere near its usual start, and the bowl where it is."""
        dx, dy = rng.uniform(-SPREAD, SPREAD, size=2)
        x, y = self.area.at(*START)
        place = (x + float(dx), y + min(float(dy), FORTH))
        pitcher = pose_on_table(PITCHER, place, 0.0)
        bowl = pose_on_table(BOWL, self.area.at(*TARGET), 0.0)
        return Start({PITCHER.name: pitcher, BOWL.name: bowl})

    def success(self, state: TaskState) -> bool:
        """The pitcher is tilted with its mouth over the bowl."""
        pose = state.objects[PITCHER.name].pose
        mouth = pose[:3, 3] + 0.5 * PITCHER.size[1] * pose[:3, 2]
        offset = np.hypot(*(mouth[:2] - state.markers['target']))
        tilt = float(np.arccos(np.clip(pose[2, 2], -1.0, 1.0)))
        return bool(offset <= NEAR and tilt >= TILTED and mouth[2] > BOWL.size[1])
