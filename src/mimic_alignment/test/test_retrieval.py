import numpy as np
import pytest

from mimic_alignment import find, overlap
from mimic_core.errors import ConfigError


def _walk(rng, size):
    return np.cumsum(rng.normal(size=(size, 3)), axis=0)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('speed', [0.7, 1.0, 1.5])
def test_a_part_of_a_long_trajectory_is_found(seed, speed):
    rng = np.random.default_rng(seed)
    long = _walk(rng, 300)
    begin, end = 120, 180
    frames = np.arange(begin, end - 1, speed)
    query = np.array([np.interp(frames, np.arange(300), axis) for axis in long.T]).T
    query = query + rng.normal(0.0, 0.1, query.shape)
    cost = np.linalg.norm(query[:, None] - long[None], axis=2)
    match = find(cost)
    assert overlap((match.begin, match.end), (begin, end)) > 0.85
    assert match.cost == pytest.approx(match.warp.cost / len(query))


def test_only_patterns_that_count_each_frame_of_the_query_once():
    with pytest.raises(ConfigError, match='normalised by rows'):
        find(np.ones((4, 9)), 'symmetric2')
    with pytest.raises(ConfigError, match='no path'):
        find(np.ones((30, 4)), 'asymmetricP1')


def test_overlap():
    assert overlap((0, 10), (0, 10)) == 1.0
    assert overlap((0, 10), (5, 15)) == pytest.approx(1 / 3)
    assert overlap((0, 5), (5, 9)) == 0.0
    assert overlap((3, 3), (3, 3)) == 0.0
