"""Parameters of running a policy."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class ExecutionParams:
    """Checked once, when the node starts; the headless evaluation takes the same."""

    rate: float = param('Commands a second [Hz].', 30.0, low=5.0, high=100.0)
    replan_period: float = param(
        'Shortest time from one prediction to the next [s]; 0: one follows the other. A chunk '
        'is followed for so long, from when it comes; what it began with is over by then.',
        0.8, low=0.0, high=5.0,
    )  # fmt: skip
    max_age: float = param(
        'Oldest observation whose chunk is still followed [s]; a chunk ends before that when its '
        'rows do.', 1.4, low=0.05, high=10.0,
    )  # fmt: skip
    ensemble_weight: float = param(
        'Weight of a chunk against one that is a row newer [1]; 1: all count the same.',
        0.8, low=0.05, high=1.0,
    )  # fmt: skip
    splice_time: float = param(
        'In which a new chunk gets its full weight [s].', 0.1, low=0.0, high=1.0
    )
    start_time: float = param(
        'In which commands go from where the robot is to what the policy wants, at the start and '
        'after a hold [s].', 0.5, low=0.0, high=5.0,
    )  # fmt: skip
    start_speed: float = param(
        'Of the palm on that way [m/s]: from further off, as a person may leave the arm, it takes '
        'longer than start_time.', 0.25, low=0.01, high=5.0,
    )  # fmt: skip
    preview: float = param(
        'How far ahead a command goes, so that the gate sees turns coming [s]; 0: one point.',
        0.3, low=0.0, high=1.0,
    )  # fmt: skip
    lead: float = param(
        'How far ahead of its time a row is commanded, for what the robot lags [s].',
        0.0, low=0.0, high=0.5,
    )  # fmt: skip
    max_picture_age: float = param(
        'Oldest picture that is still looked at [s].', 0.3, low=0.02, high=5.0
    )
    max_state_age: float = param(
        'Oldest joint state with which the robot may move [s].', 0.25, low=0.02, high=5.0
    )
    max_lag: float = param(
        'Distance of the palm from where it should be, at which the arm cannot follow [m].',
        0.15, low=0.01, high=1.0,
    )  # fmt: skip
    max_lead: float = param(
        'Distance of an arm joint from its command, beyond which the motion begins anew where the '
        'robot is [rad] or [m].', 1.0, low=0.01, high=10.0,
    )  # fmt: skip
