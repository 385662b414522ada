"""Sockets and terminals of emulated devices: cables that are pulled, ports of a wrong speed."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import serial

from mimic_core.emulator import Faults, PtyServer, TcpServer


class Echo:
    def __init__(self):
        self.faults = Faults()

    def feed(self, data):
        return [data]

    def step(self, dt):
        return []

    def break_checksum(self, reply):
        return reply[:-1] + b'?'


def test_a_socket_answers_and_comes_back_after_its_cable_was_pulled():
    gone = []
    with TcpServer(Echo(), on_disconnect=lambda: gone.append(1)) as server:
        address = ('127.0.0.1', server.port)
        with socket.create_connection(address, 1.0) as client:
            client.sendall(b'hello')
            assert client.recv(64) == b'hello'
            server.device.faults.set('checksum', 1)
            client.sendall(b'hello')
            assert client.recv(64) == b'hell?'
            server.device.faults.set('disconnect')
            assert client.recv(64) == b''
        with pytest.raises(OSError, match='refused'):
            socket.create_connection(address, 1.0)
        server.device.faults.clear()
        time.sleep(0.2)
        with socket.create_connection(address, 1.0) as client:
            client.sendall(b'again')
            assert client.recv(64) == b'again'
        assert bytes(server.received) == b'hellohelloagain'
        assert len(server.received_at) == 3
    assert len(gone) == 2


@pytest.mark.parametrize(('baud', 'understood'), [(115200, True), (9600, False)])
def test_a_terminal_garbles_what_comes_at_another_speed(tmp_path, baud, understood):
    link = tmp_path / 'port'
    with (
        PtyServer(Echo(), link, device_baud=115200),
        serial.Serial(str(link), baud, timeout=1.0) as port,
    ):
        port.write(b'hello')
        assert (port.read(5) == b'hello') == understood


def test_a_console_without_a_person_runs_until_it_is_stopped():
    code = (
        'from mimic_core.emulator import Faults, console\n'
        "console('here', Faults(), lambda: 'fine')\nprint('left')"
    )
    environment = {**os.environ, 'PYTHONPATH': ':'.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, '-c', code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout.readline() == 'listening on here\n'
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=10.0)[0].endswith('left\n')
    finally:
        process.kill()
