"""The result of an alignment as a file: for each human frame, the frame of each robot episode.

The file is what ImMimic's training reads, and holds nothing else:

    {"<human episode>": {"<human frame>": {"<robot episode>": <robot frame>, ...}, ...}, ...}

Episodes and frames are numbers from 0, as text where JSON wants keys.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_alignment.dtw import Warp
from mimic_core.arrays import IntArray
from mimic_core.errors import ConfigError
from mimic_recording.bag import write_text

LARGEST: Final = 2**31  # number of a frame: of more than two years


@dataclass(frozen=True)
class Mapping:
    """Matching frames of H human and R robot episodes."""

    frames: tuple[tuple[IntArray, ...], ...]  # [human][robot] -> (N,) robot frame of human frames

    @classmethod
    def of(cls, warps: Sequence[Sequence[Warp]]) -> 'Mapping':
        """Return the mapping of warps: [human][robot]."""
        return cls(tuple(tuple(warp.column_of_rows() for warp in row) for row in warps))

    @property
    def digest(self) -> str:
        """What tells this mapping from others."""
        found = hashlib.sha256()
        for row in self.frames:
            for frames in row:
                found.update(len(frames).to_bytes(8, 'little'))
                found.update(np.asarray(frames, '<i8').tobytes())
        return found.hexdigest()[:16]

    def save(self, file: Path) -> None:
        """Write the file; what was there before stays whole until the new one is."""
        data = {
            str(h): {
                str(t): {str(r): int(frames[t]) for r, frames in enumerate(row)}
                for t in range(len(row[0]) if row else 0)
            }
            for h, row in enumerate(self.frames)
        }
        write_text(file, json.dumps(data) + '\n')

    @classmethod
    def load(cls, file: Path) -> 'Mapping':
        """Read a file.

        Raises:
            ConfigError: It is not there, damaged, or frames are missing; says where.
        """
        humans = _children(read_map(file), str(file))
        return cls(tuple(_human(item, f'{file}: {h}') for h, item in enumerate(humans)))


def read_map(file: Path) -> dict[str, Any]:
    """Return what a JSON file holds, a map.

    Raises:
        ConfigError: It is not there, or damaged.
    """
    try:
        data = json.loads(file.read_text())
    except OSError as error:
        raise ConfigError(f'{file}: {error.strerror}') from error
    except ValueError as error:
        raise ConfigError(f'{file}: not JSON: {error}') from error
    if not isinstance(data, dict):
        raise ConfigError(f'{file}: not a mapping')
    return data


def _children(data: Any, where: str) -> list[Any]:
    """Return the values of keys '0', '1', ... in order."""
    if not isinstance(data, dict):
        raise ConfigError(f'{where}: not a mapping')
    missing = [str(i) for i in range(len(data)) if str(i) not in data]
    if missing:
        raise ConfigError(f"{where}: no '{missing[0]}' among {len(data)} entries")
    return [data[str(i)] for i in range(len(data))]


def _human(data: Any, where: str) -> tuple[IntArray, ...]:
    rows = [_children(item, f'{where}: {t}') for t, item in enumerate(_children(data, where))]
    if not rows:
        raise ConfigError(f'{where}: no frames')
    if len({len(row) for row in rows}) > 1:
        raise ConfigError(f'{where}: frames have different numbers of robot episodes')
    for t, row in enumerate(rows):
        for r, value in enumerate(row):
            if type(value) is not int or not 0 <= value <= LARGEST:
                raise ConfigError(f'{where}: {t}: {r}: {value!r} is no frame number')
    table = np.array(rows, np.int64).reshape(len(rows), -1)
    return tuple(table[:, r].copy() for r in range(table.shape[1]))
