"""`./mimic evaluate` measures what `./mimic launch policy` runs."""

import json
from pathlib import Path

import pytest
from policy_networks import save_tiny

from mimic_composition.launcher.substitution import Context, substitute
from mimic_composition.launcher.xml_reader import read_xml
from mimic_policy import evaluate_cli
from mimic_policy.evaluation import Evaluation

LAUNCH = Path(__file__).parents[3] / 'launch/policy.launch.xml'


@pytest.fixture
def params_of(tmp_path, monkeypatch):
    """Give the parameters of rollouts that the command comes to."""
    folder = save_tiny(tmp_path / 'run')
    found = []

    def note(load, params, *_, **__):
        found.append(params)
        return Evaluation(())

    monkeypatch.setattr(evaluate_cli, 'evaluate', note)

    def run(*options):
        assert evaluate_cli.main([str(folder), *options]) == 0
        return found.pop()

    return run


def test_its_pictures_are_those_of_the_launch_file(params_of):
    context = Context({'kind': 'diffusion'}, {}, LAUNCH)
    args = {arg.attributes['name']: arg.attributes for arg in read_xml(LAUNCH).named('arg')}

    def default(name):
        return substitute(args[name]['default'], context)

    params = params_of()
    size = params.twin.width, params.twin.height
    assert size == (int(default('picture_width')), int(default('picture_height')))
    assert params.twin.depth == (default('depth') == 'true')
    for camera in ('agent', 'wrist'):
        assert params.camera_rate == float(default(f'{camera}_camera_rate'))


@pytest.mark.parametrize(
    ('recorded', 'drawn'),
    [
        ((180, 320), (180, 320)),
        ((720, 1280), (180, 320)),
        ((481, 640), (240, 320)),
        ((7, 7), (320, 320)),
    ],
)
def test_pictures_of_another_shape_are_drawn_in_that_shape(tmp_path, recorded, drawn):
    """Of `collect … picture_width:=320 picture_height:=180`, say; rolled out, and noted."""
    sizes = {'agent': recorded, 'wrist': recorded}
    step = save_tiny(tmp_path / 'run', recorded=sizes)
    options = '--rollouts', '1', '--longest', '0.3', '--processes', '1', '--out'
    assert evaluate_cli.main([str(step), *options, str(tmp_path / 'out')]) == 0
    noted = json.loads((tmp_path / 'out/settings.json').read_text())
    assert (noted['twin.height'], noted['twin.width']) == drawn
    rollout = json.loads((tmp_path / 'out/rollout_001000.json').read_text())
    assert rollout['chunks'] > 0


def test_the_time_is_that_of_the_task_unless_it_is_said(params_of):
    assert params_of().time_limit == 40.0
    assert params_of('--longest', '12').time_limit == 12.0


def test_results_of_a_task_of_a_file_lie_beside_the_checkpoint(params_of, monkeypatch, tmp_path):
    folders = []
    monkeypatch.setattr(
        evaluate_cli, 'show', lambda result, folder, console: folders.append(folder)
    )
    for task in ('push', '../../mugs/mug.json', '/lab/mugs/mug.json'):
        assert params_of('--task', task).task == task
    names = ['step_00000001_push', 'step_00000001_mug', 'step_00000001_mug']
    assert folders == [tmp_path / 'run' / name for name in names]


def test_a_document_without_its_task_is_named_not_a_traceback(tmp_path, capsys):
    folder = save_tiny(tmp_path / 'run')
    file = folder / 'checkpoint.json'
    document = json.loads(file.read_text())
    del document['meta']['task']
    file.write_text(json.dumps(document))
    for options in ((), ('--task', 'push')):
        assert evaluate_cli.main([str(folder), *options]) == 2
        assert 'checkpoint.json: meta.task is missing' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('error', 'code', 'says'),
    [
        (PermissionError(13, 'Permission denied', '/dev/dri'), 2, 'denied'),
        (KeyboardInterrupt(), 130, 'stopped; what is finished stays, the same command goes on'),
    ],
)
def test_it_ends_as_the_other_commands_do(tmp_path, monkeypatch, capsys, error, code, says):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(evaluate_cli, 'evaluate', fail)
    assert evaluate_cli.main([str(save_tiny(tmp_path / 'run'))]) == code
    said = capsys.readouterr().err
    assert said.startswith('evaluate: ') and says in said


@pytest.mark.parametrize(
    ('option', 'least', 'wrong'),
    [('--delay', 0.0, ('-1', 'nan', 'inf')), ('--longest', 0.1, ('0', '-3', 'nan', 'inf'))],
)
def test_a_time_that_is_none_measures_nothing(params_of, capsys, option, least, wrong):
    for value in wrong:
        with pytest.raises(SystemExit):
            params_of(f'{option}={value}')
        assert f'argument {option}: {value} is not at least {least}' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--rollouts', '--processes', '--steps'])
@pytest.mark.parametrize('count', ['0', '-3'])
def test_no_rollouts_are_no_result(params_of, capsys, option, count):
    with pytest.raises(SystemExit):
        params_of(option, count)
    assert f'argument {option}: {count} is not at least 1' in capsys.readouterr().err
