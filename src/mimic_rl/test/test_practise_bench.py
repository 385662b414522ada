"""What `./mimic bench practise` makes of scores, without a training."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip('torch', reason='what learning needs is not installed')

from benchmarks import practise
from benchmarks.harness import Options
from mimic_core.errors import UnknownNameError
from mimic_description import load_robot
from mimic_rl.comparison import AWARE, CLONED, GATE, LATE, PHYSICS, STARTS, Row


def scored(**success):
    """Return rows of one method each, with its success in every setting [1]."""
    return [
        Row(met, method, rate, (0.0, 1.0), 0.0, 0.0, 0.0, 50)
        for met in (STARTS, PHYSICS, GATE, LATE)
        for method, rate in success.items()
    ]


def test_every_ablation_has_a_target():
    scores = scored(**{'learned': 0.8, AWARE: 0.1, CLONED: 0.3, 'fixed_target': 0.8})
    scores += scored(hand_reward=0.9)
    rows = practise.rated_rows('box', scores, ['fixed_target', 'hand_reward'], True)
    ablations = {
        r.name: r for r in rows if r.name.startswith('box: over ') and 'rep' not in r.name
    }
    assert [(r.target, r.met) for r in ablations.values()] == [('≥ 0', True), ('≥ 0', False)]
    even, worse = ablations.values()
    assert even.name == f'box: over fixed_target, {STARTS}' and even.value == pytest.approx(0.0)
    assert worse.name == f'box: over hand_reward, {STARTS}' and worse.value == pytest.approx(-10.0)
    assert set(practise.ABLATIONS) >= {'fixed_target', 'hand_reward'}


def test_targets_are_of_practice_and_of_the_gate():
    rows = practise.rated_rows('box', scored(**{'learned': 0.9, CLONED: 0.6}), [], True)
    targets = [r for r in rows if r.target is not None]
    assert [(r.target, r.met) for r in targets] == [('≥ 90', True)] * 2 + [('≥ 40', False)] * 2
    assert all(STARTS in r.name or GATE in r.name for r in targets)
    others = practise.rated_rows('plate', scored(learned=0.1), [], False)
    assert all(r.target is None for r in others)


def test_trainings_end_after_so_many_steps_or_minutes(monkeypatch, tmp_path):
    class Training:
        learner = SimpleNamespace(steps=0, seconds=0.0, processor=0.0)

        def run(self, steps, report):
            going = True
            while going and self.learner.steps < steps:
                self.learner.steps += practise.STEPS // 4
                self.learner.seconds += self.pace
                result = SimpleNamespace(steps=self.learner.steps, reward=0, level=0, episodes=0)
                going = report(result)

        def close(self):
            pass

    asked = []

    def opened(folder, name, values, **_):
        asked.append((name, values))
        return training

    monkeypatch.setattr(practise, 'open_training', opened)
    training = Training()
    training.pace = 70.0
    values = ('reward=hand',)
    options = Options(minutes=2.0)
    assert practise._train(tmp_path, 'hand', values, options)[2] == practise.STEPS // 2
    assert practise._train(tmp_path, 'hand', values, options)[2] == practise.STEPS // 2
    assert asked == 2 * [('hand', (*practise.METHOD, 'reward=hand'))]
    training.pace = 1.0
    for _ in range(2):  # the second one has nothing left to do
        spent, _, steps = practise._train(tmp_path, 'hand', values, Options(minutes=60.0))
        assert steps == practise.STEPS and spent == pytest.approx(142.0 / 60.0)


def test_a_name_that_is_mistyped_trains_nothing(monkeypatch):
    monkeypatch.setattr(practise, '_measure', None)
    with pytest.raises(UnknownNameError, match=r"'box_puhs'\. Did you mean 'box_push'"):
        practise.run(Options(only=('allegro', 'box_puhs')))


def test_scores_are_of_the_code_and_the_robot_of_today(monkeypatch, tmp_path):
    """Also of packages that practice uses by way of others, and of the files of the robot."""
    rows, calls = scored(learned=0.9), []

    def compare(*_, keep, **__):
        calls.append(keep)
        for count in range(1, len(rows) + 1):
            keep(rows[:count])
        return rows

    def compared():
        return practise._compared(tmp_path, 'allegro', [], 10, {'training': 7})

    monkeypatch.setattr(practise.comparison, 'compare', compare)
    package = tmp_path / 'src/mimic_retargeting/mimic_retargeting'
    package.mkdir(parents=True)
    monkeypatch.setattr(practise, 'ROOT', tmp_path)
    for _ in range(2):
        assert [(row.met, row.success) for row in compared()] == [(r.met, 0.9) for r in rows]
    assert len(calls) == 1
    (package / 'solver.py').write_text('other = True')
    compared()
    assert len(calls) == 2
    changed = replace(load_robot('iiwa14', 'allegro'), urdf='<robot name="other"/>')
    monkeypatch.setattr(practise, 'load_robot', lambda *_: changed)
    compared()
    assert len(calls) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ['scores.json', 'src']


def test_an_evaluation_that_is_stopped_keeps_its_rows(monkeypatch, tmp_path):
    def compare(*_, keep, **__):
        keep(scored(learned=0.9)[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(practise.comparison, 'compare', compare)
    with pytest.raises(KeyboardInterrupt):
        practise._compared(tmp_path, 'allegro', [], 10, {})
    (file,) = tmp_path.iterdir()
    assert file.name == 'scores.part.json' and len(json.loads(file.read_text())['rows']) == 2
