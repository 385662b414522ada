"""Features of pictures: from any encoder that is a callable.

An encoder turns pictures into vectors. `thumbnail` learns nothing and needs no more than numpy; a
network comes by name, `module:function` or `module:function=argument`, and is imported only then.
A torch module is an encoder too.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray, Image, checked
from mimic_core.errors import ConfigError, ShapeError
from mimic_core.plug_in import import_plug_in

Encoder = Callable[[Image], FloatArray]  # (N, H, W, 3) uint8 rgb -> (N, D)

CELLS: Final = 8  # a picture is seen as CELLS × CELLS of them
BINS: Final = 4  # directions of edges, unsigned
THUMBNAIL: Final = 'thumbnail'
LEARNING: Final = ('diffusers', 'safetensors', 'torch')  # what `./mimic build --learning` installs


def thumbnail(pictures: Image) -> FloatArray:
    """Return colours and edges of 8 × 8 cells: what stands where, without any learning.

    Args:
        pictures: (N, H, W, 3) uint8 rgb, H and W at least 8.

    Returns:
        (N, 8 · 8 · 7) mean rgb [0..1] and the strength of edges in four directions, per cell.
    """
    scaled = _cropped(pictures).astype(np.float32) / 255.0
    count, height, width, _ = scaled.shape
    grey = scaled.mean(axis=3)
    down, right = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, right)
    turn = np.mod(np.arctan2(down, right), np.pi) * (BINS / np.pi)
    edges = [strength * ((turn >= b) & (turn < b + 1)) for b in range(BINS)]
    layers = np.concatenate([scaled, np.stack(edges, axis=3)], axis=3)
    cells = layers.reshape(count, CELLS, height // CELLS, CELLS, width // CELLS, -1)
    features: FloatArray = cells.mean(axis=(2, 4)).reshape(count, -1).astype(np.float64)
    return features


def _cropped(pictures: Image) -> Image:
    """Return pictures whose sides are multiples of the number of cells."""
    if pictures.ndim != 4 or pictures.shape[3] != 3 or min(pictures.shape[1:3]) < CELLS:
        raise ShapeError(f'pictures are {pictures.shape}, not (N, H, W, 3) of at least 8 × 8')
    height, width = (CELLS * (side // CELLS) for side in pictures.shape[1:3])
    return pictures[:, :height, :width]


def encode(pictures: Image, encoder: Encoder, batch: int = 64) -> FloatArray:
    """Return (T, D) features of pictures (T, H, W, 3), a batch at a time.

    Args:
        pictures: uint8 rgb, an array or a memory map.
        encoder: Makes vectors of pictures.
        batch: Pictures that are in memory at once.

    Raises:
        ShapeError: There are no pictures, or the encoder does not give one vector for each.
        NotFiniteError: A feature is NaN or infinite.
    """
    if not len(pictures):
        raise ShapeError('no pictures to encode')
    parts = []
    for begin in range(0, len(pictures), batch):
        part = np.ascontiguousarray(pictures[begin : begin + batch])
        found = np.asarray(encoder(part), dtype=np.float64)
        parts.append(checked(found, (len(part), None), 'features of the encoder'))
    return np.concatenate(parts)


def load_encoder(name: str) -> Encoder:
    """Return an encoder by name: `thumbnail`, `module:function` or `module:function=argument`.

    With an argument (a file, say) the function is called with it and returns the encoder. In the
    place of an encoder may be a torch module: see `of_network`.

    Raises:
        ConfigError: There is none of that name, or something that it needs is not installed.
    """
    if name == THUMBNAIL:
        return thumbnail
    target, given, argument = name.partition('=')
    module, colon, function = target.partition(':')
    if not colon or not module or not function:
        raise ConfigError(
            f"encoder '{name}': {THUMBNAIL}, module:function or module:function=argument"
        )
    try:
        found = getattr(import_plug_in(module), function, None)
        if not callable(found):
            what = 'nothing' if found is None else f'a {type(found).__name__}, no callable,'
            raise ConfigError(f"encoder '{name}': {module} has {what} of that name")
        encoder = found(argument) if given else found
    except ImportError as error:
        learning = (error.name or '').split('.')[0] in LEARNING
        hint = '; ./mimic build --learning installs it' if learning else ''
        raise ConfigError(f"encoder '{name}': {error}{hint}") from error
    if isinstance(encoder, type) or not callable(encoder):
        what = 'a class' if isinstance(encoder, type) else f'a {type(encoder).__name__}'
        raise ConfigError(f"encoder '{name}': it is {what}, no callable that takes pictures")
    torch = sys.modules.get('torch')  # where none was imported, none was made
    is_network = torch is not None and isinstance(encoder, torch.nn.Module)
    return of_network(encoder) if is_network else encoder


def of_network(network: Any) -> Encoder:
    """Return a torch module as an encoder.

    It is put into evaluation mode and called without gradients, with float32 rgb (N, 3, H, W) in
    0..1, on the device where its parameters are. What it returns, (N, …), is flattened to (N, D).
    A network that wants pictures of another size or scale does that itself.

    Raises:
        ConfigError: When the encoder is called: the network does not take such pictures, or does
            not return one tensor.
    """
    torch = importlib.import_module('torch')
    network.eval()

    def encode_batch(pictures: Image) -> FloatArray:
        parameter = next(network.parameters(), None)
        device = 'cpu' if parameter is None else parameter.device
        batch = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255.0
        try:
            with torch.no_grad():
                found = network(batch)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(f'encoder {type(network).__name__}: {error}') from error
        if not isinstance(found, torch.Tensor):
            raise ConfigError(
                f'encoder {type(network).__name__}: returns a {type(found).__name__}, no tensor'
            )
        features: FloatArray = found.flatten(1).double().cpu().numpy()
        return features

    return encode_batch
