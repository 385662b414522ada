"""Walking through an MCAP file from its start, also one that ends in the middle of a record."""

import io
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, ChunkIndex, Header, Metadata, MetadataIndex, Schema

from mimic_recording.errors import BagError
from mimic_recording.mcap_file import CHUNK_HEAD, MAGIC, MESSAGE_HEAD, RECORD_HEAD, Contents

_DATA_BEFORE_SUMMARY: Final = frozenset(
    (Opcode.ATTACHMENT, Opcode.ATTACHMENT_INDEX, Opcode.STATISTICS, Opcode.SUMMARY_OFFSET)
)
_FIRST_PRIVATE: Final = 0x80
_LAST_KNOWN: Final = 0x0F
_MESSAGE_BODY: Final = struct.Struct('<HIQQ')

Buffer = mmap.mmap | bytes | memoryview
# channel, sequence, log time [ns], publish time [ns], chunk, offset [B], length [B] of the data;
# offset is in the file, or in the unpacked chunk when chunk >= 0.
Entry = tuple[int, int, int, int, int, int, int]


@dataclass
class Tail:
    """The last chunk, as far as it is there."""

    index: ChunkIndex
    entries: dict[int, list[int]]  # channel: log time [ns] and offset [B] in the chunk, in turn
    end: int  # [B] of its last complete byte in the file
    cut: bool = False  # its record goes on beyond the end of the file


@dataclass
class Scan:
    """What a file holds up to its first damage."""

    contents: Contents = field(default_factory=Contents)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)  # by record name
    entries: list[Entry] = field(default_factory=list)
    end: int = 0  # [B] of the last complete data record
    tail: Tail | None = None
    complete: bool = False  # end of data, summary and footer are there
    problem: str = ''  # why it is not complete


class _DamagedError(Exception):
    """A record cannot be what it says."""


def scan_file(path: Path, *, messages: bool = False) -> Scan:
    """Walk through a file.

    Args:
        path: Of the .mcap file.
        messages: Also list every message.

    Raises:
        BagError: The file is missing, or not even its start is MCAP.
    """
    try:
        with path.open('rb') as stream:
            if path.stat().st_size == 0:
                raise BagError(f'{path} is empty')
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
                return Scanner(buffer, str(path), messages).run()
    except OSError as error:
        raise BagError(f'{path} cannot be read: {error.strerror}') from error


def unpack(compression: str, data: bytes, size: int) -> bytes:
    """Return the records of a chunk.

    Raises:
        BagError: The data is damaged or of an unknown compression.
    """
    try:
        if compression == 'lz4':
            raw = lz4.frame.decompress(data)
        elif compression == 'zstd':
            raw = zstandard.decompress(data, max_output_size=size)
        else:
            raise BagError(f"chunks of compression '{compression}' are not supported")
    except (RuntimeError, zstandard.ZstdError) as error:
        raise BagError(f'a chunk is damaged: {error}') from error
    if len(raw) != size:
        raise BagError(f'a chunk has {len(raw)} bytes instead of {size}')
    return raw


class Scanner:
    """One walk through one buffer."""

    def __init__(self, buffer: Buffer, name: str, messages: bool) -> None:
        """Args: buffer: the whole file; name: for messages; messages: list them."""
        self._buffer = buffer
        self._size = len(buffer)
        self._name = name
        self._keep = messages
        self._result = Scan()

    def run(self) -> Scan:
        """Return what was found.

        Raises:
            BagError: Not even the start is there.
        """
        result = self._result
        if bytes(self._buffer[: len(MAGIC)]) != MAGIC:
            raise BagError(f'{self._name} is no MCAP file')
        position = len(MAGIC)
        try:
            for opcode, start, body, end in self._records(position):
                if position == len(MAGIC) and opcode != Opcode.HEADER:
                    raise _DamagedError('it has no header')
                if opcode == Opcode.DATA_END:
                    self._check_end()
                    break
                self._take(opcode, start, body, end)
                position = end
                result.end = end
            else:
                raise _DamagedError('it ends before its summary')
        except (_DamagedError, BagError) as error:
            result.problem = f'{error}, at byte {result.end} of {self._size}'
        except (struct.error, UnicodeDecodeError, IndexError) as error:
            result.problem = f'damaged record ({error}), at byte {result.end} of {self._size}'
        if result.end == 0:
            raise BagError(f'{self._name} holds nothing: {result.problem}')
        return result

    def _check_end(self) -> None:
        """Tell whether the footer is where it belongs."""
        if bytes(self._buffer[-len(MAGIC) :]) != MAGIC or self._size < 2 * len(MAGIC):
            raise _DamagedError('its summary is cut')
        self._result.complete = True

    def _records(self, position: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield opcode, start, start of the body, end of each complete record."""
        while position < self._size:
            body = position + RECORD_HEAD.size
            if body > self._size:
                raise _DamagedError('a record is cut')
            opcode, length = RECORD_HEAD.unpack_from(self._buffer, position)
            if opcode == 0 or _LAST_KNOWN < opcode < _FIRST_PRIVATE:
                raise _DamagedError(f'there is no record {opcode}')
            end = body + length
            if end > self._size:
                if opcode == Opcode.CHUNK:
                    self._cut_chunk(position)
                raise _DamagedError('a record is cut')
            yield opcode, position, body, end
            position = end

    def _take(self, opcode: int, start: int, body: int, end: int) -> None:
        result = self._result
        if opcode == Opcode.CHUNK:
            self._chunk(start, end)
            return
        if opcode == Opcode.MESSAGE_INDEX and result.tail is not None:
            channel = int.from_bytes(self._buffer[body : body + 2], 'little')
            result.tail.index.message_index_offsets[channel] = start
            result.tail.index.message_index_length += end - start
            return
        result.tail = None
        self._small(opcode, bytes(self._buffer[body:end]), start, end)
        if opcode == Opcode.MESSAGE:
            self._message(self._buffer, body, end, -1)

    def _small(self, opcode: int, data: bytes, start: int, end: int) -> None:
        """Take a record that is not a message."""
        contents = self._result.contents
        stream = ReadDataStream(io.BytesIO(data))
        if opcode == Opcode.SCHEMA:
            schema = Schema.read(stream)
            contents.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = Channel.read(stream)
            contents.channels[channel.id] = channel
        elif opcode == Opcode.METADATA:
            record = Metadata.read(stream)
            self._result.metadata[record.name] = record.metadata
            contents.metadata.append(MetadataIndex(start, end - start, record.name))
        elif opcode == Opcode.HEADER:
            profile = Header.read(stream).profile
            if profile not in ('ros2', ''):
                raise BagError(f"{self._name} has profile '{profile}', not ros2")
        elif opcode in (Opcode.MESSAGE, Opcode.MESSAGE_INDEX):
            return
        elif opcode in _DATA_BEFORE_SUMMARY or opcode >= _FIRST_PRIVATE:
            return  # allowed, of no use here

    def _message(self, buffer: Buffer, body: int, end: int, chunk: int) -> tuple[int, int]:
        channel, sequence, log_time, publish_time = _MESSAGE_BODY.unpack_from(buffer, body)
        if channel not in self._result.contents.channels:
            raise _DamagedError(f'a message is of channel {channel}, which is not declared')
        self._result.contents.count(channel, log_time)
        if self._keep:
            data = body + _MESSAGE_BODY.size
            self._result.entries.append(
                (channel, sequence, log_time, publish_time, chunk, data, end - data)
            )
        return channel, log_time

    def _chunk(self, start: int, end: int) -> None:
        head, compression, records = self._chunk_head(start)
        first, last, size = head[2], head[3], head[4]
        stored = end - records
        buffer: Buffer = self._buffer
        number = -1
        low, high = records, end
        if compression:
            buffer = unpack(compression, bytes(self._buffer[records:end]), size)
            low, high, number = 0, size, len(self._result.contents.chunks)
        entries, stop = self._walk(buffer, low, high, number)
        if stop != high:
            raise _DamagedError('a chunk is damaged')
        index = ChunkIndex(
            message_start_time=first,
            message_end_time=last,
            chunk_start_offset=start,
            chunk_length=end - start,
            message_index_offsets={},
            message_index_length=0,
            compression=compression,
            compressed_size=stored,
            uncompressed_size=size,
        )
        self._result.contents.chunks.append(index)
        self._result.tail = Tail(index, entries, end)

    def _chunk_head(self, start: int) -> tuple[tuple[int, ...], str, int]:
        """Return the numbers of a chunk's head, its compression, and where its records start."""
        if start + CHUNK_HEAD.size > self._size:
            raise _DamagedError('a record is cut')
        head = CHUNK_HEAD.unpack_from(self._buffer, start)
        name_end = start + CHUNK_HEAD.size + head[6]
        if head[6] > 16 or name_end + 8 > self._size:
            raise _DamagedError('a record is cut')
        name = bytes(self._buffer[start + CHUNK_HEAD.size : name_end]).decode()
        return head, name, name_end + 8

    def _cut_chunk(self, start: int) -> None:
        """Take the complete messages of a chunk that the end of the file cuts."""
        _, compression, records = self._chunk_head(start)
        if compression:
            return
        entries, stop = self._walk(self._buffer, records, self._size, -1)
        if not entries:
            return
        times = [t for flat in entries.values() for t in flat[::2]]
        size = stop - records
        index = ChunkIndex(
            message_start_time=min(times),
            message_end_time=max(times),
            chunk_start_offset=start,
            chunk_length=stop - start,
            message_index_offsets={},
            message_index_length=0,
            compression='',
            compressed_size=size,
            uncompressed_size=size,
        )
        self._result.contents.chunks.append(index)
        self._result.tail = Tail(index, entries, stop, cut=True)
        self._result.end = stop

    def _walk(
        self, buffer: Buffer, low: int, high: int, number: int
    ) -> tuple[dict[int, list[int]], int]:
        """Take the records of a chunk; return message times and offsets, and where it ended."""
        entries: dict[int, list[int]] = {}
        position = low
        while position + RECORD_HEAD.size <= high:
            opcode, length = RECORD_HEAD.unpack_from(buffer, position)
            body = position + RECORD_HEAD.size
            end = body + length
            if end > high:
                break
            if opcode == Opcode.MESSAGE:
                if length < MESSAGE_HEAD.size - RECORD_HEAD.size:
                    raise _DamagedError('a message is too short')
                channel, log_time = self._message(buffer, body, end, number)
                entries.setdefault(channel, []).extend((log_time, position - low))
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                self._small(opcode, bytes(buffer[body:end]), position, end)
            else:
                raise _DamagedError(f'a chunk holds a record {opcode}')
            position = end
        return entries, position
