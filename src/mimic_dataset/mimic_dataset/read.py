"""Datasets → arrays for training."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_dataset.arrays import (
    ACTION_POSE,
    DOMAINS,
    STATE_POSE,
    Dataset,
    DatasetMeta,
    Domain,
    EpisodeArrays,
    Frames,
)
from mimic_dataset.cache import CACHE, cached_frames
from mimic_dataset.errors import DatasetError, EpisodeError
from mimic_dataset.lerobot import (
    ACTION,
    DATA_PATH,
    IMAGES,
    STATE,
    VERSION,
    VIDEO_PATH,
    domain_meta,
    names_of,
)
from mimic_dataset.parts import PartInfo, as_arrays, load_json
from mimic_dataset.video import WHOLE, Region

FOLDER_VARIABLE: Final = 'MIMIC_DATASETS'

Result = TypeVar('Result')


@dataclass(frozen=True)
class Look:
    """What can be read of an episode that may be damaged; names as of `EpisodeArrays`."""

    name: str
    domain: Domain
    stamps: FloatArray  # (T,) [s]
    action: FloatArray | None  # (T, D), NaN where it holds some; None: it cannot be read
    state: FloatArray | None  # (T, D), as the action; of robots only
    agent: Frames | None  # None: it cannot be decoded
    wrist: Frames | None  # None: it cannot be decoded, or there is none
    success: bool | None
    problems: tuple[tuple[str, str], ...]  # what cannot be read, and why


def default_folder(task: str, hand: str) -> Path:
    """Return the folder of a dataset that commands use unless another is given.

    It is `<task>_<hand>` in the folder that MIMIC_DATASETS names, else in `out/datasets`.

    Raises:
        ConfigError: One of the names is empty or a path: the folder would be somewhere else.
    """
    for what, name in (('task', task), ('hand', hand)):
        if not name or name != Path(name).name:
            raise ConfigError(f'{what} {name!r}: not a name that a folder may have')
    return Path(os.environ.get(FOLDER_VARIABLE, 'out/datasets')) / f'{task}_{hand}'


def load(
    path: Path,
    size: tuple[int, int] | None = None,
    *,
    region: Region = WHOLE,
    domains: Sequence[Domain] = DOMAINS,
    cache: bool = True,
    pictures: bool = True,
    counts: Mapping[Domain, int | None] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Return the episodes of a dataset.

    Args:
        path: Folder of a task with a hand, which holds `robot`, `human` or both, or one of these.
        size: Height and width of the pictures [px]; None: as stored (of each camera).
        region: Of the agent view that is kept and brought to that size.
        domains: Only these.
        cache: Keep the decoded pictures in `robot/.cache` and `human/.cache` and map them into
            memory; otherwise they are decoded into memory.
        pictures: Decode them; without, all are black: for those who look at numbers only.
        counts: Of a domain only so many episodes, the first ones; the others are not looked at.
        watch: Called with the number of the episode that is read next, from 1, and of how many.

    Raises:
        DatasetError: There is no dataset, a file of it is damaged, or an episode is wrong; names
            file and field.
    """
    meta, readers = _readers(path, size, domains, region, pictures=pictures, cache=cache)
    wanted = [(reader, reader.count((counts or {}).get(reader.domain))) for reader in readers]
    total = sum(count for _, count in wanted)
    episodes: list[EpisodeArrays] = []
    for reader, count in wanted:
        found = reader.episodes()
        for _ in range(count):
            if watch is not None:
                watch(len(episodes) + 1, total)
            episodes.append(next(found))
    return Dataset(meta, tuple(episodes), region)


def roots_of(path: Path) -> list[Path]:
    """Return the LeRobotDatasets of a dataset: itself, or its folders robot and human."""
    if (path / 'meta' / 'info.json').exists():
        return [path]
    return [path / domain for domain in DOMAINS if (path / domain / 'meta').is_dir()]


def look(root: Path) -> tuple[DatasetMeta, Iterator[Look]]:
    """Return what a LeRobotDataset is of, and its episodes one after the other, damaged ones too.

    Pictures are as stored, decoded when their episode is asked for and not kept: for who looks at
    each episode once.

    Raises:
        DatasetError: What stands in `meta` is damaged; of the list of episodes when one is asked
            for.
    """
    meta, (reader,) = _readers(root, None, DOMAINS, WHOLE, pictures=True, cache=False)
    return meta, reader.looks()


def _readers(
    path: Path,
    size: tuple[int, int] | None,
    domains: Sequence[Domain],
    region: Region,
    *,
    pictures: bool,
    cache: bool,
) -> tuple[DatasetMeta, list['_Reader']]:
    roots = roots_of(path)
    if not roots:
        raise DatasetError(f'{path}: there is no dataset; it needs a folder robot or human')
    found: list[_Reader] = []
    meta: DatasetMeta | None = None
    cameras: dict[str, tuple[int, int]] = {}
    for root in roots:
        domain, own, records = domain_meta(root)
        if domain not in domains:
            continue
        if meta is not None and (why := meta.difference(own) or meta.squeezed(own)):
            raise DatasetError(f'{root} does not fit to {roots[0]}, {why}')
        meta = meta or own
        cameras = {**own.cameras, **cameras}
        folder = root / CACHE if cache else None
        found.append(_Reader(root, domain, own, records, size, region, folder, pictures))
    if meta is None:
        raise DatasetError(f'{path}: holds no episodes of {", ".join(domains)}')
    sizes = {camera: size or stored for camera, stored in cameras.items()}
    return DatasetMeta.from_map(meta.as_map() | {'cameras': sizes}, str(path)), found


@dataclass(frozen=True)
class _Place:
    """Where the rows and pictures of an episode are."""

    name: str
    success: bool | None
    number: int
    count: int  # of frames
    begin: int  # first row
    data: tuple[int, int]  # chunk and file
    videos: Mapping[str, tuple[int, int, float]]  # camera -> chunk, file, first moment [s]


class _Reader:
    """One LeRobotDataset of ours."""

    def __init__(
        self,
        root: Path,
        domain: Domain,
        meta: DatasetMeta,
        records: list[dict[str, Any]],
        size: tuple[int, int] | None,
        region: Region,
        cache: Path | None,
        pictures: bool,
    ) -> None:
        self.domain = domain
        self._root, self._domain, self._meta = root, domain, meta
        self._records, self._size, self._cache = records, size, cache
        self._pictures_wanted, self._region = pictures, region
        self._tables: dict[tuple[int, int], pa.Table] = {}
        self._check_info()

    def count(self, most: int | None) -> int:
        return len(self._records[:most])

    def episodes(self) -> Iterator[EpisodeArrays]:
        for row, record, file in self._rows():
            place = self._place(row, record, file)
            action, state = self._numbers(place)
            pictures = {camera: self._pictures(camera, place) for camera in place.videos}
            info = PartInfo(place.name, self._domain, self._meta, place.success)
            try:
                yield as_arrays(info, action, state, pictures)
            except EpisodeError as error:
                raise DatasetError(f'{self._root}: {error}') from error

    def looks(self) -> Iterator[Look]:
        for row, record, file in self._rows():
            yield self._look(row, record, file)

    def _look(self, row: dict[str, Any], record: dict[str, Any], file: Path) -> Look:
        problems: list[tuple[str, str]] = []

        def tried(what: str, read: Callable[[], Result]) -> Result | None:
            try:
                return read()
            except DatasetError as error:
                problems.append((what, str(error)))
                return None

        place = tried('meta', partial(self._place, row, record, file))
        if place is None:
            name = str(record.get('name'))
            return Look(
                name, self._domain, np.zeros(0), None, None, None, None, None, tuple(problems)
            )
        action, state = tried('data', partial(self._numbers, place)) or (None, None)
        agent, wrist = (
            tried(camera, partial(self._pictures, camera, place))
            if camera in place.videos
            else None
            for camera in ('agent', 'wrist')
        )
        stamps = np.arange(place.count) / self._meta.fps
        return Look(
            place.name, self._domain, stamps, action, state, agent, wrist, place.success,
            tuple(problems),
        )  # fmt: skip

    def _rows(self) -> Iterator[tuple[dict[str, Any], dict[str, Any], Path]]:
        """Yield what the list of episodes and what `EXTRA` say of each, and the former's file."""
        files = sorted((self._root / 'meta' / 'episodes').glob('*/*.parquet'))
        if not files:
            raise DatasetError(f'{self._root / "meta/episodes"}: no parquet file')
        rows: list[dict[str, Any]] = []
        for file in files:
            table = _read(file)
            names = [name for name in table.column_names if not name.startswith('stats/')]
            rows += table.select(names).to_pylist()
        if len(rows) != len(self._records):
            raise DatasetError(
                f'{files[0]}, episode_index: {len(rows)} episodes, meta/mimic.json has '
                f'{len(self._records)}'
            )
        for row, record in zip(rows, self._records, strict=True):
            yield row, record, files[0]

    def _check_info(self) -> None:
        path = self._root / 'meta' / 'info.json'
        info = load_json(path)
        version = info.get('codebase_version') if isinstance(info, dict) else None
        if version != VERSION:
            raise DatasetError(f'{path}, codebase_version: {version}, not {VERSION}')
        features = info.get('features')
        if not isinstance(features, dict):
            raise DatasetError(f'{path}, features: missing')
        if info.get('fps') != round(self._meta.fps):
            raise DatasetError(
                f'{path}, fps: {info.get("fps")!r} is not {self._meta.fps:g} of meta/mimic.json'
            )
        for name, pose in ((ACTION, ACTION_POSE), (STATE, STATE_POSE)):
            if name == STATE and self._domain == 'human':
                continue
            feature = features.get(name)
            found = feature.get('names') if isinstance(feature, dict) else None
            wanted = names_of(name, self._meta.joint_names)
            if found == wanted:
                continue
            joints = found[pose:] if isinstance(found, list) else found
            if not isinstance(found, list) or joints != wanted[pose:]:
                raise DatasetError(
                    f'{path}, {name}: joints {joints} are not {wanted[pose:]} of meta/mimic.json'
                )
            raise DatasetError(f'{path}, {name}: begins with {found[:pose]}, not {wanted[:pose]}')

    def _place(self, row: dict[str, Any], record: dict[str, Any], file: Path) -> '_Place':
        try:
            if int(row['length']) != int(row['dataset_to_index']) - int(row['dataset_from_index']):
                raise ValueError(f'length = {row["length"]} is not that of its rows')
            return _Place(
                name=str(record['name']),
                success=record['success'],
                number=int(row['episode_index']),
                count=int(row['length']),
                begin=int(row['dataset_from_index']),
                data=(int(row['data/chunk_index']), int(row['data/file_index'])),
                videos={
                    camera: (
                        int(row[f'videos/{IMAGES}{camera}/chunk_index']),
                        int(row[f'videos/{IMAGES}{camera}/file_index']),
                        float(row[f'videos/{IMAGES}{camera}/from_timestamp']),
                    )
                    for camera in self._meta.cameras
                },
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f'{file}: {error!r}') from error

    def _pictures(self, camera: str, place: '_Place') -> Frames:
        chunk, index, start = place.videos[camera]
        path = self._root / VIDEO_PATH.format(
            video_key=IMAGES + camera, chunk_index=chunk, file_index=index
        )
        if not path.is_file():
            raise DatasetError(f'{path}: missing')
        size = self._size or self._meta.cameras[camera]
        if not self._pictures_wanted:
            return np.broadcast_to(np.uint8(0), (place.count, *size, 3))
        first = round(start * self._meta.fps)
        region = self._region if camera == 'agent' else WHOLE
        return cached_frames(path, first, place.count, self._meta.fps, size, self._cache, region)

    def _numbers(self, place: '_Place') -> tuple[FloatArray, FloatArray | None]:
        data, number, count = place.data, place.number, place.count
        path = self._root / DATA_PATH.format(chunk_index=data[0], file_index=data[1])
        if data not in self._tables:
            self._tables.clear()  # files come in order
            self._tables[data] = _read(path)
        table = self._tables[data]
        columns = [ACTION, 'index', 'episode_index']
        columns += [STATE] if self._domain == 'robot' else []
        for name in columns:
            if name not in table.column_names:
                raise DatasetError(f'{path}, {name}: missing')
        index = table['index'].to_numpy()
        rows = np.flatnonzero(table['episode_index'].to_numpy() == number)
        if len(rows) != count or not np.array_equal(index[rows], place.begin + np.arange(count)):
            raise DatasetError(
                f'{path}, index: episode {number} has {len(rows)} of {count} rows, or not in order'
            )
        part = table.slice(int(rows[0]), count) if count else table.slice(0, 0)
        state = _matrix(part, STATE, path) if self._domain == 'robot' else None
        return _matrix(part, ACTION, path), state


def _matrix(table: pa.Table, name: str, path: Path) -> FloatArray:
    try:
        return np.array(table[name].to_pylist(), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f'{path}, {name}: rows differ in length: {error}') from error


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f'{path}: the parquet file is damaged: {error}') from error
