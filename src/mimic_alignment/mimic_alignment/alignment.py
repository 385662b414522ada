"""A dataset's human episodes aligned with its robot episodes: names, warps, costs, files."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_alignment.actions import Actions, Normaliser, action_cost, feature_cost
from mimic_alignment.batch import align_actions, warp_pairs
from mimic_alignment.dtw import Warp
from mimic_alignment.features import Encoder, encode
from mimic_alignment.mapping import Mapping, read_map
from mimic_alignment.params import AlignmentParams
from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_dataset.arrays import ACTION_POSE, AXIS_ANGLE, POSITION, EpisodeArrays
from mimic_recording.bag import write_json

Method = Literal['action', 'visual']
METHODS: Final[tuple[Method, ...]] = ('action', 'visual')


@dataclass(frozen=True)
class Alignment:
    """H human episodes on R robot episodes."""

    method: Method
    humans: tuple[str, ...]  # names, in the order of the mapping
    robots: tuple[str, ...]
    warps: tuple[tuple[Warp, ...], ...]  # [human][robot]
    params: AlignmentParams
    encoder: str | None = None  # name of the one of the visual method, where it has one

    @property
    def mapping(self) -> Mapping:
        """For each human frame the frame of each robot episode."""
        return Mapping.of(self.warps)

    @property
    def costs(self) -> FloatArray:
        """(H, R) mean cost of a step of each path [1], whatever the step pattern."""
        return np.array([[warp.mean for warp in row] for row in self.warps])

    def save(self, file: Path) -> Path:
        """Write the mapping, and beside it what it was made of; return the latter's path.

        `x.json` is what ImMimic's training reads; `x.about.json` names the episodes by number and
        holds method, encoder, parameters and costs.
        """
        about = about_of(file)
        p = self.params
        document = {
            'method': self.method,
            'encoder': self.encoder,
            'humans': list(self.humans),
            'robots': list(self.robots),
            'costs': self.costs.tolist(),
            'parameters': {
                'step_pattern': p.step_pattern,
                'window': p.window,
                'open_begin': p.open_begin,
                'open_end': p.open_end,
                'hand_weight': p.hand_weight,
                'rotation_weight': p.rotation_weight,
            },
        }
        self.mapping.save(file)
        write_json(about, document)
        return about


def about_of(file: Path) -> Path:
    """Return the path of the file that says what a mapping was made of."""
    return file.with_name(f'{file.stem}.about.json')


def check_episodes(file: Path, humans: Sequence[str], robots: Sequence[str]) -> None:
    """Refuse a mapping that was made of other episodes, or in another order.

    The file beside it tells; a mapping of others has none, and is taken as it is.

    Args:
        file: The mapping.
        humans: Names of the first of its human episodes.
        robots: Of the first of its robot episodes.

    Raises:
        ConfigError: They are other episodes, or the file beside it is damaged; names both.
    """
    about = about_of(file)
    if not about.exists():
        return
    facts = read_map(about)
    for field, names in (('humans', humans), ('robots', robots)):
        found = facts.get(field)
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise ConfigError(f'{about}, {field}: no list of names')
        for number, (have, want) in enumerate(zip(found, names, strict=False)):
            if have != want:
                raise ConfigError(
                    f'{file}: its {field[:-1]} episode {number} is {have} ({about.name}), that of '
                    f'the dataset is {want}: align it again, without choosing episodes'
                )


def actions_of(episode: EpisodeArrays) -> Actions:
    """Return the actions of an episode, in metres and radians in base_link."""
    action = np.asarray(episode.action, dtype=np.float64)
    turned = Rotation.from_rotvec(action[:, AXIS_ANGLE])
    return Actions(action[:, POSITION], turned.as_quat(), action[:, ACTION_POSE:])


def split(
    episodes: Sequence[EpisodeArrays], humans: Sequence[str] = (), robots: Sequence[str] = ()
) -> tuple[list[EpisodeArrays], list[EpisodeArrays]]:
    """Return the human and the robot episodes; names choose some of them, in their order.

    Raises:
        ConfigError: There are none of a domain, or they are of different tasks or hands.
        UnknownNameError: There is no episode of a name in that domain.
    """
    found = (_chosen(episodes, 'human', humans), _chosen(episodes, 'robot', robots))
    for field in ('task', 'hand'):
        values = {str(getattr(episode, field)) for side in found for episode in side}
        if len(values) > 1:
            raise ConfigError(f'episodes of {field}s {", ".join(sorted(values))}: one at a time')
    return found


def _chosen(
    episodes: Sequence[EpisodeArrays], domain: str, names: Sequence[str]
) -> list[EpisodeArrays]:
    known = {episode.name: episode for episode in episodes if episode.domain == domain}
    if not known:
        raise ConfigError(f'no {domain} episodes among {len(episodes)}')
    for name in names:
        if name not in known:
            raise UnknownNameError(f'{domain} episode', name, known)
    return [known[name] for name in names] if names else list(known.values())


def align(
    humans: Sequence[EpisodeArrays],
    robots: Sequence[EpisodeArrays],
    params: AlignmentParams,
    encoder: Encoder | None = None,
) -> Alignment:
    """Return the alignment of human with robot episodes: by actions, or by what an encoder sees.

    Args:
        humans: H episodes whose hand was retargeted to the robot's.
        robots: R episodes.
        params: Weights and steps.
        encoder: Of the agent camera's pictures; None: actions are compared.

    Raises:
        ShapeError: There is none, one is empty, or hands differ in size.
        NotFiniteError: An action or a feature is NaN.
        ConfigError: No path leads through a pair; names it.
    """
    names = [e.name for e in humans], [e.name for e in robots]
    if encoder is None:
        warps = align_actions(
            list(map(actions_of, humans)), list(map(actions_of, robots)), params, names
        )
    else:
        seen_humans = [encode(episode.agent, encoder) for episode in humans]
        seen_robots = [encode(episode.agent, encoder) for episode in robots]
        warps = warp_pairs(seen_humans, seen_robots, feature_cost, params, names)
    return Alignment(
        'action' if encoder is None else 'visual',
        tuple(names[0]),
        tuple(names[1]),
        tuple(tuple(row) for row in warps),
        params,
    )


def local_costs(
    humans: Sequence[EpisodeArrays],
    robots: Sequence[EpisodeArrays],
    params: AlignmentParams,
    encoder: Encoder | None = None,
) -> Callable[[int, int], FloatArray]:
    """Return what gives the (N, M) costs [1] of the frames of a human and of a robot, by number.

    Args:
        humans: All that are compared: what actions are divided by depends on all of them.
        robots: All of them.
        params: Weights.
        encoder: As given to `align`.
    """
    if encoder is not None:

        @functools.lru_cache(maxsize=2)  # humans come one after the other, and one robot stays
        def seen(human: bool, number: int) -> FloatArray:
            return encode((humans if human else robots)[number].agent, encoder)

        return lambda h, r: feature_cost(seen(True, h), seen(False, r))
    people, machines = list(map(actions_of, humans)), list(map(actions_of, robots))
    scale = Normaliser.fit([*people, *machines])
    return lambda h, r: action_cost(scale.apply(people[h]), scale.apply(machines[r]), params)
