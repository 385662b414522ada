"""Pictures of paths: whatever their shape, what stands at the axes is inside the picture."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mimic_alignment import Actions, warp
from mimic_alignment.plots import draw_paths


def _path(height, shift):
    way = np.linspace(0.0, 1.0, 30)
    position = np.stack(
        [0.45 + 0.15 * way, 0.35 * way - 0.2, shift + height * np.sin(np.pi * way)], axis=1
    )
    return Actions(position, np.tile([0.0, 0.0, 0.0, 1.0], (30, 1)), np.zeros((30, 1)))


@pytest.mark.parametrize('height', [0.35, 0.8])
def test_labels_are_inside(height):
    human, robot = _path(height, 0.15), _path(height, 0.17)
    gaps = np.linalg.norm(human.position[:, None] - robot.position[None], axis=2)
    figure = draw_paths([human], [robot], (0, 0, warp(gaps)), 'push')
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    edge = figure.bbox
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            box = axis.label.get_window_extent(canvas.get_renderer())
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= edge.x1 and box.y1 <= edge.y1
