import json

import numpy as np
import pytest

from mimic_alignment import Mapping, warp
from mimic_core.errors import ConfigError


@pytest.fixture
def mapping():
    rng = np.random.default_rng(0)
    return Mapping.of([[warp(rng.random((n, m))) for m in (6, 9)] for n in (4, 5, 1)])


def test_round_trip(mapping, tmp_path):
    file = tmp_path / 'map.json'
    mapping.save(file)
    again = Mapping.load(file)
    assert len(again.frames) == 3
    for row, other in zip(mapping.frames, again.frames, strict=True):
        for a, b in zip(row, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert list(tmp_path.iterdir()) == [file]


def test_the_layout_that_immimic_reads(mapping, tmp_path):
    file = tmp_path / 'map.json'
    mapping.save(file)
    data = json.loads(file.read_text())
    # Its dataset looks a human frame up so, and takes the robot demonstrations below a number.
    pairs = [
        (int(k), v) for k, v in data['demo_1'.removeprefix('demo_')]['3'].items() if int(k) < 2
    ]
    assert pairs == [(r, int(mapping.frames[1][r][3])) for r in range(2)]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', 'not JSON'),
        ('[]', 'not a mapping'),
        ('{"1": {}}', "no '0' among 1 entries"),
        ('{"0": {"0": {"0": 1}, "2": {"0": 1}}}', "map.json: 0: no '1' among 2 entries"),
        ('{"0": {"0": {"0": -1}}}', '0: 0: 0: -1 is no frame number'),
        ('{"0": {"0": {"0": 1.5}}}', '1.5 is no frame number'),
        ('{"0": {"0": {"0": 1%s}}}' % ('0' * 30), 'is no frame number'),
        ('{"0": {}}', 'map.json: 0: no frames'),
        ('{"0": {"0": {"0": 1}, "1": {}}}', 'different numbers of robot episodes'),
    ],
)
def test_damaged_files_say_where(text, message, tmp_path):
    file = tmp_path / 'map.json'
    file.write_text(text)
    with pytest.raises(ConfigError, match=message.replace('.', r'\.')):
        Mapping.load(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match='No such file'):
        Mapping.load(tmp_path / 'map.json')
