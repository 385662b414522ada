"""Reading episodes: raw messages, decoded messages, stamps. Needs no ROS."""

import mmap
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import numpy as np
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import UnknownNameError
from mimic_recording.bag import EPISODE_RECORD, METADATA_FILE, read_metadata
from mimic_recording.definitions import CDR_HEADER, Definition
from mimic_recording.drivers import STATUS_TOPIC, Drive, drives
from mimic_recording.errors import BagError
from mimic_recording.scan import Scan, Scanner, unpack

NANOSECONDS: Final = 1_000_000_000

# Columns of the table of messages.
CHANNEL, SEQUENCE, LOG, PUBLISH, CHUNK, OFFSET, LENGTH = range(7)


@dataclass(frozen=True)
class TopicInfo:
    """One topic of an episode."""

    name: str  # absolute
    type: str  # pkg/msg/Type
    count: int
    definition: Definition


@dataclass(frozen=True)
class Message:
    """One recorded message."""

    topic: str
    type: str
    log_time: int  # [ns] received
    publish_time: int  # [ns] published
    sequence: int  # number that the publisher gave it, 0 when unknown
    data: bytes  # serialized (CDR)


class Episode:
    """An episode that is open for reading. Use it in a `with` statement.

    Messages come in the order in which they were received. A file that was cut is read up to its
    first damage; `problem` tells.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag folder with one MCAP file, or one .mcap file.

        Raises:
            BagError: It cannot be read.
        """
        self.path = path
        self.metadata: dict[str, Any] = {}
        file = path
        if path.is_dir():
            if (path / METADATA_FILE).exists():
                self.metadata = read_metadata(path)
            files = sorted(path.glob('*.mcap'))
            if len(files) != 1:
                raise BagError(f'{path} holds {len(files)} .mcap files, one can be read')
            file = files[0]
        try:
            with file.open('rb') as stream:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BagError(f'{file} cannot be read: {error}') from error
        self.file = file
        try:
            self._scan: Scan = Scanner(self._map, str(file), messages=True).run()
        except BagError:
            self._map.close()
            raise
        columns = 7
        self._table: IntArray = np.array(self._scan.entries, dtype=np.int64).reshape(-1, columns)
        self._table = self._table[np.argsort(self._table[:, LOG], kind='stable')]
        self._scan.entries.clear()
        self._unpacked: tuple[int, bytes] = (-1, b'')

    def __enter__(self) -> 'Episode':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._map.close()

    # What it is -----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the episode."""
        return self.custom.get('name', self.path.name.removesuffix('.mcap'))

    @property
    def task(self) -> str:
        """Task that was given with it."""
        return self.custom.get('task', '')

    @cached_property
    def custom(self) -> Mapping[str, str]:
        """All texts that are kept with it: name, task, tag.…, end, dropped.…, recovered."""
        values = dict(self._scan.metadata.get(EPISODE_RECORD, {}))
        values.update(self.metadata.get('custom_data') or {})
        return values

    @property
    def problem(self) -> str:
        """Why the file is not complete; empty when it is."""
        return self._scan.problem

    @property
    def message_count(self) -> int:
        """Number of messages."""
        return len(self._table)

    @property
    def start(self) -> int:
        """Log time of the first message [ns], 0 without messages."""
        return int(self._table[0, LOG]) if len(self._table) else 0

    @property
    def duration(self) -> float:
        """From the first message to the last [s]."""
        if len(self._table) == 0:
            return 0.0
        return float(self._table[-1, LOG] - self._table[0, LOG]) / NANOSECONDS

    @cached_property
    def topics(self) -> Mapping[str, TopicInfo]:
        """Topics by name."""
        contents = self._scan.contents
        found: dict[str, TopicInfo] = {}
        for channel in contents.channels.values():
            schema = contents.schemas.get(channel.schema_id)
            if schema is None:
                raise BagError(f'{self.file}: topic {channel.topic} has no type')
            count = contents.counts.get(channel.id, 0)
            if channel.topic in found:
                count += found[channel.topic].count
            definition = Definition(schema.name, schema.data.decode(), '')
            found[channel.topic] = TopicInfo(channel.topic, schema.name, count, definition)
        return found

    def find(self, ending: str) -> str | None:
        """Return the topic of this name in whatever namespace, the shortest if several."""
        ending = '/' + ending.lstrip('/')
        names = sorted((n for n in self.topics if n.endswith(ending)), key=len)
        return names[0] if names else None

    # Messages -------------------------------------------------------------------------------

    def _rows(self, topic: str) -> IntArray:
        if topic not in self.topics:
            raise UnknownNameError(f'topic of {self.path.name}', topic, self.topics)
        contents = self._scan.contents
        ids = [c.id for c in contents.channels.values() if c.topic == topic]
        return self._table[np.isin(self._table[:, CHANNEL], ids)]

    def log_times(self, topic: str) -> IntArray:
        """Return (N,) when the messages of a topic were received [ns]."""
        return self._rows(topic)[:, LOG]

    def sequences(self, topic: str) -> IntArray:
        """Return (N,) the numbers that the publisher gave the messages, 0 when unknown."""
        return self._rows(topic)[:, SEQUENCE]

    def stamps(self, topic: str) -> FloatArray:
        """Return (N,) capture stamps [s] from the headers, NaN where there is none.

        Zero stamps mean "unknown" and are NaN too.
        """
        offset = self.topics[topic].definition.stamp_offset if topic in self.topics else None
        rows = self._rows(topic)
        result = np.full(len(rows), np.nan)
        if offset is None:
            return result
        for i, row in enumerate(rows):
            if row[LENGTH] < offset + 8:
                continue
            head = self._data(row, offset + 8)
            order: Literal['little', 'big'] = 'little' if head[1] & 1 else 'big'
            sec = int.from_bytes(head[offset : offset + 4], order, signed=True)
            nanosec = int.from_bytes(head[offset + 4 : offset + 8], order)
            if sec or nanosec:
                result[i] = sec + nanosec * 1e-9
        return result

    def _data(self, row: IntArray, limit: int | None = None) -> bytes:
        low = int(row[OFFSET])
        high = low + (int(row[LENGTH]) if limit is None else min(int(row[LENGTH]), limit))
        chunk = int(row[CHUNK])
        if chunk < 0:
            return self._map[low:high]
        if self._unpacked[0] != chunk:
            index = self._scan.contents.chunks[chunk]
            end = index.chunk_start_offset + index.chunk_length
            packed = self._map[end - index.compressed_size : end]
            self._unpacked = (
                chunk,
                unpack(index.compression, packed, index.uncompressed_size),
            )
        return self._unpacked[1][low:high]

    def messages(
        self,
        topics: Iterable[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[Message]:
        """Yield messages in the order of their log time.

        Args:
            topics: Only these; default: all.
            start: First log time [ns].
            stop: Log time [ns] before which to end.

        Raises:
            UnknownNameError: The episode has no such topic.
        """
        table = self._table
        contents = self._scan.contents
        if topics is not None:
            wanted = set(topics)
            for name in wanted:
                if name not in self.topics:
                    raise UnknownNameError(f'topic of {self.path.name}', name, self.topics)
            ids = [c.id for c in contents.channels.values() if c.topic in wanted]
            table = table[np.isin(table[:, CHANNEL], ids)]
        low = 0 if start is None else int(np.searchsorted(table[:, LOG], start))
        high = len(table) if stop is None else int(np.searchsorted(table[:, LOG], stop))
        for row in table[low:high]:
            channel = contents.channels[int(row[CHANNEL])]
            yield Message(
                channel.topic,
                self.topics[channel.topic].type,
                int(row[LOG]),
                int(row[PUBLISH]),
                int(row[SEQUENCE]),
                self._data(row),
            )

    def decode(self, message: Message) -> Any:
        """Return a message as an object with the fields of its definition; arrays are numpy's.

        Raises:
            BagError: Data and definition do not fit together.
        """
        data = message.data
        try:
            found = self._store.get_msgdef(message.type)
            little = bool(data[1] & 1)
            read = found.deserialize_cdr_le if little else found.deserialize_cdr_be
            # Some serializers leave unused bytes at the end: they are no error.
            decoded, _ = read(data[CDR_HEADER:], 0, found.cls, self._store)
            return decoded
        except (SerdeError, KeyError, IndexError, ValueError, struct.error) as error:
            raise BagError(f'{message.topic}: not a {message.type}: {error!r}') from error

    def read(
        self,
        topics: Iterable[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[Message, Any]]:
        """Yield messages with their decoded form."""
        for message in self.messages(topics, start, stop):
            yield message, self.decode(message)

    def drivers(self) -> tuple[Drive, ...]:
        """Return who drove the robot and when, from the first control/status on.

        Empty without control/status.
        """
        topic = self.find(STATUS_TOPIC)
        if topic is None:
            return ()
        end = self.start + round(self.duration * NANOSECONDS)
        statuses = self.read([topic])
        return drives(((m.log_time, s.source, s.state) for m, s in statuses), end)

    @cached_property
    def _store(self) -> Any:
        store = get_typestore(Stores.EMPTY)
        types: dict[str, Any] = {}
        for topic in self.topics.values():
            if topic.definition.text.strip():
                types.update(get_types_from_msg(topic.definition.text, topic.type))
        store.register(types)
        return store
