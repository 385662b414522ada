"""What is written: the file for the twin, pictures, the table."""

import pytest
import yaml
from PIL import Image

from mimic_core.errors import ConfigError
from mimic_description import load_robot
from mimic_description.response import JointResponse, load_responses
from mimic_identification.excitation import excite, room
from mimic_identification.fit import fit_response
from mimic_identification.options import parser
from mimic_identification.plant import Sensor, measured_record
from mimic_identification.results import COLUMNS, prepare_folder, rows, save
from mimic_identification.verdict import NOT_TESTED, Outcome, judge
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams


@pytest.fixture(scope='module')
def found():
    import numpy as np

    robot = load_robot('iiwa14', 'none')
    motion = excite(robot.limits, 0, 0.0, *room(robot.limits, 0, 0.0))
    rng = np.random.default_rng(0)

    def outcome(name, response):
        record = measured_record(
            response, motion.times, motion.positions, Sensor(100.0, 1e-4), rng, name
        )
        return judge(record, fit_response(record))

    return [
        outcome('iiwa_joint_1', JointResponse(0.05, 2, 0.03, 0.8)),
        outcome('iiwa_joint_2', JointResponse(0.0, 0, gain=0.01)),
        Outcome('iiwa_joint_3', NOT_TESTED, 'no room for a motion here'),
    ]


def test_the_twin_takes_the_file(tmp_path, found):
    path = save(tmp_path / 'out', found, {'arm': 'iiwa14'})
    responses = load_responses(path)
    assert set(responses) == {'iiwa_joint_1'}  # what did not move says nothing
    assert responses['iiwa_joint_1'].delay == pytest.approx(0.05, abs=0.002)
    twin = Twin(load_robot('iiwa14', 'none'), params=TwinParams(response=str(path)))
    assert twin.responds
    facts = yaml.safe_load(path.read_text())['facts']
    assert facts['arm'] == 'iiwa14'
    assert facts['joints']['iiwa_joint_2']['verdict'] == 'no motion'
    assert facts['joints']['iiwa_joint_1']['interval_95']['delay'] < 0.002
    assert facts['joints']['iiwa_joint_3']['reason'] == 'no room for a motion here'


def test_each_joint_with_a_record_has_a_picture(tmp_path, found):
    save(tmp_path, found, {})
    names = {path.name for path in tmp_path.glob('*.png')}
    assert names == {'iiwa_joint_1.png', 'iiwa_joint_2.png'}
    picture = Image.open(tmp_path / 'iiwa_joint_1.png').convert('RGB')
    colours = picture.getcolors(maxcolors=1 << 20)
    assert picture.size[0] > 1000 and len(colours) > 50


def test_the_table(found):
    table = rows(found)
    assert all(len(row) == len(COLUMNS) for row in table)
    assert table[0][0] == 'iiwa_joint_1' and table[0][-1] == 'good'
    assert table[0][1].startswith(('49', '50', '51'))
    assert table[1][-1].startswith('no motion: moved 0.0')
    assert table[2][-1] == 'not tested: no room for a motion here'


def test_a_folder_that_cannot_be_written_is_said_before_anything_moves(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot be written'):
        prepare_folder(tmp_path / 'file' / 'out')


@pytest.mark.parametrize('speed', ['0', '2', 'nan', 'fast'])
def test_a_speed_that_makes_no_sense_is_refused(speed, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(['--speed', speed])
    assert '--speed' in capsys.readouterr().err
