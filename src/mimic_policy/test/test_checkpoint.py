import errno
import json
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest
import torch

from mimic_core.errors import ConfigError, MimicError
from mimic_description import load_robot
from mimic_policy import Observation, WrongRobotError
from mimic_policy import checkpoint as module
from mimic_policy.checkpoint import (
    WEIGHTS,
    CheckpointError,
    checkpoints,
    load_policy,
    read_checkpoint,
)
from mimic_policy.facts import DOCUMENT

from policy_networks import save_tiny  # isort: skip


def _observation(seed=0, joints=1):
    rng = np.random.default_rng(seed)
    state = np.concatenate(
        [np.array([[0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0]] * 2), np.zeros((2, joints))], 1
    )
    frames = rng.integers(0, 256, (2, 2, 36, 48, 3), dtype=np.uint8)
    return Observation(frames[0], frames[1], state)


def test_what_is_saved_is_loaded_and_predicts_the_same(tmp_path):
    save_tiny(tmp_path)
    policy, again = load_policy(tmp_path), load_policy(tmp_path / 'step_00000001')
    chunk = policy.predict(_observation(), np.random.default_rng(3))
    assert chunk.shape == (16, 7)
    np.testing.assert_array_equal(chunk, again.predict(_observation(), np.random.default_rng(3)))
    assert not np.array_equal(chunk, policy.predict(_observation(), np.random.default_rng(4)))
    assert (np.abs(policy.meta.action.scale(chunk)) < 1.0 + 1e-6).all()
    policy.check(load_robot('panda', 'robotiq_2f85'), {'agent': (480, 640), 'wrist': (480, 640)})
    with pytest.raises(WrongRobotError, match='hand'):
        policy.check(load_robot('panda', 'allegro'), {'agent': (480, 640), 'wrist': (480, 640)})


def test_fewer_steps_of_inference_may_be_asked_for(tmp_path):
    save_tiny(tmp_path)
    assert np.isfinite(
        load_policy(tmp_path, inference_steps=2).predict(_observation(), np.random.default_rng(0))
    ).all()
    with pytest.raises(ConfigError, match=r'checkpoint\.json: diffusion: .*inference_steps'):
        load_policy(tmp_path, inference_steps=200)


@pytest.mark.parametrize(
    ('change', 'field'),
    [
        (lambda o: Observation(o.agent[:1], o.wrist, o.state), 'agent'),
        (lambda o: Observation(o.agent[:, :20], o.wrist, o.state), 'agent'),
        (lambda o: Observation(o.agent.astype(float), o.wrist, o.state), 'agent'),
        (lambda o: Observation(o.agent, None, o.state), 'wrist'),
        (lambda o: Observation(o.agent, o.wrist, o.state[:, :-1]), 'state'),
        (lambda o: Observation(o.agent, o.wrist, o.state * np.nan), 'state'),
    ],
)
def test_a_wrong_observation_is_refused_by_field(tmp_path, change, field):
    save_tiny(tmp_path)
    with pytest.raises(MimicError, match=field):
        load_policy(tmp_path).predict(change(_observation()), np.random.default_rng(0))


def test_the_newest_is_taken_and_old_ones_go(tmp_path):
    for step in (1, 2, 30):
        save_tiny(tmp_path, step)
    assert [path.name for path in checkpoints(tmp_path)] == ['step_00000002', 'step_00000030']
    assert read_checkpoint(tmp_path).step == 30


def test_a_pickle_is_refused_wherever_it_is(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'sprung'),)

    file = tmp_path / 'policy.ckpt'
    file.write_bytes(pickle.dumps(Trap()))
    other = tmp_path / 'policy'
    torch.save({'weight': torch.zeros(2)}, other)
    for path in (file, other):
        with pytest.raises(CheckpointError, match=f'{path.name}: a pickle'):
            load_policy(path)
    folder = save_tiny(tmp_path / 'run')
    (folder / WEIGHTS).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=rf'{WEIGHTS}: a pickle'):
        load_policy(folder)
    assert not (tmp_path / 'sprung').exists()


def test_damage_is_named(tmp_path):
    folder = save_tiny(tmp_path)
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-3] ^= 0x10
    for damaged in (bytes(data), bytes(data[: len(data) // 2]), b''):
        (folder / WEIGHTS).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=rf'{WEIGHTS}: damaged'):
            load_policy(tmp_path)
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=rf'{WEIGHTS}: No such file'):
        load_policy(tmp_path)


def test_a_damaged_document_is_named(tmp_path):
    folder = save_tiny(tmp_path)
    document = json.loads((folder / DOCUMENT).read_text())
    for text, message in (
        ('{"a"', 'not JSON'),
        ('[]', 'format is None'),
        (json.dumps({**document, 'format': 9}), 'format is 9'),
        (json.dumps({**document, 'files': 3}), 'files is missing or wrong'),
        (json.dumps({**document, 'step': -3}), 'step = -3 is no count of steps'),
        (json.dumps({**document, 'step': True}), 'step = True is no count of steps'),
        (json.dumps({**document, 'meta': {**document['meta'], 'fps': 'x'}}), r'meta\.fps'),
        (json.dumps({**document, 'network': {'kernel': 4}}), 'network: .*kernel'),
        (json.dumps({**document, 'network': {'pickle': 4}}), 'network: .*pickle'),
        (json.dumps({**document, 'network': {**document['network'], 'feature': 8}}), WEIGHTS),
    ):
        (folder / DOCUMENT).write_text(text)
        with pytest.raises(MimicError, match=message) as caught:
            load_policy(tmp_path)
        assert str(folder) in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    original = module.build_network

    def broken(params, meta):
        network = original(params, meta)
        torch.nn.init.constant_(network.unet.head.bias, float('nan'))
        return network

    import policy_networks

    monkeypatch.setattr(policy_networks, 'build_network', broken)
    save_tiny(tmp_path)
    with pytest.raises(CheckpointError, match=r'unet\.head\.bias holds values'):
        load_policy(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match='no checkpoint'):
        load_policy(tmp_path)
    with pytest.raises(CheckpointError, match='no checkpoint'):
        load_policy(tmp_path / 'missing')


def test_a_full_disk_leaves_the_last_one_whole(tmp_path, monkeypatch):
    save_tiny(tmp_path, 1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(CheckpointError, match=r'step_00000002.*the disk is full'):
        save_tiny(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ['step_00000001']
    load_policy(tmp_path)


def _write_on(run):
    for step in range(1, 100000):
        save_tiny(run, step)


def test_killed_while_writing_a_whole_one_is_left(tmp_path):
    """Every checkpoint that has its name can be loaded."""
    rng = np.random.default_rng(0)
    context = multiprocessing.get_context('fork')  # torch is there already
    for trial in range(4):
        run = tmp_path / str(trial)
        writer = context.Process(target=_write_on, args=(run,))
        writer.start()
        deadline = time.monotonic() + 60.0
        while len(checkpoints(run)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.1))
        writer.kill()
        writer.join()
        found = checkpoints(run)
        assert found
        for folder in found:
            load_policy(folder)
        save_tiny(run, 99999)  # goes on over what was left
        assert not [path for path in run.iterdir() if path.name.startswith('.step_00099999')]


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_device_that_is_not_there_is_named(tmp_path):
    run = save_tiny(tmp_path / 'run')
    for name in ('cuda', 'abacus'):
        with pytest.raises(ConfigError, match=f"^device '{name}': "):
            load_policy(run, device=name)
