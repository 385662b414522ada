"""Files → dataset: one job for each episode, finished ones are skipped, then all are assembled."""

import contextlib
import dataclasses
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mimic_core.errors import ConfigError, MimicError
from mimic_dataset.arrays import DOMAINS, Domain
from mimic_dataset.bags import convert_robot, interruption, meta_of
from mimic_dataset.cache import CACHE
from mimic_dataset.errors import EpisodeError, WriteError
from mimic_dataset.lerobot import assemble, restore
from mimic_dataset.params import ConvertParams
from mimic_dataset.parts import (
    PARTS,
    RECORD,
    is_done,
    natural,
    origin_of,
    part_folder,
    part_names,
    read_info,
    set_aside,
    take_back,
)
from mimic_dataset.people import View, convert_human
from mimic_dataset.spread import Workers, spread
from mimic_description import load_robot
from mimic_recording.bag import METADATA_FILE, name_of_partial

VIDEOS: Final = ('.mp4', '.mov', '.mkv', '.avi', '.webm', '.m4v')
_VERSION: Final = 2  # of what conversion makes of the same input; another one makes it anew
_OF_DAMAGE: Final = (ArithmeticError, LookupError, ValueError)  # of decoders, by wrong bytes
# What nothing of a robot episode depends on.
PEOPLE_ONLY: Final = (
    'side', 'max_hands', 'max_gap', 'min_share', 'bag_camera', 'detector', 'use_depth',
    'hand_length',
)  # fmt: skip
_PEOPLE_DEFAULTS: Final = {
    field.name: field.default
    for field in dataclasses.fields(ConvertParams)
    if field.name in PEOPLE_ONLY
}


@dataclass(frozen=True)
class Job:
    """One episode to make."""

    source: Path
    dataset: Path
    domain: Domain
    name: str
    params: ConvertParams
    view: View | None  # of the camera that looks at people
    problem: str = ''  # why it cannot be made, known before it begins

    def key(self) -> str:
        """Return what its result depends on, as text."""
        files = [self.source] if self.source.is_file() else _bag_files(self.source)
        parts = [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]
        view, params = None, dataclasses.asdict(self.params)
        if self.domain == 'robot':
            params |= _PEOPLE_DEFAULTS
        elif self.view is not None:
            intrinsics = self.view.intrinsics
            view = [
                self.view.base_T_camera.tolist(),
                self.view.fovy,
                None if intrinsics is None else dataclasses.astuple(intrinsics),
            ]
            view += [] if self.view.lowest_palm is None else [self.view.lowest_palm]
        robot = load_robot(self.params.arm, self.params.hand).digest
        text = json.dumps([_VERSION, parts, params, view, robot])
        return hashlib.sha256(text.encode()).hexdigest()


def _bag_files(folder: Path) -> list[Path]:
    """Return the files that hold the messages of a bag."""
    return sorted(folder.glob('*.mcap')) or sorted(folder.glob('*.db3'))


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    name: str
    domain: Domain
    source: str
    error: str = ''  # why there is no episode
    skipped: bool = False  # it was finished before
    fatal: bool = False  # going on makes no sense: the disk is full
    seconds: float = 0.0  # that it took
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)


def convert_one(job: Job) -> Outcome:
    """Make one episode. Runs anywhere; never raises for what is wrong with the input.

    An earlier part of a source that is refused now is set aside, so that no dataset holds what
    its source no longer says. A part of another source of the same name stays.
    """
    started = time.perf_counter()
    about = (job.name, job.domain, str(job.source))
    folder = part_folder(job.dataset, job.domain, job.name)
    origin = origin_of(folder)
    taken = origin not in ('', str(job.source.resolve()))
    try:
        if job.problem:
            raise EpisodeError(job.problem)
        if why := interruption(job.source):
            raise EpisodeError(why)
        key = job.key()
        if is_done(folder, key) or (not taken and take_back(folder, key)):
            return Outcome(*about, skipped=True)
        if taken:
            raise EpisodeError(
                f'{job.source}: episode {job.name} is already there, of {origin}; rename one of '
                f'the files, or delete {folder} where that is to go'
            )
        if job.domain == 'robot':
            notes = convert_robot(job.source, job.dataset, job.params, job.name, key)
        else:
            if job.view is None:
                raise ConfigError(f'{job.source}: where its camera is must be given')
            notes = convert_human(job.source, job.dataset, job.params, job.view, job.name, key)
    except WriteError as error:
        return Outcome(*about, error=str(error), fatal=True)
    except (MimicError, OSError, *_OF_DAMAGE) as error:
        if not taken:
            set_aside(folder)
        text = str(error)
        if isinstance(error, _OF_DAMAGE):
            text = f'cannot be converted, probably damaged: {type(error).__name__}: {text}'
        named = str(job.source) in text
        return Outcome(*about, error=text if named else f'{job.source}: {text}')
    return Outcome(*about, seconds=time.perf_counter() - started, notes=notes)


@dataclass(frozen=True)
class Converted:
    """What became of all jobs."""

    outcomes: tuple[Outcome, ...]  # in the order of the names
    datasets: tuple[Path, ...]  # those of the domains of the jobs; none where all are refused

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that led to no episode."""
        return tuple(o for o in self.outcomes if o.error)


def convert(
    jobs: Sequence[Job],
    workers: Workers | None = None,
    count: int = 1,
    done: Callable[[Outcome], None] | None = None,
    later: Sequence[Job] = (),
) -> Converted:
    """Make the episodes that are not finished yet, then the dataset of all that are.

    A dataset that is already of exactly these episodes is left as it is.

    Args:
        jobs: Of one dataset.
        workers: Where they run; None: here.
        count: How many workers there are.
        done: Called for each finished job, and for each episode that is left out after all.
        later: Jobs of the same dataset that come next: what they make anew need not fit now.

    Raises:
        WriteError: The disk is full; what is finished stays.
        DatasetError: A worker died, or episodes do not fit together.
    """
    if not jobs:
        return Converted((), ())
    dataset = jobs[0].dataset
    restore(dataset)
    outcomes = []
    why = _misfit(jobs, later)
    if why and workers is not None:
        workers.shutdown(wait=False, cancel_futures=True)
    every = [Outcome(j.name, j.domain, str(j.source), f'{j.source}: {why}') for j in jobs]
    for outcome in every if why else spread(convert_one, jobs, workers, count):
        outcomes.append(outcome)
        if done is not None:
            done(outcome)
        if outcome.fatal:
            raise WriteError(outcome.error)
    # Where they do not fit, nothing of the dataset is touched.
    made = set() if why else {o.domain for o in outcomes}
    for odd in [o for domain in made for o in set_odd_aside(dataset, domain)]:
        outcomes = [o for o in outcomes if (o.domain, o.name) != (odd.domain, odd.name)] + [odd]
        if done is not None:
            done(odd)
    folders = [_assembled(dataset, domain) for domain in DOMAINS if domain in made]
    outcomes.sort(key=lambda o: (o.domain, natural(o.name)))
    return Converted(tuple(outcomes), tuple(f for f in folders if f is not None))


def _assembled(dataset: Path, domain: Domain) -> Path | None:
    """Return the dataset of a domain's parts; one that is of just these keeps its pictures."""
    folder, note = dataset / domain, dataset / PARTS / f'{domain}.assembled'
    with contextlib.suppress(OSError):
        if note.read_text() == _state(dataset, domain):
            return folder
    made = assemble(dataset, domain)
    if made is not None:
        with contextlib.suppress(OSError):  # without it all is put together once more, no worse
            note.write_text(_state(dataset, domain))
    return made


def _state(dataset: Path, domain: Domain) -> str:
    """Return a digest of the records of a domain's parts, and of which files its dataset has."""
    records, files, root = [], [], dataset / domain
    for name in part_names(dataset, domain):
        record = part_folder(dataset, domain, name) / RECORD
        records.append([name, hashlib.sha256(record.read_bytes()).hexdigest()])
    for file in sorted(root.rglob('*')):
        inside, status = file.relative_to(root), file.stat()
        if file.is_file() and inside.parts[0] != CACHE:
            files.append([str(inside), status.st_size, status.st_mtime_ns])
    return hashlib.sha256(json.dumps([records, files]).encode()).hexdigest()


def _misfit(jobs: Sequence[Job], later: Sequence[Job]) -> str:
    """Return why the episodes of jobs would not fit to finished ones that they do not make anew.

    A finished episode is not made anew for another task, arm or hand either: it would be lost.
    """
    dataset, params = jobs[0].dataset, jobs[0].params
    meta = meta_of(load_robot(params.arm, params.hand), params)
    made = {(j.domain, j.name): str(j.source.resolve()) for j in (*jobs, *later)}
    for domain in DOMAINS:
        for name in part_names(dataset, domain):
            folder = part_folder(dataset, domain, name)
            try:
                info = read_info(folder)
            except MimicError:
                continue  # damaged: it is made anew, or named when all are put together
            own, source = info.meta, made.get((domain, name))
            other = any(getattr(own, f) != getattr(meta, f) for f in ('task', 'arm', 'hand'))
            stays = source is None or info.origin not in ('', source)
            if (why := own.difference(meta)) and (other or stays):
                return (
                    f'{folder} does not fit, {why}; one dataset is one task with one hand at one '
                    f'rate: give another folder with --out, or delete {dataset}'
                )
    return ''


def set_odd_aside(dataset: Path, domain: Domain) -> list[Outcome]:
    """Take parts out of a dataset whose cameras are not those of most; return what to say.

    A dataset has one size of pictures. Which one does not depend on the order in which parts were
    made; of two that are equally frequent it is that of the first episode.

    Raises:
        DatasetError: A part is damaged.
    """
    cameras: dict[Path, tuple[tuple[str, tuple[int, int]], ...]] = {}
    for name in part_names(dataset, domain):
        folder = part_folder(dataset, domain, name)
        cameras[folder] = tuple(sorted(read_info(folder).meta.cameras.items()))
    if len(set(cameras.values())) < 2:
        return []
    usual = Counter(cameras.values()).most_common(1)[0][0]
    found = []
    for folder, own in cameras.items():
        if own != usual:
            info = read_info(folder)
            set_aside(folder)
            source = info.origin or info.source or info.name
            text = (
                f'{source}: pictures of {_sizes(own)}, most episodes have {_sizes(usual)}; '
                'one dataset has one size: give it one of its own (--out), or crop it'
            )
            found.append(Outcome(info.name, domain, source, error=text))
    return found


def _sizes(cameras: Sequence[tuple[str, tuple[int, int]]]) -> str:
    return ', '.join(f'{name} {size[1]} x {size[0]}' for name, size in cameras)


def find_sources(paths: Sequence[Path]) -> list[Path]:
    """Return the bags and videos that paths stand for: themselves, or what folders hold.

    Raises:
        ConfigError: A path does not exist, or holds neither; names it.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError(f'there is no {path}')
        if path.is_file() or _is_bag(path):
            found.append(path)
            continue
        inside = [p for p in path.iterdir() if name_of_partial(p) is None]
        inside = [p for p in inside if _is_bag(p) or p.suffix.lower() in VIDEOS]
        if not inside:
            raise ConfigError(f'{path} holds neither bags nor videos')
        found += sorted(inside, key=lambda p: natural(p.name))
    return found


def bags_in(folder: Path) -> list[Path]:
    """Return the finished bags of a folder, or the folder where it is one; nothing without it."""
    if _is_bag(folder):
        return [folder]
    inside = folder.iterdir() if folder.is_dir() else ()
    found = [p for p in inside if name_of_partial(p) is None and _is_bag(p)]
    return sorted(found, key=lambda p: natural(p.name))


def _is_bag(path: Path) -> bool:
    return path.is_dir() and ((path / METADATA_FILE).exists() or any(path.glob('*.mcap')))


def make_jobs(
    sources: Sequence[Path],
    dataset: Path,
    domain: Domain,
    params: ConvertParams,
    view: View | None = None,
) -> list[Job]:
    """Return a job for each file, named after it; paths are made absolute, for workers elsewhere.

    Raises:
        ConfigError: Two files have the same name.
    """
    names: dict[str, Path] = {}
    for source in sources:
        name = source.stem if source.is_file() else source.name
        name = ''.join(c if c.isascii() and (c.isalnum() or c in '._-') else '_' for c in name)
        name = name.lstrip('._-') or 'episode'
        if name in names:
            raise ConfigError(f'{names[name]} and {source} would both be episode {name}')
        names[name] = source
    dataset = dataset.absolute()
    return [
        Job(path.absolute(), dataset, domain, name, params, view) for name, path in names.items()
    ]
