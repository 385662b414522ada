"""Commands of the topic-based plugin: nothing passes that would make the robot jump."""

import numpy as np
import pytest

from mimic_core.errors import NotFiniteError, ShapeError, UnknownNameError
from mimic_moveit.relay import CommandRelay

JOINTS = ('a', 'b')


@pytest.fixture
def relay() -> CommandRelay:
    return CommandRelay(JOINTS, max_start_error=0.05, state_timeout=0.25)


def test_initial_values_do_not_move_a_robot_that_stands_elsewhere(relay: CommandRelay):
    relay.measure(['b', 'a', 'other'], [1.0, 0.5, 9.0], 0.0)
    assert relay.command(['a', 'b'], [0.0, 0.0], 0.1) is None
    assert relay.reason == (
        'b is commanded to 0.000 and stands at 1.000: waiting for a command that begins there'
    )
    np.testing.assert_array_equal(relay.command(['b', 'a'], [1.01, 0.52], 0.1), [0.52, 1.01])
    np.testing.assert_array_equal(relay.command(['b', 'a'], [1.5, 0.9], 0.1), [0.9, 1.5])
    assert (relay.open, relay.reason) == (True, '')


def test_without_joint_states_nothing_passes(relay: CommandRelay):
    assert relay.command(JOINTS, [0.0, 0.0], 0.0) is None
    assert relay.reason == 'no joint state of a yet'
    relay.measure(['a'], [0.0], 0.0)
    assert relay.command(JOINTS, [0.0, 0.0], 0.0) is None
    assert 'of b yet' in relay.reason
    relay.measure(['b'], [0.0], 0.0)
    assert relay.command(JOINTS, [0.0, 0.0], 0.1) is not None
    assert relay.command(JOINTS, [0.0, 0.0], 0.5) is None
    assert relay.reason == 'no joint state of a for 0.50 s'
    relay.measure(JOINTS, [1.0, 1.0], 0.5)  # it was moved meanwhile: begins anew
    assert relay.command(JOINTS, [0.0, 0.0], 0.5) is None
    assert relay.command(JOINTS, [1.0, 1.0], 0.5) is not None


def test_names_beyond_the_positions_are_state_only(relay: CommandRelay):
    relay.measure(JOINTS, [0.0, 0.0], 0.0)
    assert relay.command(['a', 'b', 'coupled'], [0.0, 0.0], 0.0) is not None


def test_wrong_commands(relay: CommandRelay):
    relay.measure(JOINTS, [0.0, 0.0], 0.0)
    with pytest.raises(UnknownNameError, match="'b'"):
        relay.command(['a'], [0.0], 0.0)
    with pytest.raises(ShapeError):
        relay.command(['a'], [0.0, 1.0], 0.0)
    with pytest.raises(NotFiniteError, match='b is nan'):
        relay.command(JOINTS, [0.0, np.nan], 0.0)
    relay.measure(JOINTS, [np.nan, 0.0], 5.0)  # taken as not measured
    assert relay.command(JOINTS, [0.0, 0.0], 5.0) is None
