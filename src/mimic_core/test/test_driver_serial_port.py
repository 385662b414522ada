import time

import pytest

from mimic_core.driver import SerialPort
from mimic_core.driver.serial_port import explain
from mimic_core.emulator import Faults, PtyServer
from mimic_core.errors import NoReplyError, PortError

TIMEOUT = 0.05  # [s]


class Echo:
    """Answers each byte with itself and its checksum."""

    def __init__(self):
        self.faults = Faults()

    def feed(self, data):
        return [bytes([b, b ^ 0xFF]) for b in data]

    def step(self, dt):
        return []

    def break_checksum(self, reply):
        return reply[:-1] + bytes([reply[-1] ^ 1])


@pytest.fixture
def server(tmp_path):
    with PtyServer(Echo(), tmp_path / 'port') as server:
        yield server


def test_bytes_pass_unaltered(server):
    port = SerialPort(str(server.link), 115200, TIMEOUT)
    for value in (0x00, 0x03, 0x0A, 0x0D, 0x11, 0x13, 0x1A, 0x7F, 0xFF):
        port.write(bytes([value]))
        assert port.read(2) == bytes([value, value ^ 0xFF])
    assert bytes(server.received) == bytes([0, 3, 0xA, 0xD, 0x11, 0x13, 0x1A, 0x7F, 0xFF])
    port.close()
    port.close()


def test_each_fault_of_bytes(server):
    port, faults = SerialPort(str(server.link), 115200, TIMEOUT), server.device.faults
    faults.set('checksum', 1)
    port.write(b'a')
    assert port.read(2) == b'a\x9f'
    faults.set('short', 1)
    port.write(b'a')
    with pytest.raises(NoReplyError, match='1 of 2 bytes'):
        port.read(2)
    faults.set('silent', 1)
    port.write(b'a')
    with pytest.raises(NoReplyError, match='0 of 2 bytes'):
        port.read(2)
    faults.set('noise', 1)
    port.write(b'a')
    assert len(port.read(9)) == 9
    faults.set('slow', 1)
    port.write(b'a')
    with pytest.raises(NoReplyError):
        port.read(2)
    port.drain(0.4)
    port.write(b'b')
    assert port.read(2) == b'b\x9d'
    assert faults.active() == ()


def test_unplug_and_plug_in_again(server):
    port, faults = SerialPort(str(server.link), 115200, TIMEOUT), server.device.faults
    faults.set('disconnect')
    with pytest.raises(PortError, match='unplugged'):
        for _ in range(50):
            port.write(b'a')
            port.read_some(2)
            time.sleep(0.01)
    for use in (port.flush_input, port.waiting, lambda: port.read(1), lambda: port.write(b'a')):
        with pytest.raises(PortError, match='unplugged'):
            use()
    port.close()
    with pytest.raises(PortError, match='there is no port'):
        SerialPort(str(server.link), 115200, TIMEOUT)
    faults.clear('disconnect')
    for _ in range(100):
        if server.link.exists():
            break
        time.sleep(0.01)
    port = SerialPort(str(server.link), 115200, TIMEOUT)
    port.write(b'a')
    assert port.read(2) == b'a\x9e'


def test_a_busy_port_is_named(server):
    first = SerialPort(str(server.link), 115200, TIMEOUT)
    with pytest.raises(PortError, match='busy'):
        SerialPort(str(server.link), 115200, TIMEOUT)
    first.close()


def test_an_unknown_port_and_a_file(tmp_path):
    with pytest.raises(PortError, match=r'there is no port .*nowhere; ports of this machine'):
        SerialPort(str(tmp_path / 'nowhere'), 115200, TIMEOUT)
    file = tmp_path / 'file'
    file.write_text('')
    with pytest.raises(PortError, match='is not a serial port'):
        SerialPort(str(file), 115200, TIMEOUT)


def test_no_permission_names_the_group(tmp_path):
    file = tmp_path / 'port'
    file.write_text('')
    message = explain(str(file), PermissionError(13, 'Permission denied'))
    assert f'usermod -aG {file.group()} $USER' in message
