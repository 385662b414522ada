import json
import subprocess
import sys

import pytest
from policy_networks import save_tiny

from mimic_core.errors import ConfigError
from mimic_policy.checkpoint import read_checkpoint
from mimic_policy.facts import DOCUMENT, RUN_FILE, TASK_FILE, fact_of


def test_facts_are_those_of_the_newest_checkpoint(tmp_path):
    save_tiny(tmp_path / 'run', 100)
    newest = save_tiny(tmp_path / 'run', 200)
    document = json.loads((newest / DOCUMENT).read_text())
    document['meta']['task'] = 'push'
    (newest / DOCUMENT).write_text(json.dumps(document))
    for path in (tmp_path / 'run', newest):
        meta = read_checkpoint(path).document['meta']
        assert {name: fact_of(path, name) for name in ('arm', 'hand', 'task')} == {
            name: meta[name] for name in ('arm', 'hand', 'task')
        }
    assert fact_of(tmp_path / 'run', 'task') == 'push'
    assert fact_of(tmp_path / 'run', 'kind') == 'diffusion'
    assert fact_of(tmp_path / 'run', 'symmetry') == 'auto'
    with pytest.raises(ConfigError, match=r'meta\.mesh'):
        fact_of(tmp_path / 'run', 'mesh')


def run_folder(folder, **changed):
    document = {'arm': 'panda', 'hand': 'leap', 'task': 'box_push', 'object': {'mesh': 'box.obj'}}
    folder.mkdir()
    (folder / RUN_FILE).write_text(json.dumps(document | changed))
    return folder


def test_facts_of_a_run_folder(tmp_path):
    folder = run_folder(tmp_path / 'run')
    names = ('kind', 'arm', 'hand', 'task', 'mesh')
    found = [fact_of(folder, name) for name in names]
    assert found == ['practised', 'panda', 'leap', 'box_push', str(folder / 'box.obj')]
    assert fact_of(folder, 'symmetry') == 'auto'  # of a run that does not say
    round_one = {'mesh': 'jug.obj', 'symmetry': 'z'}
    assert fact_of(run_folder(tmp_path / 'jug', object=round_one), 'symmetry') == 'z'
    assert fact_of(folder, 'scene') == 'box_push'
    (folder / TASK_FILE).touch()  # of a video, which showed what the twin does not know
    assert fact_of(folder, 'scene') == str(folder / TASK_FILE)
    with pytest.raises(ConfigError, match=r'object\.mesh is empty'):
        fact_of(run_folder(tmp_path / 'bare', object={'mesh': ''}), 'mesh')
    with pytest.raises(ConfigError, match=r'run\.json: object\.mesh cannot'):
        fact_of(run_folder(tmp_path / 'torn', object=None), 'mesh')
    with pytest.raises(ConfigError, match=r'run\.json: object\.symmetry cannot'):
        fact_of(tmp_path / 'torn', 'symmetry')


def test_a_training_in_a_run_folder_is_told_how_to_be_launched(tmp_path):
    """It has a copy of run.json, but not the files that this names."""
    run = run_folder(tmp_path / 'run')
    run_folder(run / 'dapg')
    with pytest.raises(ConfigError, match=f'give checkpoint:={run} training:=dapg'):
        fact_of(run / 'dapg', 'kind')


def test_what_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(ConfigError, match='no checkpoint'):
        fact_of(tmp_path, 'arm')
    (tmp_path / DOCUMENT).write_text('{"meta": {}}')
    with pytest.raises(ConfigError, match=r'checkpoint\.json: meta\.arm'):
        fact_of(tmp_path, 'arm')


def test_the_command_needs_no_torch(tmp_path):
    folder = save_tiny(tmp_path / 'run')
    code = (
        f'import sys; sys.path[:0] = {sys.path!r}; sys.modules["torch"] = None\n'
        'from mimic_policy.facts import main; main()'
    )

    def said(*arguments):
        command = [sys.executable, '-c', code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said('hand', folder) == 'robotiq_2f85'
    assert said('hand') == 'allegro' and said('kind') == 'diffusion'
    assert said('scene', folder) == said('task', folder) and said('scene') == said('task')
