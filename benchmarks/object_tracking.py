"""Object tracking: pose error against the truth, clean and behind a hand; starts; rate; a peer."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import small_gicp
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from benchmarks.harness import Options, Row, at_least, at_most, info
from benchmarks.object_scenes import MOTIONS, SHAPES, Motion, ObjectStage, model_of
from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame
from mimic_core.frames import apply, inverse, transform
from mimic_hand_tracking import HandTracker, TrackingParams
from mimic_object_tracking import ObjectModel, ObjectTracker, ObjectTrackingParams
from mimic_object_tracking.align import align
from mimic_object_tracking.plane import find_plane, sparse_points
from mimic_object_tracking.scene import Scene, make_scene
from mimic_sim.studio import GroundTruth, Variation

PARAMS = ObjectTrackingParams(objects=('in memory',))
CLEAN, HANDLED, PASSED = (
    ('push', 'lift'),
    ('pushed by a hand', 'lifted by a hand'),
    ('hand passes before it',),
)
OFF = (0.012, np.radians(8.0))  # [m], [rad] by which starts of the comparison are off
ELSEWHERE = (0.02, 0.4)  # [m], [rad] by which a seed moves and turns a motion
_NEAR = 8  # triangles that are looked at for the distance of a point


@dataclass
class Score:
    """What became of the pictures of one kind of motion."""

    adds: list[float] = field(default_factory=list)  # [m]
    distance: list[float] = field(default_factory=list)  # [m]
    angle: list[float] = field(default_factory=list)  # [rad]
    pictures: int = 0
    seen: int = 0
    cost: list[float] = field(default_factory=list)  # [s] of processor time a picture
    wall: list[float] = field(default_factory=list)  # [s]
    gap: list[int] = field(default_factory=list)  # pictures in a row without a pose


class Judge:
    """Compares poses of one object with the truth."""

    def __init__(self, model: ObjectModel) -> None:
        self.model = model
        self._points = model.points[:: max(1, len(model.points) // 500)]
        mesh = model.trimesh()
        samples, self._faces = trimesh.sample.sample_surface_even(mesh, 20_000, seed=3)
        self._triangles, self._tree = np.asarray(mesh.triangles), cKDTree(np.asarray(samples))

    def adds(self, pose: FloatArray, truth: FloatArray) -> float:
        """Return ADD-S [m]: mean distance of points of the true surface to the estimated one.

        To the triangles about the nearest samples, not to the samples, whose spacing would be the
        floor. Source: Xiang et al. 2018, PoseCNN, section V-B.
        """
        points = apply(inverse(pose) @ truth, self._points)
        near = self._faces[self._tree.query(points, k=_NEAR)[1]].ravel()
        many = np.repeat(points, _NEAR, axis=0)
        touched = trimesh.triangles.closest_point(self._triangles[near], many)
        apart = np.linalg.norm(touched - many, axis=1).reshape(-1, _NEAR)
        return float(apart.min(axis=1).mean())

    def add(self, score: Score, pose: FloatArray, truth: FloatArray) -> None:
        """Take one pose."""
        distance, angle = self.model.symmetry.difference(pose, truth)
        score.adds.append(self.adds(pose, truth))
        score.distance.append(distance)
        score.angle.append(angle)


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _pictures(
    name: str, motion: Motion, variation: Variation
) -> Iterator[tuple[Frame, GroundTruth]]:
    stage = ObjectStage(name, variation)
    try:
        yield from stage.frames(motion)
    finally:
        stage.close()


def _sequence(
    name: str, judge: Judge, motion: Motion, variation: Variation, score: Score,
    hand_tracker: HandTracker | None,
) -> None:  # fmt: skip
    tracker = ObjectTracker([judge.model], PARAMS)
    if hand_tracker is not None:
        hand_tracker.reset()
    gap = 0
    for frame, truth in _pictures(name, motion, variation):
        hands = () if hand_tracker is None else hand_tracker.process_frame(frame)
        with _one_core():
            wall, cost = time.perf_counter(), time.process_time()
            found = tracker.process(frame, hands)
            score.cost.append(time.process_time() - cost)
            score.wall.append(time.perf_counter() - wall)
        score.pictures += 1
        if found:
            score.seen += 1
            judge.add(score, found[0].camera_T_object, truth.objects[name])
            if gap:
                score.gap.append(gap)
            gap = 0
        else:
            gap += 1


def _elsewhere(motion: Motion, rng: np.random.Generator) -> Motion:
    """Return a motion that begins at another place and turn, little enough to stay in sight."""
    shift = np.array([*rng.uniform(-ELSEWHERE[0], ELSEWHERE[0], 2), 0.0])
    spin = transform(
        Rotation.from_euler('z', rng.uniform(-ELSEWHERE[1], ELSEWHERE[1])).as_matrix(), np.zeros(3)
    )

    def pose(time: float, half: float) -> FloatArray:
        moved = motion.pose(time, half) @ spin
        moved[:3, 3] += shift
        return moved

    return replace(motion, pose=pose)


def _motions(options: Options) -> Iterator[Row]:
    """Follow each object through each motion, in places, rooms, lights and hands by chance."""
    rng = np.random.default_rng([options.seed, 5])
    hand_tracker = HandTracker(TrackingParams(filter_cutoff=0.0, confirm_frames=1))
    rates: list[float] = []
    for kind, motions in (('clean', CLEAN), ('held', HANDLED), ('passed', PASSED)):
        often = 2 if kind == 'clean' and not options.quick else 1
        for name in SHAPES:
            judge, score = Judge(model_of(name)), Score()
            for motion in motions * often:
                variation = Variation.sample(rng, clutter=False)
                hands = None if kind == 'clean' else hand_tracker
                _sequence(name, judge, _elsewhere(MOTIONS[motion], rng), variation, score, hands)
            yield from _rows(kind, name, score)
            rates.append(score.pictures / sum(score.wall))
    hand_tracker.close()
    yield at_least(
        'rate on one core at 640×480, slowest object and motion, by wall time with its start',
        min(rates), 'Hz', 30.0,
    )  # fmt: skip


def _rows(kind: str, name: str, score: Score) -> Iterator[Row]:
    what = f'{kind}, {name}'
    if not score.seen:
        yield at_least(f'{what}, seen', 0.0, '%', 50.0)
        return
    distance = float(np.percentile(score.distance, 95)) * 1e3
    angle = float(np.degrees(np.percentile(score.angle, 95)))
    yield info(f'{what}, ADD-S, mean', float(np.mean(score.adds)) * 1e3, 'mm')
    if kind == 'clean':
        yield at_most(f'{what}, position, p95', distance, 'mm', 5.0)
        yield at_most(f'{what}, rotation, p95', angle, '°', 3.0)
    else:
        yield info(f'{what}, position, p95', distance, 'mm')
        yield info(f'{what}, rotation, p95', angle, '°')
    yield info(f'{what}, position, worst', max(score.distance) * 1e3, 'mm')
    seen = 100.0 * score.seen / score.pictures
    if kind == 'clean':  # errors are only of what is seen
        yield at_least(f'{what}, seen', seen, '%', 95.0)
    else:
        yield info(f'{what}, seen', seen, '%')
    if kind == 'passed' and score.gap:
        yield info(f'{what}, longest gap', max(score.gap), 'pictures')
    yield info(f'{what}, processor time a picture, median', np.median(score.cost) * 1e3, 'ms')
    yield info(f'{what}, wall time a picture, p95', np.percentile(score.wall, 95) * 1e3, 'ms')


def _starts(options: Options) -> Iterator[Row]:
    """Find each object from nothing, at random places, turns and in random rooms."""
    rng = np.random.default_rng([options.seed, 6])
    count = 4 if options.quick else 10
    for name in SHAPES:
        judge, right, costs = Judge(model_of(name)), 0, []
        for _ in range(count):
            stage = ObjectStage(name, Variation.sample(rng))
            turn = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi)).as_matrix()
            place = np.array([*rng.uniform(-0.07, 0.07, 2), stage.half])
            frame, truth = stage.still(transform(turn, place))
            stage.close()
            tracker = ObjectTracker([judge.model], PARAMS)
            began = time.process_time()
            found = tracker.process(frame)
            costs.append(time.process_time() - began)
            if found:
                near = judge.model.symmetry.difference(
                    found[0].camera_T_object, truth.objects[name]
                )
                right += near[0] < 0.005 and near[1] < np.radians(3.0)
        yield info(f'start, {name}, right at once, clutter', 100.0 * right / count, '%')
        yield info(f'start, {name}, processor time, median', np.median(costs) * 1e3, 'ms')


@dataclass(frozen=True)
class Case:
    """One picture in which methods begin a little off."""

    model: ObjectModel
    scene: Scene
    points: FloatArray
    begin: FloatArray
    truth: FloatArray


def _cases(options: Options) -> Iterator[Case]:
    rng = np.random.default_rng([options.seed, 7])
    for name in SHAPES:
        model, stage = model_of(name), ObjectStage(name)
        tracker = ObjectTracker([model], PARAMS)
        for index in range(5 if options.quick else 20):
            motion = MOTIONS['push' if index % 2 else 'lift']
            when = rng.uniform(0.2, motion.duration)
            frame, truth = stage.at(motion, when)
            assert frame.depth is not None
            plane = find_plane(sparse_points(frame.depth, frame.intrinsics, PARAMS.farthest))
            pose = truth.objects[name]
            box = tracker.tracks[0].box(pose, frame.intrinsics)
            scene = make_scene(
                frame.depth, frame.intrinsics, box=box, plane=plane,
                clearance=PARAMS.clearance, farthest=PARAMS.farthest,
            )  # fmt: skip
            direction = rng.normal(size=(2, 3))
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            turn = Rotation.from_rotvec(OFF[1] * direction[0]).as_matrix()
            begin = transform(turn @ pose[:3, :3], pose[:3, 3] + OFF[0] * direction[1])
            yield Case(model, scene, scene.points(1500), begin, pose)
        stage.close()


def _both_ways(case: Case) -> FloatArray:
    return align(
        case.model, case.scene, case.begin, points=case.points, wide=0.012, iterations=12,
        samples=1000,
    )  # fmt: skip


def _points_only(case: Case) -> FloatArray:
    return align(
        case.model, case.scene, case.begin, points=case.points, wide=0.012, iterations=12,
        samples=1000, both_ways=False,
    )  # fmt: skip


class Peer:
    """small_gicp on the same points, with the mesh's surface as its target."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._targets: dict[str, Any] = {}
        self._trees: dict[str, Any] = {}

    def __call__(self, case: Case) -> FloatArray:
        """Return the pose; preparing the target is not timed: `prepare` does it."""
        result = small_gicp.align(
            self._targets[case.model.name], small_gicp.PointCloud(case.points),
            self._trees[case.model.name], inverse(case.begin), registration_type=self._kind,
            max_correspondence_distance=0.03, num_threads=1, max_iterations=30,
            rotation_epsilon=1e-4, translation_epsilon=1e-5,  # its defaults end at 1 mm
        )  # fmt: skip
        return inverse(np.asarray(result.T_target_source))

    def prepare(self, case: Case) -> None:
        """Make target and tree of an object once."""
        if case.model.name not in self._targets:
            surface, _ = trimesh.sample.sample_surface_even(case.model.trimesh(), 20_000, seed=0)
            cloud = small_gicp.PointCloud(np.asarray(surface))
            tree = small_gicp.KdTree(cloud, num_threads=1)
            small_gicp.estimate_normals_covariances(cloud, tree, num_neighbors=12, num_threads=1)
            self._targets[case.model.name] = cloud
            self._trees[case.model.name] = tree


def _comparison(options: Options) -> Iterator[Row]:
    cases = list(_cases(options))
    peers = {kind: Peer(kind) for kind in ('ICP', 'PLANE_ICP')}
    methods: dict[str, Callable[[Case], FloatArray]] = {
        'ours, both ways': _both_ways,
        'ours, points only': _points_only,
    }
    for kind, peer in peers.items():
        for case in cases:
            peer.prepare(case)
        methods[f'small_gicp {kind}'] = peer
    for label, method in methods.items():
        method(cases[0])  # compiled, caches filled
        errors, costs, right = [], [], 0
        for case in cases:
            began = time.process_time()
            pose = method(case)
            costs.append(time.process_time() - began)
            distance, angle = case.model.symmetry.difference(pose, case.truth)
            errors.append(distance)
            right += distance < 0.005 and angle < np.radians(3.0)
        where = 'one picture from 12 mm and 8° off'
        yield info(f'{where}, {label}, within 5 mm and 3°', 100.0 * right / len(cases), '%')
        yield info(f'{where}, {label}, position, median', np.median(errors) * 1e3, 'mm')
        yield info(f'{where}, {label}, processor time, median', np.median(costs) * 1e3, 'ms')


def run(options: Options) -> list[Row]:
    """Render, follow and compare."""
    return [*_motions(options), *_starts(options), *_comparison(options)]
