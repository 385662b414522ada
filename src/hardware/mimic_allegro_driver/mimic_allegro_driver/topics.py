"""An Allegro Hand that another ROS stack drives: positions by names over topics."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mimic_allegro_driver.params import AllegroParams
from mimic_core.arrays import FloatArray, IntArray
from mimic_core.driver.device import Health, Reading
from mimic_core.errors import (
    ConfigError,
    DeviceError,
    IdentityError,
    MimicError,
    NoReplyError,
    ProtocolError,
)

_AGAIN = 0.2  # [s] of the wait for joint states when they were there before
_F = {'index': 1, 'middle': 2, 'ring': 3, 'thumb': 0}  # number of a finger at Wonik


@dataclass(frozen=True)
class Stack:
    """What another stack calls things. Topics are relative, for remaps."""

    names: tuple[str, ...]  # (16,) of its joints in our order: index, middle, ring, thumb
    order: tuple[int, ...]  # (16,) our index of each value in its commands
    states: str  # sensor_msgs/JointState
    commands: str
    as_array: bool  # commands are Float64MultiArray, else JointState
    words: str  # std_msgs/String; '' where there is none
    rate: float  # [Hz] of its states


STACKS = {
    'allegro_hand_ros': Stack(
        tuple(f'joint_{i}.0' for i in range(16)),
        tuple(range(16)),
        'allegroHand_0/joint_states',
        'allegroHand_0/joint_cmd',
        False,
        'allegroHand_0/lib_cmd',
        333.0,
    ),
    'wonik_ros2': Stack(
        tuple(f'ah_joint{_F[f]}{j}' for f in ('index', 'middle', 'ring', 'thumb') for j in '0123'),
        (12, 13, 14, 15, *range(12)),  # its controller lists the thumb first
        'allegro_hand/joint_states',
        'allegro_hand_position_controller/commands',
        True,
        '',
        100.0,
    ),
}


@dataclass(frozen=True)
class State:
    """One message of joint states."""

    names: Sequence[str]
    position: Sequence[float]  # [rad]
    velocity: Sequence[float]  # [rad/s] or empty
    effort: Sequence[float]  # [N m] or empty
    stamp: float  # [s]; 0: none
    delay: float = 0.0  # [s] from the stamp to the receipt; 0 without a stamp


class Wire(Protocol):
    """Carries the topics of a stack."""

    def open(self, stack: Stack, on_state: Callable[[State], None]) -> None:
        """Begin to listen; does nothing if it does already."""

    def close(self) -> None:
        """Stop listening."""

    def command(self, position: Sequence[float]) -> None:
        """Publish 16 positions [rad] in the order of the stack."""

    def say(self, word: str) -> None:
        """Publish a word for the stack's own controllers."""


class TopicHand:
    """A hand behind another stack, which has the position loop."""

    def __init__(self, params: AllegroParams, joints: tuple[str, ...], wire: Wire) -> None:
        """Make a hand that does not listen yet.

        Args:
            params: Of the driver.
            joints: Names of the sixteen joints: index, middle, ring, thumb.
            wire: Carries the topics.

        Raises:
            ConfigError: The stack cannot take the torque off, as on_deactivate wants.
        """
        self._params, self._joints, self._wire = params, joints, wire
        self._stack = STACKS[params.stack]
        if not self._stack.words and 'limp' in (params.on_deactivate, params.on_lost_client):
            raise ConfigError(
                f'{params.stack} has no topic that takes the torque off: '
                'on_deactivate and on_lost_client must be hold'
            )
        self.rate = self._stack.rate
        self._order = np.array(self._stack.order)
        self._new = threading.Condition()
        self._state: State | None = None  # newest, not read yet
        self._came = 0.0  # [s] perf_counter
        self._columns: tuple[tuple[str, ...], IntArray] | None = None
        self._known = False  # whether it was open before

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the sixteen joints, without prefix."""
        return self._joints

    def open(self) -> str:
        """Wait for joint states that name all sixteen joints."""
        with self._new:
            self._state = None
        self._wire.open(self._stack, self._take)
        state = self._wait(_AGAIN if self._known else self._params.discovery_timeout)
        if state is None:
            raise NoReplyError(
                f'no joint states on {self._stack.states}: does {self._params.stack} run, and are '
                'its topics remapped to these names?'
            )
        self._of(state, state.position)
        self._known = True
        return f'Allegro Hand behind {self._params.stack}'

    def close(self) -> None:
        """Keep listening, since to find a topic again takes seconds; `leave` ends it."""

    def leave(self) -> None:
        """Stop listening."""
        self._wire.close()

    def enable(self) -> None:
        """Let the stack's position controller work."""
        if self._stack.words:
            self._wire.say('pdControl')

    def disable(self, *, hold: bool) -> None:
        """Leave it at its last position, or switch its controller off."""
        if hold:
            return
        if not self._stack.words:
            raise DeviceError(f'{self._params.stack} has no topic that takes the torque off')
        self._wire.say('off')

    def read(self) -> Reading:
        """Return the newest joint states; waits for the next where there are none.

        Raises:
            NoReplyError: There are none, or they are older than `stale_after`.
        """
        state = self._wait(max(self._params.reply_timeout, 2.0 / self.rate))
        if state is None:
            raise NoReplyError(f'no joint states on {self._stack.states}')
        age = time.perf_counter() - self._came
        stamped = self._params.check_stamps and state.stamp > 0.0
        self._refuse_old(age, state.delay if stamped else 0.0)
        return Reading(
            self._of(state, state.position),
            velocity=self._of(state, state.velocity) if len(state.velocity) else None,
            effort=self._of(state, state.effort) if len(state.effort) else None,
            stamp=state.stamp if stamped else None,
            age=age,
        )

    def _refuse_old(self, age: float, delay: float) -> None:
        """Raise NoReplyError for a state too old [s] since its receipt, and then since its stamp.

        A stamp in the future is of another clock, and says nothing of the age.
        """
        topic, limit = self._stack.states, self._params.stale_after
        if age > limit:
            raise NoReplyError(f'nothing on {topic} for {age:.2f} s')
        if age + delay > limit or delay < -limit:
            raise NoReplyError(
                f'{topic} came {delay:.2f} s after its stamp: slow, or the clocks of both '
                'machines differ; check_stamps:=false counts from the receipt'
            )

    def write(self, position: FloatArray) -> None:
        """Publish (16,) positions [rad] in the stack's order."""
        self._wire.command(position[self._order].tolist())

    def health(self) -> Health:
        """Return nothing: the stack's joint states say nothing of it."""
        return Health(details={'stack': self._params.stack})

    def reset(self) -> None:
        """Switch the stack's position controller on anew."""
        self.enable()

    def _take(self, state: State) -> None:
        with self._new:
            self._state, self._came = state, time.perf_counter()
            self._new.notify()

    def _wait(self, timeout: float) -> State | None:
        with self._new:
            self._new.wait_for(lambda: self._state is not None, timeout)
            state, self._state = self._state, None
            return state

    def _of(self, state: State, values: Sequence[float]) -> FloatArray:
        """Return (16,) values in our order."""
        names = tuple(state.names)
        if self._columns is None or self._columns[0] != names:
            missing = [name for name in self._stack.names if name not in names]
            if missing:
                raise IdentityError(
                    f'{self._stack.states} lacks {", ".join(missing)}: '
                    f'is it of {self._params.stack}?'
                )
            self._columns = names, np.array([names.index(name) for name in self._stack.names])
        try:
            return np.asarray(values, float)[self._columns[1]]
        except (IndexError, MimicError) as error:
            raise ProtocolError(f'{self._stack.states}: {error}') from error
