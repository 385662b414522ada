import pytest

from mimic_core.topics import TOPICS
from mimic_recording import Definitions, RecordingError
from mimic_recording.definitions import SEPARATOR, fields

KINDS = sorted({t.type for t in TOPICS.values()})


@pytest.mark.parametrize('kind', KINDS)
def test_text_holds_every_dependency_once(definitions, kind):
    definition = definitions.find(kind)
    headings = [line for line in definition.text.splitlines() if line.startswith('MSG: ')]
    assert len(headings) == len(set(headings))
    assert definition.text.count(SEPARATOR) == len(headings)
    assert len(SEPARATOR) == 80
    assert not any('/msg/' in line for line in headings)
    for name, text in definition.parts.items():
        for used, _ in fields(text, name.split('/')[0]):
            assert '/' not in used or used in definition.parts


@pytest.mark.parametrize('kind', KINDS)
def test_hash_is_that_of_an_independent_reader(definitions, store, kind):
    """Fields in the text give the hash that the interface package published."""
    definition = definitions.find(kind)
    if not definition.type_hash:
        pytest.skip('the package is not built, and only a built one tells its hash')
    assert store.hash_rihs01(kind) == definition.type_hash


@pytest.mark.parametrize(
    ('kind', 'offset'),
    [
        ('sensor_msgs/msg/Image', 4),
        ('mimic_interfaces/msg/HandArray', 4),
        ('tf2_msgs/msg/TFMessage', 8),
        ('std_msgs/msg/Bool', None),
        ('std_msgs/msg/String', None),
        ('rosgraph_msgs/msg/Clock', None),
        ('mimic_interfaces/msg/ObjectPose', None),
    ],
)
def test_position_of_the_stamp(definitions, kind, offset):
    assert definitions.find(kind).stamp_offset == offset


def test_fields_are_told_from_constants_and_comments():
    text = """
# Header header
uint8 LEFT=0
string NAME = "a b"   # no field
uint8 side            # LEFT=0
Hand[] hands
geometry_msgs/Point[21] points
string<=10 short
float64[<=4] few
int32 start 5
Header header
"""
    assert fields(text, 'mine') == [
        ('uint8', ''),
        ('mine/Hand', '[]'),
        ('geometry_msgs/Point', '[21]'),
        ('string', ''),
        ('float64', '[<=4]'),
        ('int32', ''),
        ('std_msgs/Header', ''),
    ]


@pytest.mark.parametrize('name', ['sensor_msgs/Image', '../msg/Image', 'a/msg/../../x', ''])
def test_what_is_no_type_is_refused(definitions, name):
    with pytest.raises(RecordingError, match='no message type'):
        definitions.find(name)


def test_a_missing_dependency_is_named(tmp_path):
    folder = tmp_path / 'share' / 'mine' / 'msg'
    folder.mkdir(parents=True)
    (folder / 'A.msg').write_text('other_pkg/B b\n')
    with pytest.raises(RecordingError, match="'other_pkg/msg/B' is not installed"):
        Definitions([tmp_path]).find('mine/msg/A')
