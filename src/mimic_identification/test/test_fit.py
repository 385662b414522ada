"""Known joints are found again; bad records are refused; verdicts say what is wrong."""

import numpy as np
import pytest

from mimic_core.errors import NotFiniteError, ShapeError
from mimic_core.limits import JointLimits
from mimic_description.response import JointResponse
from mimic_identification.errors import IdentificationError
from mimic_identification.excitation import excite, room
from mimic_identification.fit import fit_response, resolution
from mimic_identification.plant import Sensor, measured_record
from mimic_identification.record import make_record
from mimic_identification.verdict import judge

ONE = np.ones(1)
LIMITS = JointLimits(-2.0 * ONE, 2.0 * ONE, 1.7 * ONE, 10.0 * ONE, 500.0 * ONE)
MOTION = excite(LIMITS, 0, 0.5, *room(LIMITS, 0, 0.5))
REAL = Sensor(200.0, noise=3e-4, resolution=1.5e-3, stamp_jitter=5e-4)


def record_of(response, sensor=REAL, seed=0):
    rng = np.random.default_rng(seed)
    return measured_record(response, MOTION.times, MOTION.positions, sensor, rng, 'elbow')


@pytest.mark.parametrize(
    'truth',
    [
        JointResponse(0.02, 1, 0.03, 1.0, 1.0, 0.0, 0.02),
        JointResponse(0.05, 2, 0.02, 0.5, 0.97, 0.01, 0.0),
        JointResponse(0.15, 1, 0.1, 1.0, 1.03, -0.02, 0.01),
    ],
)
@pytest.mark.parametrize('rate', [100.0, 333.0])
def test_a_known_joint_is_found(truth, rate):
    found = fit_response(record_of(truth, Sensor(rate, 3e-4, 1.5e-3, 5e-4)))
    r = found.response
    assert r.order == truth.order
    assert r.delay == pytest.approx(truth.delay, abs=0.003)
    assert r.time_constant == pytest.approx(truth.time_constant, rel=0.1)
    assert r.gain == pytest.approx(truth.gain, abs=0.003)
    assert r.offset == pytest.approx(truth.offset, abs=0.003)
    assert r.backlash == pytest.approx(truth.backlash, abs=max(0.2 * truth.backlash, 1.5e-3))
    assert r.lag == pytest.approx(truth.lag, abs=0.001)
    assert found.explained > 0.999
    assert found.interval['delay'] < 0.004


def test_intervals_grow_with_the_noise():
    truth = JointResponse(0.02, 1, 0.03)
    quiet = fit_response(record_of(truth, Sensor(200.0, 2e-4)))
    loud = fit_response(record_of(truth, Sensor(200.0, 4e-3)))
    for name in ('delay', 'gain', 'backlash'):
        assert loud.interval[name] > 3.0 * quiet.interval[name]


def test_outliers_do_not_bend_the_fit():
    record = record_of(JointResponse(0.02, 1, 0.03))
    wild = record.positions.copy()
    wild[::40] += 0.3
    response = fit_response(
        make_record('elbow', record.knots, record.targets, record.stamps, wild)
    )
    assert response.response.delay == pytest.approx(0.02, abs=0.003)
    assert response.response.time_constant == pytest.approx(0.03, rel=0.1)


def test_the_same_record_gives_the_same_fit():
    record = record_of(JointResponse(0.02, 1, 0.03, backlash=0.01))
    assert fit_response(record).response == fit_response(record).response


def test_resolution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    assert resolution(np.round(x / 0.05) * 0.05) == pytest.approx(0.05)
    assert resolution(x) == 0.0


# Verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('response', 'verdict'),
    [
        (JointResponse(0.01, 2, 0.0125), 'good'),
        (JointResponse(0.01, 1, 0.2), 'sluggish'),
        (JointResponse(0.01, 1, 0.02, backlash=0.04), 'backlash'),
        (JointResponse(0.12, 1, 0.02), 'delay too large'),
        (JointResponse(0.01, 1, 0.02, gain=0.8), 'wrong gain'),
        (JointResponse(0.12, 1, 0.2, backlash=0.04), 'delay too large, sluggish, backlash'),
        (JointResponse(0.0, 0, gain=0.01), 'no motion'),
    ],
)
def test_verdict(response, verdict):
    record = record_of(response)
    outcome = judge(record, fit_response(record))
    assert outcome.verdict == verdict
    assert bool(outcome.reason) == (verdict != 'good')
    assert outcome.usable == (verdict != 'no motion')


@pytest.mark.parametrize(('low', 'high', 'end'), [(0.42, 9.0, 'low'), (-9.0, 0.56, 'high')])
def test_a_joint_at_its_stop_is_saturated_and_still_identified(low, high, end):
    record = record_of(JointResponse(0.02, 1, 0.03))
    stopped = np.clip(record.positions, low, high)
    record = make_record('elbow', record.knots, record.targets, record.stamps, stopped)
    found = fit_response(record)
    outcome = judge(record, found)
    assert 'saturated' in outcome.verdict and f'{end} end' in outcome.reason
    assert found.response.delay == pytest.approx(0.02, abs=0.005)
    assert found.response.gain == pytest.approx(1.0, abs=0.02)


def test_noise_alone_is_not_explained_or_no_motion():
    record = record_of(JointResponse(0.02, 1, 0.03))
    rng = np.random.default_rng(1)
    walk = 0.5 + 0.1 * np.sin(np.cumsum(0.02 * rng.normal(size=len(record.stamps))) * 5.0)
    record = make_record('elbow', record.knots, record.targets, record.stamps, walk)
    outcome = judge(record, fit_response(record))
    assert 'not explained' in outcome.verdict
    assert not outcome.usable


# Bad input ----------------------------------------------------------------------------------

T = np.arange(0.0, 5.0, 0.01)
Q = np.sin(T)


def test_too_short():
    with pytest.raises(IdentificationError, match=r'elbow: 50 commands .* are too few'):
        make_record('elbow', T[:50], Q[:50], T, Q)
    with pytest.raises(IdentificationError, match='0 positions'):
        make_record('elbow', T, Q, np.array([]), np.array([]))


def test_nan_says_where():
    bad = Q.copy()
    bad[7] = np.nan
    with pytest.raises(NotFiniteError, match=r'elbow: positions\[7\] is nan'):
        make_record('elbow', T, Q, T, bad)


def test_lengths_differ():
    with pytest.raises(ShapeError, match='elbow'):
        make_record('elbow', T, Q[:-1], T, Q)


def test_a_clock_that_jumps():
    back, ahead = T.copy(), T.copy()
    back[200:] -= 1.0
    ahead[200:] += 1.0
    with pytest.raises(IdentificationError, match=r'jumped back by 0\.990 s at position 200'):
        make_record('elbow', T, Q, back, Q)
    with pytest.raises(IdentificationError, match=r'no position for 1\.01 s'):
        make_record('elbow', T, Q, ahead, Q)


def test_two_clocks():
    with pytest.raises(IdentificationError, match='their clocks differ'):
        make_record('elbow', T, Q, T + 1000.0, Q)


def test_repeated_stamps_are_left_out():
    record = make_record('elbow', T, Q, np.repeat(T, 2), np.repeat(Q, 2))
    np.testing.assert_array_equal(record.stamps, T)
