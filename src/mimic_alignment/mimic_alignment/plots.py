"""Pictures of an alignment: one warped pair, and paths of the wrist in 3-D."""

from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mimic_alignment.actions import Actions
from mimic_alignment.dtw import Warp
from mimic_core.arrays import FloatArray

HUMAN, ROBOT, PATH = '#d1432b', '#2566c4', '#1b1d21'
_AXES: Final = ('x', 'y', 'z')
_LINKS: Final = 24  # lines between matching frames that are drawn
_ZOOM: Final = 0.75  # [1]
_STYLE: Final[Any] = {'font.size': 8, 'axes.spines.top': False, 'axes.spines.right': False}


def draw_warp(
    cost: FloatArray,
    warp: Warp,
    human: Actions,
    robot: Actions,
    names: tuple[str, str] = ('human', 'robot'),
) -> Figure:
    """Return a picture of one pair: the path over its costs, and the curves before and after.

    Args:
        cost: (N, M) local costs [1].
        warp: The path through it.
        human: N frames [m], as they were.
        robot: M frames [m].
        names: Of the two episodes.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11.0, 5.6), layout='constrained')
        grid = figure.add_gridspec(3, 3, width_ratios=(1.25, 1.0, 1.0))
        _draw_costs(figure.add_subplot(grid[:, 0]), cost, warp, names)
        columns = warp.column_of_rows()
        for k, name in enumerate(_AXES):
            before = figure.add_subplot(grid[k, 1])
            before.plot(human.position[:, k], color=HUMAN, label=names[0])
            before.plot(robot.position[:, k], color=ROBOT, label=names[1])
            before.set_ylabel(f'{name} [m]')
            after = figure.add_subplot(grid[k, 2], sharey=before)
            after.plot(human.position[: len(columns), k], color=HUMAN)
            after.plot(robot.position[columns, k], color=ROBOT)
            if k == 0:
                before.set_title('before')
                before.legend(frameon=False)
                after.set_title('after: at the frames that match')
            if k == 2:
                before.set_xlabel('frame')
                after.set_xlabel(f'frame of {names[0]}')
    return figure


def _draw_costs(axes: Any, cost: FloatArray, warp: Warp, names: tuple[str, str]) -> None:
    picture = axes.imshow(cost, origin='lower', aspect='auto', cmap='Greys')
    axes.plot(warp.path[:, 1], warp.path[:, 0], color=HUMAN, linewidth=1.6)
    axes.set_xlabel(f'frame of {names[1]}')
    axes.set_ylabel(f'frame of {names[0]}')
    axes.set_title(f'cost of a step {warp.mean:.3f}')
    axes.figure.colorbar(picture, ax=axes, location='bottom', shrink=0.8, label='local cost [1]')


def draw_paths(
    humans: Sequence[Actions],
    robots: Sequence[Actions],
    pair: tuple[int, int, Warp] | None = None,
    title: str = '',
) -> Figure:
    """Return a picture of the paths of the wrist in base_link: all of them, and one pair matched.

    Args:
        humans: Retargeted hands [m].
        robots: Demonstrations [m].
        pair: Number of a human, of a robot and their warp; matching frames are joined by lines.
        title: Above it.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11.0 if pair else 6.0, 5.2), layout='constrained')
        every = figure.add_subplot(1, 2 if pair else 1, 1, projection='3d')
        faint = max(0.12, 1.0 / max(len(humans), 1) ** 0.5)
        for one in humans:
            every.plot(*one.position.T, color=HUMAN, alpha=faint, linewidth=0.8)
        for one in robots:
            every.plot(*one.position.T, color=ROBOT, linewidth=1.4)
        every.set_title(f'{len(humans)} human (red), {len(robots)} robot (blue)')
        shown = [every]
        if pair is not None:
            shown.append(figure.add_subplot(1, 2, 2, projection='3d'))
            _draw_pair(shown[1], humans[pair[0]], robots[pair[1]], pair[2])
        for axes in shown:
            _same_scale(axes, [*humans, *robots])
        figure.suptitle(title)
    return figure


def _draw_pair(axes: Any, human: Actions, robot: Actions, warp: Warp) -> None:
    axes.plot(*human.position.T, color=HUMAN, linewidth=1.4)
    axes.plot(*robot.position.T, color=ROBOT, linewidth=1.4)
    columns = warp.column_of_rows()
    chosen = np.unique(np.linspace(0, len(columns) - 1, _LINKS).round().astype(int))
    gaps = np.linalg.norm(human.position[chosen] - robot.position[columns[chosen]], axis=1)
    for row in chosen:
        ends = np.stack([human.position[row], robot.position[columns[row]]])
        axes.plot(*ends.T, color=PATH, alpha=0.45, linewidth=0.7)
    axes.set_title(f'one pair, matched: {1e3 * float(gaps.mean()):.0f} mm apart in the mean')


def _same_scale(axes: Any, paths: Sequence[Actions]) -> None:
    """Let a metre be as long along each axis."""
    points = np.concatenate([path.position for path in paths])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * float((high - low).max())
    for k, name in enumerate(_AXES):
        getattr(axes, f'set_{name}lim')(low[k] - margin, high[k] + margin)
        getattr(axes, f'set_{name}label')(f'{name} [m]')
        getattr(axes, f'{name}axis').set_major_locator(mpl.ticker.MaxNLocator(4))
    # Smaller than usual: a high box leaves no room for the labels below it
    axes.set_box_aspect(np.maximum(high - low, 1e-3) + 2 * margin, zoom=_ZOOM)
    axes.view_init(elev=22.0, azim=-60.0)
