"""Recording over DDS: two cameras with depth and joint states; what is lost, what it costs."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.harness import ROOT, Options, Row, at_most, info
from benchmarks.processes import processor_time

FULL, QUICK = 60.0, 10.0  # [s] of recording
IMAGE_RATE, JOINT_RATE = 30, 100  # [Hz]
WIDTH, HEIGHT = 640, 480  # [px]
CAMERAS = ('camera', 'wrist_camera')
JOINTS = 23  # an arm with the Allegro hand
DISCOVERY = 20.0  # [s] at most
CORE_IMAGES, QUICK_IMAGES = 120, 60  # of the comparison of writers
ROUNDS = 10  # of that comparison
FOLDER = ROOT / 'out' / 'bench_recording'
STAMP_OFFSET = 4  # [B] of a header that comes first in a message


def picture(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Return an image as a camera makes it: a smooth scene with sensor noise of 1 %."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    scene = sum(
        np.sin(x / rng.uniform(30, 120) + y / rng.uniform(30, 120) + rng.uniform(0, 6))
        for _ in range(4)
    )
    if channels == 1:  # depth [mm]
        return (800 + 100 * scene + rng.normal(0, 2, scene.shape)).astype(np.uint16)
    color = 128 + 25 * scene[..., None] + rng.normal(0, 2.5, (*scene.shape, channels))
    return np.clip(color, 0, 255).astype(np.uint8)


# The publishing process ---------------------------------------------------------------------


def publish(driver: str, duration: float, seed: int) -> None:
    """Be a driver, one of CAMERAS or 'robot', for `duration` [s]; print what was sent as JSON."""
    import rclpy
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image, JointState

    from mimic_core.process import keep_malloc_pages
    from mimic_core.ros import SENSOR_PUBLISHER_QOS

    keep_malloc_pages()
    rclpy.init()
    node = rclpy.create_node(driver)
    rng = np.random.default_rng(seed)
    streams = []
    if driver == 'robot':
        rate, zeros = JOINT_RATE, [0.0] * JOINTS
        names = [f'joint_{i}' for i in range(JOINTS)]
        state = JointState(name=names, position=zeros, velocity=zeros, effort=zeros)
        streams.append(('joint_states', JointState, state))
    else:
        rate = IMAGE_RATE
        for name, encoding, channels in (
            ('color/image_raw', 'rgb8', 3),
            ('aligned_depth_to_color/image_raw', '16UC1', 1),
        ):
            pixels = picture(rng, channels)
            message = Image(width=WIDTH, height=HEIGHT, encoding=encoding)
            message.header.frame_id = f'{driver}_color_optical_frame'
            message.step = pixels.nbytes // HEIGHT
            message.data.frombytes(pixels.tobytes())
            streams.append((f'{driver}/{name}', Image, message))
    ready = [
        (
            node.create_publisher(kind, topic, SENSOR_PUBLISHER_QOS),
            bytearray(serialize_message(message)),
        )
        for topic, kind, message in streams
    ]
    end = time.monotonic() + DISCOVERY
    while not all(publisher.get_subscription_count() for publisher, _ in ready):
        if time.monotonic() > end:
            sys.exit('the recorder does not subscribe')
        time.sleep(0.05)
    time.sleep(0.5)
    sent, late = [0] * len(ready), []
    started = time.perf_counter()
    for tick in range(round(duration * rate)):
        due = started + tick / rate
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        late.append(time.perf_counter() - due)
        now = time.time_ns()
        for i, (publisher, data) in enumerate(ready):
            struct.pack_into('<iI', data, STAMP_OFFSET, now // 10**9, now % 10**9)
            publisher.publish(bytes(data))
            sent[i] += 1
    took = time.perf_counter() - started
    time.sleep(1.0)
    topics = [topic for topic, *_ in streams]
    print(json.dumps({'sent': dict(zip(topics, sent, strict=True)), 'took': took,
                      'late': float(np.percentile(late, 95))}))  # fmt: skip
    node.destroy_node()
    rclpy.shutdown()


# The measurement ----------------------------------------------------------------------------


def over_dds(options: Options) -> list[Row]:
    """Record three drivers, each in its own process, with the recorder node."""
    from mimic_recording import Episode

    duration = QUICK if options.quick else FULL
    recorder = subprocess.Popen(
        [sys.executable, '-c', 'from mimic_recording.node import main; main()', '--ros-args',
         '-p', f'directory:={FOLDER}', '-p', 'auto_start:=true', '-p', 'auto_name:=bench'],
        text=True,
    )  # fmt: skip
    processes = [recorder]
    try:
        for driver in (*CAMERAS, 'robot'):
            arguments = [driver, str(duration), str(options.seed)]
            processes.append(
                subprocess.Popen(
                    [sys.executable, '-m', 'benchmarks.recording', *arguments],
                    cwd=ROOT, stdout=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
        time.sleep(5.0)  # both run
        before, since = processor_time(recorder.pid), time.perf_counter()
        time.sleep(duration - 5.0)
        used = processor_time(recorder.pid) - before
        share = 100 * used / (time.perf_counter() - since)
        told = []
        for process in processes[1:]:
            out, _ = process.communicate(timeout=duration + 60)
            if process.returncode != 0:
                raise SystemExit(f'a driver failed with code {process.returncode}')
            told.append(json.loads(out))
        stopping = time.perf_counter()
        recorder.send_signal(signal.SIGINT)
        recorder.wait(120)
        stopped = time.perf_counter() - stopping
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    with Episode(FOLDER / 'bench') as episode:
        sent = {'/' + topic: n for driver in told for topic, n in driver['sent'].items()}
        missing = {topic: count - episode.topics[topic].count for topic, count in sent.items()}
        lost = sum(missing.values())
        images = sum(count for topic, count in missing.items() if 'image_raw' in topic)
        dropped = sum(int(v) for k, v in episode.custom.items() if k.startswith('dropped.'))
        size = episode.file.stat().st_size
        image, took = '/camera/color/image_raw', told[0]['took']
        delay = (episode.log_times(image) * 1e-9 - episode.stamps(image)) * 1e3
    return [
        at_most('lost messages', lost, f'of {sum(sent.values())}', 0),
        at_most('dropped by the queue', dropped, 'messages', 0),
        info('lost images', images, 'messages'),
        info('recorder', share, '% of a core'),
        info('written', size / took / 1e6, 'MB/s'),
        info('images published', sent[image] / took, 'Hz'),
        info('drivers late, p95', max(driver['late'] for driver in told) * 1e3, 'ms'),
        info('stamp to recorder, colour, median', float(np.median(delay)), 'ms'),
        info('stamp to recorder, colour, p95', float(np.percentile(delay, 95)), 'ms'),
        info('stop to complete episode with report', stopped, 's'),
    ]


def writers(options: Options) -> list[Row]:
    """Compare processor time a MB of writers and compressions on the same images, in turn."""
    from mcap.writer import CompressionType, Writer
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer as BagWriter
    from rosbags.typesys import Stores, get_typestore

    from mimic_recording import Definitions
    from mimic_recording.mcap_file import McapFile

    rng = np.random.default_rng(options.seed)
    count = QUICK_IMAGES if options.quick else CORE_IMAGES
    kind = 'sensor_msgs/msg/Image'
    text = Definitions().find(kind).text
    images = [picture(rng, 3).tobytes() + rng.bytes(100) for _ in range(8)]
    size = sum(len(images[i % 8]) for i in range(count))

    def ours(path: Path, compression: str) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        file = McapFile(fd, 1 << 20, compression)  # type: ignore[arg-type]
        channel = file.add_channel('/image', file.add_schema(kind, text), {})
        for i in range(count):
            file.add_message(channel, i, 10**18 + i, 10**18 + i, images[i % 8])
        file.finish()
        os.close(fd)

    def library(path: Path, _: str) -> None:
        with path.open('wb') as stream:
            writer = Writer(stream, compression=CompressionType.NONE)
            writer.start('ros2')
            schema = writer.register_schema(kind, 'ros2msg', text.encode())
            channel = writer.register_channel('/image', 'cdr', schema)
            for i in range(count):
                writer.add_message(channel, 10**18 + i, images[i % 8], 10**18 + i)
            writer.finish()

    def rosbags(path: Path, _: str) -> None:
        with BagWriter(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            store = get_typestore(Stores.ROS2_JAZZY)
            connection = writer.add_connection('/image', kind, typestore=store)
            for i in range(count):
                writer.write(connection, 10**18 + i, images[i % 8])

    kinds = (
        ('mimic', ours, 'none'),
        ('mcap library', library, ''),
        ('rosbags', rosbags, ''),
        ('mimic, lz4', ours, 'lz4'),
        ('mimic, zstd', ours, 'zstd'),
    )
    costs: dict[str, list[float]] = {name: [] for name, *_ in kinds}
    stored: dict[str, int] = {}
    for number in range(ROUNDS):
        turn = number % len(kinds)  # who follows whom matters: the kernel reuses memory
        for name, write, compression in (*kinds[turn:], *kinds[:turn]):
            path = FOLDER / f'writer_{number}'
            before = time.process_time()
            write(path, compression)
            costs[name].append(time.process_time() - before)
            files = [path] if path.is_file() else list(path.iterdir())
            stored[name] = sum(f.stat().st_size for f in files)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # The least: finding memory for the page cache costs the kernel up to ten times the copy.
    least = {name: min(values) / size * 1e9 for name, values in costs.items()}
    rows = [info(f'write, {name}', cost, 'ms of a core per MB') for name, cost in least.items()]
    rows += [
        info(f'write, {name}, cost over mimic', cost / least['mimic'], '×')
        for name, cost in least.items()
        if name != 'mimic'
    ]
    return rows + [
        info(f'write, {name}, size', stored[name] / size, 'of the images')
        for name in ('mimic, lz4', 'mimic, zstd')
    ]


def run(options: Options) -> list[Row]:
    """Measure the node over DDS, then the writer against others."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        return over_dds(options) + writers(options)
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == '__main__':
    publish(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
