"""The recorder without ROS: one episode at a time, started, stopped, discarded, reported."""

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from mimic_core.errors import MimicError
from mimic_recording.bag import EpisodeInfo
from mimic_recording.definitions import Definitions
from mimic_recording.errors import RecordingError
from mimic_recording.qos import OfferedQos
from mimic_recording.recovery import recover_directory
from mimic_recording.report import write_report
from mimic_recording.writer import (
    EpisodeWriter,
    Outcome,
    Progress,
    Topic,
    WriterOptions,
    new_name,
)

log: Final = logging.getLogger(__name__)

NOTHING: Final = Progress(0, 0, 0, 0.0)


class EpisodeState(IntEnum):
    """As in mimic_interfaces/msg/EpisodeStatus."""

    IDLE = 0
    RECORDING = 1
    SAVED = 2
    DISCARDED = 3
    FAILED = 4


@dataclass(frozen=True)
class Status:
    """What the recorder does, or how the last episode ended."""

    state: EpisodeState
    path: Path | None
    reason: str
    progress: Progress

    @property
    def problem(self) -> str:
        """What is wrong; empty when nothing is."""
        if self.state == EpisodeState.FAILED:
            return self.reason
        if self.progress.dropped:
            return f'{self.progress.dropped} messages dropped'
        return ''


class Recorder:
    """Owns the episode that is being written. Methods but `write` are for one thread."""

    def __init__(
        self,
        folder: Path,
        options: WriterOptions | None = None,
        definitions: Definitions | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Make a recorder that is idle.

        Args:
            folder: Of the episodes.
            options: How they are written.
            definitions: Where message types are looked up.
            on_end: Called from another thread when an episode has ended, whatever the reason.
        """
        self._folder = folder
        self._options = options or WriterOptions()
        self._definitions = definitions or Definitions()
        self._on_end = on_end
        self._writer: EpisodeWriter | None = None
        self._last: Outcome | None = None
        self._discarding = False  # the running episode is unwanted, even if it is saved by now

    def recover(self) -> list[str]:
        """Complete episodes that a dead recorder left; return a sentence about each."""
        done, failed = recover_directory(self._folder)
        for episode in done:
            _report(episode.path)
        return [
            f'recovered {e.path}: {e.messages} messages, {e.lost_bytes} bytes cut off'
            for e in done
        ] + [f'not recovered: {why}' for why in failed]

    @property
    def recording(self) -> bool:
        """Whether an episode takes messages."""
        return self._writer is not None and self._writer.outcome is None

    @property
    def busy(self) -> bool:
        """Whether an episode is not yet collected."""
        return self._writer is not None

    @property
    def status(self) -> Status:
        """What it does now."""
        writer, last = self._writer, self._last
        if writer is not None:
            return Status(EpisodeState.RECORDING, writer.path, '', writer.progress)
        if last is None:
            return Status(EpisodeState.IDLE, None, '', NOTHING)
        state = EpisodeState[last.state.upper()]
        return Status(state, last.path, last.reason, last.progress)

    def start(self, name: str, task: str, tags: Sequence[str], time_text: str) -> Path:
        """Start an episode.

        Args:
            name: Of its folder; empty: made from `time_text`.
            task: Kept with it.
            tags: Kept with it, 'key=text'.
            time_text: e.g. 20261121_035903.

        Returns:
            The folder that it will have.

        Raises:
            RecordingError: One is running, the name is bad or taken, or the disk is full.
        """
        if self._writer is not None:
            raise RecordingError(f"episode '{self._writer.info.name}' is being recorded: stop it")
        if not name:
            present = self._folder.iterdir() if self._folder.is_dir() else ()
            name = new_name([p.name for p in present], time_text)
        info = EpisodeInfo(name, task, tuple(tags))
        self._writer = EpisodeWriter(self._folder, info, self._options, self._ended)
        self._discarding = False
        return self._writer.path

    def add_topic(self, name: str, kind: str, offered: Iterable[OfferedQos]) -> int:
        """Announce a topic of the running episode; return its number for `write`.

        Raises:
            RecordingError: Nothing is being recorded, or the type is not installed.
        """
        if self._writer is None:
            raise RecordingError('nothing is being recorded')
        definition = self._definitions.find(kind)
        return self._writer.add_topic(Topic(name, definition, tuple(offered)))

    def write(
        self, channel: int, log_time: int, publish_time: int, data: bytes, sequence: int
    ) -> None:
        """Take a message of the running episode; without one it is ignored."""
        writer = self._writer
        if writer is not None:
            writer.write(channel, log_time, publish_time, data, sequence)

    def stop(self) -> None:
        """End the episode; `collect` tells when it is saved.

        Raises:
            RecordingError: Nothing is being recorded.
        """
        if self._writer is None:
            raise RecordingError('nothing is being recorded')
        self._writer.close()

    def discard(self) -> Path:
        """Remove the running episode, or else the last one of this recorder.

        Raises:
            RecordingError: There is neither.
        """
        if self._writer is not None:
            self._discarding = True
            self._writer.close(discard=True)
            return self._writer.path
        last = self._last
        if last is None or last.state == 'discarded' or not last.path.is_dir():
            raise RecordingError('there is no episode to discard')
        shutil.rmtree(last.path)
        self._last = Outcome('discarded', last.path, last.progress)
        return last.path

    def collect(self, timeout: float | None = 0.0) -> Outcome | None:
        """Return how the episode ended, None while it is being written.

        Args:
            timeout: Longest wait [s]; None: until it has ended.
        """
        if self._writer is None:
            return self._last
        try:
            outcome = self._writer.wait(timeout)
        except RecordingError:
            return None
        if self._discarding and outcome.state != 'discarded':  # it came too late for the writer
            shutil.rmtree(outcome.path, ignore_errors=True)
            outcome = Outcome('discarded', outcome.path, outcome.progress)
        self._writer, self._last = None, outcome
        return self._last

    def _ended(self, outcome: Outcome) -> None:
        """Called by the writing thread."""
        try:
            if outcome.state != 'discarded' and outcome.path.is_dir():
                _report(outcome.path)
        finally:  # who asked for the end waits for this, report or not
            if self._on_end is not None:
                self._on_end()


def _report(path: Path) -> None:
    """Write the report of an episode; the episode stands without one."""
    try:
        write_report(path)
    except (MimicError, OSError) as error:
        log.warning('no report of %s: %s', path, error)
