"""Playing a track through the gate without ROS: when to send what, and when to give up."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_recording.replay import CommandTrack


class Phase(Enum):
    """What a player does."""

    APPROACH = 'approach'  # sends the first command until the robot is there
    PLAY = 'play'
    DONE = 'done'
    FAILED = 'failed'


@dataclass(frozen=True)
class PlayerOptions:
    """When playing starts and when it stops."""

    speed: float = 1.0  # [1] of the recorded speed
    start_tolerance: float = 0.02  # [rad] or [m]
    approach_timeout: float = 15.0  # [s]
    max_deviation: float = 0.5  # [rad] or [m] between what the gate commands and the recording


class Player:
    """One run through a track."""

    def __init__(self, track: CommandTrack, options: PlayerOptions, now: float) -> None:
        """Args: now: time [s] at which it begins."""
        self._track = track
        self._options = options
        self._began = now
        self._started = now  # of PLAY
        self._last = now
        self.phase = Phase.APPROACH
        self.reason = ''  # why it failed
        self.sent = 0
        self.max_error = 0.0  # [rad] or [m] what the gate commanded against what was sent

    @property
    def progress(self) -> float:
        """Share of the track that was played [1]."""
        if self.phase == Phase.DONE:
            return 1.0
        if self.phase != Phase.PLAY or self._track.duration == 0:
            return 0.0
        return min(self._time(self._last) / self._track.duration, 1.0)

    @property
    def elapsed(self) -> float:
        """Time since it began [s]."""
        return self._last - self._began

    def wait(self, now: float) -> None:
        """Let time [s] pass without a command."""
        self._last = now

    def _time(self, now: float) -> float:
        return (now - self._started) * self._options.speed

    def step(
        self, now: float, measured: Mapping[str, float], commanded: Mapping[str, float]
    ) -> NamedPositions | None:
        """Return the command to send now, None when the run is over.

        Args:
            now: Time [s].
            measured: Joint positions [rad] or [m] by name.
            commanded: What the gate commands now, by name.
        """
        self._last = now
        if self.phase == Phase.APPROACH:
            self._approach(now, measured)
        elif self.phase == Phase.PLAY:
            self._follow(now, commanded)
        if self.phase in (Phase.DONE, Phase.FAILED):
            return None
        self.sent += 1
        time = self._time(now) if self.phase == Phase.PLAY else 0.0
        return self._track.command(time, now)

    def fail(self, reason: str) -> None:
        """End the run."""
        self.phase, self.reason = Phase.FAILED, reason

    def _approach(self, now: float, measured: Mapping[str, float]) -> None:
        distance, joint = self._farthest(self._track.points[0], measured)
        if distance <= self._options.start_tolerance:
            self.phase, self._started = Phase.PLAY, now
        elif now - self._began > self._options.approach_timeout:
            missing = 'no joint state' if np.isinf(distance) else f'{distance:.3f} away'
            self.fail(
                f'{joint} did not reach the first command in '
                f'{self._options.approach_timeout:g} s: {missing}'
            )

    def _follow(self, now: float, commanded: Mapping[str, float]) -> None:
        time = self._time(now)
        if commanded:
            error, joint = self._farthest(self._track.sample(time), commanded)
            if np.isfinite(error):
                self.max_error = max(self.max_error, error)
            if error > self._options.max_deviation:
                self.fail(f'the gate commands {joint} {error:.3f} away from the recording')
                return
        if time > self._track.duration:
            self.phase = Phase.DONE

    def _farthest(self, target: FloatArray, values: Mapping[str, float]) -> tuple[float, str]:
        """Return the largest distance [rad] or [m] and its joint; infinite if one is unknown."""
        present = np.array([values.get(name, np.inf) for name in self._track.names])
        distance = np.abs(present - target)
        j = int(distance.argmax())
        return float(distance[j]), self._track.names[j]
