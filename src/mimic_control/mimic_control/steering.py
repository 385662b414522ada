"""From a wish to a step that may be taken: limits, workspace, collisions together."""

from typing import Final

import numpy as np

from mimic_control.active import ActiveLimit
from mimic_control.brake import State, Way
from mimic_control.collision import CollisionGuard
from mimic_control.limiter import JointLimiter, Reference
from mimic_control.neighbour import Neighbour, NeighbourGuard
from mimic_control.params import GateParams
from mimic_control.reference import Fixed
from mimic_control.workspace import WorkspaceBox
from mimic_core.arrays import FloatArray
from mimic_core.limits import JointLimits
from mimic_description import RobotModel

SLOWER: Final = 0.6  # [1] change of the speed at a way that may not be gone
FASTER: Final = 1.15  # [1] its change at one that may
SLOWEST: Final = 0.02  # [1] of the speed limits, its floor
LEADS: Final = (0.5, 0.2)  # [1] of the longest straight step: how far ahead a detour aims
DETOUR: Final = 15  # ticks of sliding before the straight way is tried again
SAME_WISH: Final = 0.2  # [rad] or [m] between two targets up to which one follows the other
PULL: Final = 0.2  # [1] of the way from a target that may be reached back to the wish, each time
MOST_PULL: Final = 0.1  # [rad] or [m], its most
BETTER: Final = 0.6  # [1] of the distance to the wish, for which another solution is worth a hop
UNSEEN: Final = 0.01  # [m] that a neighbour may move before a target is looked at again
CAUGHT_UP: Final = 0.05  # [rad] or [m] distance at which a source that took over is caught up with


class Steering:
    """Every step is the first of a way to rest that was checked up to its end.

    When the next step cannot be checked well, the way that was checked before goes on, and the
    following tries are slower.
    """

    def __init__(
        self,
        robot: RobotModel,
        limits: JointLimits,
        params: GateParams,
        neighbour: Neighbour | None = None,
    ) -> None:
        """Args: limits: of the joints, as they shall hold; params: period, box, margins."""
        self.period: Final = 1.0 / params.rate  # [s]
        self.limits: Final = limits
        self._names = robot.joint_names
        self._resume_scale = params.resume_speed_scale
        self._limiter = JointLimiter(limits, self.period)
        with_arm = robot.arm is not None
        self.box: Final = (
            WorkspaceBox(robot, params) if params.check_workspace and with_arm else None
        )
        self.collision: Final = CollisionGuard(robot, params) if params.check_collision else None
        self.neighbour: Final = (
            NeighbourGuard(robot, neighbour, params) if neighbour is not None else None
        )
        self._guards: Final = [x for x in (self.collision, self.neighbour) if x is not None]
        self._scale = 1.0
        self._catching_up = True
        self._detour = 0  # ticks left before the straight way is tried again
        self._in_the_way: ActiveLimit | None = None
        self._last_target = np.empty(0)
        self._unseen = 0.0  # [m] that a neighbour moved since the last look at the target
        self._near: tuple[FloatArray, FloatArray] | None = None  # last wish, what came of it
        self._last_projection: tuple[FloatArray, list[ActiveLimit]] = (np.empty(0), [])

    @property
    def state(self) -> State:
        """What was sent last."""
        return self._limiter.state

    @property
    def rest(self) -> FloatArray:
        """(J,) where the robot is, or where it will be when it brakes now."""
        return self._limiter.brake().end

    @property
    def at_rest(self) -> bool:
        """Whether the robot moves by less than a nanometre a period."""
        v, a = self.state.v * self.period, self.state.a * self.period**2
        return bool(max(np.abs(v).max(), np.abs(a).max()) <= 1e-9)

    def look(self, now: float) -> None:
        """See where a neighbour is at a time [s]."""
        if self.neighbour is not None:
            self._unseen += self.neighbour.look(now, self._limiter.brake())
            if self._unseen > UNSEEN:  # what is in the way of the target has changed
                self._unseen, self._last_target = 0.0, np.empty(0)

    def reset(self, q: FloatArray) -> None:
        """Begin anew at rest at (J,)."""
        self._limiter.reset(q)
        self._near = None
        self.resume()

    def resume(self) -> None:
        """Go slower until the next reference is caught up with."""
        self._catching_up = True

    def accept(self, step: State) -> None:
        """Make a step the present state."""
        self._limiter.accept(step)

    def stopping(self) -> State:
        """Return the next state on the way to rest."""
        return self._limiter.stopping()

    def towards(self, reference: Reference, now: float) -> tuple[State, tuple[ActiveLimit, ...]]:
        """Return the next state towards a reference, and the limits that shaped it."""
        target = reference.at(np.array([now]))[0][0]
        limited = self._beyond_position(target)
        if not np.array_equal(target, self._last_target):
            self._last_target = target
            self._last_projection = self._allowed(self.limits.clip(target))
        target, why = self._last_projection
        if why:
            limited += why
            reference = Fixed(target)
        step, forbidden = self._direct(reference, target, now)
        return step, tuple([*limited, *forbidden, *self._at_rate_limits(step)])

    def _direct(
        self, reference: Reference, target: FloatArray, now: float
    ) -> tuple[State, list[ActiveLimit]]:
        """Return a step straight to the target, or along what is in the way, or of the brake."""
        scale = self._scale
        if self._catching_up:
            self._catching_up = bool(np.abs(target - self.state.q).max() > CAUGHT_UP)
            scale = min(scale, self._resume_scale)
        if self._detour:  # what was in the way still is, most likely
            self._detour -= 1
            step = self._along(target)
            if step is not None and self._in_the_way is not None:
                self._scale = min(FASTER * self._scale, 1.0)
                return step, [self._in_the_way]
        step = self._limiter.propose(reference, now, scale)
        forbidden = self._forbidden(step)
        if not forbidden:
            self._scale = min(FASTER * self._scale, 1.0)
            return step, []
        self._scale = max(SLOWER * self._scale, SLOWEST)
        self._detour, self._in_the_way = DETOUR, forbidden
        return self._along(target) or self._limiter.stopping(), [forbidden]

    def _allowed(self, wish: FloatArray) -> tuple[FloatArray, list[ActiveLimit]]:
        """Return a target (J,) near a wish that may be reached, and what forbids the wish.

        Of several such targets it stays with the one near the last, so that a wish that wanders
        outside does not make the robot hop along the edge.
        """
        target, why = self._projected(wish, False)
        before, self._near = self._near, (wish, target) if why else None
        if not why or before is None or np.abs(wish - before[0]).max() > SAME_WISH:
            return target, why
        pull = np.clip(PULL * (wish - before[1]), -MOST_PULL, MOST_PULL)
        start = self.limits.clip(before[1] + (wish - before[0]) + pull)
        followed = self._projected(start, False)[0]
        if self._projected(followed, False)[1]:
            return target, why
        far = BETTER * float(np.linalg.norm(followed - wish))
        if np.linalg.norm(target - wish) < far and not self._projected(target, False)[1]:
            return target, why
        self._near = wish, followed
        return followed, why

    def _projected(self, target: FloatArray, local: bool) -> tuple[FloatArray, list[ActiveLimit]]:
        """Return a target (J,) that may be reached, near a wanted one, and what forbids that."""
        found: list[ActiveLimit] = []
        if self.box is not None:
            target, why = self.box.project(target)
            found += [why] if why else []
        for guard in self._guards:
            target, why = guard.project(target, local=local)
            found += [why] if why else []
            if why and self.box is not None:
                target = self.box.project(target)[0]
        return target, found

    def _along(self, target: FloatArray) -> State | None:
        """Return a small step towards a target (J,) that slides along what is in the way."""
        rest = self.rest
        for lead in LEADS:
            way = target - rest
            length = float(np.max(np.abs(way) / (lead * self._limiter.longest_straight)))
            goal = rest + way / max(length, 1.0)
            step = self._limiter.straight(self._projected(goal, True)[0])
            if step is not None and not self._forbidden(step):
                return step
        return None

    def _forbidden(self, step: State) -> ActiveLimit | None:
        """Return why a state, or the stop from it, may not be, None when it may."""
        way = Way(self._limiter.brake(step), self.period)
        present = self.state.q
        if self.box is not None and (why := self.box.violation(way, present)):
            return why
        for guard in self._guards:
            if why := guard.violation(way, present):
                return why
        return None

    def _beyond_position(self, target: FloatArray) -> list[ActiveLimit]:
        out = (target < self.limits.lower - 1e-9) | (target > self.limits.upper + 1e-9)
        return [
            ActiveLimit(
                f'{self._names[i]} position',
                float(target[i]),
                float(np.clip(target[i], self.limits.lower[i], self.limits.upper[i])),
            )
            for i in np.flatnonzero(out)
        ]

    def _at_rate_limits(self, step: State) -> list[ActiveLimit]:
        found: list[ActiveLimit] = []
        for what, value, bound in (
            ('speed', step.v, self.limits.max_speed),
            ('acceleration', step.a, self.limits.max_acceleration),
        ):
            reached = np.flatnonzero(np.abs(value) >= 0.99 * bound)
            found += [
                ActiveLimit(f'{self._names[i]} {what}', float(value[i]), float(bound[i]))
                for i in reached
            ]
        return found
