import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from mimic_core.errors import ConfigError, LimitError, NotFiniteError, UnknownNameError  # noqa: E402
from mimic_rl import Practice, load_run, practise, robot_synergies, save_run  # noqa: E402
from mimic_rl.comparison import GATE, PHYSICS, STARTS, compare  # noqa: E402
from mimic_rl.params import LearningParams, RandomisationParams  # noqa: E402
from mimic_rl.policy import load_practice_policy  # noqa: E402
from mimic_rl.shown import show  # noqa: E402

TINY = [
    'environments=4', 'horizon=8', 'layers=[16]', 'memory=8', 'critic_layers=[16]',
    'minibatches=2',
]  # fmt: skip


def _call(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['practise', *map(str, words)])
    practise.main()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A run folder with a short training of the gripper, made by the command line."""
    path = tmp_path_factory.mktemp('run')
    with pytest.MonkeyPatch.context() as monkeypatch:
        before = torch.get_num_threads()
        _call(monkeypatch, 'draft', path, '--task', 'box_push', '--hand', 'robotiq_2f85')
        values = [word for text in TINY for word in ('--set', text)]
        _call(
            monkeypatch, 'train', path, '--steps', 64, '--threads', 1, '--film-every', 0, *values
        )
        torch.set_num_threads(before)
    return path


def test_a_training_by_the_command_line(folder):
    run = load_run(folder)
    assert (run.arm, run.hand, run.task) == ('iiwa14', 'robotiq_2f85', 'box_push')
    assert (folder / 'training' / 'policy' / 'tensors.safetensors').is_file()
    settings = json.loads((folder / 'training' / 'settings.json').read_text())
    assert settings['learning']['environments'] == 4
    assert list((folder / 'training' / 'events').iterdir())


def test_the_policy_of_a_robot_does_what_the_trained_one_does(folder):
    """Step by step, without noise, as in the environment that it was trained in."""
    run = load_run(folder)
    policy = load_practice_policy(folder)
    names = RandomisationParams.__dataclass_fields__
    still = RandomisationParams(**{n: 0 if n.endswith('delay') else 0.0 for n in names})
    from mimic_rl.checkpoint import load_actor, load_settings
    from mimic_rl.evaluation import Learned

    settings = load_settings(folder / 'training')
    practice = Practice(
        run, settings.synergies, count=1, threads=1, randomisation=still, params=settings.practice
    )
    act = Learned(load_actor(folder / 'training'))
    policy.reset(practice.q[0])
    for _ in range(30):
        q, speed, pose = practice.q[0], practice.q_speed[0], practice.pose[0]
        targets = policy.step(q, speed, pose)
        act(practice)
        np.testing.assert_allclose(targets, practice.motion.q[0], atol=1e-6)
    assert not policy.done
    with pytest.raises(NotFiniteError, match='pose of the object'):
        policy.step(q, speed, np.full(7, np.nan))


def test_the_start_is_beside_the_object(folder):
    policy = load_practice_policy(folder)
    shown = policy.run.trajectory[0]
    robot = policy.robot
    nominal = robot.fk(policy.start_beside(shown), 'palm')
    np.testing.assert_allclose(nominal, robot.fk(policy.start, 'palm'), atol=2e-3)
    moved = shown.copy()
    moved[:2] += [0.05, -0.04]
    palm = robot.fk(policy.start_beside(moved), 'palm')
    np.testing.assert_allclose(palm[:3, 3] - nominal[:3, 3], [0.05, -0.04, 0.0], atol=2e-3)
    turned = shown.copy()
    turned[3:] = [0.0, 0.0, np.sin(0.15), np.cos(0.15)]
    palm = robot.fk(policy.start_beside(turned), 'palm')
    turn = palm[:3, :3] @ nominal[:3, :3].T
    assert np.arctan2(turn[1, 0], turn[0, 0]) == pytest.approx(0.3, abs=5e-3)
    far = shown.copy()
    far[0] = 2.0
    with pytest.raises(LimitError, match='no posture reaches the start beside'):
        policy.start_beside(far)


def test_a_policy_is_of_the_run_as_it_was_practised(folder, tmp_path):
    other = show('plate_push', 'iiwa14', 'robotiq_2f85')  # two anchors instead of three
    save_run(other, tmp_path)
    shutil.copytree(folder / 'training', tmp_path / 'training')
    shutil.copy(folder / 'box.obj', tmp_path)  # the mesh of what was practised
    assert load_practice_policy(tmp_path).run.task == 'box_push'
    (tmp_path / 'training' / 'run.json').write_text((tmp_path / 'run.json').read_text())
    with pytest.raises(ConfigError, match='training: the policy sees'):
        load_practice_policy(tmp_path)
    (tmp_path / 'training' / 'run.json').unlink()
    with pytest.raises(ConfigError, match='training is no run folder'):
        load_practice_policy(tmp_path)


def test_comparison_has_a_row_for_each_method_and_setting(folder, monkeypatch):
    monkeypatch.setattr('mimic_rl.comparison._CLONED_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.comparison._CLONING_STEPS', 5)
    told = []
    rows = compare(
        folder, ablations=['training'], episodes=2, threads=1,
        watch=lambda *what: told.append(what),
    )  # fmt: skip
    assert [done for _, done, _ in told] == list(range(len(rows) + 1))
    assert {total for *_, total in told[1:]} == {len(rows)}
    methods = ['learned', 'replay', 'object-aware replay', 'cloned', 'training']
    assert [(r.met, r.method) for r in rows] == [
        *((m, n) for m in (STARTS, PHYSICS) for n in methods),
        *((GATE, n) for n in methods[:-1]),
    ]
    for row in rows:
        assert row.episodes == 2
        assert 0.0 <= row.interval[0] <= row.success <= row.interval[1] <= 1.0
    # The same starts for the same seed: the training is the learned one once more.
    assert rows[0].distance == rows[4].distance
    shutil.copytree(folder / 'training', folder / 'other')
    try:
        run = load_run(folder)
        save_run(dataclasses.replace(run, task='else'), folder / 'other')
        with pytest.raises(ConfigError, match='other: it practised another run than training'):
            compare(folder, ablations=['other'], episodes=2, threads=1, gate=False)
    finally:
        shutil.rmtree(folder / 'other')


def test_an_evaluation_tells_how_far_it_is_where_no_terminal_is(folder, monkeypatch, capsys):
    monkeypatch.setattr('mimic_rl.comparison._CLONED_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.comparison._CLONING_STEPS', 5)
    _call(monkeypatch, 'evaluate', folder, '--episodes', 1, '--threads', 1, '--no-gate')
    (folder / 'evaluation-training.json').unlink()
    said = capsys.readouterr()
    assert 'of 8' not in said.out and '8 of 8, ' in said.err
    assert said.err.splitlines()[0] == 'cloning what replays do'
    assert said.err.splitlines()[1].startswith(f'1 of 8, {STARTS}, learned: ')


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        (['horizon=0'], 'horizon'),
        (['start=sideways'], 'start'),
        (['palm_speed=fast'], 'palm_speed'),
    ],
)
def test_wrong_settings_are_named(values, words):
    with pytest.raises(ConfigError, match=words):
        practise.settings_from(values)


def test_settings_of_every_group():
    groups = practise.settings_from(['horizon=4', 'xy=0.02', 'hold=3', 'layers=[8, 8]'])
    assert groups['learning'] == LearningParams(horizon=4, layers=(8, 8))
    assert groups['randomisation'].xy == 0.02 and groups['practice'].hold == 3
    with pytest.raises(UnknownNameError, match='horizn'):
        practise.settings_from(['horizn=4'])


def test_errors_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match='is no run folder'):
        _call(monkeypatch, 'train', tmp_path)
    with pytest.raises(SystemExit, match='unknown arm'):
        _call(monkeypatch, 'draft', tmp_path, '--arm', 'nothing')


def test_synergies_of_a_gripper_are_its_joint():
    run = show('box_push', 'iiwa14', 'robotiq_2f85')
    assert robot_synergies(run.robot()).components.tolist() == [[1.0]]
