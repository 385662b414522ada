"""ImMimic's experiment in the twin: tasks × hands × methods, from five demonstrations and videos.

Robot demonstrations are teleoperated through the whole chain by the virtual demonstrator, human
videos show its bare hand. Both become datasets, are aligned, trained on and rolled out; the same
starts for every method. What is finished stays in `out/tasks` and is not done again; a run that
was stopped, or killed, goes on. `--only` takes names of tasks, hands and methods; `finished`
reports the cells that are, here or on the page that is published, and does no others.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.experiment import figures, latents, retrieval
from benchmarks.experiment.cells import CellJob, result_of, write_json
from benchmarks.experiment.ingest import dataset_folder, training_set
from benchmarks.experiment.kept import Kept, Pair, Result, pair_key, pairs_of
from benchmarks.experiment.settings import (
    ARM,
    BASE_METHODS,
    FINISHED,
    FOLDER,
    HANDS,
    ROBOT_COUNTS,
    ROBOTS,
    TASKS,
    VIDEOS,
    Cell,
    DataSettings,
    RolloutSettings,
    TrainSettings,
    cells_of,
    evaluation_seeds,
    key_of,
    usual,
)
from benchmarks.experiment.stages import Stages
from benchmarks.harness import RESULTS, ROOT, Options, Row, at_least, info
from mimic_alignment import AlignmentParams, actions_of, align, thumbnail
from mimic_alignment.plots import draw_paths
from mimic_core.errors import ConfigError, MimicError
from mimic_dataset import Dataset
from mimic_description import load_robot
from mimic_policy.evaluation import digest

STEPS, STEPS_QUICK = 2000, 600  # of training; quick ones end within half an hour
DISTURBED, DISTURBED_QUICK = 20, 6  # videos of each disturbance
DATA: Final = DataSettings()
ROLLOUTS: Final = RolloutSettings()
PICTURES: Final = FOLDER / 'pictures'
KEPT: Final = ROOT / 'docs' / 'results' / 'tasks_kept.json'  # of this and other machines
_MEASURED: Final = FOLDER / 'measured'  # of what is no cell
OWN: Final = "the policy's own features"
_LOSS: Final = 0.05  # [1] of overlap, what eyes that are disturbed may cost the action mapping
T = TypeVar('T')


def run(options: Options) -> list[Row]:
    """Return success of each cell with its interval, what is measured beside it, and targets."""
    evaluation_seeds(options.seed, ROLLOUTS.count)  # raises before hours of work
    console = Console(stderr=True, highlight=False, markup=False)
    train = TrainSettings(STEPS_QUICK if options.quick else STEPS)
    kept = Kept.read(KEPT)
    rows: list[Row] = []
    jobs = jobs_of(options, train)
    results = _measure(jobs, options, kept, console, rows) if jobs else []
    if FINISHED in options.only:
        results = kept.results([job.key for job in _asked(options, train)])
    if not results:
        failed = ', '.join(row.name for row in rows)
        raise ConfigError(failed or f'no cell has these names, or none of them is {FINISHED}')
    if not options.quick:
        kept.write(RESULTS / KEPT.name)  # of the page
    pairs = {
        pair: kept.pairs[key]
        for pair in pairs_of(results)
        if (key := pair_key(*pair, DATA)) in kept.pairs
    }
    rows = [row for result in results for row in _rows(result)] + rows
    for (task, hand), pair in pairs.items():
        name = f'{task} {hand}: action distance of human to robot'
        rows.append(info(name, pair.distance, 'a step'))
    looked = {names: pair.overlaps for names, pair in pairs.items() if names[0] == TASKS[0]}
    for names, table in looked.items():
        rows += _retrieval_rows(names, table)
        if table:
            _save(figures.draw_retrieval(table), f'retrieval-{"-".join(names)}')
    for (task, hand), pair in pairs.items():
        name = f'{task} {hand}: domains mixed in the latents'
        rows += [info(f'{name} of {m}', value, '') for m, value in pair.mixing.items()]
    rows += _targets(results)
    _save(figures.draw_success(results), 'success')
    if any(not (figures.is_usual(r) or Cell(**r['cell']).near) for r in results):
        _save(figures.draw_scaling(results), 'scaling')
    _show_on_page(list(pairs))
    console.print(f'pictures: {PICTURES}')
    return rows


def _measure(
    jobs: Sequence[CellJob], options: Options, kept: Kept, console: Console, rows: list[Row]
) -> list[Result]:
    """Do cells, and what is measured beside them; return those that are finished.

    Args:
        jobs: What to do.
        options: As given.
        kept: Gets what is finished.
        console: For people.
        rows: Get what did not succeed.
    """
    processes = os.cpu_count() or 1
    stages = Stages(DATA, processes, console)
    films = _films([job.cell for job in jobs], options.quick)
    stages.plan(jobs, films)
    try:
        with stages.showing():
            stages.demonstrate(jobs)
            stages.film(films)
            possible = stages.possible(jobs)
            pairs = _pairs([job.cell for job in possible])
            measured = _pairs([job.cell for job in possible if not job.cell.near])
            looked = [p for p in measured if p[0] == TASKS[0]]
            strange = [(*p, d) for p in looked for t, d in films if t == p[0] and d != 'clean']
            stages.ingest(pairs, strange)
            stages.cells(possible, 1 if _accelerated() else processes)
            found = {job.key: result for job in possible if (result := result_of(job)) is not None}
            results: list[Result] = list(found.values())
            for pair in measured:
                table = _overlaps(*pair, _eyes(results, *pair)) if pair in looked else {}
                kept.measured(pair_key(*pair, DATA), Pair(_distance(*pair), table))
    except (KeyboardInterrupt, MimicError):
        console.print('stopped; what is finished stays, the same command goes on')
        raise
    for key, result in found.items():
        kept.add(key, result)
    for (task, hand), count in stages.short.items():
        rows.append(info(f'{task} {hand}: more demonstrations did not succeed', count, ''))
    rows += [info(f'{cell}: failed', 1, '') for cell in stages.failed]
    for names, mixing in _latents(results, options.seed, console).items():
        kept.pairs[pair_key(*names, DATA)].mixing = mixing
    _paths(measured)
    return results


def _asked(options: Options, train: TrainSettings) -> list[CellJob]:
    """Return the cells with the names that are given, finished or not."""
    cells = cells_of(options.quick, only=options.only)
    return [CellJob(cell, DATA, train, options.seed, ROLLOUTS) for cell in cells]


def jobs_of(options: Options, train: TrainSettings) -> list[CellJob]:
    """Return the cells to do; with `finished` among the names those that are, on this machine."""
    jobs = _asked(options, train)
    if FINISHED in options.only:
        jobs = [job for job in jobs if result_of(job) is not None]
    return jobs


def _accelerated() -> bool:
    import torch

    return torch.accelerator.is_available()


def _pairs(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((cell.task, cell.hand) for cell in cells))


def _films(cells: Sequence[Cell], quick: bool) -> dict[tuple[str, str], int]:
    """Return how many videos of each task and disturbance are needed."""
    films: dict[tuple[str, str], int] = {}
    for task in dict.fromkeys(cell.task for cell in cells):
        # Also robot_only is measured against people: how far apart the domains are.
        most = max(cell.videos for cell in cells if cell.task == task)
        films[task, 'clean'] = max(most, DISTURBED)
        if any(cell.task == task == TASKS[0] and not cell.near for cell in cells):
            count = DISTURBED_QUICK if quick else DISTURBED
            films |= {(task, 'visual'): count, (task, 'action'): count}
    return films


def _rows(result: Result) -> list[Row]:
    name = Cell(**result['cell']).name
    rows = [
        info(f'{name}: success of {result["rollouts"]}', 100.0 * result['success'], '%'),
        info(f'{name}: Wilson 95 %, from', 100.0 * result['success_low'], '%'),
        info(f'{name}: Wilson 95 %, to', 100.0 * result['success_high'], '%'),
    ]
    for field, text, unit in (
        ('completion_time', 'time of a success, median', 's'),
        ('sparc', 'smoothness (SPARC), median', ''),
        ('training_time', 'training', 's'),
        ('evaluation_time', 'rollouts', 's'),
    ):
        if result[field] is not None:
            rows.append(info(f'{name}: {text}', result[field], unit))
    for field, wanted, text in (
        ('robots', result['cell']['robots'], 'demonstrations'),
        ('humans', result['cell']['videos'], 'videos'),
    ):
        used = result.get(field)  # not noted by the first cells
        if used is not None and used != wanted:
            rows.append(info(f'{name}: trained on fewer {text}', used, ''))
    return rows


def _retrieval_rows(
    pair: tuple[str, str], table: Mapping[str, Mapping[str, retrieval.Overlaps]]
) -> list[Row]:
    task, hand = pair
    if not table:
        return [info(f'{task} {hand}: phases that can be looked up', 0, '')]
    rows = []
    for disturbance, row in table.items():
        action = row['action'].mapping
        for kind, overlaps in row.items():
            name = f'{task} {hand}, {disturbance} videos: IoU by {kind}'
            rows.append(info(name, overlaps.mapping, ''))
            rows.append(info(f'{name}, searched', overlaps.search, ''))
        seen = max(overlaps.mapping for kind, overlaps in row.items() if kind != 'action')
        rows.append(
            at_least(f'{task} {hand}, {disturbance}: action − sight', action - seen, '', 0)
        )
    if {'clean', 'visual'} <= set(table):
        lost = table['clean']['action'].mapping - table['visual']['action'].mapping
        limit = f'≤ {_LOSS:g}'
        rows.append(
            Row(f'{task} {hand}: lost by visual disturbance', lost, '', limit, lost <= _LOSS)
        )
    return rows


def _targets(results: Sequence[Result]) -> list[Row]:
    """Return the targets, over tasks and hands that have all methods.

    Whether a target is met is said where none of them is missing.
    """
    found = _by_cell([r for r in results if figures.is_usual(r)])
    near = _by_cell([r for r in results if figures.is_near(r)])
    rows = [*_compared(found), *_over_more_demonstrations(results, found, near=False)]
    if all((TASKS[0], hand, method) in near for hand in HANDS for method in BASE_METHODS):
        closer = [*_compared(found | near), *_over_more_demonstrations(results, near, near=True)]
        rows += [replace(row, name=f'{row.name}; {TASKS[0]} near') for row in closer]
    return rows


def _over_more_demonstrations(
    results: Sequence[Result], found: Mapping[tuple[str, str, str], float], *, near: bool
) -> list[Row]:
    """Return what immimic_a gains over many more demonstrations without videos.

    Args:
        results: Of all cells.
        found: Success [%] by task, hand and method, in the same view.
        near: Whether that is the near view.
    """
    many = {
        cell.hand: 100.0 * result['success']
        for result in results
        if (cell := Cell(**result['cell']))
        == Cell(TASKS[0], cell.hand, 'robot_only', ROBOT_COUNTS[-1], 0, near=near)
    }
    both = [h for h in HANDS if h in many and (TASKS[0], h, 'immimic_a') in found]
    if not both:
        return []
    less = float(np.mean([found[TASKS[0], h, 'immimic_a'] - many[h] for h in both]))
    name = f'{TASKS[0]}: immimic_a − robot_only with {ROBOT_COUNTS[-1]} demonstrations'
    row = Row(name, less, 'points', '> 0', less > 0.0)
    return [row if len(both) == len(HANDS) else _not_judged(row)]


def _by_cell(results: Sequence[Result]) -> dict[tuple[str, str, str], float]:
    """Return success [%] by task, hand and method."""
    cells = [Cell(**result['cell']) for result in results]
    return {
        (cell.task, cell.hand, cell.method): 100.0 * result['success']
        for cell, result in zip(cells, results, strict=True)
    }


def _compared(found: Mapping[tuple[str, str, str], float]) -> list[Row]:
    """Return the means of the methods and their targets.

    Args:
        found: Success [%] by task, hand and method.
    """
    every = [(task, hand) for task in TASKS for hand in HANDS]
    whole = [pair for pair in every if all((*pair, m) in found for m in BASE_METHODS)]
    rows = []
    if whole:
        mean = {m: float(np.mean([found[*pair, m] for pair in whole])) for m in BASE_METHODS}
        count = f'{len(whole)} of {len(every)} cells'
        rows = [info(f'mean success of {m} in {count}', mean[m], '%') for m in BASE_METHODS]
        gains = mean['immimic_a'] - mean['co_train'], mean['co_train'] - mean['robot_only']
        wanted = [
            at_least('mean of immimic_a', mean['immimic_a'], '%', 85.0),
            at_least('immimic_a − co_train', gains[0], 'points', 10.0),
            at_least('co_train − robot_only', gains[1], 'points', 0.0),
        ]
        rows += wanted if len(whole) == len(every) else [_not_judged(row) for row in wanted]
    ours = [found[key] for hand in HANDS if (key := (TASKS[0], hand, 'immimic_a')) in found]
    if ours:
        row = at_least(f'{TASKS[0]}: immimic_a', float(np.mean(ours)), '%', 95.0)
        rows.append(row if len(ours) == len(HANDS) else _not_judged(row))
    return rows


def _not_judged(row: Row) -> Row:
    return replace(row, met=None)


def _distance(task: str, hand: str) -> float:
    """Return the mean cost of a step [1] of people's actions to those of the demonstrations."""

    def measure() -> float:
        dataset = training_set(task, hand, DATA, ROBOTS, VIDEOS, retrieval.SIZE)
        return float(
            align(dataset.of('human'), dataset.of('robot'), AlignmentParams()).costs.mean()
        )

    return _once(f'distance-{task}-{hand}', _data_of(task, hand), measure, float)


def _eyes(results: Sequence[Result], task: str, hand: str) -> Path | None:
    """Return the checkpoint of co_train whose encoder is compared with, where it is there."""
    for result in results:
        if Cell(**result['cell']) == usual(task, hand, 'co_train'):
            checkpoint: Path = FOLDER / result['checkpoint']
            return checkpoint if checkpoint.exists() else None
    return None


def _overlaps(task: str, hand: str, eyes: Path | None) -> dict[str, dict[str, retrieval.Overlaps]]:
    """Return overlaps by disturbance and kind; with `eyes` also by a policy's own features."""

    def measure(scorers: Mapping[str, retrieval.Scorer], size: tuple[int, int]) -> Any:
        table = retrieval.measure(task, hand, DATA, scorers, size)
        return {d: {k: asdict(v) for k, v in row.items()} for d, row in table.items()}

    def usual_ones() -> Any:
        scorers = {'action': retrieval.by_action, 'thumbnail': retrieval.by_sight(thumbnail)}
        return measure(scorers, retrieval.SIZE)

    def own() -> Any:
        from mimic_policy.encoding import encoder, picture_size

        assert eyes is not None
        return measure({OWN: retrieval.by_sight(encoder(str(eyes)))}, picture_size(eyes))

    depends = _data_of(task, hand)
    found = _once(f'retrieval-{task}-{hand}', depends, usual_ones, _table)
    if eyes is not None:
        depends['policy'] = digest(eyes / 'checkpoint.json')
        seen = _once(f'retrieval-own-{task}-{hand}', depends, own, _table)
        for disturbance, row in seen.items():
            found[disturbance] |= row
    return found


def _table(values: Any) -> dict[str, dict[str, retrieval.Overlaps]]:
    return {d: {k: retrieval.Overlaps(**v) for k, v in row.items()} for d, row in values.items()}


def _data_of(task: str, hand: str) -> dict[str, Any]:
    """Return the robot and how many episodes the table has: of others it is measured anew."""
    from benchmarks.experiment.collect import DISTURBANCES
    from mimic_dataset.parts import part_names

    counts: dict[str, Any] = {'robot': load_robot(ARM, hand).digest}
    most = {'robot': ROBOTS, 'human': VIDEOS}  # further ones are of cells of scaling
    for disturbance in DISTURBANCES:
        folder = dataset_folder(task, hand, DATA, disturbance)
        for domain in ('robot', 'human'):
            counts[f'{disturbance} {domain}'] = min(len(part_names(folder, domain)), most[domain])
    return counts


def _once(
    name: str, depends: Mapping[str, Any], measure: Callable[[], Any], read: Callable[[Any], T]
) -> T:
    """Return a measurement, made once for what it depends on.

    Raises:
        ConfigError: What is kept of it is damaged.
    """
    file = _MEASURED / f'{name}-{key_of(ARM, DATA, dict(depends))}.json'
    if not file.exists():
        write_json(file, {'depends': dict(depends), 'value': measure()})
    try:
        return read(json.loads(file.read_text())['value'])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f'{file}: damaged: {error!r}; delete it, and it is measured anew'
        ) from None


def _latents(
    results: Sequence[Result], seed: int, console: Console
) -> dict[tuple[str, str], dict[str, float]]:
    """Draw the latents of co_train and immimic_a for the first hand whose policies are there.

    Returns: How mixed the domains are by method, of that task and hand.
    """
    by_hand: dict[tuple[str, str], dict[str, str]] = {}
    for result in results:
        cell = result['cell']
        if figures.is_usual(result) and cell['method'] in ('co_train', 'immimic_a'):
            pair = (cell['task'], cell['hand'])
            by_hand.setdefault(pair, {})[cell['method']] = result['checkpoint']
    for (task, hand), checkpoints in by_hand.items():
        if len(checkpoints) < 2:
            continue
        gone = [each for each in checkpoints.values() if not (FOLDER / each).exists()]
        if gone:
            console.print(f'{task} {hand}: no latents, {FOLDER / gone[0]} is not there')
            continue
        figure, mixing = latents.figure_of(task, hand, DATA, checkpoints, seed)
        _save(figure, 'latents')
        return {(task, hand): mixing}
    return {}


def _paths(pairs: Sequence[tuple[str, str]]) -> None:
    """Draw the closest human and robot paths in space, of each pair."""
    for task, hand in pairs:
        dataset: Dataset = training_set(task, hand, DATA, ROBOTS, VIDEOS, retrieval.SIZE)
        humans, robots = dataset.of('human'), dataset.of('robot')
        found = align(humans, robots, AlignmentParams())
        h, r = (int(i) for i in np.unravel_index(np.argmin(found.costs), found.costs.shape))
        figure = draw_paths(
            [actions_of(episode) for episode in humans],
            [actions_of(episode) for episode in robots],
            (h, r, found.warps[h][r]),
            f'{task} {hand}',
        )
        _save(figure, f'paths-{task}-{hand}')


def _show_on_page(pairs: Sequence[tuple[str, str]]) -> None:
    """Put pictures beside the result, for the page; of tasks with hands the first one."""
    names = ['-'.join(pair) for pair in pairs]
    RESULTS.mkdir(parents=True, exist_ok=True)
    for shown, choice in (
        ('tasks', ['success']),
        ('tasks-scaling', ['scaling']),
        ('tasks-latents', ['latents']),
        ('tasks-retrieval', [f'retrieval-{name}' for name in names]),
        ('tasks-paths', [f'paths-{name}' for name in names]),
    ):
        there = [p for name in choice if (p := PICTURES / f'{name}.png').exists()]
        if there:
            shutil.copyfile(there[0], RESULTS / f'{shown}.png')


def _save(figure: Figure, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f'{name}.png', dpi=110)
