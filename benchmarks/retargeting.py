"""Hand retargeting against dex-retargeting: same objective, hands, landmarks and bounds.

The landmarks are MediaPipe's of the real video where it lies beside the repository, and a smooth
random motion of each hand with noise (--seed). Both solvers minimise smooth L1 (δ = 20 mm, mean
over the components of the positions or over the vectors) + 4e-3 |q − q_last|², the objective of
dex-retargeting. Each runs on its own past for time and mean objective; besides, each frame is
solved by both from the same past.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, Options, Row, at_least, at_most, info, timings
from mimic_core.arrays import FloatArray
from mimic_core.frames import BASE, PALM, apply, hand_frame, inverse
from mimic_core.keypoints import INDEX, NUM_KEYPOINTS
from mimic_description import RobotModel, hand_model
from mimic_retargeting import DexterousRetargeter, HandSolver, HumanHand
from mimic_retargeting.hand_solver import Loss
from mimic_retargeting.params import RetargetingParams

HANDS = ('allegro', 'leap', 'ability')
VIDEO = ROOT.parent / 'shared' / 'data' / 'human_hand_video.mp4'
HUBER_DELTA = 0.02  # [m], default of dex-retargeting
NORM_DELTA = 4e-3  # default of dex-retargeting
MEDIAN_LIMIT = 0.3  # [ms]
RATIO_LIMIT = 0.2
# What rounding to float32 in the peer's result can be worth.
EQUAL = 1e-7


@dataclass(frozen=True)
class Problem:
    """One objective on one hand."""

    links: tuple[tuple[str | None, str], ...]  # vectors from, to; None: origin of palm
    targets: list[FloatArray]  # frames of (T, 3) [m] in the axes of palm
    kind: str  # position or vector


def run(options: Options) -> list[Row]:
    """Return times, ratios and objectives for each hand and objective."""
    video = video_landmarks(120 if options.quick else 621)
    rows = [info('frames of the real video', len(video), '')]
    for name in HANDS:
        robot = hand_model(name)
        for source, frames in (
            ('video', video),
            ('random motion', synthetic_landmarks(robot, options)),
        ):
            if not frames:
                continue
            for problem in (position_problem(robot, frames), vector_problem(robot, frames)):
                rows += compare(f'{name}, {source}, {problem.kind}', robot, problem)
            rows += product(f'{name}, {source}', robot, frames)
    return rows


# Landmarks -----------------------------------------------------------------------------------


def video_landmarks(count: int) -> list[FloatArray]:
    """Return (21, 3) [m] for each frame with a hand, in the hand's frame; empty without video."""
    if not VIDEO.is_file():
        return []
    import cv2

    from mimic_hand_tracking.detector import make_detector
    from mimic_hand_tracking.params import TrackingParams

    detector, video, frames = make_detector(TrackingParams()), cv2.VideoCapture(str(VIDEO)), []
    for number in range(count):
        ok, image = video.read()
        if not ok:
            break
        found = detector.detect(
            np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8), number / 30
        )
        if not found:
            continue
        hand = max(found, key=lambda one: one.score)
        left = hand.right_probability < 0.5
        points = apply(inverse(hand_frame(hand.world, left=left)), hand.world)
        frames.append(points * (1.0, -1.0 if left else 1.0, 1.0))
    detector.close()
    video.release()
    return frames


def synthetic_landmarks(robot: RobotModel, options: Options) -> list[FloatArray]:
    """Return frames of keypoints that a smooth random motion of the robot's hand would explain."""
    assert robot.hand is not None and robot.hand.retargeting is not None
    entry, rng = robot.hand.retargeting, np.random.default_rng(options.seed)
    lower, upper = robot.limits.lower, robot.limits.upper
    links = {**entry.keypoints, **{v.to_keypoint: v.to_link for v in entry.vectors}}
    middle = lower + (upper - lower) * rng.uniform(0.3, 0.7, len(lower))
    rate, phase = rng.uniform(0.1, 0.5, len(lower)), rng.uniform(0, 2 * np.pi, len(lower))
    frames = []
    for k in range(120 if options.quick else 600):
        q = middle + 0.3 * (upper - lower) * np.sin(2 * np.pi * rate * k / 30 + phase)
        q = np.clip(q, lower, upper)
        points = np.zeros((NUM_KEYPOINTS, 3))
        for keypoint, link in links.items():
            noise = rng.normal(0.0, 0.005, 3)
            points[INDEX[keypoint]] = robot.fk(q, link, PALM)[:3, 3] / entry.scale + noise
        frames.append(points)
    return frames


# Objectives ----------------------------------------------------------------------------------


def position_problem(robot: RobotModel, frames: Sequence[FloatArray]) -> Problem:
    """Return the position objective of the registry entry."""
    assert robot.hand is not None and robot.hand.retargeting is not None
    entry = robot.hand.retargeting
    index = [INDEX[name] for name in entry.keypoints]
    links = tuple((None, link) for link in entry.keypoints.values())
    return Problem(links, [entry.scale * points[index] for points in frames], 'position')


def vector_problem(robot: RobotModel, frames: Sequence[FloatArray]) -> Problem:
    """Return the vector objective of the registry entry."""
    assert robot.hand is not None and robot.hand.retargeting is not None
    entry = robot.hand.retargeting
    start = [INDEX[v.from_keypoint] for v in entry.vectors]
    end = [INDEX[v.to_keypoint] for v in entry.vectors]
    links = tuple((None if v.from_link == PALM else v.from_link, v.to_link) for v in entry.vectors)
    targets = [entry.scale * (points[end] - points[start]) for points in frames]
    return Problem(links, targets, 'vector')


def our_solver(robot: RobotModel, problem: Problem) -> HandSolver:
    """Return our solver with the peer's loss."""
    loss: Loss = 'huber_components' if problem.kind == 'position' else 'huber'
    return HandSolver(robot, problem.links, beta=NORM_DELTA, loss=loss, delta=HUBER_DELTA)


class Peer:
    """dex-retargeting on our URDF, called below its filters, with exactly the joint limits."""

    def __init__(self, robot: RobotModel, problem: Problem) -> None:
        from dex_retargeting.retargeting_config import RetargetingConfig

        self._base_T_palm = robot.fk(robot.home, PALM, BASE)
        with tempfile.TemporaryDirectory() as folder:
            urdf = Path(folder) / 'hand.urdf'
            urdf.write_text(robot.urdf)
            settings: dict[str, Any] = {
                'type': problem.kind,
                'urdf_path': str(urdf),
                'target_joint_names': list(robot.joint_names),
                'normal_delta': NORM_DELTA,
                'huber_delta': HUBER_DELTA,
                'target_link_human_indices': np.zeros((2, len(problem.links)), dtype=int),
            }
            if problem.kind == 'position':
                settings['target_link_names'] = [b for _, b in problem.links]
                settings['target_link_human_indices'] = np.zeros(len(problem.links), dtype=int)
            else:
                settings['target_origin_link_names'] = [a or PALM for a, _ in problem.links]
                settings['target_task_link_names'] = [b for _, b in problem.links]
                settings['scaling_factor'] = 1.0
            RetargetingConfig.set_default_urdf_dir(folder)
            self._optimizer = RetargetingConfig.from_dict(settings).build().optimizer
        limits = np.stack([robot.limits.lower, robot.limits.upper], axis=1)
        self._optimizer.set_joint_limit(limits, epsilon=0.0)
        self._position = problem.kind == 'position'

    def targets(self, target: FloatArray) -> FloatArray:
        """Return what the peer wants: positions or vectors in the URDF's base."""
        turned = target @ self._base_T_palm[:3, :3].T
        base = turned + self._base_T_palm[:3, 3] if self._position else turned
        return base.astype(np.float32)

    def solve(self, target: FloatArray, q_last: FloatArray) -> FloatArray:
        """Return the joints for what `targets` returned."""
        with contextlib.redirect_stdout(None):
            q = self._optimizer.retarget(target, np.zeros(0, dtype=np.float32), q_last)
        return q.astype(np.float64)


def compare(name: str, robot: RobotModel, problem: Problem) -> list[Row]:
    """Return rows for one hand and objective; without the peer, only ours."""
    ours = our_solver(robot, problem)
    count = len(problem.links)
    weights = np.full(count, 1.0 / (3 * count if problem.kind == 'position' else count))
    try:
        peer = Peer(robot, problem)
    except ImportError as error:
        print(f'without dex-retargeting: {error}')
        peer = None
    lower, upper = robot.limits.lower, robot.limits.upper
    q_ours = q_peer = 0.5 * (lower + upper)
    times: dict[str, list[float]] = {'ours': [], 'peer': []}
    costs: dict[str, list[float]] = {'ours': [], 'peer': [], 'same start': []}

    def cost(q: FloatArray, target: FloatArray, q_last: FloatArray) -> float:
        return ours.objective(np.clip(q, lower, upper), target, weights, q_last)[0]

    for target in problem.targets:
        started = time.perf_counter()
        solution = ours.solve(target, weights, q_ours)
        times['ours'].append(time.perf_counter() - started)
        costs['ours'].append(cost(solution.q, target, q_ours))
        if peer is not None:
            wanted = peer.targets(target)
            started = time.perf_counter()
            q = peer.solve(wanted, q_peer)
            times['peer'].append(time.perf_counter() - started)
            costs['peer'].append(cost(q, target, q_peer))
            costs['same start'].append(cost(ours.solve(target, weights, q_peer).q, target, q_peer))
            q_peer = np.clip(q, lower, upper)
        q_ours = solution.q
    rows = timings(f'{name}: ours', times['ours'], MEDIAN_LIMIT)
    if peer is None:
        return rows
    rows += timings(f'{name}: dex-retargeting', times['peer'])
    ratio = float(np.median(times['ours']) / np.median(times['peer']))
    same, theirs = np.array(costs['same start']), np.array(costs['peer'])
    return [
        *rows,
        at_most(f'{name}: time, ours over theirs', ratio, '1', RATIO_LIMIT),
        at_most(
            f'{name}: mean objective, ours over theirs',
            float(np.mean(costs['ours']) / np.mean(theirs)), '1', 1.0,
        ),
        at_most(
            f'{name}: the same from the same start', float(same.mean() / theirs.mean()), '1', 1.0
        ),
        info(
            f'{name}: frames where ours is equal or lower from the same start',
            100 * float(np.mean(same <= theirs + EQUAL)), '%',
        ),
    ]  # fmt: skip


def product(name: str, robot: RobotModel, frames: Sequence[FloatArray]) -> list[Row]:
    """Return the times of what the node runs: the pinch objective, with the measured joints."""
    squeeze = RetargetingParams().max_squeeze
    retargeter = DexterousRetargeter(robot, 'pinch', smoothing=0.1, max_squeeze=squeeze)
    q, times, limits = robot.hand_open, [], True
    for points in frames:
        human = HumanHand(np.eye(4), points, np.ones(NUM_KEYPOINTS), left=False)
        started = time.perf_counter()
        q = retargeter.solve(human, q, measured=q).q
        times.append(time.perf_counter() - started)
        limits = limits and robot.limits.contains(q)
    return [
        *timings(f'{name}, pinch as in the node: ours', times, MEDIAN_LIMIT),
        at_least(f'{name}, pinch: joints within limits', float(limits), '1', 1.0),
    ]
