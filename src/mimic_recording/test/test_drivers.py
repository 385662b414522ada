"""Who drove is told by the bag."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from mimic_recording import Drive, Episode, drivers

from .conftest import SECOND, T0

STATUS = 'mimic_interfaces/msg/ControlStatus'
SHADOW = 1  # a state in which the gate follows someone
INTERFACE = Path(__file__).parents[2] / 'mimic_interfaces' / 'msg' / 'ControlStatus.msg'


@pytest.fixture
def episode_of(bench, make, header):
    """episode_of(sources) writes one control/status a tenth of a second, and opens the episode."""

    def build(sources, topic='/left/control/status'):
        rows = []
        for i, source in enumerate(sources):
            source, state = source if isinstance(source, tuple) else (source, SHADOW)
            t = T0 + i * SECOND // 10
            data = make(STATUS, header=header(t), source=source, state=state)
            rows.append((topic, STATUS, t, data, i + 1))
        return Episode(bench.episode(rows))

    return build


def test_who_drove_and_when(episode_of):
    sources = ['', 'policy/command', 'policy/command', 'shadow/command', '', 'policy/command']
    with episode_of([*sources, *['policy/command'] * 4]) as episode:
        found = episode.drivers()
    names = ('nobody', 'policy', 'person', 'nobody', 'policy')
    assert tuple(drive.driver for drive in found) == names
    starts = [round((drive.start - T0) / SECOND, 6) for drive in found]
    assert starts == [0.0, 0.1, 0.3, 0.4, 0.5]
    assert all(a.end == b.start for a, b in pairwise(found))
    assert found[1].duration == pytest.approx(0.2)
    assert found[-1] == Drive('policy', T0 + SECOND // 2, T0 + 9 * SECOND // 10)


def test_a_motion_of_the_gate_and_replays(episode_of):
    with episode_of(['control/move_to', 'replay/command', 'replay/command']) as episode:
        assert [drive.driver for drive in episode.drivers()] == ['nobody', 'replay']


@pytest.mark.parametrize('state', ['HOLD', 'STOPPED'])
def test_nobody_drives_while_the_gate_holds_for_a_person_who_is_lost(episode_of, state):
    value = int(re.search(rf'^uint8 {state}=(\d)', INTERFACE.read_text(), re.MULTILINE)[1])
    assert getattr(drivers, state) == value
    lost = ('shadow/command', value)
    with episode_of(['policy/command', 'shadow/command', lost, lost, 'shadow/command']) as episode:
        found = episode.drivers()
    assert [d.driver for d in found] == ['policy', 'person', 'nobody', 'person']
    assert found[2].duration == pytest.approx(0.2)


def test_without_a_gate_nothing_is_known(episode_of):
    with episode_of(['policy/command'], topic='/other') as episode:
        assert episode.drivers() == ()
