"""A person takes over from a policy with the clutch, and hands back by letting go."""

import numpy as np
import pytest

from mimic_control import Gate, GateParams, Mode
from mimic_control.testing import Audit
from mimic_core.command import NamedPositions
from mimic_description import load_robot

ROBOT = load_robot('iiwa14', 'robotiq_2f85')
LEFT = ROBOT.home + np.r_[np.full(7, 0.15), 0.2]
RIGHT = ROBOT.home - np.r_[np.full(7, 0.15), 0.0]


class Bench:
    """A gate in mode policy, a robot that follows it, and an audit of its limits."""

    def __init__(self, **params) -> None:
        self.gate = Gate(ROBOT, GateParams(**params))
        self.gate.set_mode('policy')
        self.audit = Audit(ROBOT, 100.0, self.gate.params.collision_margin, every=5)
        self.q, self.now, self.refusals = ROBOT.home.copy(), 0.0, []

    def run(self, duration, *, policy=None, shadow=None, enable=None, clutch=None):
        """Go on with both sources at 30 Hz and buttons at 10 Hz; None: silent."""
        for _ in range(round(duration * 100)):
            tick = round(self.now * 100)
            if tick % 10 == 0:
                for held, press in (enable, self.gate.enable), (clutch, self.gate.take_over):
                    if held is not None:
                        press(held, self.now)
            for source, q in ('policy', policy), ('shadow', shadow):
                if q is not None and tick % 3 == 0:
                    command = NamedPositions.single(ROBOT.joint_names, q, self.now)
                    self.refusals.append(self.gate.offer(source, command, self.now))
            out = self.gate.tick(self.now, self.q)
            self.audit.check(out, self.now)
            self.q = out.q if out.publish else self.q
            self.now += 0.01
        return out

    def off(self, goal):
        return np.abs(self.q - goal).max()


@pytest.mark.parametrize('button', ['enable', 'clutch'])
def test_a_person_takes_over_and_hands_back(button):
    bench = Bench()
    assert bench.run(2.0, policy=LEFT, shadow=RIGHT).state == Mode.POLICY
    assert bench.off(LEFT) < 0.01
    out = bench.run(2.0, policy=LEFT, shadow=RIGHT, **{button: True})
    status = bench.gate.status(bench.now)
    assert out.state == status.state == Mode.SHADOW and status.mode == Mode.POLICY
    assert status.source == 'shadow/command' and bench.off(RIGHT) < 0.01
    assert 'policy/command: shadow is selected' in bench.refusals
    assert status.latency < 0.05 and not np.isnan(status.command_age)
    out = bench.run(2.0, policy=LEFT, shadow=RIGHT, **{button: False})
    assert out.state == Mode.POLICY and bench.off(LEFT) < 0.01
    assert bench.gate.status(bench.now).source == 'policy/command'
    assert bench.audit.violations == []  # no jump, either way


def test_the_person_wins_also_without_a_hand():
    """Who holds the clutch stops the policy, whether or not the hand is seen."""
    bench = Bench()
    bench.run(0.3, policy=LEFT)
    out = bench.run(1.0, policy=LEFT, enable=True)
    assert out.state == Mode.HOLD
    assert out.reason == 'a person took over: waiting for the first command on shadow/command'
    assert bench.gate.status(bench.now).source == 'shadow/command'  # so a bag tells it too
    there = bench.q.copy()
    bench.run(1.0, policy=LEFT, enable=True)
    assert bench.off(there) < 1e-4
    out = bench.run(2.0, policy=LEFT, shadow=RIGHT, enable=True)
    assert out.state == Mode.SHADOW
    out = bench.run(1.0, policy=LEFT, enable=True)
    assert out.state == Mode.HOLD and 'a person took over: last command' in out.reason
    assert bench.audit.violations == []


def test_it_is_handed_back_only_by_letting_go():
    """A clutch that falls silent is not let go: nobody drives."""
    bench = Bench()
    bench.run(0.5, policy=LEFT, shadow=RIGHT, clutch=True)
    out = bench.run(1.0, policy=LEFT, shadow=RIGHT)
    assert out.state == Mode.HOLD and 'not heard of' in out.reason
    assert bench.run(0.5, policy=LEFT, shadow=RIGHT, clutch=False).state == Mode.POLICY
    bench.run(0.5, policy=LEFT, shadow=RIGHT, clutch=True)
    bench.run(1.0, policy=LEFT, shadow=RIGHT)
    assert bench.gate.set_mode('policy')[0]  # or by choosing a mode
    assert bench.run(0.5, policy=LEFT, shadow=RIGHT).state == Mode.POLICY
    assert bench.audit.violations == []


def test_a_required_enable_is_no_clutch():
    """With a real robot both must hold on, and only control/take_over takes over."""
    bench = Bench(require_enable=True)
    assert bench.run(1.0, policy=LEFT, shadow=RIGHT, enable=True).state == Mode.POLICY
    assert bench.run(1.0, policy=LEFT, shadow=RIGHT).state == Mode.HOLD
    out = bench.run(1.0, policy=LEFT, shadow=RIGHT, enable=True, clutch=True)
    assert out.state == Mode.SHADOW
    out = bench.run(1.0, policy=LEFT, shadow=RIGHT, enable=False, clutch=True)
    assert out.state == Mode.HOLD and out.reason == 'control/enable is not held'
    assert bench.audit.violations == []


def test_it_can_be_switched_off_and_is_of_mode_policy_only():
    bench = Bench(take_over=False)
    assert bench.run(1.0, policy=LEFT, shadow=RIGHT, enable=True).state == Mode.POLICY
    bench = Bench()
    bench.gate.set_mode('replay')
    assert bench.run(0.5, shadow=RIGHT, enable=True).state == Mode.HOLD
    assert bench.run(0.5, shadow=RIGHT, enable=True).reason.endswith('replay/command')
    bench.gate.stop('test')
    assert bench.run(0.5, shadow=RIGHT, enable=True).state == Mode.STOPPED


def test_many_changes_of_hands_keep_every_limit():
    rng = np.random.default_rng(4)
    bench = Bench()
    bench.run(0.1)
    for _ in range(60):
        goals = ROBOT.home + rng.uniform(-0.4, 0.4, (2, 8))
        bench.run(
            rng.uniform(0.05, 0.4),
            policy=goals[0],
            shadow=goals[1],
            clutch=bool(rng.random() < 0.5),
        )
    assert bench.audit.violations == [] and bench.audit.outputs > 1000
