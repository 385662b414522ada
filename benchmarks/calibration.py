"""Calibration in the twin with known truth: pictures of MuJoCo with noise, a robot with flaws."""

import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Options, Row, at_most, info, timings
from mimic_calibration.board import Board
from mimic_calibration.calibrate import calibrate_hand_eye
from mimic_calibration.detection import Detection, Detector
from mimic_calibration.errors import CalibrationError, DetectionError
from mimic_calibration.hand_eye import MOUNTS, Sample
from mimic_calibration.intrinsics import IntrinsicsResult, calibrate_intrinsics, ray_error
from mimic_calibration.proposal import is_seen, propose, random_view
from mimic_calibration.refine import Assumptions, refine
from mimic_calibration.twin import TwinCell
from mimic_core.arrays import FloatArray

ROBOTS = (('iiwa14', 'robotiq_2f85'), ('panda', 'panda_hand'))
SHIFT_LIMIT, TURN_LIMIT = 2.0, 0.3  # [mm], [deg]
POSES, VIEWS = 25, 25
FEW = (8, 12)
POSES_ONLY = Assumptions(joint_offset=0.0, scale=0.0, focal=0.0, centre=0.0)

Errors = dict[str, list[tuple[float, float]]]


def run(options: Options) -> list[Row]:
    """Calibrate each robot with each mount for some seeds."""
    seeds = range(options.seed, options.seed + (1 if options.quick else 6))
    rows: list[Row] = []
    optics: list[tuple[IntrinsicsResult, TwinCell]] = []
    durations: list[float] = []
    ablation: Errors = defaultdict(list)
    for arm, hand in ROBOTS:
        for mount in MOUNTS:
            errors: Errors = defaultdict(list)
            for seed in seeds:
                cell = TwinCell(arm, hand, Board(), mount, seed)
                try:
                    _one(cell, hand, seed, errors, optics, durations)
                finally:
                    cell.close()
            name = f'{arm}, {mount.replace("_", " ")}'
            rows += _judged(name, errors['refined'])
            for key, values in errors.items():
                ablation[key] += values
    tags: Errors = defaultdict(list)
    for seed in seeds[:2]:
        cell = TwinCell('iiwa14', 'robotiq_2f85', Board.april(2, 2, 0.06, 0.02), MOUNTS[0], seed)
        try:
            _one(cell, 'robotiq_2f85', seed, tags, [], [])
        finally:
            cell.close()
    rows += _judged('iiwa14, eye to hand, four AprilTags', tags['refined'])
    rows += [row for key, values in ablation.items() for row in _informed(key, values)]
    rows += _intrinsics_rows(optics)
    rows += timings(f'refinement of {POSES} poses with its checks', durations)
    return rows


def _one(
    cell: TwinCell,
    hand: str,
    seed: int,
    errors: Errors,
    optics: list[tuple[IntrinsicsResult, TwinCell]],
    durations: list[float],
) -> None:
    """Calibrate one cell from the intrinsics to the pose."""
    rng = np.random.default_rng(seed)
    detector = Detector(cell.board)
    lens = calibrate_intrinsics(list(_views(cell, detector, rng)))
    optics.append((lens, cell))
    intrinsics, mount, arm = lens.intrinsics, cell.mount, cell.arm
    samples = []
    poses = propose(arm, hand, cell.board, cell.truth, intrinsics, POSES, rng)
    for number, q in enumerate(poses):
        try:
            detection = detector.detect(cell.see(q))
        except DetectionError:
            continue  # the gripper hides the board
        samples.append(Sample(f'{number:03d}', cell.measure(q), detection))
    started = time.perf_counter()
    result = calibrate_hand_eye(mount, samples, arm, intrinsics, rng)
    durations.append(time.perf_counter() - started)
    errors['refined'].append(cell.errors(result.refined.solution.reference_T_camera))
    errors['expected by itself'].append((result.refined.shift_error, result.refined.turn_error))
    for name, solution in result.solvers.items():
        errors[f'solver {name} alone'].append(cell.errors(solution.reference_T_camera))
    start = result.solvers['park']
    plain = refine(start, samples, arm, intrinsics, POSES_ONLY, hold_out=False)
    errors['refined, the two poses only'].append(cell.errors(plain.solution.reference_T_camera))
    for count in FEW:
        try:
            few = calibrate_hand_eye(mount, samples[:count], arm, intrinsics, rng)
        except CalibrationError:
            errors[f'refined, {count} poses'].append((np.nan, np.nan))
            continue
        errors[f'refined, {count} poses'].append(
            cell.errors(few.refined.solution.reference_T_camera)
        )


def _views(cell: TwinCell, detector: Detector, rng: np.random.Generator) -> Iterator[Detection]:
    """Yield views of a board that a person holds."""
    count = 0
    while count < VIEWS:
        pose = random_view(cell.board, cell.intrinsics, rng)
        if not is_seen(cell.board, pose, cell.intrinsics):
            continue
        try:
            yield detector.detect(cell.show(pose))
        except DetectionError:
            continue  # the robot is in the way
        count += 1


def _judged(name: str, errors: list[tuple[float, float]]) -> list[Row]:
    shift, turn = _columns(errors)
    return [
        at_most(f'{name}: position, median', np.median(shift), 'mm', SHIFT_LIMIT),
        at_most(f'{name}: position, worst of {len(shift)}', shift.max(), 'mm', SHIFT_LIMIT),
        at_most(f'{name}: orientation, median', np.median(turn), '°', TURN_LIMIT),
        at_most(f'{name}: orientation, worst of {len(turn)}', turn.max(), '°', TURN_LIMIT),
    ]


def _informed(name: str, errors: list[tuple[float, float]]) -> list[Row]:
    shift, turn = _columns(errors)
    good = np.isfinite(shift)
    text = f'all cells, {name}' + ('' if good.all() else f' ({int((~good).sum())} refused)')
    return [
        info(f'{text}: position, median', np.median(shift[good]), 'mm'),
        info(f'{text}: position, worst', shift[good].max(), 'mm'),
        info(f'{text}: orientation, median', np.median(turn[good]), '°'),
        info(f'{text}: orientation, worst', turn[good].max(), '°'),
    ]


def _columns(errors: list[tuple[float, float]]) -> tuple[FloatArray, FloatArray]:
    shift, turn = np.array(errors).T
    return 1e3 * shift, np.degrees(turn)


def _intrinsics_rows(optics: list[tuple[IntrinsicsResult, TwinCell]]) -> list[Row]:
    focal = [100 * abs(r.intrinsics.fx / c.intrinsics.fx - 1) for r, c in optics]
    centre = [
        float(np.hypot(r.intrinsics.cx - c.intrinsics.cx, r.intrinsics.cy - c.intrinsics.cy))
        for r, c in optics
    ]
    rays = [
        ray_error(r.intrinsics, c.intrinsics) * 0.5 * (c.intrinsics.fx + c.intrinsics.fy)
        for r, c in optics
    ]
    return [
        info('intrinsics: focal length, median', np.median(focal), '%'),
        info('intrinsics: focal length, worst', max(focal), '%'),
        info('intrinsics: principal point, median', np.median(centre), 'px'),
        info('intrinsics: principal point, worst', max(centre), 'px'),
        info('intrinsics: largest error of a ray in the picture, median', np.median(rays), 'px'),
        info('intrinsics: largest error of a ray in the picture, worst', max(rays), 'px'),
        info('intrinsics: held-out error, median',
             np.median([r.held_out for r, _ in optics]), 'px'),
    ]  # fmt: skip
