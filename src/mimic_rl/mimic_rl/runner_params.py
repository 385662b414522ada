"""Parameters of running a practised policy."""

from dataclasses import dataclass

from mimic_core.params import param
from mimic_core.policy_run import RunParams


@dataclass(frozen=True, kw_only=True)
class PracticeRunnerParams:
    """When it holds, and how it goes to its start."""

    rate: float = param(
        'Commands a second [Hz]; the policy decides at its own rate.', 60.0, low=15.0, high=200.0
    )
    max_state_age: float = param(
        'Oldest joint state with which the robot may move [s].', 0.25, low=0.02, high=5.0
    )
    max_object_age: float = param(
        'Oldest pose of the object that the policy still acts on [s]; beyond it the object is '
        'lost.', 0.4, low=0.05, high=5.0,
    )  # fmt: skip
    steady_time: float = param(
        'How long the object must be seen without a jump or a gap, at the start and after it was '
        'lost or jumped [s].', 0.3, low=0.0, high=10.0,
    )  # fmt: skip
    resume_distance: float = param(
        'An object that was lost or jumped may be so far from where it was last seen [m]; beyond '
        'it the run ends.', 0.05, low=0.0, high=1.0,
    )  # fmt: skip
    start_margin: float = param(
        'By how much the object may be beyond the places where practice began, for what a tracker '
        'misses [m].', 0.02, low=0.0, high=2.0,
    )  # fmt: skip
    start_turn_margin: float = param(
        'By how much its turn may be beyond those of practice [rad].', 0.1, low=0.0, high=3.15
    )
    approach_speed: float = param(
        "Of the way to the start, over the joints' limits [1].", 0.2, low=0.01, high=1.0
    )
    clearance: float = param(
        'Distance at which the palm comes from, before the start [m].', 0.1, low=0.0, high=0.5
    )
    start_tolerance: float = param(
        'Distance of an arm joint from the start at which the policy begins [rad] or [m].',
        0.05, low=0.001, high=0.5,
    )  # fmt: skip
    max_lead: float = param(
        'Distance of an arm joint from its command, beyond which it does not go on [rad] or [m].',
        1.0, low=0.01, high=10.0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PracticeNodeParams(RunParams, PracticeRunnerParams):
    """Checked once, when the node starts."""

    training: str = param('Folder of the training in the run folder.', 'training')
