import json

import pytest

from mimic_recording.episodes import main

from .test_recovery import leave_partial


@pytest.fixture
def folder(bench, rows):
    bench.episode(rows, 'first')
    whole = bench.episode(rows, 'second')
    raw = (whole / 'second_0.mcap').read_bytes()
    leave_partial(bench, raw[:-1000], 'third')
    return bench.directory


def test_list_recover_info_report(folder, capsys):
    assert main(['list', str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith('.third.partial: incomplete')
    assert lines[1].startswith('first: 3.0 s, 390 messages')

    assert main(['recover', str(folder)]) == 0
    assert 'third: 390 messages' in capsys.readouterr().out
    assert main(['recover', str(folder)]) == 0
    assert 'nothing to recover' in capsys.readouterr().out

    assert main(['info', str(folder / 'third')]) == 0
    out = capsys.readouterr().out
    assert '/joint_states  sensor_msgs/msg/JointState  300' in out and 'operator: anna' in out

    target = folder / 'r.json'
    assert main(['report', str(folder / 'first'), '--json', str(target)]) == 0
    assert 'no flags' in capsys.readouterr().out
    assert json.loads(target.read_text())['messages'] == 390
    assert main(['report', str(folder / 'third')]) == 1  # flagged: it was recovered
    assert '! recovered' in capsys.readouterr().out


def test_recover_one(folder, capsys):
    assert main(['recover', str(folder / '.third.partial')]) == 0
    assert main(['recover', str(folder / 'first')]) == 0
    assert 'is whole' in capsys.readouterr().out
    file = folder / 'first' / 'first_0.mcap'
    file.write_bytes(file.read_bytes()[:-5000])
    assert main(['recover', str(folder / 'first')]) == 0
    assert 'first_recovered' in capsys.readouterr().out


def test_errors_are_one_sentence_and_code_2(tmp_path, capsys):
    for command in ('list', 'info', 'report', 'recover'):
        assert main([command, str(tmp_path / 'none')]) == 2
        error = capsys.readouterr().err
        assert error.startswith('episodes: ') and len(error.splitlines()) == 1
