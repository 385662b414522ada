import errno
import os
import shutil
import subprocess
import threading
import time

import pytest
import yaml
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

from mimic_recording import DiskFullError, Episode, EpisodeInfo, RecordingError, mcap_file
from mimic_recording.bag import partial_folder
from mimic_recording.writer import MIB, SUMMARY_RESERVE, new_name

INFO_KEYS = {
    'version', 'storage_identifier', 'duration', 'starting_time', 'message_count',
    'topics_with_message_count', 'compression_format', 'compression_mode',
    'relative_file_paths', 'files', 'custom_data', 'ros_distro',
}  # fmt: skip
QOS_KEYS = {
    'history', 'depth', 'reliability', 'durability', 'deadline', 'lifespan', 'liveliness',
    'liveliness_lease_duration', 'avoid_ros_namespace_conventions',
}  # fmt: skip


def test_folder_is_a_rosbag2_bag(bench, rows):
    """The list of what `ros2 bag info` and `ros2 bag play` need."""
    path = bench.episode(rows)
    assert sorted(p.name for p in path.iterdir()) == ['a_0.mcap', 'metadata.yaml']
    info = yaml.safe_load((path / 'metadata.yaml').read_text())
    assert list(info) == ['rosbag2_bagfile_information']
    info = info['rosbag2_bagfile_information']
    assert set(info) == INFO_KEYS
    assert info['version'] == 9 and info['storage_identifier'] == 'mcap'
    assert info['compression_format'] == info['compression_mode'] == ''
    assert info['relative_file_paths'] == ['a_0.mcap'] == [f['path'] for f in info['files']]
    assert info['message_count'] == len(rows) == info['files'][0]['message_count']
    assert info['starting_time']['nanoseconds_since_epoch'] == rows[0][2] > 0
    assert info['duration']['nanoseconds'] == rows[-1][2] - rows[0][2]
    assert info['custom_data']['tag.operator'] == 'anna'
    for topic in info['topics_with_message_count']:
        meta = topic['topic_metadata']
        assert '/msg/' in meta['type'] and meta['serialization_format'] == 'cdr'
        assert meta['type_description_hash'].startswith('RIHS01_')
        assert isinstance(meta['offered_qos_profiles'], list)
        for qos in meta['offered_qos_profiles']:
            assert set(qos) == QOS_KEYS
            assert all(isinstance(qos[k], str) for k in ('history', 'reliability', 'durability'))
            assert qos['deadline'] == {'sec': 9223372036, 'nsec': 854775807}
    with (path / 'a_0.mcap').open('rb') as stream:
        reader = make_reader(stream)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        assert summary.statistics.message_count == len(rows)
        assert all(s.encoding == 'ros2msg' for s in summary.schemas.values())
        for channel in summary.channels.values():
            assert channel.message_encoding == 'cdr' and channel.schema_id > 0
            assert yaml.safe_load(channel.metadata['offered_qos_profiles'])
        assert all(m.data[:2] == b'\x00\x01' for _, _, m in reader.iter_messages())


def test_rosbags_reads_it_and_sees_the_qos(bench, definitions, make):
    writer = bench.writer()
    channel = writer.add_topic(bench.topic('/robot_description', 'std_msgs/msg/String', True))
    data = make('std_msgs/msg/String', data='<robot/>')
    writer.write(channel, 10**18, 10**18, data)
    writer.close()
    path = writer.wait(10).path
    with Reader(path) as reader:
        (connection,) = reader.connections
        (qos,) = connection.ext.offered_qos_profiles
        assert (qos.durability.name, qos.reliability.name) == ('TRANSIENT_LOCAL', 'RELIABLE')
        assert [bytes(m[2]) for m in reader.messages()] == [data]
        assert reader.ros_distro == 'jazzy' if hasattr(reader, 'ros_distro') else True
    with AnyReader([path]) as reader:
        ((connection, _, raw),) = reader.messages()
        assert reader.deserialize(raw, connection.msgtype).data == '<robot/>'


@pytest.mark.parametrize('compression', ['none', 'lz4', 'zstd'])
def test_every_byte_comes_back(bench, rows, compression):
    path = bench.episode(rows, compression=compression)
    with Episode(path) as episode:
        got = [(m.topic, m.type, m.log_time, m.data, m.sequence) for m in episode.messages()]
    assert got == rows
    with Reader(path) as reader:
        assert [bytes(raw) for _, _, raw in reader.messages()] == [row[3] for row in rows]


def test_an_episode_exists_when_it_is_complete(bench, rows):
    writer = bench.writer()
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
    for row in rows[:50]:
        writer.write(channel, row[2], row[2], row[3])
    time.sleep(0.1)
    assert not writer.path.exists()
    assert partial_folder(bench.directory, 'a').is_dir()
    writer.close()
    writer.wait(10)
    assert writer.path.is_dir() and not partial_folder(bench.directory, 'a').exists()


def test_what_is_old_is_flushed_without_new_messages(bench, rows):
    writer = bench.writer(flush_period=0.05)
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/JointState'))
    writer.write(channel, 10**18, 10**18, b'\0\1\0\0' + bytes(100))
    deadline = time.monotonic() + 5
    while writer.progress.messages == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert writer.progress.messages == 1
    writer.close(discard=True)
    assert writer.wait(10).state == 'discarded'


def test_discard_leaves_nothing(bench, rows):
    writer = bench.writer()
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
    writer.write(channel, 1, 1, rows[0][3])
    writer.close(discard=True)
    assert writer.wait(10).state == 'discarded'
    assert list(bench.directory.iterdir()) == []


@pytest.mark.parametrize(
    'name',
    ['../x', 'a/b', '/tmp/x', '.hidden', '', 'a b', 'ä', 'a\n', '-rf', 'x' * 101, '..', 'a\0b'],
)
def test_names_that_are_no_folder_names_are_refused(bench, name):
    with pytest.raises(RecordingError, match='episode name'):
        bench.writer(name)
    assert not bench.directory.exists()


def test_tags_have_a_form(bench):
    with pytest.raises(RecordingError, match="tag 'nonsense'"):
        EpisodeInfo('a', '', ('nonsense',))


def test_a_name_is_used_once(bench, rows):
    path = bench.episode(rows[:5])
    before = (path / 'a_0.mcap').read_bytes()
    with pytest.raises(RecordingError, match="there is an episode 'a'"):
        bench.writer('a')
    assert (path / 'a_0.mcap').read_bytes() == before
    assert new_name(['episode_x', 'episode_x_2'], 'x') == 'episode_x_3'


def test_too_little_room_refuses_the_start(bench):
    free = shutil.disk_usage('/').free
    with pytest.raises(DiskFullError, match='an episode needs'):
        bench.writer(min_free_bytes=free * 100)
    assert list(bench.directory.iterdir()) == []


def test_a_slow_disk_drops_and_counts(bench, monkeypatch):
    """Nothing waits, nothing grows without bound, nothing is silent."""
    gate = threading.Event()
    real = os.writev

    def slow(fd, pieces):
        gate.wait(10)
        return real(fd, pieces)

    writer = bench.writer(max_queue_bytes=4 * MIB)
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
    time.sleep(0.1)  # the topic is written
    monkeypatch.setattr(mcap_file.os, 'writev', slow)
    data = b'\0\1\0\0' + bytes(MIB)
    started = time.monotonic()
    taken = sum(writer.write(channel, 10**18 + i, 10**18 + i, data) for i in range(50))
    assert time.monotonic() - started < 5
    assert writer.queued_bytes <= 4 * MIB
    assert 0 < taken < 50
    gate.set()
    writer.close()
    outcome = writer.wait(20)
    assert outcome.state == 'saved'
    assert outcome.dropped == {'/a': 50 - taken}
    with Episode(outcome.path) as episode:
        assert episode.message_count == taken
        assert episode.custom['dropped./a'] == str(50 - taken)


def fill_until_failed(writer, channel, data, limit=400):
    offered = taken = 0
    while writer.outcome is None and offered < limit:
        taken += writer.write(channel, 10**18 + offered, 10**18 + offered, data)
        offered += 1
        time.sleep(0.002)
    return (taken, offered), writer.wait(20)


def check_kept(outcome, sent, least):
    taken, offered = sent
    assert outcome.state == 'failed' and 'the disk is full' in outcome.reason
    assert outcome.path.name == 'a'
    with Episode(outcome.path) as episode:
        kept = [m.log_time - 10**18 for m in episode.messages()]
        assert episode.problem == ''
        assert episode.custom['end'].startswith('failed: the disk is full')
    assert kept == list(range(len(kept))) and len(kept) >= least
    # Each message is kept or counted; those after the end of the episode are neither.
    assert taken <= len(kept) + sum(outcome.dropped.values()) <= offered
    with Reader(outcome.path) as reader:
        assert reader.message_count == len(kept)


def test_a_full_disk_keeps_what_was_written(bench, monkeypatch):
    """As the kernel does it: writes fail until the reserve is given back."""
    real, room = os.writev, 30 * MIB
    used = {'bytes': 0}

    def disk(fd, pieces):
        size = sum(len(p) for p in pieces)
        given_back = 0 if reserve.exists() else SUMMARY_RESERVE
        if used['bytes'] + size > room + given_back:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        used['bytes'] += size
        return real(fd, pieces)

    reserve = partial_folder(bench.directory, 'a') / 'reserve'
    monkeypatch.setattr(mcap_file.os, 'writev', disk)
    writer = bench.writer()
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
    sent, outcome = fill_until_failed(writer, channel, b'\0\1\0\0' + bytes(300_000))
    check_kept(outcome, sent, least=95)


def test_a_disk_that_is_really_full(bench):
    """The same on a file system of 32 MB, where one can be mounted."""
    bench.directory.mkdir(parents=True)
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', str(bench.directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('cannot mount a small file system here')
    try:
        writer = bench.writer()
        channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
        sent, outcome = fill_until_failed(writer, channel, b'\0\1\0\0' + bytes(300_000))
        check_kept(outcome, sent, least=70)
    finally:
        subprocess.run(['umount', str(bench.directory)], check=False)


def test_a_failure_is_announced_once(bench, monkeypatch):
    heard = []
    writer = bench.writer(on_done=heard.append)
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/Image'))
    time.sleep(0.1)

    def broken(fd, pieces):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(mcap_file.os, 'writev', broken)
    for i in range(10):
        writer.write(channel, 10**18 + i, 10**18 + i, bytes(300_000))
    outcome = writer.wait(10)
    assert heard == [outcome]
    assert outcome.state == 'failed' and 'Input/output error' in outcome.reason
    assert outcome.path.name == '.a.partial' and 'recover it' in outcome.reason
    assert sum(outcome.dropped.values()) == 10


def test_times_that_no_file_can_tell_end_no_episode(bench):
    """What a publisher says about its times is its own affair."""
    writer = bench.writer()
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/JointState'))
    for published in (-1, 10**18, 2**70):
        assert writer.write(channel, 10**18, published, b'\0\1\0\0' + bytes(60))
    writer.close()
    outcome = writer.wait(10)
    assert outcome.state == 'saved' and outcome.progress.messages == 3
    with Episode(outcome.path) as episode:
        told = [message.publish_time for message in episode.messages()]
    assert told == [0, 10**18, 2**63 - 1]


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
@pytest.mark.parametrize('place', ['add_message', 'finish'])
def test_a_writing_thread_that_breaks_tells_it_and_counts(bench, monkeypatch, place):
    """Nobody thought of the error; nobody waits for ever, and what was written can be read."""
    heard = []
    writer = bench.writer(on_done=heard.append, flush_period=0.05)
    channel = writer.add_topic(bench.topic('/a', 'sensor_msgs/msg/JointState'))
    data = b'\0\1\0\0' + bytes(60)
    writer.write(channel, 10**18, 10**18, data)
    deadline = time.monotonic() + 5
    while writer.progress.messages == 0 and time.monotonic() < deadline:
        time.sleep(0.01)

    def broken(*_):
        raise ValueError('nobody thought of this')

    monkeypatch.setattr(mcap_file.McapFile, place, broken)
    for i in range(5):
        writer.write(channel, 10**18 + i, 10**18 + i, data)
    writer.close()
    outcome = writer.wait(10)
    assert heard == [outcome] and outcome.state == 'failed'
    if place == 'add_message':
        assert outcome.reason == 'the writing thread broke'
        assert outcome.dropped == {'/a': 5}
        with Episode(outcome.path) as episode:
            assert episode.message_count == 1
    else:
        assert 'recover it' in outcome.reason and outcome.path.name == '.a.partial'
