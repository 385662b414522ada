"""Stacks of the iiwa that are not there: topics, services, session, and an arm that moves."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Fault, Faults, Plant, console
from mimic_core.jtc.emulated import EmulatedStack, StackOptions
from mimic_description import known_devices, load_robot

# Topics have no checksums and no lengths, and the stacks report no temperature.
POSSIBLE_FAULTS: Final[tuple[Fault, ...]] = (
    'silent', 'noise', 'slow', 'disconnect', 'brown_out', 'stuck',
)  # fmt: skip
_FILTER_TIME: Final = 0.04  # [s] of lbr's filter of joint positions, UNCONFIRMED
# Of the speed limit. A set-point that comes a period late makes the next step twice as long.
_GUARD: Final = 1.5  # [1]
# What the stacks say of themselves; protocol.py has its own copy, which a test compares.
_NAMES: Final = {
    'lbr': ('lbr', 'joint_trajectory_controller', [f'lbr_A{i}' for i in range(1, 8)]),
    'icube': ('', 'iiwa_arm_controller', [f'joint_a{i}' for i in range(1, 8)]),
}
_OPTIONS: Final = {
    'lbr': StackOptions(100.0, has_session=True, filter_time=_FILTER_TIME, guard=_GUARD),
    'icube': StackOptions(225.0, path_tolerance=0.0),
}


@dataclass(frozen=True)
class Emulated:
    """What a test or a bench gets."""

    stack: EmulatedStack
    params: dict[str, Any]  # of a driver that shall find it

    @property
    def faults(self) -> Faults:
        """Faults to switch on."""
        return self.stack.faults

    @property
    def plant(self) -> Plant:
        """The motors."""
        return self.stack.plant

    def writes(self) -> list[tuple[float, FloatArray]]:
        """Return set-points that arrived: perf_counter time, (7,) positions [rad]."""
        return self.stack.writes()


def make_stack(arm: str, stack: str, *, record: bool, **options: Any) -> EmulatedStack:
    """Return an emulated stack, its arm at home.

    Args:
        arm: Name in the registry.
        stack: lbr or icube.
        record: Keep everything that arrives.
        options: Of StackOptions, in the place of the stack's own.
    """
    robot = load_robot(arm, 'none')
    _, controller, joints = _NAMES[stack]
    return EmulatedStack(
        tuple(joints), robot.limits, np.array(robot.home, float), controller,
        StackOptions(**{**vars(_OPTIONS[stack]), **options}), record=record,
    )  # fmt: skip


@contextmanager
def start(
    link: Path, arm: str = 'iiwa14', stack: str = 'lbr', **options: Any
) -> Iterator[Emulated]:
    """Run an emulator.

    Args:
        link: Its name is the namespace of the topics.
        arm: Name in the registry.
        stack: lbr or icube.
        options: Of StackOptions.
    """
    emulated = make_stack(arm, stack, record=True, **options)
    params = {'arm': arm, 'stack': stack, 'namespace': link.name}
    with _serve(emulated, link.name):
        yield Emulated(emulated, params)


def _serve(stack: EmulatedStack, namespace: str) -> Any:
    from mimic_core.jtc.emulated.ros import StackServer
    from mimic_iiwa_driver.ros import SessionPublisher

    extra = SessionPublisher(stack) if stack.options.has_session else None
    return StackServer(stack, namespace, extra)


def main() -> None:
    """Run an emulator by hand; faults are typed."""
    parser = argparse.ArgumentParser(description='A stack of the iiwa that is not there.')
    arms = [name for name in known_devices('arm') if name.startswith('iiwa')]
    parser.add_argument('--arm', default='iiwa14', choices=arms)
    parser.add_argument('--stack', default='lbr', choices=sorted(_NAMES))
    parser.add_argument('--namespace', default='', help='empty: that of the stack; / is the root')
    known, _ = parser.parse_known_args()  # a launch file adds --ros-args
    stack = make_stack(known.arm, known.stack, record=False)
    namespace = (known.namespace or _NAMES[known.stack][0]).strip('/')

    def state() -> str:
        return f'{stack.session.name.lower()}, {stack.states}, at {stack.plant.position.round(3)}'

    with _serve(stack, namespace):
        console(f'topics in /{namespace}', stack.faults, state)
