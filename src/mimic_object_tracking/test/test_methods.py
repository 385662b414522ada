"""Programs of others behind our protocols, by modules that stand in for them.

The stand-ins have the names and arguments of the public examples of FoundationPose (run_demo.py)
and SAM 2 (README), and check what they are given.
"""

import sys
from contextlib import nullcontext
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError, SourceError
from mimic_core.frames import transform
from mimic_object_tracking import ObjectTracker, ObjectTrackingParams
from mimic_object_tracking.methods import EstimatorMethod
from mimic_object_tracking.sam2_segmenter import MODEL_VARIABLE

PARAMS = ObjectTrackingParams(objects=('box.obj',))
HERE = transform(Rotation.from_euler('z', 0.5).as_matrix(), np.array([0.02, 0.0, 0.03]))


@pytest.fixture
def foundation_pose(monkeypatch):
    """Modules `estimater` and `nvdiffrast.torch`; `answer` is what they say next."""
    told = SimpleNamespace(answer=np.eye(4), calls=[])

    class FoundationPose:
        def __init__(self, model_pts, model_normals, mesh, scorer, refiner, glctx,
                     debug_dir=None, debug=0):  # fmt: skip
            assert model_pts.shape == model_normals.shape and len(mesh.faces)
            assert (scorer, refiner, glctx) == ('scorer', 'refiner', 'context')

        def register(self, K, rgb, depth, ob_mask, iteration):
            assert K.shape == (3, 3) and rgb.dtype == np.uint8 and ob_mask.dtype == bool
            assert depth.dtype == np.float32 and 0.2 < np.median(depth) < 3.0  # metres
            told.calls.append(('register', int(ob_mask.sum()), iteration))
            return told.answer.astype(np.float32)

        def track_one(self, rgb, depth, K, iteration):
            told.calls.append(('track_one', iteration))
            return told.answer.astype(np.float32)

    module = ModuleType('estimater')
    module.FoundationPose = FoundationPose
    module.ScorePredictor = lambda: 'scorer'
    module.PoseRefinePredictor = lambda: 'refiner'
    rasterizer = ModuleType('nvdiffrast.torch')
    rasterizer.RasterizeCudaContext = lambda: 'context'
    monkeypatch.setitem(sys.modules, 'estimater', module)
    monkeypatch.setitem(sys.modules, 'nvdiffrast', ModuleType('nvdiffrast'))
    monkeypatch.setitem(sys.modules, 'nvdiffrast.torch', rasterizer)
    return told


def test_foundation_pose_starts_and_follows_and_is_judged(foundation_pose, box, box_stage):
    first, truth = box_stage.still(HERE, 0.0)
    foundation_pose.answer = truth.objects['box']
    tracker = ObjectTracker([box], replace(PARAMS, estimator='foundation_pose'))
    (found,) = tracker.process(first)
    name, pixels, iterations = foundation_pose.calls[0]
    assert (name, iterations) == ('register', 5) and 3000 < pixels < 30000
    assert box.symmetry.difference(found.camera_T_object, truth.objects['box'])[0] < 1e-6
    np.testing.assert_allclose(np.linalg.det(found.camera_T_object[:3, :3]), 1.0, atol=1e-9)
    second, truth = box_stage.still(HERE, 1 / 30)
    (found,) = tracker.process(second)
    assert foundation_pose.calls[1] == ('track_one', 2) and found.confidence > 0.8
    # What it says is not believed where depth says otherwise.
    foundation_pose.answer = truth.objects['box'] @ transform(np.eye(3), np.array([0.0, 0, 0.05]))
    assert tracker.process(box_stage.still(HERE, 2 / 30)[0]) == ()
    assert tracker.tracks[0].state != 'tracked'
    foundation_pose.answer = np.full((4, 4), np.nan)
    assert tracker.process(box_stage.still(HERE, 3 / 30)[0]) == ()


class OnLastPiece:
    """Finds the box in any piece that it is started on, and follows the last one, as most do."""

    def __init__(self, truth, noise):
        self._truth, self._noise, self.starts = truth, noise, 0
        self._piece = None

    def start(self, color, depth, intrinsics, mask):
        self.starts += 1
        v, u = np.argwhere(mask).mean(axis=0)
        centre = intrinsics.project(self._truth[:3, 3])
        is_box = np.hypot(u - centre[0], v - centre[1]) < 40.0
        self._piece = self._truth if is_box else self._truth @ self._noise
        return self._piece

    def follow(self, color, depth, intrinsics):
        return self._piece


def test_what_is_followed_is_the_piece_that_won(box, box_stage):
    """Something smaller lies in the picture too, and is looked at after it."""
    frame, truth = box_stage.still(HERE, 0.0)
    depth = frame.depth.copy()
    depth[400:440, 60:120] = depth[400:440, 60:120] * 0.9
    frame = replace(frame, depth=depth)
    aside = transform(np.eye(3), np.array([0.1, 0.0, 0.0]))
    estimator = OnLastPiece(truth.objects['box'], aside)
    tracker = ObjectTracker([box], PARAMS)
    tracker.tracks[0]._method = EstimatorMethod(box, estimator)
    assert tracker.process(frame)
    assert estimator.starts == 3  # each piece, and the winner again
    (found,) = tracker.process(replace(frame, stamp=1 / 30))
    np.testing.assert_allclose(found.camera_T_object, truth.objects['box'], atol=1e-9)


@pytest.fixture
def sam2(monkeypatch):
    told = SimpleNamespace(prompts=[], model='', mask=None)

    class SAM2ImagePredictor:
        def __init__(self, model):
            told.model = model

        @classmethod
        def from_pretrained(cls, name):
            return cls(name)

        def set_image(self, image):
            assert image.flags.c_contiguous and image.dtype == np.uint8
            self._shape = image.shape[:2]

        def predict(self, point_coords=None, point_labels=None, box=None, mask_input=None,
                    multimask_output=True):  # fmt: skip
            assert not multimask_output and box.shape == (4,)
            told.prompts.append(box.tolist())
            mask = np.ones(self._shape) if told.mask is None else told.mask
            return mask[None].astype(np.float32), np.ones(1), np.zeros((1, 256, 256))

    package, predictor, build = (
        ModuleType(name) for name in ('sam2', 'sam2.sam2_image_predictor', 'sam2.build_sam')
    )
    predictor.SAM2ImagePredictor = SAM2ImagePredictor
    build.build_sam2 = lambda config, checkpoint: f'{config} with {checkpoint}'
    torch = ModuleType('torch')
    torch.inference_mode = nullcontext
    torch.cuda = SimpleNamespace(is_available=lambda: True)
    torch.bfloat16 = 'bfloat16'
    torch.autocast = lambda device, dtype: nullcontext()
    for module in (package, predictor, build, torch):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv(MODEL_VARIABLE, 'facebook/sam2.1-hiera-tiny')
    return told


def test_sam2_tells_which_pixels_are_of_the_object(sam2, box, box_stage):
    tracker = ObjectTracker([box], replace(PARAMS, segmenter='sam2'))
    assert sam2.model == 'facebook/sam2.1-hiera-tiny'
    first, truth = box_stage.still(HERE, 0.0)
    assert tracker.process(first)
    (found,) = tracker.process(box_stage.still(HERE, 1 / 30)[0])
    left, top, right, bottom = sam2.prompts[0]
    u, v = first.intrinsics.project(truth.objects['box'][:3, 3])
    assert left < u < right and top < v < bottom and right - left < 320
    assert box.symmetry.difference(found.camera_T_object, truth.objects['box'])[0] < 0.003
    sam2.mask = np.zeros((480, 640))  # it says that the object is not there
    assert tracker.process(box_stage.still(HERE, 2 / 30)[0]) == ()
    assert tracker.tracks[0].state == 'hidden'


def test_sam2_from_files(sam2, box, monkeypatch):
    monkeypatch.setenv(MODEL_VARIABLE, 'configs/sam2.1/sam2.1_hiera_t.yaml:tiny.pt')
    ObjectTracker([box], replace(PARAMS, segmenter='sam2'))
    assert sam2.model == 'configs/sam2.1/sam2.1_hiera_t.yaml with tiny.pt'


def test_what_is_not_there_is_told(box, monkeypatch):
    monkeypatch.setitem(sys.modules, 'estimater', None)
    with pytest.raises(ConfigError, match='FoundationPose cannot be imported'):
        ObjectTracker([box], replace(PARAMS, estimator='foundation_pose'))
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=MODEL_VARIABLE):
        ObjectTracker([box], replace(PARAMS, segmenter='sam2'))
    monkeypatch.setenv(MODEL_VARIABLE, 'facebook/any')
    monkeypatch.setitem(sys.modules, 'sam2', None)
    with pytest.raises(ConfigError, match='SAM 2 cannot be imported'):
        ObjectTracker([box], replace(PARAMS, segmenter='sam2'))
    with pytest.raises(ConfigError, match="estimator 'magic' is not shape, foundation_pose"):
        ObjectTracker([box], replace(PARAMS, estimator='magic'))
    with pytest.raises(ConfigError, match="segmenter 'no_module:Class' cannot be loaded"):
        ObjectTracker([box], replace(PARAMS, segmenter='no_module:Class'))


def _fail(*_, **__):
    raise RuntimeError('CUDA out of memory')


def test_what_fails_on_the_gpu_is_told_and_ends_no_node(foundation_pose, sam2, box, box_stage):
    first, truth = box_stage.still(HERE, 0.0)
    foundation_pose.answer = truth.objects['box']
    tracker = ObjectTracker([box], replace(PARAMS, estimator='foundation_pose'))
    sys.modules['estimater'].FoundationPose.register = _fail
    with pytest.raises(SourceError, match='FoundationPose: register: CUDA out of memory'):
        tracker.process(first)
    sys.modules['estimater'].FoundationPose.__init__ = _fail
    with pytest.raises(ConfigError, match='FoundationPose cannot be loaded: CUDA'):
        ObjectTracker([box], replace(PARAMS, estimator='foundation_pose'))
    tracker = ObjectTracker([box], replace(PARAMS, segmenter='sam2'))
    predictor = sys.modules['sam2.sam2_image_predictor'].SAM2ImagePredictor
    predictor.predict = _fail
    with pytest.raises(SourceError, match='SAM 2: CUDA out of memory'):
        tracker.process(first)
        tracker.process(box_stage.still(HERE, 1 / 30)[0])
    predictor.from_pretrained = _fail
    with pytest.raises(ConfigError, match='SAM 2 cannot be loaded from facebook/sam2'):
        ObjectTracker([box], replace(PARAMS, segmenter='sam2'))
