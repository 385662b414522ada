"""A motion of control/move_to: first planned, elsewhere, then gone through the gate."""

import enum
from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_control.gate import Gate
from mimic_control.output import Mode
from mimic_core.arrays import FloatArray
from mimic_core.errors import LimitError, MimicError
from mimic_planning import PlanningProcess, SceneParams, TimedPath


class Phase(enum.Enum):
    """Where a motion is."""

    NONE = enum.auto()
    ASKED = enum.auto()  # another planner is at work: `take` or `refuse` comes
    PLANNING = enum.auto()
    MOVING = enum.auto()


def scene_of(gate: Gate) -> SceneParams:
    """Return the rules of a gate for the planner."""
    p = gate.params
    return SceneParams(
        check_collision=p.check_collision,
        collision_margin=p.collision_margin,
        table_height=p.table_height,
        table_clearance=p.table_clearance,
        check_workspace=p.check_workspace,
        workspace_padding=p.workspace_padding,
        min_height_offset=p.min_height_offset,
    )


class PlannedMove:
    """One motion at a time; `step` comes at every tick and never waits.

    The planner runs in another process. What another planner (MoveIt) found is checked there too.
    """

    def __init__(self, gate: Gate, *, plan: bool = True, timeout: float = 5.0) -> None:
        """Prepare; the planner starts with the first motion.

        Args:
            gate: That moves the robot.
            plan: False: go straight, and let the gate stop before what is in the way.
            timeout: Of planning [s].
        """
        self._gate, self._timeout = gate, timeout
        self._planner: Final = (
            PlanningProcess(gate.robot, scene_of(gate))
            if plan and gate.robot.arm is not None
            else None
        )
        self.phase = Phase.NONE
        self.number = 0  # of the motion
        self.note = ''  # what the planner did
        self.start = np.empty(0)  # (J,)
        self.goal = np.empty(0)  # (J,)
        self.scale = 0.0  # [1] of the speed limits
        self._path: tuple[FloatArray, FloatArray, FloatArray] | None = None  # being checked
        self._failure = ''

    def begin(
        self,
        names: Sequence[str],
        positions: FloatArray,
        speed_scale: float,
        now: float,
        *,
        elsewhere: bool = False,
    ) -> None:
        """Begin a motion of some joints; see `Gate.move_to`.

        Args:
            names: N joints.
            positions: (N,) [rad] or [m].
            speed_scale: [1].
            now: [s].
            elsewhere: Another planner is asked first.

        Raises:
            MimicError: It may not begin: another one is under way, not idle, a bad goal.
        """
        if self.phase is not Phase.NONE:
            raise LimitError('another motion is under way')
        self.goal, self._limits = self._gate.move_goal(names, positions, speed_scale)
        self.start = self._gate.steering.rest.copy()
        self.scale = speed_scale or self._gate.params.move_speed_scale
        self._failure, self.note, self._path = '', '', None
        self.number += 1
        if self._planner is None:
            self._gate.move_to(names, positions, speed_scale, now)
            self.phase = Phase.MOVING
        elif elsewhere:
            self.phase = Phase.ASKED
        else:
            self._plan(now)

    def take(self, times: FloatArray, points: FloatArray, speeds: FloatArray, now: float) -> None:
        """Take the way that another planner found: (T,) [s], (T, J), (T, J); it is checked."""
        if self.phase is not Phase.ASKED or self._planner is None:
            return
        self._path = times, points, speeds
        self._planner.check(points, now, timeout=self._timeout)
        self.phase = Phase.PLANNING

    def refuse(self, reason: str, now: float) -> None:
        """Go on with our own planner: the other one found nothing."""
        if self.phase is Phase.ASKED:
            self.note = reason
            self._plan(now)

    def cancel(self, reason: str = 'cancelled') -> None:
        """Give up planning, or brake."""
        if self.phase is Phase.MOVING:
            self._gate.cancel_move(reason)
        elif self.phase is not Phase.NONE:
            if self._planner is not None:
                self._planner.cancel()
            self._failure = reason

    def step(self, now: float) -> tuple[float, float, str]:
        """Return progress [1], remaining time [s] and why the motion failed; 1 ends it."""
        if self.phase in (Phase.ASKED, Phase.PLANNING):
            self._await_plan(now)
            if not self._failure:
                return 0.0, 0.0, ''
            self.phase = Phase.NONE
            return 0.0, 0.0, self._failure
        progress, remaining, failure = self._gate.move_state(now)
        if failure or progress >= 1.0:
            self.phase = Phase.NONE
        return progress, remaining, failure

    def close(self) -> None:
        """End the planner's process."""
        if self._planner is not None:
            self._planner.cancel()

    def _plan(self, now: float) -> None:
        assert self._planner is not None
        self._path = None
        self._planner.plan(self.start, self.goal, now, timeout=self._timeout)
        self.phase = Phase.PLANNING

    def _await_plan(self, now: float) -> None:
        if self._gate.mode != Mode.IDLE and not self._failure:
            self.cancel(f'mode {self._gate.mode.name.lower()} was chosen')
        if self._failure or self._planner is None:
            return
        reply = self._planner.poll(now)
        if reply is None:
            return
        if reply.error and self._path is not None:
            self.note = f'the plan of MoveIt is not free: {reply.error}'
            self._plan(now)
            return
        self._failure = reply.error
        if reply.error:
            return
        try:
            if self._path is not None:
                path = TimedPath(*self._path, now)
            else:
                path = TimedPath.lines(reply.points, self._limits, now)
            self._gate.move_along(path)
        except MimicError as error:
            self._failure = str(error)
            return
        count = len(reply.points) - 1
        lines = f'{count} straight line{"s" if count > 1 else ""}'
        what = 'a way of MoveIt' if self._path is not None else f'{reply.kind}, {lines}'
        self.note = '; '.join(filter(None, (self.note, f'{what}, {path.duration:.1f} s')))
        self.phase = Phase.MOVING
