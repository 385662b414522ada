"""For tests and benchmarks: an independent audit of what a gate sends, and an adversary."""

from dataclasses import dataclass, field
from typing import Final

import coal
import numpy as np
import pinocchio as pin

from mimic_control.gate import Gate
from mimic_control.intake import SOURCES
from mimic_control.output import GateOutput, Mode
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.errors import MimicError
from mimic_core.frames import BASE, FLANGE, GRASP_CENTER, PALM
from mimic_description import RobotModel

RELATIVE: Final = 1e-6  # [1] of a rate limit; rounding of third differences is below 1e-8
LENGTH: Final = 1e-6  # [m] of a place or a distance, above the rounding of distances


@dataclass
class Audit:
    """Checks outputs from their positions alone, by differences and its own kinematics."""

    robot: RobotModel
    rate: float  # [Hz]
    margin: float  # [m] of collisions
    every: int = 1  # places and distances are checked at each n-th output
    outputs: int = 0
    violations: list[str] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)  # [1] of the limit

    def __post_init__(self) -> None:
        self._last: list[FloatArray] = []
        self._last_time = -np.inf
        self._geometry = self.robot.collision_model(within_hand=False)
        self._data = self.robot.pin_model.createData()
        self._geometry_data = self._geometry.createData()
        home = self._distances(self.robot.home)
        self.margins = np.minimum(self.margin, 0.5 * home)
        hand = [PALM, GRASP_CENTER, *self.robot.tip_frames().values()] if self.robot.hand else []
        self._points = [FLANGE, *hand]
        box = self.robot.arm.workspace if self.robot.arm else None
        self.lower = np.array(box.box_min) if box else np.full(3, -np.inf)
        self.upper = np.array(box.box_max) if box else np.full(3, np.inf)
        if box:
            self.lower[2] = max(self.lower[2], box.min_height)

    def check(self, output: GateOutput, now: float) -> None:
        """Check what a tick returned at a time [s]; a clock that is set back starts time anew."""
        self._last_time = min(self._last_time, now)
        if not output.publish:
            return
        if output.restart:
            self._last = []
            self._last_time = -np.inf
        self.outputs += 1
        q, limits = output.q, self.robot.limits
        if not np.isfinite(q).all():
            self.violations.append(f'{q} is not finite')
            return
        self._ratio('position', np.maximum(limits.lower - q, q - limits.upper) / 1e-9)
        rows = [*self._last, q]
        for order, name, bound in (
            (1, 'speed', limits.max_speed),
            (2, 'acceleration', limits.max_acceleration),
            (3, 'jerk', limits.max_jerk),
        ):
            # At the start of a sequence the robot stands where it is measured.
            padded = [rows[0]] * (order + 1 - len(rows)) + rows
            difference = np.diff(np.array(padded[-order - 1 :]), n=order, axis=0)[0]
            self._ratio(name, np.abs(difference) * self.rate**order / bound / (1.0 + RELATIVE))
        if self._last:
            gap = max(now - self._last_time, 1e-9)
            speed = np.abs(q - self._last[-1]) / gap
            self._ratio('speed in real time', speed / limits.max_speed / (1.0 + RELATIVE))
        self._last, self._last_time = rows[-3:], now
        if self.outputs % self.every == 0:
            self._places(q)

    def _ratio(self, name: str, ratios: FloatArray) -> None:
        i = int(np.argmax(ratios))
        self.worst[name] = max(self.worst.get(name, 0.0), float(ratios[i]))
        if ratios[i] > 1.0:
            joint = self.robot.joint_names[i]
            self.violations.append(f'output {self.outputs}: {joint} {name} x {ratios[i]:.6f}')

    def _places(self, q: FloatArray) -> None:
        if self.robot.arm is not None:
            pin.framesForwardKinematics(self.robot.pin_model, self._data, self.robot.full(q))
            base = self._data.oMf[self.robot.frame(BASE)]
            for point in self._points:
                p = base.actInv(self._data.oMf[self.robot.frame(point)]).translation
                outside = float(np.maximum(self.lower - p, p - self.upper).max())
                if outside > LENGTH:
                    self.violations.append(f'output {self.outputs}: {point} {outside:.6f} m out')
        short = float(np.max(self.margins - self._distances(q), initial=-np.inf))
        if short > LENGTH:
            self.violations.append(f'output {self.outputs}: parts {short:.6f} m too near')

    def _distances(self, q: FloatArray) -> FloatArray:
        pin.computeDistances(
            self.robot.pin_model,
            self._data,
            self._geometry,
            self._geometry_data,
            self.robot.full(q),
        )
        return np.array([r.min_distance for r in self._geometry_data.distanceResults])


class Distance:
    """The smallest distance between two robots, from their own models, shape by shape."""

    def __init__(self, robots: list[RobotModel], bases: list[FloatArray]) -> None:
        """Args: robots: two; bases: (4, 4) of each base_link in one frame."""
        self._bases = [pin.SE3(base) for base in bases]
        self._robots = robots
        self._models = [robot.collision_model() for robot in robots]
        self._data = [robot.pin_model.createData() for robot in robots]
        self._geometry_data = [model.createData() for model in self._models]

    def __call__(self, qs: list[FloatArray]) -> float:
        """Return it [m] at (J,) positions of each."""
        shapes = []
        for k, robot in enumerate(self._robots):
            pin.updateGeometryPlacements(
                robot.pin_model, self._data[k], self._models[k], self._geometry_data[k],
                robot.full(qs[k]),
            )  # fmt: skip
            objects = self._models[k].geometryObjects
            shapes.append(
                [(o.geometry, self._bases[k] * self._geometry_data[k].oMg[i])
                 for i, o in enumerate(objects)]
            )  # fmt: skip
        spheres = []
        for row in shapes:
            for geometry, _ in row:
                geometry.computeLocalAABB()
            spheres.append((
                np.array([place.act(np.array(g.aabb_center)) for g, place in row]),
                np.array([g.aabb_radius for g, _ in row]),
            ))  # fmt: skip
        apart = np.linalg.norm(spheres[0][0][:, None] - spheres[1][0][None], axis=2)
        apart -= spheres[0][1][:, None] + spheres[1][1][None]
        best = np.inf
        for i, j in sorted(np.ndindex(apart.shape), key=lambda ij: apart[ij]):
            if apart[i, j] > best:
                break
            request, result = coal.DistanceRequest(), coal.DistanceResult()
            (a, a_place), (b, b_place) = shapes[0][i], shapes[1][j]
            place = [coal.Transform3s(p.rotation, p.translation) for p in (a_place, b_place)]
            best = min(best, coal.distance(a, place[0], b, place[1], request, result))
        return float(best)


class Adversary:
    """Sends a gate what it should never get, mixed with what it should, and ticks it.

    Commands of all sources (near, far, NaN, infinite, huge, alternating between extremes, wrong
    names, wrong lengths, old and future stamps), changes of mode, stops, floods and silences,
    lost and wrong joint states, late ticks, bunched ticks and clocks that jump.
    """

    def __init__(self, gate: Gate, rng: np.random.Generator, most: int = 1) -> None:
        """Args: gate: new, of a robot at its home; rng: of every choice; most: commands a tick."""
        self._most = most
        self.gate, self.rng = gate, rng
        self.now = float(rng.uniform(0.0, 1e6))
        self.commands = 0
        self._robot = gate.robot
        self._target = gate.robot.home.copy()
        self._habit = 'walk'
        self._states = True
        self._q = gate.robot.home.copy()  # where the robot is: where it was sent

    def tick(self) -> GateOutput:
        """Do something and tick once."""
        rng = self.rng
        if rng.random() < 0.02:
            self._habit = str(
                rng.choice(['walk', 'extremes', 'steps', 'poison', 'silence', 'flood'])
            )
        if rng.random() < 0.004:
            self._states = not self._states
        self._pass_time()
        self._disturb()
        count = int(rng.random() < 0.5) if self._most == 1 else int(rng.integers(self._most + 1))
        for _ in range({'flood': 5 * self._most, 'silence': 0}.get(self._habit, count)):
            self._command()
        if self._states or rng.random() < 0.02:
            self._measure()
        output = self.gate.tick(self.now)
        if output.publish:
            self._q = output.q.copy()
        return output

    def _pass_time(self) -> None:
        u, period = self.rng.random(), self.gate.period
        if u < 0.9:
            self.now += period * self.rng.uniform(0.9, 1.1)
        elif u < 0.998:
            self.now += period * self.rng.choice([0.0, 0.01, 0.3, 0.6, 0.8, 1.5, 3.0, 10.0])
        else:
            self.now += float(self.rng.choice([-100.0, -0.02, 0.5, 3600.0]))

    def _disturb(self) -> None:
        u, gate = self.rng.random(), self.gate
        if u < 0.01:
            gate.set_mode(str(self.rng.choice(['idle', *SOURCES])))
        elif u < 0.013:
            gate.stop('adversary')
        elif u < 0.03:
            gate.clear()
            gate.set_mode('shadow')
        elif u < 0.035:
            gate.enable(bool(self.rng.random() < 0.5), self.now)
        elif u < 0.038 and gate.mode == Mode.IDLE:
            try:
                gate.move_to(self._robot.joint_names, self._wish(), self.rng.random(), self.now)
            except MimicError:
                return

    def _wish(self) -> FloatArray:
        rng, limits = self.rng, self._robot.limits
        size = len(limits)
        if self._habit == 'extremes':
            ends = np.where(rng.random(size) < 0.5, limits.lower, limits.upper)
            return np.asarray(ends * rng.choice([1.0, 1.0, 10.0, 1e9]))
        if self._habit == 'steps':
            return rng.uniform(limits.lower - 0.3, limits.upper + 0.3)
        if self._habit == 'poison' and rng.random() < 0.5:
            q = self._target.copy()
            q[rng.integers(size)] = rng.choice([np.nan, np.inf, -np.inf, 1e300])
            return q
        self._target = limits.clip(self._target + rng.normal(size=size) * 0.05)
        if rng.random() < 0.02:
            self._target = self._robot.home.copy()
        return self._target.copy()

    def _command(self) -> None:
        rng = self.rng
        self.commands += 1
        names = list(self._robot.joint_names)
        count = 1 if rng.random() < 0.8 else int(rng.integers(2, 12))
        points = np.array([self._wish() for _ in range(count)])
        times = np.cumsum(rng.uniform(-0.001 if rng.random() < 0.05 else 0.001, 0.1, count))
        if rng.random() < 0.1:
            keep = rng.permutation(len(names))[: rng.integers(1, len(names) + 1)]
            names, points = [names[i] for i in keep], points[:, keep]
        if rng.random() < 0.02:
            names[0] = 'no_such_joint'
        if rng.random() < 0.02:
            points = points[:, :-1]
        stamp = float(rng.choice([0.0, self.now, self.now - 0.03, self.now - 9.0, self.now + 0.2]))
        source = str(rng.choice(['shadow', 'shadow', 'shadow', 'policy', 'replay', 'nobody']))
        try:
            command = NamedPositions(tuple(names), points, times, stamp)
        except MimicError as error:
            self.gate.intake.refuse(source, str(error))
            return
        self.gate.offer(source, command, self.now)

    def _measure(self) -> None:
        rng, q = self.rng, self._q + self.rng.normal(size=len(self._q)) * 1e-4
        if rng.random() < 0.01:
            q[rng.integers(len(q))] += rng.choice([np.nan, np.inf, 1.0, -3.0, 100.0])
        stamp = self.now if rng.random() < 0.99 else self.now - 10.0
        try:
            self.gate.measure(self._robot.joint_names, q, stamp, self.now)
        except MimicError:
            return
