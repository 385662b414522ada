import math

from event_files import curves, fields, records

from mimic_core.events import EVENT_FILES, EventWriter, masked_checksum


def test_checksum_of_the_standard():
    # CRC-32C of "123456789" is e3069283 (RFC 3720), turned and moved as record files do
    value = 0xE3069283
    assert masked_checksum(b'123456789') == ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_values_come_back(tmp_path):
    writer = EventWriter(tmp_path)
    writer.add(3, {'a': 0.5, 'b': math.nan})
    writer.add(1000, {'a': -2.0})
    writer.close()
    first, second, third = records(writer.path)
    assert first[3] == b'brain.Event:2'
    assert second[2] == 3 and third[2] == 1000
    values = [fields(v) for n, v in fields(second[5]) if n == 1]
    assert values == [[(1, b'a'), (2, 0.5)]]
    assert curves(writer.path) == [(3, {'a': 0.5}), (1000, {'a': -2.0})]


def test_a_file_that_goes_on_says_from_which_step(tmp_path):
    """SessionLog.START = 1 in field 7: what earlier files have from that step on is dropped."""
    for start in (None, 300):
        EventWriter(tmp_path, start).close()
    before, after = (list(records(path)) for path in sorted(tmp_path.glob(EVENT_FILES)))
    assert len(before) == 1 and len(after) == 2
    assert after[1][2] == 300 and fields(after[1][7]) == [(1, 1)]
