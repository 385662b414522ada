"""What the frames of an Allegro Hand add up to: whole sets of positions, status, temperatures."""

import time

import numpy as np

from mimic_allegro_driver.protocol import FINGERS, JOINTS, Dialect, Frame, Info, parse_info
from mimic_core.errors import ProtocolError

_ALL = 0b1111  # fingers of a set
_LONGEST_SET = 0.6  # [1] periods between the first and the last frame of a set
_LONGEST_GAP = 10  # [1] periods without a set after which the velocity begins anew


class HandState:
    """Takes frames as they come; a set is whole when all four fingers have sent."""

    def __init__(self, dialect: Dialect, period: float, cutoff: float, words: bool) -> None:
        """Make a state that knows nothing.

        Args:
            dialect: How the hand speaks.
            period: Between two sets [s].
            cutoff: Of the low-pass filter of the velocities [Hz].
            words: A frame of temperatures is one number, not four of a byte.
        """
        self.position = np.zeros(JOINTS)  # (16,) [rad]
        self.velocity = np.zeros(JOINTS)  # (16,) [rad/s]
        self.arrived = 0.0  # [s] perf_counter, of the last whole set
        self.sets = 0
        self.damaged = 0  # frames of a wrong length
        self.incomplete = 0  # sets that lacked a finger
        self.damage = ''  # what was wrong with the last damaged frame
        self.info: Info | None = None
        self.info_count = 0
        self.serial = ''
        self.temperature: dict[str, float] = {}  # part -> [deg C]
        self.torque_frames = 0  # of whoever commands the hand
        self._dialect, self._period, self._words = dialect, period, words
        self._weight = 1.0 - np.exp(-2.0 * np.pi * cutoff * period)
        self._data = bytearray(8 * len(FINGERS))
        self._seen = 0  # bits of fingers
        self._heard = 0
        self._began = 0.0  # [s] stamp of the first frame of the set under way

    def missing(self) -> list[str]:
        """Return the fingers that have not sent since the last whole set."""
        return [name for f, name in enumerate(FINGERS) if not self._heard >> f & 1]

    def forget(self) -> None:
        """Drop the set under way."""
        self._seen = self._heard = 0

    def take(self, frame: Frame) -> None:
        """Take a frame; frames of others are passed over."""
        finger = self._dialect.position_ids.get(frame.id)
        if frame.remote:
            return
        if finger is not None:
            self._take_positions(finger, frame)
        elif frame.id in self._dialect.torque_ids:
            self.torque_frames += 1
        elif frame.id == self._dialect.info_id:
            self._take_info(frame.data)
        elif frame.id == self._dialect.serial_id:
            self.serial = frame.data.decode('ascii', 'replace').rstrip('\0 ')
        elif frame.id in self._dialect.temperature_ids:
            self._take_temperature(self._dialect.temperature_ids[frame.id], frame.data)

    def _take_positions(self, finger: int, frame: Frame) -> None:
        if len(frame.data) != 8:
            self._note(f'{FINGERS[finger]}: positions of {len(frame.data)} bytes, not 8')
            return
        # Low ids go first on CAN. One that comes after a higher one, and late, is of the next set.
        late = frame.stamp - self._began > _LONGEST_SET * self._period
        late = late and bool(self._seen >> finger)
        if self._seen and (late or self._seen >> finger & 1):
            self.incomplete += 1
            self._seen = 0
        if not self._seen:
            self._began = frame.stamp
        self._data[8 * finger : 8 * finger + 8] = frame.data
        self._seen |= 1 << finger
        self._heard |= 1 << finger
        if self._seen == _ALL:
            self._seen = self._heard = 0
            self._finish(time.perf_counter())

    def _finish(self, now: float) -> None:
        position = self._dialect.positions(bytes(self._data))
        gap = now - self.arrived
        if gap > _LONGEST_GAP * self._period:
            self.velocity = np.zeros(JOINTS)
        else:
            # By the clock of the hand: sets that waited in a buffer came a period apart, too.
            speed = (position - self.position) / self._period
            self.velocity = self.velocity + self._weight * (speed - self.velocity)
        self.position, self.arrived = position, now
        self.sets += 1

    def _take_info(self, data: bytes) -> None:
        try:
            info = parse_info(data)
        except ProtocolError as error:
            self._note(str(error))
            return
        if self.info is not None and info.who != self.info.who:
            self._note('information of another hand')
            return
        self.info = info
        self.info_count += 1
        self.temperature['hand'] = float(self.info.temperature)

    def _take_temperature(self, finger: int, data: bytes) -> None:
        name = FINGERS[finger]
        if self._words and len(data) >= 4:
            self.temperature[name] = float(int.from_bytes(data[:4], 'little'))
        elif not self._words:
            self.temperature |= {f'{name} {i}': float(t) for i, t in enumerate(data[:4])}

    def _note(self, damage: str) -> None:
        self.damaged += 1
        self.damage = damage
