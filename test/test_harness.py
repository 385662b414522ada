"""The page of a bench: how it was made, its table, its picture, and what people wrote."""

import sys
import time

import pytest

from benchmarks import __main__ as bench
from benchmarks import harness, prepare, tasks
from mimic_core.errors import UnknownNameError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, 'ROOT', tmp_path)
    monkeypatch.setattr(harness, 'RESULTS', tmp_path / 'benchmarks/results')
    (tmp_path / 'docs/results').mkdir(parents=True)
    return tmp_path


def _page(options, root):
    rows = [harness.at_least('rate', 3.0, 'Hz', 4.0), harness.info('count', 2, '')]
    path = harness.save('some', options, rows, time.perf_counter())
    return path, harness.publish(path).read_text()


@pytest.mark.parametrize(
    ('options', 'command'),
    [
        (harness.Options(), './mimic bench some --seed 0`'),
        (harness.Options(3, quick=True), './mimic bench some --seed 3 --quick`'),
        (harness.Options(minutes=1.5, only=('a', 'b')),
         './mimic bench some --seed 0 --minutes 1.5 --only a b`'),
    ],
)  # fmt: skip
def test_a_page_says_by_which_command(root, options, command):
    assert f'`{command}' in _page(options, root)[1]


def test_a_page_keeps_what_people_wrote(root):
    page = root / 'docs/results/some.md'
    _, text = _page(harness.Options(), root)
    assert '| rate | 3 | Hz | ≥ 4 | **no** |' in text and '| count | 2 |  |  |  |' in text
    page.write_text(text + '\nSeen by eye.\n')
    assert _page(harness.Options(), root)[1].endswith('\nSeen by eye.\n')


def test_a_long_table_is_folded_and_what_is_missed_leads(root):
    rows = [harness.info(f'count {i}', i, '') for i in range(40)]
    rows += [harness.at_least('rate', 3.0, 'Hz', 4.0), harness.at_most('error', 1.0, 'mm', 5.0)]
    path = harness.save('some', harness.Options(), rows, time.perf_counter())
    path.with_suffix('.png').write_bytes(b'picture')
    before, _, folded = harness.publish(path).read_text().partition('<details>')
    assert '**1 of 2 targets are met**, these are missed:' in before and '![some](' in before
    assert before.count('\n| ') == 3 and '| rate | 3 | Hz | ≥ 4 | **no** |' in before
    assert '<summary>All 42 values</summary>' in folded
    assert all(f'\n| {row.name} |' in folded for row in rows) and '\n</details>\n' in folded


def test_a_picture_goes_with_its_page(root):
    path, text = _page(harness.Options(), root)
    assert '![' not in text
    path.with_suffix('.png').write_bytes(b'picture')
    assert '![some](some.png)' in _page(harness.Options(), root)[1]
    assert (root / 'docs/results/some.png').read_bytes() == b'picture'
    (more := path.with_name('some-paths.png')).write_bytes(b'paths')
    assert '![some-paths](some-paths.png)' in _page(harness.Options(), root)[1]
    more.unlink()  # of a run that did not draw it: the one on the page stays
    text = _page(harness.Options(), root)[1]
    assert text.index('![some](') < text.index('![some-paths](')
    page = root / 'docs/results/some.md'
    page.write_text(text + '\n![in its place](some-paths.png), [a link](some.png)\n')
    text = _page(harness.Options(), root)[1]
    assert '![some](' in text and text.count('(some-paths.png)') == 1  # not twice
    path.with_name('some_kept.json').write_text('{}')  # for the next run, on another machine
    _page(harness.Options(), root)
    assert (root / 'docs/results/some_kept.json').read_text() == '{}'


def test_a_name_that_is_mistyped_starts_nothing():
    assert harness.check_names('task', (), ('push', 'flip')) is None
    assert harness.check_names('task', ('flip',), ('push', 'flip')) is None
    with pytest.raises(UnknownNameError, match=r"unknown task 'puhs'\. Did you mean 'push'"):
        harness.check_names('task', ('flip', 'puhs'), ('push', 'flip'))
    with pytest.raises(UnknownNameError, match="'box_push'"):
        prepare.run(harness.Options(only=('box_puhs',)))
    with pytest.raises(UnknownNameError, match="'pick_place'"):
        tasks.run(harness.Options(only=('pick_plce',)))


@pytest.mark.parametrize(
    ('option', 'value', 'says'),
    [('--seed', '-1', '-1 is not at least 0'), ('--minutes', '-2', '-2 is not at least 0')],
)
def test_numbers_below_zero_are_refused(monkeypatch, capsys, option, value, says):
    monkeypatch.setattr(sys, 'argv', ['bench', 'gate', option, value])
    with pytest.raises(SystemExit) as end:
        bench.main()
    assert end.value.code == 2 and says in capsys.readouterr().err
