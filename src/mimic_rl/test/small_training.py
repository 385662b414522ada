"""A training that takes seconds, and the command line of all of them."""

import sys

from mimic_rl import practise
from mimic_rl.params import LearningParams

SMALL = LearningParams(
    environments=4,
    horizon=8,
    layers=(16,),
    memory=8,
    critic_layers=(16,),
    minibatches=2,
    level=1.0,
)


def weights_of(training):
    return {k: v.clone() for k, v in training.learner.actor.state_dict().items()}


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['practise', *map(str, words)])
    return practise.main()
