"""From the video of one demonstration to a run."""

from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.path import NoMotionError, ObjectNotSeenError
from mimic_rl.prepare.posture import BlockedStartError, UnreachableStartError
from mimic_rl.prepare.prepare import Prepared, check_folder, prepare, write_run
from mimic_rl.prepare.video import DemonstrationVideo
from mimic_rl.prepare.watch import HandNotSeenError

__all__ = [
    'BlockedStartError',
    'DemonstrationVideo',
    'HandNotSeenError',
    'NoMotionError',
    'ObjectNotSeenError',
    'PrepareParams',
    'Prepared',
    'UnreachableStartError',
    'check_folder',
    'prepare',
    'write_run',
]
