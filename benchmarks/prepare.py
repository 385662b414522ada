"""From a video to a run: paths, hands and postures against the truth, for tasks and hands."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.harness import Options, Row, at_least, at_most, check_names, info
from mimic_core.errors import MimicError
from mimic_core.frames import apply, hand_frame, rotation_angle
from mimic_core.keypoints import INDEX
from mimic_rl.demonstration import BagWriter, ShowingParams, make_stream
from mimic_rl.prepare import DemonstrationVideo, Prepared, PrepareParams, prepare
from mimic_rl.prepare.path import poses_at
from mimic_rl.shapes import object_mesh
from mimic_rl.shown import known_shown, shown_task

ARM = 'iiwa14'
HANDS = ('allegro', 'leap', 'robotiq_2f85', 'fin_ray')  # the last one as UMI has it
# The hand hides the spout while it pours, and the rest is round.
SYMMETRY = {'pitcher_pour': 'z'}
TIPS = [INDEX[f'{finger}_tip'] for finger in ('thumb', 'index', 'middle', 'ring')]


def run(options: Options) -> list[Row]:
    """Return rows for each task, and in it for each hand; --quick takes half of the pictures."""
    check_names('task', options.only, known_shown())
    rows: list[Row] = []
    for task in known_shown():
        if options.only and task not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows += _task(task, Path(folder), options)
    return rows


def _task(task: str, folder: Path, options: Options) -> list[Row]:
    shown, rate = shown_task(task), 15.0 if options.quick else 30.0
    mesh = folder / f'{shown.object.name}.obj'
    object_mesh(shown.object).export(mesh)
    stream = make_stream(ShowingParams(task=task, seed=options.seed, rate=rate))
    stamps, objects, hands = [], [], []
    with BagWriter(folder / task, stream.world_T_camera) as bag:
        for frame, truth in stream.frames():
            bag.write(frame)
            stamps.append(frame.stamp)
            objects.append(stream.world_T_camera @ truth.objects[shown.object.name])
            hands.append(apply(stream.world_T_camera, truth.keypoints))
    stream.close()
    video = DemonstrationVideo(folder / task)
    params = PrepareParams(lead=round(rate), symmetry=SYMMETRY.get(task, 'auto'))
    rows: list[Row] = []
    watched = None
    for hand in HANDS:
        began = time.perf_counter()
        try:
            done = prepare(
                video, mesh, ARM, hand, task=task, params=params, fixtures=shown.fixtures,
                watched=watched,
            )  # fmt: skip
        except MimicError as error:
            rows.append(at_least(f'{task}, {hand}: accepted ({error})', 0, 'runs', 1))
            continue
        if watched is None:
            watched = done.watched
            times = np.array(stamps) + watched.stamps[0] - stamps[0]
            rows += _against_truth(task, done, times, np.array(objects), np.array(hands))
        # One whose palm is off by more than 5 cm or 3° is not accepted.
        rows += [
            at_least(f'{task}, {hand}: accepted', 1, 'runs', 1),
            info(f'{task}, {hand}: palm off the hand', 1e3 * done.posture.position_error, 'mm'),
            info(f'{task}, {hand}: palm turned', np.degrees(done.posture.angle_error), '°'),
            info(f'{task}, {hand}: steps skipped', 100 * (~done.motion.used).mean(), '%'),
            info(f'{task}, {hand}: time', time.perf_counter() - began, 's'),
        ]
        if np.isfinite(done.posture.tip_error):
            rows.append(info(f'{task}, {hand}: tips off', 1e3 * done.posture.tip_error, 'mm'))
    return rows


def _against_truth(
    task: str, done: Prepared, times: np.ndarray, objects: np.ndarray, hands: np.ndarray
) -> list[Row]:
    truth = poses_at(times, objects, done.path.stamps)
    errors = np.array(
        [done.model.symmetry.difference(a, b) for a, b in zip(done.path.poses, truth, strict=True)]
    )
    row = int(np.argmin(np.abs(times - done.path.start)))
    seen = apply(done.video.world_T_camera, done.hand.keypoints)
    true, found = hand_frame(hands[row]), hand_frame(seen)
    tips = np.linalg.norm(seen[TIPS] - hands[row][TIPS], axis=1)
    return [
        at_most(f'{task}: object, mean', 1e3 * errors[:, 0].mean(), 'mm', 5),
        info(f'{task}: object, worst', 1e3 * errors[:, 0].max(), 'mm'),
        at_most(f'{task}: object turned, mean', np.degrees(errors[:, 1].mean()), '°', 3),
        info(f'{task}: object turned, worst', np.degrees(errors[:, 1].max()), '°'),
        info(f'{task}: wrist at the start', 1e3 * np.linalg.norm(true - found, axis=0)[3], 'mm'),
        info(
            f'{task}: palm turned at the start',
            np.degrees(rotation_angle(true[:3, :3], found[:3, :3])), '°',
        ),
        info(f'{task}: tips at the start', 1e3 * float(np.nanmean(tips)), 'mm'),
    ]  # fmt: skip
