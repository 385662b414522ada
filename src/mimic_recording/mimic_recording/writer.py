"""Writing one episode: a bounded queue, one thread, a folder that exists when it is complete."""

import errno
import fcntl
import os
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from mimic_recording.bag import (
    EPISODE_RECORD,
    HASH_KEY,
    QOS_KEY,
    EpisodeInfo,
    data_file,
    describe,
    partial_folder,
    sync_folder,
    write_metadata,
)
from mimic_recording.definitions import Definition
from mimic_recording.errors import DiskFullError, RecordingError
from mimic_recording.mcap_file import Compression, McapFile
from mimic_recording.qos import OfferedQos, to_yaml
from mimic_recording.writeback import Writeback

MIB: Final = 1 << 20
POLL_PERIOD: Final = 0.02  # [s] between looks at the queue: fewer wake-ups than one a message
SUMMARY_RESERVE: Final = 8 * MIB  # [B] kept free for the pending chunk and the summary
RESERVE_FILE: Final = 'reserve'
LATEST: Final = 2**63 - 1  # [ns] that rosbag2 can tell
BROKE: Final = 'the writing thread broke'  # nobody knows how: its log tells where

State = Literal['saved', 'discarded', 'failed']


@dataclass(frozen=True, kw_only=True)
class WriterOptions:
    """How an episode is written."""

    chunk_bytes: int = MIB  # [B] a chunk is written when it holds more
    flush_period: float = 0.5  # [s] or when it is older: what a kill of the process may lose
    max_queue_bytes: int = 1024 * MIB  # [B] waiting for the disk; more is dropped and counted
    min_free_bytes: int = 1024 * MIB  # [B] needed on the disk to start
    compression: Compression = 'none'


@dataclass(frozen=True)
class Topic:
    """One topic of an episode."""

    name: str  # absolute
    definition: Definition
    qos: tuple[OfferedQos, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far an episode is."""

    messages: int  # written
    dropped: int  # lost because the disk was too slow, or had failed
    bytes: int  # [B] in the file
    duration: float  # [s] since the start


@dataclass(frozen=True)
class Outcome:
    """How an episode ended."""

    state: State
    path: Path  # where it is, or was
    progress: Progress
    reason: str = ''  # why it failed
    dropped: dict[str, int] = field(default_factory=dict)  # by topic, only those with losses


@dataclass(frozen=True)
class _Item:
    channel: int
    sequence: int
    log_time: int
    publish_time: int
    data: bytes


class EpisodeWriter:
    """Takes messages at any rate without waiting for the disk.

    The episode is written in `<directory>/.<name>.partial` and renamed to `<directory>/<name>`
    when it is complete, also after an error such as a full disk, with what was written before.
    A process that is killed leaves the partial folder for `recovery`.
    """

    def __init__(
        self,
        directory: Path,
        info: EpisodeInfo,
        options: WriterOptions | None = None,
        on_done: Callable[[Outcome], None] | None = None,
    ) -> None:
        """Start the episode.

        Args:
            directory: Where episodes are; made if it is missing.
            info: Name, task, tags.
            options: How it is written.
            on_done: Called once from the writing thread when the episode has ended.

        Raises:
            RecordingError: The name is taken, or the folder cannot be made.
            DiskFullError: There is less than `min_free_bytes` left.
        """
        self.info = info
        self._options = options or WriterOptions()
        self.path = (directory / info.name).absolute()
        self._folder = partial_folder(self.path.parent, info.name)
        self._on_done = on_done
        self._fd, self._reserve_fd = self._open()
        self._lock = threading.Lock()
        self._queue: deque[_Item | Topic] = deque()
        self._batch: deque[_Item | Topic] = deque()  # with the thread
        self._queued = 0  # [B] waiting
        self._taken = 0  # [B] with the thread, not yet in the file
        self._topics: list[str] = []
        self._dropped: Counter[str] = Counter()
        self._closing = threading.Event()
        self._discard = False
        self._failure = ''
        self._schemas: dict[str, int] = {}
        self._started = time.monotonic()
        self._ended: float | None = None
        self.outcome: Outcome | None = None
        try:
            self._file = McapFile(self._fd, self._options.chunk_bytes, self._options.compression)
            self._file.add_metadata(EPISODE_RECORD, info.as_map())
        except OSError as error:
            self._remove()
            raise RecordingError(f'{self._folder}: {error.strerror}') from error
        self._writeback = Writeback(self._fd)
        self._thread = threading.Thread(target=self._run, name='episode writer', daemon=True)
        self._thread.start()

    def _open(self) -> tuple[int, int]:
        directory = self.path.parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if self.path.exists() or self._folder.exists():
                raise RecordingError(f"there is an episode '{self.info.name}' in {directory}")
            free = shutil.disk_usage(directory).free
            if free < self._options.min_free_bytes:
                raise DiskFullError(
                    f'only {free / 1e6:.0f} MB are free in {directory}, '
                    f'an episode needs {self._options.min_free_bytes / 1e6:.0f} MB'
                )
            self._folder.mkdir()
            flags = os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            fd = os.open(data_file(self._folder, self.info.name), flags | os.O_RDWR, 0o644)
            # A lock that ends with the process tells recovery that this episode is alive.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            reserve = os.open(self._folder / RESERVE_FILE, flags | os.O_WRONLY, 0o600)
            os.posix_fallocate(reserve, 0, SUMMARY_RESERVE)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            if error.errno == errno.ENOSPC:
                raise DiskFullError(f'the disk of {directory} is full') from error
            raise RecordingError(f'{directory}: {error.strerror}') from error
        return fd, reserve

    # Any thread -----------------------------------------------------------------------------

    def add_topic(self, topic: Topic) -> int:
        """Announce a topic; return the number to write its messages with."""
        with self._lock:
            self._topics.append(topic.name)
            self._queue.append(topic)
            return len(self._topics)

    def write(
        self, channel: int, log_time: int, publish_time: int, data: bytes, sequence: int = 0
    ) -> bool:
        """Take one message; never waits.

        Args:
            channel: What `add_topic` returned.
            log_time: When it was received [ns].
            publish_time: When it was published [ns]; what a publisher says, so anything.
            data: Serialized message.
            sequence: Number that the publisher gave it.

        Returns:
            Whether it was taken. If not, it is counted as dropped.
        """
        with self._lock:
            full = self._queued + self._taken + len(data) > self._options.max_queue_bytes
            if full or self._closing.is_set():
                self._dropped[self._topics[channel - 1]] += 1
                return False
            times = _in_range(log_time), _in_range(publish_time)
            self._queue.append(_Item(channel, sequence, *times, data))
            self._queued += len(data)
            return True

    @property
    def progress(self) -> Progress:
        """How far the episode is."""
        end = self._ended if self._ended is not None else time.monotonic()
        return Progress(
            self._file.contents.messages,
            sum(self._dropped.values()),
            self._file.size,
            end - self._started,
        )

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for the disk [B]."""
        return self._queued + self._taken

    def close(self, *, discard: bool = False) -> None:
        """End the episode; returns at once, `wait` waits."""
        with self._lock:
            self._discard = self._discard or discard
            self._ended = self._ended or time.monotonic()
            self._closing.set()

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for the end of a closed episode [s].

        Raises:
            RecordingError: It takes longer.
        """
        self._thread.join(timeout)
        if self.outcome is None:
            raise RecordingError(f"episode '{self.info.name}' is still being written")
        return self.outcome

    # The writing thread ---------------------------------------------------------------------

    def _run(self) -> None:
        failure = BROKE
        try:
            self._write_until_closed()
            failure = ''
        except OSError as error:
            failure = _explain(error)
        finally:  # whatever it was: what is written stays, what is not is counted and told
            self._failure = failure
            self.close()
            if not self._discard:
                self._count_lost()
            self._end()

    def _write_until_closed(self) -> None:
        flushed = time.monotonic()
        closing = False
        while not closing:
            closing = self._closing.wait(POLL_PERIOD)
            with self._lock:
                self._batch, self._queue = self._queue, deque()
                self._taken, self._queued = self._queued, 0
            if self._discard:
                return
            self._write_batch()
            self._taken = 0
            now = time.monotonic()
            if now - flushed > self._options.flush_period:
                self._file.flush()
                flushed = now
                self._grow_reserve()
            self._writeback.grown(self._file.size)

    def _write_batch(self) -> None:
        while self._batch:
            item = self._batch[0]
            try:
                if isinstance(item, Topic):
                    self._write_topic(item)
                else:
                    self._file.add_message(
                        item.channel, item.sequence, item.log_time, item.publish_time, item.data
                    )
            except OSError:
                self._batch.popleft()  # it is pending in the file: only those behind it are lost
                raise
            self._batch.popleft()

    def _count_lost(self) -> None:
        """Count the messages that nobody will write any more."""
        with self._lock:
            for item in (*self._batch, *self._queue):
                if isinstance(item, _Item):
                    self._dropped[self._topics[item.channel - 1]] += 1
            self._batch.clear()
            self._queue.clear()
            self._queued = self._taken = 0

    def _write_topic(self, topic: Topic) -> None:
        definition = topic.definition
        if definition.name not in self._schemas:
            self._schemas[definition.name] = self._file.add_schema(
                definition.name, definition.text
            )
        values = {QOS_KEY: to_yaml(topic.qos)}
        if definition.type_hash:
            values[HASH_KEY] = definition.type_hash
        self._file.add_channel(topic.name, self._schemas[definition.name], values)

    def _grow_reserve(self) -> None:
        """Keep room for the summary, which grows with the number of chunks."""
        chunk_index = 100 + 10 * len(self._file.contents.channels)  # [B] at most
        needed = SUMMARY_RESERVE + chunk_index * len(self._file.contents.chunks)
        os.posix_fallocate(self._reserve_fd, 0, needed)

    def _end(self) -> None:
        """Complete the episode, and tell how it ended, even if that cannot be done."""
        state: State = 'failed'
        path = self._folder
        self._writeback.close()
        try:
            if self._discard:
                self._remove()
                state, path = 'discarded', self.path
            else:
                self._complete()
                state, path = 'failed' if self._failure else 'saved', self.path
        except OSError as error:
            self._add_failure(f'the file could not be completed ({_explain(error)}), recover it')
        finally:
            if state == 'failed' and not self._failure:
                self._add_failure('the file could not be completed, recover it')
            os.close(self._fd)
            self.outcome = Outcome(state, path, self.progress, self._failure, dict(self._dropped))
            if self._on_done is not None:
                self._on_done(self.outcome)

    def _add_failure(self, text: str) -> None:
        self._failure = f'{self._failure}; {text}' if self._failure else text

    def _complete(self) -> None:
        os.close(self._reserve_fd)
        (self._folder / RESERVE_FILE).unlink()
        try:
            self._file.finish()
        except OSError as error:
            # Not even the reserve takes the last chunk; the rest is worth more than it.
            self._failure = self._failure or _explain(error)
            for channel, count in self._file.drop_pending().items():
                self._dropped[self._topics[channel - 1]] += count
            self._file.finish()
        os.fdatasync(self._fd)
        custom = self.info.as_map()
        custom['end'] = f'failed: {self._failure}' if self._failure else 'stopped'
        for topic, count in self._dropped.items():
            custom[f'dropped.{topic}'] = str(count)
        name = data_file(self._folder, self.info.name).name
        write_metadata(self._folder, describe(name, self._file.contents, custom))
        self._folder.rename(self.path)
        sync_folder(self.path.parent)

    def _remove(self) -> None:
        os.close(self._reserve_fd)
        shutil.rmtree(self._folder, ignore_errors=True)


def _in_range(time_ns: int) -> int:
    return min(max(time_ns, 0), LATEST)


def _explain(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return 'the disk is full'
    return f'the disk failed: {error.strerror}'


def new_name(taken: Sequence[str], stamp: str) -> str:
    """Return a name for an episode that starts at `stamp` (e.g. 20261121_035903)."""
    name = f'episode_{stamp}'
    number = 1
    while name in taken:
        number += 1
        name = f'episode_{stamp}_{number}'
    return name
