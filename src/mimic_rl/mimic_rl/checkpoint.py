"""What training goes on with, and what a robot runs: safetensors and JSON, whole or not at all."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as format_tensors
from torch import Tensor

from mimic_core import disk
from mimic_core.errors import ConfigError, MimicError
from mimic_core.params import from_mapping
from mimic_recording.bag import sync_folder, write_synced, write_text
from mimic_rl.network import Actor
from mimic_rl.params import LearningParams, PracticeParams, RandomisationParams
from mimic_rl.ppo import Demonstrations, Learner
from mimic_rl.run_folder import PracticeRun, load_run
from mimic_rl.stepper import STEPPERS
from mimic_rl.synergies import Synergies

TENSORS: Final = 'tensors.safetensors'
DOCUMENT: Final = 'state.json'
SETTINGS: Final = 'settings.json'
POLICY: Final = 'policy'
SHOWN: Final = 'demonstrations.safetensors'
TRAINING: Final = 'training'  # the usual name of a training in a run folder
_PREFIX: Final = 'checkpoint-'
_PART, _TORN = '.part', '.torn'  # suffixes of folders that are no checkpoints
_KEPT: Final = 2
_GO_ON: Final = 'the training goes on from its last checkpoint with the same command'


class CheckpointError(MimicError):
    """A file of a training cannot be written; names it."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a training is made from, beside the run itself."""

    seed: int
    practice: PracticeParams
    randomisation: RandomisationParams
    learning: LearningParams
    synergies: Synergies


def save_settings(settings: Settings, folder: Path) -> None:
    """Write settings.json.

    Raises:
        CheckpointError: The disk is full, or the folder cannot be written.
    """
    synergies = settings.synergies
    document = {
        'seed': settings.seed,
        'practice': dataclasses.asdict(settings.practice),
        'randomisation': dataclasses.asdict(settings.randomisation),
        'learning': dataclasses.asdict(settings.learning),
        'synergies': {
            'mean': synergies.mean.tolist(),
            'components': synergies.components.tolist(),
            'amplitude': synergies.amplitude.tolist(),
            'explained': synergies.explained,
        },
    }
    path = folder / SETTINGS
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(document, indent=1) + '\n')


def load_settings(folder: Path) -> Settings:
    """Read settings.json.

    Raises:
        ConfigError: It is missing or wrong; names file and field.
    """
    path = folder / SETTINGS
    document = _read_json(path)
    try:
        shape = document['synergies']
        return Settings(
            seed=int(document['seed']),
            practice=from_mapping(PracticeParams, document['practice']),
            randomisation=from_mapping(RandomisationParams, document['randomisation']),
            learning=from_mapping(LearningParams, document['learning']),
            synergies=Synergies(
                np.array(shape['mean'], dtype=np.float64),
                np.array(shape['components'], dtype=np.float64),
                np.array(shape['amplitude'], dtype=np.float64),
                float(shape['explained']),
            ),
        )
    except KeyError as error:
        raise ConfigError(f'{path}: field {error} is missing') from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{path}: {error}') from error


def load_training(
    folder: Path, name: str = TRAINING, option: str = '--name NAME (training:=NAME)'
) -> tuple[PracticeRun, Settings]:
    """Return the run as it was practised in a training of a run folder, and its settings.

    Args:
        folder: The run folder.
        name: Of the training.
        option: How people name another one, with NAME.

    Raises:
        ConfigError: It is no run folder, nothing was trained there, or a file is wrong.
    """
    load_run(folder)  # says what is wrong with the folder itself
    if not (folder / name / SETTINGS).exists():
        named = '' if name == TRAINING else f' --name {name}'
        raise ConfigError(
            f'nothing was practised in {folder / name}{_others(folder, option)}: '
            f'./mimic practise train {folder}{named}'
        )
    settings = load_settings(folder / name)
    return load_run(folder / name, files=folder), settings


def _others(folder: Path, option: str) -> str:
    """Return which trainings a run folder has, and how one is meant: the middle of a sentence."""
    names = sorted(path.parent.name for path in folder.glob(f'*/{SETTINGS}'))
    if not names:
        return ''
    one = names[0] if len(names) == 1 else 'NAME'
    verb = 'is' if len(names) == 1 else 'are'
    return f'; there {verb} {", ".join(names)}: {option.replace("NAME", one)}; to practise this'


def save_checkpoint(learner: Learner, folder: Path, physics: str) -> Path:
    """Write a checkpoint beside the others and remove the oldest; return its folder.

    Args:
        learner: What is kept.
        folder: Of the training.
        physics: What moves its twins, of STEPPERS.

    Raises:
        CheckpointError: The disk is full, or the folder cannot be written.
    """
    practice, generator = learner.practice, learner.generator
    arrays, values = practice.snapshot()
    tensors: dict[str, Tensor] = {
        **{f'actor.{k}': v for k, v in learner.actor.state_dict().items()},
        **{f'average.{k}': v for k, v in learner.average.state_dict().items()},
        **{f'critic.{k}': v for k, v in learner.critic.state_dict().items()},
        **{f'practice.{k}': torch.from_numpy(v) for k, v in arrays.items()},
        'generator': generator.get_state(),
        'memory': learner.state,
        'begins': learner.begins,
    }
    for number, state in learner.optimiser.state_dict()['state'].items():
        tensors |= {f'optimiser.{number}.{k}': v for k, v in state.items()}
    document = {
        'steps': learner.steps,
        'updates': learner.updates,
        'seconds': learner.seconds,
        'processor': learner.processor,
        'rate': learner.rate,
        'recent': learner.recent,
        'met': learner.met,
        'demonstration_weight': learner.demonstration_weight,
        'physics': physics,
        'practice': values,
    }
    target = folder / f'{_PREFIX}{learner.updates:08d}'
    _write(target, tensors, document)
    for old in _checkpoints(folder)[:-_KEPT]:
        shutil.rmtree(old)
    return target


def load_physics(folder: Path) -> str | None:
    """Return what moved the twins of a training; None: not known, as of trainings of before.

    Raises:
        ConfigError: The newest checkpoint names what there is not.
    """
    for path in reversed(_checkpoints(folder)):
        try:
            kind = _read_json(path / DOCUMENT).get('physics')
        except (OSError, ConfigError):
            continue  # torn: passed over by restore_checkpoint too
        if kind is not None and kind not in STEPPERS:
            known = ', '.join(STEPPERS)
            raise ConfigError(f'{path / DOCUMENT}: physics = {kind!r} is none of {known}')
        return kind
    return None


def restore_checkpoint(learner: Learner, folder: Path) -> bool:
    """Go on from the newest checkpoint that is whole; False if there is none at all.

    Newer ones that are torn are renamed: else they would count among those that are kept.

    Raises:
        ConfigError: There are some and none is whole; or the one that is whole is of another
            training: a tensor is missing or of another shape.
    """
    torn: list[Path] = []
    for path in reversed(_checkpoints(folder)):
        try:
            tensors, document = load_file(path / TENSORS), _read_json(path / DOCUMENT)
        except (SafetensorError, OSError, ConfigError):
            torn.append(path)  # by a full disk or a lost machine: the one before it is whole
            continue
        _restore(learner, tensors, document, path)
        for other in torn:
            aside = other.with_name(f'{other.name}{_TORN}')
            shutil.rmtree(aside, ignore_errors=True)
            other.rename(aside)
        return True
    if torn:
        names = ' and '.join(path.name for path in reversed(torn))
        raise ConfigError(
            f'{folder}: {names} cannot be read, so the training cannot go on; bring one back, '
            'or remove them to begin at step 0, or train under another --name'
        )
    return False


def save_policy(learner: Learner, folder: Path) -> Path:
    """Write what a robot runs, `policy/`; return its folder."""
    actor, practice = learner.average, learner.practice
    document = {
        'steps': learner.steps,
        'level': min(learner.met, max(practice.level, practice.start_level)),
        'inputs': int(actor.normaliser.mean.shape[0]),
        'actions': int(actor.log_std.shape[0]),
        'layers': list(learner.params.layers),
        'memory': actor.memory,
    }
    target = folder / POLICY
    _write(target, dict(actor.state_dict()), document)
    return target


def save_demonstrations(shown: Demonstrations, folder: Path) -> Path:
    """Write the shown episodes of a training; return the file.

    Raises:
        CheckpointError: The disk is full, or the folder cannot be written.
    """
    target = folder / SHOWN
    part = target.with_name(f'{target.name}{_PART}')
    with writing(part), disk.removed_on_error(part):
        write_synced(part, _bytes_of(vars(shown)))
        part.replace(target)
    return target


def load_demonstrations(folder: Path) -> Demonstrations | None:
    """Return the shown episodes of a training; None: it has none.

    Raises:
        ConfigError: The file cannot be read.
    """
    path = folder / SHOWN
    if not path.exists():
        return None
    try:
        return Demonstrations(**load_file(path))
    except (SafetensorError, OSError, TypeError) as error:
        raise ConfigError(f'{path}: {error}; bring it back, or begin anew') from error


def load_actor(folder: Path) -> Actor:
    """Return the network of a `policy/` folder.

    Raises:
        ConfigError: It is missing, torn or of another shape.
    """
    path = _policy(folder)
    if not path.exists():
        raise ConfigError(
            f'there is no {path}, what was learned: ./mimic practise train goes on, and writes it '
            'now and then and at its end'
        )
    document = _read_json(path / DOCUMENT)
    try:
        actor = Actor(
            int(document['inputs']), int(document['actions']),
            [int(w) for w in document['layers']], int(document['memory']), 1.0,
        )  # fmt: skip
        actor.load_state_dict(load_file(path / TENSORS))
    except KeyError as error:
        raise ConfigError(f'{path / DOCUMENT}: field {error} is missing') from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{path / DOCUMENT}: a field is of the wrong kind: {error}') from error
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ConfigError(f'{path / TENSORS}: {error}') from error
    return actor.eval()


def load_level(folder: Path) -> float:
    """Return how much of its range of starts the policy of a training has met [1].

    Raises:
        ConfigError: It is missing, torn or no share.
    """
    path = _policy(folder) / DOCUMENT
    level = _read_json(path).get('level', 1.0)  # policies of before did not tell
    if not isinstance(level, int | float) or not 0.0 <= level <= 1.0:
        raise ConfigError(f'{path}: level = {level!r} is not within 0 and 1')
    return float(level)


def _policy(folder: Path) -> Path:
    path = folder / POLICY
    # Killed between two renames: the policy before is whole.
    return _old(path) if not path.exists() and _old(path).exists() else path


def _restore(
    learner: Learner, tensors: dict[str, Tensor], document: dict[str, Any], path: Path
) -> None:
    def part(name: str) -> dict[str, Tensor]:
        start = f'{name}.'
        return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

    try:
        learner.actor.load_state_dict(part('actor'))
        learner.average.load_state_dict(part('average') or part('actor'))  # some had none before
        learner.critic.load_state_dict(part('critic'))
        optimiser = learner.optimiser.state_dict()
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in part('optimiser').items():
            number, key = name.split('.', 1)
            states.setdefault(int(number), {})[key] = value
        optimiser['state'] = states
        learner.optimiser.load_state_dict(optimiser)
        learner.generator.set_state(tensors['generator'])
        learner.state, learner.begins = tensors['memory'], tensors['begins']
        learner.steps, learner.updates = int(document['steps']), int(document['updates'])
        learner.seconds = float(document['seconds'])
        learner.processor = float(document['processor'])
        learner.recent = [bool(v) for v in document['recent']]
        learner.demonstration_weight = float(document['demonstration_weight'])
        learner.set_rate(float(document['rate']))
        arrays = {k: v.numpy() for k, v in part('practice').items()}
        learner.practice.restore(arrays, document['practice'])
        reached = max(learner.practice.level, learner.practice.start_level)
        learner.met = float(document.get('met', reached))  # some did not tell before
    except KeyError as error:
        raise ConfigError(f'{path}: {error} is missing') from error
    except RuntimeError as error:
        raise ConfigError(f'{path} is of another training: {error}') from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{path / DOCUMENT}: a field is of the wrong kind: {error}') from error
    learner.look_again()


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.glob(f'{_PREFIX}*') if p.is_dir() and p.suffix not in (_PART, _TORN)
    )


def _write(target: Path, tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
    """Write a folder that is there as a whole or not at all, whenever the process dies.

    Raises:
        CheckpointError: The disk is full, or the folder cannot be written.
    """
    part = target.with_name(f'{target.name}{_PART}')
    with writing(part), disk.removed_on_error(part):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write_synced(part / TENSORS, _bytes_of(tensors))
        write_synced(part / DOCUMENT, (json.dumps(document) + '\n').encode())
        sync_folder(part)
        if target.exists():
            old = _old(target)
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
            part.rename(target)
            shutil.rmtree(old)
        else:
            part.rename(target)
        sync_folder(target.parent)


def _bytes_of(tensors: Mapping[str, Tensor]) -> bytes:
    return format_tensors({k: v.detach().contiguous().clone() for k, v in tensors.items()})


def writing(what: Path) -> AbstractContextManager[None]:
    """Turn an error of the disk into a CheckpointError: the file, the reason, how to go on."""
    return disk.writing(what, CheckpointError, _GO_ON)


def _old(target: Path) -> Path:
    return target.with_name(f'{target.name}.old')


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f'there is no {path}') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path}: no valid JSON: {error}') from error
    if not isinstance(document, dict):
        raise ConfigError(f'{path} is no JSON object')
    return document
