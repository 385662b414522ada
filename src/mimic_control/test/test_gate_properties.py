"""Whatever is sent to the gate, every output keeps every limit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimic_control import Gate, GateParams
from mimic_control.testing import Adversary, Audit
from mimic_core.command import NamedPositions
from mimic_description import load_robot

ROBOT = load_robot('iiwa14', 'allegro')
SMALL = load_robot('so101', 'so101_gripper')


@pytest.mark.parametrize(
    ('arm', 'hand', 'seed', 'ticks'),
    [
        ('iiwa14', 'allegro', 1, 3000),
        ('panda', 'ability', 3, 2000),
        ('so101', 'so101_gripper', 4, 3000),
        ('iiwa7', 'robotiq_2f85', 5, 2000),
    ],
)
def test_an_adversary_finds_no_way_through(arm: str, hand: str, seed: int, ticks: int) -> None:
    robot = load_robot(arm, hand)
    gate = Gate(robot, GateParams())
    adversary = Adversary(gate, np.random.default_rng(seed))
    audit = Audit(robot, gate.params.rate, gate.params.collision_margin, every=5)
    for _ in range(ticks):
        output = adversary.tick()
        audit.check(output, adversary.now)
    assert audit.violations == []
    assert audit.outputs > ticks / 4
    # It was no walk in the park: the limits were reached, and some commands got through.
    assert audit.worst['acceleration'] > 0.99
    assert audit.worst['jerk'] > 0.99
    assert gate.intake.accepted > 100
    assert gate.intake.refused > 300


values = st.one_of(
    st.floats(-4.0, 4.0), st.sampled_from([1e30, -1e30, 0.0, 1e-9, 1.92, -1.92, 3.05])
)
steps = st.lists(
    st.tuples(
        st.sampled_from(['target', 'target', 'target', 'wait', 'mode', 'stop', 'lose', 'nudge']),
        st.lists(values, min_size=6, max_size=6),
        st.integers(1, 25),
        st.sampled_from([1.0, 1.0, 1.0, 0.2, 0.7, 2.0, 10.0]),
    ),
    min_size=1,
    max_size=25,
)


@settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(steps)
def test_no_program_breaks_a_limit(
    program: list[tuple[str, list[float], int, float]],
) -> None:
    gate = Gate(SMALL, GateParams(resume_speed_scale=1.0))
    audit = Audit(SMALL, gate.params.rate, gate.params.collision_margin, every=10)
    now, q, stamp = 50.0, SMALL.home.copy(), 0.0
    gate.set_mode('shadow')
    for what, numbers, ticks, stretch in program:
        if what == 'mode':
            gate.clear()
            gate.set_mode('policy' if numbers[0] > 0 else 'shadow')
        elif what == 'stop':
            gate.stop('program')
        for k in range(ticks):
            now += gate.period * stretch
            wish = np.array(numbers) + (0.01 * k if what == 'nudge' else 0.0)
            if what in ('target', 'nudge') and k % 3 == 0:
                command = NamedPositions.single(SMALL.joint_names, wish, stamp)
                gate.offer(gate.mode.name.lower(), command, now)
            out = gate.tick(now, None if what == 'lose' else q)
            audit.check(out, now)
            if out.publish:
                q = out.q
    assert audit.violations == []
