"""`bench policy_launch` without a graph: which policy, when a start is over, what is compared."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workspace import ROOT

from benchmarks import policy_launch
from benchmarks.experiment.settings import usual
from benchmarks.policy_launch import FIRST_CHUNK, Judge, Trial, chosen, compare, finished, line
from benchmarks.processes import read
from mimic_core.errors import ConfigError, UnknownNameError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_launch, 'FOLDER', tmp_path)
    return tmp_path


def result(method='immimic_a', date='2026-01-01', *, hand='robotiq_2f85', **changes):
    cell = vars(usual('pick_place', hand, method)) | changes.pop('cell', {})
    return {'cell': cell, 'seed': 0, 'date': date, 'checkpoint': f'runs/{method}'} | changes


def test_the_newest_cell_of_the_method_that_is_wanted_most():
    old, new, other = result(date='1'), result(date='2'), result('co_train', '3')
    assert chosen([old, new, other]) is new
    assert chosen([other]) is other
    assert chosen([old, new, other], ['co_train']) is other
    assert chosen([other, old], ['co_train', 'immimic_a']) is other  # in the order of the names
    allegro = result(hand='allegro')
    assert chosen([old, allegro], ['allegro']) is allegro


def test_cells_beside_the_table_and_of_other_starts_are_not_taken():
    few = result(date='9', cell={'robots': 1})
    other = result(date='9', seed=1)
    usual_one = result(date='1')
    assert chosen([few, other, usual_one]) is usual_one
    assert chosen([few, other, usual_one], seed=1) is other


def test_without_a_cell_the_error_says_what_to_do():
    with pytest.raises(ConfigError, match=r'immimic_a or co_train .*bench tasks --quick first'):
        chosen([result('robot_only')])
    with pytest.raises(ConfigError, match='--quick --seed 1 --only push ability immimic_v first'):
        chosen([result()], ['push', 'ability', 'immimic_v'], 1)
    with pytest.raises(UnknownNameError, match='allegro'):
        chosen([result()], ['alegro'])


def test_a_cell_counts_when_it_is_whole_and_its_checkpoint_is_there(folder):
    assert finished() == []
    (folder / 'cells').mkdir()
    (folder / 'runs/immimic_a').mkdir(parents=True)
    for name, text in (
        ('whole', json.dumps(result())),
        ('deleted', json.dumps(result('co_train'))),
        ('half', json.dumps(result())[:-9]),
    ):
        (folder / f'cells/{name}.json').write_text(text)
    assert finished() == [result()]


def heard(*times_and_tests, longest=25.0):
    judge = Judge(longest)
    over = [judge.hear(time, holds) for time, holds in times_and_tests]
    return judge, over


def test_success_is_a_test_that_holds_for_half_a_second():
    judge, over = heard((1.0, False), (2.0, True), (2.4, True), (2.5, True))
    assert over == [False, False, False, True] and judge.success and judge.duration == 2.0
    # What holds and stops is none, until it holds anew
    judge, over = heard((2.0, True), (2.4, False), (2.6, True), (3.0, True), (3.2, True))
    assert over == [False] * 4 + [True] and judge.duration == 2.6
    # One that begins at the end is none, as in a rollout
    judge, over = heard((24.8, True), (25.0, True))
    assert over == [False, True] and not judge.success and judge.duration == 25.0


def trial(seed, success, *, duration=10.0, reasons=(FIRST_CHUNK,), **changes):
    given = {
        'ended': '', 'holds': len(reasons), 'reasons': frozenset(reasons), 'gaps': 0,
        'inference': (0.04, 0.06), 'latency': (0.1,), 'real_time': 0.9,
    }  # fmt: skip
    return Trial(seed, success, duration, **(given | changes))


def rollouts(successes):
    return [
        {'seed': s, 'success': x, 'duration': 8.0, 'holds': 1} for s, x in enumerate(successes)
    ]


def rows_of(trials, headless):
    return {row.name: row for row in compare(trials, headless)}


def test_equal_success_overlaps_and_says_which_starts_differ():
    trials = [trial(s, s != 0) for s in range(20)]
    rows = rows_of(trials, rollouts([s != 1 for s in range(20)]))
    assert rows['launch: success of 20'].value == rows['headless: success of 20'].value == 95.0
    assert rows['launch: Wilson 95 %, from'].value == pytest.approx(76.4, abs=0.1)
    assert rows['launch − headless'].value == 0.0
    assert rows['starts that end alike, of 20'].value == 18
    assert rows['overlap of the intervals'].met and rows['overlap of the intervals'].value > 20
    assert rows['launch: time of a success, median'].value == 10.0
    assert rows['headless: time of a success, median'].value == 8.0
    assert [name for name, row in rows.items() if row.met is not None] == [
        'overlap of the intervals'
    ]


def test_other_success_misses_the_target_in_either_direction():
    many, few = [True] * 18 + [False] * 2, [True] * 6 + [False] * 14
    for ours, theirs in ((few, many), (many, few)):
        row = rows_of([trial(s, x) for s, x in enumerate(ours)], rollouts(theirs))[
            'overlap of the intervals'
        ]
        assert row.met is False and row.value == pytest.approx(51.9 - 69.9, abs=0.1)


def test_what_may_explain_a_difference():
    trials = [
        trial(0, False, reasons=(FIRST_CHUNK, 'inference is late: # s (bound # s)'), gaps=3),
        trial(1, False, ended='mode policy was left', inference=(), latency=(), real_time=0.4),
    ]
    rows = rows_of(trials, rollouts([True, False]))
    assert rows['launch: holds in a start, mean'].value == 1.5
    assert rows['headless: holds in a start, mean'].value == 1.0
    assert rows['launch: starts with a hold after the first chunk'].value == 1
    assert rows['launch: runs that ended before their time'].value == 1
    assert rows['launch: gaps between commands'].value == 3
    assert rows['launch: real time in the slowest second'].value == 0.4
    assert rows['launch: inference, median'].value == pytest.approx(50.0)
    assert 'launch: time of a success, median' not in rows  # there was none
    rows = rows_of([trials[1]], [rollouts([False, False])[1]])
    assert 'launch: inference, median' not in rows


def test_the_line_of_a_start():
    text = line(2, 6, trial(400001, True), rollouts([False])[0])
    assert text == (
        '2 of 6, seed 400001: success after 10.0 s · headless: no success · holds: 1 · '
        'inference: 50 ms · real time: 0.90'
    )
    assert line(1, 1, trial(0, False, ended='cancelled'), rollouts([True])[0]).endswith(
        'the run ended: cancelled'
    )


def test_the_graph_does_not_outlive_a_bench_that_is_killed():
    """Not even by SIGKILL, which leaves nobody to clean up."""
    code = (
        'import subprocess, time\n'
        'from benchmarks.policy_launch import _outlived_by_nobody\n'
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        'with _outlived_by_nobody(child):\n'
        '    print(child.pid, flush=True)\n'
        '    time.sleep(60)\n'
    )
    path = os.pathsep.join([str(ROOT), *(p for p in sys.path if p)])
    bench = subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, env=os.environ | {'PYTHONPATH': path}
    )
    pid = int(bench.stdout.readline())
    bench.send_signal(signal.SIGKILL)
    bench.wait()
    end = time.monotonic() + 20.0
    while _runs(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid):
    """Tell whether a process is there and no zombie."""
    state = read(Path(f'/proc/{pid}/stat')).rpartition(')')[2].split()
    return bool(state) and state[0] != 'Z'
