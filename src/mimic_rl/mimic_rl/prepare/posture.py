"""Postures of the robot for a hand: arm to the middle knuckle, then fingers to the finger tips."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, MimicError
from mimic_core.frames import (
    BASE,
    FLANGE,
    GRASP_CENTER,
    PALM,
    apply,
    inverse,
    rotation_angle,
    transform,
)
from mimic_core.keypoints import INDEX
from mimic_description import RobotModel
from mimic_planning import Scene, SceneParams
from mimic_retargeting import ArmIK, Gripper, HandSolver, HumanHand, arm_kernels
from mimic_retargeting.compiled import plain
from mimic_retargeting.tables import build_chain
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.run_folder import PracticeRun
from mimic_rl.world import World, build_world

_KNUCKLE: Final = INDEX['middle_mcp']
_THUMB_TIP, _INDEX_TIP = INDEX['thumb_tip'], INDEX['index_tip']
_PENETRATION: Final = 0.001  # [m] that a shape may reach into another
_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)  # [1] of what is accepted, tried in both directions
_SEEDS: Final = 3  # postures of the arm for each target
_OPENING_COST: Final = 0.08  # [m] of an open hand
_POSTURE_COST: Final = 0.004  # [m/rad] of an arm that is far from where it should be near
_SKIP_COST: Final = 0.2  # [m] of an arm that cannot follow any of the motion from there
_OPENINGS: Final = (0.0, -0.2, 0.2, -0.4, 0.4, 0.6)  # [1] of the way to open; < 0: to closed
_LEAST_WEIGHT: Final = 0.1  # [1] of a tip that is guessed from the rest of the hand
_STEP: Final = 1.0 / 60.0  # [s], of a model that is only looked at
_SEEN: Final = 0.25  # [1] confidence of a tip of which more is known than the hand's model says
_EXACT: Final = 1e-3  # [m], [rad] that counts as met where nothing may be missed
_ITERATIONS: Final = 60  # of the search from one posture


class UnreachableStartError(MimicError):
    """The robot cannot be where the person's hand was."""


class BlockedStartError(UnreachableStartError):
    """The robot would touch something there."""


@dataclass(frozen=True)
class Posture:
    """A posture of the robot that stands for one of the hand."""

    q: FloatArray  # (J,)
    position_error: float  # [m] of the middle knuckle, or of the grasp centre of a gripper
    angle_error: float  # [rad] of the palm
    tip_error: float  # [m] mean of the finger tips; NaN: a gripper


class Postures:
    """Two steps: the arm brings the palm there, then the fingers go to the person's tips."""

    def __init__(self, robot: RobotModel, params: PrepareParams) -> None:
        """Prepare the solvers.

        Raises:
            ConfigError: The robot lacks an arm, or a hand that can be retargeted.
        """
        hand = robot.hand
        if not robot.arm_joints or hand is None or hand.retargeting is None:
            raise ConfigError('practice needs an arm, and a hand with a retargeting entry')
        self.robot: Final = robot
        self._params, self._arm = params, len(robot.arm_joints)
        accepted = np.maximum([params.accept_distance, params.accept_angle], _EXACT)
        self._stiff: Final = accepted**-2.0  # (2,) [1/m²], [1/rad²]
        self._ik: Final = ArmIK(robot, PALM)
        self._chain: Final = build_chain(robot, robot.arm_joints, BASE, [PALM])
        parallel = hand.grasp is not None and hand.grasp.kind == 'parallel'
        self._gripper: Final = Gripper(robot) if parallel else None
        tips = {f: link for f, link in robot.tip_frames().items() if f'{f}_tip' in INDEX}
        self._tips: Final = [] if parallel else [INDEX[f'{finger}_tip'] for finger in tips]
        self._solver: Final = (
            None
            if parallel
            else HandSolver(
                robot, [(None, link) for link in tips.values()],
                beta=hand.retargeting.regularisation,
            )
        )  # fmt: skip
        where = GRASP_CENTER if parallel else _knuckle_link(robot)
        self._held: Final = robot.fk(robot.home, where, PALM)[:3, 3]

    def target(self, human: HumanHand) -> FloatArray | None:
        """Return base_T_palm (4, 4) for a hand; None: what is needed of it is not seen."""
        if self._gripper is None:
            if not np.isfinite(human.points[_KNUCKLE]).all():
                return None
            rotation = human.base_T_hand[:3, :3]
            place = human.to_base(human.points[_KNUCKLE])
        else:
            if not np.isfinite(human.points[[_THUMB_TIP, _INDEX_TIP]]).all():
                return None
            thumb, index = (human.to_base(human.points[k]) for k in (_THUMB_TIP, _INDEX_TIP))
            place = 0.5 * (thumb + index)
            x = (thumb - index) / np.linalg.norm(thumb - index)
            reach = place - human.wrist
            z = reach - (reach @ x) * x
            z = z / np.linalg.norm(z)
            rotation = np.stack([x, np.cross(z, x), z], axis=1)
        return transform(rotation, place - rotation @ self._held)

    def guessed(self, human: HumanHand) -> bool:
        """Tell whether what turns the gripper, the line between two tips, is not really seen."""
        tips = human.confidence[[_THUMB_TIP, _INDEX_TIP]]
        return self._gripper is not None and float(tips.min()) < _SEEN

    def arm(self, target: FloatArray, near: FloatArray, starts: int, rng: np.random.Generator
            ) -> tuple[FloatArray, float, float]:  # fmt: skip
        """Return (A,) joints for base_T_palm near joints (A,), and the errors [m], [rad].

        The error of place is that of the knuckle or grasp centre. A pose that is not reached is
        missed as `nearby` does, not by its turn alone.
        """
        result = self._ik.solve(
            target, near, rng=rng, max_starts=max(starts, 2), position_tolerance=5e-4,
            rotation_tolerance=5e-3,
        )  # fmt: skip
        if result.reached:
            return result.q, *self.errors(target, result.q)
        found = [self.nearby(target, start) for start in (near, result.q)]
        return min(found, key=lambda item: float(self._stiff @ np.square(item[1:])))

    def nearby(
        self,
        target: FloatArray,
        start: FloatArray,
        most: float = np.inf,
        towards: FloatArray | None = None,
    ) -> tuple[FloatArray, float, float]:
        """Return the posture of the arm (A,) into which one (A,) goes over, and its errors.

        Place and turn of base_T_palm count in shares of what is accepted: where the arm does not
        reach the pose, it gives up centimetres of the place rather than degrees of the turn.

        Args:
            target: (4, 4) base_T_palm.
            start: (A,) joints from where it goes.
            most: By which a joint may turn [rad].
            towards: (A,) joints to which it is drawn: 1 rad counts as all that is accepted.
        """
        lower = plain(np.maximum(self._ik.limits.lower, start - most))
        upper = plain(np.minimum(self._ik.limits.upper, start + most))
        q, error = plain(np.clip(start if towards is None else towards, lower, upper)), np.empty(6)
        goal, pull = (q, 0.0) if towards is None else (plain(towards), 1.0)
        arm_kernels.pose_in_box(
            self._chain, q, lower, upper, plain(self._held), plain(target[:3, :3]),
            plain(target[:3, :3] @ self._held + target[:3, 3]), np.array([*self._stiff, pull]),
            goal, q, np.empty((0, self._arm)), np.empty(0), 0.0, 0.0, _ITERATIONS, error,
        )  # fmt: skip
        return q, *self.errors(target, q)

    def accepted(self, place: float, angle: float) -> bool:
        """Tell whether a posture may miss its palm by so much [m], [rad]."""
        return place <= self._params.accept_distance and angle <= self._params.accept_angle

    def errors(self, target: FloatArray, arm: FloatArray) -> tuple[float, float]:
        """Return by how much a posture of the arm (A,) misses base_T_palm: [m], [rad]."""
        here = self._ik.pose(arm)
        offset = (here[:3, :3] - target[:3, :3]) @ self._held + here[:3, 3] - target[:3, 3]
        return float(np.linalg.norm(offset)), rotation_angle(here[:3, :3], target[:3, :3])

    def fingers(
        self, human: HumanHand, arm: FloatArray, last: FloatArray
    ) -> tuple[FloatArray, float]:
        """Return (H,) joints that bring the tips to those of the person, and their error [m].

        Args:
            human: The hand.
            arm: (A,) joints of the arm, which fix the palm.
            last: (H,) from where to search.
        """
        if self._gripper is not None:
            aperture = float(np.linalg.norm(human.points[_THUMB_TIP] - human.points[_INDEX_TIP]))
            return (self._gripper.joints(aperture) if np.isfinite(aperture) else last), np.nan
        assert self._solver is not None  # a hand is one or the other
        palm = self._ik.pose(arm)
        targets = np.zeros((len(self._tips), 3))
        weights = np.zeros(len(self._tips))
        for row, k in enumerate(self._tips):
            if np.isfinite(human.points[k]).all():
                place = human.to_base(human.points[k])
                targets[row] = palm[:3, :3].T @ (place - palm[:3, 3])
                weights[row] = max(human.confidence[k], _LEAST_WEIGHT)
        if not weights.any():
            return last, np.nan
        solutions = [
            self._solver.solve(targets, weights, last, start=start)
            for start in (last, self.robot.home[self._arm :])
        ]
        best = min(solutions, key=lambda solution: solution.objective)
        return best.q, float(best.errors[weights > 0.0].mean())

    def start(
        self,
        human: HumanHand,
        run: PracticeRun,
        near: FloatArray,
        rng: np.random.Generator,
        skipped: Callable[[FloatArray], float] = lambda arm: 0.0,
    ) -> Posture:
        """Return the posture before the manipulation.

        Args:
            human: The hand at that moment.
            run: The table, what stands on it and the object; its start does not matter.
            near: (J,) posture to which the found one should be near.
            rng: Draws seeds.
            skipped: Share of the motion [1] that cannot be followed from joints of the arm (A,).

        Raises:
            UnreachableStartError: The arm misses it by more than is accepted.
            BlockedStartError: Everything within the accepted errors touches something.
        """
        exact = self.target(human)
        if exact is None:
            raise UnreachableStartError(
                'what guides the arm (the middle knuckle; thumb and index tip for a gripper) is '
                'not seen before the manipulation'
            )
        clearance = Clearance(self.robot, run)
        found: list[tuple[float, Posture]] = []
        least, blocked = (np.inf, np.inf), ''
        for target in self._targets(exact, human, run, near, rng):
            for seed in range(_SEEDS):
                arm_near = near[: self._arm] if seed == 0 else self._random(rng)
                arm, *_ = self.arm(target, arm_near, self._params.starts, rng)
                errors = self.errors(exact, arm)
                least = min(least, errors)
                if not self.accepted(*errors):
                    continue
                fingers, tip_error = self.fingers(human, arm, near[self._arm :])
                for opening in _OPENINGS:
                    end = self.robot.hand_open if opening > 0.0 else self.robot.hand_closed
                    q = np.concatenate([arm, fingers + abs(opening) * (end - fingers)])
                    if not (reason := clearance.blocked_by(q)):
                        away = float(np.linalg.norm(arm - near[: self._arm]))
                        cost = (0.0 if np.isnan(tip_error) else tip_error) + errors[0]
                        cost += _OPENING_COST * abs(opening) + _POSTURE_COST * away
                        found.append((cost, Posture(q, *errors, tip_error)))
                        break
                    blocked = reason
        if not found:
            raise self._error(exact, least, blocked)
        return _that_follows(found, lambda posture: skipped(posture.q[: self._arm]))

    def _targets(
        self,
        exact: FloatArray,
        human: HumanHand,
        run: PracticeRun,
        near: FloatArray,
        rng: np.random.Generator,
    ) -> list[FloatArray]:
        """Return base_T_palm (4, 4) to try: as the hand, and with the accepted error made use of.

        A robot's fingers are seldom as long as the person's: part of the error brings its tips
        nearer to those of the person, part of it keeps off the object.
        """
        most = 0.98 * self._params.accept_distance
        base_T_world = inverse(self.robot.fk(self.robot.home, BASE))
        thing = apply(base_T_world, run.trajectory[0, :3])
        away = _unit(exact[:3, 3] + exact[:3, :3] @ self._held - thing)
        away = _unit(away + np.array([0.0, 0.0, 0.3]))
        nearer = np.zeros(3)
        if self._solver is not None:
            arm, *_ = self.arm(exact, near[: self._arm], self._params.starts, rng)
            fingers, _ = self.fingers(human, arm, near[self._arm :])
            nearer = self._tip_offset(human, arm, fingers)
            nearer *= min(1.0, most / max(float(np.linalg.norm(nearer)), 1e-9))
        targets = []
        for share in _SHARES:
            for retreat in _SHARES:
                shift = share * nearer + retreat * most * away
                if np.linalg.norm(shift) <= most * (1.0 + 1e-9):
                    target = exact.copy()
                    target[:3, 3] += shift
                    targets.append(target)
        return targets

    def _tip_offset(self, human: HumanHand, arm: FloatArray, fingers: FloatArray) -> FloatArray:
        """Return (3,) [m] in base_link: mean way from the robot's tips to the person's."""
        assert self._solver is not None  # a gripper has no such tips
        palm = self._ik.pose(arm)
        tips = apply(palm, self._solver.vectors(fingers))
        seen = [
            (human.to_base(human.points[k]) - tip, max(human.confidence[k], _LEAST_WEIGHT))
            for k, tip in zip(self._tips, tips, strict=True)
            if np.isfinite(human.points[k]).all()
        ]
        if not seen:
            return np.zeros(3)
        offsets, weights = np.array([o for o, _ in seen]), np.array([w for _, w in seen])
        mean: FloatArray = weights @ offsets / weights.sum()
        return mean

    def _random(self, rng: np.random.Generator) -> FloatArray:
        limits = self.robot.limits
        lower, upper = limits.lower[: self._arm], limits.upper[: self._arm]
        drawn: FloatArray = lower + (upper - lower) * rng.random(self._arm)
        return drawn

    def _error(
        self, exact: FloatArray, least: tuple[float, float], blocked: str
    ) -> UnreachableStartError:
        x, y, z = exact[:3, 3]
        where = f'the palm at ({x:.2f}, {y:.2f}, {z:.2f}) m in base_link'
        arm = self.robot.arm.name if self.robot.arm is not None else 'the arm'
        if blocked:
            return BlockedStartError(
                f'the start is not free: with {where}, {blocked} in every posture of {arm}; '
                'check the mesh, the pose of the camera and the table (z = 0 in world)'
            )
        return UnreachableStartError(
            f'the start is out of reach of {arm}: it misses {where} by '
            f'{1e3 * least[0]:.0f} mm and {np.degrees(least[1]):.1f} deg (accepted: '
            f'{1e3 * self._params.accept_distance:.0f} mm, '
            f'{np.degrees(self._params.accept_angle):.1f} deg); show the task nearer to the '
            'middle of the workspace, or choose another --arm'
        )


def _that_follows(
    found: list[tuple[float, Posture]], skipped: Callable[[Posture], float]
) -> Posture:
    """Return the cheapest of postures with their costs [m], what cannot be followed included."""
    found = sorted(found, key=lambda item: item[0])
    best, least = found[0][1], np.inf
    for cost, posture in found:
        if cost >= least:
            break
        total = cost + _SKIP_COST * skipped(posture)
        if total < least:
            best, least = posture, total
    return best


class Clearance:
    """Tells what of the robot touches table, object, what stands there, or itself."""

    def __init__(self, robot: RobotModel, run: PracticeRun) -> None:
        """Args: robot: of the run; run: the object is at the first pose of the trajectory."""
        self._robot = robot
        self._scene = Scene(robot, SceneParams(check_workspace=False))
        self._world: World = build_world(run, robot, _STEP)
        self._data = mujoco.MjData(self._world.model)
        at, pose = self._world.object_qpos, run.trajectory[0]
        self._data.qpos[at : at + 7] = [*pose[:3], pose[6], *pose[3:6]]
        body = self._world.model.geom_bodyid
        root = self._world.model.body_weldid
        self._is_object = body == self._world.object_body
        self._is_fixed = root[body] == 0

    def blocked_by(self, q: FloatArray) -> str:
        """Return what touches what at (J,) joints, '' when nothing does."""
        if reason := self._scene.blocked_by(q):
            return reason
        model, data = self._world.model, self._data
        self._world.robot.place(self._robot, data, q)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        for contact in data.contact[: data.ncon]:
            a, b = int(contact.geom1), int(contact.geom2)
            robots = [g for g in (a, b) if not self._is_object[g] and not self._is_fixed[g]]
            if len(robots) == 1 and contact.dist < -_PENETRATION:
                other = 'the object' if self._is_object[[a, b]].any() else 'what stands fixed'
                link = model.geom(robots[0]).name.rsplit(':', 1)[0]
                return f'{link} reaches {-1e3 * contact.dist:.0f} mm into {other}'
        return ''


def _knuckle_link(robot: RobotModel) -> str:
    """Return the first moving link of the middle finger, or of the finger most like it."""
    tips = robot.tip_frames()
    finger = next((f for f in ('middle', 'index', *tips) if f in tips), None)
    if finger is None:
        raise ConfigError('the hand has no finger tips')
    parent = {joint.child: joint for joint in robot.tree.joints}
    link, first = tips[finger], tips[finger]
    while link in parent and link != robot.prefix + FLANGE:
        joint = parent[link]
        if joint.kind != 'fixed':
            first = link
        link = joint.parent
    return first


def _unit(vector: FloatArray) -> FloatArray:
    result: FloatArray = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return result
