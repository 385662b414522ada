"""Videos of bare hands as files: whole or not there, and without the truth."""

import av
import numpy as np
import pytest

from mimic_bringup import human_video
from mimic_bringup.human_video import write_human_video
from mimic_core.errors import MimicError, UnknownNameError
from mimic_recording import Episode
from mimic_sim.bare_hand import BareHand, BareHandParams

SMALL = {'task': 'flip', 'rate': 5.0, 'width': 160, 'height': 120}


def test_a_video_and_its_bag(tmp_path):
    pytest.importorskip('std_msgs', reason='the definitions of messages are not installed')
    params = BareHandParams(seed=2, **SMALL)
    video = write_human_video(tmp_path / 'v' / 'one.mp4', params, tmp_path / 'bags')
    assert video.success and video.bag is not None
    with av.open(str(video.path)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == video.pictures == int(np.ceil(video.duration * 5.0))
    assert (frames[0].width, frames[0].height) == (160, 120)
    times = [float(frame.pts * frame.time_base) for frame in frames]
    np.testing.assert_allclose(times, np.arange(len(frames)) / 5.0, atol=1e-3)
    with Episode(video.bag) as episode:
        topics = {message.topic for message, _ in episode.read()}
    assert topics == {
        '/agent_camera/color/image_raw', '/agent_camera/color/camera_info',
        '/agent_camera/aligned_depth_to_color/image_raw', '/tf_static',
    }  # fmt: skip
    assert [file.name for file in video.path.parent.iterdir()] == ['one.mp4']


def test_a_video_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    class Full(BareHand):
        def frames(self):
            yield next(super().frames())
            raise OSError(28, 'No space left on device')

    monkeypatch.setattr(human_video, 'BareHand', Full)
    with pytest.raises(MimicError, match=r'two\.mp4 cannot be written.*No space left'):
        write_human_video(tmp_path / 'two.mp4', BareHandParams(**SMALL))
    assert not list(tmp_path.iterdir())


def test_no_such_task(tmp_path):
    with pytest.raises(UnknownNameError, match='flop'):
        write_human_video(tmp_path / 'three.mp4', BareHandParams(task='flop'))
    assert not list(tmp_path.iterdir())
