"""Choosing a detector, and MediaPipe itself on the pictures of a real hand."""

import os
import sys
import types

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_hand_tracking.detector import Detection, HandDetector, make_detector
from mimic_hand_tracking.mediapipe_hands import MediapipeHands, detection
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.quiet import quiet_start


@pytest.mark.parametrize('name', ['nothing', 'no_such_module:Class', 'json:NoClass', 'json:'])
def test_a_detector_that_is_not_there_is_named(name):
    with pytest.raises(ConfigError, match=name.split(':')[0]):
        make_detector(TrackingParams(detector=name))


def test_a_plug_in_gets_the_parameters_and_must_be_a_detector(monkeypatch):
    class Good:
        def __init__(self, params):
            self.params = params

        def detect(self, color, stamp):
            return []

        def reset(self):
            pass

        def close(self):
            pass

    module = types.ModuleType('plug_in')
    module.Good, module.Bad = Good, lambda params: object()
    monkeypatch.setitem(sys.modules, 'plug_in', module)
    params = TrackingParams(detector='plug_in:Good', max_hands=1)
    made = make_detector(params)
    assert isinstance(made, HandDetector) and made.params is params
    with pytest.raises(ConfigError, match='no detect'):
        make_detector(TrackingParams(detector='plug_in:Bad'))


def test_a_plug_in_lies_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / 'detector_here.py').write_text(
        'class Still:\n    def __init__(self, params):\n        pass\n'
        '    def detect(self, color, stamp):\n        return []\n'
        '    def reset(self):\n        pass\n    def close(self):\n        pass\n'
    )
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.chdir(tmp_path)
    assert make_detector(TrackingParams(detector='detector_here:Still')).detect(None, 0.0) == []


def test_task_file_is_needed_read_and_checked(tmp_path):
    with pytest.raises(ConfigError, match='task_file'):
        make_detector(TrackingParams(detector='task'))
    with pytest.raises(ConfigError, match=r'gone\.task'):
        make_detector(TrackingParams(detector='task', task_file=str(tmp_path / 'gone.task')))
    with pytest.raises(ConfigError, match='cannot read'):
        make_detector(TrackingParams(detector='task', task_file=str(tmp_path)))
    broken = tmp_path / 'broken.task'
    broken.write_bytes(b'this is no model' * 100)
    with pytest.raises(ConfigError, match=r'broken\.task is no hand landmarker'):
        make_detector(TrackingParams(detector='task', task_file=str(broken)))


class Mark:
    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z


@pytest.mark.parametrize('mirrored', [False, True])
def test_mediapipe_s_left_is_a_right_hand_unless_mirrored(mirrored):
    marks = [Mark(0.5, 0.25, 0.0)] * 21
    label = types.SimpleNamespace(label='Left', score=0.9)
    found = detection(marks, marks, (640, 480), label, mirrored)
    assert found.right_probability == pytest.approx(0.1 if mirrored else 0.9)
    np.testing.assert_allclose(found.pixels[0], (319.5, 119.5))


def test_finite_notices_any_nan():
    good = Detection(np.zeros((21, 2)), np.zeros((21, 3)), 0.5, 1.0)
    assert good.finite
    assert not Detection(np.full((21, 2), np.nan), good.world, 0.5, 1.0).finite
    assert not Detection(good.pixels, good.world, float('nan'), 1.0).finite


def test_mediapipe_finds_nothing_where_nothing_is():
    detector = MediapipeHands(TrackingParams())
    rng = np.random.default_rng(0)
    assert detector.detect(np.zeros((480, 640, 3), dtype=np.uint8), 0.0) == []
    assert detector.detect(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8), 0.03) == []
    detector.reset()
    detector.close()


def test_what_mediapipe_says_of_itself_stays_away_and_nothing_else(capfd):
    detector = MediapipeHands(TrackingParams())
    detector.detect(np.zeros((240, 320, 3), dtype=np.uint8), 0.0)
    detector.reset()
    detector.detect(np.zeros((240, 320, 3), dtype=np.uint8), 0.03)
    detector.close()
    assert capfd.readouterr().err == ''
    with quiet_start():
        os.write(2, b'W0000 00:00:1.0 7 a.cc:1] a note\nE0000 00:00:1.0 7 a.cc:2] broken\nmine\n')
    assert capfd.readouterr().err == 'E0000 00:00:1.0 7 a.cc:2] broken\nmine\n'
    with pytest.raises(ValueError), quiet_start():
        os.write(2, b'the end\n')
        raise ValueError
    assert capfd.readouterr().err == 'the end\n'
