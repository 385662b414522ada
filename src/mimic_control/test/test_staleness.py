"""How old data may be depends on who sends them; a path ends with its source."""

import numpy as np
import pytest

from mimic_control import Gate, GateParams, Mode
from mimic_control.intake import SOURCES
from mimic_core.command import NamedPositions
from mimic_core.errors import UnknownNameError
from mimic_description import load_robot

ROBOT = load_robot('panda', 'robotiq_2f85')
NEAR = ROBOT.home + np.r_[np.full(7, 0.02), 0.0]
TIMEOUTS = {'shadow': 0.1, 'policy': 0.5, 'replay': 0.2}


def gate_of(source: str, **params: float) -> Gate:
    timeouts = {f'{name}_timeout': value for name, value in TIMEOUTS.items()}
    gate = Gate(ROBOT, GateParams(**timeouts, **params))
    gate.set_mode(source)
    gate.tick(9.99, ROBOT.home)
    return gate


def followed_for(gate: Gate) -> float:
    """Return how long [s] after t = 10 the gate follows, when nothing more comes."""
    q, k = ROBOT.home, 0
    while gate.tick(10.0 + 0.01 * k, q).state != Mode.HOLD:
        q, k = gate.status(0.0).position, k + 1
        assert k < 2000
    return 0.01 * k


@pytest.mark.parametrize('source', SOURCES)
def test_each_source_has_its_own_bound(source: str) -> None:
    gate, bound = gate_of(source), TIMEOUTS[source]
    command = NamedPositions.single(ROBOT.joint_names, NEAR, 10.0)
    assert gate.offer(source, command, 10.0 + bound - 0.01) is None
    old = NamedPositions.single(ROBOT.joint_names, NEAR, 10.001)
    refusal = gate.offer(source, old, 10.0 + bound + 0.02)
    assert refusal is not None and f'bound {bound:g} s' in refusal

    gate = gate_of(source)
    assert gate.offer(source, command, 10.0) is None
    assert followed_for(gate) == pytest.approx(bound, abs=0.015)
    assert f'bound {bound:g} s' in gate.status(11.0).reason


def test_data_age_from_their_capture_not_from_their_arrival() -> None:
    gate = gate_of('policy')
    late = NamedPositions.single(ROBOT.joint_names, NEAR, 9.7)
    assert gate.offer('policy', late, 10.0) is None
    assert followed_for(gate) == pytest.approx(TIMEOUTS['policy'] - 0.3, abs=0.015)


@pytest.mark.parametrize(('length', 'wanted'), [(0.5, 0.5 + 0.5), (5.0, 1.0)])
def test_a_path_is_followed_to_its_end_but_not_for_long_without_its_source(length, wanted):
    gate = gate_of('policy', max_path=1.0)
    times = np.linspace(length / 10, length, 10)
    points = ROBOT.home + np.outer(times / length, NEAR - ROBOT.home)
    command = NamedPositions(ROBOT.joint_names, points, times, 10.0)
    assert gate.offer('policy', command, 10.0) is None
    assert followed_for(gate) == pytest.approx(wanted, abs=0.02)
    if length > 1.0:
        assert 'followed for 1 s' in gate.status(11.0).reason


def test_newer_chunks_keep_a_path_alive() -> None:
    gate, q = gate_of('policy', max_path=1.0), ROBOT.home
    times = np.linspace(0.2, 2.0, 10)
    points = np.tile(NEAR, (10, 1))
    for k in range(400):
        now = 10.0 + 0.01 * k
        if k % 80 == 0:
            chunk = NamedPositions(ROBOT.joint_names, points, times, now - 0.2)
            assert gate.offer('policy', chunk, now) is None
        out = gate.tick(now, q)
        q = out.q
        assert out.state == Mode.POLICY


def test_an_unknown_source_has_no_bound() -> None:
    with pytest.raises(UnknownNameError, match='shadow'):
        GateParams().timeout_of('shado')
