import dataclasses
import json
import re
import shutil
import sys

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from rich.console import Console  # noqa: E402
from small_training import call  # noqa: E402

from mimic_core.errors import ConfigError, LimitError, NotFiniteError  # noqa: E402
from mimic_rl import Practice, load_run, practise, robot_synergies, save_run  # noqa: E402
from mimic_rl.checkpoint import (  # noqa: E402
    Settings,
    load_actor,
    load_level,
    load_settings,
)
from mimic_rl.comparison import (  # noqa: E402
    AWARE,
    GATE,
    LATE,
    PHYSICS,
    REPLAY,
    STARTS,
    Row,
    compare,
)
from mimic_rl.evaluation import OUTSIDE, evaluate  # noqa: E402
from mimic_rl.params import (  # noqa: E402
    IMITATING,
    LearningParams,
    PracticeParams,
    RandomisationParams,
)
from mimic_rl.policy import PracticePolicy, ReplayPolicy, load_practice_policy  # noqa: E402
from mimic_rl.run_folder import WrongRobotError  # noqa: E402
from mimic_rl.runner_loading import load_runner  # noqa: E402
from mimic_rl.runner_params import PracticeNodeParams  # noqa: E402
from mimic_rl.shown import show  # noqa: E402
from mimic_rl.starts import places_around  # noqa: E402

TINY = [
    'environments=4', 'horizon=8', 'layers=[16]', 'memory=8', 'critic_layers=[16]',
    'minibatches=2',
]  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A run folder with a short training of the gripper, made by the command line."""
    path = tmp_path_factory.mktemp('run')
    with pytest.MonkeyPatch.context() as monkeypatch:
        before = torch.get_num_threads()
        call(monkeypatch, 'draft', path, '--task', 'box_push', '--hand', 'robotiq_2f85')
        values = [word for text in TINY for word in ('--set', text)]
        call(monkeypatch, 'train', path, '--steps', 64, '--threads', 1, '--film-every', 0, *values)
        torch.set_num_threads(before)
    return path


def test_a_draft_spares_the_run_of_another_robot(folder, tmp_path, monkeypatch, capsys):
    before = (folder / 'run.json').read_text()
    assert call(monkeypatch, 'draft', folder, '--hand', 'allegro') == 2
    said = capsys.readouterr().err
    assert f'{folder}: the run is of iiwa14 with robotiq_2f85, not of' in said
    assert said.endswith(': choose another folder\n')
    assert (folder / 'run.json').read_text() == before
    (tmp_path / 'notes.txt').write_text('mine')
    assert call(monkeypatch, 'draft', tmp_path) == 2
    assert 'holds something else than a run' in capsys.readouterr().err


def test_a_draft_that_was_killed_or_did_not_fit_is_made_anew(tmp_path, monkeypatch, capsys):
    command = ['draft', tmp_path, '--hand', 'robotiq_2f85']
    (tmp_path / 'run.part').symlink_to('/dev/full')
    assert call(monkeypatch, *command) == 2
    assert 'run.part: not written: the disk is full' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['box.part.obj']
    assert call(monkeypatch, *command) == 0
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(whole) == ['box.obj', 'run.json']
    (tmp_path / 'run.json').rename(tmp_path / 'run.part')  # killed between two renames
    (tmp_path / 'box.part.obj').write_bytes(b'')
    assert call(monkeypatch, *command) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole
    (tmp_path / 'run.json').rename(tmp_path / 'mine.json')
    assert call(monkeypatch, *command) == 2
    assert 'something else than a run: choose another folder' in capsys.readouterr().err


def test_a_draft_spares_what_was_prepared_from_a_video(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder, tmp_path / 'run')
    (tmp_path / 'run' / 'task.json').touch()
    assert call(monkeypatch, 'draft', tmp_path / 'run', '--hand', 'robotiq_2f85') == 2
    said = capsys.readouterr().err
    assert 'run was prepared from a video (task.json): choose another folder' in said


@pytest.mark.parametrize('name', ['../there', 'a/b', '', '..'])
def test_a_training_has_a_name_and_no_path(name, folder, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        call(monkeypatch, 'train', folder, '--name', name)
    assert f'{name!r} is no name of a folder in the run folder' in capsys.readouterr().err


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
    words = f'(2.00, {far[1]:.2f}, {far[2]:.2f}) m: put it nearer to '
    words += f'({shown[0]:.2f}, {shown[1]:.2f}), where it was shown'
    with pytest.raises(LimitError, match=re.escape(words)) as caught:
        policy.start_beside(far)
    assert str(caught.value).startswith('no posture reaches the start beside')


def test_how_many_other_starts_are_reached(folder):
    run = load_run(folder)
    assert places_around(run)[1].mean() > 0.97
    # Shown at the end of the arm's reach: of the places around it half are beyond it
    stretched = run.start.copy()
    stretched[[1, 3]] += [0.35, 0.75]
    reach = run.robot().fk(stretched, 'palm') - run.robot().fk(run.start, 'palm')
    away = run.trajectory.copy()
    away[:, :2] += reach[:2, 3]
    places, reached = places_around(dataclasses.replace(run, start=stretched, trajectory=away))
    assert len(places) == len(reached) and reached.mean() < 0.9


def test_it_begins_only_where_practice_did(folder):
    there = load_practice_policy(folder)
    actor, settings = load_actor(folder / 'training'), load_settings(folder / 'training')
    policy = PracticePolicy(there.run, settings, actor)  # at the top of the curriculum
    varied = RandomisationParams()  # that of the training
    shown = policy.run.trajectory[0]

    def placed(x=0.0, y=0.0, z=0.0, turn=0.0, shown=shown):
        half = 0.5 * np.radians(turn)
        return np.array([*np.add(shown[:3], [x, y, z]), 0.0, 0.0, np.sin(half), np.cos(half)])

    rng = np.random.default_rng(0)
    drawn = [policy.draw_start(varied, 1.0, rng) for _ in range(60)]
    assert [policy.beyond_starts(pose, 1e-9, 1e-9) for pose in drawn] == [''] * 60
    assert policy.beyond_starts(placed(turn=60), 0.02, 0.1) == 'turn +60 deg (practised -20 to 20)'
    assert policy.beyond_starts(placed(turn=25), 0.02, 0.1) == ''
    said = policy.beyond_starts(placed(x=0.14, y=-0.13, z=0.05), 0.02, 0.1)
    assert said.startswith('x +0.14 m (practised -0.10 to 0.10), y -0.13 m (practised ')
    assert said.endswith('z +0.05 m (practised 0.00 to 0.00)')
    # A training that was stopped lower, as this one at its beginning, has not met them all
    assert load_level(folder / 'training') == LearningParams().level == 0.3
    drawn = [there.draw_start(varied, 0.3, rng) for _ in range(60)]
    assert [there.beyond_starts(pose, 1e-9, 1e-9) for pose in drawn] == [''] * 60
    said = there.beyond_starts(placed(x=0.08, turn=15), 0.02, 0.1)
    assert said == 'x +0.08 m (practised -0.03 to 0.03), turn +15 deg (practised -6 to 6)'


def test_how_much_was_practised_stands_beside_the_policy(folder, tmp_path):
    training = tmp_path / 'training'
    shutil.copytree(folder / 'training', training)
    file = training / 'policy' / 'state.json'
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {'level': 2}))
    with pytest.raises(ConfigError, match=r'state\.json: level = 2 is not within 0 and 1'):
        load_level(training)
    del document['level']
    file.write_text(json.dumps(document))
    assert load_level(training) == 1.0  # as policies of before were run
    (training / 'policy').rename(training / 'policy.old')  # killed between two renames
    assert load_level(training) == 1.0 and load_actor(training)


def test_a_box_of_starts_counts_and_a_turn_that_cannot_be_seen_does_not():
    for task, turned in (('box_pivot', 'turn -60 deg (practised -20 to 20)'), ('plate_push', '')):
        run = show(task, 'iiwa14', 'robotiq_2f85')
        settings = Settings(
            0, PracticeParams(), RandomisationParams(), LearningParams(),
            robot_synergies(run.robot()),
        )  # fmt: skip
        policy, pose = ReplayPolicy(run, settings, aware=True), run.trajectory[0].copy()
        pose[3:] = [0.0, 0.0, np.sin(-np.pi / 6), np.cos(np.pi / 6)]
        assert policy.beyond_starts(pose, 0.02, 0.1) == turned
        if run.start_box is not None:
            pose = run.trajectory[0].copy()
            pose[1] += run.start_box[3] + 0.03
            assert run.start_box[3] + 0.03 < 0.1
            assert policy.beyond_starts(pose, 0.02, 0.1).startswith('y ')


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


def test_a_policy_does_not_run_with_another_mesh(folder, tmp_path, monkeypatch):
    there = tmp_path / 'run'
    shutil.copytree(folder, there)
    file = there / 'training' / 'run.json'
    document = json.loads(file.read_text())
    del document['object']['digest']  # as in trainings of before, which go on and keep it
    file.write_text(json.dumps(document))
    assert load_practice_policy(there)
    call(monkeypatch, 'train', there, '--steps', 64, '--threads', 1, '--film-every', 0)
    assert json.loads(file.read_text())['object']['digest']
    node = PracticeNodeParams(checkpoint=str(there))
    assert load_runner(node)[1] == 'box_push'
    mesh = there / 'box.obj'
    mesh.write_text(mesh.read_text() + '# of another scale\n')
    for use in (lambda: load_runner(node), lambda: compare(there, episodes=1)):
        with pytest.raises(ConfigError, match=r'box\.obj is not the mesh that was practised'):
            use()


def test_a_robot_is_told_what_was_practised_and_not_what_was_prepared_since(folder, tmp_path):
    there = tmp_path / 'run'
    shutil.copytree(folder, there)
    save_run(dataclasses.replace(load_run(there), task='else'), there)
    assert load_runner(PracticeNodeParams(checkpoint=str(there)))[1] == 'box_push'
    with pytest.raises(WrongRobotError, match="'box_push' was practised, not 'else'"):
        load_runner(PracticeNodeParams(checkpoint=str(there), task='else'))


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
        *((m, n) for m in (GATE, LATE) for n in methods[:-1]),
    ]
    for row in rows:
        assert row.episodes == 2
        assert 0.0 <= row.interval[0] <= row.success <= row.interval[1] <= 1.0
    # The same starts for the same seed: the training is the learned one once more.
    assert rows[0].distance == rows[4].distance
    shutil.copytree(folder / 'training', folder / 'other')
    monkeypatch.setattr('mimic_rl.comparison.clone', None)  # what is wrong is told before
    known = r'nothing was practised in .*: --ablation NAME; to practise this.*--name missing$'
    with pytest.raises(ConfigError, match=known):
        compare(folder, ablations=['missing'], episodes=2, threads=1, gate=False)
    try:
        run = load_run(folder)
        save_run(dataclasses.replace(run, task='else'), folder / 'other')
        with pytest.raises(ConfigError, match='other: it practised another run than training'):
            compare(folder, ablations=['other'], episodes=2, threads=1, gate=False)
    finally:
        shutil.rmtree(folder / 'other')


def test_another_training_meets_the_same_starts_and_the_same_test_of_success(
    folder, tmp_path, monkeypatch
):
    shutil.copytree(folder, tmp_path / 'run')
    easy = ['xy=0.01', 'delay=0', 'hold=1', 'max_distance=2.0', 'success_distance=0.5',
            'success_angle=3.1', 'start=default', 'leash=0.05']  # fmt: skip
    values = [word for text in (*TINY, *easy) for word in ('--set', text)]
    call(
        monkeypatch, 'train', tmp_path / 'run', '--name', 'easy', '--steps', 64, '--threads', 1,
        '--film-every', 0, *values,
    )  # fmt: skip
    met = {}

    def evaluated(practice, method, act, episodes):
        met[method, practice.outside] = practice
        return evaluate(practice, method, act, episodes)

    monkeypatch.setattr('mimic_rl.comparison.evaluate', evaluated)
    for name in ('_CLONED', '_MOST'):
        monkeypatch.setattr(f'mimic_rl.comparison.{name}_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.comparison._CLONING_STEPS', 5)
    rows = compare(tmp_path / 'run', ablations=['easy'], episodes=4, threads=1, gate=False)
    for outside in (0.0, OUTSIDE):
        main, other = met['learned', outside], met['easy', outside]
        assert other.randomisation == main.randomisation and main.randomisation.xy == 0.10
        own = {'start': 'default', 'leash': 0.05}
        assert other.params == dataclasses.replace(main.params, **own)
        assert other.length == main.length
    # Its hand stays at home, where the box is never pushed: no success by its own wide bounds.
    assert [r.success for r in rows if r.method == 'easy'] == [0.0, 0.0]
    (said,) = {r.remarks for r in rows if r.method == 'cloned'}
    assert said.endswith(' of 4 replays succeed: imitated as they are')


def test_an_evaluation_tells_how_far_it_is_where_no_terminal_is(folder, monkeypatch, capsys):
    monkeypatch.setattr('mimic_rl.comparison._CLONED_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.comparison._CLONING_STEPS', 5)
    call(monkeypatch, 'evaluate', folder, '--episodes', 1, '--threads', 1, '--no-gate')
    (folder / 'evaluation-training.json').unlink()
    assert not list(folder.glob('*.part.json'))
    said = capsys.readouterr()
    assert 'of 8' not in said.out and '8 of 8, ' in said.err
    assert said.err.splitlines()[0] == 'cloning what replays do'
    assert said.err.splitlines()[1].startswith(f'1 of 8, {STARTS}, learned: ')


def test_the_scores_fit_into_80_columns(capsys):
    """A line of the table for each method, whatever stood in which setting."""
    far = Row(LATE, AWARE, 1.0, (0.93, 1.0), 0.212, 3.1, 0.5, 50)
    near = Row(STARTS, 'fixed_target', 0.94, (0.838, 0.979), 0.0123, 0.0201, 0.5, 50)
    rows = [near, *(dataclasses.replace(far, met=met) for met in (STARTS, PHYSICS, GATE, LATE))]
    Console(width=80, markup=False).print(practise._scores(rows))
    said = capsys.readouterr().out
    assert '…' not in said and max(map(len, said.splitlines())) <= 80
    cells = [[c.strip() for c in re.split('[│┃]', line)][1:-1] for line in said.splitlines()[1:]]
    lines = [c for c in cells if c and c[1:] != [''] * 4]
    first = next(k for k, c in enumerate(lines) if c[0] == 'fixed_target')
    assert [c[1] for c in lines[first : first + 3]] == ['94 %', '84 to 98 %', '12 mm, 1.2°']
    assert lines[first][2:] == [''] * 3
    assert lines[first + 3] == ['object-aware', *['100 %'] * 4]
    assert lines[first + 5] == ['', *['212 mm, 178°'] * 4]


def test_an_evaluation_that_is_stopped_leaves_its_rows(folder, monkeypatch, capsys):
    monkeypatch.setattr('mimic_rl.comparison._CLONED_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.comparison._CLONING_STEPS', 5)
    scored = []

    def stopped(*arguments):
        scored.append(evaluate(*arguments))
        if len(scored) == 3:
            raise KeyboardInterrupt
        return scored[-1]

    monkeypatch.setattr('mimic_rl.comparison.evaluate', stopped)
    words = ('--episodes', 1, '--threads', 1, '--no-gate')
    assert call(monkeypatch, 'evaluate', folder, *words) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith('practise: stopped; the rows so far stay in ….part.json of the run fol')
    assert said.endswith('; the same command begins anew')
    part = folder / 'evaluation-training.part.json'
    assert [row['method'] for row in json.loads(part.read_text())] == ['learned', REPLAY]
    assert not (folder / 'evaluation-training.json').exists()
    part.unlink()


def test_a_training_goes_on_with_its_own_settings_and_tells_how_far_it_is(
    folder, tmp_path, monkeypatch, capsys
):
    shutil.copytree(folder, tmp_path / 'run')
    monkeypatch.setattr(practise, '_LINE_EVERY', 0.0)
    command = ['train', tmp_path / 'run', '--threads', 1, '--film-every', 0]
    call(monkeypatch, *command, '--steps', 128)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == 'goes on from step 64'
    assert said[1].startswith('96 of 128 steps, reward 0.') and said[1].endswith(' to go')
    assert said[2].startswith('128 of 128 steps, ') and said[2].endswith(' 0:00:00 to go')
    assert len(said) == 4 and said[3].startswith('128 steps, in ')
    assert call(monkeypatch, *command, '--set', 'horizon=9', '--set', 'layers=[16]') == 2
    said = capsys.readouterr().err
    assert 'horizon is 8, not 9' in said and 'train under another --name' in said
    assert call(monkeypatch, *command, '--seed', 4) == 2
    assert 'seed is 0, not 4' in capsys.readouterr().err


def test_a_training_goes_on_with_its_own_physics(folder, tmp_path, monkeypatch, capsys):
    """Those of MuJoCo Warp are not installed here, so they are asked for and not had."""
    monkeypatch.setitem(sys.modules, 'mujoco_warp', None)
    monkeypatch.delitem(sys.modules, 'mimic_rl.warp_stepper', raising=False)
    shutil.copytree(folder, tmp_path / 'run')
    (state,) = (tmp_path / 'run' / 'training').glob('checkpoint-*/state.json')
    document = json.loads(state.read_text())
    assert document['physics'] == 'threads'
    state.write_text(json.dumps(document | {'physics': 'warp'}))
    command = ['train', tmp_path / 'run', '--threads', 1, '--film-every', 0]
    assert call(monkeypatch, *command, '--steps', 64) == 2
    said = capsys.readouterr().err
    assert 'physics = warp: mujoco_warp is not installed' in said
    assert said.endswith(', or --physics threads\n')
    assert call(monkeypatch, *command, '--steps', 64, '--physics', 'threads') == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == 'physics: threads, warp before: it goes on, but with other numbers'
    for steps in (96, 128):
        assert call(monkeypatch, *command, '--steps', steps) == 0
        assert capsys.readouterr().out.startswith(f'goes on from step {steps - 32}')
        newest = max(state.parent.parent.glob('checkpoint-*')) / 'state.json'
        document = json.loads(newest.read_text())
        assert document.pop('physics') == 'threads'
        newest.write_text(json.dumps(document))  # as of before: not known
    newest.write_text(json.dumps(document | {'physics': ['bullet']}))
    assert call(monkeypatch, *command) == 2
    assert "state.json: physics = ['bullet'] is none of threads, warp" in capsys.readouterr().err


def test_replays_are_imitated_with_one_option(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('mimic_rl.training._SHOWN_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.training._MOST_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.training._IMITATION_STEPS', 5)
    there = tmp_path / 'run'
    shutil.copytree(folder, there)
    tiny = [word for text in TINY for word in ('--set', text)]
    command = ['train', there, '--threads', 1, '--film-every', 0, '--imitate']
    call(monkeypatch, *command, '--name', 'a', '--steps', 32, *tiny, '--set', 'spread=0.2')
    learning = load_settings(there / 'a').learning
    assert learning.demonstration > 0.0 and learning.place_spread == 0.15
    assert learning.spread == 0.2  # what is set wins
    assert (there / 'a' / 'demonstrations.safetensors').is_file()
    capsys.readouterr()
    again = [*command, '--name', 'a', '--steps', 64, '--set', 'spread=0.2']
    assert call(monkeypatch, *again) == 0
    assert capsys.readouterr().out.startswith('goes on from step 32')
    assert call(monkeypatch, *command) == 2
    said = capsys.readouterr().err
    assert 'demonstration is 0.0, not 0.1' in said and 'train under another --name' in said
    save_run(dataclasses.replace(load_run(there), demonstration=None), there)
    for option in (['--imitate'], ['--set', IMITATING[0]]):
        assert call(monkeypatch, 'train', there, '--name', 'b', *option) == 2
        assert 'shows only how the object moved' in capsys.readouterr().err
    assert not (there / 'b').exists()


def test_errors_are_one_line(tmp_path, monkeypatch, capsys):
    def said(*words):
        assert call(monkeypatch, *words) == 2
        return capsys.readouterr().err

    assert 'is no run folder' in said('train', tmp_path)
    save_run(show('box_push', 'iiwa14', 'robotiq_2f85'), tmp_path)
    for named in ([], ['--name', 'other']):
        wanted = ' '.join(['./mimic practise train', str(tmp_path), *named])
        told = said('evaluate', tmp_path, *named)
        assert told.startswith('practise: nothing was practised in ')
        assert told.endswith(f': {wanted}\n')
        assert 'there is' not in told
    assert 'unknown arm' in said('draft', tmp_path, '--arm', 'nothing')


def test_trainings_of_other_names_are_told(folder, tmp_path, monkeypatch, capsys):
    there = tmp_path / 'run'
    shutil.copytree(folder, there)
    (there / 'training').rename(there / 'dapg')
    wanted = f'nothing was practised in {there}/training; there is dapg: --name dapg '
    wanted += f'(training:=dapg); to practise this: ./mimic practise train {there}'
    assert call(monkeypatch, 'evaluate', there) == 2
    assert capsys.readouterr().err == f'practise: {wanted}\n'
    with pytest.raises(ConfigError, match=re.escape(wanted)):
        load_runner(PracticeNodeParams(checkpoint=str(there)))
    shutil.copytree(there / 'dapg', there / 'b')
    with pytest.raises(ConfigError, match=r'are b, dapg: --name NAME \(training:=NAME\); to'):
        load_runner(PracticeNodeParams(checkpoint=str(there)))
