"""The audit tells each decision, soon, at a bounded rate, and loses none."""

import numpy as np
import pytest

from mimic_control import Gate, GateParams
from mimic_control.audit import BURST, MOST, RATE, Kind
from mimic_control.testing import Adversary
from mimic_core.command import NamedPositions
from mimic_description import load_robot

ROBOT = load_robot('iiwa14', 'robotiq_2f85')


class Bench:
    def __init__(self, **params: object) -> None:
        self.gate = Gate(ROBOT, GateParams(**params))
        self.now, self.q, self.events = 50.0, ROBOT.home.copy(), []
        self.gate.set_mode('shadow')

    def run(self, ticks: int, target=None, every: int = 3) -> None:
        for k in range(ticks):
            self.now += 0.01
            if target is not None and k % every == 0:
                command = NamedPositions.single(ROBOT.joint_names, target, self.now)
                self.gate.offer('shadow', command, self.now)
            out = self.gate.tick(self.now, self.q)
            self.q = out.q if out.publish else self.q
            self.events += self.gate.audit.take(self.now)

    def of(self, *kinds: Kind) -> list:
        return [event for event in self.events if event.kind in kinds]


def test_accepted_commands_are_summed_up_once_a_second() -> None:
    bench = Bench()
    bench.run(1)
    target = ROBOT.home.copy()
    target[3] += 0.2
    bench.run(400, target)
    events = bench.of(Kind.ACCEPTED)
    assert 4 <= len(events) <= 5
    assert sum(e.count for e in events) == pytest.approx(bench.gate.intake.accepted, abs=34)
    assert events[0].stamp == pytest.approx(50.02)  # the first at once
    assert events[1].asked_joint == events[1].sent_joint == 'iiwa_joint_4'
    assert events[1].asked == pytest.approx(0.2, abs=0.01)
    speed = ROBOT.limits.max_speed[3]
    assert 0.0 < events[1].sent <= speed * 0.01 * (1 + 1e-6)
    assert events[-1].sent < 1e-3  # arrived


def test_limits_come_and_go_with_value_and_bound() -> None:
    bench = Bench()
    bench.run(1)
    target = ROBOT.home.copy()
    target[0] = 9.0
    bench.run(200, target)
    bench.run(300, ROBOT.home)
    events = [e for e in bench.of(Kind.LIMIT_ON, Kind.LIMIT_OFF) if 'joint_1 pos' in e.limit]
    assert [e.kind for e in events] == [Kind.LIMIT_ON, Kind.LIMIT_OFF]
    assert events[0].limit == 'iiwa_joint_1 position'
    assert events[0].value == 9.0 and events[0].bound == pytest.approx(ROBOT.limits.upper[0])
    turned = ROBOT.home.copy()
    turned[6] += 2.0
    bench.run(200, turned)
    speeds = [e for e in bench.of(Kind.LIMIT_ON) if e.limit == 'iiwa_joint_7 speed']
    assert speeds and speeds[0].bound == pytest.approx(ROBOT.limits.max_speed[6])
    places = [e for e in bench.of(Kind.LIMIT_ON) if e.limit.startswith('workspace')]
    assert places and np.isfinite([places[0].value, places[0].bound]).all()


def test_refusals_modes_holds_and_enable_are_told() -> None:
    bench = Bench(require_enable=True)
    bench.run(1)
    bench.gate.enable(True, bench.now)
    bench.run(20, ROBOT.home)
    bench.run(60)  # enable runs out, and the source
    for k in range(50):
        bench.gate.refuse('shadow', f'is {k / 7:.3f} s old', bench.now)
    bench.gate.offer('policy', NamedPositions.single(ROBOT.joint_names, ROBOT.home), bench.now)
    bench.gate.stop('a person')
    bench.run(120)
    refused = bench.of(Kind.REFUSED)
    assert sum(e.count for e in refused if 's old' in e.text) == 50
    assert len(refused) <= 4
    assert any(e.source == 'policy' and 'shadow is selected' in e.text for e in refused)
    assert [e.text for e in bench.of(Kind.MODE)] == ['shadow', 'stopped']
    assert [e.text for e in bench.of(Kind.ENABLE)] == ['held', 'released']
    holds = [e.text for e in bench.of(Kind.HOLD)]
    assert 'control/enable is not held' in holds and 'a person' in holds and '' in holds


@pytest.mark.parametrize('seed', range(3))
def test_an_adversary_makes_no_flood_and_nothing_is_lost(seed: int) -> None:
    gate = Gate(ROBOT)
    adversary = Adversary(gate, np.random.default_rng(seed))
    refused, stamps = 0, []
    for _ in range(1500):
        adversary.tick()
        events = gate.audit.take(adversary.now)
        assert len(events) <= BURST
        stamps += [adversary.now] * len(events)
        refused += sum(e.count for e in events if e.kind == Kind.REFUSED)
        assert len(gate.audit._waiting) <= MOST + len(Kind)
    waiting = sum(e.count for e in gate.audit._waiting.values() if e.kind == Kind.REFUSED)
    outside = gate.intake.refused - refused - waiting  # those of malformed messages go elsewhere
    assert 0 <= outside <= 0.2 * gate.intake.refused
    assert len(stamps) <= RATE * (1500 * 0.012 + 2.0)


@pytest.mark.ros
def test_an_event_becomes_a_message() -> None:
    from mimic_control.audit import AuditEvent
    from mimic_control.conversions import event_to_msg

    event = AuditEvent(
        Kind.LIMIT_ON, 12.5, 13.25, limit='iiwa_joint_1 speed', value=1.5, bound=1.48, count=3
    )
    msg = event_to_msg(event)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 500_000_000)
    assert (msg.last.sec, msg.last.nanosec) == (13, 250_000_000)
    assert (msg.kind, msg.count, msg.limit) == (msg.LIMIT_ON, 3, 'iiwa_joint_1 speed')
    assert (msg.value, msg.bound) == (1.5, 1.48)
    assert np.isnan(msg.asked) and msg.text == ''
