"""The command from the board to the drift check, in the twin."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mimic_calibration.board import Board
from mimic_calibration.cli import main
from mimic_calibration.files import stored_hand_eye
from mimic_calibration.twin import TwinCell
from mimic_camera import load_calibration


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return int(end.value.code)


@pytest.fixture(scope='module')
def practised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after `hand_eye --source twin`."""
    folder = tmp_path_factory.mktemp('twin')
    (folder / 'cameras').mkdir()
    code = call(
        'hand_eye', '--name', 'wrist', '--source', 'twin', '--arm', 'panda', '--mount',
        'eye_in_hand', '--poses', 20, '--config', folder / 'cameras', '--out', folder / 'set',
    )  # fmt: skip
    assert code == 0
    return folder


def test_the_twin_is_calibrated_to_two_millimetres(practised: Path):
    stored = stored_hand_eye(practised / 'cameras/wrist.yaml')
    cell = TwinCell('panda', 'panda_hand', Board(), 'eye_in_hand', 0)
    shift, turn = cell.errors(stored.solution.reference_T_camera)
    assert shift < 0.002  # [m]
    assert turn < np.radians(0.3)
    assert load_calibration(practised / 'cameras/wrist.yaml').parent == 'flange'


def test_the_report_shows_what_happened(practised: Path):
    page = (practised / 'set/report.html').read_text()
    assert page.count('data:image/png') == 2
    assert page.count('data:image/jpeg') == 1
    assert 'panda with panda_hand' in page
    assert len(re.findall(r'<td>0\d\d.png</td>', page)) >= 12


def test_the_folder_gives_the_same_again(practised: Path, capsys: pytest.CaptureFixture):
    path = practised / 'cameras/wrist.yaml'
    before = load_calibration(path)
    code = call(
        'hand_eye', '--name', 'wrist', '--source', 'folder', '--path', practised / 'set',
        '--mount', 'eye_in_hand', '--config', practised / 'cameras', '--out', practised / 'again',
    )  # fmt: skip
    assert code == 0
    assert 'wrist.yaml.bak1' in capsys.readouterr().out.replace('\n', '')
    after = load_calibration(path)
    assert after.parent_T_optical == pytest.approx(before.parent_T_optical, abs=1e-3)
    assert call(
        'check', '--name', 'wrist', '--source', 'folder', '--path', practised / 'set',
        '--config', practised / 'cameras',
    ) == 0  # fmt: skip


def test_a_camera_that_was_moved_is_noticed(practised: Path, tmp_path: Path):
    data = yaml.safe_load((practised / 'cameras/wrist.yaml').read_text())
    data['xyz'][0] += 0.03
    (tmp_path / 'wrist.yaml').write_text(yaml.safe_dump(data))
    code = call(
        'check', '--name', 'wrist', '--source', 'folder', '--path', practised / 'set',
        '--config', tmp_path,
    )  # fmt: skip
    assert code == 3


def test_a_redo_is_not_written(practised: Path, tmp_path: Path):
    data = yaml.safe_load((practised / 'set/samples.yaml').read_text())
    data['samples'] = data['samples'][:5]
    for row in data['samples']:  # a joint with a degree of play
        joint = sorted(row['joints'])[3]
        row['joints'][joint] += 0.02 * (int(row['image'][:3]) % 2)
    few = tmp_path / 'few'
    few.mkdir()
    for row in data['samples']:
        (few / row['image']).write_bytes((practised / 'set' / row['image']).read_bytes())
    (few / 'samples.yaml').write_text(yaml.safe_dump(data))
    (tmp_path / 'wrist.yaml').write_text((practised / 'cameras/wrist.yaml').read_text())
    before = (tmp_path / 'wrist.yaml').read_text()
    arguments = (
        'hand_eye', '--name', 'wrist', '--source', 'folder', '--path', few, '--mount',
        'eye_in_hand', '--config', tmp_path, '--out', tmp_path / 'out',
    )  # fmt: skip
    assert call(*arguments) in (1, 2)
    assert (tmp_path / 'wrist.yaml').read_text() == before


def test_intrinsics_from_a_folder(tmp_path: Path):
    from mimic_calibration.proposal import propose

    cell = TwinCell('iiwa14', 'robotiq_2f85', Board(), 'eye_in_hand', 3)
    rng = np.random.default_rng(0)
    poses = propose(cell.arm, 'robotiq_2f85', cell.board, cell.truth, cell.intrinsics, 18, rng)
    try:
        for number, q in enumerate(poses):
            Image.fromarray(cell.see(q)).save(tmp_path / f'{number:02d}.png')
    finally:
        cell.close()
    code = call(
        'camera', '--name', 'cam', '--source', 'folder', '--path', tmp_path, '--config', tmp_path,
        '--out', tmp_path / 'out',
    )  # fmt: skip
    assert code == 0
    found = load_calibration(tmp_path / 'cam.yaml').intrinsics
    assert found.fx == pytest.approx(cell.intrinsics.fx, rel=3e-3)
    assert found.cx == pytest.approx(cell.intrinsics.cx, abs=2.5)
    record = load_calibration(tmp_path / 'cam.yaml').record['intrinsics']
    assert record['views'] >= 12
    assert record['held_out'] < 0.5


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (('board', '--columns', '2'), '3 to 40'),
        (('board', '--measured', '0.05'), 'fit to page'),
        (('camera', '--name', 'A b', '--source', 'folder', '--path', '.'), 'no name of a camera'),
        (('camera', '--name', 'a', '--source', 'folder'), 'needs --path'),
        (('camera', '--name', 'a', '--source', 'folder', '--path', 'gone'), 'no folder'),
        (('hand_eye', '--name', 'a', '--source', 'twin'), 'which robot'),
        (('hand_eye', '--name', 'a', '--source', 'twin', '--arm', 'robocop'), 'robocop'),
        (('check', '--name', 'gone', '--source', 'folder', '--path', '.'), 'cannot be read'),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    arguments: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    where = ('--config', tmp_path) if arguments[0] != 'board' else ()
    assert call(*arguments, *where, '--out', tmp_path / 'out.pdf') == 1
    out = ' '.join(capsys.readouterr().out.split())
    assert text in out
    assert 'Traceback' not in out


def test_a_board_is_written(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert call('board', '--out', tmp_path / 'b.png', '--board', 'apriltag') == 0
    assert (tmp_path / 'b.png').stat().st_size > 1000
    assert '100 mm' in ' '.join(capsys.readouterr().out.split())
