"""The shape of every benchmark: options in, rows out, a table for people, JSON for machines."""

import json
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import SupportsFloat

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mimic_core.errors import UnknownNameError

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / 'benchmarks' / 'results'
_NOTES = '<!-- notes: what stands below is written by people -->\n'
_LONG = 40  # rows of a table that is folded on its page


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    seed: int = 0
    quick: bool = False
    minutes: float = 0.0  # of benches that run for a time; 0: theirs
    only: tuple[str, ...] = ()  # of benches with cells: tasks, hands, methods; empty: all


def check_names(what: str, names: Sequence[str], known: Collection[str]) -> None:
    """Check the names of `--only`, before anything is done.

    Raises:
        UnknownNameError: One of them is none of the known ones; `what` says what those are.
    """
    for name in names:
        if name not in known:
            raise UnknownNameError(what, name, known)


@dataclass(frozen=True)
class Row:
    """One measured value; target and met are None where a row only informs."""

    name: str
    value: float
    unit: str
    target: str | None = None
    met: bool | None = None


def at_most(name: str, value: SupportsFloat, unit: str, limit: float) -> Row:
    """Return a row that is met when value <= limit."""
    return Row(name, float(value), unit, f'≤ {limit:g}', float(value) <= limit)


def at_least(name: str, value: SupportsFloat, unit: str, limit: float) -> Row:
    """Return a row that is met when value >= limit."""
    return Row(name, float(value), unit, f'≥ {limit:g}', float(value) >= limit)


def info(name: str, value: SupportsFloat, unit: str) -> Row:
    """Return a row that only informs."""
    return Row(name, float(value), unit)


def timings(name: str, durations: Sequence[float], median_limit: float | None = None) -> list[Row]:
    """Return the median and the 95th percentile of durations [s], as milliseconds."""
    ms = np.asarray(durations) * 1e3
    median = float(np.median(ms))
    first = (
        info(f'{name}, median', median, 'ms')
        if median_limit is None
        else at_most(f'{name}, median', median, 'ms', median_limit)
    )
    return [first, info(f'{name}, p95', float(np.percentile(ms, 95)), 'ms')]


def git_commit() -> str:
    """Return the commit that is measured, with '+' when files differ from it."""
    try:
        commit = subprocess.run(
            ['git', 'rev-parse', '--short', 'HEAD'],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        dirty = subprocess.run(
            ['git', 'status', '--porcelain', '--untracked-files=no'],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return commit + ('+' if dirty else '')


def machine() -> str:
    """Return processor, cores and Python in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    cores = 0
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                cores += 1
    return f'{model}, {cores or "?"} cores, Python {platform.python_version()}'


def publish(path: Path) -> Path:
    """Write the page docs/results/<bench>.md of a result; return its path.

    A long table is folded, below the pictures. What people wrote on the page stays, and pictures
    that are shown there are not shown twice. Pictures of the same name go with it, those of
    `<bench>-….png` too where an earlier run made them, and what a bench keeps for its next run
    on another machine.
    """
    result = json.loads(path.read_text())
    page = ROOT / 'docs' / 'results' / f'{result["bench"]}.md'
    notes = page.read_text().partition(_NOTES)[2] if page.exists() else ''
    options = f' --seed {result["seed"]}' + (' --quick' if result['quick'] else '')
    options += f' --minutes {result["minutes"]:g}' if result['minutes'] else ''
    options += f' --only {" ".join(result["only"])}' if result['only'] else ''
    lines = [
        f'# {result["bench"]}',
        '',
        f'`./mimic bench {result["bench"]}{options}`, commit {result["commit"]}, '
        f'{result["date"]}, {result["duration"]:.0f} s, {result["machine"]}',
        '',
    ]
    for picture in (path.with_suffix('.png'), *path.parent.glob(f'{path.stem}-*.png')):
        if picture.exists():
            shutil.copyfile(picture, page.with_name(picture.name))
    there = [page.with_suffix('.png'), *sorted(page.parent.glob(f'{page.stem}-*.png'))]
    shown = set(re.findall(r'!\[[^\]]*\]\(([^)]+)\)', notes))
    pictures = [f'\n![{p.stem}]({p.name})' for p in there if p.exists() and p.name not in shown]
    lines += _body([Row(**row) for row in result['rows']], pictures)
    if (kept := path.with_name(f'{path.stem}_kept.json')).exists():
        shutil.copyfile(kept, page.with_name(kept.name))
    page.write_text('\n'.join(lines) + '\n\n' + _NOTES + notes)
    return page


def _body(rows: Sequence[Row], pictures: Sequence[str]) -> list[str]:
    table = _table(rows)
    if len(rows) <= _LONG:
        return [*table, *pictures]
    summary = f'\n<details><summary>All {len(rows)} values</summary>\n'
    return [*_targets(rows), *pictures, summary, *table, '\n</details>']


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ['| what | value | unit | target | met |', '| --- | --- | --- | --- | --- |']
    for row in rows:
        met = '' if row.met is None else 'yes' if row.met else '**no**'
        lines.append(f'| {row.name} | {row.value:.4g} | {row.unit} | {row.target or ""} | {met} |')
    return lines


def _targets(rows: Sequence[Row]) -> list[str]:
    """Return what a long table comes to: how many targets are met, and those that are missed."""
    judged = [row for row in rows if row.met is not None]
    missed = [row for row in judged if not row.met]
    if not judged:
        return [f'{len(rows)} values, none with a target.']
    count = f'{len(judged) - len(missed)} of {len(judged)} targets are met'
    return (
        [f'**{count}**, these are missed:', '', *_table(missed)] if missed else [f'**{count}**.']
    )


def save(bench: str, options: Options, rows: Sequence[Row], started: float) -> Path:
    """Print the table and write benchmarks/results/<bench>.json; return its path."""
    table = Table(title=f'{bench} (seed {options.seed}{", quick" if options.quick else ""})')
    for column, side in (('what', 'left'), ('value', 'right'), ('unit', 'left'),
                         ('target', 'left'), ('met', 'left')):  # fmt: skip
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for row in rows:
        mark = Text('' if row.met is None else 'yes' if row.met else 'no')
        mark.stylize('green' if row.met else 'red')
        table.add_row(row.name, f'{row.value:.4g}', row.unit, row.target or '', mark)
    console = Console(markup=False)
    console.print(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f'{bench}.json'
    document = {
        'bench': bench,
        'commit': git_commit(),
        'seed': options.seed,
        'quick': options.quick,
        'minutes': options.minutes,
        'only': options.only,
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
        'machine': machine(),
        'duration': round(time.perf_counter() - started, 1),
        'rows': [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + '\n')
    console.print(f'written to {path}')
    return path
