"""The learned policy beside replays, cloning and other trainings, where practice has not been."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from mimic_core.errors import ConfigError
from mimic_rl.checkpoint import TRAINING, Settings, load_actor, load_training
from mimic_rl.environment import Practice
from mimic_rl.evaluation import OUTSIDE, Act, Learned, Replay, Score, collect, evaluate, imitate
from mimic_rl.gated import CourseParams, GatedTwin, through_gate
from mimic_rl.network import Actor
from mimic_rl.params import RandomisationParams
from mimic_rl.policy import PracticePolicy, ReplayPolicy, RunPolicy
from mimic_rl.run_folder import PracticeRun, run_text
from mimic_rl.sighting import symmetry_of_run

STARTS, PHYSICS = 'new starts', 'new starts, physics beyond the range'
REPLAY, AWARE, CLONED = 'replay', 'object-aware replay', 'cloned'
GATE: Final = 'new starts, through the gate in the twin'
LATE: Final = 'new starts, through the gate, physics and delays beyond the range'
# What a tracker misses, not what practice exaggerates, and the same for every method.
TRACKER: Final[dict[str, Any]] = {'object_position': 0.005, 'object_angle': 0.052, 'lost': 0.02}
# What an episode is and what counts as success. The rest of PracticeParams is a method's own.
TEST: Final = ('hold', 'max_distance', 'success_distance', 'success_angle')
_CLONED_EPISODES: Final = 64  # that succeeded
_MOST_EPISODES: Final = 512  # among which they are sought
_CLONING_STEPS: Final = 1500
_COUNT: Final = 25  # environments
_COMMAND_DELAY: Final = 0.04  # [s] of what the drives get; practice has none


# Told what was done or begins, how many rows are there, and how many there will be; 0: not known.
Watch = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Row:
    """One method in one setting."""

    met: str  # which setting
    method: str
    success: float  # [1]
    interval: tuple[float, float]  # [1], 95 %
    distance: float  # [m], median of the object's origin to its last target
    angle: float  # [rad], median
    reward: float  # mean of a step's
    episodes: int
    remarks: str = ''  # what it imitates if that is not what it should, what held it


def compare(
    folder: Path,
    name: str = TRAINING,
    ablations: Sequence[str] = (),
    *,
    episodes: int = 50,
    seed: int = 1000,
    threads: int = 2,
    gate: bool = True,
    watch: Watch | None = None,
    keep: Callable[[Sequence[Row]], None] | None = None,
) -> list[Row]:
    """Return a row for each method and setting. In a setting all meet the same starts and physics.

    Args:
        folder: The run folder.
        name: Of the training, whose randomisation and bounds of success are those of all.
        ablations: Of other trainings in the folder.
        episodes: For each row.
        seed: Of starts and physics; trainings have theirs.
        threads: Of the physics.
        gate: Also through the gate in the twin, twice: as it is, and beyond what was practised.
        watch: Called as it goes on.
        keep: Called with the rows so far whenever there is one more.

    Raises:
        ConfigError: A file is missing or wrong, or an ablation is of another run.
    """
    run, settings = load_training(folder, name)
    actor = load_actor(folder / name)
    others = [_ablation(folder, other, name, run, settings) for other in ablations]
    acts: list[tuple[str, Settings, Act]] = [('learned', settings, Learned(actor))]
    policies: list[tuple[str, RunPolicy]] = [('learned', PracticePolicy(run, settings, actor))]
    said: dict[str, str] = {}  # on a method, whatever it meets
    if run.demonstration is not None:
        acts += [
            (REPLAY, settings, Replay(aware=False)), (AWARE, settings, Replay(aware=True)),
        ]  # fmt: skip
        policies += [
            (REPLAY, ReplayPolicy(run, settings, aware=False)),
            (AWARE, ReplayPolicy(run, settings, aware=True)),
        ]
        if watch is not None:
            watch('cloning what replays do', 0, 0)
        cloned, said[CLONED] = clone(run, settings, seed + 1, threads)
        acts.append((CLONED, settings, Learned(cloned)))
        policies.append((CLONED, PracticePolicy(run, settings, cloned)))
    acts += others
    rows: list[Row] = []
    total = 2 * len(acts) + (2 * len(policies) if gate else 0)

    def add(row: Row) -> None:
        rows.append(row)
        if keep is not None:
            keep(rows)
        if watch is not None:
            watch(f'{row.met}, {row.method}: {100 * row.success:.0f} %', len(rows), total)

    for met, outside in ((STARTS, 0.0), (PHYSICS, OUTSIDE)):
        for method, used, act in acts:
            practice = _practice(run, used, seed, threads, outside, min(episodes, _COUNT))
            score = evaluate(practice, method, act, episodes)
            add(_row(met, score, practice.length, said.get(method, '')))
            practice.close()
    symmetry, varied = symmetry_of_run(run, folder), unseen(settings.randomisation, 0.0)
    gated = ((GATE, CourseParams(), 0.0), (LATE, late_course(settings), OUTSIDE)) if gate else ()
    for met, course, outside in gated:
        for method, policy in policies:
            twin = GatedTwin(policy, symmetry, settings.practice, varied, course, outside)
            score, held = through_gate(twin, method, episodes, seed)
            add(_row(met, score, 1, '; '.join(filter(None, (said.get(method), held)))))
    return rows


def _ablation(
    folder: Path, other: str, name: str, run: PracticeRun, settings: Settings
) -> tuple[str, Settings, Act]:
    """Return another training of a folder as a method, to be tested as one of these settings."""
    its_run, its_settings = load_training(folder, other, '--ablation NAME')
    if run_text(its_run) != run_text(run):
        raise ConfigError(f'{folder / other}: it practised another run than {name}')
    return other, tested_as(its_settings, settings), Learned(load_actor(folder / other))


def clone(run: PracticeRun, settings: Settings, seed: int, threads: int = 2) -> tuple[Actor, str]:
    """Return a network that imitates object-aware replays, and what is to be said of those."""
    practice = _practice(run, settings, seed, threads, 0.0, _CLONED_EPISODES)
    shown, remark = collect(practice, Replay(aware=True), _CLONED_EPISODES, most=_MOST_EPISODES)
    learning = settings.learning
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        actor = Actor(
            shown.inputs.shape[2], practice.actions, learning.layers, learning.memory,
            learning.spread,
        )  # fmt: skip
    practice.close()
    imitate(actor, shown, _CLONING_STEPS, seed)
    return actor, remark


def tested_as(its: Settings, main: Settings) -> Settings:
    """Return settings of another training that meets what the main one meets.

    Its start, reward and control stay: they are its method.
    """
    test = {name: getattr(main.practice, name) for name in TEST}
    practice = dataclasses.replace(its.practice, **test)
    return dataclasses.replace(its, practice=practice, randomisation=main.randomisation)


def unseen(randomisation: RandomisationParams, outside: float) -> RandomisationParams:
    """Return what varies in an evaluation: starts as in practice, the errors of a tracker, and
    poses later than practice has seen if physics is beyond its range.
    """  # noqa: D205
    late = randomisation.delay + 1 if outside > 0.0 else randomisation.delay
    newest = late if outside > 0.0 else randomisation.min_delay
    return dataclasses.replace(randomisation, **TRACKER, delay=late, min_delay=newest)


def late_course(settings: Settings) -> CourseParams:
    """Return a course whose poses are a step later than practice has seen, and commands late."""
    steps = settings.randomisation.delay + 1
    return CourseParams(
        camera_delay=steps / settings.practice.control_rate, command_delay=_COMMAND_DELAY
    )


def _practice(
    run: PracticeRun, settings: Settings, seed: int, threads: int, outside: float, count: int
) -> Practice:
    practice = Practice(
        run, settings.synergies, count=count, seed=seed, threads=threads,
        params=settings.practice, randomisation=unseen(settings.randomisation, outside),
    )  # fmt: skip
    practice.level, practice.outside = 1.0, outside
    return practice


def _row(met: str, score: Score, length: int, remarks: str = '') -> Row:
    return Row(
        met, score.method, score.rate, score.interval, float(np.median(score.distance)),
        float(np.median(score.angle)), float(score.reward.mean() / length), len(score.success),
        remarks,
    )  # fmt: skip
