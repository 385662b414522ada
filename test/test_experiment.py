"""The experiment of `bench tasks` without a trial: cells, seeds, records, forecasts, phases."""

import json
import os
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks import __main__ as bench
from benchmarks import harness, tasks
from benchmarks.experiment import cells, collect, retrieval, settings
from benchmarks.experiment import kept as kept_module
from benchmarks.experiment.collect import CollectError
from benchmarks.experiment.figures import is_usual
from benchmarks.experiment.forecast import PRIOR, Forecast
from benchmarks.experiment.kept import Kept, Pair, pair_key
from benchmarks.experiment.retrieval import Overlaps, Shown, by_action, by_sight, phases_of
from benchmarks.experiment.settings import (
    CameraSettings,
    Cell,
    DataSettings,
    RolloutSettings,
    TrainSettings,
    cells_of,
    evaluation_seeds,
    usual,
)
from benchmarks.experiment.stages import Stages
from mimic_alignment import thumbnail
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_dataset import DatasetError, EpisodeArrays
from mimic_description import load_robot
from mimic_policy.schedule import kinds
from mimic_policy.train_params import METHODS, TrainParams


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, 'FOLDER', tmp_path)
    monkeypatch.setattr(cells, 'FOLDER', tmp_path)
    return tmp_path


def test_cells_of_the_table_and_of_the_papers_table_2():
    every = cells_of(False, only=(*settings.BASE_METHODS, *settings.MORE_METHODS))
    assert len(every) == 16 * 3 + 4 * 3
    extra = {(c.task, c.hand) for c in every if c.method == 'immimic_v'}
    assert extra == {(t, h) for t in ('pick_place', 'flip') for h in ('robotiq_2f85', 'ability')}
    quick = cells_of(True)
    assert {(c.task, c.hand, c.method) for c in quick} == {
        ('pick_place', h, m)
        for h in ('robotiq_2f85', 'allegro')
        for m in ('robot_only', 'co_train', 'immimic_a')
    }
    assert set(quick) <= set(every)  # quick cells are cells of the table


def test_scaling_shares_cells_with_the_table():
    all_ = cells_of(False)
    assert len(all_) == len(set(all_))
    every = [c for c in all_ if not c.near]
    assert set(every) == set(cells_of(False, only=(settings.SCALING,)))
    assert {c.robots for c in cells_of(False, only=('robotiq_2f85',))} == {settings.ROBOTS}
    robotiq = [c for c in every if (c.task, c.hand) == ('pick_place', 'robotiq_2f85')]
    assert {c.robots for c in robotiq if c.method == 'robot_only'} == {1, 5, 10, 20}
    assert {(c.robots, c.videos) for c in robotiq if c.method == 'immimic_a'} == {
        (1, 100), (5, 100), (10, 100), (20, 100), (5, 20), (5, 50),
    }  # fmt: skip


def test_only_keeps_what_is_named():
    chosen = cells_of(False, only=('flip', 'ability', 'immimic_v'))
    assert [c.name for c in chosen] == ['flip-ability-immimic_v-5r-100v']
    assert {c.method for c in cells_of(False, only=('co_train',))} == {'co_train'}
    named = cells_of(True, only=('flip', 'ability', 'fine_tune'))
    assert [c.name for c in named] == ['flip-ability-fine_tune-5r-100v']
    assert {c.hand for c in cells_of(True, only=('push',))} == {'robotiq_2f85', 'allegro'}


def test_what_is_mistyped_is_told_before_anything_is_done(monkeypatch):
    monkeypatch.setattr(tasks, 'Stages', None)
    for quick in (True, False):
        with pytest.raises(UnknownNameError, match=r"'pick_plce'.*Did you mean 'pick_place'"):
            cells_of(quick, only=('flip', 'pick_plce'))
    with pytest.raises(ConfigError, match='--seed 501'):
        tasks.run(harness.Options(seed=501))


def test_the_control_is_there_when_it_is_named_and_takes_as_many_steps_as_the_others():
    assert settings.CONTROL not in {c.method for c in cells_of(False)}
    (one,) = cells_of(True, only=(settings.CONTROL, 'allegro'))
    assert (one.method, one.robots, one.videos) == (settings.CONTROL, settings.ROBOTS, 0)
    assert one.trained_as == ('robot_only', 2) and job(cell=one).steps == 200
    # What it is compared with: two batches a step, each an optimiser step
    batches = {m: len(kinds(TrainParams(method=m), 0)) for m in METHODS}
    assert batches['robot_only'] == 1 and batches['co_train'] == batches['immimic_a'] == 2
    assert is_usual({'cell': vars(one)})


def test_no_start_is_seen_twice():
    most = settings.SEEDS_EACH
    seeds = [
        *range(settings.ROBOT_SEEDS, settings.ROBOT_SEEDS + collect.TRIES * 20),
        *range(settings.VIDEO_SEEDS, settings.VIDEO_SEEDS + 100),
        *range(settings.DISTURBED_SEEDS, settings.DISTURBED_SEEDS + 100),
        *(s for seed in (0, 1, 500) for s in evaluation_seeds(seed, most)),
    ]
    assert len(seeds) == len(set(seeds))
    with pytest.raises(ConfigError, match=r'--seed 501 is not in 0\.\.500'):
        evaluation_seeds(501, 20)


def job(**changes):
    given = {
        'cell': Cell('push', 'allegro', 'co_train', 5, 100), 'data': DataSettings(),
        'train': TrainSettings(100), 'seed': 0, 'rollouts': RolloutSettings(),
    }  # fmt: skip
    return cells.CellJob(**(given | changes))


def test_a_cell_is_known_by_all_that_its_result_depends_on():
    keys = {
        job().key,
        job(seed=1).key,
        job(train=TrainSettings(101)).key,
        job(data=DataSettings(fps=15)).key,
        job(data=DataSettings(camera=CameraSettings(rate=30.0))).key,
        job(rollouts=RolloutSettings(count=40)).key,
        job(cell=Cell('push', 'allegro', 'co_train', 5, 50)).key,
    }
    assert len(keys) == 7
    assert job().key == job().key
    # More rollouts of the same policy do not train it again
    assert job(rollouts=RolloutSettings(count=40)).run == job().run


def finished(one):
    given = {name: None for name in kept_module.FIELDS}
    return given | {'cell': vars(one.cell), 'success': 0.5, 'checkpoint': 'runs/x/step_1'}


def test_results_are_whole_or_not_there():
    one = job()
    assert cells.result_of(one) is None and cells.work_of(one) == {}
    whole = finished(one)
    cells.write_json(one.file, whole)
    assert cells.result_of(one) == whole
    assert [p.name for p in one.file.parent.iterdir()] == [one.file.name]
    part = {name: value for name, value in whole.items() if name != 'sparc'}
    other = whole | {'cell': vars(usual('push', 'ability', 'co_train'))}
    later = whole | {'cell': vars(one.cell) | {'zoom': 2}}
    none = whole | {'cell': 'push'}
    texts = [json.dumps(result) for result in (part, other, later, none)]
    for damaged in ('{"succ', '{}', '[]', '7', 'null', *texts):
        one.file.write_text(damaged)
        assert cells.result_of(one) is None, damaged


def test_what_is_finished_can_be_reported_alone(folder):
    only, train = ('push', 'allegro', 'immimic_a', 'co_train'), TrainSettings(2000)
    first, second = tasks.jobs_of(harness.Options(only=only), train)
    named = harness.Options(only=(*only, tasks.FINISHED))
    assert tasks.jobs_of(named, train) == []
    cells.write_json(second.file, finished(second))
    assert tasks.jobs_of(named, train) == [second]
    assert tasks.jobs_of(harness.Options(only=(tasks.FINISHED,)), train) == [second]
    assert tasks.jobs_of(harness.Options(only=(tasks.FINISHED,)), TrainSettings(1000)) == []
    assert tasks.jobs_of(harness.Options(only=only), train) == [first, second]


def test_what_other_machines_measured_is_in_the_table(monkeypatch, folder):
    """A cell that is on the page, and nowhere else, is reported and not done again."""
    monkeypatch.setattr(tasks, 'KEPT', folder / 'tasks_kept.json')
    monkeypatch.setattr(tasks, 'RESULTS', folder / 'results')
    monkeypatch.setattr(tasks, 'PICTURES', folder / 'pictures')
    options = harness.Options(only=('pick_place', 'allegro', 'co_train', tasks.FINISHED))
    with pytest.raises(ConfigError, match='no cell has these names, or none of them is finished'):
        tasks.run(options)  # instead of an empty table over the last result
    (there,) = tasks._asked(options, TrainSettings(tasks.STEPS))
    other = job(cell=usual('pick_place', 'ability', 'co_train'))
    result = {
        'cell': vars(there.cell), 'rollouts': 20, 'success': 0.5, 'success_low': 0.3,
        'success_high': 0.7, 'completion_time': 9.0, 'sparc': None, 'training_time': 1.0,
        'evaluation_time': 2.0, 'commit': 'abc', 'date': 'then', 'seeds': [1],
    }  # fmt: skip
    kept = Kept()
    kept.add(there.key, result)
    kept.add(other.key, result | {'cell': vars(other.cell)})
    seen = {'clean': {'action': Overlaps(0.7, 0.5), 'thumbnail': Overlaps(0.4, 0.2)}}
    key = pair_key('pick_place', 'allegro', tasks.DATA)
    own = {'clean': seen['clean'] | {tasks.OWN: Overlaps(0.3, 0.1)}}
    kept.measured(key, Pair(1.5, own, {'co_train': 0.02}))
    kept.measured(key, Pair(1.6, seen))  # where the policy is not there any more
    kept.cells[there.key] |= {'robots': 5, 'humans': 90}
    kept.write(tasks.KEPT)
    assert Kept.read(tasks.KEPT) == kept and 'seeds' not in tasks.KEPT.read_text()
    rows = {row.name: row.value for row in tasks.run(options)}
    assert rows['pick_place-allegro-co_train-5r-100v: success of 20'] == 50.0
    assert rows['pick_place-allegro-co_train-5r-100v: trained on fewer videos'] == 90
    assert not any('fewer demonstrations' in name for name in rows)
    assert rows['pick_place allegro: action distance of human to robot'] == 1.6
    assert rows['pick_place allegro, clean: action − sight'] == pytest.approx(0.3)
    assert rows[f'pick_place allegro, clean videos: IoU by {tasks.OWN}'] == 0.3
    assert rows['pick_place allegro: domains mixed in the latents of co_train'] == 0.02
    assert not any('ability' in name for name in rows)
    assert Kept.read(tasks.RESULTS / 'tasks_kept.json') == kept  # as a whole, for the page
    assert tasks.jobs_of(options, TrainSettings(tasks.STEPS)) == []
    tasks.KEPT.write_text('{"cells": {"a": {}}, "pairs": {}}')
    with pytest.raises(ConfigError, match=r'tasks_kept\.json: damaged'):
        tasks.run(options)


def test_targets_compare_what_all_methods_have_and_are_judged_when_it_is_whole():
    def cell(task, hand, method, success):
        return {'cell': vars(usual(task, hand, method)), 'success': success}

    most = {'robot_only': 0.5, 'co_train': 0.7, 'immimic_a': 0.9}
    every = [
        cell(task, hand, method, success)
        for task in settings.TASKS
        for hand in settings.HANDS
        for method, success in most.items()
    ]
    rows = {row.name: row for row in tasks._targets(every)}
    assert rows['mean success of co_train in 16 of 16 cells'].value == pytest.approx(70.0)
    assert rows['immimic_a − co_train'].met and rows['mean of immimic_a'].met
    assert rows['pick_place: immimic_a'].met is False  # 90 of 95
    # One of immimic_a is missing: no method counts there, and nothing is judged
    last = cell('flip', 'ability', 'immimic_a', 0.9)
    part = [cell('flip', 'ability', 'co_train', 0.0), *every[:-2]]
    rows = {row.name: row for row in tasks._targets(part)}
    assert rows['mean success of co_train in 15 of 16 cells'].value == pytest.approx(70.0)
    assert rows['immimic_a − co_train'].met is None
    assert rows['immimic_a − co_train'].target == '≥ 10'
    assert rows['pick_place: immimic_a'].met is False
    few = [r for r in every if r['cell']['hand'] != 'allegro']
    assert {row.met for row in tasks._targets(few)} == {None}
    assert tasks._targets([last]) == []


def test_robot_only_with_20_is_compared_with_immimic_a_of_the_same_hands():
    def cell(hand, method, robots, videos, success):
        shown = Cell('pick_place', hand, method, robots, videos)
        return {'cell': vars(shown), 'success': success}

    ours = [cell(h, 'immimic_a', 5, 100, 0.9) for h in settings.HANDS]
    many = [cell(h, 'robot_only', 20, 0, 0.7) for h in settings.HANDS]
    name = 'pick_place: immimic_a − robot_only with 20 demonstrations'

    def row(*results):
        return {row.name: row for row in tasks._targets(results)}.get(name)

    whole = row(*ours, *many)
    assert whole.value == pytest.approx(20.0) and whole.met is True and whole.target == '> 0'
    assert row(*ours, *many[:3], cell('ability', 'robot_only', 20, 0, 1.6)).met is False
    # Of the hands that have both, and not judged until all of them have
    strong = cell('robotiq_2f85', 'robot_only', 20, 0, 1.0)
    part = row(*ours, strong)
    assert part.value == pytest.approx(-10.0) and part.met is None
    part = row(ours[1], *many)
    assert part.value == pytest.approx(20.0) and part.met is None
    elsewhere = {'cell': vars(Cell('push', 'allegro', 'robot_only', 20, 0)), 'success': 0.0}
    assert row(*ours, elsewhere) is None and row(ours[0], *many[1:]) is None


def test_a_pair_of_another_robot_is_another_pair(monkeypatch):
    """What was measured before a change of the robot is not reported as of now."""
    before = pair_key('push', 'allegro', tasks.DATA)
    assert before == pair_key('push', 'allegro', tasks.DATA)
    depends = tasks._data_of('push', 'allegro')
    changed = replace(load_robot(settings.ARM, 'allegro'), urdf='<robot name="other"/>')
    for module in (tasks, kept_module):
        monkeypatch.setattr(module, 'load_robot', lambda *_: changed)
    assert pair_key('push', 'allegro', tasks.DATA) != before
    assert tasks._data_of('push', 'allegro') != depends


def test_demonstrations_of_scaling_cells_do_not_change_what_is_measured(monkeypatch, folder):
    """Retrieval and distances are of the table's demonstrations, however many there are."""
    depends = {}
    for count in (4, 5, 20):
        names = {'robot': ['x'] * count, 'human': ['x'] * 100}
        monkeypatch.setattr('mimic_dataset.parts.part_names', lambda _, d, names=names: names[d])
        depends[count] = tasks._data_of('push', 'allegro')
    assert depends[4] != depends[5] == depends[20]
    asked = []
    monkeypatch.setattr(retrieval, 'shown', lambda _, bags, *__: asked.append(bags) or iter(()))
    monkeypatch.setattr(collect, 'demonstrations', lambda _: [folder / str(n) for n in range(20)])
    monkeypatch.setattr(collect, 'videos', lambda _: [])
    retrieval.measure('push', 'allegro', DataSettings(), {})
    assert asked == [[folder / str(n) for n in range(settings.ROBOTS)]]


def test_pictures_of_the_first_bench_on_a_machine_have_a_folder(monkeypatch, folder):
    pictures, results = folder / 'pictures', folder / 'not' / 'there'
    pictures.mkdir(parents=True)
    (pictures / 'success.png').write_bytes(b'png')
    monkeypatch.setattr(tasks, 'PICTURES', pictures)
    monkeypatch.setattr(tasks, 'RESULTS', results)
    tasks._show_on_page([('push', 'allegro')])
    assert [file.name for file in results.iterdir()] == ['tasks.png']


def test_a_cell_that_fails_stops_no_other():
    stages = Stages(DataSettings(), 1, Console(quiet=True))
    bad, odd, good, dead = Future(), Future(), Future(), Future()
    bad.set_exception(CollectError('the loss is nan'))
    odd.set_exception(RuntimeError('out of memory'))
    good.set_result('key')
    dead.set_exception(BrokenProcessPool())
    stages._end_cell(bad, job())
    stages._end_cell(odd, job(cell=usual('push', 'ability', 'co_train')))
    stages._end_cell(good, job(seed=1))
    assert stages.failed == {
        'push-allegro-co_train-5r-100v': 'the loss is nan',
        'push-ability-co_train-5r-100v': "RuntimeError('out of memory')",
    }
    with pytest.raises(BrokenProcessPool):  # no cell can be done any more
        stages._end_cell(dead, job())


def test_a_process_that_dies_ends_it():
    """What multiprocessing's own pool waits for is waited for in vain."""
    assert sorted(collect.in_processes(abs, [-1, 2], 1)) == [1, 2]
    with pytest.raises(DatasetError, match='a worker died'):
        list(collect.in_processes(os._exit, [1], 1))


def record(folder, seed, success):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{seed}.json').write_text(json.dumps({'success': success, 'phases': []}))
    (folder / f'{seed}').mkdir(exist_ok=True)


def test_demonstrations_go_on_until_enough_succeeded():
    camera = CameraSettings()
    place = collect.robot_folder('push', 'allegro', camera)
    tried = []
    for turn in collect.robot_jobs('push', 'allegro', 3, camera):
        for one in turn:
            tried.append(one.seed - settings.ROBOT_SEEDS)
            record(place, one.seed, tried[-1] % 2 == 0)
    assert tried == [0, 1, 2, 3, 4]
    names = [int(bag.name) - settings.ROBOT_SEEDS for bag in collect.demonstrations(place)]
    assert names == [0, 2, 4]
    assert list(collect.robot_jobs('push', 'allegro', 3, camera)) == []


def test_a_task_that_nobody_can_do_ends():
    camera = CameraSettings()
    place = collect.robot_folder('push', 'allegro', camera)
    with pytest.raises(CollectError, match='push with allegro: 0 of 8 trials'):
        for turn in collect.robot_jobs('push', 'allegro', 2, camera):
            for one in turn:
                record(place, one.seed, False)


def test_cells_of_few_demonstrations_are_done_where_many_are_impossible(monkeypatch):
    """Twenty could not be made; five could, and those of five are not thrown away with them."""

    def trial(one):
        success = one.seed - settings.ROBOT_SEEDS < 6
        record(one.folder, one.seed, success)
        return success

    monkeypatch.setattr(collect, 'make_robot', trial)
    monkeypatch.setattr(collect, 'in_processes', lambda make, jobs, _: map(make, jobs))
    jobs = [job(cell=Cell('push', 'allegro', 'robot_only', n, 0)) for n in (1, 5, 10, 20)]
    jobs.append(job(cell=Cell('push', 'fin_ray', 'robot_only', 5, 0)))
    stages = Stages(DataSettings(), 1, Console(quiet=True))
    stages.demonstrate(jobs)
    assert stages.short == {('push', 'allegro'): 6}
    assert stages.possible(jobs) == [jobs[0], jobs[1], jobs[4]]


def test_videos_that_are_there_are_not_made_again(folder):
    camera = CameraSettings()
    first = collect.video_jobs('push', 3, camera)
    record(collect.video_folder('push', 'clean', camera), first[1].seed, True)
    left = collect.video_jobs('push', 3, camera)
    assert left == [first[0], first[2]]
    (first[1].folder / str(first[1].seed)).rmdir()  # a record without its bag
    assert collect.video_jobs('push', 3, camera) == first
    strange = collect.video_jobs('push', 3, camera, 'visual')
    assert not {j.seed for j in strange} & {j.seed for j in first}
    assert all(folder in j.folder.parents for j in first + strange)


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        ('{"success": true, "pha', 'is damaged: Unterminated string'),
        ('[]', 'is damaged: not a map'),
        ('{"phases": []}', 'success is None'),
        ('{"success": true, "phases": 3}', 'phases is 3'),
    ],
)
def test_a_damaged_record_is_named_and_its_trial_is_done_again(content, says):
    camera = CameraSettings()
    turn = next(collect.robot_jobs('push', 'allegro', 1, camera))
    place, seed = turn[0].folder, turn[0].seed
    record(place, seed, True)
    file = place / f'{seed}.json'
    file.write_text(content)
    with pytest.raises(CollectError) as error:
        collect.demonstrations(place)
    assert str(file) in str(error.value) and says in str(error.value)
    assert 'delete it, and the trial is done again' in str(error.value)
    file.unlink()
    assert next(collect.robot_jobs('push', 'allegro', 1, camera)) == turn


def test_a_damaged_measurement_is_named_and_made_anew(monkeypatch, folder):
    monkeypatch.setattr(tasks, '_MEASURED', folder / 'measured')
    assert tasks._once('distance', {}, lambda: 1.5, float) == 1.5
    (file,) = (folder / 'measured').iterdir()
    for content, says in (('{"val', 'Unterminated'), ('{}', "'value'"), ('{"value": []}', 'list')):
        file.write_text(content)
        with pytest.raises(ConfigError, match=f'{file}: damaged: .*{says}.*measured anew'):
            tasks._once('distance', {}, lambda: 2.5, float)
    file.unlink()
    assert tasks._once('distance', {}, lambda: 2.5, float) == 2.5


def test_a_forecast_learns_from_what_was_done():
    forecast = Forecast(2)
    forecast.plan('video', 10)
    assert forecast.seconds == pytest.approx(10 * PRIOR['video'] / 2)
    forecast.did('video', 4, 80.0)
    assert forecast.cost('video') == 20.0
    assert forecast.seconds == pytest.approx(6 * 20.0 / 2)
    forecast.drop('video', 5)
    assert forecast.seconds == pytest.approx(10.0)
    assert forecast.text == 'about 1 min to go'
    forecast.plan('step', 1e6)
    assert forecast.text.endswith('h to go')


def test_phases_in_frames_of_the_episode():
    truth = {
        'phases': [[0.0, 'rest'], [0.5, 'reach'], [1.5, 'grasp'], [2.0, 'lift'], [2.4, 'carry'],
                   [3.5, 'place'], [3.7, 'release'], [5.0, 'done']],
    }  # fmt: skip
    found = phases_of(truth, 0.3, 10.0, 40)
    assert found == {'reach': (2, 12), 'grasp': (12, 17), 'carry': (17, 32), 'place': (32, 40)}
    assert 'grasp' not in phases_of(truth, 1.7, 10.0, 40)  # three frames are no query


def walk(name, begin, colour):
    """Twenty frames in two phases; what is seen and done there depends on the phase."""
    phases = {'reach': (0, 8), 'grasp': (8, 20)}
    action = np.full((20, 7), begin)
    action[8:] += 0.5
    agent = np.zeros((20, 16, 16, 3), np.uint8)
    agent[8:] = colour
    shown = EpisodeArrays(
        name=name, task='push', arm='iiwa14', hand='one', domain='human', fps=10.0,
        stamps=np.arange(20) / 10.0, agent=agent, action=action, joint_names=('a',),
    )  # fmt: skip
    return Shown(shown, phases)


def test_phases_are_found_by_actions_and_by_sight():
    humans, robots = [walk('h', 0.0, 200)], [walk('r', 0.01, 200)]
    for scorer in (by_action, by_sight(thumbnail)):
        found = scorer(humans, robots)
        assert found.mapping == pytest.approx(1.0)


def test_where_no_phase_is_shown_by_both_there_is_no_overlap(monkeypatch, folder):
    """Not a mean of nothing, which is no number and no JSON."""
    human, robot = walk('h', 0.0, 200), walk('r', 0.0, 200)
    other = Shown(robot.episode, {'carry': (0, 20)})
    assert by_action([human], [other]) is None
    assert by_action([], [robot]) is None
    monkeypatch.setattr(retrieval, 'shown', lambda _, __, domain, ___: iter(
        [human] if domain == 'human' else [other]
    ))  # fmt: skip
    monkeypatch.setattr(retrieval, 'dataset_folder', lambda *_: folder)
    monkeypatch.setattr(collect, 'videos', lambda _: [folder])
    monkeypatch.setattr(collect, 'demonstrations', lambda _: [folder])
    assert retrieval.measure('push', 'allegro', DataSettings(), {'action': by_action}) == {}
    rows = tasks._retrieval_rows(('push', 'allegro'), {})
    assert [(row.name, row.value) for row in rows] == [
        ('push allegro: phases that can be looked up', 0)
    ]


def test_the_policys_own_features_are_compared_where_its_cell_is_done(monkeypatch, folder):
    encoding = pytest.importorskip('mimic_policy.encoding')
    measured = []

    def measure(task, hand, data, scorers, size):
        measured.append((tuple(scorers), size))
        return {'clean': {name: Overlaps(0.5, 0.4) for name in scorers}}

    monkeypatch.setattr(retrieval, 'measure', measure)
    monkeypatch.setattr(tasks, '_MEASURED', folder / 'measured')
    monkeypatch.setattr(tasks, 'FOLDER', folder)
    monkeypatch.setattr(encoding, 'encoder', lambda _: thumbnail)
    monkeypatch.setattr(encoding, 'picture_size', lambda _: (36, 48))
    policy = folder / 'runs' / 'x'
    policy.mkdir(parents=True)
    (policy / 'checkpoint.json').write_text('{}')
    cell = vars(settings.usual('pick_place', 'robotiq_2f85', 'co_train'))
    result = {'cell': cell, 'checkpoint': str(policy.relative_to(folder))}
    pair = 'pick_place', 'robotiq_2f85'
    assert tasks._eyes([], *pair) is None
    assert tasks._eyes([result], 'pick_place', 'allegro') is None
    eyes = tasks._eyes([result], *pair)
    assert eyes == policy
    without = tasks._overlaps(*pair, None)
    assert list(without['clean']) == ['action', 'thumbnail']
    table = tasks._overlaps(*pair, eyes)
    assert list(table['clean']) == ['action', 'thumbnail', tasks.OWN]
    assert measured[1] == ((tasks.OWN,), (36, 48))  # at the size that the policy sees
    tasks._overlaps(*pair, eyes)
    assert len(measured) == 2  # once for each checkpoint
    names = [row.name for row in tasks._retrieval_rows(pair, table)]
    assert "pick_place robotiq_2f85, clean videos: IoU by the policy's own features" in names


def test_an_error_is_one_sentence_and_the_last_result_stays(monkeypatch, tmp_path, capsys):
    """A disk that is full, say: no traceback, and no empty table over the last one."""

    def fail(*_):
        raise DatasetError('robot: cannot be written: no space left')

    monkeypatch.setattr(Stages, 'film', fail)
    monkeypatch.setattr(Stages, 'demonstrate', lambda *_: None)
    monkeypatch.setattr(harness, 'RESULTS', tmp_path / 'results')
    monkeypatch.setattr(sys, 'argv', ['bench', 'tasks', '--quick'])
    assert bench.main() == 2
    said = capsys.readouterr().err
    assert 'tasks: robot: cannot be written: no space left' in said
    assert 'the same command goes on' in said and 'Traceback' not in said
    assert not (tmp_path / 'results').exists()


def test_latents_are_left_out_where_policies_were_deleted(monkeypatch, folder, capsys):
    """To free the disk, say: the table is there all the same."""
    drawn = []

    def draw(task, hand, data, checkpoints, seed):
        drawn.append((task, hand, checkpoints))
        return Figure(), {'co_train': 0.1, 'immimic_a': 0.2}

    monkeypatch.setattr(tasks.latents, 'figure_of', draw)
    monkeypatch.setattr(tasks, 'FOLDER', folder)
    monkeypatch.setattr(tasks, 'PICTURES', folder / 'pictures')
    results = [
        {'cell': vars(usual('push', hand, method)), 'checkpoint': f'runs/{hand}-{method}'}
        for hand in ('allegro', 'ability')
        for method in ('co_train', 'immimic_a')
    ]
    console = Console(soft_wrap=True)
    assert tasks._latents(results, 0, console) == {} and drawn == []
    gone = str(folder / 'runs' / 'allegro-co_train')
    assert f'push allegro: no latents, {gone} is not there' in capsys.readouterr().out
    for result in results[1:]:  # not all of the first hand
        (folder / result['checkpoint']).mkdir(parents=True)
    assert list(tasks._latents(results, 0, console)) == [('push', 'ability')]
    assert [names[:2] for names in drawn] == [('push', 'ability')]


def test_how_mixed_two_domains_are():
    latents = pytest.importorskip('benchmarks.experiment.latents')
    rng = np.random.default_rng(0)
    share = np.zeros(200)
    apart = {
        'human': (rng.normal(0, 1, (200, 8)), share),
        'robot': (rng.normal(9, 1, (200, 8)), share),
    }
    assert latents.mixed(apart) == 0.0
    same = {name: (rng.normal(0, 1, (200, 8)), share) for name in ('human', 'robot')}
    assert latents.mixed(same) == pytest.approx(1.0, abs=0.1)
