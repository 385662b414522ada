import itertools

import numpy as np
import pytest

from mimic_alignment import PATTERNS, WarpParams, warp
from mimic_core.errors import ConfigError, NotFiniteError, ShapeError


def _walk(rng, size, dim=3):
    return np.cumsum(rng.normal(size=(size, dim)), axis=0)


def _cost(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = _walk(rng, n), _walk(rng, m)
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def _weights(pattern, path, cost):
    """Return the cost of a path by the definition of its pattern, found by exhaustive search."""
    best = {0: cost[tuple(path[0])]}
    for k in range(1, len(path)):
        options = []
        for step in pattern.steps:
            cells = [(path[k][0] - a, path[k][1] - b) for a, b, _ in step]
            before = k - len(step) + 1
            if before in best and [tuple(c) for c in path[before : k + 1]] == cells:
                added = sum(w * cost[c] for c, (_, _, w) in zip(cells[1:], step[1:], strict=True))
                options.append(best[before] + added)
        if options:
            best[k] = min(options)
    return best[len(path) - 1]


def _every_path(pattern, n, m):
    """Yield all paths through a small matrix."""

    def extend(path):
        if tuple(path[-1]) == (n - 1, m - 1):
            yield path
        for step in pattern.steps:
            a, b, _ = step[0]
            end = (path[-1][0] + a, path[-1][1] + b)
            if end[0] < n and end[1] < m:
                yield from extend([*path, *((end[0] - i, end[1] - j) for i, j, _ in step[1:])])

    return extend([(0, 0)])


@pytest.mark.parametrize('name', PATTERNS)
@pytest.mark.parametrize(('n', 'm'), [(4, 4), (4, 5), (5, 4)])
def test_the_cheapest_of_all_paths(name, n, m):
    pattern = PATTERNS[name]
    cost = _cost(n * 10 + m, n, m)
    best = min(_weights(pattern, [list(c) for c in p], cost) for p in _every_path(pattern, n, m))
    result = warp(cost, WarpParams(step_pattern=name))
    assert result.cost == pytest.approx(best)
    assert _weights(pattern, result.path.tolist(), cost) == pytest.approx(best)


@pytest.mark.parametrize('name', PATTERNS)
def test_a_path_takes_only_steps_of_its_pattern(name):
    pattern, cost = PATTERNS[name], _cost(3, 60, 80)
    result = warp(cost, WarpParams(step_pattern=name))
    assert result.path[0].tolist() == [0, 0] and result.path[-1].tolist() == [59, 79]
    assert _weights(pattern, result.path.tolist(), cost) == pytest.approx(result.cost)
    assert result.normalised == pytest.approx(result.cost / pattern.length(60, 80))


def test_the_fast_loop_and_the_general_one_agree():
    sizes = [(1, 1), (1, 9), (9, 1), (2, 1), (2, 2), (3, 2), (4, 3), (40, 70), (41, 70)]
    for seed, (n, m), level in itertools.product(range(5), sizes, (0.0, 4.0)):
        cost = _cost(seed, n, m)
        cost = np.round(level * cost) if level else cost  # many ways are equally cheap
        fast = warp(cost)
        general = warp(cost, WarpParams(window=1.0))
        assert fast.cost == pytest.approx(general.cost)
        np.testing.assert_array_equal(fast.path, general.path)


def _came_from(name, c, i, j):
    """Yield what leads to (i, j): cells from there on, without (i, j), and the cost that it adds.

    Written out from Sakoe and Chiba, not from the tables of the package.
    """
    yield from {
        'symmetric1': lambda: [
            ([(i - 1, j - 1)], c(i, j)),
            ([(i - 1, j)], c(i, j)),
            ([(i, j - 1)], c(i, j)),
        ],
        'symmetric2': lambda: [
            ([(i - 1, j - 1)], 2 * c(i, j)),
            ([(i - 1, j)], c(i, j)),
            ([(i, j - 1)], c(i, j)),
        ],
        'asymmetric': lambda: [([(i - 1, j - k)], c(i, j)) for k in (0, 1, 2)],
        'symmetricP1': lambda: [
            ([(i - 1, j - 2), (i, j - 1)], 2 * c(i, j - 1) + c(i, j)),
            ([(i - 1, j - 1)], 2 * c(i, j)),
            ([(i - 2, j - 1), (i - 1, j)], 2 * c(i - 1, j) + c(i, j)),
        ],
        'asymmetricP1': lambda: [
            ([(i - 1, j - 2), (i, j - 1)], 0.5 * c(i, j - 1) + 0.5 * c(i, j)),
            ([(i - 1, j - 1)], c(i, j)),
            ([(i - 2, j - 1), (i - 1, j)], c(i - 1, j) + c(i, j)),
        ],
    }[name]()


def _reference(cost, p):
    """Return cost, path and normalised cost: a table of the best way to each cell."""
    n, m = cost.shape
    band = p.window * max(n, m) if p.window else n + m
    best = {}
    for i, j in itertools.product(range(n), range(m)):
        if abs(j - i * (m - 1) / (n - 1)) > band:
            continue
        ways = [(cost[0, j], [])] if i == 0 and (j == 0 or p.open_begin) else []
        for cells, added in _came_from(p.step_pattern, lambda a, b: cost[a, b], i, j):
            if min(cells[0]) >= 0 and cells[0] in best:
                ways.append((best[cells[0]][0] + added, best[cells[0]][1] + cells[1:]))
            if p.open_begin and cells[0][0] == -1 and cells[0][1] >= 0:
                ways.append((added, cells[1:]))
        if ways:
            total, path = min(ways)
            best[i, j] = total, [*path, (i, j)]
    over = {
        'symmetric1': lambda k: 1,
        'symmetric2': lambda k: n + k,
        'symmetricP1': lambda k: n + k,
    }
    over = over.get(p.step_pattern, lambda k: n)
    ends = [j for j in range(m) if (n - 1, j) in best] if p.open_end else [m - 1]
    end = min(ends, key=lambda j: best[n - 1, j][0] / over(j + 1))
    total, path = best[n - 1, end]
    return total, path, total / over(end + 1 - path[0][1])


@pytest.mark.parametrize(('open_begin', 'open_end'), [(0, 0), (0, 1), (1, 1), (1, 0)])
@pytest.mark.parametrize('window', [0.0, 0.15, 0.4])
@pytest.mark.parametrize('name', PATTERNS)
def test_windows_and_open_ends_as_a_plain_table(name, window, open_begin, open_end):
    params = WarpParams(
        step_pattern=name, window=window, open_begin=bool(open_begin), open_end=bool(open_end)
    )
    if (open_end and name == 'symmetric1') or (open_begin and not name.startswith('asymmetric')):
        with pytest.raises(ConfigError):
            warp(_cost(0, 14, 19), params)
        return
    for seed, (n, m) in enumerate([(14, 14), (14, 19), (19, 14)]):
        cost = _cost(seed, n, m)
        total, path, normalised = _reference(cost, params)
        result = warp(cost, params)
        assert result.cost == pytest.approx(total, rel=1e-12)
        assert result.normalised == pytest.approx(normalised, rel=1e-12)
        assert [tuple(cell) for cell in result.path.tolist()] == path


def test_an_open_begin_may_be_half_a_step():
    """As dtw-python's: asymmetricP1 may begin with two rows, or two columns of half the weight."""
    params = WarpParams(step_pattern='asymmetricP1', open_begin=True, open_end=True)
    cost = np.full((6, 12), 9.0)
    cost[range(2, 6), range(4, 8)] = 0.0
    rows, columns = cost.copy(), cost.copy()
    rows[[0, 1], 3] = 0.0
    assert warp(rows, params).cost == 0.0
    assert warp(rows, params).path[:3].tolist() == [[0, 3], [1, 3], [2, 4]]
    columns[0, 1], columns[0, 2], columns[1, 3] = 0.0, 1.0, 0.0
    assert warp(columns, params).cost == 0.5
    assert warp(columns, params).path[:3].tolist() == [[0, 1], [0, 2], [1, 3]]


def test_a_narrow_window_holds_both_corners():
    cost = _cost(2, 10, 100)
    result = warp(cost, WarpParams(step_pattern='symmetric2', window=0.06))
    assert result.path[-1].tolist() == [9, 99]


def test_equal_trajectories_warp_on_the_diagonal():
    cost = _cost(0, 50, 50) * 0 + np.abs(np.subtract.outer(np.arange(50.0), np.arange(50.0)))
    result = warp(cost)
    np.testing.assert_array_equal(result.path[:, 0], result.path[:, 1])
    assert result.cost == 0.0
    np.testing.assert_array_equal(result.column_of_rows(), np.arange(50))


def test_half_the_speed_is_found():
    time = np.linspace(0.0, 1.0, 50)
    slow = np.linspace(0.0, 1.0, 100)
    cost = np.abs(np.subtract.outer(np.sin(3 * time), np.sin(3 * slow)))
    columns = warp(cost).column_of_rows()
    inner = slice(2, 25)  # the sine is steep there
    np.testing.assert_allclose(slow[columns][inner], time[inner], atol=0.02)
    assert (np.diff(columns) >= 0).all()


def test_a_window_keeps_the_path_near_the_diagonal():
    cost = _cost(5, 100, 150)
    result = warp(cost, WarpParams(step_pattern='symmetric2', window=0.05))
    off = np.abs(result.path[:, 1] - result.path[:, 0] * 149 / 99)
    assert off.max() <= 0.05 * 150
    assert result.cost >= warp(cost, WarpParams(step_pattern='symmetric2')).cost


def test_a_window_that_no_path_fits():
    with pytest.raises(ConfigError, match='no path of asymmetric leads through 10 × 30'):
        warp(np.ones((10, 30)), WarpParams(step_pattern='asymmetric'))


def test_open_end():
    rng = np.random.default_rng(1)
    long = _walk(rng, 80)
    cost = np.linalg.norm(long[:40][:, None] - long[None], axis=2)
    result = warp(cost, WarpParams(step_pattern='symmetric2', open_end=True))
    assert result.path[-1].tolist() == [39, 39]
    assert result.cost == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ConfigError, match='symmetric1 cannot be normalised'):
        warp(cost, WarpParams(open_end=True))
    with pytest.raises(ConfigError, match='normalised by rows'):
        warp(cost, WarpParams(step_pattern='symmetric2', open_begin=True))


def test_bad_costs():
    with pytest.raises(ShapeError, match='nothing to align'):
        warp(np.zeros((0, 5)))
    with pytest.raises(ShapeError):
        warp(np.zeros(5))
    with pytest.raises(NotFiniteError):
        warp(np.array([[1.0, np.nan]]))
    assert warp(np.array([[2.0]])).cost == 2.0
