"""Draws a hand on its image, for people."""

from typing import Final

import cv2
import numpy as np

from mimic_core.arrays import Image
from mimic_core.hand import TrackedHand
from mimic_core.keypoints import BONES, CHAINS, TIPS, WRIST

_FINGERS: Final = (
    (255, 138, 76), (255, 202, 58), (112, 214, 120), (74, 178, 255), (190, 132, 255),
)  # fmt: skip  # rgb, thumb to little
_PALM: Final = (235, 235, 235)  # rgb
_DARK: Final = (24, 24, 28)  # rgb
_SHIFT: Final = 4  # bits after the point, for drawing between pixels
_PALM_RING: Final = (5, 9, 13, 17)


def draw_hand(image: Image, hand: TrackedHand, *, label: bool = True) -> Image:
    """Return a copy of an (H, W, 3) rgb image with the hand's landmarks and bones.

    A landmark of low confidence is drawn faint; one that is not known is left out.

    Args:
        image: The image in which the hand was found.
        hand: What was found.
        label: Write side, distance and method beside the wrist.
    """
    size = image.shape[0] / 480.0
    known = ~np.isnan(np.hstack([hand.keypoints, hand.pixels]).sum(axis=1))
    pixels = np.where(np.isfinite(hand.pixels), hand.pixels, 0.0).clip(-2000, 8000)
    at = np.rint(pixels * (1 << _SHIFT)).astype(int)
    solid, faint = image.copy(), image.copy()

    def line(a: int, b: int, color: tuple[int, int, int]) -> None:
        if not (known[a] and known[b]):
            return
        sure = min(hand.confidence[a], hand.confidence[b]) > 0.4
        target = solid if sure else faint
        ends = (at[a].tolist(), at[b].tolist())
        for paint, width in ((_DARK, 5.0), (color, 2.6)):
            cv2.line(target, *ends, paint, max(1, round(width * size)), cv2.LINE_AA, _SHIFT)

    for a, b in zip((WRIST, *_PALM_RING), (*_PALM_RING, WRIST), strict=True):
        line(a, b, _PALM)
    for index, (a, b) in enumerate(BONES):
        if a != WRIST or b == 1:
            line(a, b, _FINGERS[index // 4])
    colors = {joint: _FINGERS[f] for f, chain in enumerate(CHAINS) for joint in chain}
    for joint in np.flatnonzero(known):
        target = solid if hand.confidence[joint] > 0.4 else faint
        radius = (4.2 if joint in TIPS or joint == WRIST else 3.0) * size
        for paint, extra in ((_DARK, 1.3 * size), (colors.get(int(joint), _PALM), 0.0)):
            cv2.circle(
                target, at[joint].tolist(), round((radius + extra) * (1 << _SHIFT)), paint, -1,
                cv2.LINE_AA, _SHIFT,
            )  # fmt: skip
    # Faint drawings count a third; where only the solid ones drew, they stay as they are.
    drawn = (faint != image).any(axis=2) & ~(solid != image).any(axis=2)
    solid[drawn] = (0.35 * faint[drawn] + 0.65 * image[drawn]).astype(np.uint8)
    if label and known[WRIST]:
        text = f'{hand.side}  {hand.keypoints[WRIST, 2]:.2f} m  {hand.method}'
        u, v = pixels[WRIST] + (10 * size, 18 * size)
        for paint, width in ((_DARK, 3.5), ((255, 255, 255), 1.0)):
            cv2.putText(
                solid, text, (round(u), round(v)), cv2.FONT_HERSHEY_SIMPLEX, 0.45 * size, paint,
                max(1, round(width * size)), cv2.LINE_AA,
            )  # fmt: skip
    return solid
