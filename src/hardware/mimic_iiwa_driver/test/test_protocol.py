import pytest

from mimic_core.errors import ConfigError
from mimic_core.params import from_mapping
from mimic_description import load_robot
from mimic_iiwa_driver import emulator, protocol
from mimic_iiwa_driver.driver import stack_of
from mimic_iiwa_driver.params import IiwaParams


@pytest.mark.parametrize('stack', protocol.STACKS)
def test_the_emulator_has_its_own_copy_of_the_names(stack):
    names, (namespace, controller, joints) = protocol.STACKS[stack], emulator._NAMES[stack]
    assert (names.namespace, names.controller, list(names.joints)) == (
        namespace, controller, joints,
    )  # fmt: skip
    assert len(joints) == len(load_robot('iiwa14', 'none').joint_names)


def test_topics_of_the_stacks():
    lbr = stack_of(from_mapping(IiwaParams, {}))
    assert lbr.topic(f'{lbr.controller}/joint_trajectory') == (
        '/lbr/joint_trajectory_controller/joint_trajectory'
    )
    assert lbr.topic(lbr.manager) == '/lbr/controller_manager'
    icube = stack_of(from_mapping(IiwaParams, {'stack': 'icube'}))
    assert icube.topic(f'{icube.controller}/joint_trajectory') == (
        '/iiwa_arm_controller/joint_trajectory'
    )
    assert icube.topic(icube.state_topic) == '/joint_states'
    own = {'namespace': '/med/', 'controller': 'c', 'joints': [f'm{i}' for i in range(7)]}
    chosen = stack_of(from_mapping(IiwaParams, own))
    assert (chosen.namespace, chosen.controller, chosen.joints[6]) == ('med', 'c', 'm6')
    root = stack_of(from_mapping(IiwaParams, {'namespace': '/'}))
    assert root.topic('joint_states') == '/joint_states'


def test_sessions_in_words():
    assert protocol.session_problem(4, 2, 0) == ''
    said = protocol.session_problem(1, 0, 1)
    assert 'monitoring wait' in said and 'drives off' in said and 'safety stop 0' in said
    assert '7, not commanding' in protocol.session_problem(7, 2, 0)


def test_bad_parameters():
    with pytest.raises(ConfigError, match='stack'):
        from_mapping(IiwaParams, {'stack': 'kuka'})
    with pytest.raises(ConfigError, match='on_deactivate'):
        from_mapping(IiwaParams, {'on_deactivate': 'limp'})
