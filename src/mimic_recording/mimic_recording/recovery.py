"""Making an episode whole again whose recorder was killed, or whose file was cut."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mimic_recording.bag import (
    EPISODE_RECORD,
    METADATA_FILE,
    data_file,
    describe,
    name_of_partial,
    partial_folder,
    read_metadata,
    sync_folder,
    write_metadata,
)
from mimic_recording.errors import BagError, RecordingError
from mimic_recording.mcap_file import (
    CHUNK_HEAD,
    RECORD_HEAD,
    encode_end,
    encode_indexes,
    write_all,
)
from mimic_recording.scan import Scan, Tail, scan_file
from mimic_recording.writer import RESERVE_FILE

YOUNG: Final = 5.0  # [s] a folder without data may be one that is being made
EMPTY_SUFFIX: Final = '.unrecoverable'


@dataclass(frozen=True)
class Recovered:
    """One episode that is whole again."""

    path: Path
    messages: int
    lost_bytes: int  # [B] of incomplete records at the end of the file
    problem: str  # what was wrong with it


def complete_file(path: Path) -> tuple[Scan, int]:
    """Give a file that was cut its indexes, summary and end, in place.

    Complete records stay where they are. Of an uncompressed chunk that is cut, its complete
    messages are kept.

    Returns:
        What it holds, and how many bytes at its end were incomplete.

    Raises:
        BagError: It is no MCAP file, or not even its start is there.
        OSError: The disk is full or broken; the file can be recovered again.
    """
    scan = scan_file(path)
    if scan.complete:
        return scan, 0
    size = path.stat().st_size
    end = scan.end
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if scan.tail is not None:
            end = scan.tail.end
        os.ftruncate(fd, end)
        if scan.tail is not None:
            end += _complete_tail(fd, scan.tail)
        os.lseek(fd, end, os.SEEK_SET)
        write_all(fd, [encode_end(scan.contents, end)])
        os.fsync(fd)
    finally:
        os.close(fd)
    kept = scan.tail.end if scan.tail is not None else scan.end
    return scan, max(size - max(kept, scan.end), 0)


def _complete_tail(fd: int, tail: Tail) -> int:
    """Write the head of a cut chunk anew and the message indexes of the last one; return bytes."""
    index = tail.index
    if tail.cut:
        head = CHUNK_HEAD.pack(
            os.pread(fd, 1, index.chunk_start_offset)[0],
            index.chunk_length - RECORD_HEAD.size,
            index.message_start_time,
            index.message_end_time,
            index.uncompressed_size,
            0,  # of unknown checksum
            0,
        )
        os.pwrite(fd, head, index.chunk_start_offset)
        position = index.chunk_start_offset + CHUNK_HEAD.size
        os.pwrite(fd, index.compressed_size.to_bytes(8, 'little'), position)
    data, offsets = encode_indexes(tail.entries, tail.end)
    os.lseek(fd, tail.end, os.SEEK_SET)
    write_all(fd, [data])
    index.message_index_offsets = offsets
    index.message_index_length = len(data)
    return len(data)


@contextlib.contextmanager
def _owned(path: Path) -> Iterator[bool]:
    """Tell whether no living recorder writes the file, and keep it so."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        owned = True
    except BlockingIOError:
        owned = False
    try:
        yield owned
    finally:
        os.close(fd)


def recover_partial(folder: Path) -> Recovered | None:
    """Complete an episode that its recorder left, and give it its name.

    Returns:
        None while a recorder still writes it.

    Raises:
        BagError: Nothing of it is readable; the folder is renamed to `….unrecoverable`.
        OSError: The disk is full or broken.
    """
    name = name_of_partial(folder)
    if name is None:
        raise BagError(f'{folder} is no incomplete episode')
    path = data_file(folder, name)
    if not path.exists() or path.stat().st_size == 0:
        if time.time() - folder.stat().st_mtime < YOUNG:
            return None  # a recorder is just making it
        raise _give_up(folder, f'{folder} holds no data')
    with _owned(path) as owned:
        if not owned:
            return None
        (folder / RESERVE_FILE).unlink(missing_ok=True)
        try:
            scan, lost = complete_file(path)
        except BagError as error:
            raise _give_up(folder, str(error)) from error
        final = _free_name(folder.parent / name)
        if final.name != name:
            path = path.rename(data_file(folder, final.name))
        _describe(folder, path, scan, 'recovered: the recorder was killed', lost)
        folder.rename(final)
        sync_folder(final.parent)
    problem = scan.problem or 'its folder was not renamed'
    return Recovered(final, scan.contents.messages, lost, problem)


def _give_up(folder: Path, why: str) -> BagError:
    target = _free_name(folder.with_name(folder.name + EMPTY_SUFFIX))
    folder.rename(target)
    return BagError(f'{why}: kept as {target}')


def _free_name(path: Path) -> Path:
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f'{path.name}_{number}')
    return candidate


def _describe(folder: Path, path: Path, scan: Scan, end: str, lost: int) -> None:
    custom = dict(scan.metadata.get(EPISODE_RECORD, {}))
    with contextlib.suppress(BagError):  # a killed recorder has written none
        custom |= read_metadata(folder).get('custom_data') or {}
    custom |= {'end': end, 'recovered': 'true', 'lost_bytes': str(lost)}
    write_metadata(folder, describe(path.name, scan.contents, custom))


def recover_directory(directory: Path) -> tuple[list[Recovered], list[str]]:
    """Complete every episode in a folder that a dead recorder left.

    Args:
        directory: Where episodes are.

    Returns:
        What was completed, and a sentence for each that could not be.
    """
    done: list[Recovered] = []
    failed: list[str] = []
    if not directory.is_dir():
        return done, failed
    for folder in sorted(directory.iterdir()):
        if not folder.is_dir() or name_of_partial(folder) is None:
            continue
        try:
            recovered = recover_partial(folder)
        except BagError as error:
            failed.append(str(error))
        except OSError as error:
            failed.append(f'{folder}: {error.strerror}')
        else:
            if recovered is not None:
                done.append(recovered)
    return done, failed


def recover_copy(source: Path) -> Recovered:
    """Make a whole copy of a damaged episode or .mcap file beside it; the source stays.

    Args:
        source: Folder of an episode with one file, or one .mcap file.

    Returns:
        The copy, `<source>_recovered`.

    Raises:
        BagError: There is no file, or nothing of it is readable.
        RecordingError: A recorder still writes it, or there is no room for the copy.
    """
    damaged = source
    if source.is_dir():
        files = sorted(source.glob('*.mcap'))
        if len(files) != 1:
            raise BagError(f'{source} holds {len(files)} .mcap files, one can be recovered')
        damaged = files[0]
    elif not source.is_file():
        raise BagError(f'there is no {source}')
    scan_file(damaged)  # raises before anything is made
    base = name_of_partial(source) or source.name.removesuffix('.mcap').removesuffix('_0')
    final = _free_name(source.parent / f'{base}_recovered')
    folder = partial_folder(final.parent, final.name)
    try:
        folder.mkdir()
        path = data_file(folder, final.name)
        shutil.copyfile(damaged, path)
        if source.is_dir() and (source / METADATA_FILE).exists():
            shutil.copyfile(source / METADATA_FILE, folder / METADATA_FILE)
        scan, lost = complete_file(path)
        _describe(folder, path, scan, 'recovered: the file was cut', lost)
        folder.rename(final)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise RecordingError(f'{final}: {error.strerror}') from error
    return Recovered(final, scan.contents.messages, lost, scan.problem or 'nothing')
