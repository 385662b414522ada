"""What may differ between two recordings of the virtual demonstrator."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, Image
from mimic_core.hand import Side
from mimic_sim.hand_model import HandShape

RGB = tuple[float, float, float]  # 0..1

_LIGHT_SKIN: Final = np.array([0.93, 0.75, 0.64])
_DARK_SKIN: Final = np.array([0.40, 0.26, 0.19])
_SLEEVES: Final[tuple[RGB | None, ...]] = (
    (0.20, 0.27, 0.38), (0.42, 0.20, 0.22), (0.30, 0.34, 0.30), (0.75, 0.74, 0.71),
    (0.16, 0.16, 0.17), None,
)  # fmt: skip
_TABLES: Final[tuple[RGB, ...]] = (
    (0.62, 0.60, 0.57), (0.66, 0.52, 0.37), (0.38, 0.40, 0.42), (0.82, 0.81, 0.78),
    (0.33, 0.25, 0.19), (0.45, 0.52, 0.50),
)  # fmt: skip
_WALLS: Final[tuple[RGB, ...]] = (
    (0.74, 0.76, 0.78), (0.80, 0.76, 0.68), (0.52, 0.57, 0.62), (0.35, 0.37, 0.40),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Variation:
    """The look of the person, the room and the camera; the default is a tidy laboratory."""

    side: Side = 'right'
    shape: HandShape = field(default_factory=HandShape)
    skin: float = 0.25  # [1] 0 light … 1 dark
    redness: float = 0.3  # [1] 0..1
    sleeve: RGB | None = (0.20, 0.27, 0.38)  # None: a bare arm
    light_azimuth: float = 2.2  # [rad] where the light comes from, about world z
    light_elevation: float = 1.0  # [rad] above the table
    light: float = 0.55  # [1] directed light
    ambient: float = 0.42  # [1]
    table: RGB = (0.62, 0.60, 0.57)
    grain: float = 0.25  # [1] strength of the table's texture
    wall: RGB = (0.74, 0.76, 0.78)
    clutter: int = 0  # things that lie around the workspace
    occluder: bool = False  # a thin post stands between camera and hand
    shadow_map: bool = False  # true shadows instead of soft discs; four times slower
    color_noise: float = 2.0  # [0..255] standard deviation
    depth_noise: float = 1.0  # [1] of a usual depth camera's; 0: perfect depth
    depth_holes: float = 1.0  # [1] holes and flying pixels, of a usual camera's
    camera_offset: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # [m], [rad] optical axes
    seed: int = 0  # of textures, clutter and noise

    @classmethod
    def sample(cls, rng: np.random.Generator, *, clutter: bool = True) -> 'Variation':
        """Return a random but plausible variation; `clutter` allows things on the table."""
        shape = HandShape(
            length=float(rng.uniform(0.165, 0.205)),
            finger_ratio=tuple(float(r) for r in rng.uniform(0.95, 1.05, 5)),
            breadth=float(rng.uniform(0.94, 1.06)),
            thickness=float(rng.uniform(0.92, 1.08)),
        )
        offset = np.concatenate([rng.normal(0.0, 0.012, 3), rng.normal(0.0, 0.02, 3)])
        return cls(
            side='right',
            shape=shape,
            skin=float(rng.uniform(0.0, 1.0)),
            redness=float(rng.uniform(0.0, 1.0)),
            sleeve=_SLEEVES[int(rng.integers(len(_SLEEVES)))],
            light_azimuth=float(rng.uniform(-np.pi, np.pi)),
            light_elevation=float(rng.uniform(0.7, 1.4)),
            light=float(rng.uniform(0.40, 0.70)),
            ambient=float(rng.uniform(0.33, 0.50)),
            table=_TABLES[int(rng.integers(len(_TABLES)))],
            grain=float(rng.uniform(0.0, 0.6)),
            wall=_WALLS[int(rng.integers(len(_WALLS)))],
            clutter=int(rng.integers(3, 9)) if clutter else 0,
            color_noise=float(rng.uniform(0.0, 4.0)),
            depth_noise=float(rng.uniform(0.6, 1.5)),
            depth_holes=float(rng.uniform(0.6, 1.5)),
            camera_offset=tuple(float(v) for v in offset),
            seed=int(rng.integers(2**31)),
        )


def skin_color(variation: Variation) -> FloatArray:
    """Return the usual colour (3,) of the person's skin, 0..1."""
    return (1.0 - variation.skin) * _LIGHT_SKIN + variation.skin * _DARK_SKIN


def skin_palette(variation: Variation, size: int = 64) -> Image:
    """Return colours (size, size, 3): columns from the back of the hand to nails, rows lighten."""
    base = skin_color(variation)
    pale = 0.45 * variation.skin  # palms and pads hold less pigment
    palm = (1.0 - pale) * base + pale * _LIGHT_SKIN
    red = palm * (1.04 + 0.06 * variation.redness, 0.86, 0.82 - 0.06 * variation.redness)
    nail = np.clip(palm * (1.06, 0.98, 0.98) + 0.06, 0.0, 1.0)
    hue = np.linspace(0.0, 1.0, size)
    redden = np.clip((hue - 0.25) / 0.55, 0.0, 1.0)[:, None]
    row = (1.0 - redden) * base + redden * red
    row = np.where(hue[:, None] > 0.88, nail, row)
    light = 0.55 + 0.60 * np.linspace(0.0, 1.0, size)
    pixels = row[None] * light[:, None, None]
    image: Image = (np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8)
    return image


def table_texture(variation: Variation, size: int = 256) -> Image:
    """Return a seamless (size, size, 3) picture of a table top with some grain."""
    rng = np.random.default_rng([variation.seed, 1])
    frequencies = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    radius = np.hypot(frequencies[0] * 6.0, frequencies[1] * 0.6) + 1.0 / size  # long in y
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / radius
    noise: FloatArray = np.fft.irfft2(spectrum, (size, size))
    noise = noise / np.abs(noise).max()
    pixels = np.array(variation.table) * (1.0 + 0.6 * variation.grain * noise[..., None])
    image: Image = (np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8)
    return image
