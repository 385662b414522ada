"""Bags of robot episodes, written with the rosbags library, whose every number is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mimic_description import load_robot
from mimic_recording.bag import data_file, partial_folder
from mimic_recording.recovery import recover_directory

ROBOT = ('iiwa14', 'robotiq_2f85')
SECOND = 1_000_000_000
T0 = 1_800_000_000 * SECOND  # [ns]
SIZE = (48, 64)
MODEL = load_robot(*ROBOT)


def joints_at(t: float) -> np.ndarray:
    """Commanded joints at a time [s]: still for 0.8 s at both ends of the 4 s, else moving."""
    share = np.clip((t - 0.8) / 2.4, 0.0, 1.0)
    share = share * share * (3.0 - 2.0 * share)
    q = MODEL.home.copy()
    q[:7] += share * np.array([0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3])
    q[7:] = MODEL.hand_open + share * (MODEL.hand_closed - MODEL.hand_open)
    return q


def picture(number: int, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture that tells its number by its colour."""
    image = np.zeros((*size, 3), np.uint8)
    image[:] = (2 * number % 256, 60 + seed, 120)
    return image


@dataclass
class BagSpec:
    """What a bag holds."""

    duration: float = 4.0
    arm_first: bool = True  # order of the joints in messages
    command_gap: tuple[float, float] | None = None
    camera_gap: tuple[float, float] | None = None
    frozen: tuple[float, float] | None = None  # the agent camera repeats its picture
    wrist: bool = True
    agent: bool = True
    states: bool = True
    commands: bool = True
    still: bool = False
    drift: float = 0.0  # of the first commanded joint in 4 s [rad]
    nan_at: float | None = None  # of a command [s]
    hand_joint: str | None = None  # other name of the hand's joint
    jump_at: float | None = None  # of a command [s]
    pictures_late: float = 0.0  # [s] added to the camera's stamps
    measured: tuple[tuple[float, float], ...] = ((0.0, 99.0), (0.0, 99.0))  # arm, hand [s]
    lag: float = 0.05  # [s] of the measured joints behind the commanded
    names: tuple[str, ...] = MODEL.joint_names
    size: tuple[int, int] = SIZE  # of the pictures [px]
    other_size_at: float | None = None  # from when on pictures are half as high [s]
    description: str | None = None  # URDF on robot_description
    tags: tuple[str, ...] = ()  # 'arm=iiwa14'


def write_bag(path: Path, spec: BagSpec = BagSpec()) -> Path:
    """Write a bag folder: commands and states at 100 Hz, cameras at 30 Hz."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    rows: list[tuple[int, str, str, object]] = []

    def header(t: float):
        now = T0 + round(t * SECOND)
        stamp = types['builtin_interfaces/msg/Time'](sec=now // SECOND, nanosec=now % SECOND)
        return types['std_msgs/msg/Header'](stamp=stamp, frame_id='')

    def add(t: float, topic: str, kind: str, message) -> None:
        rows.append((T0 + round(t * SECOND), topic, kind, message))

    def inside(t: float, span: tuple[float, float] | None) -> bool:
        return span is not None and span[0] < t < span[1]

    def command(t: float, topic: str, part: slice) -> None:
        q = joints_at(0.0 if spec.still else t)
        q[0] += spec.drift * t / 4.0
        if spec.jump_at is not None and t >= spec.jump_at:
            q[1] += 0.4
        if spec.nan_at is not None and abs(t - spec.nan_at) < 0.004:
            q[2] = np.nan
        names = [spec.hand_joint if spec.hand_joint and i >= 7 else n
                 for i, n in enumerate(spec.names)]  # fmt: skip
        order = slice(None) if spec.arm_first else slice(None, None, -1)
        point = types['trajectory_msgs/msg/JointTrajectoryPoint'](
            positions=np.array(q[part][order]), velocities=np.zeros(0), accelerations=np.zeros(0),
            effort=np.zeros(0),
            time_from_start=types['builtin_interfaces/msg/Duration'](sec=0, nanosec=0),
        )  # fmt: skip
        trajectory = types['trajectory_msgs/msg/JointTrajectory'](
            header=types['std_msgs/msg/Header'](
                stamp=types['builtin_interfaces/msg/Time'](sec=0, nanosec=0), frame_id=''
            ),
            joint_names=names[part][order],
            points=[point],
        )
        add(t, topic, 'trajectory_msgs/msg/JointTrajectory', trajectory)

    if spec.description is not None:
        text = types['std_msgs/msg/String'](data=spec.description)
        add(0.0, '/robot_description', 'std_msgs/msg/String', text)
    for i in range(int(spec.duration * 100)):
        t = i / 100
        if spec.commands and not inside(t, spec.command_gap):
            command(t, '/arm_controller/joint_trajectory', slice(0, 7))
            command(t, '/hand_controller/joint_trajectory', slice(7, None))
        if spec.states:
            q = joints_at(0.0 if spec.still else max(t - spec.lag, 0.0))
            for part, span in zip((slice(0, 7), slice(7, None)), spec.measured, strict=True):
                if not span[0] <= t < span[1]:  # two drivers
                    continue
                state = types['sensor_msgs/msg/JointState'](
                    header=header(t), name=list(spec.names[part]), position=np.array(q[part]),
                    velocity=np.zeros(0), effort=np.zeros(0),
                )  # fmt: skip
                add(t + 0.001, '/joint_states', 'sensor_msgs/msg/JointState', state)
    for i in range(int(spec.duration * 30)):
        t = i / 30
        for seed, camera in enumerate(('agent', 'wrist')):
            if not getattr(spec, camera) or (camera == 'agent' and inside(t, spec.camera_gap)):
                continue
            number = i
            if camera == 'agent' and inside(t, spec.frozen):
                number = int(spec.frozen[0] * 30)
            height, width = spec.size
            if spec.other_size_at is not None and t >= spec.other_size_at:
                height //= 2
            image = types['sensor_msgs/msg/Image'](
                header=header(t + spec.pictures_late), height=height, width=width,
                encoding='rgb8', is_bigendian=0, step=width * 3,
                data=picture(number, seed, (height, width)).ravel(),
            )  # fmt: skip
            add(t + 0.004, f'/{camera}_camera/color/image_raw', 'sensor_msgs/msg/Image', image)
    path.parent.mkdir(parents=True, exist_ok=True)
    connections = {}
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for now, topic, kind, message in sorted(rows, key=lambda row: row[0]):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], now, store.serialize_cdr(message, kind))
        for tag in spec.tags:
            name, _, value = tag.partition('=')
            writer.set_custom_data(f'tag.{name}', value)
    return path


def keep_with(bag: Path, values: dict[str, str]) -> Path:
    """Add texts to those that are kept with a bag, as the recorder and people do."""
    file = bag / 'metadata.yaml'
    metadata = yaml.safe_load(file.read_text())
    about = metadata['rosbag2_bagfile_information']
    about['custom_data'] = (about.get('custom_data') or {}) | values
    file.write_text(yaml.safe_dump(metadata))
    return bag


def kill_recorder_of(bag: Path, share: float = 0.7) -> Path:
    """Make a bag what a recorder that was killed leaves, with a share of the file; recover it."""
    partial = partial_folder(bag.parent, bag.name)
    bag.rename(partial)
    (partial / 'metadata.yaml').unlink()
    (file,) = partial.glob('*.mcap')
    file = file.rename(data_file(partial, bag.name))
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    done, failed = recover_directory(bag.parent)
    assert [episode.path for episode in done] == [bag] and not failed
    return bag
