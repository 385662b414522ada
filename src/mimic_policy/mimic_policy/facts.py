"""Command line: `checkpoint_fact arm|hand|task [CHECKPOINT]`, for launch files. Needs no torch.

What a checkpoint is: `checkpoint.py`, which reads and checks all of it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from mimic_core.errors import ConfigError, MimicError

DOCUMENT: Final = 'checkpoint.json'
STEPS: Final = 'step_' + '[0-9]' * 8
WITHOUT: Final = {'arm': 'iiwa14', 'hand': 'allegro', 'task': 'pick_place'}  # of launch files


def fact_of(checkpoint: Path, name: str) -> str:
    """Return a text of the meta of a checkpoint, or of the newest one of a run.

    Raises:
        ConfigError: There is none, or it does not say it.
    """
    file = checkpoint / DOCUMENT
    if not file.exists():
        steps = sorted(checkpoint.glob(f'{STEPS}/{DOCUMENT}'))
        if not steps:
            raise ConfigError(f'{checkpoint}: no checkpoint: neither {DOCUMENT} nor step_… in it')
        file = steps[-1]
    try:
        value = json.loads(file.read_text())['meta'][name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{file}: meta.{name} cannot be read: {error!r}') from error
    return str(value)


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog='checkpoint_fact', description='What it is for.')
    parser.add_argument('fact', choices=sorted(WITHOUT))
    parser.add_argument(
        'checkpoint', nargs='?', default='', help='folder; none: what launch files take without'
    )
    options = parser.parse_args()
    if not options.checkpoint:
        sys.stdout.write(WITHOUT[options.fact])
        return
    try:
        sys.stdout.write(fact_of(Path(options.checkpoint).expanduser(), options.fact))
    except MimicError as error:
        raise SystemExit(str(error)) from None
