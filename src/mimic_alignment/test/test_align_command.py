"""The command, and what it shares with the service, on a dataset on disk."""

import json

import numpy as np
import pytest
from alignment_episodes import JOINTS, episode

from mimic_alignment import align_command
from mimic_alignment.align_command import main
from mimic_alignment.job import Job, run_job
from mimic_alignment.mapping import Mapping
from mimic_alignment.params import AlignmentParams
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_dataset import DatasetMeta, add_episode, assemble


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'reach_claw'
    meta = DatasetMeta('reach', 'iiwa14', 'claw', JOINTS, (0.0, 0.0), (1.0, 1.0), {}, 10.0)
    for n in range(2):
        one = episode(f'h{n}', 'human', lambda s: np.sqrt(s), 30 + n)
        add_episode(folder, meta, one)
        state = np.zeros((40, 9))
        state[:, 6] = 1.0
        add_episode(folder, meta, episode(f'r{n}', 'robot', frames=40, state=state))
    for domain in ('human', 'robot'):
        assemble(folder, domain)
    return folder


def test_a_mapping_of_the_whole_dataset(dataset, tmp_path, capsys):
    plots = tmp_path / 'pictures'
    assert main([str(dataset), '--plots', str(plots), '--hand-weight', '0.5']) == 0
    printed = capsys.readouterr().out
    assert '2 human on 2 robot episodes by action' in printed and 'h1' in printed
    mapping = Mapping.load(dataset / 'mapping_action.json')
    assert [[len(frames) for frames in row] for row in mapping.frames] == [[30, 30], [31, 31]]
    about = json.loads((dataset / 'mapping_action.about.json').read_text())
    assert about['humans'] == ['h0', 'h1'] and about['parameters']['hand_weight'] == 0.5
    for name in ('warped_pair.png', 'paths.png'):
        assert (plots / name).read_bytes().startswith(b'\x89PNG')


def test_by_eye_and_chosen_episodes(dataset, tmp_path):
    output = tmp_path / 'deep' / 'm.json'
    arguments = ['--method', 'visual', '--output', str(output), '--human', 'h1', '--robot', 'r1']
    assert main([str(dataset), *arguments]) == 0
    assert json.loads(output.with_name('m.about.json').read_text())['humans'] == ['h1']
    assert len(Mapping.load(output).frames) == 1


@pytest.mark.parametrize('method', ['action', 'visual'])
def test_the_path_is_drawn_over_the_costs_that_it_was_sought_in(
    dataset, tmp_path, method, monkeypatch
):
    drawn = []
    draw = align_command.draw_warp
    monkeypatch.setattr(
        align_command, 'draw_warp', lambda *given: drawn.append(given) or draw(*given)
    )
    arguments = ['--method', method, '--output', str(tmp_path / 'm.json')]
    assert main([str(dataset), *arguments, '--plots', str(tmp_path), '--step-pattern',
                 'symmetric1']) == 0  # fmt: skip
    ((local, warp, *_),) = drawn
    assert local[*warp.path.T].sum() == pytest.approx(warp.cost)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['--human', 'h7'], "unknown human episode 'h7'"),
        (['--method', 'visual', '--encoder', 'nothing:here'], 'nothing'),
        (['--window', '2'], "'window' = 2.0"),
        (['--step-pattern', 'waltz'], 'waltz'),
        (['--open-end'], 'open_end'),
    ],
)
def test_what_is_wrong_is_named(dataset, arguments, says, capsys):
    assert main([str(dataset), *arguments]) == 2
    assert says in capsys.readouterr().err


def test_no_dataset_and_no_room(dataset, tmp_path, capsys):
    assert main([str(tmp_path / 'nothing')]) == 2
    assert 'nothing' in capsys.readouterr().err
    (tmp_path / 'file').write_text('')
    assert main([str(dataset), '--plots', str(tmp_path / 'file' / 'plots')]) == 2
    assert capsys.readouterr().err.startswith('align: [Errno ')
    job = Job(dataset, 'action', tmp_path / 'file' / 'm.json', (), (), 'thumbnail')
    with pytest.raises(ConfigError, match='file'):
        run_job(job, AlignmentParams())
    with pytest.raises(UnknownNameError, match='smell'):
        run_job(Job(dataset, 'smell', None, (), (), 'thumbnail'), AlignmentParams())


def test_a_mapping_that_was_whole_stays_so_when_the_next_fails(dataset, tmp_path):
    output = tmp_path / 'm.json'
    job = Job(dataset, 'action', output, (), (), 'thumbnail')
    run_job(job, AlignmentParams())
    before = output.read_bytes()
    with pytest.raises(ConfigError):
        run_job(job, AlignmentParams(open_end=True))
    assert output.read_bytes() == before
