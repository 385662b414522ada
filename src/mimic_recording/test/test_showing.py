from mimic_core.topics import TOPICS
from mimic_recording.showing import may_be_shown, table_name, taken


def test_no_command_is_ever_shown():
    for name, row in TOPICS.items():
        if row.qos == 'command':
            for namespace in ('/', '/left/'):
                assert not may_be_shown(namespace + name)
    assert not may_be_shown('/clock')
    assert not may_be_shown('/somebody/elses/topic')


def test_states_and_pictures_are_shown_in_any_namespace():
    for name in ('joint_states', 'camera/color/image_raw', 'hand_tracking/hands'):
        assert may_be_shown(f'/{name}')
        assert may_be_shown(f'/lab/left/{name}')
        assert table_name(f'/lab/left/{name}') == name
    assert may_be_shown('/tf')


def test_a_robot_that_runs_is_noticed():
    topics = ['/joint_states', '/tf', '/left/joint_states']
    assert taken(topics, {'/tf': 1}) == []
    assert taken(topics, {'/tf': 1, '/left/joint_states': 1}) == ['/left/joint_states']
