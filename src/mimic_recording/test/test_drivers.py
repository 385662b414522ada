"""Who drove is told by the bag."""

from itertools import pairwise

import pytest

from mimic_recording import Drive, Episode

from .conftest import SECOND, T0

STATUS = 'mimic_interfaces/msg/ControlStatus'


@pytest.fixture
def episode_of(bench, make, header):
    """episode_of(sources) writes one control/status a tenth of a second, and opens the episode."""

    def build(sources, topic='/left/control/status'):
        rows = []
        for i, source in enumerate(sources):
            t = T0 + i * SECOND // 10
            data = make(STATUS, header=header(t), source=source)
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


def test_without_a_gate_nothing_is_known(episode_of):
    with episode_of(['policy/command'], topic='/other') as episode:
        assert episode.drivers() == ()
