import numpy as np
import pytest

from mimic_dataset.errors import DatasetError
from mimic_dataset.video import VideoWriter, join, read_frames


def video(path, quality, shade, size=(48, 64)):
    with VideoWriter(path, 10, size, quality) as writer:
        for _ in range(5):
            writer.add(np.full((*size, 3), shade, np.uint8))
    return path


def test_joined_videos_follow_each_other(tmp_path):
    parts = [video(tmp_path / f'{n}.mp4', 20, 60 * (n + 1)) for n in range(3)]
    join(parts, tmp_path / 'all.mp4')
    shades = [float(frame.mean()) for frame in read_frames(tmp_path / 'all.mp4', 0, 15, 10)]
    np.testing.assert_allclose(shades, np.repeat([60.0, 120.0, 180.0], 5), atol=3.0)


def test_videos_of_another_size_are_refused_and_named(tmp_path):
    first = video(tmp_path / 'a.mp4', 20, 60)
    other = video(tmp_path / 'b.mp4', 20, 60, size=(64, 48))
    with pytest.raises(DatasetError, match=r'b\.mp4: encoded otherwise than .*a\.mp4'):
        join([first, other], tmp_path / 'all.mp4')
