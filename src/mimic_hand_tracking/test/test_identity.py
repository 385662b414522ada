import numpy as np
import pytest
from capsule_hand import detect, hand

from mimic_hand_tracking.identity import UNMATCHED, assign, side_cost, without_duplicates
from mimic_hand_tracking.sides import MOST, SideEvidence, sides


def test_assignment_has_the_least_total_cost():
    # Greedy would take (0, 0) first and pay 5 for the rest.
    assert assign(np.array([[0.1, 0.2], [0.15, 5.0]])) == [1, 0]
    assert assign(np.array([[np.inf, np.inf]])) == [None]
    assert assign(np.array([[0.3], [0.1]])) == [None, 0]
    assert assign(np.zeros((1, 0))) == [None]
    assert assign(np.array([[UNMATCHED + 1.0]])) == [None]


def test_the_same_hand_twice_is_one_hand():
    rng = np.random.default_rng(0)
    joints = hand((0, 0, 0.6))
    twice = [detect(joints, rng, score=0.8), detect(joints, rng, score=0.9, right=0.1)]
    kept = without_duplicates(twice)
    assert [d.score for d in kept] == [0.9]
    other = detect(hand((0.12, 0, 0.6), left=True), rng)
    assert len(without_duplicates([*twice, other])) == 2


def test_a_side_needs_many_images_to_change():
    evidence = SideEvidence()
    for _ in range(100):
        evidence.add(0.97)
    assert evidence.log_odds == pytest.approx(MOST)
    images = 0
    while evidence.log_odds > 0:
        evidence.add(0.02)
        images += 1
    assert 8 < images < 40


def test_two_hands_never_have_the_same_side():
    assert sides(np.array([5.0, 3.0]), [None, None]) == ['right', 'left']
    assert sides(np.array([-5.0, -3.0]), [None, None]) == ['left', 'right']
    assert sides(np.array([1.0, 1.0]), ['left', 'right']) == ['left', 'right']
    assert sides(np.array([0.0]), ['left']) == ['left']


def test_only_a_contradiction_costs():
    assert side_cost(5.0, 0.9) == 0.0
    assert side_cost(5.0, 0.1) > 0.0
    assert side_cost(0.0, 0.1) == 0.0
