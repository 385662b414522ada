"""Message definitions without a build, messages without ROS, and small episodes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from mimic_core.topics import TOPICS
from mimic_recording import Definitions, EpisodeInfo, EpisodeWriter, OfferedQos, Topic
from mimic_recording.writer import MIB, WriterOptions

ROOT = Path(__file__).parents[3]
SECOND = 1_000_000_000
T0 = 1_800_000_000 * SECOND  # [ns]


@pytest.fixture(scope='session')
def definitions(tmp_path_factory) -> Definitions:
    """Definitions of the environment, and of the sources where the workspace is not built."""
    prefix = tmp_path_factory.mktemp('prefix')
    (prefix / 'share').mkdir()
    for package in (*(ROOT / 'underlay').iterdir(), ROOT / 'src' / 'mimic_interfaces'):
        if (package / 'msg').is_dir():
            (prefix / 'share' / package.name).symlink_to(package)
    installed = Definitions()._prefixes
    return Definitions([*installed, prefix])


@pytest.fixture(scope='session')
def store(definitions):
    """An independent serializer that knows every type of the table of topics."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for kind in sorted({t.type for t in TOPICS.values()}):
        types = get_types_from_msg(definitions.find(kind).text, kind)
        store.register({k: v for k, v in types.items() if k not in store.types})
    return store


@pytest.fixture
def random_message(store):
    """random_message(type, rng) returns a message and its serialized form."""

    def build(kind: str, rng):
        message = blank(store, kind, rng)
        return message, bytes(store.serialize_cdr(message, kind))

    return build


@pytest.fixture
def make(store) -> Callable[..., bytes]:
    """make(type, field=value, …) returns a serialized message; other fields are zero."""

    def build(kind: str, **fields) -> bytes:
        return bytes(store.serialize_cdr(blank(store, kind, **fields), kind))

    return build


def blank(store, kind: str, rng=None, **fields):
    """Return a message whose fields are zero, or random with an rng, unless given."""
    values = {}
    for name, (node, detail) in store.get_msgdef(kind).fields:
        given = name in fields
        values[name] = fields.pop(name) if given else _value(store, node, detail, rng)
    assert not fields, f'{kind} has no {list(fields)}'
    return store.types[kind](**values)


def _value(store, node, detail, rng):
    if node == Nodetype.NAME:
        return blank(store, detail, rng)
    if node == Nodetype.BASE:
        return _scalar(detail[0], rng)
    (inner, inner_detail), length = detail
    size = length if node == Nodetype.ARRAY else 0 if rng is None else int(rng.integers(0, 4))
    if inner == Nodetype.NAME:
        return [blank(store, inner_detail, rng) for _ in range(size)]
    items = [_scalar(inner_detail[0], rng) for _ in range(size)]
    kind = inner_detail[0]
    if kind == 'string':
        return items
    return np.array(items, dtype={'bool': np.bool_, 'octet': np.uint8}.get(kind, kind))


def _scalar(kind: str, rng):
    if kind == 'string':
        return '' if rng is None else 'joint µ ' + str(rng.integers(0, 10**6))
    if kind == 'bool':
        return rng is not None and bool(rng.integers(0, 2))
    if kind.startswith('float'):
        return 0.0 if rng is None else float(np.float32(rng.normal()))
    return 0 if rng is None else int(rng.integers(0, 100))


def stamp(store, nanoseconds: int):
    return store.types['builtin_interfaces/msg/Time'](
        sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND
    )


@pytest.fixture
def header(store):
    """header(ns, frame) returns a std_msgs/Header."""

    def build(nanoseconds: int, frame: str = 'camera'):
        return store.types['std_msgs/msg/Header'](stamp=stamp(store, nanoseconds), frame_id=frame)

    return build


class Bench:
    """Writes episodes message by message."""

    def __init__(self, directory: Path, definitions: Definitions) -> None:
        self.directory = directory
        self.definitions = definitions

    def writer(self, name: str = 'a', on_done=None, **options) -> EpisodeWriter:
        options = {'min_free_bytes': MIB, **options}
        return EpisodeWriter(
            self.directory,
            EpisodeInfo(name, 'pick', ('operator=anna',)),
            WriterOptions(**options),
            on_done,
        )

    def topic(self, name: str, kind: str, latched: bool = False) -> Topic:
        qos = OfferedQos(durability='transient_local' if latched else 'volatile')
        return Topic(name, self.definitions.find(kind), (qos,))

    def episode(self, rows, name: str = 'a', **options) -> Path:
        """Write (topic, type, log time [ns], data, sequence) rows; return the folder."""
        writer = self.writer(name, **options)
        channels = {}
        for topic, kind, log_time, data, sequence in rows:
            if topic not in channels:
                channels[topic] = writer.add_topic(self.topic(topic, kind))
            assert writer.write(channels[topic], log_time, log_time, data, sequence)
        writer.close()
        outcome = writer.wait(20)
        assert outcome.state == 'saved', outcome
        return outcome.path


@pytest.fixture
def bench(tmp_path, definitions) -> Iterator[Bench]:
    yield Bench(tmp_path / 'episodes', definitions)
    shutil.rmtree(tmp_path / 'episodes', ignore_errors=True)


@pytest.fixture
def rows(make, header):
    """Three seconds of camera and joints: 30 images of 40 kB a second, 100 joint states."""
    rng = np.random.default_rng(7)
    found = []
    for i in range(90):
        t = T0 + i * SECOND // 30
        pixels = rng.integers(0, 255, 40_000, dtype=np.uint8)
        image = make(
            'sensor_msgs/msg/Image', header=header(t), height=100, width=400, step=400,
            encoding='mono8', data=pixels,
        )  # fmt: skip
        found.append(('/camera/color/image_raw', 'sensor_msgs/msg/Image', t, image, i + 1))
    for i in range(300):
        t = T0 + i * SECOND // 100
        state = make(
            'sensor_msgs/msg/JointState', header=header(t), name=['a', 'b'],
            position=np.array([0.01 * i, -0.01 * i]),
        )  # fmt: skip
        found.append(('/joint_states', 'sensor_msgs/msg/JointState', t, state, i + 1))
    return sorted(found, key=lambda row: row[2])
