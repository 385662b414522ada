import dataclasses
import json
import resource

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mimic_core.errors import ConfigError, MimicError
from mimic_dataset import DatasetError, add_episode, assemble, load
from mimic_dataset.command import main
from mimic_dataset.errors import WriteError
from mimic_dataset.lerobot import restore
from mimic_dataset.parts import is_done, natural, read_part
from mimic_dataset.video import Region, VideoWriter, read_frames, resized, stored_size

from .conftest import META, episode, pictures


def test_what_is_read_is_what_was_written(dataset):
    folder, episodes = dataset
    found = load(folder)
    assert [e.name for e in found.episodes] == [e.name for e in episodes]
    assert found.meta.cameras == {'agent': (36, 64), 'wrist': (24, 32)}
    for read, wrote in zip(found.episodes, episodes, strict=True):
        np.testing.assert_allclose(read.action, wrote.action, atol=1e-6)  # float32
        np.testing.assert_allclose(read.stamps, wrote.stamps)
        if wrote.state is not None:
            np.testing.assert_allclose(read.state, wrote.state, atol=1e-6)
        assert read.success == wrote.success
        for camera in ('agent', 'wrist'):
            if getattr(wrote, camera) is None:
                assert getattr(read, camera) is None
                continue
            a = np.asarray(getattr(read, camera), float)
            b = np.asarray(getattr(wrote, camera), float)
            assert np.abs(a - b).mean() < 4.0  # of 255: H.264 and halved colour
            # each picture is nearest to its own original, so none is shifted in time
            distance = np.abs(a[:, None] - b[None]).mean(axis=(2, 3, 4))
            assert (distance.argmin(axis=1) == np.arange(len(a))).all()


@pytest.mark.parametrize('domain', ['robot', 'human'])
def test_lerobot_itself_loads_what_was_written(dataset, domain, monkeypatch):
    pytest.importorskip('lerobot', reason='lerobot is optional: pip install lerobot')
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    folder, _ = dataset
    found = LeRobotDataset('mimic/push', root=folder / domain)
    frames = [(e, t) for e in load(folder).of(domain) for t in range(len(e))]
    assert len(found) == len(frames) > 20
    for row, (wanted, t) in zip(range(len(found)), frames, strict=True):
        item = found[row]
        np.testing.assert_array_equal(item['action'].numpy(), np.float32(wanted.action[t]))
        if wanted.state is not None:
            state = item['observation.state'].numpy()
            np.testing.assert_array_equal(state, np.float32(wanted.state[t]))
        shown = 255.0 * item['observation.images.agent'].numpy().transpose(1, 2, 0)
        assert np.abs(shown - wanted.agent[t]).mean() < 4.0  # of 255: another decoder
        assert item['task'] == 'push'


def test_pictures_at_network_size_are_mapped_and_decoded_once(dataset, monkeypatch):
    folder, _ = dataset
    first = load(folder, (16, 24))
    assert first.episodes[0].agent.shape[1:] == (16, 24, 3)
    assert isinstance(first.episodes[0].agent, np.memmap)
    monkeypatch.setattr('mimic_dataset.cache.read_frames', None)  # would fail if it were called
    again = load(folder, (16, 24))
    np.testing.assert_array_equal(again.episodes[2].wrist, first.episodes[2].wrist)


def test_a_region_of_the_agent_view_is_kept_apart_from_the_whole(dataset):
    folder, _ = dataset
    whole, part = load(folder), Region(0.25, 0.0, 1.0, 0.5)
    load(folder, (16, 24))  # in the cache, too
    for cache in (True, False):
        found = load(folder, (16, 24), region=part, cache=cache)
        for read, all_of_it in zip(found.episodes, whole.episodes, strict=True):
            image = all_of_it.agent[3]
            height, width = image.shape[:2]
            wanted = resized(image[: height // 2, width // 4 :], (16, 24))
            np.testing.assert_array_equal(read.agent[3], wanted)
            if read.wrist is not None:
                np.testing.assert_array_equal(read.wrist[3], resized(all_of_it.wrist[3], (16, 24)))


@pytest.mark.parametrize(
    ('edges', 'size'),
    [((0.0, 0.0, 1.0, 1.0), (9, 12)), ((0.5, 0.0, 1.0, 1.0), (9, 6)),
     ((0.999, 0.999, 1.0, 1.0), (1, 1)), ((0.0, 0.0, 0.001, 0.001), (1, 1))],
)  # fmt: skip
def test_a_region_has_whole_pixels_at_least_one(edges, size):
    assert Region(*edges).cut(np.zeros((9, 12, 3), np.uint8)).shape == (*size, 3)


@pytest.mark.parametrize('edges', [(0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1),
                                   (0, 0, 1, 1.1), (float('nan'), 0, 1, 1)])  # fmt: skip
def test_a_region_that_is_none_is_refused(edges):
    with pytest.raises(ConfigError, match=r'region: (left|top) .* are not 0 <= '):
        Region(*edges)


def test_numbers_are_read_without_decoding_pictures(dataset, monkeypatch):
    folder, episodes = dataset
    monkeypatch.setattr('mimic_dataset.cache.read_frames', None)  # would fail if it were called
    found = load(folder, pictures=False)
    for read, wrote in zip(found.episodes, episodes, strict=True):
        np.testing.assert_allclose(read.action, wrote.action, atol=1e-6)
        assert read.agent.shape == wrote.agent.shape and not read.agent.any()
    assert not list(folder.rglob('.cache'))


def test_a_full_disk_is_said_by_the_cache_of_pictures(dataset):
    """A limit on the size of files stands for the disk."""
    folder, _ = dataset
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(WriteError, match='the cache of pictures cannot be written'):
            load(folder, (20, 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(folder.rglob('*.partial'))
    assert load(folder, (20, 20)).episodes[0].agent.shape[1:] == (20, 20, 3)


def test_the_tree_is_that_of_the_format(dataset):
    folder, episodes = dataset
    root = folder / 'robot'
    robots = [e for e in episodes if e.domain == 'robot']
    assert {str(p.relative_to(root)) for p in root.rglob('*') if p.is_file()} == {
        'meta/info.json', 'meta/stats.json', 'meta/tasks.parquet', 'meta/mimic.json',
        'meta/episodes/chunk-000/file-000.parquet', 'data/chunk-000/file-000.parquet',
        'videos/observation.images.agent/chunk-000/file-000.mp4',
        'videos/observation.images.wrist/chunk-000/file-000.mp4',
    }  # fmt: skip
    info = json.loads((root / 'meta/info.json').read_text())
    total = sum(len(e) for e in robots)
    assert (info['total_episodes'], info['total_frames'], info['fps']) == (3, total, 10)
    assert info['features']['action']['shape'] == [8]
    assert info['features']['observation.state']['names'][7:] == ['a', 'b']
    assert info['features']['observation.images.agent']['info']['video.codec'] == 'h264'
    data = pq.read_table(root / 'data/chunk-000/file-000.parquet')
    assert data['index'].to_pylist() == list(range(total))
    assert data['frame_index'].to_pylist()[20:23] == [0, 1, 2]
    assert pq.ParquetFile(root / 'data/chunk-000/file-000.parquet').num_row_groups == 3
    rows = pq.read_table(root / 'meta/episodes/chunk-000/file-000.parquet').to_pylist()
    assert [r['dataset_from_index'] for r in rows] == [0, 20, 41]
    key = 'videos/observation.images.agent'
    assert [r[f'{key}/from_timestamp'] for r in rows] == [0.0, 2.0, 4.1]


def test_statistics_are_those_of_the_numbers(dataset):
    folder, episodes = dataset
    stats = json.loads((folder / 'robot/meta/stats.json').read_text())
    action = np.concatenate([e.action for e in episodes if e.domain == 'robot'])
    for name in ('min', 'max', 'mean', 'std'):
        wanted = getattr(action, name)(axis=0)
        np.testing.assert_allclose(stats['action'][name], wanted, atol=1e-6)
    assert stats['action']['count'] == [len(action)]
    assert set(stats['action']) == {
        'min', 'max', 'mean', 'std', 'count', 'q01', 'q10', 'q50', 'q90', 'q99',
    }  # fmt: skip
    image = stats['observation.images.agent']
    assert np.shape(image['mean']) == (3, 1, 1)
    pixels = np.concatenate([e.agent for e in episodes if e.domain == 'robot']) / 255.0
    np.testing.assert_allclose(np.ravel(image['mean']), pixels.mean(axis=(0, 1, 2)), atol=0.02)
    assert 0.0 <= np.min(image['q01']) <= np.max(image['max']) <= 1.0


def test_the_same_parts_make_the_same_bytes(dataset, tmp_path):
    folder, episodes = dataset
    other = tmp_path / 'other'
    for each in reversed(episodes):
        add_episode(other, META, each, quality=10)
    for domain in ('robot', 'human'):
        assemble(other, domain)
        for file in sorted((folder / domain).rglob('*')):
            if file.is_file():
                assert (
                    file.read_bytes()
                    == (other / domain / file.relative_to(folder / domain)).read_bytes()
                )


def test_videos_and_parquet_roll_over(dataset, monkeypatch, tmp_path):
    folder, episodes = dataset
    monkeypatch.setattr('mimic_dataset.lerobot.VIDEO_MB', 0)
    monkeypatch.setattr('mimic_dataset.lerobot.DATA_MB', 0)
    monkeypatch.setattr('mimic_dataset.lerobot.CHUNKS', 2)
    assemble(folder, 'robot')
    videos = folder / 'robot/videos/observation.images.agent'
    assert [str(p.relative_to(videos)) for p in sorted(videos.rglob('*.mp4'))] == [
        'chunk-000/file-000.mp4', 'chunk-000/file-001.mp4', 'chunk-001/file-000.mp4',
    ]  # fmt: skip
    monkeypatch.undo()
    for read, wrote in zip(load(folder, domains=('robot',)).episodes, episodes, strict=False):
        np.testing.assert_allclose(read.action, wrote.action, atol=1e-6)


def test_frames_are_found_at_random(dataset):
    folder, _ = dataset
    video = folder / 'robot/videos/observation.images.agent/chunk-000/file-000.mp4'
    every = list(read_frames(video, 0, 63, 10.0))
    for first in (1, 20, 41, 62):
        np.testing.assert_array_equal(next(read_frames(video, first, 1, 10.0)), every[first])


def test_parts_that_do_not_fit_are_named(dataset, monkeypatch):
    folder, _ = dataset
    values = META.as_map() | {'hand': 'three'}
    other = type(META).from_map(values, 'x')
    add_episode(folder, other, episode('r9', hand='three'))
    opened = []
    real = pq.ParquetWriter
    monkeypatch.setattr(
        pq, 'ParquetWriter', lambda *a, **k: opened.append(real(*a, **k)) or opened[-1]
    )
    with pytest.raises(DatasetError, match=r'r9 does not fit to .*r0, hand: two is not three'):
        assemble(folder, 'robot')
    assert not opened[0].is_open and not list(folder.glob('.*.partial'))
    assert len(load(folder).of('robot')) == 3  # what was there stays


def test_a_swap_that_was_killed_is_finished(dataset):
    folder, _ = dataset
    (folder / 'robot').rename(folder / '.robot.old')
    restore(folder)
    assert len(load(folder).of('robot')) == 3


def test_constant_action_and_wrong_pictures_are_refused(tmp_path):
    still = episode(action=np.zeros((21, 8)))
    with pytest.raises(MimicError, match='e1, action: constant'):
        add_episode(tmp_path, META, still)
    half = type(META).from_map(META.as_map() | {'fps': 12.5}, 'x')
    with pytest.raises(MimicError, match=r'e1, fps: 12\.5 is not a whole number'):
        add_episode(tmp_path, half, episode(fps=12.5))
    assert not list(tmp_path.rglob('episode.json'))


def damage_middle(path):
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(bytes(data))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


@pytest.mark.parametrize(
    ('file', 'harm', 'words'),
    [
        ('meta/info.json', cut, ['info.json', 'not JSON']),
        ('meta/mimic.json', cut, ['mimic.json', 'not JSON']),
        ('data/chunk-000/file-000.parquet', cut, ['data/chunk-000/file-000.parquet', 'damaged']),
        ('meta/episodes/chunk-000/file-000.parquet', cut, ['meta/episodes', 'damaged']),
        ('videos/observation.images.agent/chunk-000/file-000.mp4', cut, ['agent', 'file-000.mp4']),
        ('data/chunk-000/file-000.parquet', damage_middle, ['data/chunk-000', 'damaged']),
        ('meta/episodes/chunk-000/file-000.parquet', damage_middle, ['meta/episodes', 'damaged']),
        ('videos/observation.images.agent/chunk-000/file-000.mp4', damage_middle,
         ['agent', 'file-000.mp4', 'damaged at frame']),
        ('videos/observation.images.wrist/chunk-000/file-000.mp4', damage_middle,
         ['wrist', 'file-000.mp4', 'damaged at frame']),
        ('videos/observation.images.wrist/chunk-000/file-000.mp4', lambda p: p.unlink(),
         ['wrist', 'missing']),
        ('meta/mimic.json', lambda p: p.unlink(), ['mimic.json', 'No such file']),
    ],
)  # fmt: skip
def test_damage_names_the_file(dataset, file, harm, words):
    folder, _ = dataset
    harm(folder / 'robot' / file)
    with pytest.raises(DatasetError) as error:
        load(folder, cache=False)
    assert all(word in str(error.value) for word in words), error.value


def test_no_number_is_read_that_was_not_written(dataset):
    """A few wrong bytes, which leave a table that can be read: each page has a checksum."""
    folder, episodes = dataset
    file = folder / 'robot/data/chunk-000/file-000.parquet'
    whole, refused = file.read_bytes(), 0
    for share in range(5, 100, 5):
        data = bytearray(whole)
        at = len(data) * share // 100
        data[at : at + 8] = bytes(byte ^ 0x5A for byte in data[at : at + 8])
        file.write_bytes(bytes(data))
        try:
            found = load(folder, domains=('robot',), pictures=False).episodes
        except DatasetError as error:
            assert str(file) in str(error)
            refused += 1
            continue
        for read, wrote in zip(found, episodes, strict=False):
            np.testing.assert_array_equal(read.action, np.float32(wrote.action))
            np.testing.assert_array_equal(read.state, np.float32(wrote.state))
    assert refused > 12


def edit(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_a_wrong_field_is_named(dataset):
    folder, _ = dataset
    info, extra = folder / 'robot/meta/info.json', folder / 'robot/meta/mimic.json'
    before = info.read_text(), extra.read_text()
    cases = [
        (info, lambda v: v.update(codebase_version='v2.1'), 'codebase_version: v2.1'),
        (info, lambda v: v['features']['action']['names'].reverse(), 'action: joints'),
        (info, lambda v: v['features'].update(action=None), 'action: joints None'),
        (info, lambda v: v['features']['action'].update(names=7), 'action: joints 7'),
        (info, lambda v: v['features']['action']['names'].insert(0, v['features']['action'][
            'names'].pop(1)), "action: begins with ['y', 'x', 'z', 'rx', 'ry', 'rz'], not ['x', "),
        (info, lambda v: v.update(fps=30), 'info.json, fps: 30 is not 10 of meta/mimic.json'),
        (extra, lambda v: v['episodes'][1].update(name='r0'), "episodes, 1, name: 'r0' is no na"),
        (extra, lambda v: v['episodes'][1].pop('name'), 'episodes, 1, name: None is no name'),
        (extra, lambda v: v['episodes'][1].update(success='no'), "1, success: 'no' is not true"),
        (extra, lambda v: v['episodes'].__setitem__(1, 'r1'), 'mimic.json, episodes, 1: no map'),
        (extra, lambda v: v['episodes'][2].update(notes=3), 'mimic.json, episodes, 2: no map'),
        (extra, lambda v: v.pop('hand'), 'mimic.json, hand: missing'),
        (extra, lambda v: v['episodes'].pop(), 'episode_index: 3 episodes'),
        (extra, lambda v: v.update(domain='ape'), "domain: 'ape'"),
        (extra, lambda v: v.update(joint_names=['b', 'a']), 'action: joints'),
        (extra, lambda v: v.update(hand='three'), 'does not fit to'),
    ]  # fmt: skip
    for path, change, words in cases:
        edit(path, change)
        with pytest.raises(MimicError) as error:
            load(folder, cache=False)
        assert words in str(error.value), error.value
        info.write_text(before[0])
        extra.write_text(before[1])
    load(folder, cache=False)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda rows: rows[3]['action'].__setitem__(7, float('nan')), 'r0, action: .*nan'),
        (lambda rows: rows[2]['observation.state'].__setitem__(0, float('inf')), 'r0, state: '),
        (lambda rows: rows[2]['observation.state'].__setitem__(6, 3.0), 'r0, state: the quater'),
    ],
)
def test_numbers_that_are_none_name_dataset_episode_and_field(dataset, change, words):
    folder, _ = dataset
    file = folder / 'robot/data/chunk-000/file-000.parquet'
    table = pq.read_table(file)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    with pytest.raises(DatasetError, match=rf'{folder}/robot: episode {words}'):
        load(folder, pictures=False)


def test_an_episode_of_one_frame_in_the_files_is_refused_by_name(dataset):
    folder, _ = dataset
    numbers = folder / 'robot/data/chunk-000/file-000.parquet'
    table = pq.read_table(numbers)
    pq.write_table(table.slice(19), numbers)  # all but the last of the first episode are gone
    episodes = folder / 'robot/meta/episodes/chunk-000/file-000.parquet'
    rows = pq.read_table(episodes)
    changed = rows.to_pylist()
    changed[0] |= {'length': 1, 'dataset_from_index': 19}
    pq.write_table(pa.Table.from_pylist(changed, schema=rows.schema), episodes)
    with pytest.raises(DatasetError, match='robot: episode r0, stamps: 1 frames are no demonstr'):
        load(folder, pictures=False)


def test_no_dataset_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match='there is no dataset'):
        load(tmp_path)


def rows_short(path):
    np.save(path, np.load(path)[:, :3])


def not_numbers(path):
    np.save(path, np.full_like(np.load(path), np.nan))


@pytest.mark.parametrize(
    ('file', 'harm', 'words'),
    [
        ('agent.mp4', cut, r'agent\.mp4: cannot be read as a video'),
        ('wrist.mp4', lambda p: p.unlink(), r'wrist\.mp4: cannot be read as a video'),
        ('action.npy', rows_short, r'action: action has shape \(20, 3\), not \(20, 8\)'),
        ('action.npy', not_numbers, r'action: action\[0, 0\] is nan'),
        ('state.npy', lambda p: p.unlink(), r'state\.npy: missing'),
        ('state.npy', rows_short, r'state has shape \(20, 3\), not \(20, 9\)'),
        ('episode.json', lambda p: edit(p, lambda v: v['image_stats'].pop('wrist')), 'no wrist'),
        ('episode.json', lambda p: edit(p, lambda v: v['meta'].pop('fps')), 'fps: missing'),
    ],
)
def test_a_part_of_which_something_is_gone_is_not_done(dataset, file, harm, words):
    """It is made anew from its source; without that its folder is named, and the rest stays."""
    folder, _ = dataset
    part = folder / '.parts/robot/r0'
    assert is_done(part, '')
    harm(part / file)
    assert not is_done(part, '')
    with pytest.raises(DatasetError, match=rf'{words}.*: delete {part}; converting its source'):
        assemble(folder, 'robot')
    assert len(load(folder, pictures=False).of('robot')) == 3


@pytest.mark.parametrize(
    'change', [{'frames': float('inf')}, {'notes': 3}, {'image_stats': {'agent': {'count': 1e30}}}]
)
def test_a_wrong_record_of_a_part_is_named(dataset, change):
    part = dataset[0] / '.parts/robot/r0'
    edit(part / 'episode.json', lambda values: values.update(change))
    with pytest.raises(DatasetError, match=r'r0/episode\.json: '):
        read_part(part)


@pytest.mark.parametrize(
    ('height', 'size', 'stored'),
    [(180, (480, 640), (180, 240)), (0, (481, 641), (480, 640)), (1, (480, 640), (2, 2)),
     (2, (10, 1000), (2, 200)), (1, (1, 1), (2, 2))],
)  # fmt: skip
def test_a_video_has_rows_and_columns_whatever_its_height(height, size, stored):
    assert stored_size(height, size) == stored


def test_names_sort_by_their_numbers():
    assert sorted(['v10', 'v2', 'a', 'v1'], key=natural) == ['a', 'v1', 'v2', 'v10']


def test_a_video_has_the_same_bytes_whatever_was_in_memory(tmp_path):
    images = episode(count=20).agent
    found = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        junk = [rng.integers(0, 255, rng.integers(1000, 300_000), np.uint8) for _ in range(20)]
        with VideoWriter(tmp_path / 'a.mp4', 10, (36, 64), 20) as video:
            for image in images:
                video.add(image)
        found.add((tmp_path / 'a.mp4').read_bytes())
        del junk
    assert len(found) == 1


def test_people_and_robots_in_pictures_of_two_shapes_are_not_trained_together(tmp_path, capsys):
    """Brought to one size, a telephone's 16:9 beside the robot's 4:3 would be squeezed."""
    for each, size in ((episode('r'), (48, 64)), (episode('h', 'human'), (36, 64))):
        each = dataclasses.replace(each, agent=pictures(len(each), size, 0))
        add_episode(tmp_path, META, each)
        assemble(tmp_path, each.domain)
    told = f'{tmp_path}/human does not fit to {tmp_path}/robot, agent: 64 x 48 and 64 x 36 are'
    for size in (None, (24, 24)):
        with pytest.raises(DatasetError, match='crop the videos, or record the robot') as error:
            load(tmp_path, size)
        assert str(error.value).startswith(told)
    for domain in ('robot', 'human'):  # each alone is what it was
        assert len(load(tmp_path, domains=(domain,)).episodes) == 1
    assert main(['validate', str(tmp_path)]) == 1
    assert 'are pictures of two shapes' in capsys.readouterr().out
    robot = dataclasses.replace(META, cameras={'agent': (180, 238)})  # sizes are even
    assert not robot.squeezed(dataclasses.replace(META, cameras={'agent': (120, 160)}))
