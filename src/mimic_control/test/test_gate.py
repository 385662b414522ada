"""The gate's rules one by one: who commands, what is refused and why, holding, resuming."""

import dataclasses
import math

import numpy as np
import pytest

from mimic_control import Gate, GateOutput, GateParams, Mode
from mimic_control.intake import SOURCES
from mimic_control.testing import Audit
from mimic_core.command import NamedPositions
from mimic_core.errors import ConfigError, LimitError, NotFiniteError, UnknownNameError
from mimic_core.params import from_mapping
from mimic_description import load_robot

ROBOT = load_robot('iiwa14', 'allegro')
PERIOD = 0.01
NEAR = ROBOT.home + 0.05


class Bench:
    """A gate with a robot that goes where it is sent, and an audit of every output."""

    def __init__(self, mode: str = 'shadow', **params: object) -> None:
        self.gate = Gate(ROBOT, GateParams(**params))
        self.now = 1000.0
        self.q = ROBOT.home.copy()
        self.audit = Audit(ROBOT, 100.0, self.gate.params.collision_margin, every=10)
        self.measured = True
        assert self.gate.set_mode(mode) == (True, '')
        self.tick()

    def tick(self, dt: float = PERIOD) -> GateOutput:
        self.now += dt
        out = self.gate.tick(self.now, self.q if self.measured else None)
        self.audit.check(out, self.now)
        assert self.audit.violations[:3] == []
        if out.publish:
            self.q = out.q.copy()
        return out

    def run(
        self, seconds: float, target: np.ndarray | None = None, source: str = 'shadow'
    ) -> GateOutput:
        for k in range(round(seconds / PERIOD)):
            if target is not None and k % 3 == 0:
                assert self.send(target, source) is None
            out = self.tick()
        return out

    def send(self, q: np.ndarray, source: str = 'shadow', **command: object) -> str | None:
        values = {'names': ROBOT.joint_names, 'stamp': self.now} | command
        points = np.atleast_2d(q)
        times = values.pop('times', np.zeros(1))
        return self.gate.offer(
            source, NamedPositions(points=points, times=times, **values), self.now
        )


def test_the_first_output_is_the_measured_position() -> None:
    gate = Gate(ROBOT)
    silent = gate.tick(0.0)
    assert not silent.publish
    assert silent.reason == 'no joint state of iiwa_joint_1 yet'
    gate.measure(ROBOT.hand_joints, ROBOT.home[7:], 0.0, 0.01)
    assert not gate.tick(0.01).publish, 'the arm is not measured yet'
    gate.measure(('other', *ROBOT.arm_joints), np.r_[9.0, ROBOT.home[:7] + 0.01], 0.0, 0.02)
    first = gate.tick(0.02)
    assert first.publish
    assert first.restart
    np.testing.assert_allclose(first.q, np.r_[ROBOT.home[:7] + 0.01, ROBOT.home[7:]])
    assert first.state == Mode.IDLE


@pytest.mark.parametrize('source', SOURCES)
def test_exactly_the_selected_source_is_followed(source: str) -> None:
    bench = Bench(source)
    others = [s for s in SOURCES if s != source]
    for k in range(100):
        for other in others:
            assert bench.send(ROBOT.home - 0.1, other) == f'{other}/command: {source} is selected'
        if k % 3 == 0:
            assert bench.send(NEAR, source) is None
        out = bench.tick()
    np.testing.assert_allclose(out.q, NEAR, atol=1e-4)
    assert out.state == Mode[source.upper()]
    status = bench.gate.status(bench.now)
    assert status.source == f'{source}/command'
    assert (status.accepted, status.refused) == (34, 200)
    assert status.last_refusal == f'{others[-1]}/command: {source} is selected'


def test_idle_follows_nobody_and_switching_is_explicit() -> None:
    bench = Bench('idle')
    assert bench.send(NEAR) == 'shadow/command: no source is selected'
    np.testing.assert_array_equal(bench.run(0.2).q, ROBOT.home)
    assert bench.gate.set_mode('policy') == (True, '')
    out = bench.tick()
    assert out.state == Mode.HOLD
    assert out.reason == 'waiting for the first command on policy/command'
    assert bench.run(0.5, NEAR, 'policy').state == Mode.POLICY
    for wrong in ('hold', 'stopped', 'dance', 4, 17):
        done, why = bench.gate.set_mode(wrong)
        assert not done
        assert 'known: idle, shadow, policy, replay' in why
    assert bench.gate.mode == Mode.POLICY


@pytest.mark.parametrize(
    ('command', 'why'),
    [
        ({'names': ('elbow', *ROBOT.joint_names[1:])}, "unknown joint 'elbow'"),
        ({'stamp': 999.0}, 'is 1.010 s old (bound 0.25 s)'),
        ({'stamp': 1010.0}, 'starts in 9.990 s (bound 1 s)'),
        ({'stamp': math.nan}, 'stamp is nan'),
    ],
)
def test_a_bad_command_is_refused_with_the_reason(command: dict[str, object], why: str) -> None:
    bench = Bench()
    reason = bench.send(NEAR, **command)
    assert reason is not None
    assert why in reason
    assert bench.gate.status(bench.now).last_refusal == reason
    assert bench.run(0.1).state == Mode.HOLD
    np.testing.assert_array_equal(bench.q, ROBOT.home)


def test_time_that_goes_backwards_is_refused() -> None:
    bench = Bench()
    assert bench.send(NEAR, stamp=bench.now - 0.02) is None
    reason = bench.send(NEAR, stamp=bench.now - 0.05)
    assert reason == (
        'shadow/command: time goes backwards: stamp is 0.030 s before that of the last command'
    )
    with pytest.raises(NotFiniteError, match='points'):
        bench.send(NEAR * np.nan)


def test_a_jump_of_the_command_is_refused_where_that_is_wanted() -> None:
    bench = Bench(max_command_jump=0.3)
    assert bench.send(NEAR) is None
    far = NEAR.copy()
    far[3] += 0.5
    reason = bench.send(far)
    assert reason == 'shadow/command: iiwa_joint_4 jumps by 0.500 (bound 0.3)'
    free = Bench()
    assert free.send(NEAR) is None
    assert free.send(far) is None


def test_joints_that_are_not_named_keep_their_last_target() -> None:
    bench = Bench()
    bench.run(0.5, NEAR)
    for _ in range(60):
        bench.send(np.array([0.2]), names=('iiwa_joint_1',))
        out = bench.tick()
    expected = NEAR.copy()
    expected[0] = 0.2
    np.testing.assert_allclose(out.q, expected, atol=1e-4)


def test_a_stale_source_holds_and_a_fresh_one_resumes_without_a_jump() -> None:
    bench = Bench()
    target = ROBOT.home.copy()
    target[0] = 0.5
    bench.run(0.3, target)
    assert np.abs(bench.tick().v[0]) > 0.2, 'it moves'
    out = bench.run(0.4)
    assert out.state == Mode.HOLD
    assert 'old (bound 0.25 s)' in out.reason
    rest = bench.run(0.3).q
    np.testing.assert_array_equal(bench.run(0.2).q, rest)
    assert rest[0] < 0.45
    out = bench.run(2.5, target)
    assert out.state == Mode.SHADOW
    np.testing.assert_allclose(out.q, target, atol=1e-4)


def test_after_taking_over_it_goes_slower_until_it_has_caught_up() -> None:
    target = ROBOT.home.copy()
    target[0] = 0.5
    speeds = {}
    for scale in (0.2, 1.0):
        bench = Bench(resume_speed_scale=scale)
        speeds[scale] = max(bench.run(PERIOD, target).v[0] for _ in range(60))
    assert speeds[0.2] == pytest.approx(0.2 * ROBOT.limits.max_speed[0], rel=0.02)
    assert speeds[1.0] > 0.9 * ROBOT.limits.max_speed[0]


def test_a_stop_is_latched_until_cleared() -> None:
    bench = Bench()
    target = ROBOT.home.copy()
    target[0] = 0.5
    bench.run(0.4, target)
    bench.gate.stop('a person pressed the button')
    out = bench.tick()
    assert (out.state, out.reason) == (Mode.STOPPED, 'a person pressed the button')
    assert bench.send(target) == 'shadow/command: no source is selected'
    done, why = bench.gate.set_mode('shadow')
    assert not done
    assert why == 'stopped: a person pressed the button; control/clear comes first'
    rest = bench.run(0.5).q
    assert not bench.tick().v.any()
    with pytest.raises(LimitError, match='stopped'):
        bench.gate.move_to(ROBOT.joint_names, ROBOT.home, 0.0, bench.now)
    bench.gate.clear()
    assert bench.tick().state == Mode.IDLE
    np.testing.assert_array_equal(bench.run(0.2).q, rest)
    assert bench.gate.set_mode('shadow') == (True, '')


def test_the_deadman_must_be_held() -> None:
    bench = Bench(require_enable=True)
    out = bench.run(0.1, NEAR)
    assert (out.state, out.reason) == (Mode.HOLD, 'control/enable is not held')
    assert bench.gate.status(bench.now).enable_missing
    for _ in range(30):
        bench.gate.enable(True, bench.now)
        out = bench.run(0.03, NEAR)
    assert out.state == Mode.SHADOW and not bench.gate.status(bench.now).enable_missing
    assert bench.run(0.25, NEAR).state == Mode.SHADOW
    assert bench.run(0.09, NEAR).state == Mode.HOLD, 'too old'
    bench.gate.enable(True, bench.now)
    assert bench.run(0.03, NEAR).state == Mode.SHADOW
    bench.gate.enable(False, bench.now)
    assert bench.tick().state == Mode.HOLD


def test_lost_joint_states_brake_then_silence_then_go_on() -> None:
    bench = Bench()
    target = ROBOT.home.copy()
    target[0] = 0.5
    bench.run(0.4, target)
    bench.measured = False
    sent = [bench.run(PERIOD, target).publish for _ in range(60)]
    assert sent[:24] == [True] * 24
    assert not any(sent[-10:])
    out = bench.run(PERIOD, target)
    assert out.state == Mode.HOLD
    assert 'joint state of iiwa_joint_1 is' in out.reason
    bench.measured = True
    out = bench.run(2.0, target)
    np.testing.assert_allclose(out.q, target, atol=1e-3)


def test_a_robot_that_was_moved_is_met_where_it_is() -> None:
    bench = Bench()
    bench.run(0.3, NEAR)
    bench.q = NEAR.copy()
    bench.q[0] += 1.0  # as by a reset of the twin
    states = []
    for k in range(60):
        bench.send(NEAR)
        bench.now += PERIOD
        out = bench.gate.tick(bench.now, bench.q)
        states.append(out)
        if out.restart:
            break
        if k > 6:
            assert not out.publish, 'silent until it stands'
            assert 'iiwa_joint_1 is 1.0' in out.reason
    assert states[-1].restart
    np.testing.assert_allclose(states[-1].q, bench.q)
    assert 20 <= len(states) < 40


def test_a_glitch_of_a_sensor_moves_nothing() -> None:
    bench = Bench()
    bench.run(0.3, NEAR)
    q = bench.q.copy()
    bench.q = q + 3.0
    assert bench.tick().reason.endswith('away from its command (bound 0.5)')
    bench.q = q
    out = bench.run(0.3, NEAR)
    np.testing.assert_allclose(out.q, NEAR, atol=1e-4)


def test_fingers_that_are_held_up_do_not_count_as_lost() -> None:
    bench = Bench()
    closed = ROBOT.home.copy()
    closed[7:] = ROBOT.hand_closed
    for _ in range(100):
        bench.send(closed)
        bench.now += PERIOD
        out = bench.gate.tick(bench.now, np.r_[bench.q[:7], ROBOT.home[7:]])
        bench.q = out.q
    assert out.state == Mode.SHADOW
    np.testing.assert_allclose(out.q, closed, atol=1e-3)


def test_a_measured_position_far_outside_starts_nothing() -> None:
    gate = Gate(ROBOT)
    q = ROBOT.home.copy()
    q[3] = -3.0
    out = gate.tick(0.0, q)
    assert not out.publish
    assert out.reason == 'iiwa_joint_4 is measured at -3.000, outside [-2.094, 2.094]'
    assert not gate.tick(0.01, q * np.nan).publish
    assert gate.tick(0.02, ROBOT.home).restart


def test_a_clock_that_is_set_back_holds_until_fresh_commands_come() -> None:
    bench = Bench()
    bench.run(0.3, NEAR)
    bench.now -= 500.0
    out = bench.tick()
    assert out.state == Mode.HOLD
    assert 'waiting for the first command' in out.reason
    out = bench.run(0.5, NEAR)
    assert out.state == Mode.SHADOW


def test_late_and_bunched_ticks_keep_the_speed_in_real_time() -> None:
    bench = Bench(resume_speed_scale=1.0)
    target = ROBOT.home.copy()
    target[0], target[6] = 0.5, 0.6
    rng = np.random.default_rng(0)
    early = 0
    for _ in range(400):
        bench.send(target)
        out = bench.tick(PERIOD * float(rng.choice([0.1, 0.5, 0.9, 1.0, 1.0, 1.1, 3.0, 10.0])))
        early += not out.publish
    assert early > 20
    assert bench.gate.status(bench.now).missed_ticks > 100
    np.testing.assert_allclose(bench.q, target, atol=1e-3)


def test_a_motion_is_begun_while_an_output_waits_for_the_next_tick() -> None:
    bench = Bench('idle')
    bench.run(0.1)
    assert not bench.tick(0.01 * PERIOD).publish
    bench.gate.move_to(ROBOT.joint_names, NEAR, 1.0, bench.now)
    np.testing.assert_allclose(bench.run(3.0).q, NEAR, atol=1e-4)


def test_a_trajectory_is_followed_in_its_time() -> None:
    bench = Bench('policy', resume_speed_scale=1.0)
    begin = bench.now
    times = np.linspace(0.1, 1.0, 10)
    wave = (
        ROBOT.home + 0.1 * (np.sin(np.pi * times) ** 2)[:, None] * np.r_[np.ones(7), np.zeros(16)]
    )
    assert bench.send(wave, 'policy', times=times, stamp=0.0) is None
    errors = []
    while bench.now < begin + 1.0:
        out = bench.tick()
        wanted = ROBOT.home[0] + 0.1 * math.sin(math.pi * (bench.now + PERIOD - begin)) ** 2
        errors.append(abs(out.q[0] - wanted))
    assert max(errors) < 0.006
    assert bench.run(0.5).state == Mode.POLICY
    assert bench.run(0.2).state == Mode.HOLD, 'its end is stale'


def test_one_point_for_later_is_reached_then_and_turns_nothing_back() -> None:
    bench = Bench(max_path=4.0)
    target = ROBOT.home.copy()
    for _ in range(30):  # a stream at 0.33 rad/s
        target[0] += 0.01
        assert bench.send(target) is None
        for _ in range(3):
            out = bench.tick()
    begin, target[0] = float(out.q[0]), target[0] + 0.3
    assert bench.send(target, times=np.array([3.0])) is None
    path = np.array([bench.tick().q[0] for _ in range(320)])
    assert path.min() > begin - 0.01  # it was on its way: it brakes, then begins
    assert path[150] == pytest.approx(0.5 * (begin + target[0]), abs=0.1)
    assert path[-1] == pytest.approx(target[0], abs=1e-3)


def test_latency_and_age_are_those_of_the_data() -> None:
    bench = Bench()
    bench.run(0.3, NEAR)
    bench.send(NEAR, stamp=bench.now - 0.015)
    bench.tick()
    bench.tick()
    status = bench.gate.status(bench.now)
    assert status.latency == pytest.approx(0.025, abs=1e-9)
    assert status.command_age == pytest.approx(0.035, abs=1e-9)
    assert status.command_stamp == pytest.approx(bench.now - 0.035)


def test_limits_are_named() -> None:
    bench = Bench(resume_speed_scale=1.0)
    far = ROBOT.home.copy()
    far[0], far[8] = 5.0, 9.0
    seen: set[str] = set()
    for _ in range(40):
        bench.send(far)
        seen |= set(bench.tick().limited)
    assert {
        'iiwa_joint_1 position',
        'allegro_joint_1 position',
        'iiwa_joint_1 acceleration',
    } <= seen
    assert 'allegro_joint_1 speed' in seen


def test_workspace_and_table_stop_the_robot_and_are_named() -> None:
    bench = Bench(resume_speed_scale=1.0)
    down = ROBOT.home.copy()
    down[1] += 0.8  # the arm leans forward and down, into the table
    out = bench.run(2.0, down)
    assert any(why.startswith(('workspace z low', 'collision')) for why in out.limited)
    assert out.reason.startswith('slowed or stopped by')
    assert np.abs(out.v).max() < 0.2
    lowest = min(ROBOT.fk(out.q, f, 'base_link')[2, 3] for f in ROBOT.tip_frames().values())
    assert lowest >= ROBOT.arm.workspace.min_height - 1e-6
    back = bench.run(2.5, NEAR)
    np.testing.assert_allclose(back.q, NEAR, atol=1e-3)


def test_collisions_of_the_robot_with_itself_stop_it() -> None:
    bench = Bench(check_workspace=False, resume_speed_scale=1.0)
    bench.audit.lower[:], bench.audit.upper[:] = -9.0, 9.0
    folded = ROBOT.home.copy()
    folded[3], folded[5] = -2.09, 2.09
    folded[1] = -1.5
    seen: set[str] = set()
    for _ in range(100):
        out = bench.run(0.03, folded)
        seen |= {why.split(' of ')[0] for why in out.limited}
    assert 'collision' in seen
    bench_free = Bench(check_workspace=False, check_collision=False)
    bench_free.audit.lower[:], bench_free.audit.upper[:] = -9.0, 9.0
    bench_free.audit.margins[:] = -9.0
    np.testing.assert_allclose(bench_free.run(3.0, folded).q, folded, atol=1e-3)


def test_move_to_goes_there_and_says_how_far_it_is() -> None:
    bench = Bench('idle')
    goal = ROBOT.home.copy()
    goal[0], goal[10] = 0.5, 1.0
    duration = bench.gate.move_to(ROBOT.joint_names, goal, 0.2, bench.now)
    assert duration >= 0.5 / (0.2 * ROBOT.limits.max_speed[0])
    out = bench.run(0.5 * duration)
    progress, remaining, why = bench.gate.move_state(bench.now)
    assert progress == pytest.approx(0.5, abs=0.05)
    assert remaining == pytest.approx(0.5 * duration, abs=0.05)
    assert not why
    assert bench.gate.status(bench.now).source == 'control/move_to'
    assert out.state == Mode.IDLE
    out = bench.run(0.5 * duration + 0.4)
    np.testing.assert_allclose(out.q, goal, atol=1e-4)
    assert bench.gate.move_state(bench.now) == (1.0, 0.0, '')


def test_move_to_is_cancelled_by_a_brake_and_by_everything_that_takes_over() -> None:
    for act, why in (
        (lambda gate: gate.cancel_move(), 'cancelled'),
        (lambda gate: gate.set_mode('shadow'), 'mode shadow was chosen'),
        (lambda gate: gate.stop('x'), 'mode idle was chosen'),
    ):
        bench = Bench('idle')
        bench.gate.move_to(('iiwa_joint_1',), np.array([0.5]), 0.5, bench.now)
        bench.run(0.3)
        act(bench.gate)
        assert bench.gate.move_state(bench.now)[2] == why
        assert bench.run(0.4).q[0] < 0.45
        assert not bench.tick().v.any()


def test_move_to_refuses_what_it_cannot_do() -> None:
    bench = Bench('idle')
    gate, now = bench.gate, bench.now
    with pytest.raises(LimitError, match=r'iiwa_joint_4 = 3.0000 is outside \[-2.0944, 2.0944\]'):
        gate.move_to(('iiwa_joint_4',), np.array([3.0]), 0.0, now)
    with pytest.raises(UnknownNameError, match="unknown joint 'elbow'"):
        gate.move_to(('elbow',), np.array([0.0]), 0.0, now)
    with pytest.raises(NotFiniteError):
        gate.move_to(('iiwa_joint_4',), np.array([np.nan]), 0.0, now)
    with pytest.raises(LimitError, match='speed_scale'):
        gate.move_to(('iiwa_joint_4',), np.array([0.0]), 1.5, now)
    gate.set_mode('shadow')
    with pytest.raises(LimitError, match='mode is shadow'):
        gate.move_to(ROBOT.joint_names, ROBOT.home, 0.0, now)


def test_move_to_a_forbidden_place_fails_and_says_why() -> None:
    bench = Bench('idle')
    goal = ROBOT.home.copy()
    goal[1] += 0.8
    duration = bench.gate.move_to(ROBOT.joint_names, goal, 1.0, bench.now)
    bench.run(duration + 2.2)
    progress, _, why = bench.gate.move_state(bench.now)
    assert progress == 0.0
    assert 'not reached because of' in why


def test_move_to_ends_also_where_the_joint_states_end() -> None:
    bench = Bench('idle')
    goal = ROBOT.home + 0.1
    duration = bench.gate.move_to(ROBOT.joint_names, goal, 0.1, bench.now)
    bench.run(0.2)
    bench.measured = False
    bench.run(duration + 2.2)
    progress, _, why = bench.gate.move_state(bench.now)
    assert progress == 0.0
    assert 'not reached because of: joint state of iiwa_joint_1 is' in why


def test_scaled_limits_hold() -> None:
    bench = Bench(speed_scale=0.3, acceleration_scale=0.5, jerk_scale=0.5, resume_speed_scale=1.0)
    bench.audit.robot = dataclasses.replace(ROBOT, limits=bench.gate.limits)
    target = ROBOT.home.copy()
    target[0], target[10] = 0.5, 1.5
    out = bench.run(3.0, target)
    np.testing.assert_allclose(out.q, target, atol=1e-3)
    assert bench.audit.worst['speed'] == pytest.approx(1.0, abs=0.01)


def test_parameters_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"'rate' = 5\.0 is outside"):
        from_mapping(GateParams, {'rate': 5.0})
    with pytest.raises(UnknownNameError, match='shadow_timeout'):
        from_mapping(GateParams, {'shadow_time_out': 0.2})


def test_another_rate_keeps_the_limits_too() -> None:
    gate = Gate(ROBOT, GateParams(rate=250.0))
    audit = Audit(ROBOT, 250.0, 0.01, every=20)
    q, now = ROBOT.home.copy(), 0.0
    gate.set_mode('shadow')
    for k in range(500):
        now += 0.004
        if k % 8 == 0:
            target = NEAR if (k // 100) % 2 else ROBOT.home - 0.1
            gate.offer('shadow', NamedPositions.single(ROBOT.joint_names, target, now), now)
        out = gate.tick(now, q)
        audit.check(out, now)
        q = out.q
    assert audit.violations == []
    assert audit.outputs >= 499


def test_a_hand_pushed_into_the_table_slides_and_leaves_it_when_it_may() -> None:
    bench = Bench(resume_speed_scale=1.0)
    down = ROBOT.home.copy()
    down[1] += 0.8
    touched, late = False, []
    for k in range(320):
        part = 0.5 - 0.5 * math.cos(2.0 * math.pi * k / 300) if k < 300 else 0.0
        target = ROBOT.home + part * (down - ROBOT.home)
        if k % 3 == 0:
            bench.send(target, stamp=bench.now - 0.02)
        out = bench.tick()
        touched |= any(why.endswith('and table') for why in out.limited)
        late.append(float(np.abs(out.q - target).max()))
    assert touched
    assert max(late[255:]) < 0.1, 'the target has left the table long ago'
