"""The Ability Hand in SI units."""

import enum
import time

import numpy as np
import numpy.typing as npt

from mimic_ability_driver import protocol
from mimic_ability_driver.params import AbilityParams
from mimic_ability_driver.protocol import CELLS, GEAR, PADS, TOUCH, VELOCITY, Reply
from mimic_ability_driver.transport import Line
from mimic_core.arrays import FloatArray
from mimic_core.driver.device import Health, Reading, TactilePad
from mimic_core.errors import ConfigError, IdentityError, NoReplyError, PortError, ProtocolError
from mimic_core.limits import JointLimits, SiteLimits
from mimic_description import load_device, load_robot, site_limits

Counts = npt.NDArray[np.int16]
PAD_LINKS = ('index_outer', 'middle_outer', 'ring_outer', 'pinky_outer', 'thumb_outer')
_ROTOR_UNITS = {'icd': 0.25, 'wrapper': 3000.0 / 32767.0 / 4.0}  # [rad/s] of a count
_ATTEMPTS = 3  # to be answered when the port opens
_SHORTEST_STEP = 1e-4  # [s] between positions whose difference makes a velocity
_ZERO = (0,) * protocol.JOINTS


class _Mode(enum.Enum):
    """What is sent when a reply is wanted and no set-point was written."""

    READ = 'read'  # nothing is commanded
    HOLD = 'hold'  # the position where it was, again and again: the hand forgets it in 0.3 s
    LIMP = 'limp'  # no current, again and again


class AbilityHand:
    """One hand on a serial line. It answers each command; nothing is sent twice a cycle."""

    def __init__(self, params: AbilityParams, joints: tuple[str, ...]) -> None:
        """Make a hand that is not open.

        Args:
            params: Of the driver.
            joints: Names of the six motors in the hand's order.
        """
        self._params, self._joints = params, joints
        if len(joints) != protocol.JOINTS:
            raise ConfigError(f'an Ability Hand has 6 motors, {params.hand} has {len(joints)}')
        self._pads = tuple(f'{joints[0].split("_", 1)[0]}_{link}' for link in PAD_LINKS)
        self._line: Line | None = None
        self._mode = _Mode.READ
        self._commanded = False  # whether it may be in its API mode
        self._hold = np.zeros(protocol.JOINTS, np.int16)  # counts
        self._cycle = 0
        self._last: tuple[FloatArray, float] | None = None  # [rad], when measured [s]
        self._limited = 0
        self._current = np.zeros(protocol.JOINTS)  # [A]

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the six motors, without prefix."""
        return self._joints

    def open(self) -> str:
        """Connect; two readings of different form show that it answers now and in time."""
        params = self._params
        self.close()
        self._line = Line(params.port, params.baud, params.reply_timeout)
        self._mode, self._last = _Mode.READ, None
        try:
            reply = self._greet()
        except NoReplyError as error:
            raise NoReplyError(
                f'no Ability Hand answers on {params.port} at {params.baud} baud, address '
                f'{params.address:#04x}. Is it powered, set to UART or RS-485, and is byte '
                'stuffing on for commands and replies?'
            ) from error
        except ProtocolError as error:
            raise IdentityError(
                f'{params.port}: what answers at {params.baud} baud is no Ability Hand, or has '
                f'another baud rate, or does not stuff its replies: {error}'
            ) from error
        self._note(reply)
        return f'Ability Hand, address {params.address:#04x}, {params.baud} baud'

    def _greet(self) -> Reply:
        """Return the reply to two questions of different form, within a few attempts."""
        line = self._open_line()
        for attempt in range(_ATTEMPTS):
            try:
                for variant in (protocol.TOUCH_VELOCITY, VELOCITY):
                    self._send(protocol.READ, variant)
                    reply, _ = line.collect()
            except (NoReplyError, ProtocolError):
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        return reply

    def close(self) -> None:
        """Hand over to the hand's own controller and let go of the port; never raises."""
        line, self._line = self._line, None
        if line is None:
            return
        try:
            if self._commanded:
                line.tell(protocol.leave(self._params.address))
        except PortError:
            return  # unplugged: it leaves the API mode by itself
        finally:
            self._commanded = False
            line.close()

    def enable(self) -> None:
        """Take set-points from now on; the first one makes it stiff."""
        self._mode = _Mode.READ
        self._ask()

    def disable(self, *, hold: bool) -> None:
        """Take no more set-points: stay stiff, or without current."""
        self._hold = protocol.position_to_counts(self._ask().position)
        self._mode = _Mode.HOLD if hold else _Mode.LIMP
        self._ask()

    def read(self) -> Reading:
        """Return what it answered to the last set-point, or to a question where there was none."""
        line = self._open_line()
        if not line.pending:
            self._request()
        reply, age = line.collect()
        self._cycle += 1
        self._note(reply)
        unit = self._params.torque_constant * GEAR
        return Reading(
            reply.position,
            velocity=self._velocity(reply, age),
            effort=self._current * unit,
            tactile=self._tactile(reply),
            age=age,
        )

    def write(self, position: FloatArray) -> None:
        """Send (6,) positions [rad]; its reply is what the next read returns."""
        self._commanded = True
        counts = protocol.position_to_counts(position)
        self._send(protocol.POSITION, self._variant(), counts)

    def health(self) -> Health:
        """Return what the last replies said; costs nothing on the wire."""
        names = [name for i, name in enumerate(self._joints) if self._limited >> i & 1]
        line = self._open_line()
        return Health(
            current=dict(zip(self._joints, self._current.tolist(), strict=True)),
            warnings=(f'{", ".join(names)}: output limited (collision or heat)',) if names else (),
            details={'damaged frames': str(line.damaged), 'late replies': str(line.late)},
        )

    def reset(self) -> None:
        """Make sure that it answers: it keeps no fault."""
        self._ask()

    def _ask(self) -> Reply:
        """Send what the mode sends and return the reply to that."""
        line = self._open_line()
        if line.pending:
            line.collect()
        self._request()
        reply, _ = line.collect()
        self._note(reply)
        return reply

    def _request(self) -> None:
        if self._mode == _Mode.HOLD:
            self._send(protocol.POSITION, self._variant(), self._hold)
        elif self._mode == _Mode.LIMP:
            self._send(protocol.CURRENT, self._variant(), np.array(_ZERO, np.int16))
        else:
            self._send(protocol.READ, self._variant())

    def _send(
        self, control: int, variant: int, counts: npt.NDArray[np.int16] | None = None
    ) -> None:
        address, line = self._params.address, self._open_line()
        if counts is None:
            frame = protocol.query(address, variant)
        else:
            frame = protocol.command(address, control, variant, counts)
        line.send(frame, control | variant)

    def _variant(self) -> int:
        every = self._params.touch_every
        return TOUCH if every and self._cycle % every == 0 else VELOCITY

    def _open_line(self) -> Line:
        if self._line is None:
            raise PortError(f'{self._params.port} is not open')
        return self._line

    def _note(self, reply: Reply) -> None:
        self._limited = reply.limited
        if reply.current is not None:
            self._current = reply.current / self._params.current_scale

    def _velocity(self, reply: Reply, age: float) -> FloatArray | None:
        now = time.perf_counter() - age
        last, self._last = self._last, (reply.position, now)
        if reply.rotor is not None:
            return reply.rotor * _ROTOR_UNITS[self._params.rotor_scale] / GEAR
        if last is None or now - last[1] < _SHORTEST_STEP:
            return None
        return (reply.position - last[0]) / (now - last[1])  # replies with touch hold none

    def _tactile(self, reply: Reply) -> tuple[TactilePad, ...]:
        if reply.touch is None:
            return ()
        force = protocol.touch_to_force(reply.touch).reshape(PADS, CELLS)
        return tuple(TactilePad(name, f) for name, f in zip(self._pads, force, strict=True))


def make_device(
    params: AbilityParams, site: SiteLimits | None = None
) -> tuple[AbilityHand, JointLimits, float]:
    """Return the hand, not open, the limits of its joints in this site and its rate [Hz]."""
    robot = load_robot('none', params.hand)
    device = AbilityHand(params, robot.joint_names)
    limits = site_limits(robot.limits, robot.joint_names, site, params.prefix)
    return device, limits, load_device(params.hand).driver.rate
