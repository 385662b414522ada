"""The bag of a camera whose lens distorts, as most of them say that theirs does."""

import cv2
import numpy as np

from mimic_core.camera import Frame, Intrinsics
from mimic_rl.demonstration import BagWriter
from mimic_rl.prepare import DemonstrationVideo

LENS = Intrinsics(160, 120, 120.0, 120.0, 79.5, 59.5, (0.15, -0.05, 0.001, 0.002, 0.0))
SPOT = np.array([15.0, 12.0])  # [px] u, v where an ideal lens shows it


def test_its_pictures_are_rectified(tmp_path):
    ray = np.array([(SPOT[0] - LENS.cx) / LENS.fx, (SPOT[1] - LENS.cy) / LENS.fy, 1.0])
    none = np.zeros(3)
    bent = cv2.projectPoints(ray[None], none, none, LENS.matrix, np.array(LENS.distortion))[0]
    u, v = np.rint(bent.ravel()).astype(int)
    assert np.hypot(*(bent.ravel() - SPOT)) > 3.0  # [px]: a lens that matters
    color, depth = np.zeros((120, 160, 3), np.uint8), np.full((120, 160), 900, np.uint16)
    color[v - 1 : v + 2, u - 1 : u + 2], depth[v - 1 : v + 2, u - 1 : u + 2] = 255, 600
    with BagWriter(tmp_path / 'bag', np.eye(4)) as bag:
        for stamp in (0.0, 0.1):
            bag.write(Frame(color, LENS, stamp, 'camera_color_optical_frame', depth))
    video = DemonstrationVideo(tmp_path / 'bag')
    assert not any(video.intrinsics.distortion)
    for frame in video.frames():
        assert frame.intrinsics == video.intrinsics
        rows, columns = np.nonzero(frame.depth == 600)  # not mixed with what is behind it
        assert np.unique(frame.depth).tolist() in ([600, 900], [0, 600, 900])
        assert np.hypot(columns.mean() - SPOT[0], rows.mean() - SPOT[1]) < 1.0
        weights = frame.color[..., 0].astype(float)
        centre = np.array([np.average(grid, weights=weights) for grid in np.indices((120, 160))])
        assert np.hypot(*(centre[::-1] - SPOT)) < 1.0
