"""A cell of `bench tasks` as it is: trained, stopped, gone on with, rolled out in the twin."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

pytest.importorskip('torch', reason='what learning needs is not installed')

from benchmarks.experiment import cells, ingest, settings, stages
from benchmarks.experiment.settings import (
    ARM,
    Cell,
    DataSettings,
    RolloutSettings,
    TrainSettings,
)
from benchmarks.experiment.stages import Stages
from mimic_core.frames import PALM
from mimic_dataset import DatasetMeta, EpisodeArrays, add_episode, assemble
from mimic_dataset.video import WHOLE, Region
from mimic_description import load_robot
from mimic_policy import evaluation
from mimic_policy.checkpoint import checkpoints, load_policy

SIDE, FRAMES, FPS = 40, 50, 10
STORED = (36, 48)  # of the shape of the twin's
JOB = cells.CellJob(
    Cell('push', 'robotiq_2f85', 'immimic_a', 1, 1), DataSettings(rows=STORED[0]),
    TrainSettings(2, batch=2, size=SIDE), 0, RolloutSettings(2, longest=1.0),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the experiment is, with a dataset of a robot and a person that move a little."""
    for module in (cells, ingest, settings):
        monkeypatch.setattr(module, 'FOLDER', tmp_path)
    robot = load_robot(ARM, JOB.cell.hand)
    limits, arm = robot.limits, len(robot.arm_joints)
    cameras = {'agent': STORED, 'wrist': STORED}
    meta = DatasetMeta(
        JOB.cell.task, ARM, JOB.cell.hand, robot.hand_joints, tuple(limits.lower[arm:]),
        tuple(limits.upper[arm:]), cameras, float(FPS),
    )  # fmt: skip
    palm, rng = robot.fk(robot.home, PALM), np.random.default_rng(0)
    pictures = rng.integers(0, 255, (FRAMES, *STORED, 3), dtype=np.uint8)
    turned = Rotation.from_matrix(palm[:3, :3])
    pose = np.tile(np.concatenate([palm[:3, 3], turned.as_rotvec()]), (FRAMES, 1))
    pose[:, 0] += np.linspace(0.0, 0.05, FRAMES)
    hand = np.tile(robot.home[arm:], (FRAMES, 1))
    hand[:, 0] += np.linspace(0.0, 0.2, FRAMES)
    state = np.hstack([pose[:, :3], np.tile(turned.as_quat(), (FRAMES, 1)), hand])
    dataset = ingest.dataset_folder(JOB.cell.task, JOB.cell.hand, JOB.data)
    for domain in ('robot', 'human'):
        alone = domain == 'human'
        add_episode(dataset, meta, EpisodeArrays(
            name='7', task=JOB.cell.task, arm=ARM, hand=JOB.cell.hand, domain=domain,
            fps=float(FPS), stamps=np.arange(FRAMES) / FPS, agent=pictures,
            action=np.hstack([pose, hand]), joint_names=robot.hand_joints,
            wrist=None if alone else pictures, state=None if alone else state,
        ))  # fmt: skip
        assemble(dataset, domain)
    return tmp_path


def test_a_cell_that_was_stopped_is_not_trained_again(folder, monkeypatch):
    roll_out = evaluation.evaluate

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, 'evaluate', stopped)
    with pytest.raises(KeyboardInterrupt):
        cells.do_cell(JOB)
    assert cells.result_of(JOB) is None
    (trained,) = checkpoints(JOB.run)
    before = {file.name: file.stat().st_mtime_ns for file in trained.iterdir()}
    monkeypatch.setattr(evaluation, 'evaluate', roll_out)
    assert cells.do_cell(JOB) == JOB.key
    assert {file.name: file.stat().st_mtime_ns for file in trained.iterdir()} == before
    result = cells.result_of(JOB)
    assert (result['rollouts'], result['robots'], result['humans']) == (2, 1, 1)
    assert [one['seed'] for one in result['each']] == [400_000, 400_001]
    assert all(0.0 < one['duration'] <= 1.1 for one in result['each'])
    assert folder / result['checkpoint'] == trained
    assert result['training_time'] is None  # not that of the process that found it done
    assert cells.work_of(JOB)['rollouts'] == 2

    JOB.file.write_text('{}')
    assert cells.result_of(JOB) is None
    monkeypatch.setattr(stages, 'worker_processes', ThreadPoolExecutor)  # it has our FOLDER
    said = io.StringIO()
    Stages(JOB.data, 1, Console(file=said, width=400)).cells([JOB], 1)
    again = cells.result_of(JOB)
    assert again is not None and again['each'] == result['each']
    assert f'{JOB.file} is damaged: {JOB.cell.name} is done again' in said.getvalue()


def test_a_policy_of_a_near_cell_sees_a_part_of_the_agent_view(folder, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, 'evaluate', stopped)
    for cell in (JOB.cell, replace(JOB.cell, near=True)):
        job = replace(JOB, cell=cell)
        with pytest.raises(KeyboardInterrupt):
            cells.do_cell(job)
        (trained,) = checkpoints(job.run)
        seen = load_policy(trained).meta.region
        assert seen == (Region(*settings.REGION) if cell.near else WHOLE)
