"""The gripper of the Panda: goals of an action in the place of a stream of set-points."""

import time
from typing import Protocol

import numpy as np

from mimic_core.errors import NoReplyError, ProtocolError
from mimic_panda_driver.params import PandaParams


class GripperLink(Protocol):
    """The topic and the action of the gripper."""

    def finger(self) -> tuple[float, float]:
        """Return the position of one finger [m], and when it was heard (perf_counter)."""

    def bad(self) -> int:
        """Return how many messages of the fingers were damaged: names without positions."""

    def send_goal(self, position: float, effort: float) -> bool:
        """Send a goal [m], [N]; returns False where nobody serves the action."""


class Gripper:
    """Sends a goal when the set-point has gone far enough from the last one, and not too often."""

    def __init__(self, link: GripperLink, params: PandaParams) -> None:
        self._link, self._params = link, params
        self._goal = np.nan
        self._goal_at = -np.inf
        self._wish = np.nan
        self._wish_at = -np.inf

    def reset(self) -> None:
        """Begin anew: the next set-point is no goal unless it differs from where the finger is."""
        self._goal = self._link.finger()[0]
        self._wish = np.nan

    def ready(self) -> bool:
        """Tell whether the state of the fingers was heard."""
        return bool(np.isfinite(self._link.finger()[1]))

    def read(self) -> float:
        """Return the position of a finger [m].

        Raises:
            NoReplyError: It is too old.
            ProtocolError: It is no number.
        """
        position, heard = self._link.finger()
        silence = time.perf_counter() - heard
        if silence > self._params.gripper_stale_after:
            raise NoReplyError(
                f'nothing on {self._params.gripper_state_topic} for {silence:.2f} s'
            )
        if not np.isfinite(position):
            raise ProtocolError(f'{self._params.gripper_joint} is {position}')
        return position

    def bad(self) -> int:
        """Return how many messages of the fingers were damaged."""
        return self._link.bad()

    def write(self, wish: float) -> None:
        """Take a set-point [m]; a goal follows when it is due.

        Raises:
            NoReplyError: Nobody serves the action.
        """
        now = time.perf_counter()
        if wish != self._wish:
            self._wish, self._wish_at = wish, now
        far = abs(wish - self._goal) >= self._params.gripper_min_change
        # A wish that stays reaches its goal exactly, however small the last step.
        settled = (
            wish != self._goal and now - self._wish_at > 5.0 * self._params.gripper_min_period
        )
        if not far and not settled and np.isfinite(self._goal):
            return
        if now - self._goal_at < self._params.gripper_min_period:
            return
        if not self._link.send_goal(wish, self._params.gripper_effort):
            raise NoReplyError(f'nobody serves {self._params.gripper_action}')
        self._goal, self._goal_at = wish, now
