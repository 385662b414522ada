"""What a policy sees, and what its critic knows beside that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_rl.motion import Places
from mimic_rl.rewards import place_anchors

if TYPE_CHECKING:
    from mimic_rl.environment import Practice

# Scales that bring numbers near 1.
PLACE: Final = 0.2  # [m]
NEAR: Final = 0.1  # [m]
_AHEAD: Final = (5, 15)  # steps, targets that the critic knows
_MAX: Final = 10.0  # [1], of what networks see


def policy_view(
    *,
    lower: FloatArray,
    upper: FloatArray,
    max_speed: FloatArray,
    origin: FloatArray,
    q: FloatArray,
    speed: FloatArray,
    places: Places,
    palm_target: FloatArray,
    angles: FloatArray,
    seen: FloatArray,
    target: FloatArray,
    seen_place: FloatArray,
    last_action: FloatArray,
) -> FloatArray:
    """Return (B, O) what a policy sees: q, q', finger tips, palm, anchors, and its own commands.

    Args:
        lower: (J,) bounds.
        upper: (J,) bounds.
        max_speed: (J,).
        origin: (3,) [m] from which places count: the object's first place.
        q: (B, J) measured.
        speed: (B, J) measured.
        places: Of palm and tips.
        palm_target: (B, 3) commanded [m].
        angles: (B, 3) commanded [rad].
        seen: (B, A, 3) anchors of the object as it is seen [m].
        target: (B, A, 3) where they should be [m].
        seen_place: (B, 3) of the object's origin as it is seen [m].
        last_action: (B, C).
    """
    count = len(q)

    def flat(values: FloatArray) -> FloatArray:
        return values.reshape(count, -1)

    parts = [
        2.0 * (q - lower) / (upper - lower) - 1.0,
        speed / max_speed,
        (places.palm - origin) / PLACE,
        flat(places.palm_R[:, :, :2]),
        flat(places.tips - places.palm[:, None]) / PLACE,
        (palm_target - places.palm) / NEAR,
        angles,
        flat(seen - origin) / PLACE,
        flat(target - origin) / PLACE,
        flat(target - seen) / NEAR,
        (seen_place - places.palm) / NEAR,
        last_action,
    ]
    view: FloatArray = np.clip(np.concatenate(parts, axis=1), -_MAX, _MAX)
    return view


class Observer:
    """Looks at B environments of a Practice."""

    def __init__(self, practice: Practice) -> None:
        """Args: practice: whose environments; its motion, eyes and targets are read."""
        self._practice = practice
        robot, motion = practice.robot, practice.motion
        self._origin = practice.run.trajectory[0, :3].copy()
        self._limits = robot.limits
        count = len(motion.q)
        self.last_action = np.zeros((count, motion.actions))
        self.places: Places = motion.places(motion.q)
        self.actor = np.zeros((count, 0))
        self.critic = np.zeros((count, 0))

    def acted(self, action: FloatArray) -> None:
        """Remember the action (B, C) of this step."""
        self.last_action[:] = action

    def begin(self, rows: IntArray) -> None:
        """Forget the last action of rows (R,) that begin an episode."""
        self.last_action[rows] = 0.0

    def look(self) -> tuple[FloatArray, FloatArray]:
        """Return (B, O) what policies see and (B, P) what critics know."""
        p = self._practice
        noise = p.level * p.randomisation.observation_noise * p.motion.unit
        truth, anchors, q = p.pose, p.run.anchors, p.q
        self.places = p.motion.places(q)
        speed = p.q_speed
        seen = p.eyes.see(truth, p.randomisation, p.level, p.rng)
        row = p.target()
        target = p.target_anchors[row]

        def view(pose: FloatArray, joints: FloatArray, speeds: FloatArray) -> FloatArray:
            return policy_view(
                lower=self._limits.lower, upper=self._limits.upper,
                max_speed=self._limits.max_speed, origin=self._origin, q=joints, speed=speeds,
                places=self.places, palm_target=p.motion.palm, angles=p.motion.angles,
                seen=place_anchors(pose, anchors), target=target, seen_place=pose[:, :3],
                last_action=self.last_action,
            )  # fmt: skip

        self.actor = view(
            seen,
            q + noise * p.rng.normal(size=q.shape),
            speed + noise * p.rng.normal(size=q.shape),
        )
        later = [
            (p.target_anchors[p.target(ahead)] - target).reshape(len(q), -1) / NEAR
            for ahead in _AHEAD
        ]
        physics = p.physics.values
        known = [
            view(truth, q, speed),
            p.object_speed,
            physics[:, :4] - 1.0,
            physics[:, 4:],
            (p.time / p.length)[:, None],
            (p.eyes.late[:, None]).astype(np.float64),
            *later,
        ]
        self.critic = np.clip(np.concatenate(known, axis=1), -_MAX, _MAX)
        return self.actor, self.critic
