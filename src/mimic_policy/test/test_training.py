import pytest
from reaching import SIDE, dataset

from mimic_policy.checkpoint import load_policy, read_checkpoint
from mimic_policy.data import prepare
from mimic_policy.train_params import METHODS
from mimic_policy.training import CURVE, Settings, read_curve, train

QUICK = dict(
    steps=6, batch=4, horizon=8, warm_up=2, height=SIDE, width=SIDE, log_every=2, save_every=2,
    channels=8, keypoints=8, feature=16, state_feature=16, widths=(16, 32), crop=4,
)  # fmt: skip


@pytest.fixture(scope='module')
def episodes():
    return dataset(robots=2, humans=3)


def _settings(**changes):
    return Settings.of('small', {**QUICK, **changes})


def _train(episodes, run, *, stop=lambda: False, **changes):
    settings = _settings(**changes)
    return train(prepare(episodes, settings.train), settings, run, stop=stop)


@pytest.mark.parametrize('method', METHODS)
def test_each_method_trains_and_its_checkpoint_predicts(episodes, tmp_path, method):
    last = _train(episodes, tmp_path, method=method)
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
    whole = _train(episodes, tmp_path / 'whole', method=method)
    settings = _settings(method=method)
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


def test_the_same_seed_gives_the_same_and_another_seed_another(episodes, tmp_path):
    curves = []
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        _train(episodes, tmp_path / name, method='immimic_a', seed=seed)
        curves.append(read_curve(tmp_path / name))
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]
