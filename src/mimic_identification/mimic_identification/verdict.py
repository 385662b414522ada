"""What a fit means, in words."""

from dataclasses import dataclass
from typing import Final

from mimic_identification.fit import Fit, fit_response
from mimic_identification.record import JointRecord

NO_MOTION: Final = 0.1  # [1] of the commanded excursion; less is no motion
MAX_DELAY: Final = 0.06  # [s], two pictures of a camera at 30 Hz
MIN_BANDWIDTH: Final = 2.0  # [Hz], what a hand that reaches and grasps moves with
MAX_BACKLASH: Final = 0.01  # [rad] or [m]
MAX_BACKLASH_SHARE: Final = 0.02  # [1] of the excursion, for joints that move little
GAIN_BOUNDS: Final = (0.95, 1.05)  # [1]
MIN_EXPLAINED: Final = 0.95  # [1] of the motion
MIN_EXCURSION: Final = 0.01  # [rad] or [m] commanded: less says nothing

GOOD: Final = 'good'
NOT_TESTED: Final = 'not tested'


@dataclass(frozen=True)
class Outcome:
    """One joint: what was recorded, what fits, and what to think of it."""

    name: str
    verdict: str  # words, separated by ', '
    reason: str = ''  # numbers behind the verdict
    record: JointRecord | None = None
    fit: Fit | None = None

    @property
    def usable(self) -> bool:
        """The fit describes the joint."""
        words = self.verdict.split(', ')
        return self.fit is not None and not {'no motion', 'not explained'} & set(words)


def judge(record: JointRecord, fit: Fit) -> Outcome:
    """Return what a fit means; 'good' when nothing is wrong."""
    share = record.moved / max(record.excursion, 1e-9)
    if share < NO_MOTION:
        why = f'moved {record.moved:.4f} of the {record.excursion:.4f} that were commanded'
        return Outcome(record.name, 'no motion', why, record, fit)
    r, interval = fit.response, fit.interval
    words, reasons = [], []

    def add(wrong: bool, word: str, reason: str) -> None:
        if wrong:
            words.append(word)
            reasons.append(reason)

    add(bool(fit.saturated), 'saturated',
        f'stays at its {fit.saturated} end while the command goes on')  # fmt: skip
    add(fit.explained < MIN_EXPLAINED, 'not explained',
        f'the fit explains {100 * fit.explained:.0f} % of the motion')  # fmt: skip
    add(r.delay - interval['delay'] > MAX_DELAY, 'delay too large',
        f'delay {1e3 * r.delay:.0f} ms (bound {1e3 * MAX_DELAY:.0f} ms)')  # fmt: skip
    add(r.bandwidth < MIN_BANDWIDTH, 'sluggish',
        f'bandwidth {r.bandwidth:.1f} Hz (bound {MIN_BANDWIDTH:g} Hz)')  # fmt: skip
    bound = min(MAX_BACKLASH, MAX_BACKLASH_SHARE * record.excursion)
    bound = max(bound, 2.0 * fit.resolution)
    add(r.backlash - interval['backlash'] > bound, 'backlash',
        f'backlash {r.backlash:.4f} (bound {bound:.4f})')  # fmt: skip
    low, high = GAIN_BOUNDS
    off = not low <= r.gain <= high and abs(r.gain - 1.0) > interval['gain']
    add(off, 'wrong gain', f'gain {r.gain:.3f} is outside [{low:g}, {high:g}]')
    return Outcome(record.name, ', '.join(words) or GOOD, '; '.join(reasons), record, fit)


def judge_record(record: JointRecord) -> Outcome:
    """Return what a record says, with its fit; a joint that was hardly commanded is not tested."""
    if record.excursion < MIN_EXCURSION:
        why = f'moved by {record.excursion:.4f} only, less than {MIN_EXCURSION:g} says nothing'
        return Outcome(record.name, NOT_TESTED, why)
    return judge(record, fit_response(record))
