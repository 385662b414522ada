"""Pictures of the results: success by cell, against demonstrations, against videos, retrieval."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.experiment.retrieval import Overlaps
from benchmarks.experiment.settings import (
    CONTROL,
    HANDS,
    ROBOT_COUNTS,
    ROBOTS,
    TASKS,
    VIDEO_COUNTS,
    VIDEOS,
    Cell,
    usual,
)

COLOURS: Final = {  # in the order in which bars stand
    'robot_only': '#9aa1ab',
    CONTROL: '#5c636d',
    'fine_tune': '#b07cc6',
    'co_train': '#e0a13a',
    'random_map': '#c96a5a',
    'immimic_v': '#58a5a8',
    'immimic_a': '#2566c4',
}
_STYLE: Final[Any] = {'font.size': 8, 'axes.spines.top': False, 'axes.spines.right': False}
Results = Sequence[Mapping[str, Any]]


def _find(results: Results, **wanted: Any) -> Mapping[str, Any] | None:
    for result in results:
        if all(result['cell'][name] == value for name, value in wanted.items()):
            return result
    return None


def is_usual(result: Mapping[str, Any]) -> bool:
    """Return whether it is a cell of the table, not one of more or fewer demonstrations."""
    cell = Cell(**result['cell'])
    return cell == usual(cell.task, cell.hand, cell.method)


def is_near(result: Mapping[str, Any]) -> bool:
    """Return whether it is a cell of the table, but of a policy that sees REGION."""
    cell = Cell(**result['cell'])
    return cell == replace(usual(cell.task, cell.hand, cell.method), near=True)


def draw_success(results: Results) -> Figure:
    """Return success of every cell with 95 % intervals.

    There is a panel for each task, and one for the near view.
    """
    table = [r for r in results if is_usual(r)]
    near = [r for r in results if is_near(r)]
    panels = {task: [r for r in table if r['cell']['task'] == task] for task in TASKS}
    panels[f'{TASKS[0]}, near view'] = near
    panels = {title: those for title, those in panels.items() if those}
    methods = [m for m in COLOURS if any(r['cell']['method'] == m for r in table + near)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.1 * max(len(panels), 1) + 1.2, 3.0), layout='constrained')
        for column, (title, those) in enumerate(panels.items()):
            axes: Any = figure.add_subplot(1, len(panels), column + 1)
            hands = [h for h in HANDS if _find(those, hand=h)]
            width = 0.8 / len(methods)
            for h, hand in enumerate(hands):
                found = [_find(those, hand=hand, method=m) for m in methods]
                bars = [result for result in found if result is not None]
                for number, result in enumerate(bars):
                    at, value = h + (number - 0.5 * (len(bars) - 1)) * width, result['success']
                    axes.bar(at, value, width, color=COLOURS[result['cell']['method']])
                    spread = [[value - result['success_low']], [result['success_high'] - value]]
                    axes.errorbar(at, value, spread, color='#1b1d21', linewidth=0.7)
            axes.set_xticks(range(len(hands)), hands)
            axes.set_ylim(0.0, 1.05)
            axes.set_title(title)
            if column == 0:
                axes.set_ylabel('success, Wilson 95 %')
        marks = [mpl.patches.Patch(color=COLOURS[m], label=m) for m in methods]
        figure.legend(handles=marks, loc='outside lower center', ncols=len(marks), frameon=False)
    return figure


def draw_scaling(results: Results, task: str = TASKS[0]) -> Figure:
    """Return success against the number of demonstrations, and of videos, for each hand."""
    results = [r for r in results if not Cell(**r['cell']).near]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 3.4), layout='constrained')
        left: Any = figure.add_subplot(1, 2, 1)
        right: Any = figure.add_subplot(1, 2, 2)
        for number, hand in enumerate(HANDS):
            colour = f'C{number}'
            for method, videos, style in (('immimic_a', VIDEOS, '-'), ('robot_only', 0, '--')):
                points = _points(
                    results, ROBOT_COUNTS, 'robots', task=task, hand=hand, method=method,
                    videos=videos,
                )  # fmt: skip
                if len(points) > 1:  # else only the table's cell
                    left.plot(*zip(*points, strict=True), style, marker='o', color=colour)
            points = _points(
                results, VIDEO_COUNTS, 'videos', task=task, hand=hand, method='immimic_a',
                robots=ROBOTS,
            )  # fmt: skip
            without = _find(
                results, task=task, hand=hand, method='robot_only', robots=ROBOTS, videos=0
            )
            if without is not None:
                points = [(0, without['success']), *points]
            if points:
                right.plot(*zip(*points, strict=True), marker='o', color=colour, label=hand)
        left.set_xlabel(f'robot demonstrations; solid: {VIDEOS} videos, dashed: none')
        right.set_xlabel(f'human videos, with {ROBOTS} robot demonstrations')
        for axes, counts in ((left, ROBOT_COUNTS), (right, VIDEO_COUNTS)):
            axes.set_xticks(counts)
            axes.set_ylim(-0.02, 1.05)
            axes.set_ylabel('success')
        right.legend(frameon=False)
    return figure


def _points(
    results: Results, counts: Sequence[int], field: str, **wanted: Any
) -> list[tuple[int, float]]:
    found = [(n, _find(results, **wanted, **{field: n})) for n in counts]
    return [(n, float(result['success'])) for n, result in found if result is not None]


def draw_retrieval(table: Mapping[str, Mapping[str, Overlaps]]) -> Figure:
    """Return the overlaps of the mappings by disturbance."""
    kinds = list(dict.fromkeys(kind for row in table.values() for kind in row))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.0), layout='constrained')
        axes: Any = figure.add_subplot()
        width = 0.8 / max(len(kinds), 1)
        for k, kind in enumerate(kinds):
            at = np.arange(len(table)) + (k - 0.5 * (len(kinds) - 1)) * width
            heights = [row[kind].mapping for row in table.values()]
            axes.bar(at, heights, width, label=kind)
            for x, height in zip(at, heights, strict=True):
                axes.text(x, height + 0.01, f'{height:.2f}', ha='center', fontsize=7)
        axes.set_xticks(range(len(table)), list(table))
        axes.set_ylim(0.0, 1.0)
        axes.set_ylabel('mean IoU of phases')
        axes.legend(frameon=False)
    return figure
