"""Finished episodes on their way into a dataset: each one a folder, complete or not there.

A conversion can be killed at any moment and goes on with the next episode; what is assembled
from the parts is the same as if it had not been.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_core.errors import MimicError
from mimic_dataset.arrays import DatasetMeta, Domain, EpisodeArrays, Frames
from mimic_dataset.errors import DatasetError, EpisodeError, WriteError
from mimic_dataset.statistics import ImageStats, Stats, as_lists, from_lists
from mimic_dataset.video import VideoWriter, frames_of, resized, stored_size
from mimic_recording.bag import check_name, sync_folder, write_json

PARTS: Final = '.parts'
RECORD: Final = 'episode.json'
_ASIDE: Final = '.refused'
STILL: Final = 1e-6  # an action that changes by less does not change


@dataclass(frozen=True)
class PartInfo:
    """What is kept with an episode."""

    name: str
    domain: Domain
    meta: DatasetMeta  # cameras: those that this episode has
    success: bool | None = None
    source: str = ''  # file that it was made of
    key: str = ''  # of what it was made of and how; another key: make it anew
    notes: Mapping[str, Any] | None = None  # for people and reports
    origin: str = ''  # absolute path that it was made of; of older parts it is not known


@dataclass(frozen=True)
class Part:
    """A finished episode."""

    folder: Path
    info: PartInfo
    frames: int
    action: FloatArray  # (T, 6 + J)
    state: FloatArray | None  # (T, 7 + J)
    image_stats: Mapping[str, Stats]

    def video(self, camera: str) -> Path:
        """Return the file of a camera."""
        return self.folder / f'{camera}.mp4'


def part_folder(dataset: Path, domain: Domain, name: str) -> Path:
    """Return where the part of an episode is."""
    return dataset / PARTS / domain / name


def part_names(dataset: Path, domain: Domain) -> list[str]:
    """Return the names of finished parts, sorted as people sort: 2 before 10."""
    folder = dataset / PARTS / domain
    if not folder.is_dir():
        return []
    names = [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith('.')]
    return sorted(names, key=natural)


def set_aside(folder: Path) -> None:
    """Take a part out of the dataset: what it was made of would be refused now. It is kept."""
    if folder.is_dir():
        aside = _aside(folder)
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)


def take_back(folder: Path, key: str) -> bool:
    """Put a part back that was set aside, if it was made in this way; return whether it was."""
    aside = _aside(folder)
    if not is_done(aside, key):
        return False
    if folder.is_dir():
        shutil.rmtree(folder)
    aside.rename(folder)
    return True


def has_parts_aside(dataset: Path, domain: Domain) -> bool:
    """Tell whether parts were set aside."""
    return any((dataset / PARTS / domain).glob(f'.*{_ASIDE}'))


def _aside(folder: Path) -> Path:
    return folder.with_name(f'.{folder.name}{_ASIDE}')


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts the numbers in names by their value."""
    words: list[str] = []
    for character in name:
        if words and words[-1][-1].isdigit() == character.isdigit():
            words[-1] += character
        else:
            words.append(character)
    return [(0, int(word), word) if word.isdecimal() else (1, 0, word) for word in words]


def check_action(name: str, action: FloatArray) -> None:
    """Refuse an action that nothing can be learned from.

    Raises:
        EpisodeError: It is constant.
    """
    if len(action) and float(np.ptp(action, axis=0).max()) < STILL:
        raise EpisodeError(f'episode {name}, action: constant, nothing moves')


def write_part(
    dataset: Path,
    info: PartInfo,
    action: FloatArray,
    state: FloatArray | None,
    pictures: Mapping[str, Iterable[Image]],
    *,
    height: int = 0,
    quality: int = 20,
) -> Path:
    """Write a finished episode; return its folder. One of that name is replaced.

    Args:
        dataset: Folder of the dataset.
        info: About it; its cameras' sizes are those of the pictures as they come.
        action: (T, 6 + J).
        state: (T, 7 + J), robots only.
        pictures: For each camera T pictures (H, W, 3) rgb, taken one by one.
        height: Rows of the stored pictures [px], 0: as they come.
        quality: x264 crf.

    Raises:
        EpisodeError: Arrays or the rate are wrong, or nothing moves; names the field.
        WriteError: The disk is full or cannot be written.
    """
    check_name(info.name)
    if info.meta.fps != round(info.meta.fps):  # videos and `info.json` have whole ones
        raise EpisodeError(f'episode {info.name}, fps: {info.meta.fps:g} is not a whole number')
    count = len(action)
    sizes = {camera: stored_size(height, size) for camera, size in info.meta.cameras.items()}
    checked = as_arrays(info, action, state, _blank(sizes, count))  # the checks of every field
    check_action(info.name, checked.action)
    final = part_folder(dataset, info.domain, info.name)
    draft = final.with_name(f'.{info.name}.partial')
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        np.save(draft / 'action.npy', checked.action)
        if checked.state is not None:
            np.save(draft / 'state.npy', checked.state)
        stats = {}
        for camera, size in sizes.items():
            stats[camera] = _write_video(
                draft / f'{camera}.mp4', info, camera, pictures[camera], count, size, quality
            )
        meta = info.meta.as_map() | {'cameras': {c: list(s) for c, s in sizes.items()}}
        write_json(
            draft / RECORD,
            {
                'name': info.name,
                'domain': info.domain,
                'frames': count,
                'success': info.success,
                'source': info.source,
                'origin': info.origin,
                'key': info.key,
                'meta': meta,
                'notes': dict(info.notes or {}),
                'image_stats': as_lists(stats),
            },
        )
        for file in draft.iterdir():
            with file.open('rb') as stream:
                os.fsync(stream.fileno())
        if final.exists():
            old = final.with_name(f'.{info.name}.old')
            shutil.rmtree(old, ignore_errors=True)
            final.rename(old)
            draft.rename(final)
            shutil.rmtree(old)
        else:
            draft.rename(final)
        shutil.rmtree(_aside(final), ignore_errors=True)
        sync_folder(final.parent)
    except (OSError, av.error.FFmpegError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise WriteError(f'{final}: cannot be written: {error}') from error
    except MimicError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return final


def _blank(sizes: Mapping[str, tuple[int, int]], count: int) -> dict[str, Frames]:
    """Return pictures that need no memory, to check the rest of an episode."""
    return {c: np.broadcast_to(np.uint8(0), (count, *s, 3)) for c, s in sizes.items()}


def _write_video(
    path: Path,
    info: PartInfo,
    camera: str,
    pictures: Iterable[Image],
    count: int,
    size: tuple[int, int],
    quality: int,
) -> Stats:
    stats = ImageStats()
    with VideoWriter(path, round(info.meta.fps), size, quality) as video:
        for picture in pictures:
            small = resized(picture, size)
            stats.add(small)
            video.add(small)
    if video.count != count:
        raise EpisodeError(f'episode {info.name}, {camera}: {video.count} of {count} pictures')
    return stats.result()


def as_arrays(
    info: PartInfo,
    action: FloatArray,
    state: FloatArray | None,
    pictures: Mapping[str, Any],
) -> EpisodeArrays:
    """Return an episode as arrays, every field checked.

    Raises:
        EpisodeError: One is wrong.
    """
    meta = info.meta
    if 'agent' not in pictures:
        raise EpisodeError(f'episode {info.name}, agent: it has no agent camera')
    return EpisodeArrays(
        name=info.name,
        task=meta.task,
        arm=meta.arm,
        hand=meta.hand,
        domain=info.domain,
        fps=meta.fps,
        stamps=np.arange(len(action)) / meta.fps,
        agent=pictures['agent'],
        wrist=pictures.get('wrist'),
        state=state,
        action=action,
        joint_names=meta.joint_names,
        success=info.success,
    )


def add_episode(
    dataset: Path,
    meta: DatasetMeta,
    episode: EpisodeArrays,
    *,
    height: int = 0,
    quality: int = 20,
    key: str = '',
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Write an episode that is in memory as a part; `assemble` makes the dataset of all parts.

    Its frames must be `1 / meta.fps` apart.
    """
    pictures = {'agent': episode.agent}
    if episode.wrist is not None:
        pictures['wrist'] = episode.wrist
    sizes = {camera: (p.shape[1], p.shape[2]) for camera, p in pictures.items()}
    own = DatasetMeta.from_map(meta.as_map() | {'cameras': sizes}, episode.name)
    info = PartInfo(episode.name, episode.domain, own, episode.success, '', key, notes)
    return write_part(
        dataset, info, episode.action, episode.state, pictures, height=height, quality=quality
    )


def read_part(folder: Path) -> Part:
    """Return a finished part.

    Raises:
        DatasetError: A file of it is missing or damaged; says what to do.
    """
    try:
        part = _read_part(folder)
        _check_part(part)
    except MimicError as error:
        raise DatasetError(
            f'{error}: delete {folder}; converting its source makes it anew'
        ) from error
    return part


def _check_part(part: Part) -> None:
    """Refuse a part of which something is missing."""
    folder, info = part.folder, part.info
    if info.domain == 'robot' and part.state is None:
        raise DatasetError(f'{folder / "state.npy"}: missing')
    try:
        as_arrays(info, part.action, part.state, _blank(info.meta.cameras, part.frames))
    except EpisodeError as error:
        raise DatasetError(f'{folder}: {error}') from error
    for camera in info.meta.cameras:
        if camera not in part.image_stats:
            raise DatasetError(f'{folder / RECORD}, image_stats: no {camera}')
        if (count := frames_of(part.video(camera))) != part.frames:
            raise DatasetError(f'{part.video(camera)}: {count} of {part.frames} frames')


def read_info(folder: Path) -> PartInfo:
    """Return what is kept with a finished part; its numbers and pictures are not looked at.

    Raises:
        DatasetError: The record is missing or damaged.
    """
    return _read_record(folder)[0]


def _read_record(folder: Path) -> tuple[PartInfo, int, dict[str, Stats]]:
    """Return what is kept with a part, how many frames it has, and statistics of its pictures."""
    record = folder / RECORD
    values = load_json(record)
    try:
        meta = DatasetMeta.from_map(values['meta'], str(record))
        info = PartInfo(
            values['name'], values['domain'], meta, values['success'],
            values['source'], values['key'], dict(values['notes']), values.get('origin', ''),
        )  # fmt: skip
        return info, int(values['frames']), from_lists(values['image_stats'])
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f'{record}: {error!r}') from error


def _read_part(folder: Path) -> Part:
    info, frames, stats = _read_record(folder)
    action = _load(folder / 'action.npy')
    state = _load(folder / 'state.npy') if (folder / 'state.npy').exists() else None
    if len(action) != frames:
        raise DatasetError(f'{folder / "action.npy"}: {len(action)} of {frames} frames')
    return Part(folder, info, frames, action, state, stats)


def is_done(folder: Path, key: str) -> bool:
    """Tell whether a part is finished and was made in this way."""
    if not folder.is_dir():
        return False
    try:
        return read_part(folder).info.key == key
    except MimicError:
        return False


def origin_of(folder: Path) -> str:
    """Return the absolute path that a finished part was made of; empty: not known, or no part."""
    if not folder.is_dir():
        return ''
    try:
        return read_info(folder).origin
    except MimicError:
        return ''


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        DatasetError: It is missing or damaged; says where.
    """
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise DatasetError(f'{path}: {error.strerror}') from error
    except ValueError as error:
        raise DatasetError(f'{path}: not JSON: {error}') from error


def _load(path: Path) -> FloatArray:
    try:
        array: FloatArray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f'{path}: {error}') from error
    return array
