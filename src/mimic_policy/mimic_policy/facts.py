"""Command line: `checkpoint_fact FACT [CHECKPOINT]`, for launch files. Needs no torch.

Of both kinds of checkpoint: that of a diffusion policy (`checkpoint.py` reads and checks all of
it) and the run folder of a practised one (mimic_rl's `run_folder.py` does).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from mimic_core.errors import ConfigError, MimicError

DOCUMENT: Final = 'checkpoint.json'
STEPS: Final = 'step_' + '[0-9]' * 8
RUN_FILE: Final = 'run.json'  # of a run folder
DIFFUSION, PRACTISED = 'diffusion', 'practised'
WITHOUT: Final = {  # of launch files
    'kind': DIFFUSION, 'arm': 'iiwa14', 'hand': 'allegro', 'task': 'pick_place',
    'scene': 'pick_place', 'symmetry': 'auto',
}  # fmt: skip
MESH: Final = 'mesh'  # of the object that was practised with
SYMMETRY: Final = 'symmetry'  # which of its turns look the same, as a tracker is told
SCENE: Final = 'scene'  # what the twin has on its table: a task, or the file of one
TASK_FILE: Final = 'task.json'  # in a run folder that a video was prepared into


def fact_of(checkpoint: Path, name: str) -> str:
    """Return a fact of a checkpoint, of the newest one of a training, or of a run folder.

    Raises:
        ConfigError: There is none, or it does not say it.
    """
    if (checkpoint / RUN_FILE).exists():
        return _practised(checkpoint, name)
    if name == SYMMETRY:  # a diffusion policy sees pictures, not objects
        return WITHOUT[SYMMETRY]
    file = checkpoint / DOCUMENT
    if not file.exists():
        steps = sorted(checkpoint.glob(f'{STEPS}/{DOCUMENT}'))
        if not steps:
            raise ConfigError(
                f'{checkpoint}: no checkpoint: neither {DOCUMENT} nor step_… nor {RUN_FILE} in it'
            )
        file = steps[-1]
    return DIFFUSION if name == 'kind' else _text(file, 'meta', 'task' if name == SCENE else name)


def _practised(folder: Path, name: str) -> str:
    file = folder / RUN_FILE
    whole = folder.absolute().parent
    if (whole / RUN_FILE).exists():  # each training has a copy
        raise ConfigError(
            f'{folder} is a training in a run folder: give checkpoint:={whole} '
            f'training:={folder.name}'
        )
    if name == 'kind':
        return PRACTISED
    if name == SCENE:
        own = folder / TASK_FILE
        return str(own.absolute()) if own.exists() else _text(file, 'task')
    if name == SYMMETRY:
        return _text(file, 'object', SYMMETRY, absent=WITHOUT[SYMMETRY])  # in an older run
    if name != MESH:
        return _text(file, name)
    mesh = _text(file, 'object', MESH)
    if not mesh:
        raise ConfigError(f'{file}: object.mesh is empty: nothing to find the object by')
    return str((folder / mesh).absolute())


def _text(file: Path, *names: str, absent: str | None = None) -> str:
    *above, last = names
    try:
        value = json.loads(file.read_text())
        for name in above:
            value = value[name]
        value = value[last] if absent is None else value.get(last, absent)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f'{file}: {".".join(names)} cannot be read: {error!r}') from error
    return str(value)


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog='checkpoint_fact', description='What it is for.')
    parser.add_argument('fact', choices=sorted([*WITHOUT, MESH]))
    parser.add_argument(
        'checkpoint', nargs='?', default='', help='folder; none: what launch files take without'
    )
    options = parser.parse_args()
    if not options.checkpoint and options.fact != MESH:
        sys.stdout.write(WITHOUT[options.fact])
        return
    try:
        sys.stdout.write(fact_of(Path(options.checkpoint).expanduser(), options.fact))
    except MimicError as error:
        raise SystemExit(str(error)) from None
