"""The person at the deadman: reads the device, comes back after an unplug, says when to stop."""

import os
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from mimic_control.deadman import Buttons, RepeatedKey
from mimic_control.event_device import EventDevice, Input, find_input, key_codes, list_inputs
from mimic_core.errors import DeviceError, PortError
from mimic_core.params import param

TERMINAL: Final = 'terminal'
AUTO: Final = 'auto'
HOLD_KEY: Final = b' '


@dataclass(frozen=True, kw_only=True)
class OperatorParams:
    """Checked once, when the node starts."""

    device: str = param(
        "Input device: its path, a part of its name, 'terminal', or 'auto': the first keyboard "
        'that can be read, else the terminal.', 'auto'
    )  # fmt: skip
    hold: tuple[str, ...] = param(
        'Keys or buttons that must all be down for the robot to move, as the kernel names them.',
        ('KEY_SPACE',),
    )
    stop: tuple[str, ...] = param('Keys or buttons each of which stops the robot.', ('KEY_ESC',))
    rate: float = param('Messages a second while held [Hz].', 20.0, low=10.0, high=100.0)
    max_hold: float = param(
        'Longest hold [s], against a jammed pedal; 0: any.', 0.0, low=0.0, high=3600.0
    )
    first_repeat: float = param(
        'Terminal: longest time to the first repeat of a held key [s].', 0.8, low=0.1, high=2.0
    )
    repeat_timeout: float = param(
        'Terminal: time without a repeat that is a release [s].', 0.15, low=0.03, high=1.0
    )
    reconnect_period: float = param(
        'Time between tries to open a device that is gone [s].', 1.0, low=0.1, high=60.0
    )


@dataclass(frozen=True)
class Wish:
    """What the person wants now."""

    held: bool
    stop: str  # why to stop now, '' for not
    note: str  # what a person should read, '' for nothing


class Source(Protocol):
    """Where the wishes come from."""

    def poll(self, now: float) -> Wish:
        """Read what is there and return the wish at a time [s]."""
        ...

    def close(self) -> None:
        """Give the device back."""
        ...


class DeviceSource:
    """A keyboard, pedal or gamepad."""

    def __init__(
        self, params: OperatorParams, inputs: Callable[[], list[Input]] = list_inputs
    ) -> None:
        """Open the device.

        Raises:
            PortError: There is no such device, or it cannot be read.
            UnknownNameError: There is no such key.
        """
        self._params, self._inputs = params, inputs
        codes = key_codes(params.hold), key_codes(params.stop)
        self._buttons = Buttons(*codes, params.max_hold)
        self._device: EventDevice | None = self._open()
        self._try_at = 0.0

    def poll(self, now: float) -> Wish:
        """Read what is there and return the wish at a time [s]."""
        if self._device is None:
            return Wish(False, '', self._reopen(now))
        try:
            presses, lost = self._device.read()
        except DeviceError as error:
            self.close()
            self._try_at = now + self._params.reconnect_period
            return Wish(False, str(error), f'{error}; released and stopped')
        note = ''
        if lost:
            self._buttons.forget(self._device.down())
            note = 'events of the input device were lost; let go and hold again'
        stop = ''
        for press in presses:
            if self._buttons.press(press, now):
                stop = 'the stop button was pressed'
        return Wish(self._buttons.held(now), stop, note)

    def close(self) -> None:
        """Let go of the device."""
        self._buttons.forget()
        if self._device is not None:
            self._device.close()
            self._device = None

    def _open(self) -> EventDevice:
        device = EventDevice(find_input(self._params.device, self._inputs()))
        self._buttons.forget(device.down())
        return device

    def _reopen(self, now: float) -> str:
        if now < self._try_at:
            return ''
        self._try_at = now + self._params.reconnect_period
        try:
            self._device = self._open()
        except PortError:
            return ''
        return f"input device '{self._device.path}' is back; control/clear, then hold again"


class TerminalSource:
    """The space bar of a terminal; any other key stops."""

    def __init__(self, params: OperatorParams, file: int | None = None) -> None:
        """Take the terminal; file: its descriptor, default: standard input.

        Raises:
            PortError: There is no terminal.
        """
        self._file = sys.stdin.fileno() if file is None else file
        if not os.isatty(self._file):
            raise PortError(
                'no input device can be read and there is no terminal: run '
                "'./mimic run mimic_control operator' in a terminal of its own, or name a device"
            )
        self._key = RepeatedKey(params.first_repeat, params.repeat_timeout)
        self._before = termios.tcgetattr(self._file)
        self._was_blocking = os.get_blocking(self._file)
        raw = termios.tcgetattr(self._file)
        raw[3] &= ~(termios.ICANON | termios.ECHO)  # Ctrl-C still ends the node
        termios.tcsetattr(self._file, termios.TCSANOW, raw)
        os.set_blocking(self._file, False)
        self._gone = False

    def poll(self, now: float) -> Wish:
        """Read what is there and return the wish at a time [s]."""
        if self._gone:
            return Wish(False, '', '')
        try:
            data = os.read(self._file, 1024)
        except BlockingIOError:
            return Wish(self._key.held(now), '', '')
        except OSError:
            data = b''
        if not data:
            self._gone = True
            self._key.forget()
            return Wish(
                False, 'the terminal is gone', 'the terminal is gone; released and stopped'
            )
        if data.strip(HOLD_KEY):
            self._key.forget()
            return Wish(False, 'a key was pressed in the terminal', '')
        self._key.press(now)
        return Wish(self._key.held(now), '', '')

    def close(self) -> None:
        """Put the terminal back as it was."""
        if not self._gone:
            os.set_blocking(self._file, self._was_blocking)
            termios.tcsetattr(self._file, termios.TCSANOW, self._before)


def open_source(
    params: OperatorParams, inputs: Callable[[], list[Input]] = list_inputs
) -> tuple[Source, str]:
    """Return where wishes come from, and how a person holds on.

    Raises:
        MimicError: The named device cannot be used, or there is neither device nor terminal.
    """
    keys = ' and '.join(params.hold)
    stops = ' or '.join(params.stop)
    if params.device not in (AUTO, TERMINAL):
        source = DeviceSource(params, inputs)
        return source, f"hold {keys} of '{params.device}' to move; {stops} stops"
    if params.device == AUTO and (path := _first_keyboard(inputs())) is not None:
        named = OperatorParams(**(vars(params) | {'device': str(path)}))
        return DeviceSource(named, inputs), f'hold {keys} of {path} to move; {stops} stops'
    return TerminalSource(params), (
        'no input device is used: hold the space bar in this terminal to move, any other key '
        f'stops; a release is seen after {params.repeat_timeout:g} s without a repeat'
    )


def _first_keyboard(inputs: list[Input]) -> Path | None:
    for item in inputs:
        if 'keyboard' in item.name.lower() and os.access(item.path, os.R_OK):
            return item.path
    return None
