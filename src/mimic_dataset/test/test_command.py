import json

import numpy as np
import pytest
import yaml

from mimic_core.errors import ConfigError
from mimic_dataset import default_folder, load
from mimic_dataset.command import (
    convert_recorded,
    dataset_of,
    guarded,
    ingest,
    ingest_parser,
    main,
)
from mimic_dataset.lerobot import domain_meta

from .conftest import ROOT
from .synthetic_bags import BagSpec, keep_with, kill_recorder_of, write_bag
from .synthetic_people import DETECTOR, EYE, TARGET, write_video


def run_ingest(*words: str) -> int:
    return guarded('ingest', ingest, ingest_parser().parse_args(words))


def ingest_words(videos, out, camera) -> list[str]:
    """Write the camera's file; return the arguments of `ingest`."""
    intrinsics = '{width: 160, height: 120, fx: 150.0, fy: 150.0, cx: 79.5, cy: 59.5}'
    camera.write_text(
        f'parent: base_link\nxyz: {EYE.tolist()}\nlook_at: {TARGET.tolist()}\n'
        f'intrinsics: {intrinsics}\n'
    )
    words = [str(videos), '--task', 'push', '--hand', 'robotiq_2f85', '--out', str(out)]
    return [*words, '--detector', DETECTOR, '--camera', str(camera)]


def test_a_video_is_ingested_and_exported(tmp_path, capsys):
    write_video(tmp_path / 'videos' / 'a.mp4')
    out = tmp_path / 'dataset'
    assert run_ingest(*ingest_words(tmp_path / 'videos', out, tmp_path / 'camera.yaml')) == 0
    assert 'interpolation error' in capsys.readouterr().out
    assert len(load(out).of('human')) == 1
    assert main(['info', str(out)]) == 0 and main(['export', str(out)]) == 0
    assert (out / 'human.hdf5').exists() and not (out / 'robot.hdf5').exists()


@pytest.mark.parametrize('size', [('0', '320'), ('180', '-1')])
def test_pictures_without_rows_or_columns_are_not_exported(size, capsys):
    with pytest.raises(SystemExit):
        main(['export', 'dataset', '--size', *size])
    assert 'is not at least 1' in capsys.readouterr().err


def test_a_field_of_view_in_degrees_is_refused(capsys):
    words = ['v.mp4', '--task', 't', '--hand', 'robotiq_2f85', '--fovy']
    for wrong in ('45', '0', 'nan'):
        with pytest.raises(SystemExit):
            ingest_parser().parse_args([*words, wrong])
        assert 'is outside [0.1, 2.5] rad; 45 degrees are 0.785' in capsys.readouterr().err
    assert ingest_parser().parse_args([*words, '0.785']).fovy == 0.785


def test_another_rate_of_all_that_is_named_makes_all_anew(tmp_path, capsys):
    write_video(tmp_path / 'a.mp4')
    write_bag(tmp_path / 'episodes' / 'r')
    out = tmp_path / 'dataset'
    words = ingest_words(tmp_path / 'a.mp4', out, tmp_path / 'camera.yaml')
    words += ['--lowest-palm', 'none', '--episodes', str(tmp_path / 'episodes')]
    for fps in ('10', '15'):
        given = ingest_parser().parse_args([*words, '--fps', fps])
        assert guarded('ingest', convert_recorded, given) == 0
        assert run_ingest(*words, '--fps', fps) == 0
        assert len(load(out, pictures=False).episodes) == 2
    assert run_ingest(*words, '--fps', '10') == 1  # of people alone
    assert 'does not fit, fps: 15.0 is not 10.0' in capsys.readouterr().out
    assert load(out, pictures=False).meta.fps == 15.0


def test_how_far_a_hand_is_comes_from_the_robot_episodes(tmp_path, capsys):
    write_video(tmp_path / 'a.mp4')
    write_bag(tmp_path / 'episodes' / 'r')
    out = tmp_path / 'dataset'
    words = ingest_words(tmp_path / 'a.mp4', out, tmp_path / 'camera.yaml')
    words += ['--episodes', str(tmp_path / 'episodes')]
    assert guarded('ingest', convert_recorded, ingest_parser().parse_args(words)) == 0
    said, factors = [], []
    for more in ('robot', 'none', '0.28'):
        run_ingest(*words, '--lowest-palm', more)
        said.append('the palm comes down to' in capsys.readouterr().out)
        (record,) = domain_meta(out / 'human')[2]
        factors.append(record['notes']['distance_factor'])
    assert said == [True, False, False]
    assert factors[1] == 1.0 and factors[0] != 1.0 != factors[2] != factors[0]
    with pytest.raises(SystemExit):
        ingest_parser().parse_args([*words, '--lowest-palm', 'low'])


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        (['gone.mp4', '--task', 't', '--hand', 'robotiq_2f85'], 'there is no gone.mp4'),
        (['gone.mp4', '--task', 't', '--hand', 'robotiq'], "Did you mean 'robotiq_"),
        (['gone.mp4', '--task', 't', '--hand', 'robotiq_2f85', '--fps', '0'], "'fps' = 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, says, capsys):
    assert run_ingest(*words) == 2
    error = capsys.readouterr().err
    assert says in error and error.count('\n') == 1


def test_a_video_without_a_camera_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MIMIC_CAMERA_PATH', str(tmp_path))
    video = write_video(tmp_path / 'a.mp4', duration=0.1)
    assert run_ingest(str(video), '--task', 't', '--hand', 'robotiq_2f85') == 2
    assert 'where was its camera? Give --camera FILE' in capsys.readouterr().err


def test_the_camera_file_beside_a_video_comes_before_the_default(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MIMIC_CAMERA_PATH', str(ROOT / 'config' / 'cameras'))
    video = write_video(tmp_path / 'videos' / 'a.mp4')
    out = tmp_path / 'dataset'
    words = ingest_words(video, out, video.parent / 'camera.yaml')[:-2]  # without --camera
    words += ['--arm', 'panda']
    assert run_ingest(*words) == 0, capsys.readouterr()
    found = load(out).of('human')[0].action[:, :3]
    words[words.index(str(out))] = str(tmp_path / 'told')
    assert run_ingest(*words, '--camera', str(video.parent / 'camera.yaml')) == 0
    np.testing.assert_array_equal(load(tmp_path / 'told').of('human')[0].action[:, :3], found)
    (video.parent / 'camera.yaml').unlink()
    capsys.readouterr()
    assert run_ingest(*words) == 2
    assert 'the twin of iiwa14 has it, not that of panda' in capsys.readouterr().err


def test_a_bag_that_does_not_tell_its_view_stops_no_video(tmp_path, monkeypatch, capsys):
    """Only one .mcap can be read here, rosbags reads more: with --camera it is not needed."""
    camera = tmp_path / 'agent.yaml'
    camera.write_text(f'parent: base_link\nxyz: {EYE.tolist()}\nlook_at: {TARGET.tolist()}\n')
    monkeypatch.setenv('MIMIC_CAMERA_PATH', str(tmp_path))
    write_video(tmp_path / 'videos' / 'b.mp4')
    for name in ('a_split/a_0.mcap', 'a_split/a_1.mcap', 'c_empty/c.mcap'):
        (tmp_path / 'videos' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'videos' / name).touch()
    out = tmp_path / 'dataset'
    words = [str(tmp_path / 'videos'), '--task', 'push', '--hand', 'robotiq_2f85']
    assert run_ingest(*words, '--out', str(out), '--detector', DETECTOR) == 1
    said = capsys.readouterr().out
    assert 'refused' in said and 'a_split holds 2 .mcap files' in said and 'c.mcap' in said
    assert 'with --camera FILE' in said and '1 episodes (1 new), 2 of 3 refused' in said
    assert [e.name for e in load(out, pictures=False).of('human')] == ['b']


def test_a_bag_without_the_camera_names_the_option_for_those_it_has(tmp_path, capsys):
    """The recorder calls the camera that looks at a person otherwise than film does."""
    bag = write_bag(tmp_path / 'bag', BagSpec(duration=0.2, commands=False, states=False))
    words = ingest_words(bag, tmp_path / 'dataset', tmp_path / 'camera.yaml')
    for given in (words, words[:-2]):  # with and without --camera
        assert run_ingest(*given, '--bag-camera', 'camera') == 1
        said = capsys.readouterr().out
        assert f'{bag}: has no camera/color/image_raw; it has what --bag-camera' in said
        assert '--bag-camera agent_camera or --bag-camera wrist_camera names' in said
        assert '/tf_static' not in said
    assert run_ingest(*words) == 1
    assert '--bag-camera' not in capsys.readouterr().out


def test_the_default_folder_is_that_of_the_documents(monkeypatch, tmp_path, dataset):
    folder, _ = dataset
    monkeypatch.setenv('MIMIC_DATASETS', str(folder.parent))
    given = ingest_parser().parse_args(['v', '--task', 'push', '--hand', 'two'])
    assert dataset_of(given) == folder.resolve()
    assert 'MIMIC_DATASETS' in (ROOT / 'docs/datasets.md').read_text()
    assert json.loads((folder / 'robot/meta/mimic.json').read_text())['hand'] == 'two'


def test_recorded_episodes_of_this_robot_join_the_dataset(tmp_path, capsys):
    episodes, out, video = (tmp_path / name for name in ('episodes', 'dataset', 'v.mp4'))
    video.touch()
    words = [str(video), '--task', 'push', '--hand', 'robotiq_2f85', '--out', str(out)]
    words += ['--episodes', str(episodes)]
    given = ingest_parser().parse_args(words)
    write_bag(episodes / 'a')
    write_bag(episodes / 'b', BagSpec(hand_joint='other_joint'))
    assert guarded('ingest', convert_recorded, given) == 0
    assert '1 episodes of another task, arm or hand are passed over' in capsys.readouterr().out
    assert [e.name for e in load(out).of('robot')] == ['a']


def test_only_the_default_folder_of_episodes_may_be_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ['v.mp4', '--task', 'push', '--hand', 'robotiq_2f85', '--out', str(tmp_path / 'd')]
    assert guarded('ingest', convert_recorded, ingest_parser().parse_args(words)) == 0
    for wrong in ('episode', 'episodes'):
        given = ingest_parser().parse_args([*words, '--episodes', wrong])
        assert guarded('ingest', convert_recorded, given) == 2
        assert f'--episodes: there is no {wrong}' in capsys.readouterr().err


def test_what_failed_and_what_a_bare_hand_showed_does_not_join(tmp_path, capsys):
    episodes, out, video = (tmp_path / name for name in ('episodes', 'dataset', 'v.mp4'))
    video.touch()
    words = [str(video), '--task', 'push', '--hand', 'robotiq_2f85', '--out', str(out)]
    given = ingest_parser().parse_args([*words, '--episodes', str(episodes)])
    episodes.mkdir()
    (episodes / 'notes.txt').write_text('nothing is recorded yet')
    assert guarded('ingest', convert_recorded, given) == 0
    write_bag(episodes / 'good')
    write_bag(episodes / 'bare_hand', BagSpec(commands=False, states=False))
    metadata = write_bag(episodes / 'failed') / 'metadata.yaml'
    values = yaml.safe_load(metadata.read_text())
    values['rosbag2_bagfile_information']['custom_data'] = {'tag.success': 'false'}
    metadata.write_text(yaml.safe_dump(values))
    assert guarded('ingest', convert_recorded, given) == 0
    said = capsys.readouterr().out
    assert '1 episodes of another task, arm or hand are passed over' in said
    assert '1 episodes whose task failed are passed over' in said
    assert [e.name for e in load(out).of('robot')] == ['good']


def test_an_interrupted_recording_is_no_demonstration(tmp_path, capsys):
    """A full disk and a killed recorder leave whole bags of half a task."""
    episodes, out, video = (tmp_path / name for name in ('episodes', 'dataset', 'v.mp4'))
    video.touch()
    robot = ['--task', 'push', '--hand', 'robotiq_2f85', '--out', str(out)]
    given = ingest_parser().parse_args([str(video), *robot, '--episodes', str(episodes)])
    write_bag(episodes / 'good')
    lost = {'end': 'failed: the disk is full', 'dropped./joint_states': '7'}
    full = keep_with(write_bag(episodes / 'full'), lost)
    killed = kill_recorder_of(write_bag(episodes / 'killed'))
    for bag, why in ((full, 'failed: the disk is full'), (killed, 'the recorder was killed')):
        assert main(['validate', str(bag)]) == 1
        said = capsys.readouterr().out
        assert 'interrupted: ' in said and why in said
        assert ('lost: /joint_states: 7 messages were not written' in said) == (bag == full)
    assert guarded('ingest', convert_recorded, given) == 0
    said = capsys.readouterr().out
    assert f'passed over: {full}: ' in said and f'passed over: {killed}: ' in said
    assert [e.name for e in load(out).of('robot')] == ['good']
    assert main(['convert', str(episodes), *robot]) == 1
    assert '2 of 3 refused' in capsys.readouterr().out
    keep_with(full, {'tag.success': True})  # a person looked at it; YAML makes it no text
    assert main(['validate', str(full)]) == 0
    assert 'interrupted: ' in capsys.readouterr().out
    assert guarded('ingest', convert_recorded, given) == 0
    assert [e.name for e in load(out).of('robot')] == ['full', 'good']


def test_an_episode_that_was_made_before_its_end_was_looked_at_leaves_the_dataset(tmp_path):
    bag, out = write_bag(tmp_path / 'a'), tmp_path / 'dataset'
    words = ['convert', str(bag), '--task', 'push', '--hand', 'robotiq_2f85', '--out', str(out)]
    assert main(words) == 0
    keep_with(bag, {'end': 'recovered: the recorder was killed'})
    assert main(words) == 1
    assert not (out / 'robot').exists()


@pytest.mark.parametrize(('task', 'hand'), [('../push', 'two'), ('', 'two'), ('push', '/two')])
def test_a_name_is_no_path(task, hand):
    """The dataset would lie where nobody looks for it."""
    with pytest.raises(ConfigError, match='not a name that a folder may have'):
        default_folder(task, hand)
