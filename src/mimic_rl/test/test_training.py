"""What a training leaves in its folder, and how it goes on from there."""

import dataclasses
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from event_files import curves, records

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from safetensors.torch import load_file, save_file  # noqa: E402
from small_training import SMALL, weights_of  # noqa: E402

from mimic_core.errors import ConfigError  # noqa: E402
from mimic_rl import load_run, save_run  # noqa: E402
from mimic_rl.checkpoint import (  # noqa: E402
    CheckpointError,
    load_actor,
    load_demonstrations,
    load_level,
    load_settings,
    save_demonstrations,
    save_policy,
    save_settings,
)
from mimic_rl.ppo import Demonstrations  # noqa: E402
from mimic_rl.training import Training  # noqa: E402

pytestmark = pytest.mark.usefixtures('one_thread')


def test_stopped_and_gone_on_is_the_same_as_in_one_go(run, settings, tmp_path):
    whole = Training(run, settings, tmp_path / 'whole', threads=1)
    whole.run(32 * 6, save_every=3)
    first = Training(run, settings, tmp_path / 'parts', threads=1)
    first.run(32 * 3, save_every=3)
    first.close()
    second = Training(run, settings, tmp_path / 'parts', threads=1)
    assert second.resumed and second.learner.steps == 96
    second.run(32 * 6, save_every=3)
    assert second.learner.steps == whole.learner.steps == 192
    for name, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(second)[name]), name
    kept = load_actor(tmp_path / 'parts').state_dict()
    for name, value in whole.learner.average.state_dict().items():
        assert torch.equal(value, kept[name]), name
    whole.close()
    second.close()


def test_what_is_learned_is_an_average_of_policies(run, settings, tmp_path):
    for keep in (0.0, 0.5):
        learning = dataclasses.replace(settings.learning, average=keep)
        own = dataclasses.replace(settings, learning=learning)
        training = Training(run, own, tmp_path / str(keep), threads=1)
        policies = []
        training.run(32 * 4, report=lambda _: bool(policies.append(weights_of(training)) or True))
        kept = load_actor(tmp_path / str(keep)).state_dict()
        # After four updates with 0.5: a half of the fourth, a quarter of the third, and so on
        shares = (0.125, 0.125, 0.25, 0.5) if keep else (0.0, 0.0, 0.0, 1.0)
        for name, value in kept.items():
            parts = zip(shares, policies, strict=True)
            wanted = sum(share * policy[name].double() for share, policy in parts)
            torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=1e-6)
        training.close()


def test_a_policy_claims_the_starts_that_its_average_has_met(run, settings, tmp_path):
    learning = dataclasses.replace(settings.learning, average=0.5, level=0.4, level_step=0.0)
    own = dataclasses.replace(settings, learning=learning)
    levels = iter((0.6, 0.8, 1.0, 1.0))

    def rise(_: object) -> bool:
        training.learner.practice.level = next(levels)
        return True

    training = Training(run, own, tmp_path, threads=1)
    training.run(32 * 2, report=rise, save_every=2)
    assert load_level(tmp_path) == pytest.approx(0.5)  # both updates count the same
    training.close()
    training = Training(run, own, tmp_path, threads=1)
    training.learner.practice.level = 0.8
    training.run(32 * 4, report=rise)
    assert training.learner.practice.level == 1.0
    assert load_level(tmp_path) == pytest.approx(0.125 * 0.4 + 0.125 * 0.6 + 0.25 * 0.8 + 0.5)
    training.learner.practice.level = 0.6  # most failed beyond it
    save_policy(training.learner, tmp_path)
    assert load_level(tmp_path) == 0.6
    training.close()


def test_a_training_of_before_averages_from_its_checkpoint_on(run, settings, tmp_path):
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32 * 3, save_every=3)
    training.close()
    (checkpoint,) = tmp_path.glob('checkpoint-*')
    file = checkpoint / 'tensors.safetensors'
    tensors = load_file(file)
    save_file({k: v for k, v in tensors.items() if not k.startswith('average.')}, file)
    again = Training(run, settings, tmp_path, threads=1)
    for name, value in weights_of(again).items():
        assert torch.equal(again.learner.average.state_dict()[name], value), name
    again.close()


def test_other_settings_in_the_same_folder_are_refused(run, settings, tmp_path):
    Training(run, settings, tmp_path, threads=1).close()
    other = dataclasses.replace(settings, learning=dataclasses.replace(SMALL, horizon=9))
    with pytest.raises(ConfigError, match=r'settings\.json: horizon is 8, not 9; train under'):
        Training(run, other, tmp_path, threads=1)


def test_two_trainings_do_not_share_a_folder(run, settings, tmp_path):
    training = Training(run, settings, tmp_path, threads=1)
    with pytest.raises(ConfigError, match='another process trains here'):
        Training(run, settings, tmp_path, threads=1)
    training.close()
    Training(run, settings, tmp_path, threads=1).close()


def test_a_run_that_changed_is_not_practised_on(run, settings, tmp_path):
    Training(run, settings, tmp_path, threads=1).close()
    Training(run, settings, tmp_path, threads=1).close()
    other = dataclasses.replace(run, trajectory=run.trajectory[:-5], demonstration=None)
    with pytest.raises(ConfigError, match='the run has changed'):
        Training(other, settings, tmp_path, threads=1)


def test_settings_round_trip_and_name_what_is_wrong(settings, tmp_path):
    save_settings(settings, tmp_path)
    again = load_settings(tmp_path)
    assert again.learning == settings.learning and again.practice == settings.practice
    np.testing.assert_array_equal(again.synergies.directions, settings.synergies.directions)
    path = tmp_path / 'settings.json'
    document = json.loads(path.read_text())
    document['learning']['horizon'] = -1
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match='horizon'):
        load_settings(tmp_path)
    path.write_text('{')
    with pytest.raises(ConfigError, match='no valid JSON'):
        load_settings(tmp_path)


def test_a_torn_checkpoint_is_passed_over(run, settings, tmp_path):
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32 * 4, save_every=2)
    training.close()
    newest = max(tmp_path.glob('checkpoint-*'))
    (newest / 'tensors.safetensors').write_bytes(b'torn')
    again = Training(run, settings, tmp_path, threads=1)
    assert again.resumed and again.learner.updates == 2
    again.close()


def test_a_full_disk_ends_a_training_with_the_file_and_it_goes_on(
    run, settings, tmp_path, monkeypatch
):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    training = Training(run, settings, tmp_path, threads=1)
    training.run(32 * 2, save_every=1)
    words = r'{}\.part: not written: the disk is full; the training goes on from its last checkp'
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        with pytest.raises(CheckpointError, match=words.format('checkpoint-00000003')):
            training.run(32 * 3)
        with pytest.raises(CheckpointError, match=words.format('policy')):
            save_policy(training.learner, tmp_path)
    training.close()
    assert not list(tmp_path.rglob('*.part'))
    assert load_actor(tmp_path)
    again = Training(run, settings, tmp_path, threads=1)
    assert again.resumed and again.learner.updates == 2
    curve = again._events.path
    with Path('/dev/full').open('wb', buffering=0) as device:
        monkeypatch.setattr(again._events, '_file', device)
        with pytest.raises(CheckpointError, match=f'{curve}: not written: the disk is full'):
            again.run(32 * 3)


def test_a_full_disk_at_the_beginning_of_a_training(settings, tmp_path):
    part = tmp_path / 'demonstrations.safetensors.part'
    part.symlink_to('/dev/full')
    empty = torch.zeros(2, 1, 3)
    shown = Demonstrations(empty, empty, empty[:, :, 0])
    with pytest.raises(CheckpointError, match=f'{part}: not written: the disk is full'):
        save_demonstrations(shown, tmp_path)
    (tmp_path / '.settings.json.draft').symlink_to('/dev/full')
    with pytest.raises(CheckpointError, match=r'settings\.json: not written: the disk is full'):
        save_settings(settings, tmp_path)
    assert not part.is_symlink() and load_demonstrations(tmp_path) is None
    assert not (tmp_path / 'settings.json').exists()


def test_torn_checkpoints_are_not_counted_among_those_that_are_kept(run, settings, tmp_path):
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32 * 5, save_every=2)  # checkpoints 4 and 5
    training.close()
    for path in tmp_path.glob('checkpoint-*'):
        shutil.copytree(path, tmp_path / f'checkpoint-{100 + int(path.name[-8:]):08d}')
    for path in tmp_path.glob('checkpoint-000001*'):
        (path / 'tensors.safetensors').write_bytes(b'torn')
    again = Training(run, settings, tmp_path, threads=1)
    assert again.resumed and again.learner.updates == 5
    again.run(32 * 7, save_every=1)
    again.close()
    kept = sorted(p.name for p in tmp_path.glob('checkpoint-*'))
    assert kept == [
        'checkpoint-00000006', 'checkpoint-00000007', 'checkpoint-00000104.torn',
        'checkpoint-00000105.torn',
    ]  # fmt: skip


def test_a_training_whose_checkpoints_are_all_torn_does_not_begin_anew(run, settings, tmp_path):
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32 * 2, save_every=1)
    training.close()
    for path in tmp_path.glob('checkpoint-*'):
        (path / 'tensors.safetensors').write_bytes(b'torn')
    words = f'{tmp_path}: checkpoint-00000001 and checkpoint-00000002 cannot be read'
    with pytest.raises(ConfigError, match=re.escape(words)):
        Training(run, settings, tmp_path, threads=1)
    assert len(list(tmp_path.glob('checkpoint-*'))) == 2


def test_a_policy_that_is_missing_or_torn_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'policy.*practise train goes on'):
        load_actor(tmp_path)


@pytest.mark.parametrize('field', ['steps', 'recent', 'practice'])
def test_a_checkpoint_with_a_field_of_the_wrong_kind_is_named(run, settings, tmp_path, field):
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32)
    training.close()
    (path,) = tmp_path.glob('checkpoint-*/state.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: None}))
    with pytest.raises(ConfigError, match=rf'{path}: a field is of the wrong kind'):
        Training(run, settings, tmp_path, threads=1)
    path = tmp_path / 'policy' / 'state.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'inputs': None}))
    with pytest.raises(ConfigError, match=rf'{path}: a field is of the wrong kind'):
        load_actor(tmp_path)


def test_a_training_whose_folder_is_moved_ends_and_goes_on_under_the_new_name(
    run, settings, tmp_path
):
    training = Training(run, settings, tmp_path / 'old', threads=1)
    training.run(32)
    (tmp_path / 'old').rename(tmp_path / 'new')
    with pytest.raises(ConfigError, match=r'old was moved or removed .* the new name'):
        training.run(64)
    training.close()
    assert not (tmp_path / 'old').exists()
    again = Training(run, settings, tmp_path / 'new', threads=1)
    assert again.resumed and again.learner.steps == 32
    again.close()


def test_killed_between_two_renames_the_policy_before_is_read(run, settings, tmp_path):
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32)
    training.close()
    whole = load_actor(tmp_path).state_dict()
    (tmp_path / 'policy').rename(tmp_path / 'policy.old')
    for name, value in load_actor(tmp_path).state_dict().items():
        assert torch.equal(value, whole[name]), name
    again = Training(run, settings, tmp_path, threads=1)
    again.run(64)
    again.close()
    assert (tmp_path / 'policy').is_dir()


def test_a_training_films_what_it_does_and_does_not_notice(run, settings, tmp_path):
    plain = Training(run, settings, tmp_path / 'plain', threads=1)
    plain.run(64)
    training = Training(run, settings, tmp_path / 'filmed', threads=1)
    training.run(64, film_every=64)
    training.close()
    plain.close()
    if training.no_films:
        pytest.skip(training.no_films)
    (path,) = (tmp_path / 'filmed' / 'films').iterdir()
    assert path.name == '000000064.mp4'
    with av.open(str(path)) as film:
        assert film.streams.video[0].average_rate == settings.practice.control_rate
        frames = [frame.to_ndarray(format='rgb24') for frame in film.decode(video=0)]
    assert frames[0].shape == (240, 320, 3)
    assert 1 < len(frames) <= training.practice.length - 1
    assert frames[0].std() > 20.0  # there is something in it
    apart = np.abs(frames[-1].astype(float) - frames[0].astype(float)).max(axis=2)
    assert 0.002 < (apart > 40.0).mean() < 0.5  # things move, the table does not
    for name, value in weights_of(plain).items():
        assert torch.equal(value, weights_of(training)[name]), name


def test_a_film_is_as_hard_as_the_practice_it_shows(run, settings, tmp_path, monkeypatch):
    filmed = []

    class Looker:
        def __init__(self, practice):
            filmed.append((practice.level, practice.start_level))

        def draw(self):
            return None

        def close(self):
            pass

    monkeypatch.setattr('mimic_rl.training.Camera', Looker)
    monkeypatch.setattr('mimic_rl.training.write_film', lambda *_: None)
    learning = dataclasses.replace(SMALL, level=0.4, start_level=0.9)
    own = dataclasses.replace(settings, learning=learning)
    training = Training(run, own, tmp_path, threads=1)
    training.film(tmp_path / 'film.mp4')
    training.close()
    assert filmed == [(0.4, 0.9)]


def test_a_training_without_graphics_goes_on_and_says_so(run, settings, tmp_path, monkeypatch):
    def none(*_):
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    monkeypatch.setattr('mujoco.Renderer', none)
    training = Training(run, settings, tmp_path, threads=1)
    training.run(32 * 3, film_every=32)
    assert training.learner.steps == 96
    assert 'nothing can be drawn on this machine' in training.no_films
    training.close()


_KILLED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from mimic_rl.checkpoint import load_settings
from mimic_rl.run_folder import load_run
from mimic_rl.training import Training
folder = Path(sys.argv[1])
training = Training(load_run(folder), load_settings(folder / 'a'), folder / 'a', threads=1)
training.run(10**9, save_every=1)
"""


def test_killed_in_training(run, settings, tmp_path):
    save_run(run, tmp_path)
    run = load_run(tmp_path)  # as the process reads it
    save_settings(settings, tmp_path / 'a')
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen([sys.executable, '-c', _KILLED, str(tmp_path)], env=env)
    try:
        end = time.monotonic() + 240
        while time.monotonic() < end and len(list((tmp_path / 'a').glob('checkpoint-*'))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = Training(run, settings, tmp_path / 'a', threads=1)
    assert again.resumed
    stopped = again.learner.steps
    again.run(stopped + 64)
    assert again.learner.steps == stopped + 64
    # Each step once in the curve: what the killed one wrote after its checkpoint does not count
    written = (tmp_path / 'a' / 'events').iterdir()  # their names may be of the same second
    first, second = sorted(written, key=lambda file: file.stat().st_mtime_ns)
    start = [event[2] for event in records(second) if 7 in event]
    assert start == [stopped + 1]
    kept = [step for step, _ in curves(first) if step < start[0]]
    steps = kept + [step for step, _ in curves(second)]
    assert steps == list(range(32, stopped + 65, 32))
    # The same numbers as a training that was never killed
    whole = Training(run, settings, tmp_path / 'b', threads=1)
    whole.run(stopped + 64)
    for name, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(again)[name]), name
