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
def make_dataset(tmp_path_factory):
    def make(humans, robots):
        folder = tmp_path_factory.mktemp('data') / 'reach_claw'
        meta = DatasetMeta('reach', 'iiwa14', 'claw', JOINTS, (0.0, 0.0), (1.0, 1.0), {}, 10.0)
        for one in humans:
            add_episode(folder, meta, one)
        state = np.zeros((40, 9))
        state[:, 6] = 1.0
        for n in range(robots):
            add_episode(folder, meta, episode(f'r{n}', 'robot', frames=40, state=state))
        for domain in ('human', 'robot'):
            assemble(folder, domain)
        return folder

    return make


@pytest.fixture(scope='module')
def dataset(make_dataset):
    return make_dataset([episode(f'h{n}', 'human', np.sqrt, 30 + n) for n in range(2)], 2)


def test_a_mapping_of_the_whole_dataset(dataset, tmp_path, capsys):
    plots = tmp_path / 'pictures'
    assert main([str(dataset), '--plots', str(plots), '--hand-weight', '0.5']) == 0
    printed = capsys.readouterr().out
    assert '2 human on 2 robot episodes by action' in printed and 'h1' in printed
    mapping = Mapping.load(dataset / 'mapping_action.json')
    assert [[len(frames) for frames in row] for row in mapping.frames] == [[30, 30], [31, 31]]
    about = json.loads((dataset / 'mapping_action.about.json').read_text())
    assert about['humans'] == ['h0', 'h1'] and about['parameters']['hand_weight'] == 0.5
    assert about['encoder'] is None
    for name in ('warped_pair.png', 'paths.png'):
        assert (plots / name).read_bytes().startswith(b'\x89PNG')


def test_by_eye_and_chosen_episodes(dataset, tmp_path):
    output = tmp_path / 'deep' / 'm.json'
    arguments = ['--method', 'visual', '--output', str(output), '--human', 'h1', '--robot', 'r1']
    assert main([str(dataset), *arguments]) == 0
    about = json.loads(output.with_name('m.about.json').read_text())
    assert about['humans'] == ['h1'] and about['encoder'] == 'thumbnail'
    assert len(Mapping.load(output).frames) == 1


def in_the_middle(name, before, after):
    """A person who does something else before and after what the robots do, in 20 frames."""
    one = episode(name, 'human', frames=20)
    rest = [np.tile([[0.1, -0.6, 0.5, 0.0, 0.0, 0.0, 0.5, 0.0]], (n, 1)) for n in (before, after)]
    dark = [np.zeros((n, *one.agent.shape[1:]), np.uint8) for n in (before, after)]
    return episode(
        name, 'human', frames=before + 20 + after,
        action=np.concatenate([rest[0], one.action, rest[1]]),
        agent=np.concatenate([dark[0], one.agent, dark[1]]),
    )  # fmt: skip


@pytest.mark.parametrize('method', ['action', 'visual'])
def test_a_demonstration_is_found_in_long_videos(make_dataset, method, capsys):
    """Half as fast as the person: of every person where, and what it costs."""
    places = {'h0': (50, 70), 'h1': (11, 31)}
    folder = make_dataset([in_the_middle('h0', 50, 30), in_the_middle('h1', 11, 90)], 2)
    assert main([str(folder), '--find', 'r1', '--method', method]) == 0
    file = folder / f'found_r1_{method}.json'
    printed = capsys.readouterr().out
    assert 'r1' in printed and '5.0' in printed and str(file) in printed.replace('\n', '')
    document = json.loads(file.read_text())
    assert (document['robot'], document['fps'], document['method']) == ('r1', 10.0, method)
    assert document['parameters']['step_pattern'] == 'asymmetric'
    for name, (begin, end) in places.items():
        found = document['found'][name]
        assert abs(found['begin'] - begin) <= 2 and abs(found['end'] - end) <= 2
        assert 0.0 <= found['cost'] < (0.1 if method == 'action' else 1.0)
    assert not list(folder.glob('mapping*'))
    only = ['--find', 'r0', '--human', 'h1', '--output', str(folder / 'x.json')]
    assert main([str(folder), *only]) == 0
    assert list(json.loads((folder / 'x.json').read_text())['found']) == ['h1']


def test_a_video_that_is_too_short_for_the_steps_is_named(make_dataset, capsys):
    folder = make_dataset([episode('h0', 'human', frames=12)], 1)
    assert main([str(folder), '--find', 'r0', '--step-pattern', 'asymmetricP1']) == 2
    assert 'human episode h0: no path of asymmetricP1' in capsys.readouterr().err
    assert main([str(folder), '--find', 'r0']) == 0


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
        (['--encoder', 'nothing:here'], '--encoder: of --method visual'),
        (['--window', '2'], "'window' = 2.0"),
        (['--window', '0.01'], 'human episode h0 on robot episode r0: no path of symmetric1'),
        (['--step-pattern', 'waltz'], 'waltz'),
        (['--open-end'], 'open_end'),
        (['--find', 'r7'], "unknown robot episode 'r7'"),
        (['--find', 'r1', '--robot', 'r0'], '--robot: not with --find'),
        (['--find', 'r1', '--plots', 'x'], '--plots: not with --find'),
        (['--find', 'r1', '--window', '0.5'], '--window: not with --find'),
        (['--find', 'r1', '--open-begin'], '--open-begin: not with --find'),
        (['--find', 'r1', '--open-end'], '--open-end: not with --find'),
        (['--find', 'r1', '--workers', '2'], '--workers: not with --find'),
        (['--find', 'r1', '--step-pattern', 'symmetric2'], 'not symmetric2'),
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


def test_a_picture_that_cannot_be_written_is_named(dataset, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('matplotlib.figure.Figure.savefig', full)
    plots, output = tmp_path / 'plots', tmp_path / 'mapping.json'
    assert main([str(dataset), '--output', str(output), '--plots', str(plots)]) == 2
    said = capsys.readouterr().err
    assert f"No space left on device: '{plots}/warped_pair.png'" in said
    assert Mapping.load(output).frames


def test_a_mapping_that_was_whole_stays_so_when_the_next_fails(dataset, tmp_path):
    output = tmp_path / 'm.json'
    job = Job(dataset, 'action', output, (), (), 'thumbnail')
    run_job(job, AlignmentParams())
    before = output.read_bytes()
    with pytest.raises(ConfigError):
        run_job(job, AlignmentParams(open_end=True))
    assert output.read_bytes() == before
