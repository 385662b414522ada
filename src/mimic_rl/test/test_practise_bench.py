"""What `./mimic bench practise` makes of scores, without a training."""

import pytest

pytest.importorskip('torch', reason='what learning needs is not installed')

from benchmarks import practise
from mimic_rl.comparison import AWARE, CLONED, GATE, LATE, PHYSICS, STARTS, Row


def scored(**success):
    """Return rows of one method each, with its success in every setting [1]."""
    return [
        Row(met, method, rate, (0.0, 1.0), 0.0, 0.0, 0.0, 50)
        for met in (STARTS, PHYSICS, GATE, LATE)
        for method, rate in success.items()
    ]


def test_every_ablation_has_a_target():
    scores = scored(**{'learned': 0.8, AWARE: 0.1, CLONED: 0.3, 'fixed_target': 0.8})
    scores += scored(hand_reward=0.9)
    rows = practise.rated_rows('box', scores, ['fixed_target', 'hand_reward'], True)
    ablations = {
        r.name: r for r in rows if r.name.startswith('box: over ') and 'rep' not in r.name
    }
    assert [(r.target, r.met) for r in ablations.values()] == [('≥ 0', True), ('≥ 0', False)]
    even, worse = ablations.values()
    assert even.name == f'box: over fixed_target, {STARTS}' and even.value == pytest.approx(0.0)
    assert worse.name == f'box: over hand_reward, {STARTS}' and worse.value == pytest.approx(-10.0)
    assert set(practise.ABLATIONS) >= {'fixed_target', 'hand_reward'}


def test_targets_are_of_practice_and_of_the_gate():
    rows = practise.rated_rows('box', scored(**{'learned': 0.9, CLONED: 0.6}), [], True)
    targets = [r for r in rows if r.target is not None]
    assert [(r.target, r.met) for r in targets] == [('≥ 90', True)] * 2 + [('≥ 40', False)] * 2
    assert all(STARTS in r.name or GATE in r.name for r in targets)
    others = practise.rated_rows('plate', scored(learned=0.1), [], False)
    assert all(r.target is None for r in others)
