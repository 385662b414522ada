"""Commands of the topic-based hardware plugin, made safe for a driver."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import NotFiniteError, ShapeError, UnknownNameError


class CommandRelay:
    """Passes commands of one device on once they begin where the robot is.

    From its activation the topic-based plugin sends, until a controller runs, the initial values
    of the URDF: a robot that stands elsewhere must not go there. So nothing passes before a
    command is near what was measured; then everything does, until joint states stay away.
    """

    def __init__(
        self, joints: Sequence[str], max_start_error: float = 0.05, state_timeout: float = 0.25
    ) -> None:
        """Prepare.

        Args:
            joints: J of the device.
            max_start_error: Farthest a first command may be from what is measured [rad] or [m].
            state_timeout: Oldest joint state that counts [s].
        """
        self.joints: Final = tuple(joints)
        self._max_start_error, self._timeout = max_start_error, state_timeout
        self._measured = np.full(len(self.joints), np.nan)
        self._measured_at = np.full(len(self.joints), -np.inf)  # [s]
        self.open = False
        self.reason = 'no command yet'

    def measure(self, names: Sequence[str], positions: Sequence[float], now: float) -> None:
        """Take joint states: those of other devices too, and not always all of them.

        Args:
            names: N joints.
            positions: N of them [rad] or [m]; without any, nothing is taken.
            now: [s].
        """
        for name, position in zip(names, positions, strict=False):
            if name in self.joints and np.isfinite(position):
                i = self.joints.index(name)
                self._measured[i], self._measured_at[i] = position, now

    def command(
        self, names: Sequence[str], positions: Sequence[float], now: float
    ) -> FloatArray | None:
        """Return (J,) what the driver gets, None while nothing may pass (`reason` says why).

        Args:
            names: Joints of the plugin; those beyond the positions are state only.
            positions: [rad] or [m].
            now: [s].

        Raises:
            UnknownNameError: A joint is missing.
            ShapeError: More positions than names.
            NotFiniteError: A position is not finite.
        """
        if len(positions) > len(names):
            raise ShapeError(f'{len(positions)} positions for {len(names)} joints')
        given = dict(zip(names, positions, strict=False))
        for joint in self.joints:
            if joint not in given:
                raise UnknownNameError('joint of a command', joint, given)
        q = np.array([given[joint] for joint in self.joints], dtype=np.float64)
        if not np.isfinite(q).all():
            i = int(np.argmin(np.isfinite(q)))
            raise NotFiniteError(f'{self.joints[i]} is {q[i]}')
        oldest = int(np.argmin(self._measured_at))
        age = now - self._measured_at[oldest]
        if age > self._timeout:
            self.open = False
            since = f'for {age:.2f} s' if np.isfinite(age) else 'yet'
            self.reason = f'no joint state of {self.joints[oldest]} {since}'
            return None
        if not self.open:
            away = np.abs(q - self._measured)
            i = int(np.argmax(away))
            if away[i] > self._max_start_error:
                self.reason = (
                    f'{self.joints[i]} is commanded to {q[i]:.3f} and stands at '
                    f'{self._measured[i]:.3f}: waiting for a command that begins there'
                )
                return None
            self.open = True
        self.reason = ''
        return q
