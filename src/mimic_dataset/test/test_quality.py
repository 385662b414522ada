import dataclasses
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mimic_dataset import ConvertParams, convert, load, make_jobs
from mimic_dataset import quality as quality_module
from mimic_dataset.bags import states, success_of
from mimic_dataset.command import main
from mimic_dataset.errors import EpisodeError
from mimic_dataset.quality import (
    drop_reasons,
    inspect,
    inspect_arrays,
    limit_findings,
)
from mimic_dataset.quality_page import page, timeline, write_pages
from mimic_dataset.robots import robot_of
from mimic_description import load_robot
from mimic_recording import Episode
from mimic_recording.replay import Deviation

from .conftest import META, episode
from .synthetic_bags import MODEL, ROBOT, BagSpec, write_bag


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp('bags') / 'good')


def test_a_good_bag_has_nothing_to_drop(good):
    (quality,) = inspect(good, load_robot(*ROBOT))
    assert drop_reasons(quality) == []
    assert quality.duration == pytest.approx(4.0, abs=0.1) and len(quality.thumbnails) == 8
    assert quality.motion[:, 1].max() > 0.1


@pytest.mark.parametrize(
    ('spec', 'kind', 'stream', 'begin'),
    [
        (BagSpec(camera_gap=(1.5, 2.5)), 'gap', 'agent_camera', 1.5),
        (BagSpec(command_gap=(1.5, 2.5)), 'gap', 'arm_controller', 1.5),
        (BagSpec(frozen=(1.5, 2.5)), 'frozen', 'agent_camera', 1.5),
        (BagSpec(jump_at=2.0), 'jump', 'iiwa_joint_2', 2.0),
        (BagSpec(still=True), 'still', 'action', 0.0),
        (BagSpec(nan_at=2.0), 'damaged', 'bag', 0.0),
        (BagSpec(still=True, drift=0.012), 'still', 'action', 0.0),
        (BagSpec(states=False), 'damaged', 'bag', 0.0),
        (BagSpec(measured=((0.0, 1.9), (2.0, 99.0))), 'damaged', 'bag', 0.0),
        (BagSpec(measured=((0.0, 99.0), (0.0, 0.005))), 'damaged', 'bag', 0.0),
        (BagSpec(pictures_late=-2.0), 'sync', 'agent_camera', 0.0),
    ],
)
def test_what_is_wrong_is_found_and_dropped(tmp_path, spec, kind, stream, begin):
    bag = write_bag(tmp_path / 'bag', spec)
    (quality,) = inspect(bag, load_robot(*ROBOT))
    found = [f for f in quality.findings if f.kind == kind and stream in f.stream and f.drop]
    assert found, [str(f) for f in quality.findings]
    assert found[0].begin == pytest.approx(begin, abs=0.1)
    assert main(['validate', str(bag), '--hand', ROBOT[1]]) == 1


@pytest.mark.parametrize(
    ('spec', 'kind'),
    [
        (BagSpec(frozen=(1.5, 2.5)), 'frozen'),
        (BagSpec(jump_at=2.0), 'jump'),
        (BagSpec(still=True), 'still'),
        (BagSpec(nan_at=2.0), 'damaged'),
        (BagSpec(), None),
    ],
)
def test_the_robot_is_found_by_its_joints(tmp_path, spec, kind, capsys):
    bag = write_bag(tmp_path / 'bag', spec)
    assert main(['validate', str(bag)]) == (kind is not None)
    said = capsys.readouterr().out
    assert 'keep bag' in said if kind is None else f'    {kind}: ' in said
    assert 'not checked' not in said


@pytest.mark.parametrize(
    ('spec', 'kind'),
    [
        (BagSpec(frozen=(1.5, 2.5)), 'frozen'),
        (BagSpec(still=True), 'still'),
        (BagSpec(nan_at=2.0), 'damaged'),
        (BagSpec(jump_at=2.0), None),
    ],
)
def test_of_an_unknown_robot_is_checked_what_can_be(tmp_path, spec, kind, capsys):
    names = (*MODEL.joint_names[:7], 'my_gripper_joint')
    bag = write_bag(tmp_path / 'bag', dataclasses.replace(spec, names=names))
    assert main(['validate', str(bag), '--html', str(tmp_path)]) == (kind is not None)
    said = capsys.readouterr().out
    page_text = (tmp_path / 'quality.html').read_text()
    if kind is None:
        assert 'not checked bag' in said and 'unchecked: robot: limits, speeds' in said
        assert '<span class="warn">not checked</span>' in page_text
    else:
        assert 'drop bag' in said and f'    {kind}: ' in said


@pytest.mark.parametrize(('tag', 'known'), [('true', True), ('false', False), (None, None)])
def test_a_bag_of_a_task_that_failed_is_dropped(good, tmp_path, tag, known):
    bag = tmp_path / 'bag'
    shutil.copytree(good, bag)
    metadata = yaml.safe_load((bag / 'metadata.yaml').read_text())
    custom = {} if tag is None else {'tag.success': tag}
    metadata['rosbag2_bagfile_information']['custom_data'] = custom
    (bag / 'metadata.yaml').write_text(yaml.safe_dump(metadata))
    with Episode(bag) as opened:
        assert success_of(opened) is known
    (quality,) = inspect(bag)
    assert ('did not succeed' in str(drop_reasons(quality))) == (known is False)


def test_a_bag_tells_which_of_two_arms_with_the_same_joints_it_is_of(good, tmp_path):
    told = write_bag(tmp_path / 'told', BagSpec(duration=0.2, tags=('arm=iiwa7',)))
    for path, arms in ((good, ('iiwa14', 'iiwa7')), (told, ('iiwa7', 'iiwa7'))):
        with Episode(path) as bag:
            found = [robot_of(bag, arm) for arm in ('iiwa14', 'iiwa7')]
        assert tuple(robot.arm.name for robot in found) == arms


def test_a_bag_of_a_bare_hand_is_no_damaged_robot(tmp_path):
    bag = write_bag(tmp_path / 'bag', BagSpec(commands=False, states=False))
    (quality,) = inspect(bag, load_robot(*ROBOT))
    assert quality.domain == 'human' and drop_reasons(quality) == []
    assert len(quality.thumbnails) == 8
    (quality,) = inspect(write_bag(tmp_path / 'b', BagSpec(commands=False)), load_robot(*ROBOT))
    assert quality.domain == 'robot' and 'no commands' in drop_reasons(quality)[0]


def test_a_bag_of_nothing_is_not_kept(tmp_path):
    (quality,) = inspect(write_bag(tmp_path / 'bag', BagSpec(duration=0.0)))
    assert drop_reasons(quality) == ['damaged: bag: holds neither commands nor pictures']


def test_a_gate_that_was_late_is_no_jump(good, monkeypatch):
    """It sends what is due at once, each command within its limit."""
    late = Deviation('iiwa_joint_2', 'speed', 1.3, 1.0, 2.0)
    monkeypatch.setattr(quality_module, 'check_track', lambda *_: (late,))
    (quality,) = inspect(good, load_robot(*ROBOT))
    (found,) = [f for f in quality.findings if f.kind == 'jump']
    assert '130 % of its largest speed at 2.00 s' in str(found)
    assert drop_reasons(quality) == []


def test_standing_still_is_found_but_kept(tmp_path):
    bag = write_bag(tmp_path / 'bag', BagSpec(duration=5.0))
    (quality,) = inspect(bag, load_robot(*ROBOT))
    idle = {f.stream: f for f in quality.findings if f.kind == 'idle'}
    assert idle['tail'].begin == pytest.approx(3.1, abs=0.2)
    assert drop_reasons(quality) == []


def test_a_driver_that_ends_early_is_found(tmp_path):
    """What was measured without it is no part of the episode."""
    bag = write_bag(tmp_path / 'bag', BagSpec(measured=((0.0, 99.0), (0.0, 2.5))))
    for robot in (load_robot(*ROBOT), None):
        (quality,) = inspect(bag, robot)
        (found,) = [f for f in quality.findings if f.kind == 'sync']
        assert (
            str(found)
            == 'sync: joint_states: not all joints are measured for 1.5 s at head or tail'
        )
        assert drop_reasons(quality) == []


def test_a_damaged_bag_is_a_finding_and_not_the_end(good, tmp_path):
    bag = tmp_path / 'cut'
    bag.mkdir()
    for file in good.iterdir():
        data = file.read_bytes()
        (bag / file.name).write_bytes(data[:999] if file.suffix == '.mcap' else data)
    (tmp_path / 'good').symlink_to(good, target_is_directory=True)
    cut, whole = inspect(tmp_path, load_robot(*ROBOT))
    assert (cut.name, whole.name) == ('cut', 'good') and drop_reasons(whole) == []
    assert {f.kind for f in cut.findings if f.drop} == {'damaged'}


def test_an_arm_at_its_bound_is_worth_a_drop_and_a_hand_is_not():
    values = np.linspace(0.0, 1.0, 100)[:, None] ** 0.01
    for drops in (True, False):
        (finding,) = limit_findings(('a',), values, np.zeros(1), np.ones(1), drops=drops)
        assert 'at its bound' in finding.text and finding.drop == drops


def inspected(one):
    return inspect_arrays(one, META, {}, 'x')


def test_episodes_of_a_dataset_are_inspected_too(dataset, tmp_path):
    folder, episodes = dataset
    found = inspect(folder)
    assert len(found) == len(episodes) and not any(drop_reasons(q) for q in found)
    file = write_pages(found, tmp_path)
    text = file.read_text()
    assert text.count('<section') == 5 and text.count('data:image/jpeg') == 40
    assert main(['validate', str(folder)]) == 0
    assert not list(folder.rglob('.cache'))  # who only looks leaves nothing behind


def rewritten(file, change):
    """Change the columns of a parquet file, each a list of rows."""
    table = pq.read_table(file)
    columns = table.to_pydict()
    change(columns)
    pq.write_table(pa.table(columns, schema=table.schema), file)


def test_everything_that_is_wrong_in_a_dataset_is_found(dataset, capsys):
    """One episode after the other, and each to its end."""
    folder, _ = dataset

    def harm(columns):
        for row, joint in ((3, 7), (4, 0), (6, 7)):  # of r0, which has 20 frames
            columns['action'][row][joint] = np.nan
        columns['observation.state'][5][8] = np.inf
        columns['observation.state'][25][3:7] = [0.0, 0.0, 0.0, 0.5]  # of r1, which has 21
        for row in range(30, 41):
            columns['action'][row][1] += 2.0

    rewritten(folder / 'robot/data/chunk-000/file-000.parquet', harm)
    (folder / 'robot/videos/observation.images.wrist/chunk-000/file-000.mp4').unlink()
    human = folder / 'human/data/chunk-000/file-000.parquet'
    human.write_bytes(human.read_bytes()[:300])
    found = {q.name: q for q in inspect(folder)}
    assert list(found) == ['r0', 'r1', 'r2', 'h0', 'h1']
    said = {name: [str(f) for f in q.findings if f.drop] for name, q in found.items()}
    for name in ('r0', 'r1', 'r2'):
        assert 'damaged: wrist: ' in said[name][0] and 'missing' in said[name][0]
    action = 'damaged: action: x, b: NaN or infinite in 3 of 20 frames at 0.30 to 0.60 s'
    assert said['r0'][1:] == [action, 'damaged: state: b: NaN or infinite in 1 of 20 frames']
    assert 'damaged: state: the quaternion of frame 5 has length 0.5000' in said['r1'][1]
    assert 'jump: action: palm at ' in said['r1'][2] and len(said['r2']) == 1
    assert 'file-000.parquet: the parquet file is damaged' in said['h0'][0]
    assert all(len(q.thumbnails) == 8 for q in found.values())
    (folder / 'robot/meta/mimic.json').write_text('{')
    assert main(['validate', str(folder)]) == 1
    text = capsys.readouterr().out
    assert 'drop robot' in text and 'mimic.json: not JSON' in text and 'drop h1' in text


def test_what_is_wrong_with_a_bag_is_found_to_its_end(tmp_path):
    bag = write_bag(tmp_path / 'bag', BagSpec(nan_at=2.0, states=False, camera_gap=(1.5, 2.5)))
    for robot in (load_robot(*ROBOT), None):
        (quality,) = inspect(bag, robot)
        damaged = [f.text for f in quality.findings if f.kind == 'damaged']
        assert len(damaged) == 2, damaged
        assert 'points[0, 2] is nan' in damaged[0] and 'has no joint_states' in damaged[1]
        assert any(f.kind == 'gap' for f in quality.findings) and len(quality.thumbnails) == 8
    names = tuple(MODEL.joint_names)
    with Episode(write_bag(tmp_path / 'other', BagSpec(duration=0.5))) as opened:
        assert states(opened, None).values.shape[1] == len(names)
        with pytest.raises(EpisodeError, match='joints a, b were not measured'):
            states(opened, ('a', *names, 'b'))


def test_videos_are_no_damaged_bags(good, tmp_path, capsys):
    (tmp_path / 'a.mp4').write_bytes(b'')
    assert main(['validate', str(tmp_path)]) == 2
    assert 'only videos; `./mimic ingest` looks at them' in capsys.readouterr().err
    (tmp_path / 'bag').symlink_to(good, target_is_directory=True)
    assert [q.name for q in inspect(tmp_path)] == ['bag']


def test_frozen_pictures_jumps_and_failures_of_arrays():
    one = episode(count=31)
    frozen = one.agent.copy()
    frozen[10:20] = frozen[10]
    kinds = {f.kind for f in inspected(episode(count=31, agent=frozen)).findings if f.drop}
    assert kinds == {'frozen'}
    jumping = one.action.copy()
    jumping[15:, 0] += 1.0
    kinds = {f.kind for f in inspected(episode(count=31, action=jumping)).findings if f.drop}
    assert kinds == {'jump'}
    assert 'did not succeed' in str(drop_reasons(inspected(episode(success=False))))


def test_the_page_escapes_names_and_shows_findings(tmp_path):
    bag = write_bag(tmp_path / '<script>', BagSpec(camera_gap=(1.5, 2.5), nan_at=2.0))
    (quality,) = inspect(bag, load_robot(*ROBOT))
    assert 'class="none"' in timeline(quality)
    text = page([quality])
    assert 'silent for' in text and '<script' not in text
    # in the table, its heading, its path, the finding that names it, and for readers of screens
    assert text.count('&lt;script&gt;') >= 5


def test_the_bounds_are_those_of_the_converter(tmp_path):
    """What validate keeps converts, what it drops for a gap does not."""
    params = ConvertParams(task='push', hand=ROBOT[1])
    for gap, usable in ((0.15, True), (0.4, False)):
        bag = write_bag(tmp_path / f'gap_{gap}', BagSpec(camera_gap=(2.0, 2.0 + gap)))
        assert main(['validate', str(bag), '--hand', ROBOT[1]]) == (0 if usable else 1)
        result = convert(make_jobs([bag], tmp_path / f'd{gap}', 'robot', params))
        assert (not result.failed) == usable
        if usable:
            assert len(load(tmp_path / f'd{gap}').episodes) == 1
