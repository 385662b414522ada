"""Files are checked with readers that are not ours."""

import os

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader

from mimic_recording import mcap_file
from mimic_recording.mcap_file import McapFile, write_all


def write(path, compression, chunk_bytes=20_000, count=200):
    rng = np.random.default_rng(3)
    sent = []
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    file = McapFile(fd, chunk_bytes, compression)
    a = file.add_channel('/a', file.add_schema('p/msg/A', 'int32 x\n'), {'k': 'v'})
    for i in range(count):
        if i == count // 2:  # a topic that appears in the middle
            b = file.add_channel('/b', file.add_schema('p/msg/B', 'int32 y\n'), {})
        channel = a if i < count // 2 or i % 2 else b
        data = rng.integers(0, 50, int(rng.choice([8, 700, 30_000])), dtype=np.uint8).tobytes()
        file.add_message(channel, i + 1, 1000 + i, 2000 + i, data)
        sent.append((channel, i + 1, 1000 + i, 2000 + i, data))
    file.add_metadata('mine', {'x': 'y'})
    file.finish()
    os.close(fd)
    return sent


@pytest.mark.parametrize('compression', ['none', 'lz4', 'zstd'])
def test_the_library_reads_what_was_written(tmp_path, compression):
    path = tmp_path / 'x.mcap'
    sent = write(path, compression)
    with path.open('rb') as stream:
        reader = make_reader(stream, validate_crcs=True)
        summary = reader.get_summary()
        assert summary.statistics.message_count == len(sent)
        assert summary.statistics.chunk_count == len(summary.chunk_indexes) > 20
        assert summary.statistics.message_start_time == 1000
        assert summary.statistics.message_end_time == 1000 + len(sent) - 1
        assert {c.topic for c in summary.channels.values()} == {'/a', '/b'}
        assert [m.metadata for m in reader.iter_metadata()] == [{'x': 'y'}]
        got = [
            (m.channel_id, m.sequence, m.log_time, m.publish_time, m.data)
            for _, _, m in reader.iter_messages()
        ]
        assert got == sent
        part = [m.log_time for _, _, m in reader.iter_messages(['/a'], 1050, 1060)]
        assert part == [row[2] for row in sent if row[0] == 1 and 1050 <= row[2] < 1060]
    with path.open('rb') as stream:
        kinds = [type(r).__name__ for r in StreamReader(stream, validate_crcs=True).records]
    assert kinds[0] == 'Header' and kinds[-1] == 'Footer'
    assert kinds.count('Message') == len(sent)


def test_message_indexes_point_at_messages(tmp_path):
    path = tmp_path / 'x.mcap'
    write(path, 'none')
    raw = path.read_bytes()
    with path.open('rb') as stream:
        for index in make_reader(stream).get_summary().chunk_indexes:
            assert sum(1 for _ in index.message_index_offsets) >= 1
            for channel, offset in index.message_index_offsets.items():
                assert raw[offset] == 7  # a MessageIndex record
                assert int.from_bytes(raw[offset + 9 : offset + 11], 'little') == channel


def test_short_writes_are_continued(tmp_path, monkeypatch):
    """The kernel may take less than it is given."""
    real = os.writev
    rng = np.random.default_rng(0)

    def some(fd, pieces):
        return real(fd, [bytes(pieces[0])[: int(rng.integers(1, 5000))]])

    monkeypatch.setattr(mcap_file.os, 'writev', some)
    path = tmp_path / 'x.mcap'
    sent = write(path, 'none', count=40)
    with path.open('rb') as stream:
        assert [m.data for _, _, m in make_reader(stream).iter_messages()] == [r[4] for r in sent]


def test_write_all_counts_and_skips_empty_pieces(tmp_path):
    fd = os.open(tmp_path / 'x', os.O_RDWR | os.O_CREAT)
    assert write_all(fd, [b'', b'ab', bytearray(), b'c' * 3] * 700) == 3500
    os.close(fd)
    assert (tmp_path / 'x').read_bytes() == b'abccc' * 700


def test_a_failed_chunk_stays_pending_and_leaves_whole_records(tmp_path, monkeypatch):
    real = os.writev
    fd = os.open(tmp_path / 'x.mcap', os.O_RDWR | os.O_CREAT)
    file = McapFile(fd, 1 << 20)
    channel = file.add_channel('/a', file.add_schema('p/msg/A', 'int32 x\n'), {})
    size = file.size

    def full(fd, pieces):
        real(fd, [bytes(pieces[0])[:10]])  # a part fits
        raise OSError(28, 'No space left on device')

    file.add_message(channel, 1, 5, 5, b'x' * 100_000)
    monkeypatch.setattr(mcap_file.os, 'writev', full)
    with pytest.raises(OSError, match='No space'):
        file.flush()
    assert os.fstat(fd).st_size == size == file.size
    monkeypatch.setattr(mcap_file.os, 'writev', real)
    file.finish()
    os.close(fd)
    with (tmp_path / 'x.mcap').open('rb') as stream:
        assert [m.log_time for _, _, m in make_reader(stream).iter_messages()] == [5]
