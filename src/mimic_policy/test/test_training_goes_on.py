import dataclasses
import json

import pytest
from reaching import dataset
from training_runs import settings_of, train_run

from mimic_alignment import Mapping
from mimic_core.errors import ConfigError
from mimic_policy.checkpoint import CheckpointError, checkpoints, load_policy, read_checkpoint
from mimic_policy.data import prepare
from mimic_policy.trainer import Trainer
from mimic_policy.training import CURVE, read_curve, train


def test_a_done_run_is_left_alone_and_another_setting_is_refused_by_name(episodes, tmp_path):
    last = train_run(episodes, tmp_path, method='robot_only')
    before = last.stat().st_mtime_ns
    assert train_run(episodes, tmp_path, method='robot_only') == last
    assert last.stat().st_mtime_ns == before
    for changes, field in (
        ({'seed': 4}, r'params\.seed was 0 and is 4'),
        ({'feature': 24}, r'network\.feature was 16 and is 24'),
        ({'prediction': 'epsilon'}, r'diffusion\.prediction'),
    ):
        with pytest.raises(ConfigError, match=field):
            train_run(episodes, tmp_path, method='robot_only', **changes)
    with pytest.raises(ConfigError, match=r'training\.dataset'):
        train_run(dataset(2, 0, seed=9), tmp_path, method='robot_only')


@pytest.mark.parametrize(
    ('name', 'field', 'text'),
    [
        ('robot_1', 'action', 'action of robot episode robot_1 is another one now'),
        ('robot_0', 'state', 'state of robot episode robot_0 is another one now'),
        ('human_2', 'agent', 'agent of human episode human_2 is another one now'),
    ],
)
def test_a_run_does_not_go_on_when_episodes_hold_something_else(
    episodes, tmp_path, name, field, text
):
    half = iter([False, False, True]).__next__
    last = train_run(episodes, tmp_path, method='co_train', stop=half)
    found = [dataclasses.replace(e) for e in episodes.episodes]
    changed = next(e for e in found if e.name == name)
    values = getattr(changed, field).copy()
    values[5] = values[6] if field != 'agent' else values[5]
    values[:] = values[::-1] if field == 'agent' else values
    object.__setattr__(changed, field, values)
    with pytest.raises(
        ConfigError, match=rf'checkpoint\.json: training\.dataset: {text}.*--fresh'
    ):
        train_run(
            dataclasses.replace(episodes, episodes=tuple(found)), tmp_path, method='co_train'
        )
    document = json.loads((last / 'checkpoint.json').read_text())
    del document['training']['contents']  # as older checkpoints were
    (last / 'checkpoint.json').write_text(json.dumps(document))
    assert train_run(episodes, tmp_path, method='co_train').name == 'step_00000006'


def test_episodes_that_came_or_went_are_named(episodes, tmp_path):
    train_run(episodes, tmp_path, method='co_train', stop=lambda: True)
    for kept, text in ((4, 'human episode human_2 is gone'), (5, 'human episode other is new')):
        found = list(episodes.episodes[:kept])
        if kept == 5:
            found.append(dataclasses.replace(found[-1], name='other'))
        other = dataclasses.replace(episodes, episodes=tuple(found))
        with pytest.raises(ConfigError, match=f'training.dataset: {text} now'):
            train_run(other, tmp_path, method='co_train')


def test_the_share_of_people_is_logged_only_where_they_are_mixed(episodes, tmp_path):
    train_run(episodes, tmp_path, method='immimic_v', log_every=1, visual_share=0.5)
    curve = read_curve(tmp_path)
    assert [line['step'] for line in curve if 'human_share' in line] == [4, 5, 6]
    assert [line['step'] for line in curve if 'loss_mixed' in line] == [4, 5, 6]


def test_a_mapping_of_other_episodes_is_refused(episodes, tmp_path):
    settings = settings_of(method='immimic_a')
    data = prepare(episodes, settings.train)
    whole = Trainer(data, settings.train, settings.network, settings.diffusion, tmp_path)
    mapping = whole._make_mapping()
    rows = mapping.frames
    for wrong, text in (
        (rows[:2], 'of 2 human episodes, 3 are trained on'),
        (tuple(row[:1] for row in rows), 'of 1 robot episodes, 2 are trained on'),
        (tuple(tuple(f[1:] for f in row) for row in rows), 'human episode 0 on robot episode 0'),
        (tuple(tuple(f + 99 for f in row) for row in rows), 'align it again'),
    ):
        with pytest.raises(ConfigError, match=text):
            train(data, settings, tmp_path, mapping=type(mapping)(wrong))
    assert not checkpoints(tmp_path)


def test_a_run_goes_on_with_its_own_mapping_only(episodes, tmp_path):
    settings = settings_of(method='immimic_a')
    data = prepare(episodes, settings.train)
    made = Trainer(
        data, settings.train, settings.network, settings.diffusion, tmp_path
    )._make_mapping()
    first = tuple(tuple(0 * frames for frames in row) for row in made.frames)
    other = Mapping(first)
    half = iter([False, False, True]).__next__
    train(data, settings, tmp_path / 'own', stop=half, mapping=other)
    assert read_checkpoint(tmp_path / 'own').document['training']['mapping'] == other.digest
    for wrong in (made, None):
        with pytest.raises(ConfigError, match=r'own: training\.mapping was'):
            train(data, settings, tmp_path / 'own', mapping=wrong)
    train(data, settings, tmp_path / 'own', mapping=Mapping(first))
    assert read_checkpoint(tmp_path / 'own').step == 6
    # The same mapping may come from a file, or be made anew
    half = iter([False, False, True]).__next__
    train(data, settings, tmp_path / 'made', stop=half)
    train(data, settings, tmp_path / 'made', mapping=made)
    with pytest.raises(ConfigError, match='mapping: co_train uses none'):
        settings = settings_of(method='co_train')
        train(data, settings, tmp_path / 'unused', mapping=made)


def test_what_immimic_v_saw_is_checked_when_it_goes_on(episodes, tmp_path):
    settings = settings_of(method='immimic_v')
    data = prepare(episodes, settings.train)
    train(data, settings, tmp_path, stop=iter([False] * 3 + [True]).__next__)
    file = tmp_path / 'mapping_visual.json'
    good = Mapping.load(file)
    for frames, text in (
        (good.frames[:1], r'mapping_visual\.json: of 1 human episodes, 3 are trained on'),
        (tuple(tuple(0 * f for f in row) for row in good.frames), r'training\.mapping was'),
    ):
        Mapping(frames).save(file)
        with pytest.raises(ConfigError, match=text):
            train(data, settings, tmp_path)
    good.save(file)
    train(data, settings, tmp_path)


def test_immimic_v_goes_on_with_a_mapping_if_it_began_with_one(episodes, tmp_path):
    settings = settings_of(method='immimic_v', visual_share=0.5)
    data = prepare(episodes, settings.train)
    trainer = Trainer(data, settings.train, settings.network, settings.diffusion, tmp_path)
    given = trainer._make_mapping()
    for name, mapping, steps, now, text in (
        ('none', None, 2, given, 'training.mapping: none was given, and one is now'),
        ('early', given, 2, None, 'training.mapping: one was given, and none is now'),
        ('late', given, 5, None, 'mapping_visual.json is not there: give the mapping of then'),
    ):
        stops = iter([False] * (steps - 1) + [True]).__next__
        train(data, settings, tmp_path / name, mapping=mapping, stop=stops)
        with pytest.raises(ConfigError, match=text):
            train(data, settings, tmp_path / name, mapping=now)
        train(data, settings, tmp_path / name, mapping=mapping)


@pytest.mark.parametrize(
    ('field', 'value', 'text'),
    [
        ('contents', 3, r'training\.contents is no map of episodes'),
        ('updates', None, r'training\.updates = None is no count'),
        ('updates', 'many', r"training\.updates = 'many'"),
        ('sums', None, r'training\.sums is missing or wrong'),
        ('sums', {'robot': [1.0]}, r'training\.sums\.robot = \[1\.0\]'),
    ],
)
def test_a_wrong_field_of_the_training_state_is_named(episodes, tmp_path, field, value, text):
    last = train_run(episodes, tmp_path, method='robot_only', steps=4, stop=lambda: True)
    file = last / 'checkpoint.json'
    document = json.loads(file.read_text())
    if value is None:
        del document['training'][field]
    else:
        document['training'][field] = value
    file.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=rf'checkpoint\.json: {text}'):
        train_run(episodes, tmp_path, method='robot_only', steps=4)


@pytest.mark.parametrize('line', [b'3\n', b'{"loss_robot": 1.0}\n', b'\xff\xfe\n', b'{"step": '])
def test_a_damaged_line_of_the_curve_stops_no_run(episodes, tmp_path, line):
    stops = iter([False, False, False, True])
    train_run(episodes, tmp_path, stop=lambda: next(stops))
    file = tmp_path / CURVE
    with file.open('ab') as curve:
        curve.write(line)
    train_run(episodes, tmp_path)
    assert [entry['step'] for entry in read_curve(tmp_path)] == [2, 4, 6]


def test_fresh_begins_again(episodes, tmp_path):
    settings = settings_of(method='robot_only')
    data = prepare(episodes, settings.train)
    train(data, settings, tmp_path)
    changed = settings_of(method='robot_only', seed=3)
    train(prepare(episodes, changed.train), changed, tmp_path, fresh=True)
    assert [line['step'] for line in read_curve(tmp_path)] == [2, 4, 6]
    assert load_policy(tmp_path).meta.method == 'robot_only'


def test_a_person_may_stop_it_and_go_on(episodes, tmp_path):
    settings = settings_of(method='robot_only', save_every=100)
    data = prepare(episodes, settings.train)
    train(data, settings, tmp_path, stop=iter([False, False, True]).__next__)
    assert read_checkpoint(tmp_path).step == 3
    train(data, settings, tmp_path)
    assert read_checkpoint(tmp_path).step == 6
