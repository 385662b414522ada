import math
import struct

from mimic_rl.events import EventWriter, masked_checksum


def _fields(data):
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


def _records(path):
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from('<Q', data, at)
        assert struct.unpack_from('<I', data, at + 8)[0] == masked_checksum(data[at : at + 8])
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from('<I', data, at + 12 + length)[0] == masked_checksum(body)
        yield dict(_fields(body)), _fields(body)
        at += 16 + length


def test_checksum_of_the_standard():
    # CRC-32C of "123456789" is e3069283 (RFC 3720), turned and moved as record files do
    value = 0xE3069283
    assert masked_checksum(b'123456789') == ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_values_come_back(tmp_path):
    writer = EventWriter(tmp_path)
    writer.add(3, {'a': 0.5, 'b': math.nan})
    writer.add(1000, {'a': -2.0})
    writer.close()
    first, second, third = _records(writer.path)
    assert first[0][3] == b'brain.Event:2'
    assert second[0][2] == 3 and third[0][2] == 1000
    values = [_fields(v) for n, v in _fields(second[0][5]) if n == 1]
    assert values == [[(1, b'a'), (2, 0.5)]]
    assert [_fields(v) for n, v in _fields(third[0][5])] == [[(1, b'a'), (2, -2.0)]]
