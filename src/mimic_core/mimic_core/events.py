"""Curves for TensorBoard, written without it.

A file of records: length, its checksum, a message, its checksum. The message is a protocol buffer
`Event` of wall time (1), step (2) and, once at first, the version (3), or a summary (5) of values
with tag (1) and number (2), or a session log (7) whose status (1) is START (1): what was written
before and is of its step or a later one is not shown any more. Source:
tensorflow/core/util/event.proto, framework/summary.proto.
"""

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

EVENT_FILES: Final = 'events.out.tfevents.*'  # of the files in a folder
_POLYNOMIAL: Final = 0x82F63B78  # of CRC-32C, reversed
_VERSION: Final = b'brain.Event:2'
_START: Final = b'\x08\x01'  # of a session log


def _table() -> list[int]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return rows


_TABLE: Final = _table()


def masked_checksum(data: bytes) -> int:
    """Return the CRC-32C of bytes, turned by 15 bits and moved, as record files keep it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


class EventWriter:
    """Appends values to a new event file in a folder."""

    def __init__(self, folder: Path, start: int | None = None) -> None:
        """Begin a file.

        Args:
            folder: Is made if needed.
            start: Step from which on earlier files of the folder do not count, since a killed
                run does these steps again; None: all of them count.
        """
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.time_ns()
        name = EVENT_FILES.replace('*', f'{stamp // 10**9}.{os.getpid()}.{stamp % 10**9:09d}')
        self.path: Final = folder / name
        self._file: BinaryIO = self.path.open('wb')
        self._record(_double(1, time.time()) + _bytes(3, _VERSION))
        if start is not None:
            self._record(_double(1, time.time()) + b'\x10' + _varint(start) + _bytes(7, _START))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append values at a step; NaN is left out."""
        summary = b''.join(
            _bytes(1, _bytes(1, tag.encode()) + b'\x15' + struct.pack('<f', value))
            for tag, value in values.items()
            if value == value
        )
        event = _double(1, time.time()) + b'\x10' + _varint(step) + _bytes(5, summary)
        self._record(event)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _record(self, data: bytes) -> None:
        length = struct.pack('<Q', len(data))
        self._file.write(length + struct.pack('<I', masked_checksum(length)))
        self._file.write(data + struct.pack('<I', masked_checksum(data)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(data)) + data


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack('<d', value)
