import dataclasses
import shutil

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='what learning needs is not installed')

from small_training import SMALL, weights_of  # noqa: E402

from mimic_core.errors import ConfigError  # noqa: E402
from mimic_rl import Practice, PracticeParams, RandomisationParams, robot_synergies  # noqa: E402
from mimic_rl.checkpoint import load_demonstrations  # noqa: E402
from mimic_rl.comparison import clone  # noqa: E402
from mimic_rl.evaluation import Learned, Replay, collect, evaluate, imitate  # noqa: E402
from mimic_rl.network import Actor, Normaliser, log_probability  # noqa: E402
from mimic_rl.params import LearningParams  # noqa: E402
from mimic_rl.ppo import Learner, advantages, imitation_loss  # noqa: E402
from mimic_rl.shown import show  # noqa: E402
from mimic_rl.training import Training  # noqa: E402

pytestmark = pytest.mark.usefixtures('one_thread')


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
    for name, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(parts)[name]), name
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
