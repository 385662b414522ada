"""Good, usable or redo, and why."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mimic_calibration.calibrate import HandEyeResult
from mimic_calibration.detection import BLUR_WARNING
from mimic_calibration.intrinsics import IntrinsicsResult

Level = Literal['good', 'usable', 'redo']

GOOD_SHIFT, USABLE_SHIFT = 0.002, 0.006  # [m] expected error of the camera's position
GOOD_TURN, USABLE_TURN = float(np.radians(0.2)), float(np.radians(0.6))  # [rad]
GOOD_HELD_OUT, USABLE_HELD_OUT = 0.003, 0.008  # [m], median of poses left out
GOOD_POSES: Final = 12
GOOD_SECOND_TURN: Final = np.radians(8.0)  # [rad] rms about the second axis
GOOD_PIXELS, USABLE_PIXELS = 0.5, 1.0  # [px] intrinsics, held out
GOOD_FIELD, USABLE_FIELD = 1.0, 3.0  # [px]
MANY_REJECTED: Final = 0.2  # [1]


@dataclass(frozen=True)
class Verdict:
    """The judgement on a calibration."""

    level: Level
    reasons: tuple[str, ...]  # what keeps it from being good

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if not self.reasons:
            return f'{self.level}.'
        return f'{self.level}: {"; ".join(self.reasons)}.'


class _Judge:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self._worst = 0

    def limit(self, value: float, good: float, usable: float, text: str) -> None:
        grade = 0 if value <= good else 1 if value <= usable else 2
        if grade:
            self.add(text, grade)

    def add(self, text: str, grade: int) -> None:
        self.reasons.append(text)
        self._worst = max(self._worst, grade)

    def verdict(self) -> Verdict:
        level: Level = ('good', 'usable', 'redo')[self._worst]
        return Verdict(level, tuple(self.reasons))


def judge_intrinsics(result: IntrinsicsResult, blur: float) -> Verdict:
    """Return the verdict on a camera calibration; blur: median of the views [px]."""
    judge = _Judge()
    judge.limit(
        result.held_out, GOOD_PIXELS, USABLE_PIXELS,
        f'views that took no part are off by {result.held_out:.2f} px',
    )  # fmt: skip
    judge.limit(
        result.field_error, GOOD_FIELD, USABLE_FIELD,
        f'other views would change the picture by {result.field_error:.1f} px',
    )  # fmt: skip
    for reason in result.coverage.one_sided():
        judge.add(reason, 1)
    _common(judge, blur, int((~result.used).sum()), len(result.used))
    return judge.verdict()


def judge_hand_eye(result: HandEyeResult) -> Verdict:
    """Return the verdict on a hand-eye calibration."""
    refined, judge = result.refined, _Judge()
    shift, turn = refined.shift_error, refined.turn_error
    judge.limit(
        shift, GOOD_SHIFT, USABLE_SHIFT,
        f'the position of the camera is uncertain by {1e3 * shift:.1f} mm',
    )  # fmt: skip
    judge.limit(
        turn, GOOD_TURN, USABLE_TURN,
        f'its orientation is uncertain by {np.degrees(turn):.2f}°',
    )  # fmt: skip
    left_out = float(np.median([r.shift for r in refined.held_out] or [np.inf]))
    judge.limit(
        left_out, GOOD_HELD_OUT, USABLE_HELD_OUT,
        f'poses that took no part are off by {1e3 * left_out:.1f} mm',
    )  # fmt: skip
    used = sum(r.used for r in refined.residuals)
    if used < GOOD_POSES:
        judge.add(f'{used} poses are few, take {GOOD_POSES} or more', 1)
    if result.spread.second < GOOD_SECOND_TURN:
        judge.add(
            'too little rotation: about the second axis the poses turn by only '
            f'{np.degrees(result.spread.second):.0f}°',
            1,
        )
    blur = float(np.median([s.detection.blur for s in result.samples]))
    _common(judge, blur, len(refined.rejected), len(result.samples))
    return judge.verdict()


def _common(judge: _Judge, blur: float, rejected: int, total: int) -> None:
    if blur > BLUR_WARNING:
        judge.add(f'the pictures are blurred by {blur:.1f} px', 1)
    if rejected > MANY_REJECTED * total:
        judge.add(f'{rejected} of {total} views contradict the others', 1)
