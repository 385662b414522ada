"""The task of a run for the twin: what was shown, on its table."""

from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import BoolArray, FloatArray
from mimic_rl.params import PracticeParams
from mimic_rl.run_folder import PracticeRun
from mimic_rl.world import build_world, overlap
from mimic_sim.tasks import TaskFile

TASK_FILE: Final = 'task.json'  # in the run folder
_MOST: Final = 100  # starts in the file


def twin_task(run: PracticeRun, places: FloatArray) -> TaskFile:
    """Return the task of a run.

    Args:
        run: What was shown.
        places: (P, 7) of the object, at which the arm can begin. Those within something else are
            left out; where none is left, the task begins at the shown one.
    """
    free = places[_is_free(run, places)][:_MOST]
    practice = PracticeParams()
    return TaskFile(
        name=run.task,
        thing=run.object.name,
        parts=run.object.parts,
        mass=run.object.mass,
        friction=run.object.friction,
        fixtures=run.fixtures,
        starts=free if len(free) else run.trajectory[:1],
        target=run.trajectory[-1],
        axes=run.anchors,
        near=practice.success_distance,
        turned=practice.success_angle,
    )


def _is_free(run: PracticeRun, places: FloatArray) -> BoolArray:
    """Return which (P,) places of the object keep it out of all else, the robot at home."""
    robot = run.robot()
    world = build_world(run, robot)
    data, first = mujoco.MjData(world.model), world.object_qpos
    world.robot.place(robot, data, robot.home)
    free = np.zeros(len(places), dtype=bool)
    for row, pose in enumerate(places):
        data.qpos[first : first + 7] = pose[[0, 1, 2, 6, 3, 4, 5]]
        free[row] = not overlap(world, world.model, data)
    return free
