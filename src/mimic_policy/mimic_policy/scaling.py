"""A dataset's facts as the meta of a policy: robot, cameras, scales."""

from collections.abc import Mapping, Sequence

import numpy as np

from mimic_core.errors import ConfigError
from mimic_dataset import Dataset, EpisodeArrays
from mimic_dataset.arrays import AXIS_ANGLE
from mimic_dataset.axis_angle import continuous
from mimic_policy.meta import AGENT, WRIST, PolicyMeta, Range, Size
from mimic_policy.poses import known_states, mean_rotation
from mimic_policy.train_params import ROBOT_ONLY, TrainParams


def used_episodes(
    dataset: Dataset, method: str
) -> tuple[tuple[EpisodeArrays, ...], tuple[EpisodeArrays, ...]]:
    """Return the robot and the human episodes that a method trains on.

    Raises:
        ConfigError: There are none of a domain that it needs, or a robot episode lacks its state.
    """
    robots = dataset.of('robot')
    humans = () if method == ROBOT_ONLY else dataset.of('human')
    where = f'dataset of {dataset.meta.task} with {dataset.meta.hand}'
    if not robots:
        raise ConfigError(f'{where}: no robot episodes, {method} needs some')
    if not humans and method != ROBOT_ONLY:
        raise ConfigError(f'{where}: no human episodes, {method} needs some')
    for episode in robots:
        if episode.state is None:
            raise ConfigError(f'{where}: robot episode {episode.name}: no state')
    return robots, humans


def strides(
    robots: Sequence[EpisodeArrays], humans: Sequence[EpisodeArrays], params: TrainParams
) -> tuple[float, float]:
    """Return frames between two rows of a chunk, of robot and of human episodes."""
    if params.human_stride or not humans:
        return params.robot_stride, params.human_stride or params.robot_stride
    ratio = np.median([len(e) for e in humans]) / np.median([len(e) for e in robots])
    return params.robot_stride, params.robot_stride * float(ratio)


def make_meta(
    dataset: Dataset,
    robots: Sequence[EpisodeArrays],
    humans: Sequence[EpisodeArrays],
    params: TrainParams,
    recorded: Mapping[str, Size] | None = None,
) -> PolicyMeta:
    """Return the meta of a policy that is trained on these episodes.

    Args:
        dataset: Whose meta names the robot.
        robots: At least one.
        humans: Those that the method uses.
        params: Rates and sizes.
        recorded: Sizes of the stored pictures; None: as they are in the episodes.

    Raises:
        ConfigError: Pictures differ in size from one episode to another; names the episode.
    """
    facts = dataset.meta
    cameras: dict[str, Size] = {AGENT: _size(robots[0], AGENT)}
    if params.use_wrist and all(episode.wrist is not None for episode in robots):
        cameras[WRIST] = _size(robots[0], WRIST)
    for episode in (*robots, *humans):
        for name, size in cameras.items():
            if getattr(episode, name) is not None and _size(episode, name) != size:
                raise ConfigError(
                    f'episode {episode.name}, {name}: pictures of {_size(episode, name)}, '
                    f'those of {robots[0].name} are {size}'
                )
    every = [episode.action for episode in (*robots, *humans)]
    reference = mean_rotation(np.concatenate([a[:, AXIS_ANGLE] for a in every]))
    rows = []
    for action in every:
        unrolled = action.copy()
        unrolled[:, AXIS_ANGLE] = continuous(action[:, AXIS_ANGLE], reference)
        rows.append(unrolled)
    states = np.concatenate(
        [known_states(e.state, e.action) for e in robots if e.state is not None]
    )
    lower, upper = states.min(0), states.max(0)
    lower[3:9], upper[3:9] = -1.0, 1.0  # a rotation that hardly changes is not blown up
    lower[9:], upper[9:] = facts.lower, facts.upper
    return PolicyMeta(
        task=facts.task,
        arm=facts.arm,
        hand=facts.hand,
        joint_names=facts.joint_names,
        joint_lower=facts.lower,
        joint_upper=facts.upper,
        frame=facts.frame,
        cameras=cameras,
        recorded={name: (recorded or cameras)[name] for name in cameras},
        region=params.agent_region,
        fps=facts.fps / params.robot_stride,
        observation_steps=params.observation_steps,
        horizon=params.horizon,
        action=Range.of(np.concatenate(rows)),
        state=Range(tuple(lower.tolist()), tuple(upper.tolist())),
        rotation_reference=(float(reference[0]), float(reference[1]), float(reference[2])),
        method=params.method,
    )


def _size(episode: EpisodeArrays, camera: str) -> Size:
    shape = getattr(episode, camera).shape
    return int(shape[1]), int(shape[2])
