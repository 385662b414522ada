import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from mimic_core.errors import ConfigError  # noqa: E402
from mimic_rl import (  # noqa: E402
    Practice,
    PracticeParams,
    RandomisationParams,
    load_run,
    robot_synergies,
    save_run,
)
from mimic_rl.checkpoint import (  # noqa: E402
    Settings,
    load_actor,
    load_demonstrations,
    load_settings,
    save_settings,
)
from mimic_rl.comparison import clone  # noqa: E402
from mimic_rl.evaluation import (  # noqa: E402
    Learned,
    Replay,
    collect,
    evaluate,
    imitate,
)
from mimic_rl.network import Actor, Normaliser, log_probability  # noqa: E402
from mimic_rl.params import LearningParams  # noqa: E402
from mimic_rl.ppo import Learner, advantages, imitation_loss  # noqa: E402
from mimic_rl.shown import show  # noqa: E402
from mimic_rl.training import Training  # noqa: E402

SMALL = LearningParams(
    environments=4,
    horizon=8,
    layers=(16,),
    memory=8,
    critic_layers=(16,),
    minibatches=2,
    level=1.0,
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(synergies):
    return Settings(3, PracticeParams(), RandomisationParams(), SMALL, synergies)


def test_advantages_by_hand():
    reward = torch.tensor([[1.0], [2.0], [3.0]])
    value = torch.tensor([[0.5], [1.0], [1.5]])
    last, done = torch.tensor([2.0]), torch.tensor([[0.0], [1.0], [0.0]])
    third = 3.0 + 0.9 * 2.0 - 1.5
    second = 2.0 - 1.0  # the episode ends
    first = 1.0 + 0.9 * 1.0 - 0.5 + 0.9 * 0.5 * second
    result = advantages(reward, value, last, done, 0.9, 0.5)
    np.testing.assert_allclose(result[:, 0], [first, second, third], rtol=1e-6)


def test_memory_is_blank_at_a_beginning_and_sequences_are_steps():
    torch.manual_seed(0)
    actor = Actor(5, 2, (8,), 6, 0.5)
    inputs, begins = torch.randn(7, 3, 5), torch.zeros(7, 3)
    begins[4, 1] = 1.0
    state = torch.randn(2, 3, 6)
    whole, after = actor(inputs, state, begins)
    steps, now = [], state
    for t in range(7):
        mean, now = actor(inputs[t : t + 1], now, begins[t : t + 1])
        steps.append(mean)
    torch.testing.assert_close(whole, torch.cat(steps))
    torch.testing.assert_close(after, now)
    fresh, _ = actor(inputs[4:, 1:2], actor.blank(1), torch.zeros(3, 1))
    torch.testing.assert_close(whole[4:, 1:2], fresh)


def test_normaliser_is_mean_and_variance_of_all():
    torch.manual_seed(0)
    data = torch.randn(100, 4) * torch.tensor([1.0, 3.0, 0.1, 5.0]) + 2.0
    normaliser = Normaliser(4)
    for part in data.split(17):
        normaliser.update(part)
    torch.testing.assert_close(normaliser.mean, data.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        normaliser.variance, data.var(0, unbiased=False), rtol=1e-3, atol=1e-4
    )


def test_log_probability_is_that_of_torch():
    torch.manual_seed(0)
    action, mean, std = torch.randn(5, 3), torch.randn(5, 3), torch.rand(3) + 0.1
    wanted = torch.distributions.Normal(mean, std).log_prob(action).sum(-1)
    torch.testing.assert_close(log_probability(action, mean, std), wanted)


def _weights(training):
    return {k: v.clone() for k, v in training.learner.actor.state_dict().items()}


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
    for name, value in _weights(whole).items():
        assert torch.equal(value, _weights(second)[name]), name
    actor = load_actor(tmp_path / 'parts')
    for name, value in _weights(whole).items():
        assert torch.equal(value, actor.state_dict()[name]), name
    whole.close()
    second.close()


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


def test_demonstrations_beside_practice(run, settings, tmp_path, monkeypatch):
    """They pull the policy less and less; going on is exact, and replays nothing once more."""
    monkeypatch.setattr('mimic_rl.training._SHOWN_EPISODES', 12)
    shapes = []

    def loss(actor, shown):
        shapes.append(shown.inputs.shape[1])
        return imitation_loss(actor, shown)

    monkeypatch.setattr('mimic_rl.ppo.imitation_loss', loss)
    learning = dataclasses.replace(SMALL, demonstration=2.0, demonstration_decay=0.9)
    varied = RandomisationParams(xy=0.01, yaw=0.05, factor=0.0, gravity=0.0, push=0.0, lost=0.0)
    settings = dataclasses.replace(settings, learning=learning, randomisation=varied)
    whole = Training(run, settings, tmp_path / 'whole', threads=1)
    whole.run(32 * 4, save_every=2)
    assert whole.learner.demonstration_weight == pytest.approx(2.0 * 0.9**4)
    assert shapes == [8] * (4 * SMALL.epochs * SMALL.minibatches)  # a few of the 12
    shutil.copytree(tmp_path / 'whole', tmp_path / 'parts')
    shutil.rmtree(tmp_path / 'parts' / 'checkpoint-00000004')

    def again(*_, **__):
        raise AssertionError('replayed once more')

    monkeypatch.setattr('mimic_rl.training.collect', again)
    parts = Training(run, settings, tmp_path / 'parts', threads=1)
    assert parts.resumed and parts.learner.steps == 64
    assert parts.learner.demonstration_weight == pytest.approx(2.0 * 0.9**2)
    parts.run(32 * 4, save_every=2)
    for name, value in _weights(whole).items():
        assert torch.equal(value, _weights(parts)[name]), name
    whole.close()
    parts.close()


def test_replays_are_shown_at_the_level_at_which_practice_begins(
    run, settings, tmp_path, monkeypatch
):
    levels = []

    def watched(practice, *rest, **options):
        levels.append(practice.level)
        return collect(practice, *rest, **options)

    monkeypatch.setattr('mimic_rl.training._SHOWN_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.training.collect', watched)
    learning = dataclasses.replace(SMALL, demonstration=1.0, level=0.2)
    Training(run, dataclasses.replace(settings, learning=learning), tmp_path, threads=1).close()
    assert levels == [0.2]


def test_the_loss_of_demonstrations_pulls(run, settings, synergies):
    """From the same beginning, with it and without it: it brings the policy to what was shown."""
    lost = {}
    for weight in (0.0, 10.0):
        practice = Practice(run, synergies, count=4, threads=1, seed=1)
        shown, _ = collect(practice, Replay(aware=True), 4, most=16)
        learning = dataclasses.replace(SMALL, demonstration=weight, demonstration_decay=1.0)
        learner = Learner(practice, learning, 0, shown)
        for _ in range(12):
            learner.update()
        lost[weight] = float(imitation_loss(learner.actor, shown).detach())
        practice.close()
    assert lost[10.0] < 0.8 * lost[0.0]


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
    for name, value in _weights(plain).items():
        assert torch.equal(value, _weights(training)[name]), name


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
    # The same numbers as a training that was never killed
    whole = Training(run, settings, tmp_path / 'b', threads=1)
    whole.run(stopped + 64)
    for name, value in _weights(whole).items():
        assert torch.equal(value, _weights(again)[name]), name


def test_a_tiny_task_is_learned():
    """A hand learns to push a box by 8 cm, from nothing, in 60,000 to 160,000 steps."""
    run = show('box_push', 'iiwa14', 'allegro')
    path = run.trajectory[[0] * 16].copy()
    path[:, 1] += 0.08 * np.minimum(np.linspace(0.0, 1.3, 16), 1.0)
    tiny = dataclasses.replace(run, trajectory=path, demonstration=None)
    names = [f.name for f in dataclasses.fields(RandomisationParams)]
    still = {n: 0 if n.endswith('delay') else 0.0 for n in names}
    varied = RandomisationParams(**{**still, 'xy': 0.01, 'yaw': 0.02, 'joints': 0.005})
    practice = Practice(
        tiny, robot_synergies(run.robot()), count=24, seed=0, threads=1, randomisation=varied,
        params=PracticeParams(hold=3, success_distance=0.03),
    )  # fmt: skip
    learning = LearningParams(
        environments=24, layers=(64,), memory=16, critic_layers=(64,), discount=0.95, epochs=5,
        minibatches=2, learning_rate=1e-3, divergence=0.02, spread=0.4, level=1.0, level_step=0.0,
    )  # fmt: skip
    learner = Learner(practice, learning, 0)
    before = evaluate(practice, 'before', Learned(learner.actor), 24)
    learner = Learner(practice, learning, 0)
    after = before
    while after.rate < 0.9 and learner.steps < 240_000:
        goal = learner.steps + 20_000
        while learner.steps < goal:
            learner.update()
        after = evaluate(practice, 'after', Learned(learner.actor), 24)
    assert before.rate == 0.0
    assert after.rate >= 0.9


def test_harder_when_it_succeeds_and_easier_when_not(run, synergies):
    practice = Practice(run, synergies, count=2, threads=1)
    learning = dataclasses.replace(SMALL, level=0.3, level_episodes=8)
    learner = Learner(practice, learning)
    learner._follow_success(np.ones(8, dtype=bool))
    assert practice.level == pytest.approx(0.35)
    learner._follow_success(np.zeros(8, dtype=bool))
    assert practice.level == pytest.approx(0.3)
    learner._follow_success(np.zeros(8, dtype=bool))
    assert practice.level == pytest.approx(0.3)


def test_imitation_of_the_replayed_motion(run, synergies, quiet):
    practice = Practice(run, synergies, count=4, threads=1, randomisation=quiet)
    shown, remark = collect(practice, Replay(aware=True), 4)
    assert shown.inputs.shape[1] == 4 and remark == ''
    assert float(shown.valid.mean()) > 0.9
    # What is seen holds the action before, as it does for a policy that acts
    count, both = practice.actions, shown.valid[1:].bool() & shown.valid[:-1].bool()
    torch.testing.assert_close(shown.inputs[1:, :, -count:][both], shown.actions[:-1][both])
    # The push goes along y
    assert float(shown.actions[10:40, :, 1].mean()) > 3 * float(shown.actions[10:40, :, 0].mean())
    torch.manual_seed(0)
    actor = Actor(shown.inputs.shape[2], practice.actions, (64,), 32, 0.5)
    before = float(imitation_loss(actor, shown).detach())
    after = imitate(actor, shown, 150)
    assert after < 0.1 * before
    assert evaluate(practice, 'bc', Learned(actor), 4).rate >= 0.5


def test_only_what_succeeded_is_imitated(run, synergies):
    varied = RandomisationParams(xy=0.03, push=0.0)
    practice = Practice(run, synergies, count=8, threads=1, randomisation=varied)
    practice.level = 1.0
    shown, remark = collect(practice, Replay(aware=True), 10, most=64)
    assert 4 <= shown.inputs.shape[1] <= 10 and remark == ''
    rate = evaluate(practice, 'aware', Replay(aware=True), 32).rate
    assert 0.0 < rate < 1.0  # some of them failed and are not in it
    assert (shown.valid.sum(axis=0) == practice.length - 1).all()  # no episode that ended early


def test_where_no_replay_succeeds_they_are_imitated_up_to_where_they_fail(
    run, synergies, settings, tmp_path, monkeypatch
):
    for name in ('comparison._CLONED', 'comparison._MOST', 'training._SHOWN', 'training._MOST'):
        monkeypatch.setattr(f'mimic_rl.{name}_EPISODES', 4)
    # A push the other way: when the target is 20 cm off, an episode ends.
    back = run.trajectory.copy()
    back[:, :2] = 2.0 * back[0, :2] - back[:, :2]
    away = dataclasses.replace(run, trajectory=back)
    params = PracticeParams(max_distance=0.2)
    practice = Practice(away, synergies, count=4, threads=1, params=params)
    practice.level = 1.0
    shown, remark = collect(practice, Replay(aware=True), 6, most=8)
    assert remark == '0 of 8 replays succeed: imitated as they are'
    assert shown.inputs.shape[1] == shown.actions.shape[1] == 6
    steps = shown.valid.sum(axis=0)
    assert (steps > 0).all() and (steps < practice.length - 1).all()
    # From the first step on, without what comes after the end.
    assert (shown.valid == (torch.arange(practice.length)[:, None] < steps)).all()
    own = dataclasses.replace(settings, practice=params)
    monkeypatch.setattr('mimic_rl.comparison._CLONING_STEPS', 5)
    assert clone(away, own, 0, threads=1)[1] == '0 of 4 replays succeed: imitated as they are'
    learning = dataclasses.replace(SMALL, demonstration=0.1)
    told = []
    training = Training(
        away, dataclasses.replace(own, learning=learning), tmp_path, threads=1, tell=told.append
    )
    assert [text.removeprefix('demonstrations: ') for text in told] == [
        'replays the shown motion up to 4 times',  # said before it, which takes minutes
        '0 of 4 replays succeed: imitated as they are',
        'imitates 4 of them',
    ]
    training.run(32)
    training.close()
    told.clear()
    again = Training(away, training.settings, tmp_path, threads=1, tell=told.append)
    assert again.resumed and not told
    again.close()


def test_the_smallest_learning_there_is(run, quiet, synergies):
    """One step of one environment, and no layers beside the memory."""
    practice = Practice(run, synergies, count=1, threads=1, randomisation=quiet)
    learner = Learner(
        practice, LearningParams(environments=1, horizon=1, layers=(), memory=4, critic_layers=())
    )
    learner.update()
    assert all(v.isfinite().all() for v in learner.actor.state_dict().values())
    assert all(v.isfinite().all() for v in learner.critic.state_dict().values())


def test_what_learning_begins_with(run, quiet, synergies):
    practice = Practice(run, synergies, count=4, threads=1, randomisation=quiet)
    params = dataclasses.replace(SMALL, spread=0.2, place_spread=0.5, level=0.4, start_level=0.9)
    learner = Learner(practice, params)
    spread = [0.5] * 3 + [0.2] * (practice.actions - 3)  # the palm's place, then turns and hand
    np.testing.assert_allclose(learner.actor.std().detach(), spread, rtol=1e-6)
    assert (practice.level, practice.start_level) == (0.4, 0.9)


def test_a_training_with_demonstrations_begins_with_what_imitation_gave(
    run, quiet, settings, tmp_path, monkeypatch
):
    for name in ('SHOWN', 'MOST'):
        monkeypatch.setattr(f'mimic_rl.training._{name}_EPISODES', 4)
    monkeypatch.setattr('mimic_rl.training._IMITATION_STEPS', 60)
    actors, spent = {}, {}
    for weight in (0.0, 0.1):
        learning = dataclasses.replace(SMALL, demonstration=weight)
        own = dataclasses.replace(settings, learning=learning, randomisation=quiet)
        training = Training(run, own, tmp_path / str(weight), threads=1)
        actors[weight] = training.learner.actor
        spent[weight] = training.learner.seconds
        training.close()
    shown = load_demonstrations(tmp_path / '0.1')
    error = {
        weight: float(imitation_loss(actor, shown).detach()) for weight, actor in actors.items()
    }
    assert error[0.1] < 0.5 * error[0.0]
    assert spent[0.1] > spent[0.0] == 0.0  # a part of the training's time


def test_replays_of_another_start(run, synergies, quiet):
    varied = dataclasses.replace(quiet, xy=0.05)
    practice = Practice(run, synergies, count=20, threads=1, randomisation=varied)
    practice.level = 1.0
    plain = evaluate(practice, 'replay', Replay(aware=False), 20)
    aware = evaluate(practice, 'aware', Replay(aware=True), 20)
    # It keeps the offset of the start, since it only moves along
    assert 0.01 < aware.distance.mean() < 0.1
    assert plain.rate < 1.0
    with pytest.raises(ConfigError, match='episodes'):
        evaluate(practice, 'none', Replay(aware=True), 0)
    nothing = Practice(dataclasses.replace(run, demonstration=None), synergies, count=1, threads=1)
    with pytest.raises(ConfigError, match='nothing to replay'):
        evaluate(nothing, 'replay', Replay(aware=True), 1)
