"""What the cameras and joints say, as the observation that a policy was trained on."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_core.errors import ShapeError, StaleInputError
from mimic_core.frames import to_quat_xyzw
from mimic_core.joint_history import JointHistory
from mimic_description import RobotModel
from mimic_policy.execution_params import ExecutionParams
from mimic_policy.interface import Images, Observation
from mimic_policy.meta import AGENT, PolicyMeta
from mimic_retargeting import ArmIK

KEPT: Final = 1.0  # [s] of joint states, beyond the moments of an observation
SLACK: Final = 0.5  # [1] of the time between moments that a picture may be off its moment


class _Picture:
    """A picture that is scaled when it is first looked at: most never are."""

    def __init__(
        self, camera: str, take: Callable[[], Image], stamp: float, meta: PolicyMeta
    ) -> None:
        self.stamp: Final = stamp
        self._camera, self._take, self._meta = camera, take, meta
        self._scaled: Image | None = None

    def scaled(self) -> Image:
        if self._scaled is None:
            image = self._take()
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ShapeError(
                    f'{self._camera} camera: {image.shape} {image.dtype} is no rgb picture'
                )
            self._scaled = self._meta.scaled(self._camera, image)
            del self._take
        return self._scaled


def _none_yet(camera: str) -> StaleInputError:
    return StaleInputError(
        f'{camera} camera: no picture yet, and the policy was trained with one: start that camera'
    )


class Observer:
    """Remembers pictures and joints, and makes the observation of the newest picture."""

    def __init__(
        self, robot: RobotModel, meta: PolicyMeta, params: ExecutionParams, ik: ArmIK
    ) -> None:
        """Args: ik: gives the pose of `meta.frame`."""
        self._meta, self._params, self._ik = meta, params, ik
        self._arms = len(robot.arm_joints)
        self._span = (meta.observation_steps - 1) / meta.fps  # [s]
        self._pictures: dict[str, deque[_Picture]] = {n: deque() for n in meta.cameras}
        self.joints: Final = JointHistory(robot.joint_names, self._span + KEPT)
        self._sent = JointHistory(robot.hand_joints, self._span + KEPT)
        self._sent_at = -np.inf  # [s]

    def clear(self) -> None:
        """Forget everything that was seen."""
        for pictures in self._pictures.values():
            pictures.clear()
        self.joints.clear()
        self._sent.clear()
        self._sent_at = -np.inf

    def picture(self, camera: str, take: Callable[[], Image], stamp: float) -> None:
        """Take a picture.

        Args:
            camera: 'agent' or 'wrist'; one that the policy does not use is not looked at.
            take: Returns (H, W, 3) rgb of any size of the recorded shape; called when a policy
                looks at this picture.
            stamp: Capture time [s].

        Raises:
            StaleInputError: The stamp is not after that of the last picture.
        """
        if camera not in self._pictures:
            return
        pictures = self._pictures[camera]
        if pictures and stamp <= pictures[-1].stamp:
            back = pictures[-1].stamp - stamp
            if back < KEPT:
                raise StaleInputError(f'{camera} camera: stamp goes back by {back:.3f} s')
            pictures.clear()  # the clock was set back
        pictures.append(_Picture(camera, take, stamp, self._meta))
        oldest = stamp - self._span - 1.0 / self._meta.fps
        while len(pictures) > 1 and pictures[1].stamp < oldest:  # one more tells of gaps
            pictures.popleft()

    def sent(self, names: Sequence[str], positions: FloatArray, now: float) -> None:
        """Take what the gate sent to the hand; it stands until the next.

        Args:
            names: N joints.
            positions: (N,) [rad] or [m].
            now: [s]; a second command of the same moment is left out.

        Raises:
            ShapeError: Not N positions.
            NotFiniteError: NaN; says of which joint.
        """
        if now < self._sent_at:  # the clock was set back
            self._sent.clear()
        if now != self._sent_at:
            self._sent.add(names, positions, now)
            self._sent_at = now

    def newest(self) -> float:
        """Return the stamp [s] of the newest picture of the agent camera, -inf without one."""
        pictures = self._pictures[AGENT]
        return pictures[-1].stamp if pictures else -np.inf

    def check(self, now: float) -> None:
        """Raise if nothing can be observed at a time [s].

        Raises:
            StaleInputError: A picture or joint is missing, too old, or ahead of the clock, so that
                it would never grow old; says which.
        """
        bound = self._params.max_picture_age
        for camera, pictures in self._pictures.items():
            if not pictures:
                raise _none_yet(camera)
            age = now - pictures[-1].stamp
            if age > bound:
                raise StaleInputError(
                    f'{camera} camera: the last picture is {age:.2f} s old (bound {bound:g} s)'
                )
            if age < -bound:
                raise StaleInputError(
                    f'{camera} camera: the stamp is {-age:.2f} s ahead of the clock'
                )
        self.joints.latest(now, self._params.max_state_age)

    def begin(self, now: float) -> FloatArray:
        """Return (J,) where a motion begins: the arm where it is measured, the hand as sent.

        Fingers on a thing stand still before their command; to command them where they are would
        let go of it.

        Raises:
            StaleInputError: A joint is missing or too old; says which.
        """
        q = self.joints.latest(now, self._params.max_state_age)
        return np.concatenate([q[: self._arms], self._hand(np.inf, q)])

    def look(self) -> tuple[Observation, float]:
        """Return the observation that ends with the newest picture, and its stamp [s].

        Raises:
            StaleInputError: A picture or joint is missing.
            ShapeError: A picture is none.
            WrongRobotError: A picture has another shape than those of training.
        """
        stamp = self.newest()
        times = stamp - np.arange(self._meta.observation_steps)[::-1] / self._meta.fps
        views = {name: self._views(name, times) for name in self._pictures}
        state = np.array([self._state(time) for time in times])
        return Observation(agent=views[AGENT], wrist=views.get('wrist'), state=state), stamp

    def _views(self, camera: str, times: FloatArray) -> Images:
        """Return (N, H, W, 3) the picture nearest to each time; before the first, the first."""
        pictures = self._pictures[camera]
        if not pictures:
            raise _none_yet(camera)
        stamps = np.array([picture.stamp for picture in pictures])
        found = []
        for time in times:
            i = int(np.argmin(np.abs(stamps - time)))
            off = abs(stamps[i] - time)
            if off > SLACK / self._meta.fps and i > 0:
                raise StaleInputError(
                    f'{camera} camera: no picture within {off:.2f} s of a moment'
                )
            found.append(pictures[i].scaled())
        return np.stack(found)

    def _state(self, time: float) -> FloatArray:
        """Return (7 + J,) position, quaternion xyzw, hand joints as sent."""
        q = self.joints.at(time)
        pose = self._ik.pose(q[: self._arms])
        return np.concatenate([pose[:3, 3], to_quat_xyzw(pose), self._hand(time, q)])

    def _hand(self, time: float, q: FloatArray) -> FloatArray:
        """Return what was sent to the hand by a time [s]; without any, where it is in q (J,)."""
        try:
            return self._sent.at(time)
        except StaleInputError:
            return q[self._arms :]
