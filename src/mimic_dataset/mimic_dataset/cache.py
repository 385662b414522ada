"""Pictures at the size of a network, decoded once and mapped into memory from then on."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from mimic_dataset.arrays import Frames
from mimic_dataset.errors import WriteError
from mimic_dataset.video import WHOLE, Region, read_frames, resized

CACHE: Final = '.cache'


def cached_frames(
    video: Path,
    first: int,
    count: int,
    fps: float,
    size: tuple[int, int],
    cache: Path | None,
    region: Region = WHOLE,
) -> Frames:
    """Return (T, H, W, 3) rgb frames of a video, as a memory map where there is a cache.

    Args:
        video: The file.
        first: Number of the first frame.
        count: T.
        fps: [Hz].
        size: Height and width wanted [px].
        cache: Folder for decoded frames; None: decode into memory.
        region: Of the pictures that is kept.

    Raises:
        DatasetError: The video is damaged.
        WriteError: The cache cannot be written.
    """
    shape = (count, *size, 3)
    if cache is None:
        frames: Frames = np.empty(shape, np.uint8)
        for number, image in enumerate(read_frames(video, first, count, fps)):
            frames[number] = resized(image, size, region)
        return frames
    status = video.stat()
    key = f'{video.resolve()}|{status.st_size}|{status.st_mtime_ns}|{first}|{count}|{size}'
    key += '' if region == WHOLE else f'|{region}'
    file = cache / f'{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy'
    found = _open(file, shape)
    if found is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Several processes may decode the same episode: each its own draft, the last one stays.
        handle, name = tempfile.mkstemp(dir=cache, prefix='.', suffix='.partial')
        draft = Path(name)
        try:
            # Not a memory map: a full disk would end the process without a word (SIGBUS).
            with os.fdopen(handle, 'wb') as stream:
                header = {'descr': '|u1', 'fortran_order': False, 'shape': shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for image in read_frames(video, first, count, fps):
                    stream.write(np.ascontiguousarray(resized(image, size, region)).data)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f'{cache}: the cache of pictures cannot be written: {error}') from error
    found = _open(file, shape)
    if found is None:
        raise WriteError(f'{file}: vanished or was damaged while it was written')
    return found


def _open(file: Path, shape: tuple[int, ...]) -> Frames | None:
    try:
        frames: Frames = np.load(file, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError):
        return None  # not there, or cut: decode it
    return frames if frames.shape == shape and frames.dtype == np.uint8 else None
