"""What stands in an event file, for tests."""

import struct

from mimic_core.events import masked_checksum


def fields(data):
    """Decode a protocol buffer message into (number, value) pairs."""
    at, found = 0, []

    def varint():
        nonlocal at
        shift = value = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind == 1:
            value = struct.unpack_from('<d', data, at)[0]
            at += 8
        elif kind == 2:
            size = varint()
            value = data[at : at + size]
            at += size
        else:
            value = struct.unpack_from('<f', data, at)[0]
            at += 4
        found.append((key >> 3, value))
    return found


def records(path):
    """Yield each message of a file; its checksums must be right."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from('<Q', data, at)
        assert struct.unpack_from('<I', data, at + 8)[0] == masked_checksum(data[at : at + 8])
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from('<I', data, at + 12 + length)[0] == masked_checksum(body)
        yield dict(fields(body))
        at += 16 + length


def curves(path):
    """Return (step, {tag: value}) of each summary in a file."""
    found = []
    for event in records(path):
        if 5 in event:
            values = [dict(fields(value)) for _, value in fields(event[5])]
            found.append((event[2], {v[1].decode(): v[2] for v in values}))
    return found
