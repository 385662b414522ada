"""Trainings of a second, for tests."""

from reaching import SIDE

from mimic_policy.data import prepare
from mimic_policy.training import Settings, train

QUICK = dict(
    steps=6, batch=4, horizon=8, warm_up=2, height=SIDE, width=SIDE, log_every=2, save_every=2,
    channels=8, keypoints=8, feature=16, state_feature=16, widths=(16, 32), crop=4,
)  # fmt: skip


def settings_of(**changes):
    return Settings.of('small', {**QUICK, **changes})


def train_run(episodes, run, *, stop=lambda: False, **changes):
    settings = settings_of(**changes)
    return train(prepare(episodes, settings.train), settings, run, stop=stop)
