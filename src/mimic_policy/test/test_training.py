import dataclasses
import errno
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from reaching import SIDE, dataset
from training_runs import QUICK, settings_of, train_run

from mimic_core.errors import ConfigError
from mimic_policy import Observation
from mimic_policy.checkpoint import CheckpointError, checkpoints, load_policy, read_checkpoint
from mimic_policy.data import prepare
from mimic_policy.distributed import any_process
from mimic_policy.train_params import METHODS
from mimic_policy.trainer import Trainer, TrainingError
from mimic_policy.training import CURVE, Settings, read_curve, train


@pytest.mark.parametrize('method', METHODS)
def test_each_method_trains_and_its_checkpoint_predicts(episodes, tmp_path, method):
    last = train_run(episodes, tmp_path, method=method)
    policy = load_policy(last)
    assert policy.meta.method == method
    assert policy.meta.cameras == {'agent': (SIDE, SIDE)}
    curve = read_curve(tmp_path)
    assert [line['step'] for line in curve] == [2, 4, 6]
    kinds = {key for line in curve for key in line if key.startswith('loss_')}
    assert (
        kinds
        == {
            'robot_only': {'loss_robot'},
            'fine_tune': {'loss_human', 'loss_robot'},
            'co_train': {'loss_human', 'loss_robot'},
            'random_map': {'loss_mixed', 'loss_robot'},
            'immimic_v': {'loss_mixed', 'loss_human', 'loss_robot'},
            'immimic_a': {'loss_mixed', 'loss_robot'},
        }[method]
    )


class _Killed(BaseException):
    pass


@pytest.mark.parametrize('method', ['robot_only', 'immimic_v', 'immimic_a'])
@pytest.mark.parametrize('steps', [3, 5])
def test_a_killed_run_goes_on_with_the_same_numbers(episodes, tmp_path, method, steps):
    """Killed between two checkpoints: curve and weights are those of a run that was not."""
    whole = train_run(episodes, tmp_path / 'whole', method=method)
    settings = settings_of(method=method)
    data = prepare(episodes, settings.train)

    def kill(trainer, entry):
        if trainer.step_number == steps:
            raise _Killed

    with pytest.raises(_Killed):
        train(data, settings, tmp_path / 'killed', watch=kill)
    assert read_checkpoint(tmp_path / 'killed').step == steps - 1
    (tmp_path / 'killed' / CURVE).open('a').write('{"step": 5, "loss')  # cut off in a line
    again = train(data, settings, tmp_path / 'killed')
    assert (tmp_path / 'killed' / CURVE).read_text() == (tmp_path / 'whole' / CURVE).read_text()
    for name in ('weights.safetensors', 'training.safetensors'):
        assert (again / name).read_bytes() == (whole / name).read_bytes()


CHILD = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
import torch
from reaching import dataset
from mimic_policy.data import prepare
from mimic_policy.training import Settings, train
torch.set_num_threads(1)
settings = Settings.of('small', {changes!r})
def watch(trainer, entry):
    print(trainer.step_number, flush=True)
    time.sleep(0.05)  # so that it is killed before its end, however slow the parent is
train(prepare(dataset(robots=2, humans=3), settings.train), settings, Path({run!r}), watch=watch)
"""


def test_after_sigkill_the_loss_curve_is_that_of_a_run_that_was_not_killed(episodes, tmp_path):
    """A real process, a real kill, in the middle between two checkpoints."""
    changes = {**QUICK, 'method': 'immimic_a', 'steps': 40, 'log_every': 1, 'save_every': 8}
    run = tmp_path / 'killed'
    code = CHILD.format(path=[p for p in sys.path if p], changes=changes, run=str(run))
    child = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    reached = next((step for line in child.stdout if (step := int(line)) >= 12), 0)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and reached == 12
    child.stdout.close()
    assert 8 <= read_checkpoint(run).step < 40
    load_policy(run)  # what was finished is whole

    settings = Settings.of('small', changes)
    data = prepare(episodes, settings.train)
    again = train(data, settings, run)
    whole = train(data, settings, tmp_path / 'whole')
    assert [line['step'] for line in read_curve(run)] == list(range(1, 41))
    assert (run / CURVE).read_text() == (tmp_path / 'whole' / CURVE).read_text()
    for name in ('weights.safetensors', 'training.safetensors'):
        assert (again / name).read_bytes() == (whole / name).read_bytes()


def test_the_same_seed_gives_the_same_and_another_seed_another(episodes, tmp_path):
    curves = []
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        train_run(episodes, tmp_path / name, method='immimic_a', seed=seed)
        curves.append(read_curve(tmp_path / name))
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


def test_a_loss_that_is_not_finite_ends_it_and_leaves_the_last_checkpoint(episodes, tmp_path):
    settings = settings_of(method='robot_only')
    data = prepare(episodes, settings.train)

    def break_it(trainer, entry):
        if trainer.step_number == 3:
            with torch.no_grad():
                next(trainer.network.unet.parameters()).fill_(float('nan'))

    with pytest.raises(TrainingError, match=r'step 3: the loss of the robot batch is nan'):
        train(data, settings, tmp_path, watch=break_it)
    assert read_checkpoint(tmp_path).step == 2
    load_policy(tmp_path)


@pytest.mark.parametrize('bad', ['nan', 'inf'])
def test_a_gradient_that_is_not_finite_ends_it_before_the_weights_change(episodes, tmp_path, bad):
    """Its loss is finite, and the step at which it comes would write a checkpoint."""
    settings = settings_of(method='robot_only')
    data = prepare(episodes, settings.train)

    def break_it(trainer, entry):
        if trainer.step_number == 3:
            weight = next(trainer.network.unet.parameters())
            weight.register_hook(lambda gradient: torch.full_like(gradient, float(bad)))

    with pytest.raises(TrainingError, match=rf'step 3: the gradient of the robot batch is {bad}'):
        train(data, settings, tmp_path, watch=break_it)
    assert read_checkpoint(tmp_path).step == 2
    load_policy(tmp_path)  # which refuses weights that are not finite


@pytest.mark.filterwarnings('ignore:.*copying from a non-meta parameter')
def test_all_of_the_optimiser_goes_on_where_its_parameters_are(episodes, tmp_path):
    """The fused kernel of an accelerator wants the count of steps there too."""
    last = train_run(episodes, tmp_path, method='robot_only', steps=4)
    settings = settings_of(method='robot_only', steps=4)
    trainer = Trainer(
        prepare(episodes, settings.train), settings.train, settings.network, settings.diffusion,
        tmp_path, device=torch.device('meta'),
    )  # fmt: skip
    trainer.resume(read_checkpoint(last))
    states = trainer._optimiser.state.values()
    found = {(key, value.device.type) for state in states for key, value in state.items()}
    assert found == {(key, 'meta') for key in ('step', 'exp_avg', 'exp_avg_sq')}


def test_a_damaged_training_state_is_named(episodes, tmp_path):
    last = train_run(episodes, tmp_path, method='robot_only', steps=4)
    file = last / 'training.safetensors'
    file.write_bytes(file.read_bytes()[:-10])
    first = checkpoints(tmp_path)[0]
    words = (
        r'training\.safetensors: damaged.*; remove .*/step_00000004 to go on from step_00000002'
    )
    with pytest.raises(CheckpointError, match=words):
        train_run(episodes, tmp_path, method='robot_only', steps=4)
    assert load_policy(first)
    shutil.rmtree(last)
    assert train_run(episodes, tmp_path, method='robot_only', steps=4) == last
    shutil.rmtree(first)
    (last / 'checkpoint.json').write_text('{')
    with pytest.raises(CheckpointError, match=r'not JSON.*; remove .*_00000004 to begin again'):
        train_run(episodes, tmp_path, method='robot_only', steps=4)


@pytest.mark.parametrize(
    ('robots', 'humans', 'method', 'message'),
    [
        (0, 2, 'co_train', 'no robot episodes, co_train needs some'),
        (2, 0, 'immimic_a', 'no human episodes, immimic_a needs some'),
        (0, 0, 'robot_only', 'no robot episodes'),
    ],
)
def test_an_empty_dataset_is_refused(tmp_path, robots, humans, method, message):
    with pytest.raises(ConfigError, match=message):
        train_run(dataset(robots, humans), tmp_path, method=method)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'horizon': 9}, 'horizon = 9 must be a multiple of 2'),
        ({'crop': 40}, 'crop = 40 leaves nothing of the agent pictures'),
        ({'kernel': 4}, 'kernel = 4 must be odd'),
        ({'dilations': (1, 0)}, 'dilations = .* must be 1..16'),
        ({'widths': (12,)}, 'widths'),
        ({'region': (0.2, 0.1, 0.2, 0.9)}, 'region: left 0.2 and right 0.2 are not'),
        ({'region': (0.2, 0.1, 0.21, 0.9)}, 'region = .*: a side of 0.01 of the picture shows'),
        ({'region': (0.2, 0.1)}, 'region = .*: left, top, right and bottom are wanted'),
        ({'inference_steps': 500}, 'inference_steps = 500 is more than'),
        ({'method': 'magic'}, 'method'),
        ({'speed': 1}, "'speed' is no setting"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(episodes, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train_run(episodes, tmp_path, **{'method': 'robot_only', **changes})


def test_actions_that_never_change_are_learned_as_they_are(tmp_path):
    data = dataset(robots=2, humans=0)
    still = tuple(
        dataclasses.replace(e, action=np.tile(data.episodes[0].action[:1], (len(e), 1)))
        for e in data.episodes
    )
    last = train_run(dataclasses.replace(data, episodes=still), tmp_path, method='robot_only')
    policy = load_policy(last)
    episode = still[0]
    seen = Observation(episode.agent[:1], None, episode.state[:1])
    chunk = policy.predict(seen, np.random.default_rng(0))
    np.testing.assert_allclose(chunk, np.tile(episode.action[:1], (8, 1)), atol=2.1e-3)


def test_a_full_disk_stops_it_with_the_file(episodes, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(CheckpointError, match=r'step_00000002.*the disk is full'):
        train_run(episodes, tmp_path, method='robot_only')


def test_reduced_precision_learns_too(episodes, tmp_path):
    train_run(episodes, tmp_path / 'a', method='immimic_a', precision='bf16')
    train_run(episodes, tmp_path / 'b', method='immimic_a', precision='fp32')
    low, full = (read_curve(tmp_path / name)[-1]['loss_robot'] for name in 'ab')
    assert low != full
    assert low == pytest.approx(full, rel=0.1)


def test_shares_of_the_human_may_be_drawn(episodes, tmp_path):
    middles = {}
    for b in (0.1, 20.0):
        settings = settings_of(method='immimic_a', mixing='beta', mixing_beta=b, batch=400)
        data = prepare(episodes, settings.train)
        trainer = Trainer(data, settings.train, settings.network, settings.diffusion, tmp_path)
        first, last = (trainer._share(t, np.random.default_rng(0)).numpy() for t in (0, 5))
        np.testing.assert_array_equal(first, last)
        assert first.shape == (400, 1) and first.min() >= 0.0 and first.max() <= 1.0
        assert first.mean() == pytest.approx(0.5, abs=0.07)  # three times its standard error
        middles[b] = np.mean(np.abs(first - 0.5) < 0.25)
    assert middles[0.1] < 0.2 and middles[20.0] > 0.95
    curves = []
    for name, changes in (('beta', {'mixing': 'beta'}), ('linear', {})):
        last = train_run(episodes, tmp_path / name, method='immimic_a', **changes)
        load_policy(last)
        curves.append([line['loss_mixed'] for line in read_curve(tmp_path / name)])
    assert np.isfinite(curves).all() and curves[0] != curves[1]


def _chunk(policy, episode):
    """Predict from the first moments of a robot episode."""
    moments = policy.meta.observation_steps
    seen = Observation(episode.agent[:moments], None, episode.state[:moments])
    return policy.predict(seen, np.random.default_rng(0))


def test_the_preset_of_the_paper_trains_and_predicts(episodes, tmp_path):
    """ResNet-18, two moments, noise that is predicted; only smaller and shorter."""
    changes = dict(
        method='immimic_a', steps=2, batch=2, horizon=8, height=SIDE, width=SIDE, feature=32,
        widths=(16, 32, 64), robot_stride=1.0, log_every=1, save_every=1,
    )  # fmt: skip
    settings = Settings.of('paper', changes)
    data = prepare(episodes, settings.train)
    train(data, settings, tmp_path, stop=lambda: True)
    assert read_checkpoint(tmp_path).step == 1
    last = train(data, settings, tmp_path)
    assert [line['step'] for line in read_curve(tmp_path)] == [1, 2]
    document = read_checkpoint(last).document
    assert document['network']['encoder'] == 'resnet18'
    assert document['diffusion']['prediction'] == 'epsilon'
    policy = load_policy(last)
    assert policy.meta.observation_steps == 2
    chunk = _chunk(policy, episodes.of('robot')[0])
    assert chunk.shape == (8, 7) and np.isfinite(chunk).all()


@pytest.mark.parametrize(
    'place',
    [
        'cpu',
        pytest.param(
            'cuda',
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU'),
        ),
    ],
)
def test_a_run_in_bf16_goes_on_and_predicts_where_it_was_trained(episodes, tmp_path, place):
    settings = settings_of(method='immimic_a', steps=4, precision='bf16')
    data = prepare(episodes, settings.train)
    device = torch.device(place)
    train(data, settings, tmp_path, device=device, stop=iter([False, True]).__next__)
    assert read_checkpoint(tmp_path).step == 2
    last = train(data, settings, tmp_path, device=device)
    assert [line['step'] for line in read_curve(tmp_path)] == [2, 4]
    episode = episodes.of('robot')[0]
    for where in (place, 'cpu'):  # a robot without a GPU runs it too
        chunk = _chunk(load_policy(last, device=where), episode)
        assert chunk.shape == (8, 7) and np.isfinite(chunk).all()


_PAIR = dict(method='robot_only', steps=2, log_every=1)


def _worker(rank, port, run, refused):
    os.environ |= {
        'RANK': str(rank), 'LOCAL_RANK': str(rank), 'WORLD_SIZE': '2',
        'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=refused) if refused else nullcontext():
        train_run(dataset(robots=2, humans=3), run, **_PAIR)


def _train_together(*runs, refused=''):
    """Train in a process for each folder, all of them at once; each does, or is refused."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')  # torch is there already
    workers = [
        context.Process(target=_worker, args=(rank, port, run, refused))
        for rank, run in enumerate(runs)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        worker.kill()
    assert [worker.exitcode for worker in workers] == [0] * len(runs)


def test_machines_that_do_not_share_the_folder_do_not_go_on(tmp_path):
    """The first process writes all checkpoints: where others see none, they would begin at 0."""
    first, second = tmp_path / 'first', tmp_path / 'second'
    _train_together(first, second)
    assert checkpoints(first) and not checkpoints(second)
    refused = 'process 0 .* step 2, process 1 .* step 0 .*: give --out on a disk that they share'
    _train_together(first, second, refused=refused)
    shutil.copytree(first, second)
    _train_together(first, second)  # it is done in both


def test_two_processes_train_one_policy(tmp_path):
    """The first loss is the mean of what both see; their weights are the same throughout."""
    _train_together(tmp_path, tmp_path)
    assert read_checkpoint(tmp_path).document['training']['processes'] == 2
    curve = read_curve(tmp_path)
    assert [line['step'] for line in curve] == [1, 2]
    settings = settings_of(**_PAIR)
    data = prepare(dataset(robots=2, humans=3), settings.train)
    alone = [
        Trainer(data, settings.train, settings.network, settings.diffusion, tmp_path, rank=rank)
        for rank in range(2)
    ]
    losses = [trainer.step()['robot'] for trainer in alone]
    assert losses[0] != losses[1]  # each its own windows
    assert curve[0]['loss_robot'] == pytest.approx(np.mean(losses), rel=1e-5)
    with pytest.raises(ConfigError, match=r'training\.processes was 2 and is 1'):
        train(data, settings, tmp_path)


def test_when_one_process_is_stopped_all_of_them_end_at_the_same_step(monkeypatch):
    """A signal reaches each at another step; one that went on alone would wait for ever."""
    processor, others = torch.device('cpu'), 0.0
    monkeypatch.setattr('torch.distributed.all_reduce', lambda total: total.add_(others))
    assert any_process(True, processor, 2) and not any_process(False, processor, 2)
    others = 1.0
    assert any_process(False, processor, 2)
    assert any_process(True, processor, 1) and not any_process(False, processor, 1)


def test_torchrun_that_is_half_there_is_refused(episodes, tmp_path, monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(ConfigError, match='RANK is not: start it with torchrun'):
        train_run(episodes, tmp_path, method='robot_only')
