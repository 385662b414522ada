"""The cells of `bench tasks` whose policies see a part of the agent view."""

from dataclasses import replace

import pytest

from benchmarks import tasks
from benchmarks.experiment import figures, settings
from benchmarks.experiment.cells import CellJob
from benchmarks.experiment.settings import DataSettings, RolloutSettings, TrainSettings, cells_of
from mimic_core.errors import ConfigError

NEAR = cells_of(False, only=(settings.NEAR,))
MOST = settings.ROBOT_COUNTS[-1]
TABLE = [c for c in NEAR if c.robots != MOST]
WHOLE = settings.usual('pick_place', 'allegro', 'co_train')


def result(cell, success):
    return {
        'cell': vars(cell), 'success': success, 'success_low': success, 'success_high': success
    }  # fmt: skip


def test_the_near_view_has_the_tables_cells_of_the_first_task():
    assert {(c.hand, c.method) for c in TABLE} == {
        (h, m) for h in settings.HANDS for m in settings.BASE_METHODS
    }
    assert all(replace(c, near=False) == settings.usual(c.task, c.hand, c.method) for c in TABLE)
    more = [replace(c, near=False) for c in NEAR if c not in TABLE]
    assert more == [
        settings.Cell('pick_place', hand, 'robot_only', MOST, 0) for hand in settings.HANDS
    ]
    assert [c for c in cells_of(False) if c.near] == cells_of(True, only=(settings.NEAR,)) == NEAR
    assert not any(c.near for c in cells_of(False, only=('pick_place',)))
    with pytest.raises(ConfigError, match='--only near scaling: none is of both'):
        cells_of(False, only=(settings.SCALING, settings.NEAR))
    (one,) = cells_of(False, only=(settings.NEAR, 'allegro', 'co_train'))
    assert one == replace(WHOLE, near=True) and one.name == f'{WHOLE.name}-near'


def test_a_near_cell_is_another_training():
    jobs = [
        CellJob(cell, DataSettings(), TrainSettings(100), 0, RolloutSettings())
        for cell in (WHOLE, replace(WHOLE, near=True))
    ]
    keys = [job.key.rsplit('-', 1)[1] for job in jobs]
    assert keys[0] != keys[1] and jobs[0].run != jobs[1].run


def test_what_is_measured_of_videos_is_measured_for_the_tables_cells_alone():
    assert tasks._films(NEAR, False) == {('pick_place', 'clean'): settings.VIDEOS}
    assert len(tasks._films([*NEAR, WHOLE], False)) == 3


def test_the_table_is_judged_with_the_near_view_too_once_all_of_it_is_there():
    table = [
        result(settings.usual(t, h, m), 0.5)
        for t in settings.TASKS
        for h in settings.HANDS
        for m in settings.BASE_METHODS
    ]
    near = [result(c, 1.0 if c.method == 'immimic_a' else 0.5) for c in TABLE]
    rows = {row.name: row for row in tasks._targets([*table, *near])}
    assert rows['mean of immimic_a'].value == 50.0
    assert rows['mean of immimic_a; pick_place near'].value == 62.5
    assert rows['pick_place: immimic_a; pick_place near'].met is True
    assert rows['pick_place: immimic_a'].met is False
    part = tasks._targets([*table, *near[1:]])
    assert not any('near' in row.name for row in part)
    assert tasks._targets(near[1:]) == []


def test_more_demonstrations_are_compared_with_what_sees_the_same():
    name = f'pick_place: immimic_a − robot_only with {MOST} demonstrations'
    table = [
        result(replace(c, near=near), 1.0 if near else 0.5)
        for c in TABLE
        for near in (True, False)
    ]
    more = [c for c in NEAR if c not in TABLE]
    rows = {row.name: row for row in tasks._targets([*table, *(result(c, 0.75) for c in more)])}
    assert name not in rows  # nobody with all of the view was trained on as many
    assert (rows[f'{name}; pick_place near'].value, rows[f'{name}; pick_place near'].met) == (
        25.0, True
    )  # fmt: skip
    more = [*(result(replace(c, near=False), 0.75) for c in more), result(more[0], 0.5)]
    rows = {row.name: row for row in tasks._targets([*table, *more])}
    assert (rows[name].value, rows[name].met) == (-25.0, False)
    assert (rows[f'{name}; pick_place near'].value, rows[f'{name}; pick_place near'].met) == (
        50.0, None
    )  # fmt: skip


def test_near_cells_have_a_panel_of_their_own():
    few = [result(c, 0.5) for c in NEAR if c.hand in ('allegro', 'ability')]
    panels = figures.draw_success([*few, result(WHOLE, 0.25)]).axes
    assert [axes.get_title() for axes in panels] == ['pick_place', 'pick_place, near view']
    assert [len(axes.patches) for axes in panels] == [1, 6]
    table = result(settings.usual('pick_place', 'allegro', 'immimic_a'), 0.25)
    left, right = figures.draw_scaling([*few, table]).axes
    assert not left.lines and [line.get_ydata().tolist() for line in right.lines] == [[0.25]]
