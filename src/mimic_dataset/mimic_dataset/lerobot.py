"""Parts → LeRobotDataset v3.0: parquet, joined videos, JSON; streamed, then swapped in."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from av.error import FFmpegError

from mimic_core.errors import MimicError
from mimic_dataset.arrays import DOMAINS, DatasetMeta, Domain
from mimic_dataset.errors import DatasetError, WriteError
from mimic_dataset.parts import (
    Part,
    has_parts_aside,
    load_json,
    part_folder,
    part_names,
    read_part,
)
from mimic_dataset.statistics import Stats, as_lists, merged, vector_stats
from mimic_dataset.video import describe, join
from mimic_recording.bag import sync_folder, write_json

VERSION: Final = 'v3.0'
CHUNKS: Final = 1000  # [files] in a folder
DATA_MB, VIDEO_MB = 100, 200  # a file that is larger is the last of its own
DATA_PATH: Final = 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'
VIDEO_PATH: Final = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'
EPISODES_PATH: Final = 'meta/episodes/chunk-000/file-000.parquet'
IMAGES: Final = 'observation.images.'
STATE, ACTION = 'observation.state', 'action'
EXTRA: Final = 'meta/mimic.json'  # what the format has no place for; readers of the format skip it
_INDICES: Final = ('frame_index', 'episode_index', 'index', 'task_index')


def assemble(dataset: Path, domain: Domain) -> Path | None:
    """Make the LeRobotDataset of a domain from all its parts; return its folder.

    The one that was there stays until the new one is complete. None without parts; one whose
    parts were all set aside goes.

    Raises:
        DatasetError: A part is damaged, or parts do not fit together; names them.
        WriteError: The disk is full or cannot be written.
    """
    names = part_names(dataset, domain)
    final = dataset / domain
    if not names:
        if has_parts_aside(dataset, domain):
            shutil.rmtree(final, ignore_errors=True)
        return None
    draft = dataset / f'.{domain}.partial'
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _Writer(draft, [part_folder(dataset, domain, name) for name in names]).run()
        old = dataset / f'.{domain}.old'
        shutil.rmtree(old, ignore_errors=True)
        if final.exists():
            final.rename(old)
        draft.rename(final)
        shutil.rmtree(old, ignore_errors=True)
        sync_folder(dataset)
    except (OSError, FFmpegError, pa.ArrowException) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise WriteError(f'{final}: cannot be written: {error}') from error
    except MimicError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return final


def restore(dataset: Path) -> None:
    """Finish a swap that a kill interrupted: of old and new one is complete."""
    for domain in DOMAINS:
        old = dataset / f'.{domain}.old'
        if old.is_dir() and not (dataset / domain).exists():
            old.rename(dataset / domain)


class _Writer:
    """Writes one dataset, an episode at a time."""

    def __init__(self, root: Path, folders: Sequence[Path]) -> None:
        self._root, self._folders = root, folders
        first = read_part(folders[0])
        self._meta, self._first = first.info.meta, first
        self._schema = _data_schema(first)
        self._data: pq.ParquetWriter | None = None
        self._data_file = 0
        self._rows: list[dict[str, Any]] = []
        self._records: list[dict[str, Any]] = []
        self._stats: list[dict[str, Stats]] = []
        self._index = 0

    def run(self) -> None:
        try:
            for number, folder in enumerate(self._folders):
                part = read_part(folder)
                self._check(part)
                self._add(part, number)
        finally:
            if self._data is not None:
                self._data.close()
        self._join_videos()
        self._write_meta()

    def _check(self, part: Part) -> None:
        why = self._meta.difference(part.info.meta)
        cameras, theirs = set(self._meta.cameras), set(part.info.meta.cameras)
        if not why and cameras != theirs:
            why = f'cameras: {sorted(cameras)} are not {sorted(theirs)}'
        for camera in self._meta.cameras if not why else ():
            mine, other = self._meta.cameras[camera], part.info.meta.cameras[camera]
            if mine != other:
                why = f'size of camera {camera}: {mine} is not {other}'
        if not why and (part.state is None) != (self._first.state is None):
            why = 'state: one has it, the other not'
        if why:
            raise DatasetError(
                f'{part.folder} does not fit to {self._folders[0]}, {why}; '
                'one dataset is one task with one hand, and one size of pictures'
            )

    def _add(self, part: Part, number: int) -> None:
        count = part.frames
        frames = np.arange(count)
        columns: dict[str, Any] = {
            ACTION: part.action.astype(np.float32),
            'timestamp': (frames / part.info.meta.fps).astype(np.float32),
            'frame_index': frames,
            'episode_index': np.full(count, number),
            'index': self._index + frames,
            'task_index': np.zeros(count, dtype=np.int64),
        }
        if part.state is not None:
            columns[STATE] = part.state.astype(np.float32)
        path = self._root / self._path(DATA_PATH, self._data_file)
        if self._data is not None and path.stat().st_size > DATA_MB * 2**20:
            self._data.close()
            self._data, self._data_file = None, self._data_file + 1
            path = self._root / self._path(DATA_PATH, self._data_file)
        if self._data is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = pq.ParquetWriter(path, self._schema, write_page_checksum=True)
        arrays = [_column(columns[field.name], field.type) for field in self._schema]
        self._data.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        stats = {
            name: vector_stats(np.asarray(values, dtype=np.float64).reshape(count, -1))
            for name, values in columns.items()
        }
        stats |= {IMAGES + camera: part.image_stats[camera] for camera in self._meta.cameras}
        self._stats.append(stats)
        self._rows.append(
            {
                'episode_index': number,
                'tasks': [self._meta.task],
                'length': count,
                'data/chunk_index': self._data_file // CHUNKS,
                'data/file_index': self._data_file % CHUNKS,
                'dataset_from_index': self._index,
                'dataset_to_index': self._index + count,
                'meta/episodes/chunk_index': 0,
                'meta/episodes/file_index': 0,
            }
        )
        info = part.info
        self._records.append(
            {
                'name': info.name,
                'success': info.success,
                'source': info.source,
                'notes': dict(info.notes or {}),
            }
        )
        self._index += count

    @staticmethod
    def _path(pattern: str, number: int, **names: str) -> str:
        return pattern.format(chunk_index=number // CHUNKS, file_index=number % CHUNKS, **names)

    def _join_videos(self) -> None:
        for camera in self._meta.cameras:
            key, number = IMAGES + camera, 0
            waiting: list[Path] = []
            size = frames = 0
            for row, folder in zip(self._rows, self._folders, strict=True):
                video = folder / f'{camera}.mp4'
                if waiting and size + video.stat().st_size > VIDEO_MB * 2**20:
                    self._join(waiting, key, number)
                    waiting, size, frames, number = [], 0, 0, number + 1
                waiting.append(video)
                size += video.stat().st_size
                row[f'videos/{key}/chunk_index'] = number // CHUNKS
                row[f'videos/{key}/file_index'] = number % CHUNKS
                row[f'videos/{key}/from_timestamp'] = frames / self._meta.fps
                frames += row['length']
                row[f'videos/{key}/to_timestamp'] = frames / self._meta.fps
            self._join(waiting, key, number)

    def _join(self, videos: Sequence[Path], key: str, number: int) -> None:
        target = self._root / self._path(VIDEO_PATH, number, video_key=key)
        target.parent.mkdir(parents=True, exist_ok=True)
        join(videos, target)

    def _write_meta(self) -> None:
        total = len(self._rows)
        _write_episodes(self._root / EPISODES_PATH, self._rows, self._stats)
        _write_tasks(self._root / 'meta/tasks.parquet', [self._meta.task])
        write_json(self._root / 'meta/stats.json', as_lists(merged(self._stats)))
        write_json(
            self._root / 'meta/info.json',
            {
                'codebase_version': VERSION,
                'robot_type': f'{self._meta.arm}_{self._meta.hand}',
                'total_episodes': total,
                'total_frames': self._index,
                'total_tasks': 1,
                'chunks_size': CHUNKS,
                'data_files_size_in_mb': DATA_MB,
                'video_files_size_in_mb': VIDEO_MB,
                'fps': round(self._meta.fps),
                'splits': {'train': f'0:{total}'},
                'data_path': DATA_PATH,
                'video_path': VIDEO_PATH,
                'features': self._features(),
            },
        )
        domain = self._first.info.domain
        extra = {'domain': domain, **self._meta.as_map(), 'episodes': self._records}
        write_json(self._root / EXTRA, extra)

    def _features(self) -> dict[str, Any]:
        joints = self._meta.joint_names
        found: dict[str, Any] = {}
        for camera, size in self._meta.cameras.items():
            video = self._root / self._path(VIDEO_PATH, 0, video_key=IMAGES + camera)
            found[IMAGES + camera] = {
                'dtype': 'video',
                'shape': [*size, 3],
                'names': ['height', 'width', 'channels'],
                'info': describe(video),
            }
        if self._first.state is not None:
            found[STATE] = _vector(names_of(STATE, joints))
        found[ACTION] = _vector(names_of(ACTION, joints))
        found['timestamp'] = {'dtype': 'float32', 'shape': [1], 'names': None}
        for name in _INDICES:
            found[name] = {'dtype': 'int64', 'shape': [1], 'names': None}
        return found


def _vector(names: list[str]) -> dict[str, Any]:
    return {'dtype': 'float32', 'shape': [len(names)], 'names': names}


def _data_schema(part: Part) -> pa.Schema:
    fields = []
    if part.state is not None:
        fields.append(pa.field(STATE, pa.list_(pa.float32(), part.state.shape[1])))
    fields.append(pa.field(ACTION, pa.list_(pa.float32(), part.action.shape[1])))
    fields.append(pa.field('timestamp', pa.float32()))
    fields += [pa.field(name, pa.int64()) for name in _INDICES]
    return pa.schema(fields)


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        flat = pa.array(values.ravel(), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
    return pa.array(values, kind)


def _write_episodes(
    path: Path, rows: Sequence[dict[str, Any]], stats: Sequence[dict[str, Stats]]
) -> None:
    """Write one row for each episode, its statistics as columns `stats/<feature>/<stat>`."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    for feature, values in stats[0].items():
        for name in values:
            columns[f'stats/{feature}/{name}'] = [s[feature][name].tolist() for s in stats]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, write_page_checksum=True)


def _write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write the tasks as a table whose index is the column `task`, as pandas reads it."""
    table = pa.table(
        {'task_index': pa.array(range(len(tasks)), pa.int64()), 'task': pa.array(list(tasks))}
    )

    def column(name: str, kind: str, numpy: str) -> dict[str, Any]:
        return {
            'name': name, 'field_name': name, 'pandas_type': kind, 'numpy_type': numpy,
            'metadata': None,
        }  # fmt: skip

    pandas = {
        'index_columns': ['task'],
        'column_indexes': [],
        'columns': [column('task_index', 'int64', 'int64'), column('task', 'unicode', 'object')],
        'creator': {'library': 'pyarrow', 'version': pa.__version__},
        'pandas_version': None,
    }
    pq.write_table(table.replace_schema_metadata({'pandas': json.dumps(pandas)}), path)


def domain_meta(root: Path) -> tuple[Domain, DatasetMeta, list[dict[str, Any]]]:
    """Return what `EXTRA` of a dataset says: domain, meta, and a record for each episode.

    Raises:
        DatasetError: It is missing or damaged.
        ConfigError: A field is wrong.
    """
    path = root / EXTRA
    values = load_json(path)
    meta = DatasetMeta.from_map(values, str(path))
    domain, episodes = values.get('domain'), values.get('episodes')
    if domain not in DOMAINS:
        raise DatasetError(f"{path}, domain: '{domain}' is not robot or human")
    if not isinstance(episodes, list):
        raise DatasetError(f'{path}, episodes: missing')
    names: set[str] = set()
    for number, record in enumerate(episodes):
        where = f'{path}, episodes, {number}'
        if not isinstance(record, dict) or not isinstance(record.get('notes') or {}, dict):
            raise DatasetError(f'{where}: no map with a map of notes')
        name, success = record.get('name'), record.get('success')
        if not isinstance(name, str) or name in names:
            raise DatasetError(f'{where}, name: {name!r} is no name, or that of another one')
        if success not in (True, False, None):
            raise DatasetError(f'{where}, success: {success!r} is not true, false or null')
        names.add(name)
    return domain, meta, episodes


def names_of(feature: str, joints: Sequence[str]) -> list[str]:
    """Return the columns of an action or a state of a hand with these joints."""
    turn = ['rx', 'ry', 'rz'] if feature == ACTION else ['qx', 'qy', 'qz', 'qw']
    return ['x', 'y', 'z', *turn, *joints]
