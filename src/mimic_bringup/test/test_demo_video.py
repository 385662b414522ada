"""What the demo's video says of a picture."""

import dataclasses

import numpy as np

from mimic_bringup.demo_video import _hand_at
from mimic_bringup.streams import Series, Streams


def tracked(*stamps, lost=()):
    """Streams of hands at some times, of none at others."""
    count, times = len(stamps), np.array(stamps, float)

    def series(*shape):
        return Series(times, times, np.ones((count, *shape)))

    required = [f.name for f in dataclasses.fields(Streams) if f.type is Series]
    seen = Streams(**dict.fromkeys(required, series(1)))
    points = series(21, 3)
    points.values[[stamps.index(stamp) for stamp in lost]] = np.nan
    pixels, confidence, kinds = series(21, 2), series(21), series(2)
    return dataclasses.replace(
        seen, hands=points, pixels=pixels, confidence=confidence, kinds=kinds
    )


def test_a_picture_that_was_tracked():
    seen = tracked(1.0, 1.1, 1.2, lost=(1.1,))
    hand, text = _hand_at(seen, 1.0)
    assert hand is not None and text == 'the camera sees'
    hand, text = _hand_at(seen, 1.1)
    assert hand is None and text == 'the camera sees no hand'


def test_a_picture_that_a_newer_one_replaced_shows_the_last_landmarks():
    """It does not say that no hand was seen: nobody looked."""
    seen = tracked(1.0, 1.1, 1.2, lost=(1.1,))
    hand, text = _hand_at(seen, 1.033)
    assert hand is not None and text == 'the camera sees (landmarks 33 ms older)'
    for stamp in (0.9, 1.133, 1.6):  # before the first, after a lost one, long after the last
        hand, text = _hand_at(seen, stamp)
        assert hand is None and text == 'the camera sees (picture not tracked)'
    hand, text = _hand_at(tracked(), 1.0)
    assert hand is None and text == 'the camera sees (picture not tracked)'
