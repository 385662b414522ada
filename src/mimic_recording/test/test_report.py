import json

import numpy as np
import pytest

from mimic_recording import Episode, make_report, write_report
from mimic_recording.report import lost_by_sequence, missing_by_stamp
from mimic_recording.report_page import text

from .conftest import SECOND, T0

IMAGE, INFO, STATE = (
    'sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/JointState',
)  # fmt: skip
MS = SECOND // 1000
COLOR, DEPTH = '/camera/color/image_raw', '/camera/aligned_depth_to_color/image_raw'


def stream(make, header, topic, kind, times, latency=0, skip=(), lose=()):
    """Messages captured at times [ns], `skip` never published, `lose` published but lost."""
    rows, sequence = [], 0
    for i, t in enumerate(times):
        if i in skip:
            continue
        sequence += 1
        if i in lose:
            continue
        rows.append((topic, kind, int(t + latency), make(kind, header=header(int(t))), sequence))
    return rows


def report_of(bench, rows):
    path = bench.episode(sorted(rows, key=lambda r: r[2]))
    with Episode(path) as episode:
        report = make_report(episode)
    return report, {t.name: t for t in report.topics}


def test_a_clean_episode_has_no_flags(bench, make, header):
    frames = T0 + np.arange(90) * SECOND // 30
    rows = (
        stream(make, header, COLOR, IMAGE, frames, 20 * MS)
        + stream(make, header, DEPTH, IMAGE, frames, 25 * MS)
        + stream(make, header, '/joint_states', STATE, T0 + np.arange(300) * SECOND // 100, MS)
    )
    report, topics = report_of(bench, rows)
    assert report.flags == ()
    assert report.end == 'stopped'
    assert topics[COLOR].rate == pytest.approx(30, rel=1e-3)
    assert topics[COLOR].latency.median == pytest.approx(0.020, abs=1e-4)
    assert topics['/joint_states'].rate == pytest.approx(100, rel=1e-3)
    assert topics['/joint_states'].latency.p95 == pytest.approx(0.001, abs=1e-4)
    assert all(t.gaps == t.lost == t.missing == 0 for t in topics.values())
    depth = next(s for s in report.sync if s.other == DEPTH)
    assert (depth.pairs, depth.alone, depth.error.largest) == (90, 0, 0.0)


def test_known_faults_are_counted(bench, make, header):
    frames = T0 + np.arange(120) * SECOND // 30
    shifted = frames + 4 * MS
    rows = (
        stream(make, header, COLOR, IMAGE, frames, 150 * MS, skip=(20, 21, 22), lose=(50, 70))
        + stream(make, header, DEPTH, IMAGE, shifted, 150 * MS, lose=(90,))
        + stream(make, header, '/joint_states', STATE, T0 + np.arange(400) * SECOND // 100, MS)
    )
    report, topics = report_of(bench, rows)
    color = topics[COLOR]
    assert color.count == 115
    assert color.lost == 2
    assert color.missing == 5
    assert color.gaps == 1 and color.longest_gap == pytest.approx(4 / 30, rel=1e-3)
    assert topics[DEPTH].lost == 1 and topics[DEPTH].missing == 1
    depth = next(s for s in report.sync if (s.reference, s.other) == (COLOR, DEPTH))
    assert depth.error.median == pytest.approx(0.004, abs=1e-5)
    assert (depth.pairs, depth.alone) == (114, 1)
    flags = '\n'.join(report.flags)
    assert f'{COLOR}: 2 messages were lost' in flags
    assert f'{COLOR}: 5 captures are missing' in flags
    assert f'{COLOR}: 150 ms old' in flags
    assert f'{DEPTH}: 1 of 115 images have no partner' in flags
    assert '/joint_states' not in flags


def test_a_camera_that_is_too_slow_is_flagged(bench, make, header):
    frames = T0 + np.arange(40) * SECOND // 12
    rows = (
        stream(make, header, COLOR, IMAGE, frames)
        + stream(make, header, DEPTH, IMAGE, frames + 20 * MS)  # of no picture
        + stream(make, header, '/joint_states', STATE, T0 + np.arange(330) * SECOND // 100)
    )
    report, topics = report_of(bench, rows)
    assert f'{COLOR}: 12.0 Hz instead of 30' in report.flags
    assert topics[COLOR].missing == 0
    depth = next(s for s in report.sync if (s.reference, s.other) == (COLOR, DEPTH))
    assert (depth.pairs, depth.alone) == (0, 40)


def test_what_begins_late_or_ends_early_is_flagged(bench, make, header):
    rows = (
        stream(make, header, COLOR, IMAGE, T0 + np.arange(60, 120) * SECOND // 30)
        + stream(make, header, DEPTH, IMAGE, T0 + np.arange(60) * SECOND // 30)
        + stream(make, header, '/joint_states', STATE, T0 + np.arange(400) * SECOND // 100)
    )
    report, _ = report_of(bench, rows)
    assert f'{COLOR}: begins 2.0 s late' in report.flags
    assert f'{DEPTH}: ends 2.0 s early' in report.flags


def test_stamps_that_go_back_and_a_missing_robot_are_flagged(bench, make, header):
    frames = T0 + np.arange(60) * SECOND // 30
    rows = stream(make, header, COLOR, IMAGE, frames)
    rows[30] = (*rows[30][:3], make(IMAGE, header=header(int(frames[10]))), rows[30][4])
    report, topics = report_of(bench, rows)
    assert topics[COLOR].stamps_back == 1
    assert any('stamps go back 1 times' in flag for flag in report.flags)
    assert 'no joint states' in report.flags


def test_drops_of_the_recorder_are_told(bench, rows, definitions):
    writer = bench.writer(max_queue_bytes=1 << 20)
    channel = writer.add_topic(bench.topic('/joint_states', STATE))
    for row in rows:
        if row[1] == STATE:
            writer.write(channel, row[2], row[2], row[3])
    assert not writer.write(channel, rows[-1][2], rows[-1][2], bytes(2 << 20))
    writer.close()
    with Episode(writer.wait(10).path) as episode:
        report = make_report(episode)
    assert report.topics[0].dropped == 1
    assert any('dropped 1, the disk is too slow' in flag for flag in report.flags)


def test_files_are_written_and_readable(bench, rows):
    path = bench.episode(rows)
    report = write_report(path)
    loaded = json.loads((path / 'report.json').read_text())
    assert loaded['name'] == 'a' and loaded['messages'] == len(rows)
    assert len(loaded['topics']) == 2 and loaded['flags'] == list(report.flags)
    html = (path / 'report.html').read_text()
    assert '<script' not in html and '/camera/color/image_raw' in html and '<svg' in html
    assert 'joint_states' in text(report)


def test_names_from_outside_are_escaped(bench, make):
    rows = [('/a<b>', 'std_msgs/msg/Bool', T0, make('std_msgs/msg/Bool'), 1)]
    path = bench.episode(rows)
    write_report(path)
    assert '<b>' not in (path / 'report.html').read_text()


@pytest.mark.parametrize(
    ('numbers', 'lost'),
    [
        ([1, 2, 3, 4], 0),
        ([1, 2, 5, 6, 9], 4),
        ([0, 0, 0, 0], None),  # unknown
        ([1, 1, 2, 2, 3, 3], None),  # two publishers
        ([5], None),
        ([*range(1, 200), *range(1, 50)], 0),  # one restart
    ],
)
def test_losses_by_sequence_number(numbers, lost):
    assert lost_by_sequence(np.array(numbers)) == lost


def test_missing_captures_and_jitter_are_told_apart():
    even = np.arange(300) * 0.01
    assert missing_by_stamp(even) == 0
    assert missing_by_stamp(np.delete(even, [50, 51, 120, 200])) == 4
    late = even.copy()
    late[50] += 0.007  # one late stamp: a long period, then a short one
    late[120:123] += (0.012, 0.006, 0.001)
    assert missing_by_stamp(late) == 0
    rng = np.random.default_rng(0)
    assert missing_by_stamp(even + rng.normal(0, 0.001, 300)) == 0
    assert missing_by_stamp(np.sort(rng.uniform(0, 3, 300))) is None  # not periodic


def test_an_empty_episode_has_a_report(bench):
    report = write_report(bench.episode([]))
    assert 'no message was recorded' in report.flags
