"""What a camera adds to a perfect picture: noise, holes and flying pixels.

The depth model follows what stereo and structured-light cameras do: noise grows with the square of
the distance, surfaces seen at a flat angle are noisier, pixels at the edge of something near fall
between near and far ("flying") or are lost. Noise depends on seed and stamp only.
"""

from typing import Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from mimic_core.arrays import DepthImage, Image

_SPARE: Final = 256  # [px] by which the banks of noise are larger than a picture
_NOISE_AT_1M: Final = 2.0  # [mm] standard deviation
_EDGE_STEP: Final = 18  # [mm] between neighbours makes an edge
_LOST_AT_EDGE, _FLYING_AT_EDGE, _LOST_ANYWHERE = 0.35, 0.20, 0.0008  # [1] of the pixels
_STAMP_TICKS: Final = 1e5  # [1/s] resolution at which stamps make different noise


N = TypeVar('N', np.float32, np.int8)


class Sensor:
    """Adds seeded noise to rendered pictures."""

    def __init__(
        self,
        size: tuple[int, int],
        seed: int,
        color_noise: float,
        depth_noise: float,
        depth_holes: float,
    ) -> None:
        """Draw the noise from which every picture gets a part.

        Args:
            size: Height and width of the pictures [px].
            seed: Of all noise.
            color_noise: Standard deviation [0..255].
            depth_noise: Over that of a usual camera [1].
            depth_holes: Over those of a usual camera [1].
        """
        self._seed = seed
        self._color_noise, self._depth_noise, self._holes = color_noise, depth_noise, depth_holes
        rng = np.random.default_rng([seed, 2])
        bank = (size[0] + _SPARE, size[1] + _SPARE)
        self._gauss = rng.standard_normal(bank, dtype=np.float32)
        grain = rng.standard_normal((*bank, 3), dtype=np.float32) * np.float32(color_noise)
        self._grain: npt.NDArray[np.int8] = np.clip(np.rint(grain), -40, 40).astype(np.int8)
        self._uniform = rng.random(bank, dtype=np.float32)

    def color(self, image: Image, stamp: float) -> Image:
        """Return the picture (H, W, 3) slightly blurred, with grain."""
        soft = cv2.GaussianBlur(image, (3, 3), 0.6)
        if self._color_noise <= 0.0:
            return soft  # type: ignore[return-value]
        grain = self._cut(self._grain, image.shape, stamp, 0)
        noisy: Image = cv2.add(soft, grain, dtype=cv2.CV_8U)  # type: ignore[assignment]
        return noisy

    def depth(self, depth: DepthImage, stamp: float) -> DepthImage:
        """Return the depth image (H, W) [mm] as a sensor would give it, 0 where it is lost."""
        if self._depth_noise <= 0.0 and self._holes <= 0.0:
            return depth
        size = depth.shape
        z = depth.astype(np.float32)
        sigma = z * z * np.float32(self._depth_noise * _NOISE_AT_1M * 1e-6)
        noisy = z + sigma * self._cut(self._gauss, size, stamp, 1)
        if self._holes > 0.0:
            near = cv2.erode(depth, np.ones((3, 3), np.uint8))
            far = cv2.dilate(depth, np.ones((3, 3), np.uint8))
            edge = np.flatnonzero(far - near > _EDGE_STEP)
            chance = self._cut(self._uniform, size, stamp, 2)
            at_edge, flat = chance.ravel()[edge], noisy.reshape(-1)
            flying = edge[at_edge > np.float32(1.0 - _FLYING_AT_EDGE * self._holes)]
            share = self._cut(self._uniform, size, stamp, 3).ravel()[flying]
            front, back = near.reshape(-1)[flying], far.reshape(-1)[flying]
            flat[flying] = front + share * (back - front)
            flat[edge[at_edge < np.float32(_LOST_AT_EDGE * self._holes)]] = 0.0
            noisy[chance < np.float32(_LOST_ANYWHERE * self._holes)] = 0.0
        noisy[depth == 0] = 0.0
        np.rint(noisy, out=noisy)
        result: DepthImage = np.clip(noisy, 0.0, 65535.0, out=noisy).astype(np.uint16)
        return result

    def _cut(
        self, bank: npt.NDArray[N], shape: tuple[int, ...], stamp: float, stream: int
    ) -> npt.NDArray[N]:
        ticks = round(stamp * _STAMP_TICKS)
        mixed = np.random.SeedSequence([self._seed, ticks % 2**63, stream]).generate_state(2)
        top, left = int(mixed[0]) % (_SPARE + 1), int(mixed[1]) % (_SPARE + 1)
        return bank[top : top + shape[0], left : left + shape[1]]
