"""Parameters of practice: the environment, what is randomised, learning, evaluation."""

from dataclasses import dataclass
from typing import Final

from mimic_core.errors import ConfigError
from mimic_core.params import param

STARTS = ('demonstrated', 'overhead', 'default')
REWARDS = ('trajectory', 'fixed_target', 'hand')
# Replays of the shown motion are imitated first (DAPG), with less noise of actions than else.
IMITATING: Final = ('demonstration=0.1', 'spread=0.15', 'place_spread=0.15')


@dataclass(frozen=True, kw_only=True)
class PracticeParams:
    """The environment. Published values are those of Human2Sim2Robot unless a line says else."""

    control_rate: float = param('Policy steps in a simulated second [Hz].', 15.0, low=5, high=60)
    substeps: int = param('Physics steps in a policy step.', 8, low=1, high=64)
    hold: int = param('Steps at the last target after the trajectory.', 8, low=0, high=120)
    max_distance: float = param(
        'An object farther from its target ends the episode [m].', 0.25, low=0.02, high=2.0
    )
    reward_scale: float = param('r = exp(-scale d), d [m].', 10.0, low=0.1, high=100)
    palm_speed: float = param(
        'Fastest palm that an action asks for [m/s].', 0.25, low=0.01, high=1
    )
    palm_turn: float = param('Fastest turn that it asks for [rad/s].', 1.5, low=0.05, high=6)
    max_turn: float = param(
        'Farthest turn from the orientation before contact, each angle [rad].',
        0.8,
        low=0,
        high=1.4,
    )
    leash: float = param('Farthest palm target from the palm [m].', 0.08, low=0.01, high=0.5)
    hand_speed: float = param(
        'Fastest joint of the hand, over its limit [1].', 0.35, low=0.01, high=1.0
    )
    bounds_margin: float = param(
        "Of what is commanded to the gate's bounds: table and workspace [m].",
        0.008,
        low=0,
        high=0.1,
    )
    start: str = param('Posture at the start.', 'demonstrated', choices=STARTS)
    reward: str = param('What is rewarded.', 'trajectory', choices=REWARDS)
    success_distance: float = param(
        'Farthest object from its last target at the end of a success [m].',
        0.04,
        low=0.001,
        high=0.5,
    )
    success_angle: float = param('Farthest turn from it [rad].', 0.262, low=0.01, high=3.15)
    hand_weight: float = param(
        'Weight of palm and finger tips, where they are as shown, in the reward hand [1].', 0.5,
        low=0, high=1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RandomisationParams:
    """How far physics, starts and what is seen vary; a curriculum scales all of it by 0 to 1."""

    xy: float = param('Start of the object, each side [m].', 0.10, low=0, high=0.5)
    yaw: float = param(
        'Turn of the object at the start, each side [rad].', 0.349, low=0, high=3.15
    )
    joints: float = param(
        'Start of each joint, each side [rad]; of one that slides, over its range [1].', 0.035,
        low=0, high=0.5,
    )  # fmt: skip
    factor: float = param(
        'Mass, friction, damping and stiffness are multiplied by 1 - f to 1 + f.',
        0.3,
        low=0,
        high=0.9,
    )
    gravity: float = param('Standard deviation of gravity [m/s^2].', 0.3, low=0, high=3)
    observation_noise: float = param(
        'Standard deviation of joints [rad] and speeds [rad/s]; of joints that slide, over their '
        'range.',
        0.01,
        low=0,
        high=0.5,
    )
    action_noise: float = param('Standard deviation of actions [1].', 0.01, low=0, high=0.5)
    object_position: float = param(
        'Standard deviation of the seen place of the object [m].', 0.02, low=0, high=0.2
    )
    object_angle: float = param(
        'Standard deviation of the seen turn of the object [rad].', 0.262, low=0, high=3
    )
    lost: float = param('Share of seen poses that are anywhere [1].', 0.1, low=0, high=0.9)
    hidden: float = param(
        'Share of steps after which no new pose is seen for a while [1].', 0.02, low=0, high=0.9
    )
    hidden_steps: int = param('Longest such while, in steps.', 6, low=0, high=60)
    push: float = param('Share of steps with a push on the object [1].', 0.05, low=0, high=1)
    push_force: float = param('Force of a push over the mass [m/s^2].', 50.0, low=0, high=200)
    min_delay: int = param('Newest pose that is seen, in steps.', 0, low=0, high=8)
    delay: int = param('Oldest pose of the object that is seen, in steps.', 2, low=0, high=8)

    def __post_init__(self) -> None:
        if self.min_delay > self.delay:
            raise ConfigError(
                f'min_delay = {self.min_delay} is above delay = {self.delay} [steps]'
            )


@dataclass(frozen=True, kw_only=True)
class LearningParams:
    """Recurrent PPO. Published: horizon, discounts, clip; networks there are 4 to 8 × wider."""

    environments: int = param('Twins side by side.', 128, low=1, high=4096)
    horizon: int = param('Steps between two updates.', 16, low=1, high=256)
    discount: float = param('gamma [1].', 0.998, low=0.5, high=1.0)
    trace: float = param('lambda of the advantages [1].', 0.95, low=0.0, high=1.0)
    clip: float = param('Of the ratio of probabilities [1].', 0.2, low=0.01, high=1.0)
    epochs: int = param('Passes over the steps of an update.', 4, low=1, high=32)
    minibatches: int = param('Parts of a pass, of whole sequences.', 4, low=1, high=64)
    learning_rate: float = param('Of the policy, at the beginning [1].', 5e-4, low=1e-6, high=0.1)
    critic_rate: float = param('Of the critic [1].', 1e-3, low=1e-6, high=0.1)
    divergence: float = param(
        'Wanted KL divergence of an update, to which the rate adapts; 0: fixed.',
        0.012,
        low=0,
        high=1,
    )
    entropy: float = param('Weight of the entropy [1].', 0.0, low=0, high=1)
    value: float = param('Weight of the error of values [1].', 1.0, low=0, high=100)
    gradient: float = param('Longest gradient [1].', 1.0, low=0.01, high=100)
    average: float = param(
        'What is learned is the average of the policy over updates: share of it that one of them '
        'keeps; 0: the last policy.',
        0.99,
        low=0,
        high=0.9999,
    )
    bound: float = param('Weight of means beyond the bounds of actions [1].', 0.01, low=0, high=10)
    spread: float = param('Standard deviation of actions at first [1].', 0.3, low=0.01, high=2)
    place_spread: float = param(
        'That of those that move the palm [1]; the others only turn and close it.', 0.3, low=0.01,
        high=2,
    )  # fmt: skip
    layers: tuple[int, ...] = param('Widths of the layers before the LSTM.', (256, 128), low=1)
    memory: int = param('Width of the LSTM.', 128, low=1, high=4096)
    critic_layers: tuple[int, ...] = param(
        'Widths of the layers of the critic.', (256, 128), low=1
    )
    level: float = param('Of the curriculum at first, 0 to 1.', 0.3, low=0, high=1)
    start_level: float = param(
        'Of the curriculum, below which places and turns at the start do not fall, 0 to 1.', 0.0,
        low=0, high=1,
    )  # fmt: skip
    level_step: float = param('By which it rises or falls.', 0.05, low=0, high=1)
    level_up: float = param('Share of success from which it rises.', 0.6, low=0, high=1)
    level_down: float = param('Share of success below which it falls.', 0.2, low=0, high=1)
    level_episodes: int = param('Episodes over which that is measured.', 256, low=8, high=100000)
    demonstration: float = param(
        'Weight of the demonstrations in the loss at first (DAPG); 0: off.', 0.0, low=0, high=10
    )
    demonstration_decay: float = param('Of that weight, in an update.', 0.995, low=0.5, high=1.0)
