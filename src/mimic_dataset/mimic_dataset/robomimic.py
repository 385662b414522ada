"""Datasets ↔ robomimic HDF5 in the layout that ImMimic reads; one file for each domain.

data                      attrs: total, env_args (JSON), mimic (JSON: of what and whom)
data/demo_<t>             attrs: num_samples, name, success (-1 unknown, 0, 1)
actions (T, A)          -1..1: action_absolute between the lows and highs in `mimic`, those of
                        all episodes of the dataset
action_absolute (T, A)  position 3 [m], axis-angle 3 [rad], hand joints
rewards, dones (T,)     1 in the last frame of a success; 1 in the last frame
states (T, 0)           of a simulator: none
obs/agentview_image     (T, H, W, 3) uint8
obs/wrist_image         (T, H, W, 3) uint8, robots only
obs/eef_pose_w_gripper  (T, 7 + J) position 3 [m], quaternion wxyz, hand joints; people: wanted
mask/train                names of all demos: a mapping between two files counts them
"""

import io
import json
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_dataset.arrays import (
    ACTION_POSE,
    AXIS_ANGLE,
    DOMAINS,
    POSITION,
    QUATERNION,
    Dataset,
    DatasetMeta,
    Domain,
    EpisodeArrays,
)
from mimic_dataset.bags import smooth_sign
from mimic_dataset.errors import DatasetError, EpisodeError, WriteError
from mimic_dataset.parts import PartInfo, as_arrays

IMAGES: Final = {'agent': 'agentview_image', 'wrist': 'wrist_image'}
POSE: Final = 'eef_pose_w_gripper'
_WXYZ: Final = [3, 0, 1, 2]
_XYZW: Final = [1, 2, 3, 0]


def write_robomimic(dataset: Dataset, domain: Domain, path: Path) -> int:
    """Write the episodes of a domain as one HDF5 file; return how many.

    Pictures have the size in which the dataset was loaded (ImMimic trains on 180 x 320).

    Raises:
        DatasetError: There are no such episodes.
        WriteError: The disk is full or cannot be written.
    """
    episodes = dataset.of(domain)
    if not episodes:
        raise DatasetError(f'{path}: the dataset has no episodes of a {domain}')
    # Of robots and people alike, whose files are trained on together.
    low = np.min([e.action.min(axis=0) for e in dataset.episodes], axis=0)
    high = np.max([e.action.max(axis=0) for e in dataset.episodes], axis=0)
    draft = path.with_name(f'.{path.name}.partial')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open('w+b', buffering=0) as raw:
            target = _Target(raw)
            with h5py.File(target, 'w', track_order=False) as file:
                data = file.create_group('data')
                for number, episode in enumerate(episodes):
                    _write_demo(data.create_group(f'demo_{number}'), episode, low, high)
                    target.check()
                data.attrs['total'] = sum(len(e) for e in episodes)
                data.attrs['env_args'] = json.dumps(
                    {'env_name': f'mimic_{dataset.meta.task}', 'env_type': 2, 'env_kwargs': {}}
                )
                about = dataset.meta.as_map() | {
                    'domain': domain, 'action_low': low.tolist(), 'action_high': high.tolist(),
                }  # fmt: skip
                data.attrs['mimic'] = json.dumps(about)
                names = [f'demo_{i}' for i in range(len(episodes))]
                file['mask/train'] = np.array(names, dtype='S')
            target.check()
        draft.replace(path)
    except OSError as error:
        raise WriteError(f'{path}: cannot be written: {error}') from error
    finally:
        draft.unlink(missing_ok=True)
    return len(episodes)


class _Target(io.RawIOBase):
    """A file for HDF5 that hides a full disk: a process in which HDF5 meets one is ended.

    Nothing is written from the first error on; `check` raises it.
    """

    def __init__(self, file: io.FileIO) -> None:
        super().__init__()
        self._file = file
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise what went wrong.

        Raises:
            OSError: The disk is full, or broken.
        """
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int | None:
        return self._file.readinto(buffer)

    def write(self, data: Any, /) -> int:
        rest = memoryview(data)
        size = len(rest)
        try:
            while self._error is None and len(rest):
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return self._file.tell() if size is None else size


def _write_demo(
    group: h5py.Group, episode: EpisodeArrays, low: FloatArray, high: FloatArray
) -> None:
    size = len(episode)
    group.attrs['num_samples'] = size
    group.attrs['name'] = episode.name
    group.attrs['success'] = -1 if episode.success is None else int(episode.success)
    span = np.where(high - low < 1e-9, 1.0, high - low)
    scaled = np.where(high - low < 1e-9, 0.0, 2.0 * (episode.action - low) / span - 1.0)
    group['actions'] = np.clip(scaled, -1.0, 1.0)
    group['action_absolute'] = episode.action
    last = np.zeros(size)
    last[-1] = 1.0
    group['dones'] = last
    group['rewards'] = last * (episode.success is True)
    group['states'] = np.zeros((size, 0))
    pose = _wanted(episode.action) if episode.state is None else episode.state.copy()
    pose[:, QUATERNION] = pose[:, QUATERNION][:, _WXYZ]
    group[f'obs/{POSE}'] = pose
    for camera, name in IMAGES.items():
        frames = getattr(episode, camera)
        if frames is None:
            continue
        images = group.create_dataset(
            f'obs/{name}', frames.shape, np.uint8, chunks=(1, *frames.shape[1:])
        )
        for i in range(size):  # one by one: a memory map is not read as a whole
            images[i] = frames[i]


def _wanted(action: FloatArray) -> FloatArray:
    """Return (T, 7 + J) states, quaternions xyzw, of (T, 6 + J) actions: people have no others."""
    quats = smooth_sign(Rotation.from_rotvec(action[:, AXIS_ANGLE]).as_quat())
    return np.hstack([action[:, POSITION], quats, action[:, ACTION_POSE:]])


def load_robomimic(
    path: Path, meta: DatasetMeta | None = None, domain: Domain | None = None
) -> Dataset:
    """Return the episodes of an HDF5 file, pictures in memory.

    Args:
        path: The file.
        meta: What it is of, for files of others; None: as the file says.
        domain: Who acts in it, for files of others; None: as the file says.

    Raises:
        DatasetError: It is missing or damaged, or says itself that it is of something else; names
            the field.
    """
    try:
        with h5py.File(path, 'r') as file:
            return _read(file, path, meta, domain)
    except OSError as error:
        raise DatasetError(f'{path}: cannot be read as HDF5: {error}') from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise DatasetError(f'{path}: {error}') from error


def _read(file: h5py.File, path: Path, meta: DatasetMeta | None, domain: Domain | None) -> Dataset:
    data = file.get('data')
    if not isinstance(data, h5py.Group):
        raise DatasetError(f'{path}, data: missing')
    text = data.attrs.get('mimic')
    if text is not None:
        own, who = _about(str(text), f'{path}, data.mimic')
        if meta is not None and (why := own.difference(meta)):
            raise DatasetError(f'{path}, data.mimic, {why}')
        if domain not in (None, who):
            raise DatasetError(f'{path}, data.mimic, domain: {who} is not {domain}')
        meta, domain = own, who
    if meta is None or domain is None:
        raise DatasetError(f'{path}, data.mimic: missing; say what the file is of (meta, domain)')
    demos = sorted((n for n in data if n.startswith('demo_')), key=lambda n: int(n[5:]))
    if not demos:
        raise DatasetError(f'{path}, data: no demo')
    return Dataset(meta, tuple(_read_demo(data[n], path, meta, domain) for n in demos))


def _about(text: str, where: str) -> tuple[DatasetMeta, Domain]:
    """Return what a file of ours says that it is of, and who acts in it."""
    about = json.loads(text)
    try:
        meta = DatasetMeta.from_map(about, where)
    except ConfigError as error:
        raise DatasetError(str(error)) from error
    domain = about.get('domain')
    if domain not in DOMAINS:
        raise DatasetError(f'{where}, domain: {domain!r} is not one of {DOMAINS}')
    return meta, domain


def _read_demo(group: h5py.Group, path: Path, meta: DatasetMeta, domain: Domain) -> EpisodeArrays:
    where = f'{path}, {group.name}'

    def values(name: str) -> Any:
        if name not in group:
            raise DatasetError(f'{where}/{name}: missing')
        return group[name][()]

    state = None
    if domain == 'robot':
        state = np.asarray(values(f'obs/{POSE}'), dtype=np.float64).copy()
        if state.ndim != 2 or state.shape[1] != 7 + len(meta.joint_names):
            raise DatasetError(
                f'{where}/obs/{POSE}: {state.shape} is not (T, {7 + len(meta.joint_names)})'
            )
        state[:, QUATERNION] = state[:, QUATERNION][:, _XYZW]
    pictures = {c: values(f'obs/{n}') for c, n in IMAGES.items() if f'obs/{n}' in group}
    success = int(group.attrs.get('success', -1))
    name = str(group.attrs.get('name', str(group.name).rsplit('/', 1)[-1]))
    info = PartInfo(name, domain, meta, None if success < 0 else bool(success))
    try:
        return as_arrays(info, values('action_absolute'), state, pictures)
    except EpisodeError as error:
        raise DatasetError(f'{where}: {error}') from error
