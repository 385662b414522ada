"""What was measured and stays when `out/tasks` is gone: beside the page, and with the repository.

A table of many hours is filled over several machines; none of them has all of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.experiment.retrieval import Overlaps
from benchmarks.experiment.settings import ARM, Cell, DataSettings, key_of
from mimic_core.errors import ConfigError
from mimic_description import load_robot

FIELDS: Final = (
    'cell', 'rollouts', 'success', 'success_low', 'success_high', 'completion_time', 'sparc',
    'training_time', 'evaluation_time', 'commit', 'date',
)  # fmt: skip
USED: Final = ('robots', 'humans')  # episodes; not noted by the first cells
Result = Mapping[str, Any]
Table = Mapping[str, Mapping[str, Overlaps]]  # by disturbance, by kind


@dataclass
class Pair:
    """What is measured beside the cells, of one task with one hand."""

    distance: float  # [1] a step, of people's actions to the demonstrations'
    overlaps: Table = field(default_factory=dict)
    mixing: dict[str, float] = field(default_factory=dict)  # [1] of latents, by method


@dataclass
class Kept:
    """Finished cells by their keys, and pairs."""

    cells: dict[str, dict[str, Any]] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> 'Kept':
        """Return what a file keeps; nothing where there is none.

        Raises:
            ConfigError: It is damaged.
        """
        if not file.exists():
            return cls()
        try:
            document = json.loads(file.read_text())
            cells = {
                key: {name: cell[name] for name in FIELDS} | _used(cell)
                for key, cell in document['cells'].items()
            }
            pairs = {key: _pair(values) for key, values in document['pairs'].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f'{file}: damaged: {error!r}') from None
        return cls(cells, pairs)

    def write(self, file: Path) -> None:
        """Write it for people to read in a diff."""
        document = {
            'cells': dict(sorted(self.cells.items())),
            'pairs': {key: asdict(pair) for key, pair in sorted(self.pairs.items())},
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=1) + '\n')

    def add(self, key: str, result: Result) -> None:
        """Keep a cell, in the place of an older one."""
        self.cells[key] = {name: result.get(name) for name in FIELDS} | _used(result)

    def measured(self, key: str, pair: Pair) -> None:
        """Keep what was measured of a pair; what policies saw and was not looked at now stays."""
        old = self.pairs.get(key)
        if old is not None:
            pair.mixing = pair.mixing or old.mixing
            pair.overlaps = {
                disturbance: {**old.overlaps.get(disturbance, {}), **row}
                for disturbance, row in pair.overlaps.items()
            }
        self.pairs[key] = pair

    def results(self, keys: Sequence[str]) -> list[Result]:
        """Return the cells with these keys that are kept, in this order."""
        return [self.cells[key] for key in keys if key in self.cells]


def pair_key(task: str, hand: str, data: DataSettings) -> str:
    """Tell a pair from the same one of other data, or of the robot as it was before a change."""
    return f'{task}-{hand}-{key_of(data, load_robot(ARM, hand).digest)}'


def pairs_of(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return tasks with hands of results, each once."""
    cells = [Cell(**result['cell']) for result in results]
    return list(dict.fromkeys((cell.task, cell.hand) for cell in cells))


def _used(cell: Result) -> dict[str, Any]:
    return {name: cell[name] for name in USED if name in cell}


def _pair(values: Mapping[str, Any]) -> Pair:
    overlaps = {
        disturbance: {kind: Overlaps(**found) for kind, found in row.items()}
        for disturbance, row in values['overlaps'].items()
    }
    return Pair(float(values['distance']), overlaps, dict(values['mixing']))
