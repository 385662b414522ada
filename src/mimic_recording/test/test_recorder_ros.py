"""Real recorder processes over DDS."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from mimic_core.topics import TOPICS
from mimic_recording import Episode
from mimic_recording.scan import scan_file

pytestmark = pytest.mark.ros
WAIT = 20.0  # [s] discovery on a busy machine


class Caller:
    """Calls the recorder, publishes, and hears its status."""

    def __init__(self):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from std_srvs.srv import Trigger

        from mimic_core.ros import LATCHED_QOS
        from mimic_interfaces.msg import EpisodeStatus
        from mimic_interfaces.srv import StartEpisode

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('caller', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status = []
        self.node.create_subscription(
            EpisodeStatus, 'episode/status', self.status.append, LATCHED_QOS
        )
        self.clients = {
            name: self.node.create_client(kind, f'episode/{name}')
            for name, kind in (('start', StartEpisode), ('stop', Trigger), ('discard', Trigger))
        }

    def call(self, service, **fields):
        client = self.clients[service]
        assert client.wait_for_service(WAIT)
        request = client.srv_type.Request(**fields)
        future = client.call_async(request)
        self.executor.spin_until_future_complete(future, timeout_sec=WAIT)
        assert future.done(), f'no answer from {service}'
        return future.result()

    def spin(self, until, timeout=WAIT, each=None):
        end = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < end, 'took too long'
            if each is not None:
                each()
            self.executor.spin_once(timeout_sec=0.01)

    def close(self):
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def caller(ros_domain):
    caller = Caller()
    yield caller
    caller.close()


@contextmanager
def recorder(directory, *more, before=''):
    code = f'{before}\nfrom mimic_recording.node import main; main()'
    command = [sys.executable, '-c', code, '--ros-args']
    for value in (f'directory:={directory}', 'min_free_bytes:=20000000', *more):
        command += ['-p', value]
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(15)


def joint_state(i):
    from sensor_msgs.msg import JointState

    return JointState(name=['a'], position=[float(i)], velocity=[1.0], effort=[2.0])


def test_an_episode_over_dds(caller, tmp_path):
    """Latched and late topics, both kinds of reliability, raw bytes, and every answer."""
    from rclpy.qos import qos_profile_sensor_data
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image, JointState
    from std_msgs.msg import String
    from tf2_msgs.msg import TFMessage

    from mimic_core.ros import DEFAULT_QOS, LATCHED_QOS, SENSOR_PUBLISHER_QOS
    from mimic_interfaces.msg import HandArray

    node = caller.node
    description = node.create_publisher(String, 'robot_description', LATCHED_QOS)
    description.publish(String(data='<robot/>'))
    static = [node.create_publisher(TFMessage, '/tf_static', LATCHED_QOS) for _ in range(2)]
    for publisher in static:
        publisher.publish(TFMessage())
    joints = node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)
    best = node.create_publisher(Image, 'camera/color/image_raw', qos_profile_sensor_data)
    other = node.create_publisher(String, 'not_in_the_table', DEFAULT_QOS)
    sent = []

    def publish():
        image = Image(height=4, width=4, step=12, encoding='rgb8', data=bytes(48))
        sent.append(bytes(serialize_message(joint_state(len(sent)))))
        joints.publish(sent[-1])  # as bytes: padding has no defined value
        best.publish(image)
        other.publish(String(data='x'))

    with recorder(tmp_path / 'episodes') as process:
        answer = caller.call('stop')
        assert not answer.success and answer.message == 'nothing is being recorded'
        answer = caller.call('start', name='../evil')
        assert not answer.success and 'episode name' in answer.message
        answer = caller.call('start', name='a', task='pick', tags=['operator=anna'])
        assert answer.success and answer.path == str(tmp_path / 'episodes' / 'a')
        again = caller.call('start', name='b')
        assert not again.success and 'is being recorded' in again.message

        caller.spin(lambda: joints.get_subscription_count() and best.get_subscription_count())
        sent.clear()
        first = len(sent)
        caller.spin(lambda: len(sent) >= first + 50, each=publish)
        late = node.create_publisher(HandArray, 'hand_tracking/hands', DEFAULT_QOS)
        caller.spin(lambda: late.get_subscription_count() > 0)
        for _ in range(5):
            late.publish(HandArray())
        caller.spin(lambda: caller.status and caller.status[-1].messages > 50, each=publish)
        assert caller.status[-1].state == 1
        time.sleep(0.3)
        answer = caller.call('stop')
        assert answer.success and answer.message.startswith('saved'), answer
        caller.spin(lambda: caller.status[-1].state == 2)
        assert caller.status[-1].dropped == 0 and caller.status[-1].path.endswith('/a')
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    with Episode(tmp_path / 'episodes' / 'a') as episode:
        assert '/not_in_the_table' not in episode.topics
        assert episode.topics['/robot_description'].count == 1
        assert episode.topics['/tf_static'].count == 2
        assert episode.topics['/hand_tracking/hands'].count == 5
        assert episode.topics['/camera/color/image_raw'].count >= 50
        got = [m.data for m in episode.messages(['/joint_states'])]
        assert got == sent[: len(got)] and len(got) >= 50
        sequences = episode.sequences('/joint_states')
        assert (np.diff(sequences) == 1).all()
        now = time.time()
        for message in episode.messages():
            assert now - 120 < message.log_time * 1e-9 < now
            assert message.publish_time <= message.log_time
        hashes = {
            channel.topic: channel.metadata['topic_type_hash']
            for channel in scan_file(episode.file).contents.channels.values()
        }
        for topic in ('/joint_states', '/hand_tracking/hands', '/tf_static'):
            offered = node.get_publishers_info_by_topic(topic)[0]
            assert hashes[topic] == str(offered.topic_type_hash)
    assert (tmp_path / 'episodes' / 'a' / 'report.html').exists()


def test_ros_writes_and_the_reader_decodes_every_type(bench, ros_domain):
    """Serialized by rclpy, read with the definitions in the bag."""
    from rclpy.serialization import serialize_message

    from mimic_recording.conversions import message_class

    rows = []
    for i, topic in enumerate(TOPICS.values()):
        name = '/' + topic.name.lstrip('/')
        message = message_class(topic.type)()
        rows.append((name, topic.type, 10**18 + i, bytes(serialize_message(message)), 1))
    with Episode(bench.episode(rows)) as episode:
        for message, decoded in episode.read():
            fields = message_class(message.type).get_fields_and_field_types()
            assert set(fields) <= set(vars(decoded) | dict.fromkeys(decoded.__dataclass_fields__))


def test_sigterm_closes_the_episode(caller, tmp_path):
    from sensor_msgs.msg import JointState

    from mimic_core.ros import SENSOR_PUBLISHER_QOS

    publisher = caller.node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)
    for number in (signal.SIGTERM, signal.SIGINT):
        with recorder(tmp_path / 'e', 'auto_start:=true', f'auto_name:=x{number}') as process:
            caller.spin(lambda: publisher.get_subscription_count() > 0)
            for i in range(20):
                publisher.publish(joint_state(i))
            time.sleep(0.5)
            process.send_signal(number)
            assert process.wait(15) == 0
        with Episode(tmp_path / 'e' / f'x{number}') as episode:
            assert episode.topics['/joint_states'].count == 20
            assert episode.custom['end'] == 'stopped'


def test_sigkill_loses_nothing_that_was_flushed(caller, tmp_path):
    """Killed in the middle; the next recorder completes the episode when it starts."""
    from sensor_msgs.msg import JointState

    from mimic_core.ros import SENSOR_PUBLISHER_QOS

    publisher = caller.node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)
    folder = tmp_path / 'e'
    with recorder(folder, 'auto_start:=true', 'auto_name:=x', 'flush_period:=0.1') as process:
        caller.spin(lambda: publisher.get_subscription_count() > 0)
        count = 0

        def publish():
            nonlocal count
            publisher.publish(joint_state(count))
            count += 1

        caller.spin(lambda: count >= 150, each=publish)
        time.sleep(1.0)  # ten flush periods: all of these are in the file
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert [p.name for p in folder.iterdir()] == ['.x.partial']
    with recorder(folder):
        caller.spin(lambda: (folder / 'x' / 'report.json').exists())
    with Episode(folder / 'x') as episode:
        positions = [s.position[0] for _, s in episode.read(['/joint_states'])]
        assert positions == [float(i) for i in range(150)]
        assert episode.custom['recovered'] == 'true'


def test_times_follow_the_simulated_clock(caller, tmp_path):
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import JointState

    from mimic_core.ros import SENSOR_PUBLISHER_QOS, to_stamp

    node, sim = caller.node, {'t': 100.0}
    clock = node.create_publisher(Clock, '/clock', SENSOR_PUBLISHER_QOS)
    joints = node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)

    def step():
        sim['t'] += 0.002
        clock.publish(Clock(clock=to_stamp(sim['t'])))

    with recorder(tmp_path, 'use_sim_time:=true', 'auto_start:=true', 'auto_name:=x') as process:
        time.sleep(1.5)
        assert not list(tmp_path.iterdir())  # no clock, no episode
        caller.spin(lambda: joints.get_subscription_count() > 0, each=step)
        first = sim['t']
        for i in range(50):
            step()
            time.sleep(0.004)
            message = joint_state(i)
            message.header.stamp = to_stamp(sim['t'])
            joints.publish(message)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    with Episode(tmp_path / 'x') as episode:
        times = episode.log_times('/joint_states') * 1e-9
        assert len(times) == 50
        assert first <= times[0] and times[-1] <= sim['t'] + 1e-9
        assert (times - episode.stamps('/joint_states') > -1e-6).all()


def test_a_full_disk_is_told_by_the_status(caller, tmp_path):
    from sensor_msgs.msg import Image

    from mimic_core.ros import SENSOR_PUBLISHER_QOS

    mount = ['mount', '-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('cannot mount a small file system here')
    publisher = caller.node.create_publisher(Image, 'camera/color/image_raw', SENSOR_PUBLISHER_QOS)
    image = Image(height=100, width=1000, step=3000, encoding='rgb8', data=bytes(300_000))
    try:
        with recorder(tmp_path, 'auto_start:=true', 'auto_name:=x') as process:
            caller.spin(lambda: publisher.get_subscription_count() > 0)
            caller.spin(
                lambda: caller.status and caller.status[-1].state == 4,
                each=lambda: publisher.publish(image),
            )
            status = caller.status[-1]
            assert status.reason == 'the disk is full' and status.path == str(tmp_path / 'x')
            answer = caller.call('start', name='y')
            assert not answer.success and 'MB are free' in answer.message
            assert caller.call('stop').message == 'nothing is being recorded'
            assert process.poll() is None
        with Episode(tmp_path / 'x') as episode:
            assert episode.topics['/camera/color/image_raw'].count >= 80
            assert episode.custom['end'] == 'failed: the disk is full'
    finally:
        subprocess.run(['umount', '-l', str(tmp_path)], check=False)


# The 31st message is more than the recorder can bear, and each after it.
BREAKS = """
from mimic_recording.recorder import Recorder
write, count = Recorder.write, []
def breaks(self, *message):
    count.append(1)
    if len(count) > 30:
        raise ValueError('nobody thought of this')
    write(self, *message)
Recorder.write = breaks
"""


def test_a_recorder_that_breaks_keeps_what_it_has_and_says_so(caller, tmp_path, capfd):
    """It does not go on as if it recorded."""
    from sensor_msgs.msg import JointState

    from mimic_core.ros import SENSOR_PUBLISHER_QOS

    publisher = caller.node.create_publisher(JointState, 'joint_states', SENSOR_PUBLISHER_QOS)
    with recorder(tmp_path, 'auto_start:=true', 'auto_name:=x', before=BREAKS) as process:
        caller.spin(lambda: publisher.get_subscription_count() > 0)
        caller.spin(
            lambda: process.poll() is not None, each=lambda: publisher.publish(joint_state(0))
        )
        assert process.returncode == 1
    error = capfd.readouterr().err
    assert 'messages are taken no more' in error and 'nobody thought of this' in error
    with Episode(tmp_path / 'x') as episode:
        assert episode.message_count == 30


def test_a_message_that_cannot_be_taken_ends_nothing():
    """The middleware fails for one message: the next look finds the others."""
    from types import SimpleNamespace

    from rclpy.impl.implementation_singleton import rclpy_implementation

    from mimic_recording.ros import Taps

    said, waiting = [], [None, ('data', {}), rclpy_implementation.RCLError('no memory')]

    def take(kind, raw):
        found = waiting.pop()
        if isinstance(found, Exception):
            raise found
        return found

    log = SimpleNamespace(error=lambda text, **_: said.append(text))
    taps = SimpleNamespace(_log=log)
    tap = SimpleNamespace(topic_name='/a', handle=SimpleNamespace(take_message=take))
    assert [Taps._next(taps, tap, str) for _ in range(3)] == [None, ('data', {}), None]
    assert said == ['a message of /a cannot be taken: no memory']


def test_bad_parameters_stop_the_node(ros_domain, tmp_path, capfd):
    for more, why in (
        (['compression:=rar'], 'one of none, lz4, zstd'),
        (['auto_start:=true', 'auto_name:=../x'], 'episode name'),
    ):
        with recorder(tmp_path, *more) as process:
            assert process.wait(15) == 1
        assert why in capfd.readouterr().err
