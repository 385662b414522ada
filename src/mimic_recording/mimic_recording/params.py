"""Parameters of the recorder and of replay."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mimic_core.params import param
from mimic_recording.mcap_file import Compression
from mimic_recording.writer import MIB, WriterOptions


@dataclass(frozen=True, kw_only=True)
class RecorderParams:
    """How episodes are recorded."""

    directory: str = param('Folder of the episodes; made if it is missing.')
    topics: tuple[str, ...] = param(
        'Topics to record, relative to the namespace; empty: all of the table of topics.', ()
    )
    auto_start: bool = param('Start an episode as soon as the node runs.', False)
    auto_name: str = param('Name of that episode; empty: made from the time.', '')
    auto_task: str = param('Task of that episode.', '')
    compression: str = param('Of chunks.', 'none', choices=('none', 'lz4', 'zstd'))
    chunk_bytes: int = param(
        'A chunk is written when it holds more [B].', MIB, low=64 * 1024, high=4 * MIB
    )
    flush_period: float = param(
        'A chunk is written when it is older [s]: what a kill may lose.', 0.5, low=0.05, high=10.0
    )
    max_queue_bytes: int = param(
        'Messages that wait for the disk [B]; more are dropped and counted.',
        1024 * MIB,
        low=MIB,
        high=16384 * MIB,
    )
    min_free_bytes: int = param(
        'Free on the disk to start an episode [B].', 1024 * MIB, low=16 * MIB, high=1 << 40
    )

    @property
    def folder(self) -> Path:
        """The folder of the episodes."""
        return Path(self.directory).expanduser()

    @property
    def writer_options(self) -> WriterOptions:
        """What the writer needs of them."""
        return WriterOptions(
            chunk_bytes=self.chunk_bytes,
            flush_period=self.flush_period,
            max_queue_bytes=self.max_queue_bytes,
            min_free_bytes=self.min_free_bytes,
            compression=cast(Compression, self.compression),
        )


@dataclass(frozen=True, kw_only=True)
class ReplayParams:
    """How episodes are played."""

    arm: str = param("Stem of a file in config/robots, or 'none'.")
    hand: str = param("Stem of a file in config/robots, or 'none'.")
    prefix: str = param('Before every joint name of this robot.', '')
    rate: float = param('Commands a second [Hz].', 100.0, low=10.0, high=500.0)
    start_tolerance: float = param(
        'Playing starts when every joint is this close to the first command [rad] or [m].',
        0.02,
        low=0.001,
        high=0.5,
    )
    approach_timeout: float = param(
        'Longest way to the first command [s].', 15.0, low=1.0, high=120.0
    )
    max_deviation: float = param(
        'Playing stops when the gate commands a joint farther from the recording [rad] or [m].',
        0.5,
        low=0.01,
        high=10.0,
    )


@dataclass(frozen=True, kw_only=True)
class ShowParams:
    """How an episode is shown."""

    episode: str = param('Folder of the episode.')
    speed: float = param('Of the recorded speed [1].', 1.0, low=0.05, high=10.0)
    loop: bool = param('Begin again at the end.', True)


@dataclass(frozen=True, kw_only=True)
class CollectorParams:
    """How demonstrations of the virtual demonstrator are collected."""

    task: str = param('Kept with each episode.')
    arm: str = param('Of the robot, kept with each episode; empty: not known.', '')
    hand: str = param('Of the robot, kept with each episode; empty: not known.', '')
    count: int = param('Demonstrations that are wanted.', 5, low=1, high=10_000)
    seed: int = param('Of the first start; each trial takes the next.', 0, low=0)
    tries: int = param('Trials for each demonstration, before it gives up.', 4, low=1, high=100)
    limit: float = param('Longest demonstration [s].', 120.0, low=5.0, high=3600.0)
    teleoperated: bool = param(
        'A robot follows in the twin: it begins at home, and its task must succeed. Else a bare '
        'hand shows the task.', True
    )  # fmt: skip
