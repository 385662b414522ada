"""Writing MCAP without copying what is recorded.

Small records are made by the `mcap` library; messages go from where they were received straight to
the kernel in one `writev` a chunk, because two colour and depth cameras are 92 MB a second.
"""

import contextlib
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import lz4.frame
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

Compression = Literal['none', 'lz4', 'zstd']

MAGIC: Final = b'\x89MCAP0\r\n'
LIBRARY: Final = 'mimic_recording'
RECORD_HEAD: Final = struct.Struct('<BQ')  # opcode, length of what follows
MESSAGE_HEAD: Final = struct.Struct('<BQHIQQ')  # … channel, sequence, log time, publish time
CHUNK_HEAD: Final = struct.Struct('<BQQQQII')  # … start, end, size, crc, length of compression
INDEX_HEAD: Final = struct.Struct('<BQHI')  # … channel, length of entries

_JOIN_BELOW: Final = 16384  # [B] smaller pieces are cheaper copied than listed
_MAX_PIECES: Final = 512  # of one writev, the kernel takes 1024
_ZSTD_LEVEL: Final = 1


@dataclass
class Contents:
    """What the summary of a file tells about it."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[ChunkIndex] = field(default_factory=list)
    metadata: list[MetadataIndex] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    start: int = 0  # [ns] log time of the first message, 0 without messages
    end: int = 0  # [ns] log time of the last message

    @property
    def messages(self) -> int:
        """Number of messages."""
        return sum(self.counts.values())

    def count(self, channel: int, log_time: int) -> None:
        """Take note of one message."""
        self.start = min(self.start, log_time) if self.messages_seen else log_time
        self.end = max(self.end, log_time)
        self.counts[channel] += 1

    @property
    def messages_seen(self) -> bool:
        """Whether any message was counted."""
        return bool(self.counts)


def encode(*records: McapRecord) -> bytes:
    """Return the bytes of some records."""
    builder = RecordBuilder()
    for record in records:
        record.write(builder)
    return builder.end()


def encode_indexes(
    entries: Mapping[int, Sequence[int]], start: int
) -> tuple[bytes, dict[int, int]]:
    """Return the message indexes of one chunk, and where each of them starts.

    Args:
        entries: For each channel log time [ns] and offset [B] in the chunk, in turn.
        start: Position [B] of the indexes in the file.
    """
    parts, offsets, position = [], {}, start
    for channel, flat in entries.items():
        offsets[channel] = position
        head = INDEX_HEAD.pack(Opcode.MESSAGE_INDEX, 6 + 8 * len(flat), channel, 8 * len(flat))
        parts += [head, struct.pack(f'<{len(flat)}Q', *flat)]
        position += len(head) + 8 * len(flat)
    return b''.join(parts), offsets


def write_all(fd: int, pieces: Sequence[bytes | bytearray | memoryview]) -> int:
    """Write every byte; return how many.

    Raises:
        OSError: The disk is full or broken; part of the pieces may have been written.
    """
    todo = [memoryview(piece) for piece in pieces if len(piece)]
    total = sum(len(piece) for piece in todo)
    while todo:
        written = os.writev(fd, todo[:_MAX_PIECES])
        while todo and written >= len(todo[0]):
            written -= len(todo.pop(0))
        if written:
            todo[0] = todo[0][written:]
    return total


class McapFile:
    """Appends to an open, empty file. Not for two threads at once."""

    def __init__(self, fd: int, chunk_bytes: int, compression: Compression = 'none') -> None:
        """Start the file.

        Args:
            fd: Open for writing, empty. Stays the caller's to close.
            chunk_bytes: A chunk is written when it holds more [B].
            compression: Of chunks.

        Raises:
            OSError: The disk is full or broken.
        """
        self.contents = Contents()
        self.size = 0  # [B] of complete records in the file
        self._fd = fd
        self._chunk_bytes = chunk_bytes
        self._compression = '' if compression == 'none' else compression
        self._append([MAGIC, encode(Header('ros2', LIBRARY))])
        self._reset()

    def _reset(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._small = bytearray()  # not yet a piece
        self._chunk_size = 0
        self._chunk_times = (0, 0)
        self._entries: dict[int, list[int]] = {}

    @property
    def pending(self) -> int:
        """Bytes of messages that are not yet in the file [B]."""
        return self._chunk_size

    def add_schema(self, name: str, text: str) -> int:
        """Write a schema (ros2msg text); return its id."""
        schema = Schema(
            id=len(self.contents.schemas) + 1, name=name, encoding='ros2msg', data=text.encode()
        )
        self._append([encode(schema)])
        self.contents.schemas[schema.id] = schema
        return schema.id

    def add_channel(self, topic: str, schema_id: int, metadata: Mapping[str, str]) -> int:
        """Write a channel of CDR messages; return its id."""
        channel = Channel(
            id=len(self.contents.channels) + 1,
            topic=topic,
            message_encoding='cdr',
            metadata=dict(metadata),
            schema_id=schema_id,
        )
        self._append([encode(channel)])
        self.contents.channels[channel.id] = channel
        return channel.id

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Write a metadata record."""
        self.flush()
        data = encode(Metadata(name=name, metadata=dict(values)))
        start = self.size
        self._append([data])
        self.contents.metadata.append(MetadataIndex(offset=start, length=len(data), name=name))

    def add_message(
        self, channel: int, sequence: int, log_time: int, publish_time: int, data: bytes
    ) -> None:
        """Take one message; `data` is kept, not copied, until its chunk is written.

        Args:
            channel: Id of its channel.
            sequence: Number that the publisher gave it, 0 when unknown.
            log_time: When it was received [ns].
            publish_time: When it was published [ns].
            data: Serialized message (CDR with its 4-byte header).

        Raises:
            OSError: The disk is full or broken; the chunk stays pending, `flush` tries again.
        """
        head = MESSAGE_HEAD.pack(
            Opcode.MESSAGE,
            len(data) + MESSAGE_HEAD.size - RECORD_HEAD.size,
            channel,
            sequence & 0xFFFFFFFF,
            log_time,
            publish_time,
        )
        first, last = self._chunk_times
        self._chunk_times = (
            min(first, log_time) if self._entries else log_time,
            max(last, log_time),
        )
        self._entries.setdefault(channel, []).extend((log_time, self._chunk_size))
        self._small += head
        if len(data) < _JOIN_BELOW:
            self._small += data
        else:
            self._pieces += [self._small, data]
            self._small = bytearray()
        self._chunk_size += len(head) + len(data)
        if self._chunk_size > self._chunk_bytes:
            self.flush()

    def flush(self) -> None:
        """Write what is pending as a chunk with its message indexes."""
        if not self._entries:
            return
        pieces: list[bytes | bytearray] = [*self._pieces, self._small]
        size = self._chunk_size
        crc = 0
        if self._compression:
            raw = b''.join(pieces)
            crc = zlib.crc32(raw)
            pieces = [self._compress(raw)]
        stored = sum(len(piece) for piece in pieces)
        kind = self._compression.encode()
        length = CHUNK_HEAD.size - RECORD_HEAD.size + len(kind) + 8 + stored
        first, last = self._chunk_times
        head = CHUNK_HEAD.pack(Opcode.CHUNK, length, first, last, size, crc, len(kind))
        start = self.size
        index_start = start + RECORD_HEAD.size + length
        indexes, offsets = encode_indexes(self._entries, index_start)
        self._append([head, kind, struct.pack('<Q', stored), *pieces, indexes])
        entries = self._entries
        self._reset()
        self.contents.chunks.append(
            ChunkIndex(
                message_start_time=first,
                message_end_time=last,
                chunk_start_offset=start,
                chunk_length=index_start - start,
                message_index_offsets=offsets,
                message_index_length=len(indexes),
                compression=self._compression,
                compressed_size=stored,
                uncompressed_size=size,
            )
        )
        for channel, flat in entries.items():
            for log_time in flat[::2]:
                self.contents.count(channel, log_time)

    def drop_pending(self) -> dict[int, int]:
        """Forget what is pending; return how many messages of which channel."""
        lost = {channel: len(flat) // 2 for channel, flat in self._entries.items()}
        self._reset()
        return lost

    def _compress(self, raw: bytes) -> bytes:
        if self._compression == 'lz4':
            return lz4.frame.compress(raw)
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(raw)

    def _append(self, pieces: Sequence[bytes | bytearray]) -> None:
        try:
            self.size += write_all(self._fd, pieces)
        except OSError:
            # What is in the file stays a sequence of complete records.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise

    def finish(self) -> None:
        """Write what is pending, the summary and the end of the file.

        Raises:
            OSError: The disk is full or broken; the file can be recovered.
        """
        self.flush()
        self._append([encode_end(self.contents, self.size)])


def encode_end(contents: Contents, start: int) -> bytes:
    """Return all that follows the data of a file: end of data, summary, footer, magic.

    Args:
        contents: Of the file.
        start: Position [B] where the data ends.
    """
    data_end = encode(DataEnd(0))
    summary_start = start + len(data_end)
    body = bytearray()
    offsets = []
    for opcode, records in _summary_groups(contents):
        if records:
            group = encode(*records)
            offsets.append(SummaryOffset(opcode, summary_start + len(body), len(group)))
            body += group
    offset_start = summary_start + len(body)
    body += encode(*offsets)
    footer = RECORD_HEAD.pack(Opcode.FOOTER, 20) + struct.pack('<QQ', summary_start, offset_start)
    crc = zlib.crc32(footer, zlib.crc32(body))
    return bytes(data_end + body + encode(Footer(summary_start, offset_start, crc)) + MAGIC)


def _summary_groups(contents: Contents) -> Iterator[tuple[Opcode, list[McapRecord]]]:
    yield Opcode.SCHEMA, list(contents.schemas.values())
    yield Opcode.CHANNEL, list(contents.channels.values())
    statistics = Statistics(
        attachment_count=0,
        channel_count=len(contents.channels),
        channel_message_counts=dict(contents.counts),
        chunk_count=len(contents.chunks),
        message_count=contents.messages,
        metadata_count=len(contents.metadata),
        message_start_time=contents.start,
        message_end_time=contents.end,
        schema_count=len(contents.schemas),
    )
    yield Opcode.STATISTICS, [statistics]
    yield Opcode.CHUNK_INDEX, list(contents.chunks)
    yield Opcode.METADATA_INDEX, list(contents.metadata)
