"""The recorder as a person sees it, without ROS."""

import errno
import os
import threading
import time

import pytest

from mimic_core.params import from_mapping
from mimic_recording import Episode, EpisodeState, OfferedQos, Recorder, RecordingError, mcap_file
from mimic_recording.params import RecorderParams
from mimic_recording.qos import to_request
from mimic_recording.writer import MIB, WriterOptions

from .conftest import T0
from .test_recovery import leave_partial

STATE = 'sensor_msgs/msg/JointState'


@pytest.fixture
def recorder(bench, definitions):
    options = WriterOptions(min_free_bytes=MIB)
    return Recorder(bench.directory, options, definitions)


def record(recorder, count=5, name=''):
    path = recorder.start(name, 'pick', [], '20261121_040000')
    channel = recorder.add_topic('/joint_states', STATE, [OfferedQos()])
    for i in range(count):
        recorder.write(channel, T0 + i, T0 + i, b'\0\1\0\0' + bytes(60), i + 1)
    return path


def test_one_episode_at_a_time(recorder):
    assert recorder.status.state == EpisodeState.IDLE
    path = record(recorder)
    assert path.name == 'episode_20261121_040000' and path.is_absolute()
    assert recorder.status.state == EpisodeState.RECORDING and recorder.recording
    with pytest.raises(RecordingError, match='is being recorded: stop it'):
        recorder.start('b', '', [], 'x')
    recorder.stop()
    assert recorder.collect(10).state == 'saved'
    assert recorder.status.state == EpisodeState.SAVED
    assert recorder.status.progress.messages == 5
    assert {p.name for p in path.iterdir()} == {
        'episode_20261121_040000_0.mcap', 'metadata.yaml', 'report.json', 'report.html',
    }  # fmt: skip


def test_two_episodes_in_a_second_have_two_names(recorder):
    for name in ('episode_20261121_040000', 'episode_20261121_040000_2'):
        assert record(recorder).name == name
        recorder.stop()
        assert recorder.collect(10).state == 'saved'


def test_nothing_to_stop_or_discard_is_said(recorder):
    with pytest.raises(RecordingError, match='nothing is being recorded'):
        recorder.stop()
    with pytest.raises(RecordingError, match='no episode to discard'):
        recorder.discard()
    with pytest.raises(RecordingError, match='nothing is being recorded'):
        recorder.add_topic('/a', STATE, [])
    recorder.write(1, 1, 1, b'', 0)  # a late message is no error


def test_discard_removes_the_running_or_the_last_one(recorder, bench):
    record(recorder)
    recorder.discard()
    assert recorder.collect(10).state == 'discarded'
    assert list(bench.directory.iterdir()) == []
    path = record(recorder)
    recorder.stop()
    recorder.collect(10)
    assert path.is_dir()
    assert recorder.discard() == path
    assert not path.exists() and recorder.status.state == EpisodeState.DISCARDED
    with pytest.raises(RecordingError):
        recorder.discard()


def test_discard_also_removes_an_episode_that_is_just_saved(recorder, bench):
    record(recorder)
    recorder.stop()
    recorder._writer.wait(10)  # on the disk, but nobody has collected it
    recorder.discard()
    assert recorder.collect(10).state == 'discarded'
    assert list(bench.directory.iterdir()) == []
    path = record(recorder)  # the next one is not concerned
    recorder.stop()
    assert recorder.collect(10).state == 'saved' and path.is_dir()


def test_a_refused_start_leaves_the_recorder_idle(recorder):
    for name in ('../x', 'a/b'):
        with pytest.raises(RecordingError):
            recorder.start(name, '', [], 'x')
    with pytest.raises(RecordingError, match='tag'):
        recorder.start('a', '', ['no tag'], 'x')
    assert recorder.status.state == EpisodeState.IDLE
    record(recorder, name='a')
    recorder.stop()
    assert recorder.collect(10).state == 'saved'


def test_an_unknown_type_is_refused_and_the_episode_goes_on(recorder):
    record(recorder)
    with pytest.raises(RecordingError, match='not installed'):
        recorder.add_topic('/x', 'no_such_package/msg/X', [])
    recorder.stop()
    assert recorder.collect(10).state == 'saved'


def test_a_full_disk_ends_the_episode_by_itself(recorder, monkeypatch):
    ended = threading.Event()
    recorder._on_end = ended.set
    path = record(recorder)
    time.sleep(0.7)  # a flush

    def full(fd, pieces):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = os.writev
    monkeypatch.setattr(mcap_file.os, 'writev', full)
    channel = recorder.add_topic('/b', STATE, [])
    recorder.write(channel, T0, T0, bytes(100), 1)
    deadline = time.monotonic() + 5
    while not recorder._writer._failure and time.monotonic() < deadline:
        time.sleep(0.005)
    monkeypatch.setattr(mcap_file.os, 'writev', real)
    assert ended.wait(10)
    outcome = recorder.collect(10)
    assert outcome.state == 'failed'
    assert recorder.status.state == EpisodeState.FAILED and recorder.status.problem
    if outcome.path == path:  # the reserve was enough
        with Episode(path) as episode:
            assert episode.message_count >= 5
    assert not recorder.recording


def test_what_a_dead_recorder_left_is_completed_with_a_report(recorder, bench, rows):
    whole = bench.episode(rows)
    raw = (whole / 'a_0.mcap').read_bytes()
    leave_partial(bench, raw[: len(raw) // 2], 'killed')
    (line,) = recorder.recover()
    assert line.startswith('recovered') and 'killed' in line
    assert (bench.directory / 'killed' / 'report.json').exists()
    leave_partial(bench, b'nothing', 'noise')
    (line,) = recorder.recover()
    assert line.startswith('not recovered')
    assert recorder.recover() == []


@pytest.mark.parametrize(
    ('offers', 'wanted'),
    [
        ([OfferedQos()], (True, False)),
        ([OfferedQos('best_effort')], (False, False)),
        ([OfferedQos(), OfferedQos('best_effort')], (False, False)),
        ([OfferedQos('reliable', 'transient_local')], (True, True)),
        ([OfferedQos('reliable', 'transient_local'), OfferedQos()], (True, False)),
        ([], (False, False)),
    ],
)
def test_the_subscription_fits_every_publisher(offers, wanted):
    assert to_request(offers) == wanted


def test_parameters_reach_the_writer():
    given = {
        'directory': '~/episodes', 'compression': 'zstd', 'chunk_bytes': 100_000,
        'flush_period': 1.5, 'max_queue_bytes': 5 * MIB, 'min_free_bytes': 20 * MIB,
    }  # fmt: skip
    params = from_mapping(RecorderParams, given)
    options = params.writer_options
    for name in set(given) - {'directory'}:
        assert getattr(options, name) == given[name]
    assert '~' not in str(params.folder)
