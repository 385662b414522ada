import itertools
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from event_files import curves, records
from reaching import META, SIDE, dataset

from mimic_alignment.align_command import main as align
from mimic_core.arguments import from_arguments
from mimic_core.events import EVENT_FILES
from mimic_dataset import add_episode, assemble, load
from mimic_dataset.video import Region
from mimic_policy.checkpoint import checkpoints, load_policy, read_checkpoint
from mimic_policy.encoding import encoder, picture_size
from mimic_policy.presets import PRESETS
from mimic_policy.train_command import _check_strides, main, parse
from mimic_policy.train_params import TrainParams
from mimic_policy.training import Settings, read_curve

QUICK = [
    '--steps', '4', '--batch', '4', '--horizon', '8', '--height', str(SIDE), '--width', str(SIDE),
    '--channels', '8', '--feature', '16', '--widths', '16', '32', '--crop', '4',
    '--threads', '1', '--log-every', '2',
]  # fmt: skip


def written(path, **numbers):
    """A dataset on the disk, as `./mimic ingest` makes it."""
    for episode in dataset(**numbers).episodes:
        add_episode(path, META, episode)
    for domain in ('robot', 'human'):
        assemble(path, domain)
    return path


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('datasets') / 'reach_robotiq_2f85'
    return written(path, robots=2, humans=2)


def _train(folder, out, *more):
    return main(['--dataset', str(folder), '--out', str(out), '--device', 'cpu', *QUICK, *more])


def test_a_dataset_becomes_a_policy_that_sees(folder, tmp_path, capsys):
    assert _train(folder, tmp_path, '--task', 'reach', '--hand', 'robotiq_2f85') == 0
    policy = load_policy(tmp_path)
    assert policy.meta.method == 'immimic_a'
    assert policy.meta.recorded == {'agent': (SIDE, SIDE)}
    shown = capsys.readouterr().err
    assert '2 robot and 2 human episodes' in shown
    assert 'to go, loss' in shown
    assert 'step_00000004' in shown.replace('\n', '')

    assert picture_size(tmp_path) == (SIDE, SIDE)
    see = encoder(str(tmp_path))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 3), dtype=np.uint8)
    features = see(pictures)
    assert features.shape == (3, 16)
    assert np.abs(features[0] - features[1]).max() > 0.0


def test_a_policy_may_look_at_a_part_of_the_agent_view(folder, tmp_path, capsys):
    edges = ('0.25', '0.0', '0.75', '0.5')
    assert _train(folder, tmp_path, '--method', 'robot_only', '--region', *edges) == 0
    meta = load_policy(tmp_path).meta
    assert meta.region == Region(0.25, 0.0, 0.75, 0.5)
    assert meta.cameras == {'agent': (SIDE, SIDE)}
    assert picture_size(tmp_path) == (2 * SIDE, 2 * SIDE)
    # What its eyes say depends on that part alone
    see = encoder(str(tmp_path))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 80, 80, 3), dtype=np.uint8)
    pictures[1, :40, 20:60] = pictures[0, :40, 20:60]
    features = see(pictures)
    np.testing.assert_allclose(features[0], features[1], atol=1e-6)
    # Another part is another training
    same = ('--method', 'robot_only', '--save-every', '2')
    assert _train(folder, tmp_path, *same, '--region', *edges) == 0
    capsys.readouterr()
    assert _train(folder, tmp_path, *same) == 2
    assert 'training.params.region was [0.25, 0.0, 0.75, 0.5]' in capsys.readouterr().err


def test_fewer_episodes_may_be_taken(folder, tmp_path, capsys):
    assert (
        _train(folder, tmp_path, '--robots', '1', '--humans', '0', '--method', 'robot_only') == 0
    )
    assert '1 robot and 0 human episodes' in capsys.readouterr().err


def test_the_last_demonstrations_may_be_held_out(folder, tmp_path, capsys):
    more = ('--hold-out', '1', '--method', 'robot_only', '--save-every', '2', '--tensorboard')
    assert _train(folder, tmp_path, *more, '--log-every', '3') == 0
    said = capsys.readouterr().err
    assert '1 robot (1 more held out) and 0 human episodes' in said
    assert all(f'step {n}: ' in said for n in (2, 4)) and 'off what was held out' in said
    curve = {line['step']: line for line in read_curve(tmp_path) if 'held_out_hand' in line}
    assert list(curve) == [2, 4]
    (events,) = tmp_path.glob(EVENT_FILES)
    drawn = dict(curves(events))[4]
    assert drawn['held_out_position'] == pytest.approx(curve[4]['held_out_position'])
    # It is another training than that on both
    assert _train(folder, tmp_path, '--method', 'robot_only', '--save-every', '2') == 2
    capsys.readouterr()
    assert _train(folder, tmp_path / 'none', '--hold-out', '2') == 2
    assert '--hold-out 2 of 2 robot episodes leaves none' in capsys.readouterr().err


def test_what_is_not_trained_on_is_not_decoded(tmp_path, capsys, monkeypatch):
    """A damaged video of a person stops no run that never looks at it."""
    folder = written(tmp_path / 'data', robots=3, humans=2)
    next((folder / 'human').rglob('*.mp4')).write_bytes(b'no video')
    clock = itertools.count(0.0, 40.0)
    monkeypatch.setattr('mimic_policy.train_command.monotonic', clock.__next__)
    assert _train(folder, tmp_path / 'run', '--robots', '2', '--method', 'robot_only') == 0
    assert len(list((folder / 'robot/.cache').glob('*.npy'))) == 2
    said = capsys.readouterr().err
    assert 'reading episode 1 of 2\nreading episode 2 of 2\n' in said
    assert '2 robot and 0 human episodes' in said
    assert _train(folder, tmp_path / 'both') == 2


@pytest.mark.parametrize('option', ['--robots', '--humans', '--threads', '--hold-out'])
def test_less_than_nothing_is_refused(option, capsys):
    with pytest.raises(SystemExit):
        parse([option, '-1'])
    assert f'argument {option}: -1 is not at least 0' in capsys.readouterr().err
    assert vars(parse([option, '0']))[option[2:].replace('-', '_')] == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--method', 'magic'], "parameter 'method' must be one of robot_only"),
        (['--task', 'fly'], 'task is reach, not fly'),
        (['--hand', 'allegro'], 'hand is robotiq_2f85, not allegro'),
        (['--device', 'abacus'], "device 'abacus'"),
        (['--mapping', 'none.json'], 'none.json: No such file'),
        (['--learning-rate', '7'], "parameter 'learning_rate' = 7.0 is outside"),
        (['--dataset', 'nowhere'], 'nowhere: there is no dataset'),
        (['--robots', '0'], 'no robot episodes, immimic_a needs some'),
        (['--time-width', '9'], 'time_width = 9 must be even'),
    ],
)
def test_what_cannot_be_is_one_sentence(folder, tmp_path, capsys, options, message):
    assert _train(folder, tmp_path, *options) == 2
    assert message in capsys.readouterr().err.replace('\n', ' ')
    assert checkpoints(tmp_path) == []


def test_a_mapping_of_chosen_episodes_is_not_taken_for_that_of_others(tmp_path, capsys):
    """One of a shorter episode names frames that the longer one has, too."""
    folder, file = written(tmp_path / 'data', robots=2, humans=1, seed=3), tmp_path / 'chosen.json'
    lengths = [len(e) for e in load(folder).of('robot')]
    assert lengths[1] < lengths[0]
    assert align([str(folder), '--robot', 'robot_1', '--output', str(file)]) == 0
    assert _train(folder, tmp_path / 'run', '--robots', '1', '--mapping', str(file)) == 2
    said = capsys.readouterr().err.replace('\n', '')
    assert f'{file}: its robot episode 0 is robot_1' in said and 'is robot_0: align it' in said


def test_a_dataset_of_people_alone_is_told_so(folder, tmp_path, capsys):
    (tmp_path / 'people').mkdir()
    (tmp_path / 'people' / 'human').symlink_to(folder / 'human')
    assert _train(tmp_path / 'people', tmp_path / 'run') == 2
    assert 'no robot episodes, immimic_a needs some' in capsys.readouterr().err


def test_which_dataset_must_be_said(capsys):
    assert main(['--steps', '1']) == 2
    assert 'which dataset? --task and --hand, or --dataset' in capsys.readouterr().err


def test_a_preset_gives_the_defaults_of_all_options():
    for preset, groups in PRESETS.items():
        options = parse(['--preset', preset])
        for values in groups.values():
            assert {name: getattr(options, name) for name in values} == dict(values)
        Settings.of(preset)
    assert parse(['--preset', 'paper', '--steps', '7']).steps == 7


def test_help_says_what_the_preset_is(capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    for preset, steps in (('paper', 15000), ('small', 3000)):
        with pytest.raises(SystemExit):
            parse(['--preset', preset, '--help'])
        assert f'mixed one. Default: {steps}.' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        parse(['--preset', 'huge'])
    assert "argument --preset: invalid choice: 'huge'" in capsys.readouterr().err


def test_stopped_before_its_first_step_it_says_so(folder, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr('mimic_policy.train_command.load', stop)
    assert _train(folder, tmp_path) == 130
    assert capsys.readouterr().err.endswith('train: stopped; the same command goes on\n')


def test_events_for_tensorboard_are_those_of_this_run(folder, tmp_path):
    """Nothing is installed for them; what is begun again has no past."""
    for more in ([], ['--fresh']):
        assert _train(folder, tmp_path, '--method', 'robot_only', '--tensorboard', *more) == 0
    (file,) = tmp_path.glob(EVENT_FILES)
    wanted = [(entry.pop('step'), pytest.approx(entry)) for entry in read_curve(tmp_path)]
    assert curves(file) == wanted
    assert [sorted(values) for _, values in curves(file)] == [['loss_robot', 'rate']] * 2


def test_events_of_a_run_that_goes_on_take_the_place_of_those_that_are_done_again(
    folder, tmp_path
):
    more = '--method', 'robot_only', '--tensorboard', '--save-every', '2'
    assert _train(folder, tmp_path, *more) == 0
    shutil.rmtree(checkpoints(tmp_path)[-1])
    assert _train(folder, tmp_path, *more) == 0
    first, again = sorted(tmp_path.glob(EVENT_FILES))
    assert [step for step, _ in curves(first)] == [2, 4]
    assert [step for step, _ in curves(again)] == [4]
    assert [event[2] for event in records(again) if 7 in event] == [4]


def test_where_no_terminal_is_a_line_comes_now_and_then(folder, tmp_path, capsys, monkeypatch):
    clock = itertools.count(0.0, 7.0)
    monkeypatch.setattr('mimic_policy.train_command.monotonic', clock.__next__)
    more = '--method', 'robot_only', '--steps', '20', '--log-every', '1'
    assert _train(folder, tmp_path, *more) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if ' of 20, ' in line]
    assert [line.split(' of ')[0][5:] for line in lines] == ['1', '6', '11', '16']
    assert all('to go, loss robot ' in line for line in lines)


def test_strides_of_a_preset_are_for_its_frame_rate(folder, tmp_path, capsys):
    """At 10 fps, 32 rows of 155 / 32 frames would be 15 s instead of 5."""
    fitting = ['--robot-stride', '1.61', '--human-stride', '0.333']
    assert _train(folder, tmp_path, '--preset', 'paper') == 2
    said = capsys.readouterr().err.replace('\n', ' ')
    assert 'fps is 10, and the strides of preset paper are frames at 30 fps' in said
    assert 'ingest with --fps 30, or give ' + ' '.join(fitting) in said
    assert checkpoints(tmp_path) == []
    assert _train(folder, tmp_path, '--preset', 'paper', *fitting[:2]) == 2  # the other too
    assert 'give --human-stride 0.333' in capsys.readouterr().err.replace('\n', ' ')
    params = from_arguments(TrainParams, parse(['--preset', 'paper', *fitting]))
    _check_strides(parse(['--preset', 'paper']), params, folder, 10.0)  # no word
    _check_strides(parse(['--preset', 'paper']), Settings.of('paper').train, folder, 30.0)


@pytest.mark.parametrize(('together', 'each'), [('', 6), ('1', 6), ('2', 3), ('4', 1), ('12', 1)])
def test_processes_of_torchrun_share_the_cores(folder, tmp_path, monkeypatch, together, each):
    if together:
        monkeypatch.setenv('LOCAL_WORLD_SIZE', together)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(6)))
    asked = []
    monkeypatch.setattr(torch, 'set_num_threads', asked.append)
    assert _train(folder, tmp_path, '--threads', '0', '--task', 'another') == 2
    assert _train(folder, tmp_path, '--threads', '5', '--task', 'another') == 2
    assert asked == [each, 5]


def test_torchrun_trains_one_policy_and_tells_of_it_once(folder, tmp_path):
    """Two real processes, with a mapping that each makes for itself."""
    command = [
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
        '-m', 'mimic_policy.train_command', '--dataset', folder, '--out', tmp_path / 'run',
        '--device', 'cpu', '--method', 'immimic_a', *QUICK,
    ]  # fmt: skip
    path = os.pathsep.join(place for place in sys.path if place)
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': path}
    )
    assert done.returncode == 0, done.stderr
    assert load_policy(tmp_path / 'run').meta.method == 'immimic_a'
    assert read_checkpoint(tmp_path / 'run').document['training']['processes'] == 2
    curve = read_curve(tmp_path / 'run')
    assert [line['step'] for line in curve] == [2, 4]
    assert all(np.isfinite(line['loss_mixed']) for line in curve)
    for word in ('2 robot and 2 human episodes', ' of 4, ', 'done: '):
        assert done.stderr.count(word) == 1, done.stderr


@pytest.mark.parametrize('before', [False, True])
def test_a_killed_command_goes_on(folder, tmp_path, before):
    assert _train(folder, tmp_path, '--save-every', '2', '--keep', '0') == 0
    whole = (checkpoints(tmp_path)[-1] / 'weights.safetensors').read_bytes()

    shutil.rmtree(checkpoints(tmp_path)[-1])
    if before:  # there were regions
        file = checkpoints(tmp_path)[-1] / 'checkpoint.json'
        document = json.loads(file.read_text())
        del document['meta']['region'], document['training']['params']['region']
        file.write_text(json.dumps(document))
    assert read_checkpoint(tmp_path).step == 2
    assert _train(folder, tmp_path, '--save-every', '2', '--keep', '0') == 0
    assert (checkpoints(tmp_path)[-1] / 'weights.safetensors').read_bytes() == whole
