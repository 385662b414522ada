"""What an episode is worth: rates, gaps, losses, latency, agreement of stamps, flags."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.topics import TOPICS, Topic
from mimic_recording.bag import write_json, write_text
from mimic_recording.reader import NANOSECONDS, Episode
from mimic_recording.report_page import page

REPORT_JSON: Final = 'report.json'
REPORT_HTML: Final = 'report.html'

GAP_FACTOR: Final = 2.5  # a pause longer than so many median periods is a gap,
MIN_GAP: Final = 0.05  # [s] if it is also longer than what a busy computer makes of 100 Hz
JITTER_PERIODS: Final = 4  # that a late capture is made up for in
SAME_CAPTURE: Final = 0.5  # periods of the reference: nearer stamps belong together
MAX_RESETS: Final = 0.01  # share of sequence numbers that may go back: restarts of a publisher
ABSENT: Final = 1.0  # [s] that a regular topic may begin late or end early
SLOW: Final = 0.8  # of the rate in the table of topics: less is worth a flag
LATE: Final = 0.1  # [s] median latency of a sensor that is worth a flag
FEW_MESSAGES: Final = 3  # no rate from fewer

COLOR: Final = 'color/image_raw'
PARTNERS: Final = ('aligned_depth_to_color/image_raw', 'color/camera_info')
FOLLOWERS: Final = ('hand_tracking/hands', 'object_tracking/objects')  # carry the camera's stamps
JOINTS: Final = 'joint_states'


@dataclass(frozen=True)
class Spread:
    """Median, 95th percentile and largest of some values."""

    median: float
    p95: float
    largest: float


@dataclass(frozen=True)
class TopicReport:
    """One topic. None where a value cannot be told."""

    name: str
    type: str
    count: int
    rate: float | None  # [Hz] from the median period
    nominal: float | None  # [Hz] of the table of topics, None when it is on change
    first: float  # [s] after the start of the episode
    last: float  # [s] after the start of the episode
    period: Spread | None  # [s]
    gaps: int  # pauses longer than GAP_FACTOR median periods and MIN_GAP
    longest_gap: float | None  # [s]
    lost: int | None  # by the publisher's sequence numbers
    missing: int | None  # by the spacing of capture stamps: what was never published, or lost
    dropped: int  # by the recorder, for want of disk speed
    stamps_back: int  # capture stamps that are older than the one before
    latency: Spread | None  # [s] from capture stamp to receipt

    @property
    def is_regular(self) -> bool:
        """Whether it comes at a fixed rate as long as its source runs."""
        return self.longest_gap is not None


@dataclass(frozen=True)
class SyncReport:
    """How well the stamps of one topic agree with those of a reference."""

    reference: str
    other: str
    pairs: int  # messages of the reference that have a partner of the same capture
    alone: int  # and those that have none
    error: Spread | None  # [s] between the stamps of partners


@dataclass(frozen=True)
class EpisodeReport:
    """All about one episode."""

    name: str
    task: str
    path: str
    end: str  # 'stopped', 'failed: …', 'recovered: …'
    start: float  # [s] since the epoch
    duration: float  # [s]
    size: int  # [B]
    messages: int
    topics: tuple[TopicReport, ...]
    sync: tuple[SyncReport, ...]
    flags: tuple[str, ...]  # empty: nothing to object to

    def as_map(self) -> dict[str, Any]:
        """Return what report.json holds."""
        return asdict(self)


def make_report(episode: Episode) -> EpisodeReport:
    """Return the report of an open episode."""
    topics = tuple(_topic(episode, name) for name in sorted(episode.topics))
    sync = tuple(_sync(episode))
    end = episode.custom.get('end', f'damaged: {episode.problem}' if episode.problem else '')
    return EpisodeReport(
        name=episode.name,
        task=episode.task,
        path=str(episode.path),
        end=end,
        start=episode.start / NANOSECONDS,
        duration=episode.duration,
        size=episode.file.stat().st_size,
        messages=episode.message_count,
        topics=topics,
        sync=sync,
        flags=tuple(_flags(topics, sync, end, episode.duration)),
    )


def write_report(path: Path) -> EpisodeReport:
    """Write report.json and report.html into an episode's folder; return the report.

    Raises:
        BagError: The episode cannot be read.
        OSError: The files cannot be written.
    """
    with Episode(path) as episode:
        report = make_report(episode)
        times = {
            t.name: (episode.log_times(t.name) - episode.start) / NANOSECONDS
            for t in report.topics
        }
    write_json(path / REPORT_JSON, report.as_map())
    write_text(path / REPORT_HTML, page(report, times))
    return report


def spread(values: FloatArray) -> Spread | None:
    """Return the spread of (N,) values; None without any."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    return Spread(float(np.median(values)), float(np.percentile(values, 95)), float(values.max()))


def lost_by_sequence(numbers: IntArray) -> int | None:
    """Return how many messages are missing in (N,) sequence numbers of a topic.

    None when they tell nothing: unknown (zero), or of several publishers that count on their own.
    """
    if len(numbers) < FEW_MESSAGES or (numbers <= 0).any():
        return None
    steps = np.diff(numbers)
    if (steps <= 0).mean() > MAX_RESETS:
        return None
    return int((steps[steps > 0] - 1).sum())


def missing_by_stamp(stamps: FloatArray) -> int | None:
    """Return how many captures are missing in (N,) stamps [s] of a periodic topic.

    None for irregular ones: the quartiles of their period are not near its median.
    """
    stamps = stamps[np.isfinite(stamps)]
    if len(stamps) < 2 * FEW_MESSAGES:
        return None
    periods = np.diff(np.sort(stamps))
    median = float(np.median(periods))
    if median <= 0:
        return None
    low, high = np.percentile(periods, (25, 75)) / median
    if low < 0.7 or high > 1.5:
        return None
    # A long period that shorter ones make up for is jitter, not a missing capture.
    ends = np.minimum(np.arange(len(periods)) + JITTER_PERIODS, len(periods))
    total = np.concatenate(([0.0], np.cumsum(periods)))
    window = total[ends] - total[:-1]
    excess = np.round(window / median) - (ends - np.arange(len(periods)))
    single = np.round(periods / median) - 1
    return int(np.clip(np.minimum(single, excess), 0, None).sum())


def _topic(episode: Episode, name: str) -> TopicReport:
    info = episode.topics[name]
    log = episode.log_times(name)
    seconds = (log - episode.start) / NANOSECONDS
    stamps = episode.stamps(name)
    periods = np.diff(seconds)
    period = spread(periods) if info.count >= FEW_MESSAGES else None
    row = next((t for t in TOPICS.values() if name.endswith('/' + t.name.lstrip('/'))), None)
    nominal = row.rate if row is not None and row.rate > 0 else None
    regular = row is not None and period is not None and _is_regular(row)
    limit = max(GAP_FACTOR * period.median, MIN_GAP) if regular and period else np.inf
    gaps = periods[periods > limit]
    known = stamps[np.isfinite(stamps)]
    return TopicReport(
        name=name,
        type=info.type,
        count=info.count,
        rate=1.0 / period.median if period is not None and period.median > 0 else None,
        nominal=nominal,
        first=float(seconds[0]) if len(seconds) else 0.0,
        last=float(seconds[-1]) if len(seconds) else 0.0,
        period=period,
        gaps=len(gaps),
        longest_gap=float(periods.max()) if regular else None,
        lost=lost_by_sequence(episode.sequences(name)),
        missing=missing_by_stamp(stamps) if regular else None,
        dropped=int(episode.custom.get(f'dropped.{name}', 0)),
        stamps_back=int((np.diff(known) < 0).sum()) if nominal is not None else 0,
        latency=spread(log / NANOSECONDS - stamps) if nominal is not None else None,
    )


def _is_regular(row: Topic) -> bool:
    """Tell whether a topic comes at a fixed rate as long as its source runs."""
    return row.rate > 0 and (
        row.qos in ('sensor_data', 'stream') or row.name.endswith('joint_trajectory')
    )


def _sync(episode: Episode) -> list[SyncReport]:
    """Compare each camera's depth and info with its colour, and what follows with the camera."""
    found = []
    cameras = sorted(n for n in episode.topics if n.endswith('/' + COLOR))
    for color in cameras:
        base = color.removesuffix(COLOR)
        others = [base + partner for partner in PARTNERS]
        if base.endswith('/camera/') or len(cameras) == 1:
            others += [n for f in FOLLOWERS if (n := episode.find(f))]
        others += [n for n in [episode.find(JOINTS)] if n]
        for other in others:
            if other in episode.topics and episode.topics[other].count:
                found.append(_pair(episode, color, other))
    return found


def _pair(episode: Episode, reference: str, other: str) -> SyncReport:
    a = np.sort(_finite(episode.stamps(reference)))
    b = np.sort(_finite(episode.stamps(other)))
    if len(a) == 0 or len(b) == 0:
        return SyncReport(reference, other, 0, len(a), None)
    # Not longer than of a camera at full rate: pictures that are rare still have their own depth.
    nominal = 1.0 / TOPICS['camera/color/image_raw'].rate
    period = min(float(np.median(np.diff(a))), nominal) if len(a) > 1 else nominal
    right = np.clip(np.searchsorted(b, a), 1, max(len(b) - 1, 1))
    nearest = np.minimum(np.abs(a - b[np.minimum(right, len(b) - 1)]), np.abs(a - b[right - 1]))
    together = nearest < SAME_CAPTURE * period
    pairs = int(together.sum())
    return SyncReport(reference, other, pairs, len(a) - pairs, spread(nearest[together]))


def _finite(values: FloatArray) -> FloatArray:
    kept: FloatArray = values[np.isfinite(values)]
    return kept


def _flags(
    topics: tuple[TopicReport, ...], sync: tuple[SyncReport, ...], end: str, duration: float
) -> list[str]:
    flags = [end] if end not in ('stopped', '') else []
    if not any(t.count for t in topics):
        flags.append('no message was recorded')
    for t in topics:
        if t.dropped:
            flags.append(f'{t.name}: the recorder dropped {t.dropped}, the disk is too slow')
        if t.lost:
            flags.append(f'{t.name}: {t.lost} messages were lost on the way')
        if t.missing:
            flags.append(f'{t.name}: {t.missing} captures are missing')
        elif t.gaps and t.longest_gap is not None:
            flags.append(f'{t.name}: {t.gaps} gaps, the longest {t.longest_gap:.3f} s')
        flags += _coverage(t, duration)
        if t.stamps_back:
            flags.append(f'{t.name}: stamps go back {t.stamps_back} times')
        if t.latency is not None and t.latency.median > LATE:
            flags.append(f'{t.name}: {t.latency.median * 1e3:.0f} ms old on arrival')
    for s in sync:
        if s.alone and not s.other.endswith('/' + JOINTS):
            flags.append(f'{s.other}: {s.alone} of {s.pairs + s.alone} images have no partner')
    if topics and not any(t.name.endswith('/' + JOINTS) and t.count for t in topics):
        flags.append('no joint states')
    return flags


def _coverage(t: TopicReport, duration: float) -> list[str]:
    """Return flags of a regular topic that is slow, begins late or ends early."""
    if not t.is_regular or t.nominal is None:
        return []
    flags = []
    mean = (t.count - 1) / (t.last - t.first) if t.last > t.first else 0.0
    if mean < SLOW * t.nominal:
        flags.append(f'{t.name}: {mean:.1f} Hz instead of {t.nominal:.0f}')
    if t.first > ABSENT:
        flags.append(f'{t.name}: begins {t.first:.1f} s late')
    if duration - t.last > ABSENT:
        flags.append(f'{t.name}: ends {duration - t.last:.1f} s early')
    return flags
