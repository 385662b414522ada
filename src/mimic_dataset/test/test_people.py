import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mimic_camera import EndOfStreamError
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import MimicError
from mimic_dataset import ConvertParams, convert, find_sources, load, make_jobs, people
from mimic_dataset.convert import convert_one
from mimic_dataset.people import convert_human, longest_piece
from mimic_dataset.video import VideoWriter, read_frames
from mimic_description import load_robot

from .synthetic_people import DETECTOR, VIEW, wrist_at, write_video

PARAMS = ConvertParams(task='push', hand='robotiq_2f85', detector=DETECTOR, height=60)


def made(folder, params=PARAMS, **options):
    video = write_video(folder / 'video.mp4', **options)
    notes = convert_human(video, folder / 'dataset', params, VIEW, 'video')
    convert(make_jobs([video], folder / 'dataset', 'human', params, VIEW))
    return load(folder / 'dataset').episodes[0], notes


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    return made(tmp_path_factory.mktemp('whole'))


def test_a_video_becomes_what_a_robot_would_do(whole):
    episode, notes = whole
    assert episode.domain == 'human' and episode.state is None and episode.wrist is None
    assert episode.agent.shape[1:] == (60, 80, 3)
    # the palm goes as far as the person's wrist; the hand's size is only estimated
    way = episode.action[-1, :3] - episode.action[0, :3]
    np.testing.assert_allclose(way, wrist_at(4.0) - wrist_at(0.0), atol=0.05)
    robot = load_robot('iiwa14', 'robotiq_2f85')
    closing = episode.action[-1, 6] - episode.action[0, 6]
    assert closing * (robot.hand_closed - robot.hand_open)[0] > 0.1
    assert notes['followed'] >= 110 and notes['interpolated'] == 0
    assert 0.0 < notes['error']['command']['position']['median'] < 0.01


def test_standing_still_is_cut_off(whole):
    episode, notes = whole
    assert 2.0 < len(episode) / 10 < 3.6 and notes['head'] > 0.2 and notes['tail'] > 0.2


def test_pictures_belong_to_their_actions(whole):
    """The number that is written in each picture is that of its time."""
    episode, notes = whole
    for k in (0, 10, len(episode) - 1):
        tens = round((float(np.median(episode.agent[k][35:, :30])) - 20) / 10)
        ones = round((float(np.median(episode.agent[k][35:, 50:])) - 20) / 10)
        assert abs((10 * tens + ones) / 30 - (notes['head'] + k / 10)) < 0.5 / 30 + 1e-6


def test_short_gaps_are_interpolated(whole, tmp_path):
    other, notes = made(tmp_path, hidden=((1.5, 1.65),))
    assert notes['interpolated'] >= 4 and notes['dropped']['no hand is seen'] >= 5
    same = min(len(whole[0]), len(other))
    shift = round((notes['head'] - whole[1]['head']) * 10)
    assert shift == 0
    np.testing.assert_allclose(other.action[:same, :3], whole[0].action[:same, :3], atol=0.03)


def test_head_and_tail_without_a_hand_are_cut_off(tmp_path):
    episode, notes = made(tmp_path, duration=5.0, hidden=((0.0, 0.7), (4.2, 5.0)))
    assert notes['head'] >= 0.8 and notes['tail'] >= 0.8
    assert notes['dropped']['no hand is seen'] >= 40
    assert len(episode) > 20


@pytest.mark.parametrize(
    ('hidden', 'words'),
    [
        (((0.0, 9.0),), ['0 of 120 pictures', 'no hand is seen (120)']),
        (((1.0, 1.6), (2.2, 2.8), (3.4, 3.9)), ['longest without a gap', 'needed are 2.0 s']),
    ],
)
def test_a_hand_seen_too_rarely_is_refused_with_numbers(tmp_path, hidden, words):
    video = write_video(tmp_path / 'video.mp4', hidden=hidden)
    with pytest.raises(MimicError) as error:
        convert_human(video, tmp_path / 'dataset', PARAMS, VIEW, 'video')
    assert all(word in str(error.value) for word in [*words, str(video)]), error.value
    assert not list((tmp_path / 'dataset').rglob('episode.json'))


@pytest.mark.parametrize(
    ('options', 'words', 'gap'),
    [
        ({'every': 6, 'hidden': ((2.0, 2.1),)}, 'gaps of 0.40 s split it', 0.45),
        ({'every': 12}, 'pictures are 0.40 s apart, at most 0.40 s; gaps of 0.40 s', 0.45),
        # the target is on its way to the hand for 0.2 s after
        ({'absent': ((1.5, 2.0),)}, 'apart, at most 0.53 s; gaps of 0.77 s split it', 0.8),
        ({'every': 60, 'duration': 6.0}, 'its pictures are 2.00 s apart, at most 2.00 s', None),
        ({'hidden': ((1.0, 1.6), (2.2, 2.8))}, 'needed are 2.0 s', 0.0),
    ],
)
def test_what_would_bridge_the_gaps_of_few_pictures_is_said_and_does(
    tmp_path, options, words, gap
):
    video = write_video(tmp_path / 'video.mp4', **options)
    with pytest.raises(MimicError) as error:
        convert_human(video, tmp_path / 'dataset', PARAMS, VIEW, 'video')
    text = str(error.value)
    assert words in text and ('--max-gap' in text) == (gap is not None), text
    if gap is not None:
        said = float(text.split('--max-gap ')[1].split()[0])
        assert said == gap or gap == 0.0
        params = dataclasses.replace(PARAMS, max_gap=said)
        notes = convert_human(video, tmp_path / 'dataset', params, VIEW, 'video')
        assert notes['duration'] > 2.0


def test_the_other_hand_is_no_demonstration(tmp_path):
    params = dataclasses.replace(PARAMS, side='left')
    video = write_video(tmp_path / 'video.mp4')
    with pytest.raises(MimicError, match='the hand is the right one, not the left'):
        convert_human(video, tmp_path / 'dataset', params, VIEW, 'video')


def test_a_hand_that_rests_is_no_demonstration(tmp_path):
    params = dataclasses.replace(PARAMS, min_duration=0.5)
    video = write_video(tmp_path / 'video.mp4', duration=1.0)
    with pytest.raises(MimicError, match='constant, nothing moves'):
        convert_human(video, tmp_path / 'dataset', params, VIEW, 'video')


def test_the_shortest_video_is_without_its_idle_head_and_tail(tmp_path):
    params = dataclasses.replace(PARAMS, min_duration=3.6)
    video = write_video(tmp_path / 'video.mp4')
    with pytest.raises(
        MimicError, match=r'action: \d.\d0 s are left when .* 3.6 s \(min_duration'
    ):
        convert_human(video, tmp_path / 'dataset', params, VIEW, 'video')


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    'harm',
    [
        cut,
        lambda p: p.write_bytes(b''),
        lambda p: p.write_text('no video'),
        lambda p: write_video(p, duration=1 / 30),  # one picture
    ],
)
def test_a_damaged_video_names_its_file_and_stops_no_other(tmp_path, harm):
    good = write_video(tmp_path / 'videos' / 'good.mp4')
    bad = write_video(tmp_path / 'videos' / 'bad.mp4', duration=1.5)
    harm(bad)
    jobs = make_jobs(find_sources([good.parent]), tmp_path / 'd', 'human', PARAMS, VIEW)
    result = convert(jobs)
    assert [o.name for o in result.failed] == ['bad'] and str(bad) in result.failed[0].error
    assert [e.name for e in load(tmp_path / 'd').episodes] == ['good']


FULL = Path('/dev/full')  # every write to it fails as on a full disk


def unreadable(*_):
    raise PermissionError(13, 'Permission denied')


def test_what_cannot_be_read_is_no_full_disk(tmp_path, monkeypatch):
    video = write_video(tmp_path / 'video.mp4', duration=0.5)
    (job,) = make_jobs([video], tmp_path / 'd', 'human', PARAMS, VIEW)
    with monkeypatch.context() as patch:
        patch.setattr(people, '_source', unreadable)
        outcome = convert_one(job)
    assert not outcome.fatal and f'{video}: [Errno 13] Permission denied' in outcome.error
    monkeypatch.setattr(people.tempfile, 'TemporaryFile', lambda dir: FULL.open('wb'))
    outcome = convert_one(job)
    assert outcome.fatal and 'cannot be written: [Errno 28]' in outcome.error


def black(stamp, size=(120, 160)):
    intrinsics = Intrinsics.from_fov(*size[::-1], 0.8)
    return Frame(np.zeros((*size, 3), np.uint8), intrinsics, stamp, 'c')


class Played:
    """A source of frames that are there."""

    def __init__(self, frames):
        self.frames = list(frames)

    def open(self):
        pass

    def read(self):
        if not self.frames:
            raise EndOfStreamError('end')
        return self.frames.pop(0)

    def close(self):
        pass


def test_pictures_that_change_their_size_are_refused(tmp_path, monkeypatch):
    sizes = [(120, 160)] * 9 + [(60, 160)]
    frames = [black(t, size) for t, size in enumerate(sizes)]
    monkeypatch.setattr(people, '_source', lambda *_: Played(frames))
    with pytest.raises(MimicError, match=r'bag: pictures change .* from 160 x 120 to 160 x 60'):
        convert_human(tmp_path / 'bag', tmp_path / 'dataset', PARAMS, VIEW, 'bag')


def test_a_clock_that_is_set_back_is_refused_and_a_moment_counts_once(tmp_path, monkeypatch):
    """Between stamps that do not increase nothing can be interpolated."""
    video, bag = write_video(tmp_path / 'video.mp4'), tmp_path / 'bag'
    source = people._source(video, PARAMS, VIEW)
    frames = list(people._frames(source, video))
    twice = [frame for frame in frames for _ in range(2)]
    monkeypatch.setattr(people, '_source', lambda *_: Played(twice))
    notes = convert_human(bag, tmp_path / 'dataset', PARAMS, VIEW, 'bag')
    assert notes['pictures'] == len(frames)
    reset = [f if f.stamp < 2.0 else dataclasses.replace(f, stamp=f.stamp - 1.5) for f in frames]
    monkeypatch.setattr(people, '_source', lambda *_: Played(reset))
    with pytest.raises(MimicError, match=r'bag: stamps go back from 1\.97 to 0\.50 s after the'):
        convert_human(bag, tmp_path / 'dataset', PARAMS, VIEW, 'bag')


def test_a_camera_of_another_size_is_refused(tmp_path):
    video = write_video(tmp_path / 'video.mp4')
    intrinsics = dataclasses.replace(VIEW.intrinsics, width=320, height=240)
    view = dataclasses.replace(VIEW, intrinsics=intrinsics)
    with pytest.raises(MimicError, match='160x120, its calibration is for 320x240'):
        convert_human(video, tmp_path / 'dataset', PARAMS, view, 'video')


def test_the_longest_piece():
    stamps = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 1.2, 1.3, 3.0])
    assert longest_piece(stamps, 0.3) == (1.0, 1.3)
    assert longest_piece(stamps, 5.0) == (0.0, 3.0)
    assert longest_piece(np.zeros(0), 0.3) == (0.0, 0.0)


def test_a_real_hand(shared, tmp_path):
    """MediaPipe on four seconds of a real video, for a hand with fingers."""
    source = shared / 'data' / 'human_hand_video.mp4'
    frames = list(read_frames(source, 0, 120, 30.0))
    with VideoWriter(tmp_path / 'real.mp4', 30, frames[0].shape[:2], 15) as video:
        for frame in frames:
            video.add(frame)
    params = ConvertParams(task='anything', hand='ability', max_idle=600.0)
    view = dataclasses.replace(VIEW, intrinsics=None)
    jobs = make_jobs([tmp_path / 'real.mp4'], tmp_path / 'd', 'human', params, view)
    assert convert(jobs).failed == ()
    episode = load(tmp_path / 'd').episodes[0]
    assert len(episode) >= 30
    speed = np.linalg.norm(np.diff(episode.action[:, :3], axis=0), axis=1) * 10
    assert speed.max() < 3.0
    robot = load_robot('iiwa14', 'ability')
    limits = robot.limits.select(list(range(7, len(robot.joint_names))))
    for row in episode.action[:, 6:]:
        assert limits.contains(row, 1e-5)  # float32
