"""Emulated grippers behind their ports: a WSG-50 on TCP, a servo on a pseudo-terminal."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from mimic_core.emulator import FAULTS, PtyServer, Running, TcpServer, console
from mimic_fin_ray_driver.servo_emulator import ServoDevice
from mimic_fin_ray_driver.wsg_emulator import WsgDevice

POSSIBLE_FAULTS: Final = FAULTS
BAUD: Final = 57600  # [1/s]


@contextmanager
def start(
    link: Path,
    backend: str = 'wsg',
    *,
    device: WsgDevice | ServoDevice | None = None,
    tcp_port: int = 0,
    baud: int = BAUD,
    device_baud: int = 0,
) -> Iterator[Running[WsgDevice | ServoDevice]]:
    """Serve a gripper.

    Args:
        link: Where the port of a servo is to be found.
        backend: wsg or dynamixel.
        device: Who answers; default: a gripper as it comes out of the box.
        tcp_port: Of a WSG-50; 0: a free one.
        baud: For the time that the bytes of a servo need on the line [1/s]; 0: none.
        device_baud: Speed to which a servo is set [1/s]; 0: it understands every speed.
    """
    with ExitStack() as stack:
        device = device or (WsgDevice() if backend == 'wsg' else ServoDevice())
        if isinstance(device, WsgDevice):
            tcp = TcpServer(device, tcp_port, on_disconnect=device.on_disconnect)
            stack.enter_context(tcp)
            params = {'backend': 'wsg', 'host': tcp.host, 'tcp_port': tcp.port}
            yield Running(device, tcp, params)
        else:
            pty = PtyServer(device, link, baud, device_baud)
            stack.enter_context(pty)
            params = {'backend': 'dynamixel', 'port': str(link), 'motor_id': device.motor}
            yield Running(device, pty, params)


def main() -> None:
    """Serve a gripper until stopped; faults are typed."""
    parser = argparse.ArgumentParser(description='A Fin Ray gripper that is not there.')
    parser.add_argument('--backend', choices=('wsg', 'dynamixel'), default='wsg')
    parser.add_argument('--port', type=int, default=11000, help='wsg: TCP port')
    parser.add_argument('--link', type=Path, default=Path('fin_ray_port'), help='dynamixel: port')
    parser.add_argument(
        '--baud', type=int, default=BAUD, help='dynamixel: of the line; 0: no time'
    )
    parser.add_argument('--object', type=float, help='way at which a finger meets it [m]')
    given, _ = parser.parse_known_args()  # a launch file adds arguments of ROS
    with start(given.link, given.backend, tcp_port=given.port, baud=given.baud) as emulator:
        if given.object is not None:
            emulator.plant.obstacle_lower[:] = given.object
        where = f'TCP port {given.port}' if given.backend == 'wsg' else str(given.link)
        console(where, emulator.faults, lambda: _line(emulator))


def _line(emulator: Running[WsgDevice | ServoDevice]) -> str:
    plant = emulator.plant
    return (
        f'finger {1e3 * plant.position[0]:.2f} mm, target {1e3 * plant.target[0]:.2f} mm, '
        f'{len(emulator.writes())} set-points'
    )
