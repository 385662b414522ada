"""One Dynamixel servo on a serial port: the packets of the SDK over a port that waits."""

import dynamixel_sdk

from mimic_core.driver import SerialPort
from mimic_core.driver.motor_bus import Register
from mimic_core.driver.sdk_port import SdkPort
from mimic_core.errors import NoReplyError, ProtocolError
from mimic_fin_ray_driver.servo_protocol import ALERT, PRESENT, REPLY_ERRORS

_QUIET = 0.002  # [s] without a byte: the line is idle
_WRITTEN = 11  # [bytes] of the reply to a write
_LENGTHS = 4  # [1] forms of one request


class ServoLine:
    """Requests to one servo, each with its reply."""

    def __init__(self, path: str, baud: int, timeout: float, motor: int) -> None:
        """Open the port.

        Args:
            path: Of the port.
            baud: Bits a second [1/s].
            timeout: Longest wait for a reply [s].
            motor: Id of the servo.

        Raises:
            PortError: It cannot be opened.
        """
        self._serial = SerialPort(path, baud, timeout)
        self._port = SdkPort(self._serial)
        self._handler = dynamixel_sdk.Protocol2PacketHandler()
        self.motor, self.where = motor, f'{path} at {baud} bit/s'
        self._more = 0  # [bytes] asked for beyond what is needed, see present
        self.alert = False  # the last reply told of a hardware error

    def close(self) -> None:
        """Close the port; never raises."""
        self._serial.close()

    def ping(self) -> int:
        """Return the model number; raises NoReplyError or ProtocolError."""
        self._port.is_using = False
        model, result, error = self._handler.ping(self._port, self.motor)
        self._check(result, error)
        return int(model)

    def read(self, register: Register) -> bytes:
        """Return the bytes of a register; raises NoReplyError or ProtocolError."""
        self._port.is_using = False
        self._handler.readTx(self._port, self.motor, *register)
        taken = 0  # [bytes] of packets; the late reply to a request before is passed over
        while True:
            packet, result = self._handler.rxPacket(self._port, False)
            self._check(result, packet[8] if result == dynamixel_sdk.COMM_SUCCESS else 0)
            taken += len(packet)
            if packet[4] == self.motor and packet[5] + 256 * packet[6] == register.size + 4:
                break
        self._refuse_noise(taken)
        return bytes(packet[9 : 9 + register.size])

    def present(self) -> bytes:
        """Return the bytes of PRESENT.

        After a failure some more bytes are asked for, so that a reply that comes late is not
        taken for that of the next request.
        """
        try:
            return self.read(Register(PRESENT.address, PRESENT.size + self._more))[: PRESENT.size]
        except (NoReplyError, ProtocolError):
            self._more = (self._more + 1) % _LENGTHS
            raise

    def write(self, register: Register, value: int) -> None:
        """Set a register, which the servo confirms; raises NoReplyError or ProtocolError."""
        self._port.is_using = False
        data = list(value.to_bytes(register.size, 'little', signed=value < 0))
        result, error = self._handler.writeTxRx(
            self._port, self.motor, register.address, register.size, data
        )
        self._check(result, error)
        self._refuse_noise(_WRITTEN)

    def reboot(self) -> None:
        """Restart the servo; its reply may get lost in that."""
        self._port.is_using = False
        self._handler.reboot(self._port, self.motor)

    def _check(self, result: int, error: int) -> None:
        if result != dynamixel_sdk.COMM_SUCCESS:
            came = self._port.received
            self._serial.drain(_QUIET)
            if came:
                raise ProtocolError(f'damaged reply of motor {self.motor}: {came} bytes')
            raise NoReplyError(f'no reply of motor {self.motor} on {self.where}')
        self.alert = bool(error & ALERT)
        if reason := error & ~ALERT:
            text = REPLY_ERRORS.get(reason, f'error {reason}')
            raise ProtocolError(f'motor {self.motor} refuses: {text}')

    def _refuse_noise(self, length: int) -> None:
        noise = self._port.received - length
        if noise > 0:
            raise ProtocolError(f'{noise} bytes of noise before a reply of motor {self.motor}')
