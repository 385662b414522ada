import numpy as np
import pytest

from mimic_core.errors import UnknownNameError
from mimic_core.topics import TOPICS
from mimic_recording import BagError, Episode

from .conftest import SECOND, T0


def same(ours, theirs):
    """Compare two message objects of different classes, field by field."""
    for name in theirs.__dataclass_fields__:
        if name == '__msgtype__':
            continue
        a, b = getattr(ours, name), getattr(theirs, name)
        if isinstance(b, np.ndarray):
            assert a.dtype == b.dtype and np.array_equal(a, b), name
        elif isinstance(b, list) and b and hasattr(b[0], '__dataclass_fields__'):
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                same(x, y)
        elif hasattr(b, '__dataclass_fields__'):
            same(a, b)
        else:
            assert a == b, name


def test_round_trip_of_every_topic_of_the_table(bench, random_message):
    """Each type, decoded with the definitions of the bag alone."""
    rng = np.random.default_rng(1)
    rows, sent = [], {}
    for i, topic in enumerate(TOPICS.values()):
        name = '/' + topic.name.lstrip('/')
        for k in range(3):
            message, data = random_message(topic.type, rng)
            rows.append((name, topic.type, T0 + i * 1000 + k, data, k))
            sent.setdefault(name, []).append((message, data))
    path = bench.episode(rows)
    with Episode(path) as episode:
        assert {n: t.count for n, t in episode.topics.items()} == dict.fromkeys(sent, 3)
        for name, pairs in sent.items():
            got = list(episode.read([name]))
            for (message, decoded), (original, data) in zip(got, pairs, strict=True):
                assert message.data == data
                same(decoded, original)


def test_messages_come_in_the_order_of_receipt(bench, make):
    data = make('std_msgs/msg/Bool', data=True)
    times = [5, 3, 9, 1, 7, 7, 2]
    path = bench.episode(
        [('/a', 'std_msgs/msg/Bool', T0 + t, data, i + 1) for i, t in enumerate(times)]
    )
    with Episode(path) as episode:
        assert [m.log_time - T0 for m in episode.messages()] == sorted(times)
        assert [m.sequence for m in episode.messages()] == [4, 7, 2, 1, 5, 6, 3]
        part = [m.log_time - T0 for m in episode.messages(start=T0 + 3, stop=T0 + 7)]
        assert part == [3, 5]
        assert episode.start == T0 + 1 and episode.duration == pytest.approx(8e-9)


def test_stamps_of_headers_and_of_transforms(bench, make, header, store):
    moment = T0 + 123_456_789
    transform = store.types['geometry_msgs/msg/TransformStamped'](
        header=header(moment), child_frame_id='x',
        transform=store.deserialize_cdr(
            make('geometry_msgs/msg/Transform'), 'geometry_msgs/msg/Transform'
        ),
    )  # fmt: skip
    tf, state, flag = 'tf2_msgs/msg/TFMessage', 'sensor_msgs/msg/JointState', 'std_msgs/msg/Bool'
    rows = [
        ('/tf', tf, T0, make(tf, transforms=[transform]), 1),
        ('/tf', tf, T0 + 1, make(tf), 2),
        ('/j', state, T0, make(state, header=header(moment)), 1),
        ('/j', state, T0 + 1, make(state), 2),
        ('/b', flag, T0, make(flag), 1),
    ]
    path = bench.episode(rows)
    with Episode(path) as episode:
        for topic in ('/tf', '/j'):
            first, second = episode.stamps(topic)
            assert first == pytest.approx(moment / SECOND, abs=1e-6)
            assert np.isnan(second)
        assert np.isnan(episode.stamps('/b')).all()


def test_big_endian_stamps(bench):
    data = b'\0\0\0\0' + (1000).to_bytes(4, 'big') + (5).to_bytes(4, 'big') + bytes(40)
    path = bench.episode([('/j', 'sensor_msgs/msg/JointState', T0, data, 1)])
    with Episode(path) as episode:
        assert episode.stamps('/j')[0] == pytest.approx(1000.000000005)


def test_an_unknown_topic_names_the_known_ones(bench, rows):
    with Episode(bench.episode(rows)) as episode:
        with pytest.raises(UnknownNameError, match='/joint_states'):
            list(episode.messages(['/joint_state']))
        with pytest.raises(UnknownNameError):
            episode.log_times('/x')
        assert episode.find('joint_states') == '/joint_states'
        assert episode.find('nothing') is None


def test_namespaces_are_found(bench, make):
    data = make('std_msgs/msg/Bool')
    rows = [('/left/arm/tactile', 'std_msgs/msg/Bool', T0, data, 1)]
    with Episode(bench.episode(rows)) as episode:
        assert episode.find('tactile') == '/left/arm/tactile'


def test_a_single_file_is_an_episode(bench, rows):
    path = bench.episode(rows) / 'a_0.mcap'
    with Episode(path) as episode:
        assert episode.message_count == len(rows)
        assert episode.name == 'a' and episode.task == 'pick'


def test_an_empty_episode(bench):
    with Episode(bench.episode([])) as episode:
        assert episode.message_count == 0 and episode.duration == 0 and episode.start == 0
        assert list(episode.messages()) == []


@pytest.mark.parametrize('content', [b'', b'x' * 100, b'\x89MCAP0\r\n'])
def test_what_is_no_bag_is_refused(tmp_path, content):
    file = tmp_path / 'x.mcap'
    file.write_bytes(content)
    with pytest.raises(BagError, match=r'x\.mcap'):
        Episode(file)


def test_a_folder_without_a_bag_is_refused(tmp_path):
    with pytest.raises(BagError, match=r'holds 0 \.mcap files'):
        Episode(tmp_path)
    with pytest.raises(BagError, match='cannot be read'):
        Episode(tmp_path / 'none.mcap')


def test_data_that_does_not_fit_is_refused(bench):
    rows = [('/j', 'sensor_msgs/msg/JointState', T0, b'\0\1\0\0' + bytes(3), 1)]
    with Episode(bench.episode(rows)) as episode:
        (message,) = episode.messages()
        with pytest.raises(BagError, match='not a sensor_msgs/msg/JointState'):
            episode.decode(message)
        assert np.isnan(episode.stamps('/j')).all()
