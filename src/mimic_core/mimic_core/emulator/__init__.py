"""What the emulators of devices share: faults, motors, pseudo-terminals, a console."""

from mimic_core.emulator.console import console
from mimic_core.emulator.faults import FAULTS, Fault, Faults
from mimic_core.emulator.plant import Plant
from mimic_core.emulator.pty import PtyServer
from mimic_core.emulator.server import ByteDevice, Running
from mimic_core.emulator.tcp import TcpServer

__all__ = [
    'FAULTS',
    'ByteDevice',
    'Fault',
    'Faults',
    'Plant',
    'PtyServer',
    'Running',
    'TcpServer',
    'console',
]
