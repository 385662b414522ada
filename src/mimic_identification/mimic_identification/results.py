"""What comes out: a file for the twin, a table, a picture for each joint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mimic_core.errors import ConfigError
from mimic_description.response import save_responses
from mimic_identification.fit import NAMES, Fit
from mimic_identification.record import JointRecord
from mimic_identification.verdict import GOOD, Outcome

RESPONSE_FILE: Final = 'response.yaml'
COLUMNS: Final = (
    'joint', 'delay [ms]', 'T [ms]', 'damping', 'bandwidth [Hz]', 'gain', 'offset', 'backlash',
    'explained', 'verdict',
)  # fmt: skip
_COMMAND, _MEASURED, _FITTED, _BAD = '#8a8f98', '#2566c4', '#d1432b', '#d1432b'


def prepare_folder(folder: Path) -> Path:
    """Make the folder of the results, before anything moves.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / '.writable'
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f'{folder} cannot be written: {error.strerror}') from error
    return folder


def save(folder: Path, outcomes: Sequence[Outcome], facts: Mapping[str, Any]) -> Path:
    """Write the file for the twin and a picture of each joint; return the file.

    Joints whose fit does not describe them are not in the file: the twin keeps its own.

    Raises:
        ConfigError: The folder cannot be written.
    """
    prepare_folder(folder)
    responses = {o.name: o.fit.response for o in outcomes if o.usable and o.fit is not None}
    described = {o.name: _facts(o) for o in outcomes}
    path = folder / RESPONSE_FILE
    comment = (
        'How joints answer their commands, measured by ./mimic identify.\n'
        'The twin takes this file: ./mimic launch shadow response:=FILE'
    )
    save_responses(path, responses, {**facts, 'joints': described}, comment)
    for outcome in outcomes:
        if outcome.record is not None and outcome.fit is not None:
            try:
                draw(outcome).savefig(folder / f'{outcome.name}.png', dpi=110)
            except OSError as error:
                raise ConfigError(f'{folder}: {error.strerror}') from error
    return path


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Return the table, a row of texts for each joint, by COLUMNS."""
    return [_row(outcome) for outcome in outcomes]


def _row(outcome: Outcome) -> tuple[str, ...]:
    fit = outcome.fit
    verdict = outcome.verdict + (f': {outcome.reason}' if outcome.reason else '')
    if fit is None:
        return (outcome.name, *(8 * ('',)), verdict)
    r, half = fit.response, fit.interval

    def text(value: float, name: str, scale: float = 1.0, digits: int = 1) -> str:
        if name not in half:
            return '-'
        return f'{scale * value:.{digits}f} ± {scale * half[name]:.{digits}f}'

    return (
        outcome.name,
        text(r.delay, 'delay', 1e3),
        text(r.time_constant, 'time_constant', 1e3),
        text(r.damping, 'damping', 1.0, 2),
        f'{r.bandwidth:.1f}',
        text(r.gain, 'gain', 1.0, 3),
        text(r.offset, 'offset', 1.0, 4),
        text(r.backlash, 'backlash', 1.0, 4),
        f'{100 * fit.explained:.2f} %',
        verdict,
    )


def _facts(outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {'verdict': outcome.verdict}
    if outcome.reason:
        facts['reason'] = outcome.reason
    if outcome.fit is not None:
        fit = outcome.fit
        facts['interval_95'] = {n: _short(fit.interval[n]) for n in NAMES if n in fit.interval}
        facts |= {'lag': _short(fit.response.lag), 'residual': _short(fit.residual)}
        facts |= {'explained': _short(fit.explained), 'resolution': _short(fit.resolution)}
    return facts


def _short(value: float) -> float:
    return float(f'{value:.4g}')


def draw(outcome: Outcome) -> Figure:
    """Return the picture of a joint: over time, its error, a detail, and against the command."""
    record, fit = outcome.record, outcome.fit
    assert record is not None and fit is not None
    with mpl.rc_context({'font.size': 8, 'axes.spines.top': False, 'axes.spines.right': False}):
        figure = Figure(figsize=(11.0, 6.2), layout='constrained')
        grid = figure.add_gridspec(2, 3)
        _draw_time(figure.add_subplot(grid[0, :]), record, fit)
        _draw_detail(figure.add_subplot(grid[1, 0]), record, fit)
        _draw_loop(figure.add_subplot(grid[1, 1]), record, fit)
        _draw_error(figure.add_subplot(grid[1, 2]), record, fit)
        colour = 'black' if outcome.verdict == GOOD else _BAD
        figure.suptitle(f'{outcome.name}: {outcome.verdict}', color=colour, fontsize=11)
        figure.text(0.005, 0.985, _summary(fit), ha='left', va='top', fontsize=7.5)
    return figure


def _summary(fit: Fit) -> str:
    r = fit.response
    parts = [f'delay {1e3 * r.delay:.1f} ms']
    if r.order:
        parts.append(f'T {1e3 * r.time_constant:.1f} ms, {r.bandwidth:.1f} Hz')
    parts += [f'gain {r.gain:.3f}', f'backlash {r.backlash:.4f}']
    return ' · '.join(parts)


def _draw_time(axes: Any, record: JointRecord, fit: Fit) -> None:
    origin = record.stamps[0]
    axes.plot(record.knots - origin, record.targets, color=_COMMAND, lw=1.0, label='command')
    axes.plot(record.stamps - origin, record.positions, color=_MEASURED, lw=1.0, label='measured')
    axes.plot(record.stamps - origin, fit.predicted, color=_FITTED, lw=0.8, ls='--', label='fit')
    axes.set(xlabel='time [s]', ylabel='position [rad] or [m]')
    axes.legend(loc='lower right', bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False)
    axes.margins(x=0.01)


def _draw_detail(axes: Any, record: JointRecord, fit: Fit) -> None:
    """Show the half second with the fastest command."""
    speed = np.abs(np.gradient(record.targets, np.maximum(record.knots, record.knots[0])))
    middle = float(record.knots[int(np.nanargmax(speed))])
    low, high = middle - 0.3, middle + 0.5
    for times, values, colour, style in (
        (record.knots, record.targets, _COMMAND, '.-'),
        (record.stamps, record.positions, _MEASURED, '.'),
        (record.stamps, fit.predicted, _FITTED, '-'),
    ):
        inside = (times >= low) & (times <= high)
        axes.plot(times[inside] - record.stamps[0], values[inside], style, color=colour,
                  lw=0.8, ms=2.5)  # fmt: skip
    axes.set(xlabel='time [s]', ylabel='position', title='the fastest command')


def _draw_loop(axes: Any, record: JointRecord, fit: Fit) -> None:
    """Show positions against commands without the lag: a line, or a loop where there is play."""
    u = np.interp(record.stamps - fit.response.lag, record.knots, record.targets)
    axes.plot(u, record.positions - u, '.', color=_MEASURED, ms=1.5, label='measured')
    axes.plot(u, fit.predicted - u, '.', color=_FITTED, ms=1.0, label='fit')
    axes.set(xlabel='command, moved by the lag', ylabel='position - command',
             title='gain, offset, backlash')  # fmt: skip
    axes.legend(loc='best', frameon=False, markerscale=4)


def _draw_error(axes: Any, record: JointRecord, fit: Fit) -> None:
    error = record.positions - fit.predicted
    axes.plot(record.stamps - record.stamps[0], 1e3 * error, color=_MEASURED, lw=0.6)
    axes.set(xlabel='time [s]', ylabel='[mrad] or [mm]',
             title=f'what the fit leaves, rms {1e3 * fit.residual:.2f}')  # fmt: skip
