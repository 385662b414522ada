"""From a virtual person before a camera to a run folder, against the truth."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, SourceError
from mimic_core.frames import apply, hand_frame, rotation_angle
from mimic_core.primitives import Primitive
from mimic_description import load_robot
from mimic_object_tracking import SightParams, load_object
from mimic_rl.demonstration import BagWriter, ShowingParams, make_stream
from mimic_rl.prepare import (
    DemonstrationVideo,
    HandNotSeenError,
    ObjectNotSeenError,
    PrepareParams,
    check_folder,
    prepare,
    write_run,
)
from mimic_rl.prepare.path import poses_at
from mimic_rl.prepare.posture import Clearance
from mimic_rl.prepare.watch import watch
from mimic_rl.run_folder import WrongRobotError, load_run
from mimic_rl.shapes import object_mesh
from mimic_rl.shown import shown_task
from mimic_rl.sighting import names_of
from mimic_rl.twin_task import TASK_FILE, twin_task
from mimic_sim.twin import Twin

RATE = 10.0  # [Hz], a third of a camera's: the test takes a third of the time
LOST = (7, 20)  # frames whose depth was lost
SMALL = {'width': 64, 'height': 48}


class Shown:
    """A demonstration on disk, with what is true of it."""

    def __init__(self, folder):
        self.bag, self.mesh = folder / 'box_push', folder / 'box.obj'
        mesh = object_mesh(shown_task('box_push').object)
        mesh.apply_translation((0.4, -0.3, 0.1)).export(self.mesh)  # as a scan may have its origin
        stream = make_stream(ShowingParams(task='box_push', seed=1, rate=RATE, start_delay=0.0))
        self.begin = stream.handler.begin
        self.stamps, self.objects, self.hands = [], [], []
        with BagWriter(self.bag, stream.world_T_camera) as bag:
            for row, (frame, truth) in enumerate(stream.frames(self.begin + 3.3)):
                bag.write(replace(frame, depth=None) if row in LOST else frame)
                self.stamps.append(frame.stamp)
                self.objects.append(stream.world_T_camera @ truth.objects['box'])
                self.hands.append(apply(stream.world_T_camera, truth.keypoints))
        stream.close()


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    return Shown(tmp_path_factory.mktemp('shown'))


@pytest.fixture(scope='module')
def prepared(shown):
    return prepare(
        DemonstrationVideo(shown.bag), shown.mesh, 'iiwa14', 'allegro',
        task='box_push', params=PrepareParams(lead=10),
    )  # fmt: skip


def test_the_path_is_that_of_the_thing(shown, prepared):
    offset = prepared.watched.stamps[0] - shown.stamps[0]
    truth = poses_at(
        np.array(shown.stamps) + offset, np.array(shown.objects), prepared.path.stamps
    )
    errors = [prepared.model.symmetry.difference(a, b) for a, b in zip(prepared.path.poses, truth)]
    assert np.max([e[0] for e in errors]) < 0.006  # [m]
    assert np.degrees(np.max([e[1] for e in errors])) < 2.0
    assert prepared.path.moved - offset == pytest.approx(shown.begin + 0.45, abs=0.3)
    assert prepared.run.rate == 15.0
    assert abs(apply(prepared.path.poses[0], prepared.model.vertices)[:, 2].min()) < 1e-9


def test_the_hand_before_the_manipulation_is_that_of_the_person(shown, prepared):
    offset = prepared.watched.stamps[0] - shown.stamps[0]
    row = int(np.argmin(np.abs(np.array(shown.stamps) + offset - prepared.path.start)))
    seen = apply(prepared.video.world_T_camera, prepared.hand.keypoints)
    true, found = hand_frame(shown.hands[row]), hand_frame(seen)
    assert np.linalg.norm(true[:3, 3] - found[:3, 3]) < 0.02
    assert np.degrees(rotation_angle(true[:3, :3], found[:3, :3])) < 12.0
    assert prepared.hand.method == 'depth'


def test_the_robot_is_there_and_touches_nothing(prepared):
    run, robot = prepared.run, load_robot('iiwa14', 'allegro')
    assert prepared.posture.position_error <= 0.05
    assert prepared.posture.angle_error <= 0.052
    assert Clearance(robot, run).blocked_by(run.start) == ''
    assert np.array_equal(run.demonstration[0], run.start)
    steps = np.abs(np.diff(run.demonstration[:, :7], axis=0)) * run.rate
    assert steps.max() <= PrepareParams().joint_speed + 1e-9
    assert prepared.motion.used.mean() > 0.6


def test_the_folder_is_a_run_with_pictures(shown, prepared, tmp_path):
    folder = tmp_path / 'run'
    assert write_run(prepared, shown.mesh, folder) == ()
    run = load_run(folder)
    assert (run.arm, run.hand, run.task) == ('iiwa14', 'allegro', 'box_push')
    assert np.allclose(run.trajectory, prepared.run.trajectory, atol=1e-5)
    assert run.object.symmetry == prepared.run.object.symmetry == 'auto'  # as it was told
    model = load_object(folder / run.object.mesh)  # as the tracker of `launch policy` has it
    assert model.radius == pytest.approx(prepared.model.radius)
    np.testing.assert_allclose(model.centre, 0.0, atol=1e-6)
    assert names_of(run) == {'box_centred', 'object'}  # not as one who tracks the scan calls it
    for name in ('object_track.png', 'hand_at_start.png', 'robot_at_start.png'):
        assert (folder / name).stat().st_size > 20_000
    twin = Twin(run.robot(), str(folder / TASK_FILE), seed=0)  # that of `launch policy`
    starts = twin.task.content.starts
    assert 50 < len(starts) <= 100 and np.ptp(starts[:, :2], axis=0).min() > 0.1
    before = twin.objects()[run.object.name]
    twin.step(0.3)  # it stands free
    np.testing.assert_allclose(twin.objects()[run.object.name], before, atol=3e-3)
    np.testing.assert_allclose(twin.target()[:3, 3], run.trajectory[-1, :3], atol=1e-5)
    report = json.loads((folder / 'prepare.json').read_text())
    assert report['object_seen'] > 0.9 and report['frames_without_depth'] == len(LOST)
    assert report['frames'] == len(shown.stamps) - len(LOST)
    write_run(prepared, shown.mesh, folder)  # again: the same robot
    with pytest.raises(WrongRobotError, match='leap'):
        check_folder(folder, 'iiwa14', 'leap')
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'thesis.txt').write_text('mine')
    with pytest.raises(ConfigError, match='something else than a run: choose another folder'):
        check_folder(tmp_path / 'other', 'iiwa14', 'allegro')


def test_a_run_that_did_not_fit_on_the_disk_is_prepared_into_the_same_folder(
    shown, prepared, tmp_path
):
    (tmp_path / 'run.part').symlink_to('/dev/full')
    with pytest.raises(ConfigError, match=r'run\.part: not written: the disk is full'):
        write_run(prepared, shown.mesh, tmp_path)
    assert not (tmp_path / TASK_FILE).exists()
    write_run(prepared, shown.mesh, tmp_path)
    assert load_run(tmp_path) and (tmp_path / TASK_FILE).exists()
    assert not list(tmp_path.glob('*.part*'))


def test_the_mesh_of_the_folder_is_prepared_again(shown, prepared, tmp_path):
    write_run(prepared, shown.mesh, tmp_path)
    whole = replace(prepared, origin=np.zeros(3))  # as of a mesh whose origin is in it
    before = (tmp_path / 'object.obj').read_bytes()
    write_run(whole, tmp_path / 'object.obj', tmp_path)
    assert (tmp_path / 'object.obj').read_bytes() == before
    assert not list(tmp_path.glob('*.part*'))


def test_a_run_that_cannot_be_written_leaves_the_one_of_before(
    shown, prepared, tmp_path, monkeypatch
):
    write_run(prepared, shown.mesh, tmp_path)
    names = ('object.obj', 'run.json', 'task.json')
    before = [(tmp_path / name).read_bytes() for name in names]

    def full(*_):
        raise OSError('no space left on device')

    monkeypatch.setattr(sys.modules['mimic_rl.prepare.prepare'], 'save_task_file', full)
    other = replace(prepared, run=replace(prepared.run, task='else'), origin=np.zeros(3))
    with pytest.raises(OSError, match='no space'):
        write_run(other, shown.mesh, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_without_graphics_the_run_is_whole_and_says_so(shown, prepared, tmp_path, monkeypatch):
    def none(*_):
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    monkeypatch.setattr('mujoco.Renderer', none)
    assert write_run(prepared, shown.mesh, tmp_path)
    (tmp_path / 'robot_at_start.png').write_text('of an earlier run')
    (said,) = write_run(prepared, shown.mesh, tmp_path)
    assert 'without robot_at_start.png: nothing can be drawn' in said and 'libegl1' in said
    there = {'run.json', 'task.json', 'object.obj', 'prepare.json'}
    there |= {'object_track.png', 'hand_at_start.png'}
    assert {path.name for path in tmp_path.iterdir()} == there
    assert load_run(tmp_path).task == 'box_push'


# What cannot be used --------------------------------------------------------------------------


def write(path, frames, pose: FloatArray | None):
    with BagWriter(path, pose) as bag:
        for frame in frames:
            bag.write(frame)
    return path


@pytest.fixture(scope='module')
def small():
    stream = make_stream(ShowingParams(task='box_push', rate=RATE, **SMALL))
    frames = [frame for frame, _ in stream.frames(0.2)]
    pose = stream.world_T_camera
    stream.close()
    return frames, pose


def test_a_bag_without_depth(tmp_path):
    stream = make_stream(ShowingParams(task='box_push', depth=False, rate=RATE, **SMALL))
    path = write(tmp_path / 'flat', [f for f, _ in stream.frames(0.2)], stream.world_T_camera)
    stream.close()
    with pytest.raises(ConfigError, match=r'flat.*aligned_depth_to_color/image_raw.*missing'):
        DemonstrationVideo(path)


def test_a_bag_whose_first_depth_was_lost(tmp_path, small):
    (first, *rest), pose = small
    path = write(tmp_path / 'late', [replace(first, depth=None), *rest], pose)
    frames = list(DemonstrationVideo(path).frames())
    assert [frame.depth is None for frame in frames] == [True] + [False] * len(rest)


def test_a_bag_with_hardly_any_depth(tmp_path, small, shown):
    (first, *_), pose = small
    frames = [replace(first, stamp=k / RATE, depth=None if k else first.depth) for k in range(12)]
    video = DemonstrationVideo(write(tmp_path / 'thin', frames, pose))
    with pytest.raises(ConfigError, match=r'thin: 1 frames with depth.*11 more have none'):
        watch(video, load_object(shown.mesh), 'right')


def test_a_bag_that_does_not_tell_where_the_camera_is(tmp_path, small):
    frames, pose = small
    path = write(tmp_path / 'lost', frames, None)
    with pytest.raises(ConfigError, match=r"lost.*'tf_static'.*--camera-pose"):
        DemonstrationVideo(path)
    assert np.array_equal(DemonstrationVideo(path, world_T_camera=pose).world_T_camera, pose)


def test_a_bag_of_another_camera_or_none(tmp_path, small):
    frames, pose = small
    path = write(tmp_path / 'bag', frames, pose)
    video = DemonstrationVideo(path)
    assert np.allclose(video.world_T_camera, pose)
    assert len(list(video.frames())) == len(frames)
    with pytest.raises(SourceError, match='wrist_camera/color'):
        DemonstrationVideo(path, camera='wrist_camera')
    with pytest.raises(SourceError, match='no bag'):
        DemonstrationVideo(tmp_path / 'nothing')


def test_a_hand_that_is_never_seen_and_a_thing_outside_the_picture(tmp_path, shown):
    stream = make_stream(ShowingParams(task='box_push', rate=RATE, seed=1))
    model = load_object(shown.mesh)
    empty = [stream.studio.render(None, {}, k / RATE)[0] for k in range(12)]
    nobody = DemonstrationVideo(write(tmp_path / 'nobody', empty, stream.world_T_camera))
    with pytest.raises(HandNotSeenError, match=r'nobody: no right hand.*12 frames'):
        watch(nobody, model, 'right')
    hand = [
        stream.studio.render(stream.handler.state(2.5 + k / RATE).hand, {}, k / RATE)[0]
        for k in range(12)
    ]
    stream.close()
    nothing = DemonstrationVideo(write(tmp_path / 'nothing', hand, stream.world_T_camera))
    said = (
        r'nothing: box is not seen.*140 x 70 x 100 mm.*than farthest = 0\.8 m .*clearance = 10 mm'
    )
    with pytest.raises(ObjectNotSeenError, match=said):
        watch(nothing, model, 'right', sight=SightParams(farthest=0.8, clearance=0.01))
    with pytest.raises(HandNotSeenError, match=r'no left.*only a right one: try --side right'):
        watch(nothing, model, 'left')


def test_how_the_object_is_found_is_told_to_the_tracker(tmp_path, small, shown):
    frames, pose = small
    video = DemonstrationVideo(write(tmp_path / 'bag', frames, pose))
    params = PrepareParams(estimator='magic')
    with pytest.raises(ConfigError, match="estimator 'magic' is not shape, foundation_pose"):
        prepare(video, shown.mesh, 'iiwa14', 'allegro', task='box_push', params=params)


def test_a_folder_of_another_task_is_no_run(tmp_path):
    (tmp_path / 'run.json').write_text('{"format": "other"}')
    with pytest.raises(ConfigError, match=r'run\.json'):
        check_folder(tmp_path, 'iiwa14', 'allegro')


def test_a_task_does_not_begin_within_what_stands_there(prepared):
    x, y, _ = prepared.run.trajectory[0, :3]
    wall = Primitive('box', (0.6, 0.05, 0.1), (float(x), float(y) - 0.2, 0.05))
    run = replace(prepared.run, fixtures=(wall,))
    places = np.tile(run.trajectory[0], (3, 1))
    places[:, 1] += [-0.2, 0.0, 0.05]
    np.testing.assert_allclose(twin_task(run, places).starts, places[1:])
    np.testing.assert_allclose(twin_task(run, places[:1]).starts, run.trajectory[:1])
    np.testing.assert_allclose(twin_task(run, places[:0]).starts, run.trajectory[:1])
    assert twin_task(run, places).fixtures == (wall,)
