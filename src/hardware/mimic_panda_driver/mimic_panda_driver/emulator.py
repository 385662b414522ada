"""A franka_ros2 that is not there: its topics, services, gripper, and an arm that moves."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Fault, Faults, console
from mimic_core.jtc.emulated import EmulatedStack, StackOptions
from mimic_description import load_robot
from mimic_panda_driver.emulated_gripper import EmulatedGripper

# Topics have no checksums and no lengths, and the stack reports no temperature.
POSSIBLE_FAULTS: Final[tuple[Fault, ...]] = (
    'silent', 'noise', 'slow', 'disconnect', 'brown_out', 'stuck',
)  # fmt: skip
_JOINTS: Final = tuple(f'panda_joint{i}' for i in range(1, 8))
_CONTROLLER: Final = 'panda_arm_controller'
# The controller manager runs at 1000 Hz there; a reflex of the robot stops at a leap.
_RATE: Final = 200.0  # [Hz] here, which Python keeps
_GUARD: Final = 6.0  # [1] of the top speed; a set-point every 10 ms is a step every second period


class EmulatedPanda(EmulatedStack):
    """The arm and, in the same process, the gripper."""

    gripper: EmulatedGripper | None = None

    def step(self) -> None:
        """Let one period pass."""
        super().step()
        if self.gripper is not None:
            self.gripper.step()


@dataclass(frozen=True)
class Motors:
    """All motors, as a driver's joints have them."""

    stack: EmulatedPanda

    @property
    def position(self) -> FloatArray:
        """(J,) [rad], the finger last [m]."""
        arm, gripper = self.stack.plant.position, self.stack.gripper
        return arm if gripper is None else np.append(arm, gripper.position)


@dataclass(frozen=True)
class Emulated:
    """What a test or a bench gets."""

    stack: EmulatedPanda
    params: dict[str, Any]  # of a driver that shall find it

    @property
    def faults(self) -> Faults:
        """Faults to switch on."""
        return self.stack.faults

    @property
    def plant(self) -> Motors:
        """The motors."""
        return Motors(self.stack)

    def writes(self) -> list[tuple[float, FloatArray]]:
        """Return set-points that arrived: perf_counter time, (J,) with the last finger goal."""
        arm, gripper = self.stack.writes(), self.stack.gripper
        if gripper is None:
            return arm
        goals = [(-np.inf, float(gripper.plant.limits.upper[0])), *gripper.goals]
        times = np.array([at for at, _ in goals])
        finger = [goals[int(np.searchsorted(times, at, 'right')) - 1][1] for at, _ in arm]
        return [(at, np.append(q, f)) for (at, q), f in zip(arm, finger, strict=True)]


def make_stack(hand: str, *, record: bool, **options: Any) -> EmulatedPanda:
    """Return an emulated stack, arm and gripper at home.

    Args:
        hand: panda_hand or none.
        record: Keep everything that arrives.
        options: Of StackOptions, in the place of the stack's own.
    """
    robot = load_robot('panda', 'panda_hand')
    home, arm = np.array(robot.home, float), list(range(7))
    stack = EmulatedPanda(
        _JOINTS, robot.limits.select(arm), home[:7], _CONTROLLER,
        StackOptions(**({'update_rate': _RATE, 'guard': _GUARD, 'filter_time': 0.01} | options)),
        record=record,
    )  # fmt: skip
    if hand != 'none':
        keep = None if record else 1
        stack.gripper = EmulatedGripper(robot.limits.select([7]), home[7:], keep)
    return stack


@contextmanager
def start(link: Path, hand: str = 'panda_hand', **options: Any) -> Iterator[Emulated]:
    """Run an emulator.

    Args:
        link: Its name is the namespace of the topics.
        hand: panda_hand or none.
        options: Of StackOptions.
    """
    stack = make_stack(hand, record=True, **options)
    with _serve(stack, link.name):
        yield Emulated(stack, {'hand': hand, 'namespace': link.name})


def _serve(stack: EmulatedPanda, namespace: str) -> Any:
    from mimic_core.jtc.emulated.ros import StackServer
    from mimic_panda_driver.ros import GripperServer

    extra = None if stack.gripper is None else GripperServer(stack.gripper)
    return StackServer(stack, namespace, extra)


def main() -> None:
    """Run an emulator by hand; faults are typed."""
    parser = argparse.ArgumentParser(description='A franka_ros2 that is not there.')
    parser.add_argument('--hand', default='panda_hand', help='panda_hand, else no gripper')
    parser.add_argument('--namespace', default='', help='empty: the root')
    known, _ = parser.parse_known_args()  # a launch file adds --ros-args
    stack = make_stack(known.hand if known.hand == 'panda_hand' else 'none', record=False)

    def state() -> str:
        return f'{stack.states}, at {Motors(stack).position.round(3)}'

    namespace = known.namespace.strip('/')
    with _serve(stack, namespace):
        console(f'topics in /{namespace}', stack.faults, state)
