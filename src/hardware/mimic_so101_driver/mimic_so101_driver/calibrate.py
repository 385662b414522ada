"""Calibrate an SO-ARM101, guided by prompts: `./mimic run mimic_so101_driver calibrate`.

The steps and the numbers are those of LeRobot, so either program takes what the other wrote.
"""

import argparse
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from mimic_core.driver import SerialPort
from mimic_core.driver.tries import TRIES
from mimic_core.errors import ConfigError, DeviceError, MimicError
from mimic_description import load_robot
from mimic_so101_driver import protocol
from mimic_so101_driver.calibration import (
    FULL_TURN,
    MIDDLE,
    MOTORS,
    OFFSET_MAX,
    Calibration,
    MotorCalibration,
    load,
    save,
)
from mimic_so101_driver.protocol import COUNTS, RADIANS_PER_COUNT, Counts
from mimic_so101_driver.transport import Bus, calibration_registers, identify

_IDS: Final = (1, 2, 3, 4, 5, 6)
_PERIOD: Final = 0.02  # [s] between looks while a person moves the arm
_NOBODY: Final = 'nobody answers: run it on a terminal'
_LEAST_SPAN: Final = 0.85  # [1] of the joint's range in the registry
_MOST_SPAN: Final = 1.25


class Person(Protocol):
    """Whoever moves the arm."""

    def say(self, text: str) -> None:
        """Show a line."""

    def ask(self, text: str) -> str:
        """Show a question and wait for a line."""

    def is_done(self) -> bool:
        """Tell whether Enter was pressed; does not wait."""

    def show(self, lines: Sequence[str]) -> None:
        """Show a table in place of the last one."""


class Terminal:
    """A person at a terminal."""

    def __init__(self) -> None:
        self._shown = 0

    def say(self, text: str) -> None:
        """Show a line."""
        self._shown = 0
        sys.stdout.write(f'{text}\n')
        sys.stdout.flush()

    def ask(self, text: str) -> str:
        """Show a question and wait for a line; raises ConfigError when nobody is there."""
        self._shown = 0
        try:
            return input(f'{text} ')
        except EOFError as error:
            raise ConfigError(_NOBODY) from error

    def is_done(self) -> bool:
        """Tell whether Enter was pressed; raises ConfigError when nobody is there."""
        if not select.select([sys.stdin], [], [], 0.0)[0]:
            return False
        if not sys.stdin.readline():
            raise ConfigError(_NOBODY)
        return True

    def show(self, lines: Sequence[str]) -> None:
        """Show a table in place of the last one."""
        if self._shown:
            sys.stdout.write(f'\033[{self._shown}A')
        sys.stdout.writelines(f'\033[K{line}\n' for line in lines)
        sys.stdout.flush()
        self._shown = len(lines)


class Calibrator:
    """Takes an arm through the calibration; puts the old values back when it is broken off."""

    def __init__(self, bus: Bus, person: Person) -> None:
        self._bus, self._person = bus, person
        self._names = list(MOTORS)
        robot = load_robot('so101', 'so101_gripper')
        span = (robot.limits.upper - robot.limits.lower) / RADIANS_PER_COUNT
        self._spans = dict(zip(self._names, span.tolist(), strict=True))  # [counts]

    def run(self) -> dict[str, MotorCalibration]:
        """Return the calibration, which the motors hold by then.

        Raises:
            DeviceError: The motors do not answer, or do not keep what is written.
        """
        before = self._held()
        self._person.ask('The motors let go now: hold the arm, then press Enter.')
        self._release()
        try:
            self.apply({n: _plain(motor) for n, motor in before.items()})
            offsets = self._find_middle()
            wide = {
                n: MotorCalibration(motor.id, 0, offsets[n], 0, COUNTS - 1)
                for n, motor in before.items()
            }
            self.apply(wide)
            ranges = self._record()
        except (MimicError, KeyboardInterrupt):
            self._put_back(before)
            raise
        found = {
            n: MotorCalibration(motor.id, 0, offsets[n], *ranges[n]) for n, motor in before.items()
        }
        self.apply(found)
        return found

    def apply(self, calibration: Calibration) -> None:
        """Write a calibration into the motors, and read it back."""
        for name, motor in calibration.items():
            offset = int(protocol.encode_signed(np.array([motor.homing_offset], np.int32), 11)[0])
            limits = motor.range_min | motor.range_max << 16
            self._bus.write(motor.id, protocol.TORQUE_ENABLE, 0)
            self._bus.write(motor.id, protocol.LOCK, 0)
            self._bus.write(motor.id, protocol.HOMING_OFFSET, offset)
            self._bus.write(motor.id, protocol.POSITION_LIMITS, limits)
            self._bus.write(motor.id, protocol.LOCK, 1)
            wanted = (motor.homing_offset, motor.range_min, motor.range_max)
            if (held := calibration_registers(self._bus, motor.id)) != wanted:
                raise DeviceError(f'{name} holds {held} after {wanted} was written')

    def _put_back(self, before: Calibration) -> None:
        try:
            self.apply(before)
        except DeviceError as error:
            self._person.say(
                f'broken off, and the motors do not take back what they had ({error}): put a file '
                'into them with --apply, or calibrate again'
            )
        else:
            self._person.say('broken off: the motors have what they had before')

    def _held(self) -> dict[str, MotorCalibration]:
        return {
            name: MotorCalibration(motor, 0, *calibration_registers(self._bus, motor))
            for name, motor in zip(self._names, self._bus.ids, strict=True)
        }

    def _release(self) -> None:
        for motor in self._bus.ids:
            self._bus.write(motor, protocol.TORQUE_ENABLE, 0)

    def _positions(self) -> Counts:
        return protocol.present(self._bus.sync_read(protocol.PRESENT, TRIES)[1])[0]

    def _find_middle(self) -> dict[str, int]:
        """Return the offsets that make the pose in which a person puts the arm its middle."""
        self._person.ask(
            'Move every joint to the middle of its range, the gripper half open, then press Enter.'
        )
        offsets = np.clip(self._positions() - MIDDLE, -OFFSET_MAX, OFFSET_MAX)
        return dict(zip(self._names, offsets.tolist(), strict=True))

    def _record(self) -> dict[str, tuple[int, int]]:
        """Return lowest and highest position of each motor, when a person has moved them all."""
        self._person.say(
            f'Move every joint but {FULL_TURN} from end to end, the gripper until its jaws touch. '
            'Press Enter when all say ok.'
        )
        last = low = high = self._positions()
        while True:
            now = self._positions()
            for name, step in zip(self._names, np.abs(now - last).tolist(), strict=True):
                if step > COUNTS // 2 and name != FULL_TURN:
                    raise ConfigError(
                        f'{name} went past the end of its sensor: begin again, with the arm '
                        'nearer to the middle of its ranges'
                    )
            last, low, high = now, np.minimum(low, now), np.maximum(high, now)
            verdicts = [
                self._verdict(n, a, b) for n, a, b in zip(self._names, low, high, strict=True)
            ]
            self._person.show(
                [
                    f'{name:14}{a:6}{p:6}{b:6}  {verdict or "ok"}'
                    for name, a, p, b, verdict in zip(
                        self._names, low, now, high, verdicts, strict=True
                    )
                ]
            )
            if self._person.is_done():
                if not any(verdicts):
                    break
                self._person.say('not yet: move on those that do not say ok')
            time.sleep(_PERIOD)
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        ranges: dict[str, tuple[int, int]] = dict(zip(self._names, pairs, strict=True))
        ranges[FULL_TURN] = (0, COUNTS - 1)
        return ranges

    def _verdict(self, name: str, low: int, high: int) -> str:
        """Return what is wrong with a range [counts]; '' if nothing is."""
        share = (high - low) / self._spans[name]
        if name == FULL_TURN or _LEAST_SPAN <= share <= _MOST_SPAN:
            return ''
        moved, whole = np.degrees([(high - low), self._spans[name]]) * RADIANS_PER_COUNT
        relation = 'only' if share < 1.0 else 'even'
        return f'{relation} {moved:.0f} of {whole:.0f} degrees'


def _plain(motor: MotorCalibration) -> MotorCalibration:
    return MotorCalibration(motor.id, 0, 0, 0, COUNTS - 1)


def calibrate(options: argparse.Namespace, person: Person) -> None:
    """Do what the command line asks for; raises MimicError."""
    wanted = load(options.file) if options.apply else None
    ids = tuple(motor.id for motor in wanted.values()) if wanted else _IDS
    port = SerialPort(options.port, options.baud, options.timeout)
    try:
        bus = Bus(port, ids)
        person.say(identify(bus, dict(zip(ids, MOTORS, strict=True))))
        calibrator = Calibrator(bus, person)
        if wanted is not None:
            person.ask('The motors let go now: hold the arm, then press Enter.')
            calibrator.apply(wanted)
            person.say(f'the motors hold what is in {options.file}')
            return
        if options.file.exists():
            answer = person.ask(f'{options.file} exists. Replace it? [y/N]')
            if answer.strip().lower() != 'y':
                raise ConfigError(f'{options.file} stays as it is')
        save(calibrator.run(), options.file)
        person.say(f'written: {options.file}')
    finally:
        port.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Calibrate, or say in one line why not."""
    parser = argparse.ArgumentParser(description='Calibrate an SO-ARM101, guided by prompts.')
    parser.add_argument('--port', default='/dev/ttyACM0', help='serial port')
    parser.add_argument('--baud', type=int, default=1_000_000, help='bits a second')
    parser.add_argument('--timeout', type=float, default=0.1, help='for a reply [s]')
    parser.add_argument('--file', type=Path, required=True, help='calibration file, JSON')
    parser.add_argument(
        '--apply', action='store_true', help='put an existing file into the motors instead'
    )
    try:
        calibrate(parser.parse_args(arguments), Terminal())
    except (MimicError, KeyboardInterrupt) as error:
        sys.stderr.write(f'calibrate: {error or "stopped"}\n')
        raise SystemExit(1) from error
