"""What varies from one episode to the next: physics, and what is seen of the object."""

import copy
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import BoolArray, FloatArray, IntArray
from mimic_rl.params import RandomisationParams
from mimic_rl.world import World

PHYSICS: Final = 5  # numbers that describe the physics of an episode: see `Physics.draw`
_GRAVITY: Final = 9.81  # [m/s^2]


class Physics:
    """A model for each of B environments, whose numbers change at the start of an episode.

    Row b of `values`: mass, friction, damping, stiffness over those of the run [1], and gravity
    minus 9.81 [m/s^2].
    """

    def __init__(self, world: World, count: int) -> None:
        """Args: world: as the run says; count: B."""
        self.models: Final = [copy.copy(world.model) for _ in range(count)]
        self.values: Final = np.tile([1.0, 1.0, 1.0, 1.0, 0.0], (count, 1))
        self._world = world
        model = world.model
        body = world.object_body
        self._mass = float(model.body_mass[body])
        self._rest = float(model.body_subtreemass[0]) - self._mass  # [kg], of all others
        self._inertia = model.body_inertia[body].copy()
        self._invweight = model.body_invweight0[body].copy()
        # A body that moves freely takes its inertia from here, not from its mass.
        self._dofs = slice(world.object_dof, world.object_dof + 6)
        self._dof_inertia = model.dof_M0[self._dofs].copy()
        self._dof_invweight = model.dof_invweight0[self._dofs].copy()
        self._friction = model.geom_friction[:, 0].copy()
        self._damping = model.dof_damping[world.robot_dofs].copy()
        self._gain = model.actuator_gainprm.copy()
        self._bias = model.actuator_biasprm.copy()

    def draw(
        self,
        rows: IntArray,
        params: RandomisationParams,
        level: float,
        rng: np.random.Generator,
        outside: float = 0.0,
    ) -> None:
        """Draw the physics of some environments anew.

        Args:
            rows: (R,) which.
            params: How far it varies.
            level: Of the curriculum, 0 to 1.
            rng: Source of chance.
            outside: > 0: each factor lies between the bound of the range and this many times the
                range beyond 1, on either side: physics that practice has not seen.
        """
        share = rng.uniform(-1.0, 1.0, size=(len(rows), 4))
        if outside > 0.0:
            share = np.sign(share) * (1.0 + (outside - 1.0) * np.abs(share))
        self.values[rows, :4] = np.maximum(1.0 + level * params.factor * share, 0.1)
        fall = rng.normal(0.0, 1.0, size=len(rows))
        if outside > 0.0:
            fall = np.sign(fall) * outside
        self.values[rows, 4] = level * params.gravity * fall
        for row in rows:
            self.apply(int(row))

    def apply(self, row: int) -> None:
        """Write the values of a row into its model."""
        model, world = self.models[row], self._world
        mass, friction, damping, stiffness, gravity = self.values[row]
        body = world.object_body
        model.body_mass[body] = mass * self._mass
        model.body_subtreemass[body] = mass * self._mass  # divides the sum of moments
        model.body_subtreemass[0] = self._rest + mass * self._mass
        model.body_inertia[body] = mass * self._inertia
        model.body_invweight0[body] = self._invweight / mass
        model.dof_M0[self._dofs] = mass * self._dof_inertia
        model.dof_invweight0[self._dofs] = self._dof_invweight / mass
        model.geom_friction[:, 0] = friction * self._friction
        model.dof_damping[world.robot_dofs] = damping * self._damping
        model.actuator_gainprm[:, 0] = stiffness * self._gain[:, 0]
        model.actuator_biasprm[:, 1] = stiffness * self._bias[:, 1]
        # The drives' own damping is the D of their gains: it varies as damping does.
        model.actuator_biasprm[:, 2] = damping * self._bias[:, 2]
        model.opt.gravity[2] = -(_GRAVITY + gravity)


@dataclass
class ObjectEyes:
    """What B policies see of the object: late, noisy, at times nothing new for a while, and at
    times something else altogether.
    """  # noqa: D205

    history: FloatArray  # (D, B, 7) the last true poses, the newest first
    late: IntArray  # (B,) how many steps old the seen pose is
    seen: FloatArray  # (B, 7) what was seen last
    frozen: IntArray  # (B,) steps for which that stays
    newest: int = 0  # steps, at least so old

    @staticmethod
    def of(count: int, delay: int, newest: int = 0) -> 'ObjectEyes':
        """Return eyes for B environments and delays of up to so many steps."""
        pose = np.tile([0.0, 0, 0, 0, 0, 0, 1.0], (delay + 1, count, 1))
        none = np.zeros(count, dtype=np.int64)
        return ObjectEyes(pose, none, pose[0].copy(), none.copy(), newest)

    def reset(self, rows: IntArray, pose: FloatArray, rng: np.random.Generator) -> None:
        """Begin an episode of some rows (R,) at poses (R, 7)."""
        self.history[:, rows] = pose
        self.late[rows] = rng.integers(self.newest, len(self.history), size=len(rows))
        self.frozen[rows] = 0

    def see(
        self,
        pose: FloatArray,
        params: RandomisationParams,
        level: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return (B, 7) what is seen, xyz [m] and quaternion xyzw, of the true poses (B, 7)."""
        self.history = np.concatenate([pose[None], self.history[:-1]])
        count = len(pose)
        seen: FloatArray = self.history[self.late, np.arange(count)].copy()
        seen[:, :3] += level * params.object_position * rng.normal(size=(count, 3))
        turn = level * params.object_angle * rng.normal(size=(count, 3)) / np.sqrt(3.0)
        seen[:, 3:] = multiply_quat(rotvec_quat(turn), seen[:, 3:])
        lost: BoolArray = rng.random(count) < level * params.lost
        anywhere = rng.normal(size=(count, 4))
        where = seen[:, :3] + rng.uniform(-0.1, 0.1, size=(count, 3))
        seen[lost, :3] = where[lost]
        seen[lost, 3:] = anywhere[lost] / np.linalg.norm(anywhere[lost], axis=1, keepdims=True)
        hidden = self.frozen > 0
        seen[hidden] = self.seen[hidden]
        self.seen = seen
        begins = ~hidden & (rng.random(count) < level * params.hidden)
        length = rng.integers(0, params.hidden_steps, size=count, endpoint=True)
        self.frozen = np.where(begins, length, np.maximum(self.frozen - 1, 0))
        return seen


def rotvec_quat(rotvec: FloatArray) -> FloatArray:
    """Return (B, 4) quaternions xyzw of rotation vectors (B, 3) [rad]."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    scale = 0.5 * np.sinc(angle / (2.0 * np.pi))
    return np.concatenate([scale * rotvec, np.cos(0.5 * angle)], axis=-1)


def multiply_quat(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return (..., 4) the quaternions xyzw of `second` and then `first`."""
    x, y, z, w = np.moveaxis(first, -1, 0)
    a, b, c, d = np.moveaxis(second, -1, 0)
    product = [
        w * a + d * x + (y * c - z * b),
        w * b + d * y + (z * a - x * c),
        w * c + d * z + (x * b - y * a),
        w * d - (x * a + y * b + z * c),
    ]
    return np.stack(product, axis=-1)


def object_pose(state: FloatArray, start: int) -> FloatArray:
    """Return (B, 7) xyz, quaternion xyzw of the object in physics states (B, S)."""
    pose = state[:, start : start + 7]
    return np.concatenate([pose[:, :3], pose[:, 4:7], pose[:, 3:4]], axis=1)
