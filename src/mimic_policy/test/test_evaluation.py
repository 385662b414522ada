import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from scripted_policy import damaged, dies, stays_home

from mimic_core.errors import ConfigError
from mimic_policy.evaluation import EvaluationError, digest, evaluate
from mimic_policy.rollout import RolloutParams
from mimic_sim.tasks import task_class

SHORT = RolloutParams('pick_place', 0, longest=0.6)


def loaded_again():
    raise AssertionError('nothing was left to do')


@pytest.fixture(scope='module')
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp('once')
    return evaluate(stays_home, SHORT, [3, 5], folder), folder


@pytest.fixture
def finished(once, tmp_path: Path):
    shutil.copytree(once[1], tmp_path / 'out')
    return once[0], tmp_path / 'out'


def test_results_and_their_files(finished):
    result, folder = finished
    assert [rollout.seed for rollout in result.rollouts] == [3, 5]
    assert result.successes == 0 and result.rollouts[0].duration == pytest.approx(0.6, abs=0.02)
    summary = json.loads((folder / 'summary.json').read_text())
    assert summary == result.as_map()
    assert summary['success'] == 0.0 and summary['success_high'] == pytest.approx(0.66, abs=0.01)
    names = ['rollout_000003.json', 'rollout_000005.json', 'settings.json', 'summary.json']
    assert sorted(path.name for path in folder.iterdir()) == names


def test_what_is_there_is_not_done_again(finished):
    result, folder = finished
    seen = []
    again = evaluate(loaded_again, SHORT, [3, 5], folder, progress=seen.append)
    assert [r.as_map() for r in again.rollouts] == [r.as_map() for r in result.rollouts]
    assert len(seen) == 2


def test_other_settings_are_refused(finished):
    _, folder = finished
    other = dataclasses.replace(SHORT, delay=0.3)
    with pytest.raises(EvaluationError, match=r'settings\.json: delay is 0\.1, now it is 0\.3'):
        evaluate(stays_home, other, [3], folder)
    with pytest.raises(EvaluationError, match='policy is'):
        evaluate(stays_home, SHORT, [3], folder, policy_digest='another')


def test_without_another_word_the_time_is_that_of_the_task(tmp_path, monkeypatch):
    """A limit that was changed is another evaluation."""
    task = task_class('pick_place')
    monkeypatch.setattr(task, 'time_limit', 0.3)
    params = RolloutParams('pick_place', 0)
    (rollout,) = evaluate(stays_home, params, [3], tmp_path).rollouts
    assert rollout.duration == pytest.approx(0.3, abs=0.02)
    monkeypatch.setattr(task, 'time_limit', 0.5)
    with pytest.raises(EvaluationError, match=r'longest is 0\.3, now it is 0\.5'):
        evaluate(loaded_again, params, [3], tmp_path)


CUBE = {
    'format': 'mimic task', 'version': 1, 'name': 'cube', 'thing': 'cube', 'mass': 0.1,
    'parts': [{'form': 'box', 'size': [0.04, 0.04, 0.04]}], 'friction': 1.0, 'fixtures': [],
    'starts': [[0.5, 0.0, 0.02, 0, 0, 0, 1]], 'target': [0.5, 0.1, 0.02, 0, 0, 0, 1], 'axes': [],
    'near': 0.03, 'turned': 0.3,
}  # fmt: skip
PY_TASK = """
from mimic_sim.tasks.push import Push
class Mine(Push):
    name = 'my_push'
"""


def test_the_file_of_a_task_of_ones_own_is_that_of_then(tmp_path, monkeypatch):
    monkeypatch.setenv('MIMIC_TASK_PATH', str(tmp_path / 'tasks'))
    (tmp_path / 'tasks').mkdir()
    files = {
        str(tmp_path / 'cube.json'): tmp_path / 'cube.json',
        'my_push': tmp_path / 'tasks/mine.py',
    }
    for task, text, place in zip(files, (json.dumps(CUBE), PY_TASK), 'ab', strict=True):
        file, params = files[task], RolloutParams(task, 0, longest=0.2)
        file.write_text(text)
        first = evaluate(stays_home, params, [3], tmp_path / place)
        again = evaluate(loaded_again, params, [3], tmp_path / place)
        assert again.as_map() == first.as_map()
        file.write_text(text + '\n')
        with pytest.raises(
            EvaluationError, match=r'settings\.json: task_file is .*another folder'
        ):
            evaluate(loaded_again, params, [3], tmp_path / place)


def test_results_whose_settings_are_not_known_are_none(finished, tmp_path):
    """A folder without results, as after a policy that could not be loaded, is taken over."""
    _, folder = finished
    (folder / 'settings.json').write_text('{')
    with pytest.raises(EvaluationError, match=r'settings\.json is damaged.*give another folder'):
        evaluate(loaded_again, SHORT, [3], folder)
    (folder / 'settings.json').unlink()
    with pytest.raises(EvaluationError, match=r'settings\.json is missing.*another folder'):
        evaluate(loaded_again, SHORT, [3], folder)
    with pytest.raises(ConfigError, match='damaged'):
        evaluate(damaged, SHORT, [3], tmp_path / 'new')
    assert evaluate(stays_home, SHORT, [3], tmp_path / 'new', policy_digest='mended').rollouts


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        ('{"seed": 3', 'damaged'),
        ('[]', 'not a map'),
        ('{}', 'seed is missing'),
        ({'success': 'no'}, "success = 'no' is wrong"),
        ({'duration': None}, 'duration = None is wrong'),
        ({'seed': 5}, 'seed = 5 is another one'),
    ],
)
def test_damaged_results_are_named(finished, content, text):
    _, folder = finished
    file = folder / 'rollout_000003.json'
    if isinstance(content, dict):
        content = json.dumps(json.loads(file.read_text()) | content)
    file.write_text(content)
    with pytest.raises(EvaluationError, match=text) as caught:
        evaluate(stays_home, SHORT, [3, 5], folder)
    assert str(file) in str(caught.value)


def test_a_full_disk_keeps_what_is_finished(finished, monkeypatch):
    _, folder = finished
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(EvaluationError, match=r'rollout_000007\.json.*No space left'):
        evaluate(stays_home, SHORT, [3, 5, 7], folder)
    monkeypatch.undo()
    assert before.items() <= {path.name: path.read_bytes() for path in folder.iterdir()}.items()
    assert len(evaluate(stays_home, SHORT, [3, 5, 7], folder).rollouts) == 3


def test_a_killed_evaluation_goes_on(tmp_path: Path):
    code = (
        f'import sys; sys.path[:0] = {sys.path!r}\n'
        'from pathlib import Path\n'
        'from scripted_policy import dies, stays_home\n'
        'from mimic_policy.evaluation import evaluate\n'
        'from mimic_policy.rollout import RolloutParams\n'
        "evaluate(stays_home, RolloutParams('pick_place', 0, longest=0.6), range(50), "
        'Path(sys.argv[1]))\n'
    )
    process = subprocess.Popen([sys.executable, '-c', code, str(tmp_path)])
    deadline = time.monotonic() + 60.0
    while len(list(tmp_path.glob('rollout_*.json'))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = (tmp_path / 'rollout_000000.json').stat().st_mtime_ns
    result = evaluate(stays_home, SHORT, range(4), tmp_path)
    assert len(result.rollouts) == 4
    assert (tmp_path / 'rollout_000000.json').stat().st_mtime_ns == first


def test_two_processes_give_what_one_gives(finished, tmp_path: Path):
    result, _ = finished
    both = evaluate(stays_home, SHORT, [3, 5], tmp_path / 'two', processes=2, video=True)
    assert [r.as_map() for r in both.rollouts] == [r.as_map() for r in result.rollouts]
    with av.open(str(tmp_path / 'two' / 'rollout_000003.mp4')) as file:
        assert sum(1 for _ in file.decode(video=0)) == 6


def test_a_process_that_dies_is_said_and_what_is_finished_stays(finished):
    result, folder = finished
    with pytest.raises(EvaluationError, match=r'a process died .*; finished rollouts stay'):
        evaluate(dies, SHORT, [3, 5, 7, 9], folder, processes=2)
    again = evaluate(loaded_again, SHORT, [3, 5], folder)
    assert [r.as_map() for r in again.rollouts] == [r.as_map() for r in result.rollouts]


def test_what_cannot_be_loaded_is_said_whatever_the_processes(tmp_path: Path):
    for processes in (1, 2):
        with pytest.raises(ConfigError, match=r'weights\.safetensors: damaged'):
            evaluate(damaged, SHORT, [3, 5], tmp_path, processes=processes)


def test_a_video_that_is_wanted_later_is_made_then(finished):
    result, folder = finished
    (folder / 'rollout_000005.mp4').write_text('was made')
    seen = []
    again = evaluate(stays_home, SHORT, [3, 5], folder, video=True, progress=seen.append)
    assert [r.as_map() for r in again.rollouts] == [r.as_map() for r in result.rollouts]
    assert [rollout.seed for rollout in seen] == [5, 3]  # 5 has its video
    with av.open(str(folder / 'rollout_000003.mp4')) as file:
        assert sum(1 for _ in file.decode(video=0)) == 6
    evaluate(loaded_again, SHORT, [3, 5], folder, video=True)
    assert not list(folder.glob('*.part'))


def test_a_digest_tells_files_apart(tmp_path: Path):
    (tmp_path / 'a').write_text('1')
    (tmp_path / 'b').write_text('2')
    assert digest(tmp_path / 'a') != digest(tmp_path / 'b') == digest(tmp_path / 'b')
    with pytest.raises(EvaluationError, match='cannot be read'):
        digest(tmp_path / 'c')
