"""The pictures of `bench tasks`, of made-up results: what is drawn is what was measured."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.experiment import figures, latents
from benchmarks.experiment.retrieval import Overlaps
from benchmarks.experiment.settings import HANDS, ROBOTS, TASKS, VIDEOS, Cell, usual
from mimic_dataset import Dataset, DatasetMeta, EpisodeArrays


def result(cell, success):
    return {
        'cell': vars(cell), 'success': success,
        'success_low': max(success - 0.1, 0.0), 'success_high': min(success + 0.1, 1.0),
    }  # fmt: skip


def drawn(figure, tmp_path):
    """Give the panels of a figure, once it could be written."""
    figure.savefig(tmp_path / 'figure.png', dpi=40)
    assert (tmp_path / 'figure.png').read_bytes().startswith(b'\x89PNG')
    return figure.axes


def test_success_has_a_panel_for_each_task_and_a_bar_for_each_cell(tmp_path):
    cells = {
        usual('pick_place', 'robotiq_2f85', 'robot_only'): 0.5,
        usual('pick_place', 'robotiq_2f85', 'immimic_a'): 0.9,
        usual('pick_place', 'ability', 'immimic_a'): 0.3,
        usual('flip', 'allegro', 'robot_only'): 1.0,
    }
    results = [result(*item) for item in cells.items()]
    results.append(result(Cell('push', 'allegro', 'immimic_a', 20, VIDEOS), 0.7))  # not usual
    panels = drawn(figures.draw_success(results), tmp_path)
    assert [axes.get_title() for axes in panels] == ['pick_place', 'flip']
    heights = [sorted(bar.get_height() for bar in axes.patches) for axes in panels]
    assert heights == [[0.3, 0.5, 0.9], [1.0]]
    names = [label.get_text() for label in panels[0].get_xticklabels()]
    assert names == ['robotiq_2f85', 'ability']


def test_scaling_is_drawn_by_hand_with_and_without_videos(tmp_path):
    task, hand = TASKS[0], HANDS[0]
    cells = {
        Cell(task, hand, 'robot_only', 1, 0): 0.1,
        Cell(task, hand, 'robot_only', ROBOTS, 0): 0.4,
        Cell(task, hand, 'immimic_a', ROBOTS, VIDEOS): 0.9,
        Cell(task, hand, 'immimic_a', 20, VIDEOS): 1.0,
        Cell(task, hand, 'immimic_a', ROBOTS, 20): 0.6,
        Cell('flip', hand, 'immimic_a', 1, VIDEOS): 0.2,  # another task
    }
    left, right = drawn(figures.draw_scaling([result(*c) for c in cells.items()]), tmp_path)
    lines = {line.get_linestyle(): line.get_xydata().tolist() for line in left.lines}
    assert lines == {
        '-': [[ROBOTS, 0.9], [20, 1.0]],
        '--': [[1, 0.1], [ROBOTS, 0.4]],
    }
    (line,) = right.lines
    assert line.get_xydata().tolist() == [[0, 0.4], [20, 0.6], [VIDEOS, 0.9]]
    assert line.get_label() == hand


def test_retrieval_has_a_bar_for_each_disturbance_and_kind(tmp_path):
    table = {
        'clean': {'action': Overlaps(0.8, 0.1), 'thumbnail': Overlaps(0.5, 0.1)},
        'visual': {'action': Overlaps(0.7, 0.1), 'thumbnail': Overlaps(0.2, 0.1)},
    }
    (axes,) = drawn(figures.draw_retrieval(table), tmp_path)
    assert [bar.get_height() for bar in axes.patches] == [0.8, 0.7, 0.5, 0.2]


def episode(name, domain, shade, frames=40):
    rng = np.random.default_rng(frames + shade)
    agent = rng.integers(0, shade, (frames, 16, 16, 3), dtype=np.uint8)
    return EpisodeArrays(
        name=name, task='push', arm='iiwa14', hand='one', domain=domain, fps=10.0,
        stamps=np.arange(frames) / 10.0, agent=agent, action=np.zeros((frames, 7)),
        joint_names=('a',),
    )  # fmt: skip


def test_latents_of_two_policies_stand_side_by_side(tmp_path, monkeypatch):
    """Of one that tells the domains apart by their light, and one that sees none."""
    pytest.importorskip('sklearn', reason='t-SNE is of scikit-learn')
    encoding = pytest.importorskip('mimic_policy.encoding', reason='./mimic build --learning')
    rng = np.random.default_rng(0)
    eyes = {
        'bright': lambda pictures: pictures.reshape(len(pictures), -1)[:, :64] / 10.0,
        'blind': lambda pictures: rng.normal(size=(len(pictures), 8)),
    }
    monkeypatch.setattr(latents, 'FRAMES', 100)
    monkeypatch.setattr(encoding, 'encoder', lambda path: eyes[Path(path).name])
    meta = DatasetMeta('push', 'iiwa14', 'one', ('a',), (0.0,), (1.0,), {}, 10.0)
    dataset = Dataset(meta, (episode('h', 'human', 40), episode('r', 'robot', 250)))
    figure, mixing = latents.draw({name: tmp_path / name for name in eyes}, dataset, 0)
    panels = drawn(figure, tmp_path)
    assert list(mixing) == ['bright', 'blind']
    assert mixing['bright'] < 0.1 and mixing['blind'] > 0.8
    assert [axes.get_title() for axes in panels] == [
        f'{name}: mixed {value:.2f}' for name, value in mixing.items()
    ]
    each = latents.FRAMES
    assert [len(part.get_offsets()) for axes in panels for part in axes.collections] == 4 * [each]
