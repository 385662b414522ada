"""How near the whole robot is to the object, to the table and to what stands on it."""

import itertools
from collections.abc import Iterable
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray
from mimic_description import RobotModel
from mimic_rl.run_folder import PracticeRun
from mimic_rl.world import TABLE, build_world

KEEP: Final = 0.02  # [m] that is kept from a thing, but where a line begins or ends nearer
TOUCH: Final = 0.003  # [m] by which shapes may be within each other, as shown ones are at times
STEP: Final = 0.03  # [rad] or [m] of the fastest joint between two samples of a line
_SLACK: Final = 1e-3  # [m] by which a line may come nearer than its ends are
_THINGS: Final = ('the object', 'the table', 'what stands on the table')


class Surroundings:
    """All shapes of a robot against the world of its run. J joints."""

    def __init__(self, run: PracticeRun, robot: RobotModel) -> None:
        """Args: run: its object is where it was shown until `put`; robot: of the run."""
        self._robot: Final = robot
        self._world = build_world(run, robot)
        model, things = self._world.model, self._world.things
        model.geom_margin[things] = KEEP
        model.geom_conaffinity[~things] = 0  # the robot's own parts do not count
        self._data = mujoco.MjData(model)
        self._kind = np.where(things, _THINGS.index('what stands on the table'), -1)
        self._kind[self._world.object_geoms] = _THINGS.index('the object')
        self._kind[model.geom(TABLE).id] = _THINGS.index('the table')
        self.put(run.trajectory[0])

    def put(self, pose: FloatArray) -> None:
        """Put the object at a pose (7,): xyz [m], quaternion xyzw."""
        first = self._world.object_qpos
        self._data.qpos[first : first + 7] = pose[[0, 1, 2, 6, 3, 4, 5]]

    def distances(self, q: FloatArray) -> FloatArray:
        """Return (3,) [m] from object, table and the rest, at most KEEP; < 0: within it.

        Args:
            q: (J,) [rad] or [m].
        """
        model, data = self._world.model, self._data
        self._world.robot.place(self._robot, data, q)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        least = np.full(len(_THINGS), KEEP)
        contact = data.contact
        kinds = self._kind[contact.geom].reshape(-1, 2)
        one = (kinds < 0).sum(axis=1) == 1  # of the robot, and a thing
        np.minimum.at(least, kinds[one].max(axis=1), contact.dist[one])
        return least

    def touched(self, q: FloatArray) -> str:
        """Return within what the robot is at (J,) joints, '' if it is free."""
        least = self.distances(q)
        worst = int(np.argmin(least))
        return _THINGS[worst] if least[worst] < -TOUCH else ''

    def is_free(self, stops: Iterable[FloatArray]) -> bool:
        """Tell if straight lines between postures (J,) are free.

        A line keeps KEEP from each thing, or as much as its ends do: a hand may leave what it
        touches, and come to where it was shown beside the object.
        """
        return all(self._line_is_free(*ends) for ends in itertools.pairwise(stops))

    def _line_is_free(self, q: FloatArray, goal: FloatArray) -> bool:
        at_goal = self.distances(goal)
        if at_goal.min() < -TOUCH:
            return False
        bound = np.minimum(self.distances(q), at_goal) - _SLACK
        count = int(np.ceil(np.abs(goal - q).max() / STEP))
        return all(
            (self.distances(q + share * (goal - q)) >= bound).all()
            for share in np.arange(1, count) / max(count, 1)
        )
