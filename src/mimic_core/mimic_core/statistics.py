"""Numbers about trials, and words about many of them."""

import math
import re
from typing import Final

Z95: Final = 1.959963984540054  # of the normal distribution, two-sided 95 %
# One that stands alone: 'iiwa_joint_4' is a name, and what ends a sentence is no decimal point.
_NUMBER: Final = re.compile(r'(?<![\w.])-?\d+(\.\d+)?(e[+-]?\d+)?(?!\w)')


def wilson(good: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, `good` of `count`; of no trials anything from 0 to 1.

    Source: E. B. Wilson, 1927, Probable inference, the law of succession.
    """
    if count == 0:
        return 0.0, 1.0
    share, z2 = good / count, Z95 * Z95
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    half *= Z95 / (1 + z2 / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def without_numbers(reason: str) -> str:
    """Return a reason with # for each number, so that like ones are counted together."""
    return _NUMBER.sub('#', reason)
