"""Two gates, two arms, each knowing the other from joint states that are old: they never meet."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_control import Gate, GateParams, Mode
from mimic_control.neighbour import Neighbour, coarse
from mimic_control.testing import Distance
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.frames import inverse, transform
from mimic_description import RobotModel, load_robot

MARGIN = 0.03


class Pair:
    """Two gates beside each other, and robots that follow their commands late."""

    def __init__(
        self,
        arms: tuple[str, str],
        hands: tuple[str, str],
        apart: float,
        *,
        age: int = 1,
        lag: int = 2,
        **params: object,
    ) -> None:
        """Args: apart: of the bases [m]; age: of the joint states [ticks]; lag: of the robots."""
        self.robots = [
            load_robot(arm, hand, prefix)
            for arm, hand, prefix in zip(arms, hands, ('left_', 'right_'), strict=True)
        ]
        turned = Rotation.from_euler('z', 0.1).as_matrix()
        self.bases = [
            transform(np.eye(3), np.array([0.0, 0.5 * apart, 0.0])),
            transform(turned, np.array([0.0, -0.5 * apart, 0.0])),
        ]
        given = GateParams(neighbour_margin=MARGIN, **params)
        self.neighbours = [
            Neighbour(self.robots[1 - k], inverse(self.bases[k]) @ self.bases[1 - k], given)
            for k in range(2)
        ]
        self.gates = [Gate(self.robots[k], given, self.neighbours[k]) for k in range(2)]
        self.distance = Distance(self.robots, self.bases)
        self.age, self.lag, self.now = age, lag, 100.0
        self.sent = [[robot.home.copy()] for robot in self.robots]
        self.alive = [True, True]
        self.outputs = []
        for gate in self.gates:
            gate.set_mode('shadow')

    def measured(self, k: int, late: int) -> FloatArray:
        return self.sent[k][max(len(self.sent[k]) - 1 - late, 0)]

    def tick(self, wishes: list[FloatArray] | None = None) -> float:
        """Return the smaller of the distances of the robots and of their commands [m]."""
        self.now += 0.01
        self.outputs = []
        for k in range(2):
            if self.alive[1 - k]:
                q = self.measured(1 - k, self.lag + self.age)
                stamp = self.now - 0.01 * self.age
                self.neighbours[k].measure(self.robots[1 - k].joint_names, q, stamp, self.now)
            if wishes is not None:
                names = self.robots[k].joint_names
                command = NamedPositions.single(names, wishes[k], self.now)
                self.gates[k].offer('shadow', command, self.now)
            self.outputs.append(self.gates[k].tick(self.now, self.measured(k, self.lag)))
        for k in range(2):
            if self.outputs[k].publish:
                self.sent[k].append(self.outputs[k].q.copy())
            self.sent[k] = self.sent[k][-20:]
        places = [[self.measured(k, late) for k in range(2)] for late in (0, self.lag)]
        return min(self.distance(place) for place in places)


IIWAS = {'arms': ('iiwa14', 'iiwa14'), 'hands': ('robotiq_2f85', 'robotiq_2f85')}


def towards(robot: RobotModel, joint: int, change: float) -> FloatArray:
    q = robot.home.copy()
    q[joint] += change
    return q


def test_arms_that_are_sent_at_each_other_stop_apart_and_part_again() -> None:
    pair = Pair(**IIWAS, apart=0.7)
    inwards = [towards(pair.robots[0], 0, -1.2), towards(pair.robots[1], 0, 1.2)]
    nearest = min(pair.tick(inwards) for _ in range(300))
    assert nearest >= MARGIN
    assert nearest < MARGIN + 0.15, 'they do come near'
    assert any('neighbour' in name for out in pair.outputs for name in out.limited)
    homes = [robot.home for robot in pair.robots]
    nearest = min(pair.tick(homes) for _ in range(300))
    assert nearest >= MARGIN
    for k in range(2):
        np.testing.assert_allclose(pair.sent[k][-1], homes[k], atol=2e-3)


def test_far_arms_do_not_hinder_each_other() -> None:
    pair = Pair(**IIWAS, apart=3.0)
    wishes = [towards(robot, 0, 0.4) for robot in pair.robots]
    for _ in range(250):
        pair.tick(wishes)
    for k in range(2):
        np.testing.assert_allclose(pair.sent[k][-1], wishes[k], atol=1e-3)


def test_a_neighbour_that_is_not_heard_of_holds_the_arm() -> None:
    pair = Pair(**IIWAS, apart=1.5)
    wishes = [towards(robot, 0, 0.4) for robot in pair.robots]
    for _ in range(20):
        pair.tick(wishes)
    assert [out.state for out in pair.outputs] == [Mode.SHADOW, Mode.SHADOW]
    pair.alive[1] = False
    for _ in range(60):
        pair.tick(wishes)
    assert [out.state for out in pair.outputs] == [Mode.HOLD, Mode.SHADOW]
    assert pair.outputs[0].reason.startswith('neighbour: joint state of right_')
    pair.alive[1] = True
    for _ in range(200):
        pair.tick(wishes)
    np.testing.assert_allclose(pair.sent[0][-1], wishes[0], atol=2e-3)


def test_a_gate_does_not_move_before_it_has_seen_its_neighbour() -> None:
    pair = Pair(**IIWAS, apart=1.5)
    pair.alive = [False, False]
    for _ in range(30):
        pair.tick([towards(robot, 0, 0.4) for robot in pair.robots])
    np.testing.assert_array_equal(pair.sent[0][-1], pair.robots[0].home)
    assert 'yet' in pair.outputs[0].reason


@pytest.mark.parametrize(
    ('arms', 'hands', 'seed'),
    [
        (('iiwa14', 'iiwa14'), ('robotiq_2f85', 'robotiq_2f85'), 0),
        (('iiwa14', 'panda'), ('allegro', 'leap'), 1),
        (('so101', 'so101'), ('so101_gripper', 'so101_gripper'), 2),
    ],
)
def test_whatever_they_are_sent_they_keep_apart(arms, hands, seed: int) -> None:
    rng = np.random.default_rng(seed)
    apart = 0.35 if 'so101' in arms else 0.65
    pair = Pair(arms, hands, apart, age=int(rng.integers(0, 4)), lag=int(rng.integers(0, 5)))
    wishes = [robot.home.copy() for robot in pair.robots]
    nearest = np.inf
    for k in range(400):
        for n, robot in enumerate(pair.robots):
            if rng.random() < 0.03:
                low, high = robot.limits.lower, robot.limits.upper
                wishes[n] = rng.uniform(low, high)
                if rng.random() < 0.7:  # inwards, where the other is
                    arms_count = len(robot.arm_joints)
                    wishes[n][:arms_count] = robot.home[:arms_count]
                    wishes[n][0] += (2 * n - 1) * rng.uniform(0.2, 1.5)
        if k % 100 == 70:
            pair.gates[int(rng.integers(2))].set_mode(str(rng.choice(['idle', 'shadow'])))
        if k % 100 == 90:
            for gate in pair.gates:
                gate.set_mode('shadow')
        nearest = min(nearest, pair.tick(wishes))
    assert nearest >= MARGIN


@pytest.mark.parametrize('hand', ['allegro', 'leap', 'ability', 'robotiq_2f85'])
def test_coarse_shapes_hold_the_fine_ones(hand: str) -> None:
    import coal

    robot = load_robot('iiwa14', hand)
    fine, rough = robot.collision_model(), coarse(robot)
    assert len(rough.geometryObjects) < 0.75 * len(fine.geometryObjects)
    request = coal.DistanceRequest()
    rng = np.random.default_rng(0)
    for item in fine.geometryObjects:
        name = item.name.rsplit(':', 1)[0]
        around = [o for o in rough.geometryObjects if o.name.rsplit(':', 1)[0] == name]
        for _ in range(20):  # a far point is never nearer to the shape than to what is around it
            place = coal.Transform3s(np.eye(3), rng.normal(size=3))
            distances = [
                coal.distance(
                    o.geometry,
                    coal.Transform3s(o.placement.rotation, o.placement.translation),
                    coal.Sphere(1e-6),
                    place,
                    request,
                    coal.DistanceResult(),
                )
                for o in (item, *around)
            ]
            assert min(distances[1:]) <= distances[0] + 1e-6
