"""From the bag of one demonstration to a run folder."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import BASE, apply, inverse, to_quat_xyzw
from mimic_core.hand import Side, TrackedHand
from mimic_core.primitives import Primitive
from mimic_description import RobotModel, load_robot
from mimic_object_tracking import ObjectModel, load_object, make_object
from mimic_object_tracking.drawing import save_picture
from mimic_retargeting import HumanHand
from mimic_rl.prepare import pictures
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.path import ObjectPath, object_path
from mimic_rl.prepare.posture import BlockedStartError, Posture, Postures
from mimic_rl.prepare.primitives import Fit, fit_primitives
from mimic_rl.prepare.retarget import Retargeted, follow, human_at, palms, retarget
from mimic_rl.prepare.video import DemonstrationVideo
from mimic_rl.prepare.watch import HandNotSeenError, Watched, hand_at, hand_motion, watch
from mimic_rl.run_folder import (
    ANCHOR,
    RUN_FILE,
    PracticeObject,
    PracticeRun,
    WrongRobotError,
    axes_anchors,
    is_left_over,
    load_run,
    save_run,
)
from mimic_rl.shapes import round_about_body
from mimic_rl.starts import places_around
from mimic_rl.twin_task import TASK_FILE, twin_task
from mimic_sim.tasks import save_task_file

_REPORT: Final = 'prepare.json'
_MESH: Final = 'object'  # stem of the mesh in the folder
_TABLE_ERROR: Final = 0.02  # [m] by which the object may seem to float or sink
_TILES: Final = 6  # frames in the picture of the track
_EARLIER_STEP: Final = 5  # frames
_ALONG: Final = 0.95  # [1] cosine, from which a round axis is one of the object's own
_OFF_AXIS: Final = 0.002  # [m] of an origin that counts as on the round axis
_OFF_BOX: Final = 0.002  # [m] of an origin that counts as in the box around a mesh
_CENTRED: Final = '_centred'  # after the name of an object whose origin was moved


@dataclass(frozen=True)
class Prepared:
    """A run and how it came about."""

    run: PracticeRun
    watched: Watched
    path: ObjectPath
    posture: Posture
    motion: Retargeted
    hand: TrackedHand  # before the manipulation
    fit: Fit
    lowest: float  # [m] of the object over the table as it was seen at first, before correction
    model: ObjectModel
    origin: FloatArray  # (3,) [m] of the model, in the frame of the mesh file
    video: DemonstrationVideo
    places: FloatArray  # (P, 7) of the object around the shown one
    reached: BoolArray  # (P,) where the arm can begin

    def report(self) -> dict[str, Any]:
        """Return what a person should know, for the run folder."""
        seen = np.isfinite(self.watched.objects).all(axis=(1, 2))
        return {
            'frames': len(self.watched.stamps),
            'frames_without_depth': self.watched.left_out,
            'object_seen': round(float(seen.mean()), 4),
            'hand_seen': round(float(self.watched.with_hand.mean()), 4),
            'hand_by_depth': self.hand.method == 'depth',
            'start_s': round(self.path.start, 3),
            'moved_s': round(self.path.moved, 3),
            'ended_s': round(self.path.ended, 3),
            'position_error_mm': round(1e3 * self.posture.position_error, 2),
            'angle_error_deg': round(float(np.degrees(self.posture.angle_error)), 2),
            'tip_error_mm': None
            if np.isnan(self.posture.tip_error)
            else round(1e3 * self.posture.tip_error, 2),
            'starts_reached': round(float(self.reached.mean()), 3),
            'skipped_steps': int((~self.motion.used).sum()),
            'slowed_steps': self.motion.slowed,
            'shape_error_mm': round(1e3 * self.fit.error, 2),
            'object_above_table_mm': round(1e3 * self.lowest, 2),
            'origin_in_mesh_mm': (1e3 * self.origin).round(2).tolist(),
        }


def prepare(
    video: DemonstrationVideo,
    mesh: Path,
    arm: str,
    hand: str,
    *,
    task: str,
    params: PrepareParams,
    fixtures: tuple[Primitive, ...] = (),
    start_box: tuple[float, float, float, float] | None = None,
    mesh_scale: float = 1.0,
    watched: Watched | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> Prepared:
    """Return the run of a demonstration; nothing is written.

    Args:
        video: Of the demonstration.
        mesh: File of the object.
        arm: Stem of a file in config/robots.
        hand: The same.
        task: Name that the run keeps.
        params: Thresholds.
        fixtures: What stands fixed on the table, in world.
        start_box: Bounds of the starts of practice: dx low, high, dy low, high [m].
        mesh_scale: Metres in one unit of the mesh file [m].
        watched: What the trackers saw in this video before; None: they look now.
        progress: Is told how many frames are tracked.

    Raises:
        MimicError: Something of the demonstration cannot be used; the message says what to do.
    """
    robot = load_robot(arm, hand)
    postures = Postures(robot, params)
    model, fit, origin = practice_model(mesh, mesh_scale, params)
    anchors = _anchors(model)
    if watched is None:
        watched = watch(video, model, cast(Side, params.side), progress, params)
    seen = _Seen(video, watched, model, anchors, robot, params)
    thing = PracticeObject(
        model.name, fit.parts, params.mass, params.friction, f'{_MESH}{mesh.suffix.lower()}',
        params.symmetry,
    )  # fmt: skip
    draft = PracticeRun(
        arm=arm,
        hand=hand,
        task=task,
        object=thing,
        trajectory=_rows(seen.path(params.lead)[0].poses),
        rate=params.rate,
        start=robot.home,
        joint_names=robot.joint_names,
        anchors=anchors,
        fixtures=fixtures,
        start_box=start_box,
        camera=_camera(video),
    )
    begun = _begin(seen, draft, postures)
    path, posture = begun.path, begun.posture
    moved = retarget(postures, begun.humans, posture.q, params)
    run = replace(draft, trajectory=_rows(path.poses), start=posture.q, demonstration=moved.q)
    return Prepared(
        run, watched, path, posture, moved, begun.hand, fit, begun.lowest, model, origin, video,
        *places_around(run),
    )  # fmt: skip


@dataclass(frozen=True)
class _Seen:
    """What was seen, cut to a lead before the motion."""

    video: DemonstrationVideo
    watched: Watched
    model: ObjectModel
    anchors: FloatArray  # (A, 3) [m]
    robot: RobotModel
    params: PrepareParams

    def path(self, lead: int) -> tuple[ObjectPath, float]:
        """Return the path from so many frames before the motion, and its height before [m]."""
        poses = self.video.world_T_camera @ self.watched.objects
        # As far from the frame as the object is large, so that its turns count as they move it.
        points = self.anchors * (self.model.radius / ANCHOR)
        params = replace(self.params, lead=lead)
        return _on_table(object_path(self.watched.stamps, poses, points, params), self.model)

    def hands(self, path: ObjectPath) -> tuple[TrackedHand, list[HumanHand | None]]:
        """Return the hand at the start, and at each step of a path in base_link.

        Raises:
            HandNotSeenError: It is not seen at the start.
        """
        params, side = self.params, cast(Side, self.params.side)
        motion = hand_motion(self.watched, params.smoothing, params.hand_gap)
        base_T_world = inverse(self.robot.fk(self.robot.home, BASE))
        base_T_camera = base_T_world @ self.video.world_T_camera
        first = hand_at(self.watched, motion, path.start, side, params.hand_gap)
        humans = [
            human_at(self.watched, motion, stamp, side, base_T_camera, params.hand_gap)
            for stamp in path.stamps
        ]
        if first is None or humans[0] is None:
            raise HandNotSeenError(
                f'{self.video.path}: no {side} hand is seen within {params.hand_gap:.2f} s of the '
                f'start of the manipulation at {path.start:.2f} s: it must be in the picture just '
                'before it touches the object, or change lead or hand_gap'
            )
        return first, humans


@dataclass(frozen=True)
class _Begun:
    """The moment before the manipulation, and what follows."""

    path: ObjectPath
    lowest: float  # [m] of the object over the table as it was seen at first
    hand: TrackedHand
    humans: list[HumanHand | None]  # (T,) at each step of the path
    posture: Posture


def _begin(seen: _Seen, draft: PracticeRun, postures: Postures) -> _Begun:
    """Return the latest start, from the asked lead on, in which the robot touches nothing.

    Raises:
        MimicError: There is none. What is wrong with the asked lead is told: if the robot is in
            the way there, that is why earlier ones were tried, whatever is wrong with those.
    """
    params, home = seen.params, postures.robot.home
    first: MimicError | None = None
    for lead in range(params.lead, params.lead + params.earlier + 1, _EARLIER_STEP):
        try:
            path, lowest = seen.path(lead)
            hand, humans = seen.hands(path)
            assert humans[0] is not None  # `hands` looked
            run = replace(draft, trajectory=_rows(path.poses))
            targets = palms(postures, humans)
            posture = postures.start(
                humans[0], run, home, np.random.default_rng(0),
                partial(_skipped, postures, targets, params),
            )  # fmt: skip
            return _Begun(path, lowest, hand, humans, posture)
        except MimicError as error:
            first = first or error
            if not isinstance(first, BlockedStartError):
                raise
    assert first is not None  # the asked lead was tried
    raise first


def _skipped(
    postures: Postures, targets: list[FloatArray | None], params: PrepareParams, arm: FloatArray
) -> float:
    """Return the share of the palms' steps [1] that the arm (A,) cannot follow."""
    return float(np.isnan(follow(postures, targets, arm, params)[:, 0]).mean())


def write_run(
    prepared: Prepared, mesh: Path, folder: Path, *, mesh_scale: float = 1.0
) -> tuple[str, ...]:
    """Write the run folder with its pictures; return remarks, such as on one that is missing.

    Raises:
        WrongRobotError: The folder holds a run of another robot.
        ConfigError: The folder holds something else.
    """
    check_folder(folder, prepared.run.arm, prepared.run.hand)
    folder.mkdir(parents=True, exist_ok=True)
    name = Path(prepared.run.object.mesh)
    part = folder / f'{name.stem}.part{name.suffix}'
    if mesh_scale == 1.0 and not prepared.origin.any():
        shutil.copyfile(mesh, part)
    else:
        prepared.model.trimesh().export(part)
    task_part = folder / f'{TASK_FILE}.part'
    save_task_file(twin_task(prepared.run, prepared.places[prepared.reached]), task_part)
    # All is there before any of it takes the place of an earlier run's.
    save_run(prepared.run, folder, {part: folder / name, task_part: folder / TASK_FILE})
    (folder / _REPORT).write_text(json.dumps(prepared.report(), indent=1) + '\n')
    path, video = prepared.path, prepared.video
    stamps = np.linspace(path.start, path.stamps[-1], _TILES)
    frames = video.frames_at(stamps)
    rows = [int(np.argmin(np.abs(path.stamps - frame.stamp))) for frame in frames]
    track = pictures.object_track(
        frames, path.poses[rows], path.poses, prepared.model, video.world_T_camera
    )
    save_picture(folder / pictures.OBJECT_TRACK, track)
    notes = (
        f'{frames[0].stamp:.2f} s, {path.moved - path.start:.2f} s before the object moves\n'
        f'fitted to {prepared.hand.method}'
    )
    save_picture(
        folder / pictures.HAND_AT_START, pictures.hand_at_start(frames[0], prepared.hand, notes)
    )
    picture = folder / pictures.ROBOT_AT_START
    try:
        save_picture(picture, pictures.robot_at_start(prepared.run, prepared.run.robot()))
    except ConfigError as error:
        picture.unlink(missing_ok=True)  # it would be of an earlier run
        return (
            f'the run is whole, but without {picture.name}: {error}; install libegl1, or name '
            'what draws here in MUJOCO_GL, and prepare again',
        )
    return ()


def check_folder(folder: Path, arm: str, hand: str) -> None:
    """Refuse a folder that holds something else than a run of this robot.

    What a killed process or a full disk left of one is written anew.

    Raises:
        WrongRobotError: The folder holds a run of another robot.
        ConfigError: The folder holds something else.
    """
    if (folder / RUN_FILE).exists():
        try:
            load_run(folder).check_robot(arm, hand)
        except WrongRobotError as error:
            raise WrongRobotError(f'{folder}: {error}: choose another folder') from None
    elif folder.exists() and not is_left_over(folder):
        raise ConfigError(f'{folder} holds something else than a run: choose another folder')


def practice_model(
    mesh: Path, scale: float, params: PrepareParams
) -> tuple[ObjectModel, Fit, FloatArray]:
    """Return the model of a mesh file, its primitives, and its origin (3,) [m] in the file.

    About the origin an object is turned at the start and reached from; it lies on the round axis,
    which no turn moves, and in the box around the mesh. Where that of the file does not, as that
    of a scan, it is moved to the middle; the object then has a name of its own, since who tracks
    it with the file sees another origin.

    Raises:
        ConfigError: The mesh cannot be used.
    """
    model = load_object(mesh, scale, params.symmetry)
    fit = _fit(model, mesh, params)
    model = _round_about_body(model, fit)
    if _origin_is_good(model):
        return model, fit, np.zeros(3)
    origin = model.centre if model.symmetry.axis is None else model.symmetry.centre
    centred = make_object(
        f'{model.name}{_CENTRED}', model.vertices - origin, model.faces,
        symmetry=params.symmetry, source=str(mesh),
    )  # fmt: skip
    fit = _fit(centred, mesh, params)
    return _round_about_body(centred, fit), fit, origin


def _origin_is_good(model: ObjectModel) -> bool:
    """Tell whether the origin is on the round axis, if there is one, and in the box."""
    symmetry = model.symmetry
    low, high = model.vertices.min(axis=0) - _OFF_BOX, model.vertices.max(axis=0) + _OFF_BOX
    if not ((low <= 0.0) & (high >= 0.0)).all():
        return False
    if symmetry.axis is None:
        return True
    off = symmetry.centre
    if not symmetry.ball:
        off = off - (off @ symmetry.axis) * symmetry.axis
    return float(np.linalg.norm(off)) <= _OFF_AXIS


def _fit(model: ObjectModel, mesh: Path, params: PrepareParams) -> Fit:
    if model.holes and not params.open_mesh:
        raise ConfigError(
            f'{mesh} has {model.holes} holes, so its inside is not known: close them (in a mesh '
            'editor, or trimesh.repair.fill_holes), or accept what primitives make of it with '
            'open_mesh'
        )
    fit = fit_primitives(model.vertices, model.faces, str(mesh))
    if fit.error > params.shape_error:
        raise ConfigError(
            f'{mesh}: primitives differ from it by {1e3 * fit.error:.1f} mm on average, '
            f'shape_error = {1e3 * params.shape_error:.1f} mm: split the mesh into convex pieces '
            '(each becomes a box, cylinder or sphere), or accept it with a larger shape_error'
        )
    return fit


def _round_about_body(model: ObjectModel, fit: Fit) -> ObjectModel:
    return replace(model, symmetry=round_about_body(model.symmetry, fit.parts))


def _anchors(model: ObjectModel) -> FloatArray:
    """Return anchors (A, 3) about the frame's origin that no turn which looks the same moves."""
    axis = model.symmetry.axis
    if axis is None:
        return axes_anchors()
    if model.symmetry.ball:
        return axes_anchors(('x', 'y', 'z'))
    along = np.abs(axis)
    if along.max() < _ALONG:
        raise ConfigError(
            f'{model.name} is round about {np.round(axis, 2).tolist()}, which is none of the axes '
            'of its file: turn the mesh so that it is'
        )
    return axes_anchors(('xyz'[int(np.argmax(along))],))


def _on_table(path: ObjectPath, model: ObjectModel) -> tuple[ObjectPath, float]:
    """Return the path with the first pose standing on the table, and its height before [m].

    Raises:
        ConfigError: It floats or sinks by more than an error of tracking.
    """
    lowest = float(apply(path.poses[0], model.vertices)[:, 2].min())
    if abs(lowest) > _TABLE_ERROR:
        raise ConfigError(
            f'the object seems to be {1e3 * lowest:.0f} mm above the table (z = 0 in world) '
            'before it is moved: check the pose of the camera with ./mimic calibrate check, and '
            'the mesh'
        )
    poses = path.poses.copy()
    poses[:, 2, 3] -= lowest
    return replace(path, poses=poses), lowest


def _rows(poses: FloatArray) -> FloatArray:
    return np.array([[*pose[:3, 3], *to_quat_xyzw(pose)] for pose in poses])


def _camera(video: DemonstrationVideo) -> dict[str, Any]:
    optics, pose = video.intrinsics, video.world_T_camera
    return {
        'world_T_camera': [*pose[:3, 3].round(6).tolist(), *to_quat_xyzw(pose).round(6).tolist()],
        'width': optics.width,
        'height': optics.height,
        'fx': optics.fx,
        'fy': optics.fy,
        'cx': optics.cx,
        'cy': optics.cy,
    }
